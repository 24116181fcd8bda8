import type { Reports } from "./fleet.ts";
import { createServer, type Where } from "./server.ts";

/** One of the processes: many users ask it at once, more than the account allows. */
const { asksPerSecond, ...where } = JSON.parse(process.argv[2] ?? "{}") as Where & {
  readonly asksPerSecond: number;
};
const { ask, store } = createServer(where);
const told: Reports = { answered: 0, refused: 0, failed: 0, decidedBy: "store" };

async function oneUser(n: number): Promise<void> {
  const outcome = await ask.outcome({
    model: "deepseek-flash",
    messages: [{ role: "user", content: `Question ${n} of process ${process.pid}` }],
  });
  if (outcome.status === "answered") told.answered++;
  else if (outcome.status === "refused") told.refused++;
  else told.failed++;
}

let asked = 0;
const users = setInterval(() => void oneUser(asked++), 1_000 / asksPerSecond);
const reports = setInterval(() => {
  const source = ask.snapshot().policies.find(({ kind }) => kind === "bulkhead")?.source;
  process.send?.({ ...told, decidedBy: source ?? "store" } satisfies Reports);
}, 200);

async function stop(): Promise<void> {
  clearInterval(users);
  await ask.drain({ withinMs: 2_000 });
  clearInterval(reports);
  await store.close();
  process.disconnect();
}
process.once("message", () => void stop());
process.once("disconnect", () => process.exit());
