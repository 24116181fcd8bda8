import { drain, errors } from "@breakwater/express";

import { createApp } from "./app.ts";

/** DeepSeek with your key, or a local one that has a bad evening. */
async function upstream(): Promise<{ apiKey: string; baseURL: string }> {
  const apiKey = process.env["DEEPSEEK_API_KEY"];
  if (apiKey !== undefined && apiKey !== "") {
    return { apiKey, baseURL: process.env["DEEPSEEK_BASE_URL"] ?? "https://api.deepseek.com" };
  }
  const { startSimulator } = await import("@breakwater/simulator");
  const simulator = await startSimulator({
    faults: [{ match: { probability: 0.4 }, action: "503" }],
    text: { reasoningMedian: 40 },
  });
  console.log(
    "DEEPSEEK_API_KEY is not set: a simulated DeepSeek answers, which is too busy for four calls out of ten.",
  );
  return { apiKey: simulator.key, baseURL: simulator.url };
}

const port = Number(process.env["PORT"] ?? 3000);
const app = createApp(await upstream()).use(errors());
const server = app.listen(port, "127.0.0.1", () => {
  console.log(`chat at http://127.0.0.1:${port}`);
});
process.once("SIGINT", () => {
  drain(server, [], { withinMs: 10_000 }).then(
    () => process.exit(),
    () => process.exit(1),
  );
});
