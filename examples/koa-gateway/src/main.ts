import { drain } from "@breakwater/koa";

import { createGateway, type Team } from "./app.ts";

/** Yours come from wherever your secrets are. */
const teams: Readonly<Record<string, Team>> = {
  "search-key": { name: "search", limits: { requests: { limit: 600, per: "1m" } } },
  "chat-key": { name: "chat", limits: { requests: { limit: 3, per: "1m" } } },
};

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
const { app, deepseek } = createGateway({ ...(await upstream()), teams });
// Teams are told that nobody can be asked; why is for whoever runs this.
deepseek.on((event) => {
  if (event.type === "key-disable")
    console.error(`DeepSeek does not take the key that ends in ${event.key}.`);
  if (event.type === "account-close") console.error("The account at DeepSeek has no credit left.");
});
const server = app.listen(port, "127.0.0.1", () => {
  console.log(`an OpenAI API at http://127.0.0.1:${port}/v1, for ${Object.keys(teams).join(" and ")}`);
});
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    drain(server, [deepseek], { withinMs: 10_000 }).then(
      () => process.exit(),
      () => process.exit(1),
    );
  });
}
