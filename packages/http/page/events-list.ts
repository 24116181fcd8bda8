import { byId, list, make, set, show, write } from "./dom.ts";
import { clock } from "./format.ts";
import { sentenceOf, TOPICS } from "./sentences.ts";
import type { InstanceState, RecentEvent } from "./state.ts";

/** An event, and the instance that told it. */
export interface Told {
  readonly event: RecentEvent;
  readonly instance: string;
}

/** The events of some instances, the latest first. */
export function eventsOf(instances: readonly InstanceState[]): readonly Told[] {
  return instances
    .flatMap(({ instance, events }) => events.map((event): Told => ({ instance, event })))
    .toReversed()
    .toSorted((one, other) => other.event.time - one.event.time);
}

/** Rows that are shown. */
const ROWS = 60;

interface Row {
  readonly told: Told;
  readonly text: string;
  readonly tone: string;
  /** So many alike followed one another. */
  times: number;
}

/** The list of events and its filter. */
export function eventsList(): { update(all: readonly Told[], several: boolean): void } {
  const topic = byId("topic", HTMLSelectElement);
  const search = byId("search", HTMLInputElement);
  const none = byId("no-events", HTMLElement);
  const showRows = list<Row>(byId("events", HTMLElement), keyOf, eventRow);
  let last: readonly Told[] = [];
  let several = false;
  topic.append(make("option", { value: "" }, "All events"));
  for (const [value, word] of Object.entries(TOPICS)) topic.append(make("option", { value }, word));

  function draw(): void {
    const wanted = search.value.trim().toLowerCase();
    const rows: Row[] = [];
    for (const told of last) {
      const { event, instance } = told;
      const { topic: about, tone, text } = sentenceOf(event);
      if (topic.value !== "" && about !== topic.value) continue;
      const where = `${event.client} ${instance} ${event.type} ${text}`;
      if (wanted !== "" && !where.toLowerCase().includes(wanted)) continue;
      // Who looks for what opened when needs each of it in its place; a retry among thousands is one of them anywhere.
      const before = tone === "plain" ? rows.find((row) => alike(row, told, text)) : rows.at(-1);
      if (before !== undefined && alike(before, told, text)) before.times += event.count ?? 1;
      else if (rows.length === ROWS) break;
      else rows.push({ told, text, tone, times: event.count ?? 1 });
    }
    showRows(rows);
    show(none, rows.length === 0);
    write(none, last.length === 0 ? "None yet." : "None that fits.");
  }

  function eventRow(): { element: HTMLElement; update(row: Row): void } {
    const time = make("time");
    const where = make("span", { class: "soft" });
    const text = make("span", { class: "text" });
    const times = make("span", { class: "tag" });
    const element = make("li", {}, time, make("span", {}, text, " ", times, " ", where));
    return {
      element,
      update(row) {
        const { event, instance } = row.told;
        write(time, clock(event.time));
        set(element, "data-tone", row.tone);
        write(text, row.text);
        write(where, several ? `${event.client} on ${instance}` : event.client);
        write(times, `× ${row.times}`);
        show(times, row.times > 1);
      },
    };
  }

  topic.addEventListener("change", draw);
  search.addEventListener("input", draw);
  return {
    update(all, fromSeveral) {
      last = all;
      several = fromSeveral;
      draw();
    },
  };
}

/** Alike but for their figures: of a hundred the last is shown, and how many there were. Deeds are told one by one. */
const alike = (row: Row, { event, instance }: Told, text: string): boolean =>
  row.told.event.type === event.type &&
  event.type !== "policy-change" &&
  row.told.event.client === event.client &&
  row.told.instance === instance &&
  withoutFigures(row.text) === withoutFigures(text);

const withoutFigures = (text: string): string => text.replaceAll(/\d[\d.,]*( ?(ms|s|min|h))?\b/g, "#");

/** Stays the same while it happens again and again. */
const keyOf = ({ told: { event, instance }, text }: Row): string =>
  JSON.stringify([
    instance,
    event.client,
    event.type,
    withoutFigures(text),
    event.count === undefined ? event.time : "",
  ]);
