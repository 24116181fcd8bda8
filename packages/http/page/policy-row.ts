import { type Act, actsOf, nameOf } from "./act.ts";
import { type Circuit, circuitsOf, isOpen } from "./circuits.ts";
import { list, make, newId, set, show, write } from "./dom.ts";
import { count, duration, percent, plural } from "./format.ts";
import { type Gauge, standingOf } from "./gauges.ts";
import { type ClientView, isIn, type PolicyView } from "./merge.ts";
import { fields } from "./unknown.ts";
import { kindWord } from "./words.ts";

/** A policy in its client. */
export interface Placed {
  readonly client: ClientView;
  readonly policy: PolicyView;
  readonly may: boolean;
  /** How long ago a circuit opened, as far as is remembered. */
  openedAgo(key: string): number | undefined;
}

export type Ask = (placed: Placed, act: Act) => void;

const MODES: Readonly<Record<string, string>> = { shadow: "shadow", off: "switched off" };

const STATUS: Readonly<Record<string, string>> = {
  "forced-open": "held open",
  "forced-closed": "held closed",
  "half-open": "half-open",
};

const statusWord = (status: string): string => STATUS[status] ?? status;

/** One policy: what it holds, and in its fold its circuits, its options and what may be done. */
export function policyRow(ask: Ask): { element: HTMLElement; update(placed: Placed): void } {
  const bodyId = newId();
  const kind = make("span", { class: "kind" });
  const name = make("span", { class: "name" });
  const mode = make("span", { class: "tag" });
  const says = make("span", { class: "says" });
  const bars = make("span", { class: "bars" });
  const head = make(
    "button",
    { type: "button", class: "head", "aria-expanded": "false", "aria-controls": bodyId },
    make("span", { class: "who" }, kind, " ", name, " ", mode),
    make("span", { class: "standing" }, says, bars),
  );
  const circuits = make("ul", { class: "circuits" });
  const options = make("pre", { tabindex: "0", role: "group", "aria-label": "Options" });
  const acts = make("div", { class: "acts", role: "group" });
  const body = make("div", { class: "body", id: bodyId }, make("div", {}, circuits, acts), options);
  body.hidden = true;
  const element = make("li", { class: "policy" }, head, body);
  const showBars = list<Gauge>(bars, ({ label }) => label, gaugeRow);
  const showCircuits = list<Circuit>(
    circuits,
    ({ key }) => key,
    () => circuitRow(() => placed),
  );
  const showActs = list<Act>(acts, ({ verb }) => verb, actButton);
  let placed: Placed | undefined;

  head.addEventListener("click", () => {
    show(body, body.hidden !== false);
    set(head, "aria-expanded", String(!body.hidden));
    if (placed !== undefined) fold(placed);
  });

  function actButton(): { element: HTMLElement; update(act: Act): void } {
    let now: Act | undefined;
    const button = make("button", { type: "button" });
    button.addEventListener("click", () => {
      if (placed !== undefined && now !== undefined) ask(placed, now);
    });
    return {
      element: button,
      update(act) {
        now = act;
        write(button, act.edit === true ? `${act.verb} …` : act.verb);
        set(button, "class", act.grave ? "grave" : "plain");
        button.disabled = act.now;
      },
    };
  }

  /** What nobody sees is not kept up to date. */
  function fold({ policy, may }: Placed): void {
    if (body.hidden) return;
    const all = circuitsOf(policy.state);
    show(circuits, all.length > 0);
    showCircuits(all);
    show(acts, may && policy.can.length > 0);
    set(acts, "aria-label", nameOf(policy));
    showActs(may ? actsOf(policy) : []);
    write(options, JSON.stringify(policy.options, null, 2) ?? "");
  }

  return {
    element,
    update(now) {
      placed = now;
      const { policy } = now;
      const alike = policy.name === policy.kind;
      write(kind, kindWord(policy.kind));
      write(name, alike ? "" : policy.name);
      const modes = policy.modes.length > 1 ? policy.modes : policy.modes.filter((one) => one !== "enforce");
      write(mode, modes.map((one) => MODES[one] ?? one).join(" and "));
      show(mode, modes.length > 0);
      const { gauges, facts } = standingOf(policy);
      write(
        says,
        [...breakerWords(policy), ...timeWords(policy), ...facts, ...storeWords(policy)].join(" · "),
      );
      show(says, says.textContent !== "");
      showBars(gauges);
      set(element, "data-trouble", troubleOf(policy, gauges));
      fold(now);
    },
  };
}

/** `bad`: it refuses; `warn`: it is about to, or cannot do its work as meant. */
export function troubleOf(
  policy: PolicyView,
  gauges: readonly Gauge[] = standingOf(policy).gauges,
): string | undefined {
  if (isIn(policy, "off")) return undefined;
  const circuits = policy.kind === "circuit-breaker" ? circuitsOf(policy.state) : [];
  const shadow = isIn(policy, "shadow");
  const full = policy.kind !== "cache" && gauges.some(({ used, of }) => of > 0 && used >= of);
  if (circuits.some(isOpen) || full) return shadow ? "warn" : "bad";
  if (policy.degraded > 0 || circuits.some(({ status }) => status !== "closed")) return "warn";
  return gauges.some(({ used, of }) => of > 0 && used >= 0.8 * of && policy.kind !== "cache")
    ? "warn"
    : undefined;
}

function breakerWords({ kind, state }: PolicyView): readonly string[] {
  if (kind !== "circuit-breaker") return [];
  const all = circuitsOf(state);
  const [worst] = all;
  if (worst === undefined) return ["closed, not used yet"];
  if (all.length === 1) return [circuitWords(worst)];
  const open = all.filter(isOpen).length;
  if (open > 0) return [`${count(open)} of ${plural(all.length, "circuit")} open`];
  if (worst.status === "closed") return [`all ${plural(all.length, "circuit")} closed`];
  return [`${plural(all.length, "circuit")}, one ${statusWord(worst.status)}`];
}

function circuitWords({ status, openForMs, calls, failures, slow }: Circuit): string {
  if (status === "open")
    return openForMs > 0
      ? `open, tried again in ${duration(openForMs)}`
      : "open, tried again with the next call";
  if (status !== "closed") return statusWord(status);
  if (calls === 0) return "closed, no calls in its window";
  const slowly = slow > 0 ? `, ${count(slow)} slow` : "";
  return `closed, ${count(failures)} of ${plural(calls, "call")} failed (${percent(failures, calls)})${slowly}`;
}

/** Times and counts that a reader looks for, of policies that hold nothing. */
const TOLD: Readonly<Record<string, readonly (readonly [option: string, word: string])[]>> = {
  timeout: [
    ["connect", "connect"],
    ["headers", "headers"],
    ["firstToken", "first token"],
    ["idle", "idle"],
    ["total", "total"],
    ["overall", "overall"],
  ],
  retry: [["attempts", "attempts"]],
};

function timeWords({ kind, options }: PolicyView): readonly string[] {
  const given = fields(options);
  return (TOLD[kind] ?? []).flatMap(([option, word]) => {
    const value = given[option];
    if (typeof value !== "number" && typeof value !== "string") return [];
    return [`${word} ${typeof value === "number" && kind === "timeout" ? duration(value) : value}`];
  });
}

const SOURCES: Readonly<Record<string, string>> = {
  store: "shared",
  local: "its store is away: by this process's share",
  open: "its store is away: all may pass",
  closed: "its store is away: none may pass",
};

const storeWords = ({ source }: PolicyView): readonly string[] =>
  source === undefined ? [] : [SOURCES[source] ?? source];

function gaugeRow(): { element: HTMLElement; update(gauge: Gauge): void } {
  const label = make("span", { class: "label" });
  const value = make("span", { class: "value" });
  const fill = make("i");
  const bar = make("span", { class: "bar" }, fill);
  return {
    element: make("span", { class: "gauge" }, label, " ", value, bar),
    update({ label: said, used, of, text }) {
      const part = of > 0 ? Math.min(1, Math.max(0, used / of)) : 0;
      write(label, said);
      write(value, text ?? `${count(used)} of ${count(of)}`);
      fill.style.setProperty("--part", part.toFixed(3));
      set(bar, "class", part >= 1 ? "bar full" : part >= 0.8 ? "bar high" : "bar");
    },
  };
}

function circuitRow(placed: () => Placed | undefined): {
  element: HTMLElement;
  update(circuit: Circuit): void;
} {
  const mark = make("span", { class: "mark" });
  const key = make("b");
  const words = make("span");
  return {
    element: make("li", {}, mark, key, " ", words),
    update(circuit) {
      const { status } = circuit;
      set(mark, "class", `mark ${isOpen(circuit) ? "open" : status === "closed" ? "calm" : "degraded"}`);
      write(key, circuit.key === "" ? "" : circuit.key);
      const now = placed();
      const on = circuit.on !== undefined ? ` · on ${plural(circuit.on, "instance")}` : "";
      const since = isOpen(circuit) ? now?.openedAgo(circuit.key) : undefined;
      const long = since === undefined ? "" : ` · opened ${duration(since)} ago`;
      write(words, `${circuitWords(circuit)}${long}${on}`);
    },
  };
}
