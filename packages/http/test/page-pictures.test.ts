// Takes the pictures of the docs, when it is asked to: `BREAKWATER_TEST_PICTURES=write npx vitest run test/page-pictures.test.ts`
import { join } from "node:path";

import { useBrowser } from "@breakwater-internal/browser";
import {
  bulkhead,
  cache,
  createMemoryInstanceStore,
  createPipeline,
  rateLimit,
  timeout,
} from "@breakwater/core";
import { createDeepSeek } from "@breakwater/deepseek";
import { type Simulator, startSimulator } from "@breakwater/simulator";
import { createTestClock, seeded, type TestClock } from "@breakwater/testing";
import { describe, expect, onTestFinished, test } from "vitest";

import { look, serveAdmin } from "./page-help.ts";

const FOLDER = join(import.meta.dirname, "../../../docs/images");

const INSTANCES = ["web-1", "web-2", "web-3"];

/** A chat and a search in three processes behind policies, some minutes into an evening, in virtual time. */
async function evening(): Promise<Evening> {
  const simulator = await startSimulator({ seed: 4, clock: "manual", capacity: { slots: 12, queue: 200 } });
  onTestFinished(() => simulator.close());
  const clock = createTestClock({ seed: 4, wallStart: Date.UTC(2026, 10, 18, 20, 55) });
  const random = seeded(4);
  const store = createMemoryInstanceStore();
  const served = INSTANCES.map(async (instance) => {
    const chat = createDeepSeek({
      name: "chat",
      apiKey: simulator.key,
      runtime: clock,
      fetch: simulator.fetch,
    });
    const search = createPipeline(
      { name: "search", runtime: clock },
      timeout({ total: "20s" }),
      cache({ ttl: "10m", shared: true, key: (input: unknown) => String(input) }),
      rateLimit({ name: "per-minute", limits: { requests: { limit: 300, per: "1m" } } }),
      bulkhead({ name: "index", concurrency: 4, queue: 20 }),
    );
    const options = { runtime: clock, title: "Breakwater · shop", instances: store, instance };
    return { chat, search, url: await serveAdmin([chat.client, search], options) };
  });
  const processes = await Promise.all(served);
  const one = (): (typeof processes)[number] => processes[Math.floor(random() * processes.length)] as never;

  async function ask(): Promise<void> {
    const outcome = await one().chat.client.outcome({
      model: random() < 0.75 ? "deepseek-flash" : "deepseek-v4-pro",
      messages: [{ role: "user", content: `Question ${Math.floor(random() * 1e6)}` }],
      stream: true,
      metadata: { sim: `reasoning=0,content=${20 + Math.floor(150 * random())}` },
    });
    if (outcome.status !== "answered" || !(Symbol.asyncIterator in outcome.value)) return;
    try {
      for await (const chunk of outcome.value) expect(chunk.choices).toBeDefined();
    } catch {
      // What broke is seen on the page.
    }
  }

  async function find(): Promise<void> {
    const ms = 300 + 900 * random();
    const term = Math.floor(4_000 * random() ** 3);
    await one().search.outcome(
      () => new Promise<string>((resolve) => void clock.setTimer(ms, () => resolve("found"))),
      { input: term },
    );
  }

  return {
    simulator,
    clock,
    url: processes[0]?.url ?? "",
    async pass(seconds, perSecond) {
      for (const end = clock.now() + 1_000 * seconds; clock.now() < end;) {
        if (random() < perSecond / 20) void ask();
        if (random() < perSecond / 20) void find();
        await simulator.advance(50);
        await clock.advance(50);
      }
    },
  };
}

interface Evening {
  readonly simulator: Simulator;
  readonly clock: TestClock;
  readonly url: string;
  pass(seconds: number, perSecond: number): Promise<void>;
}

describe.runIf(process.env["BREAKWATER_TEST_PICTURES"] === "write")("pictures", () => {
  const browser = useBrowser();

  test("of calm", { timeout: 300_000 }, async () => {
    const { url, pass } = await evening();
    await pass(310, 6);
    const { page, complaints } = await look(browser, url, { width: 1120, height: 1100 });
    await page.screenshot({ path: join(FOLDER, "admin-calm.png") });
    expect(complaints).toEqual([]);
  });

  test("of an outage, on a desk and on a phone", { timeout: 300_000 }, async () => {
    const { url, pass, simulator } = await evening();
    await pass(260, 6);
    simulator.addFault({ match: { model: "deepseek-flash" }, action: "503" });
    await pass(48, 6);
    const { page, complaints } = await look(browser, url, { width: 1040, height: 830 });
    await page.locator(".head", { hasText: "Circuit" }).click();
    await page.getByLabel("Events about").selectOption("breakers");
    await page.getByLabel("Events that contain").fill("web-1");
    await page.screenshot({ path: join(FOLDER, "admin-outage.png") });
    const narrow = await look(browser, url, { width: 390, height: 1300, dark: true });
    await narrow.page.screenshot({ path: join(FOLDER, "admin-narrow.png") });
    expect([...complaints, ...narrow.complaints]).toEqual([]);
  });
});
