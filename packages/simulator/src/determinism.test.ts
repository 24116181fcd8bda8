import { expect, test } from "vitest";

import { chat, headersOf, post, withSimulator } from "./http.test-help.ts";
import { faultNames, type FaultRule, type SimulatorOptions } from "./index.ts";
import { createRng } from "./rng.ts";

const users = ["anna", "ben", "cleo", "dora"];
const rules = [
  { match: { probability: 0.3 }, action: "503" },
  { match: { probability: 0.5, stream: true }, action: "truncate_clean;tokens=1..8" },
];

/** Every user asks five times; users overlap, each waits for its own answers. Returns the bodies by user and turn. */
async function evening(
  seed: number,
  order: readonly string[],
  via: "socket" | "fetch",
): Promise<Record<string, string>> {
  return withSimulator({ seed, faults: rules }, async (simulator) => {
    const bodies: Record<string, string> = {};
    await Promise.all(
      order.map(async (user) => {
        for (let turn = 0; turn < 5; turn++) {
          const request = chat(`${user} asks ${turn}`, "reasoning=4,content=6", {
            user_id: user,
            stream: turn % 2 === 0,
          });
          const response =
            via === "socket"
              ? await post(simulator, request)
              : await simulator.fetch(`${simulator.url}/chat/completions`, {
                  method: "POST",
                  headers: { authorization: `Bearer ${simulator.key}`, "content-type": "application/json" },
                  body: JSON.stringify(request),
                });
          bodies[`${user} ${turn}`] =
            `${response.status} ${response.headers.get("x-ds-trace-id")} ${await response.text()}`;
        }
      }),
    );
    return bodies;
  });
}

test("same seed, same requests per scope: the same bytes, in whatever order the users come and on whatever way", async () => {
  const first = await evening(7, users, "socket");
  expect(await evening(7, users.toReversed(), "socket")).toEqual(first);
  expect(await evening(7, users, "fetch")).toEqual(first);
  const statuses = Object.values(first).map((body) => body.slice(0, 3));
  expect(new Set(statuses)).toEqual(new Set(["200", "503"]));
  expect(await evening(8, users, "socket")).not.toEqual(first);
});

test("the same question a second time is another draw, and the same text", async () => {
  await withSimulator({}, async (simulator) => {
    const request = chat("Hello");
    const [first, second] = [await post(simulator, request), await post(simulator, request)];
    const bodies = [await first.json(), await second.json()] as { id: string; choices: unknown }[];
    expect(bodies[0]?.id).not.toBe(bodies[1]?.id);
    expect(bodies[0]?.choices).toEqual(bodies[1]?.choices);
  });
});

test("x-sim-id names the scope, before user_id, before the body", async () => {
  await withSimulator({}, async (simulator) => {
    await (await post(simulator, chat("a", undefined, { user_id: "anna" }), { "x-sim-id": "mine" })).text();
    await (await post(simulator, chat("a", undefined, { user_id: "anna" }))).text();
    await (await post(simulator, chat("a"))).text();
    const [first, second, third] = simulator.attempts();
    expect([first?.scope, second?.scope]).toEqual(["mine", "anna"]);
    expect(third?.bodySha256.startsWith(third.scope)).toBe(true);
    expect(simulator.attempts({ scope: "anna" })).toEqual([second]);
  });
});

test("a range is drawn by request, not by arrival", () => {
  const draw = (scope: string): number => createRng(7, scope, 0, "fault").below(400);
  expect(draw("anna")).toBe(draw("anna"));
});

// One shuts the door, the other ends the next request of whoever comes: both concern others by their nature.
const own = faultNames.filter((name) => name !== "refuse" && name !== "reset_idle_socket");

/** Every user asks once for each fault, all at once; what each of them sees. */
async function disaster(order: readonly string[]): Promise<Record<string, string>> {
  const faults: FaultRule[] = [
    { match: { perScope: true, probability: 0.9 }, action: own },
    { action: "truncate_clean;tokens=1..8" },
  ];
  const options: SimulatorOptions = { clock: "manual", seed: 7, faults, capacity: { slots: 1000 } };
  return withSimulator(options, async (simulator) => {
    const leaving: AbortController[] = [];
    const seen: Record<string, string> = {};
    async function ask(user: string, turn: number): Promise<void> {
      const leave = new AbortController();
      leaving.push(leave);
      const request = chat(`${user} asks ${turn}`, "reasoning=4,content=6", {
        user_id: user,
        stream: turn % 2 === 0,
      });
      try {
        const answer = await simulator.fetch(`${simulator.url}/chat/completions`, {
          method: "POST",
          headers: headersOf(simulator),
          body: JSON.stringify(request),
          signal: leave.signal,
        });
        seen[`${user} ${turn}`] = `${answer.status} ${await answer.text()}`;
      } catch (error) {
        seen[`${user} ${turn}`] = (error as Error).message;
      }
    }
    // Some more than there are faults, since the list goes on only where a rule strikes.
    const turns = Array.from({ length: own.length + 25 }, (_, turn) => turn);
    const asking = turns.flatMap((turn) => order.map((user) => ask(user, turn)));
    await simulator.advance(700_000);
    for (const leave of leaving) leave.abort(new Error("nothing more will come"));
    await Promise.all(asking);
    for (const user of users)
      seen[`${user} was struck by`] = simulator
        .attempts({ scope: user })
        .map((attempt) => attempt.fault ?? "none")
        .toSorted()
        .join(" ");
    return seen;
  });
}

test("all faults at once, and all of their draws: the same for each user, in whatever order they come", async () => {
  const first = await disaster(users);
  expect(await disaster(users.toReversed())).toEqual(first);
  const struck = users.map((user) => first[`${user} was struck by`]).join(" ");
  expect(own.filter((name) => !struck.includes(name))).toEqual([]);
});
