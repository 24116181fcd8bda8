import { expect, test } from "vitest";

import { chat, headersOf, post, until, withSimulator } from "../http.test-help.ts";
import type { Simulator } from "../index.ts";

/** The events that have come so far, read in the background until the stream ends. */
function listen(response: Response): { kind: string; id?: string; data: Record<string, unknown> }[] {
  const events: ReturnType<typeof listen> = [];
  let text = "";
  const read = async (): Promise<void> => {
    for await (const part of response.body ?? []) {
      text += Buffer.from(part as Uint8Array).toString();
      const parts = text.split("\n\n");
      text = parts.pop() ?? "";
      for (const block of parts) {
        const fields = Object.fromEntries(
          block
            .split("\n")
            .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
        );
        const { event = "", id, data = "null" } = fields;
        events.push({
          kind: event,
          ...(id === undefined ? {} : { id }),
          data: JSON.parse(data) as Record<string, unknown>,
        });
      }
    }
    events.push({ kind: "end", data: {} });
  };
  read().catch(() => events.push({ kind: "broken", data: {} }));
  return events;
}

const kinds = (events: ReturnType<typeof listen>): string => events.map((event) => event.kind).join(" ");

const follow = async (simulator: Simulator, query = ""): Promise<ReturnType<typeof listen>> =>
  listen(await simulator.fetch(`${simulator.url}/__sim/events${query}`));

test("attempts as they end, states in between, and an end with the simulator", async () => {
  await withSimulator({ clock: "manual" }, async (simulator) => {
    const events = await follow(simulator);
    await (await post(simulator, chat("a"), { "x-sim-fault": "503", "x-sim-id": "a" })).text();
    await until(() => events.length === 2);
    expect(events[0]).toMatchObject({ kind: "state", data: { nowMs: 0 } });
    expect(events[1]).toMatchObject({ kind: "attempt", id: "1", data: { seq: 1, scope: "a", status: 503 } });
    await simulator.advance(2500);
    expect(kinds(events)).toBe("state attempt state state");
    simulator.reset();
    await simulator.advance(1000);
    expect(kinds(events)).toBe("state attempt state state reset state");
    const late = await follow(simulator);
    await simulator.close();
    await until(() => late.at(-1)?.kind === "end" && events.at(-1)?.kind === "end");
  });
});

test("a reader who comes again gets what it missed; one who left costs nothing", async () => {
  await withSimulator({ clock: "manual" }, async (simulator) => {
    for (const name of ["a", "b", "c"]) await post(simulator, chat(name), { "x-sim-fault": "503" });
    const events = await follow(simulator, "?since=1");
    await until(() => events.length === 3);
    expect(events.map((event) => event.id)).toEqual([undefined, "2", "3"]);
    const leave = new AbortController();
    const other = await fetch(`${simulator.url}/__sim/events`, {
      headers: { "last-event-id": "2" },
      signal: leave.signal,
    });
    const seen = listen(other);
    await until(() => seen.length === 2);
    expect(seen.at(-1)?.id).toBe("3");
    leave.abort();
    await until(() => seen.at(-1)?.kind === "broken");
  });
});

test("a reader who does not read is let go; too many are refused", async () => {
  await withSimulator({ clock: "manual" }, async (simulator) => {
    const slow = await simulator.fetch(`${simulator.url}/__sim/events`);
    const body = JSON.stringify(chat("a"));
    for (let i = 0; i < 1000; i++)
      await simulator.fetch(`${simulator.url}/chat/completions`, {
        method: "POST",
        headers: headersOf(simulator, { "x-sim-fault": "503" }),
        body,
      });
    await expect(slow.text()).rejects.toThrow("terminated");
    const readers = Array.from({ length: 65 }, () => simulator.fetch(`${simulator.url}/__sim/events`));
    const statuses = (await Promise.all(readers)).map((reader) => reader.status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(64);
    expect(statuses.at(-1)).toBe(503);
  });
});
