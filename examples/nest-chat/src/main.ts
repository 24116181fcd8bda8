import { parseArgs } from "node:util";

import type { DeepSeek } from "@breakwater/deepseek";
import { getClientToken } from "@breakwater/nestjs";
import type { SimulatorOptions } from "@breakwater/simulator";
import { Logger } from "@nestjs/common";

import { createApp } from "./app.ts";
import { says } from "./says.ts";

const { values } = parseArgs({ options: { scenario: { type: "string" } } });

/** Without a key, a local DeepSeek that has a bad day; on its page you can make it worse. */
async function simulate(): Promise<void> {
  const { startSimulator } = await import("@breakwater/simulator");
  const trouble: SimulatorOptions =
    values.scenario === undefined
      ? { faults: [{ match: { probability: 0.4 }, action: "503" }] }
      : { scenario: values.scenario };
  const simulator = await startSimulator({
    ...trouble,
    capacity: { decodeSpeed: 0.075 }, // fifteen words a second: time enough to close a tab in the middle
    text: { content: says, reasoningMedian: 40 },
  });
  process.env["DEEPSEEK_API_KEY"] = simulator.key;
  process.env["DEEPSEEK_BASE_URL"] = simulator.url;
  console.log(
    `DEEPSEEK_API_KEY is not set: a simulated DeepSeek answers, ${
      values.scenario === undefined ? "too busy for four calls out of ten" : `which plays ${values.scenario}`
    }.\nMake it worse at ${simulator.url}/__sim`,
  );
}

if ((process.env["DEEPSEEK_API_KEY"] ?? "") === "") await simulate();
const app = await createApp();
app.enableShutdownHooks();
// Visitors are told that nobody can be asked; why is for whoever runs this.
app.get<DeepSeek>(getClientToken("deepseek")).on((event) => {
  if (event.type === "key-disable") Logger.error(`DeepSeek does not take the key that ends in ${event.key}.`);
  if (event.type === "account-close") Logger.error("The account at DeepSeek has no credit left.");
});
await app.listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1");
console.log(`chat at ${await app.getUrl()}`);
