import {
  type BreakwaterEvent,
  createPipeline,
  type Listener,
  type Managed,
  type Watchable,
} from "@breakwater/core";
import { expect, test } from "vitest";

import { watchClients } from "./watch.ts";

/** Pipelines of one name, of which more may be made at any time. */
function several() {
  const made: Managed[] = [];
  const listeners = new Set<Listener>();
  const make = () => {
    const pipeline = createPipeline({ name: "alike" });
    pipeline.on((event) => {
      for (const tell of listeners) tell(event);
    });
    made.push(pipeline);
    return pipeline;
  };
  const watchable: Watchable = {
    managed: () => [...made],
    on(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  return { made, make, watchable, listeners };
}

function watching(given: readonly Watchable[]) {
  const told: BreakwaterEvent[] = [];
  const watch = watchClients(given, {
    all: (event) => told.push(event),
    begin: (client) => ({ client, ends: 0 }),
    note(kept, { type }) {
      if (type === "call-end") kept.ends++;
    },
  });
  return {
    ...watch,
    ends: () => watch.clients().map((kept) => kept.ends),
    types: () => told.map(({ type }) => type),
  };
}

test("tells clients of one name apart, also one that is made later, from its first call on", async () => {
  const { make, watchable } = several();
  const first = make();
  const { ends, types } = watching([watchable]);
  await first.execute(() => 1);
  const second = make();
  await second.execute(async () => 2);
  await second.execute(async () => 2);
  expect(ends()).toEqual([1, 2]);
  expect(types().filter((type) => type === "call-end")).toHaveLength(3);
  expect(types().filter((type) => type === "call-start")).toHaveLength(3);
});

test("tells each event once, however often a client is given", async () => {
  const pipeline = createPipeline();
  const both: Watchable = { managed: () => [pipeline], on: (listener) => pipeline.on(listener) };
  const { clients, ends, types } = watching([pipeline, both, both]);
  await pipeline.execute(() => 1);
  expect(clients()).toHaveLength(1);
  expect(ends()).toEqual([1]);
  expect(types()).toEqual(["call-start", "attempt-start", "attempt-end", "call-end"]);
});

test("forgets a client that is gone", () => {
  const { made, make, watchable } = several();
  const first = make();
  const second = make();
  const { clients } = watching([watchable]);
  made.shift();
  expect(clients().map(({ client }) => client)).toEqual([second]);
  expect(first).not.toBe(second);
});

test("leaves no listener behind, and listens to nothing that is made then", async () => {
  const { listeners, make, watchable } = several();
  const first = make();
  const { clients, stop, types } = watching([watchable]);
  stop();
  await first.execute(() => 1);
  await make().execute(() => 1);
  expect(types()).toEqual([]);
  expect(clients()).toEqual([]);
  expect(listeners.size).toBe(0);
});

test("looks for others only when one that it does not know yet begins a call", async () => {
  const { make, watchable } = several();
  let looks = 0;
  const counted: Watchable = { ...watchable, managed: () => (looks++, watchable.managed()) };
  const { ends } = watching([counted]);
  const later = make();
  await later.execute(() => 1);
  await later.execute(() => 1);
  const known = looks;
  for (let n = 0; n < 100; n++) await later.execute(() => 1);
  expect(looks).toBe(known);
  expect(ends()).toEqual([101]);
});
