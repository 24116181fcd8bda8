import type { Attempt } from "../../attempt-log.ts";
import type { SimulatorState } from "../../engine.ts";
import type { createAccounts } from "./accounts.ts";
import type { createAttemptTable } from "./attempts.ts";
import type { Browser } from "./browser.ts";
import type { createDom } from "./dom.ts";
import type { createFaultList } from "./faults.ts";
import type { startFeed } from "./feed.ts";
import type { createFormat } from "./format.ts";
import type { createMachines } from "./machines.ts";
import type { createSparkline } from "./sparkline.ts";

/** The parts of the page, each sent to the browser as its source text. */
export interface PageParts {
  readonly createDom: typeof createDom;
  readonly createFormat: typeof createFormat;
  readonly createSparkline: typeof createSparkline;
  readonly createMachines: typeof createMachines;
  readonly createAccounts: typeof createAccounts;
  readonly createFaultList: typeof createFaultList;
  readonly createAttemptTable: typeof createAttemptTable;
  readonly startFeed: typeof startFeed;
}

/** Puts the parts together. Runs in the browser: its source text is sent there, so it uses nothing from outside. */
export function startPage(browser: Browser, parts: PageParts): void {
  const dom = parts.createDom(browser);
  const format = parts.createFormat();
  const rows = 50;
  /** What was true at the last sample, to know what happened since. */
  let before: { nowMs: number; asked: number } | undefined;
  let busy503 = 0;

  const rates = ["arrivals", "refusals", "queue"].map((name) => ({
    figure: dom.get(`${name}-figure`),
    line: parts.createSparkline(browser, dom.get(`${name}-chart`)),
  }));

  async function act(method: string, path: string, body: unknown, done: string): Promise<void> {
    const message = dom.get("message");
    try {
      const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
      const response = await browser.fetch(`/__sim${path}`, init);
      const answer = (await response.json()) as { error?: { message: string } };
      message.className = response.ok ? "message" : "message bad";
      dom.write(message, answer.error?.message ?? done);
    } catch {
      message.className = "message bad";
      dom.write(message, "The simulator does not answer: is it still running?");
    }
    feed.refresh();
  }

  const showMachines = parts.createMachines(dom, (name, up) => {
    // Said with false, so that it holds against a scenario too.
    void act(
      "POST",
      `/replicas/${encodeURIComponent(name)}`,
      { dead: !up },
      `${name} is ${up ? "up" : "down"}.`,
    );
  });
  const showAccounts = parts.createAccounts(dom, format);
  const showFaults = parts.createFaultList(dom, format, (id) => {
    void act("DELETE", `/faults/${encodeURIComponent(id)}`, undefined, "The fault is removed.");
  });
  const attempts = parts.createAttemptTable(dom, format, ({ status }: Attempt) => {
    if (status === 503) busy503 += 1;
  });

  /** Rates are those of simulated time: the same at any time scale. */
  function sample({ nowMs, totals, open, queued }: SimulatorState): void {
    const asked = totals.attempts + open;
    if (before !== undefined && nowMs > before.nowMs) {
      const perSecond = 1000 / (nowMs - before.nowMs);
      const values = [Math.max(0, asked - before.asked) * perSecond, busy503 * perSecond, queued];
      for (const [at, { figure, line }] of rates.entries()) {
        const value = values[at] ?? 0;
        line.add(value);
        dom.write(figure, format.count(Math.round(value * 10) / 10));
      }
      busy503 = 0;
    }
    before = { nowMs, asked };
  }

  /** What was on the page before is of another life. */
  function startAgain(state: SimulatorState): void {
    before = undefined;
    attempts.clear(Math.max(0, state.totals.attempts - rows));
    for (const { line } of rates) line.clear();
  }

  const option = (name: string) => dom.get(name).selectedOptions[0];

  function showScenario({ scenario, scenarioMs, phases, nowMs, timeScale, seed }: SimulatorState): void {
    const speed = timeScale === 0 ? "by hand" : `× ${format.count(Math.round(1000 / timeScale) / 1000)}`;
    dom.write(dom.get("time"), format.clock(nowMs));
    dom.write(dom.get("speed"), `time ${speed} · seed ${seed}`);
    dom.write(
      dom.get("playing"),
      scenario === null ? "No scenario plays." : `${scenario}, at ${format.clock(scenarioMs ?? 0)}`,
    );
    dom.write(dom.get("phases"), phases.join(" · "));
    dom.get("stop").disabled = scenario === null;
  }

  function showTotals({ totals, open }: SimulatorState): void {
    const { completed, faulted, rejected, client_closed, queue_timeout } = totals.outcomes;
    const counted = [
      [completed, "completed"],
      [faulted, "faulted"],
      [rejected, "refused"],
      [client_closed, "left"],
      [queue_timeout, "queue timeouts"],
    ] as const;
    const figures = [
      `${format.count(open)} open`,
      ...counted.filter(([count]) => count > 0).map(([count, word]) => `${format.count(count)} ${word}`),
      `${format.dollars(totals.billedUsd)} billed`,
    ];
    dom.write(dom.get("totals"), figures.join(" · "));
  }

  dom.get("play").addEventListener("click", () => {
    const name = dom.get("scenario").value;
    void act("POST", "/scenario", name, `${name} plays.`);
  });
  dom.get("stop").addEventListener("click", () => {
    void act("POST", "/scenario", null, "The scenario is stopped.");
  });
  const tell = (select: string, about: string): void => {
    const show = () => dom.write(dom.get(about), option(select)?.getAttribute("title") ?? "");
    dom.get(select).addEventListener("change", show);
    show();
  };
  tell("scenario", "scenario-about");
  tell("fault", "fault-about");
  const suggest = () =>
    dom.get("fault-params").setAttribute("placeholder", option("fault")?.getAttribute("data-params") ?? "");
  dom.get("fault").addEventListener("change", suggest);
  suggest();
  dom.get("fault-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const given = dom.get("fault-params").value.trim();
    const action = dom.get("fault").value + (given === "" ? "" : `;${given}`);
    const times = Number(dom.get("fault-times").value);
    const what = times === 1 ? "the next request" : `the next ${times} requests`;
    void act("POST", "/faults", { action, times }, `${action} for ${what}.`);
  });
  dom.get("clear").addEventListener("click", () => {
    void act("DELETE", "/faults", undefined, "All faults are removed, except those of a scenario.");
  });

  const feed = parts.startFeed(browser, {
    last: () => attempts.last,
    onAttempt: (attempt) => attempts.add(attempt),
    onState(state, again) {
      if (again) startAgain(state);
      sample(state);
      showScenario(state);
      showTotals(state);
      showMachines(state.replicas);
      showAccounts(state.accounts);
      showFaults([...state.faults, ...state.scenarioFaults]);
    },
    onConnection(connected) {
      const badge = dom.get("connection");
      badge.className = `badge ${connected ? "good" : "bad"}`;
      dom.write(badge, connected ? "live" : "disconnected");
    },
  });
}
