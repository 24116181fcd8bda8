import type { AddressInfo } from "node:net";

import { createDeepSeek, type DeepSeek } from "@breakwater/deepseek";
import { BreakwaterRegistry, getClientToken } from "@breakwater/nestjs";
import { type Simulator, type SimulatorOptions, startSimulator } from "@breakwater/simulator";
import type { INestApplication } from "@nestjs/common";
import { Test } from "@nestjs/testing";

import { AppModule } from "../src/app.module";

let app: INestApplication;
let simulator: Simulator;
let url: string;

async function start(options: SimulatorOptions): Promise<void> {
  simulator = await startSimulator(options);
  const deepseek: DeepSeek = createDeepSeek({ apiKey: simulator.key, fetch: simulator.fetch });
  const builder = Test.createTestingModule({ imports: [AppModule] });
  const module = await builder.overrideProvider(getClientToken("deepseek")).useValue(deepseek).compile();
  app = module.createNestApplication({ logger: ["error"] });
  await app.listen(0, "127.0.0.1");
  url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
}

afterEach(async () => {
  app.getHttpServer().closeAllConnections();
  await app.close();
  await simulator.close();
});

/** The answer that the events of a stream make. */
function textOf(events: string): string {
  return [...events.matchAll(/^data: (\{.*)$/gm)]
    .map(([, json]) => JSON.parse(json).choices[0]?.delta.content ?? "")
    .join("");
}

/** Lets time pass in the simulator, and everybody else do what there is to do, until something is so. */
async function until(what: string, isSo: () => boolean, ms: number): Promise<void> {
  for (let step = 0; !isSo(); step++) {
    if (step === 10_000) throw new Error(`never: ${what}`);
    await simulator.advance(ms);
    await new Promise(setImmediate);
  }
}

const asked = (content: string) => ({
  model: "deepseek-flash",
  messages: [{ role: "user" as const, content }],
});

it("answers with what DeepSeek says, though it is busy at first", async () => {
  await start({ timeScale: 0.01, faults: [{ action: ["503", "503"] }] });
  const response = await fetch(`${url}/answer?q=Hello`);
  expect(response.status).toBe(200);
  expect(simulator.verifyText(asked("Hello"), await response.text())).toBe("complete");
});

it("refuses what is over a route's limit, in Nest's own form", async () => {
  await start({});
  expect(await (await fetch(`${url}/export`)).text()).toBe("all of it");
  const refused = await fetch(`${url}/export`);
  expect([refused.status, Number(refused.headers.get("retry-after")) > 0]).toEqual([429, true]);
  expect(await refused.json()).toMatchObject({ statusCode: 429, code: "RATE_LIMITED" });
});

it("finishes a stream that runs before it is closed, and lets nothing new in", async () => {
  await start({ clock: "manual", text: { content: () => "Ships float. ".repeat(500) } });
  let events = "";
  const read = (async () => {
    const response = await fetch(`${url}/stream?q=Hello`);
    for await (const text of response.body!.pipeThrough(new TextDecoderStream())) events += text;
    return response.headers.get("content-type");
  })();
  // Two tokens at a time, so that what is on its way is never the whole answer.
  await until("a first word", () => /"content":"[^"]/.test(events), 40);
  expect(simulator.verifyText(asked("Hello"), textOf(events))).toBe("prefix");

  const registry = app.get(BreakwaterRegistry);
  const closing = app.close();
  await until("a closed door", () => registry.snapshot().some(({ draining }) => draining), 0);
  const late = await fetch(`${url}/answer?q=Late`);
  expect([late.status, await late.json()]).toMatchObject([503, { code: "DRAINING" }]);
  await until("an end", () => events.endsWith("data: [DONE]\n\n"), 60_000);
  expect(await read).toContain("text/event-stream");
  expect(simulator.verifyText(asked("Hello"), textOf(events))).toBe("complete");
  await closing;
});
