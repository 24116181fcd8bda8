import { fileURLToPath } from "node:url";

import { pino } from "pino";

import { startEvening } from "./evening.ts";

const file = fileURLToPath(new URL("../log.jsonl", import.meta.url));
const operators = { operator: "evening" };
const evening = await startEvening({
  scale: 0.2,
  operators,
  log: pino(pino.destination(file)),
  say: (line) => console.log(line),
  port: Number(process.env["PORT"] ?? 3000),
});

console.log(`
A chat server on a busy evening: five minutes of it take one. Look at it while it lasts:
  the page     ${evening.url}/breakwater/   (operator, evening)
  its figures  ${evening.url}/metrics${
    evening.prometheus === undefined
      ? ""
      : `
  Prometheus   ${evening.prometheus.url}/alerts`
  }
  its log      ${file}
`);

let stopping = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    if (stopping) process.exit(1);
    stopping = true;
    void evening.stop().then(() => process.exit());
  });
}

await evening.over.catch(() => undefined);
if (!stopping) console.log("\nNothing fires any more. The server goes on; Ctrl-C ends it.");
