import { type CardState, clientCard } from "./client-card.ts";
import { confirmation } from "./confirm.ts";
import { byId, list, make, set, show, write } from "./dom.ts";
import { eventsList, eventsOf } from "./events-list.ts";
import { startFeed } from "./feed.ts";
import { duration } from "./format.ts";
import { instancesList } from "./instances-list.ts";
import { type Condition, CONDITION_WORDS, judge, worst } from "./judge.ts";
import { mergeClients } from "./merge.ts";
import type { AdminState, InstanceState, RecentEvent } from "./state.ts";

/** Before the tab's title: seen among many tabs. */
const SHAPES: Readonly<Record<Condition, string>> = { calm: "●", degraded: "▲", refusing: "◆", open: "■" };

/** For so long it is said what has been done. */
const NOTICE_MS = 20_000;

/** Puts the page together. */
function start(): void {
  const main = byId("main", HTMLElement);
  const overall = byId("overall", HTMLElement);
  const connection = byId("connection", HTMLElement);
  const announcement = byId("announcement", HTMLElement);
  const done = byId("done", HTMLElement);
  const notice = byId("notice", HTMLElement);
  const away = byId("away", HTMLElement);
  const jump = byId("jump", HTMLElement);
  const empty = byId("empty", HTMLElement);
  let last: AdminState | undefined;
  let noticed: number | undefined;
  let before: ReadonlyMap<string, Condition> | undefined;

  const instances = instancesList(() => {
    if (last !== undefined) draw(last);
  });
  const events = eventsList();
  const { ask } = confirmation(
    () => ({
      by: last?.by,
      instances: last?.shared === true ? last.instances.map(({ instance }) => instance) : [],
    }),
    (text) => {
      write(notice, text);
      // What was hidden until now is read by some screen readers only.
      write(done, text);
      show(notice, true);
      window.clearTimeout(noticed);
      noticed = window.setTimeout(() => show(notice, false), NOTICE_MS);
      feed.refresh();
    },
  );
  const showCards = list<CardState>(
    byId("clients", HTMLElement),
    ({ client }) => client.name,
    () => clientCard(ask),
  );
  const showJumps = list<CardState>(jump, ({ client }) => client.name, jumpButton);

  function draw(state: AdminState): void {
    const chosen = state.instances.filter(
      ({ instance }) => instances.chosen === "" || instance === instances.chosen,
    );
    const cards = cardsOf(chosen, state.may === "change");
    const condition = worst(cards.map(({ judgement }) => judgement.condition));
    write(byId("title", HTMLElement), state.title);
    document.title = `${SHAPES[condition]} ${state.title}`;
    set(overall, "class", `state ${condition}`);
    write(overall, CONDITION_WORDS[condition]);
    const who = state.by === undefined ? "" : `${state.by}: `;
    write(byId("who", HTMLElement), `${who}may ${state.may === "change" ? "see and change" : "see"}`);
    showCards(cards);
    showJumps(cards);
    show(jump, cards.length > 1);
    show(empty, cards.length === 0);
    write(empty, "No client yet: it will be here with its first call.");
    events.update(eventsOf(chosen), chosen.length > 1);
    announce(cards);
    write(away, `Other instances cannot be seen: ${state.instancesError ?? ""}`);
    show(away, state.instancesError !== undefined);
    set(main, "aria-busy", undefined);
  }

  function cardsOf(chosen: readonly InstanceState[], may: boolean): readonly CardState[] {
    const at = Math.max(...chosen.map((instance) => instance.at));
    const told = eventsOf(chosen).map(({ event }) => event);
    return mergeClients(chosen).map((client) => {
      const own = told.filter((event) => isOf(event, client.name));
      return { client, events: own, judgement: judge(client, own), may, at };
    });
  }

  /** What has changed since the last time, and nothing at the first. */
  function announce(cards: readonly CardState[]): void {
    const now = new Map(cards.map(({ client, judgement }) => [client.name, judgement.condition]));
    if (before !== undefined) {
      const said = cards.flatMap(({ client: { name }, judgement: { condition, reasons } }) => {
        const was = before?.get(name);
        if (was === undefined || was === condition) return [];
        return [`${name} is ${CONDITION_WORDS[condition].toLowerCase()}. ${reasons[0]?.text ?? ""}`.trim()];
      });
      if (said.length > 0) write(announcement, said.join(" "));
    }
    before = now;
  }

  const feed = startFeed("state?scope=all", {
    onState(state) {
      last = state;
      const rows = state.instances.map((one) => ({
        state: one,
        condition: worst(cardsOf([one], false).map(({ judgement }) => judgement.condition)),
      }));
      instances.update(rows, state.shared);
      draw(state);
    },
    onAge({ silentMs, stale, problem }) {
      const bad = stale || problem !== undefined;
      const seen = silentMs === undefined ? "nothing seen yet" : `last seen ${duration(silentMs)} ago`;
      const fresh = silentMs === undefined ? "connecting" : "live";
      set(connection, "class", bad ? "connection bad" : "connection");
      write(connection, bad ? [seen, problem ?? "no answer yet"].join(" · ") : fresh);
      set(document.body, "data-stale", stale ? "" : undefined);
    },
  });
}

/** Events tell the name that a client gave itself: of several that are alike, each may have told it. */
const isOf = (event: RecentEvent, name: string): boolean =>
  event.client === name || (name.startsWith(`${event.client}#`) && /#\d+'*$/.test(name));

function jumpButton(): { element: HTMLElement; update(card: CardState): void } {
  let name = "";
  const mark = make("span", { class: "mark" });
  const text = make("span");
  const word = make("span", { class: "unseen" });
  const button = make("button", { type: "button" }, mark, text, " ", word);
  button.addEventListener("click", () => {
    const titles = [...document.querySelectorAll<HTMLElement>(".client > h2")];
    const title = titles.find((one) => one.querySelector(".client-name")?.textContent === name);
    title?.scrollIntoView();
    title?.focus({ preventScroll: true });
  });
  return {
    element: button,
    update({ client, judgement: { condition } }) {
      name = client.name;
      set(mark, "class", `mark ${condition}`);
      write(text, client.name);
      write(word, CONDITION_WORDS[condition].toLowerCase());
    },
  };
}

start();
