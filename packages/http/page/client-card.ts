import { firstTokenChart, outcomesChart } from "./charts.ts";
import { list, make, newId, set, show, write } from "./dom.ts";
import { type Figure, figuresOf } from "./figures.ts";
import { count, plural } from "./format.ts";
import { CONDITION_WORDS, type Judgement, type Reason } from "./judge.ts";
import type { ClientView } from "./merge.ts";
import { type Ask, type Placed, policyRow, troubleOf } from "./policy-row.ts";
import type { ClientState, RecentEvent, Refusals } from "./state.ts";
import { codeWord } from "./words.ts";

/** What a card is drawn from. */
export interface CardState {
  readonly client: ClientView;
  readonly judgement: Judgement;
  /** Those of this client, the latest first. */
  readonly events: readonly RecentEvent[];
  readonly may: boolean;
  /** When it was so, by the clock that tells the events' time; the reader's may be another. */
  readonly at: number;
}

/** So many policies are shown unasked, and those in trouble besides. */
const SHOWN = 16;

/** One client: how it is and why, its figures, its charts, its policies. */
export function clientCard(ask: Ask): {
  readonly element: HTMLElement;
  update(state: CardState): void;
  remove(): void;
} {
  const titleId = newId();
  const name = make("span", { class: "client-name" });
  const state = make("span", { class: "state" });
  const title = make("h2", { id: titleId, tabindex: "-1" }, name, " ", state);
  const reasons = make("ul", { class: "reasons" });
  const figures = make("dl", { class: "figures" });
  const outcomes = outcomesChart();
  const firstToken = firstTokenChart();
  const policies = make("ol", { class: "policies" });
  const more = make("button", { type: "button", class: "more" });
  const refusals = make("ul", { class: "refusals" });
  const refusalsBlock = make("div", {}, make("h3", {}, "Refused, by policy"), refusals);
  const lints = make("ul", { class: "lints" });
  const lintsBlock = make("div", {}, make("h3", {}, "Probably not meant"), lints);
  const element = make(
    "section",
    { class: "client", "aria-labelledby": titleId },
    title,
    reasons,
    figures,
    make("div", { class: "charts" }, outcomes.element, firstToken.element),
    make("h3", {}, "Policies, outermost first"),
    policies,
    more,
    make("div", { class: "asides" }, refusalsBlock, lintsBlock),
  );
  const showReasons = list<Reason>(reasons, ({ text }) => text.replaceAll(/\d+/g, "#"), reasonRow);
  const showFigures = list<Figure>(figures, ({ label }) => label, figureTile);
  const showPolicies = list<Placed>(
    policies,
    ({ policy }) => JSON.stringify([policy.kind, policy.name, policy.target]),
    () => policyRow(ask),
  );
  const showRefusals = list<Refusals>(
    refusals,
    ({ policy, code }) => JSON.stringify([policy, code]),
    refusalRow,
  );
  const showLints = list<ClientState["lints"][number]>(lints, ({ message }) => message, lintRow);
  let all = false;
  let last: CardState | undefined;
  more.addEventListener("click", () => {
    all = !all;
    if (last !== undefined) update(last);
  });

  function update(now: CardState): void {
    last = now;
    const { client, judgement } = now;
    write(name, client.name);
    set(element, "data-state", judgement.condition);
    set(state, "class", `state ${judgement.condition}`);
    write(state, CONDITION_WORDS[judgement.condition]);
    showReasons(judgement.reasons);
    show(reasons, judgement.reasons.length > 0);
    showFigures(figuresOf(client));
    outcomes.update(client.stats.series);
    // What makes no tokens needs no chart of them.
    const tokens = client.stats.series.points.some(({ firstTokenP50 }) => firstTokenP50 !== null);
    show(firstToken.element, tokens);
    if (tokens) firstToken.update(client.stats.series);
    const placed = placedOf(now);
    const few = placed.filter(({ policy }, at) => at < SHOWN || troubleOf(policy) !== undefined);
    showPolicies(all ? placed : few);
    show(more, few.length < placed.length || (all && placed.length > SHOWN));
    write(more, all ? "Show fewer policies" : `Show all ${count(placed.length)} policies`);
    set(more, "aria-expanded", String(all));
    showRefusals(client.stats.refusalsBy);
    show(refusalsBlock, client.stats.refusalsBy.length > 0);
    showLints(client.lints);
    show(lintsBlock, client.lints.length > 0);
  }

  return {
    element,
    update,
    remove() {
      outcomes.remove();
      firstToken.remove();
    },
  };
}

function placedOf({ client, may, events, at }: CardState): readonly Placed[] {
  return client.policies.map((policy) => ({
    client,
    policy,
    may,
    openedAgo(key) {
      const opened = events.find(
        (event) =>
          event.type === "breaker-open" && event["policy"] === policy.name && (event["key"] ?? "") === key,
      );
      return opened && Math.max(0, at - opened.time);
    },
  }));
}

function reasonRow(): { element: HTMLElement; update(reason: Reason): void } {
  const mark = make("span", { class: "mark" });
  const text = make("span");
  return {
    element: make("li", {}, mark, text),
    update(reason) {
      set(mark, "class", `mark ${reason.condition}`);
      write(text, reason.text);
    },
  };
}

function figureTile(): { element: HTMLElement; update(figure: Figure): void } {
  const label = make("dt");
  const value = make("dd", { class: "value" });
  const note = make("dd", { class: "note" });
  const element = make("div", {}, label, value, note);
  return {
    element,
    update(figure) {
      write(label, figure.label);
      write(value, figure.value);
      write(note, figure.note);
      set(element, "data-bad", figure.bad === true ? "" : undefined);
    },
  };
}

function refusalRow(): { element: HTMLElement; update(refusal: Refusals): void } {
  const number = make("b");
  const text = make("span");
  const code = make("code");
  return {
    element: make("li", {}, number, " ", text, " ", code),
    update(refusal) {
      write(number, count(refusal.count));
      const word = codeWord(refusal.code);
      write(text, word === undefined ? `by ${refusal.policy}` : `by ${refusal.policy}: ${word}`);
      write(code, refusal.code);
    },
  };
}

function lintRow(): { element: HTMLElement; update(lint: ClientState["lints"][number]): void } {
  const text = make("span");
  const about = make("span", { class: "soft" });
  return {
    element: make("li", {}, text, " ", about),
    update(lint) {
      write(text, lint.message);
      write(
        about,
        lint.policies.length === 0
          ? ""
          : `(${plural(lint.policies.length, "policy", "policies")}: ${lint.policies.join(", ")})`,
      );
    },
  };
}
