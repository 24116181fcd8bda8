import { useBrowser } from "@breakwater-internal/browser";
import {
  bulkhead,
  cache,
  circuitBreaker,
  createMemoryInstanceStore,
  createPipeline,
  type InstanceStore,
  type Pipeline,
  rateLimit,
  retry,
  timeout,
} from "@breakwater/core";
import { createDeepSeek, deepseekFetch, recommended } from "@breakwater/deepseek";
import { startSimulator } from "@breakwater/simulator";
import { createTestClock } from "@breakwater/testing";
import { describe, expect, onTestFinished, test } from "vitest";

import { card, look, serveAdmin, unfold } from "./page-help.ts";

const browser = useBrowser();

const broken = (): Promise<never> => Promise.reject(new Error("down"));

/** Opens after two failures, for as long as the test takes. */
const breaker = (name: string, key?: (input: unknown) => string) =>
  circuitBreaker({
    name,
    window: { calls: 2 },
    minimumCalls: 2,
    openFor: "10m",
    maxOpenFor: "10m",
    ...(key && { key }),
  });

function statusOf(client: Pick<Pipeline, "snapshot">, key = ""): string | undefined {
  const [policy] = client.snapshot().policies;
  return (policy?.state as Record<string, { readonly status: string }> | undefined)?.[key]?.status;
}

describe("DeepSeek behind it", () => {
  test("is calm, then open, and both are said in words", async () => {
    const simulator = await startSimulator({ seed: 1, timeScale: 0.01 });
    onTestFinished(() => simulator.close());
    const deepseek = createDeepSeek({
      name: "chat",
      apiKey: simulator.key,
      fetch: simulator.fetch,
      policies: recommended({
        retry: false,
        circuitBreaker: { window: { calls: 4 }, minimumCalls: 4, openFor: "10m", maxOpenFor: "10m" },
      }),
    });
    const ask = async (): Promise<unknown> =>
      deepseek.client.outcome({
        model: "deepseek-flash",
        messages: [{ role: "user", content: "hello" }],
        metadata: { sim: "content=8" },
      });
    const { page, complaints } = await look(browser, await serveAdmin(deepseek.client));
    await Promise.all([ask(), ask(), ask()]);
    const chat = card(page, "chat");
    await chat.locator("h2 .state", { hasText: "Calm" }).waitFor();
    await chat.locator(".figures div", { hasText: "Answered" }).getByText("100 %", { exact: true }).waitFor();
    expect(await chat.locator("[role=img]").first().getAttribute("aria-label")).toBe(
      "Calls of the last 5 min: 3 answered, 0 failed, 0 refused, 0 cancelled.",
    );
    expect(await chat.locator("canvas").count()).toBe(2);
    expect(await page.title()).toBe("● Breakwater");

    simulator.addFault({ action: "503" });
    for (let i = 0; i < 6; i++) await ask();
    await chat.locator("h2 .state", { hasText: "Open" }).waitFor();
    await chat
      .locator(".reasons", { hasText: "Circuit deepseek / deepseek-flash is open; tried again in" })
      .waitFor();
    await page.locator("#announcement", { hasText: "chat is open. Circuit deepseek" }).waitFor();
    await page
      .locator("#events", { hasText: "Circuit deepseek / deepseek-flash opened for 10 min." })
      .waitFor();
    await chat.locator(".refusals", { hasText: "by deepseek: circuit open" }).waitFor();
    expect(await page.title()).toBe("■ Breakwater");
    await chat.locator(".policy[data-trouble=bad]", { hasText: "Circuit breaker" }).waitFor();
    expect(complaints).toEqual([]);
  });
});

describe("what an operator does", () => {
  test("is done only when he has confirmed it, and told with his name", async () => {
    const search = createPipeline({ name: "search" }, breaker("index"));
    await search.outcome(() => "found");
    const { page, complaints } = await look(browser, await serveAdmin(search));
    const row = await unfold(page, "search", "index");
    const dialog = page.locator("dialog");
    const hold = row.getByRole("button", { name: "Hold open" });

    await hold.click();
    await dialog.getByText("The circuit breaker “index” of search will refuse every call").waitFor();
    await dialog.getByText("It will be told as done by ada.").waitFor();
    // A key that was pressed too often changes nothing.
    await page.keyboard.press("Enter");
    await dialog.waitFor({ state: "hidden" });
    expect(statusOf(search)).toBe("closed");
    expect(await hold.evaluate((element) => element.matches(":focus"))).toBe(true);
    await hold.click();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    expect(statusOf(search)).toBe("closed");

    await hold.click();
    await dialog.getByRole("button", { name: "Hold open" }).click();
    await dialog.waitFor({ state: "hidden" });
    expect(statusOf(search)).toBe("forced-open");
    await page.locator("#notice", { hasText: "Done: hold open, index of search. On web-1." }).waitFor();
    await card(page, "search")
      .locator(".reasons", { hasText: "Circuit index is open, held by hand." })
      .waitFor();
    await page.locator("#events", { hasText: "ada holds index open." }).waitFor();

    await row.getByRole("button", { name: "Make automatic" }).click();
    await dialog.getByRole("button", { name: "Make automatic" }).click();
    await card(page, "search").locator("h2 .state", { hasText: "Calm" }).waitFor();
    expect(statusOf(search)).toBe("closed");
    expect(complaints).toEqual([]);
  });

  test("may concern one circuit of many", async () => {
    const search = createPipeline(
      { name: "search" },
      breaker("index", (input) => String(input)),
    );
    for (const input of ["books", "films"]) await search.outcome(() => "found", { input });
    const { page } = await look(browser, await serveAdmin(search));
    const row = await unfold(page, "search", "index");
    await row.locator(".circuits", { hasText: "films" }).waitFor();
    await row.getByRole("button", { name: "Hold open" }).click();
    await page.getByLabel("Circuit", { exact: true }).fill("films");
    await page
      .locator("#confirm-effect", { hasText: "its circuit “films”, will refuse every call" })
      .waitFor();
    await page.locator("dialog").getByRole("button", { name: "Hold open" }).click();
    await row.locator(".circuits li", { hasText: "films" }).getByText("held open").waitFor();
    expect([statusOf(search, "books"), statusOf(search, "films")]).toEqual(["closed", "forced-open"]);
  });

  test("may concern the circuit of calls that name none", async () => {
    const client = createPipeline(
      { name: "models" },
      breaker("model", () => ""),
    );
    await client.outcome(() => 1);
    const { page } = await look(browser, await serveAdmin(client));
    const row = await unfold(page, "models", "model");
    await row.getByRole("button", { name: "Hold open" }).click();
    await page.locator("#go").click();
    await page.locator("#notice", { hasText: "Done: hold open" }).waitFor();
    expect(statusOf(client)).toBe("forced-open");
  });

  test("puts a policy in shadow, where it refuses nothing", async () => {
    const search = createPipeline({ name: "search" }, bulkhead({ name: "slots", concurrency: 1 }));
    const { page } = await look(browser, await serveAdmin(search));
    const row = await unfold(page, "search", "slots");
    await row.getByRole("button", { name: "Shadow" }).click();
    await page.locator("#confirm-effect", { hasText: "says what it would have refused" }).waitFor();
    await page.locator("dialog").getByRole("button", { name: "Shadow" }).click();
    await row.locator(".tag", { hasText: "shadow" }).waitFor();
    expect(search.describe().policies[0]?.options["mode"]).toBe("shadow");
    expect(await row.getByRole("button", { name: "Shadow", exact: true }).isDisabled()).toBe(true);
  });

  test("are numbers: what is wrong with them is said, and nothing has changed until it is right", async () => {
    const search = createPipeline({ name: "search" }, bulkhead({ name: "slots", concurrency: 4, queue: 2 }));
    const { page, complaints } = await look(browser, await serveAdmin(search));
    const row = await unfold(page, "search", "slots");
    await row.locator(".head", { hasText: "0 of 4" }).waitFor();
    await row.getByRole("button", { name: "Change numbers" }).click();
    const dialog = page.locator("dialog");
    const numbers = dialog.getByLabel("New numbers");
    const go = dialog.getByRole("button", { name: "Change numbers" });
    await dialog.getByText("Nothing is different from what it is now.").waitFor();
    expect(await go.isDisabled()).toBe(true);
    expect(JSON.parse(await numbers.inputValue())).toMatchObject({ concurrency: 4, queue: 2 });
    await numbers.fill('{ "concurrency": ');
    await dialog.getByText("This is no JSON").waitFor();
    expect(await go.isDisabled()).toBe(true);

    await numbers.fill('{ "concurrency": -1 }');
    await dialog.getByText("will change concurrency from 4 to -1.").waitFor();
    await go.click();
    await dialog.getByRole("alert").getByText("concurrency must be").waitFor();
    expect(search.describe().policies[0]?.options["concurrency"]).toBe(4);

    await numbers.fill('{ "concurrency": 9, "queue": 2 }');
    await go.click();
    await row.locator(".head", { hasText: "0 of 9" }).waitFor();
    expect(search.describe().policies[0]?.options["concurrency"]).toBe(9);
    await page.locator("#events", { hasText: "ada changed slots: concurrency 9." }).waitFor();
    // The browser's console tells of the 400 that was wanted.
    expect(complaints.filter((text) => !text.includes("400"))).toEqual([]);
  });

  test("is told although he has closed the dialog meanwhile", async () => {
    const search = createPipeline({ name: "search" }, breaker("index"));
    const { page } = await look(browser, await serveAdmin(search));
    let go = (): void => {};
    await page.route(/change/, (route) => new Promise<void>((done) => (go = () => done(route.continue()))));
    const row = await unfold(page, "search", "index");
    await row.getByRole("button", { name: "Hold open" }).click();
    const asked = page.waitForRequest(/change/);
    await page.locator("dialog").getByRole("button", { name: "Hold open" }).click();
    await asked;
    expect(await page.locator("#go").isDisabled()).toBe(true);
    await page.getByRole("button", { name: "Cancel" }).click();
    go();
    await page.locator("#notice", { hasText: "Done all the same: hold open, index of search." }).waitFor();
    expect(statusOf(search)).toBe("forced-open");
  });

  test("is not offered to who may only look", async () => {
    const search = createPipeline({ name: "search" }, breaker("index"));
    await search.outcome(() => "found");
    const url = await serveAdmin(search, { authorize: () => ({ by: "visitor", may: "see" }) });
    const { page } = await look(browser, url);
    const row = await unfold(page, "search", "index");
    await row.locator(".circuits li").first().waitFor();
    await page.getByText("visitor: may see", { exact: true }).waitFor();
    expect(await row.locator(".acts button").count()).toBe(0);
    expect(await row.locator("pre").textContent()).toContain('"failureRate": 0.5');
  });
});

describe("several instances", () => {
  test("are added up, looked at one by one, and changed together", async () => {
    const clock = createTestClock();
    const instances = createMemoryInstanceStore();
    const [one, other] = ["web-1", "web-2"].map((instance) => ({
      instance,
      client: createPipeline({ name: "search", runtime: clock }, breaker("index")),
    })) as [Placed, Placed];
    const urls = await Promise.all(
      [one, other].map(({ client, instance }) => serveAdmin(client, { instances, instance, runtime: clock })),
    );
    for (let i = 0; i < 3; i++) await one.client.outcome(() => "found");
    for (let i = 0; i < 2; i++) await other.client.outcome(broken);
    await clock.advance(5_000);
    const { page, complaints } = await look(browser, urls[0] ?? "");
    const search = card(page, "search");
    const calls = search.locator(".figures div", { hasText: "Calls ended" }).locator(".value");
    await calls.getByText("5", { exact: true }).waitFor();
    await search.locator(".reasons", { hasText: "Circuit index is open on 1 of 2 instances" }).waitFor();
    await page.getByRole("button", { name: "web-2 open" }).click();
    await calls.getByText("2", { exact: true }).waitFor();
    await page.locator("#instance").selectOption("web-1");
    await calls.getByText("3", { exact: true }).waitFor();
    await search.locator("h2 .state", { hasText: "Calm" }).waitFor();
    await page.locator("#instance").selectOption("");

    const row = await unfold(page, "search", "index");
    const dialog = page.locator("dialog");
    await row.getByRole("button", { name: "Hold closed" }).click();
    await dialog.getByText("It happens on both instances within some seconds.").waitFor();
    await dialog.getByRole("button", { name: "Hold closed" }).click();
    await page.locator("#notice", { hasText: "Told to both instances." }).waitFor();
    await clock.advance(5_000);
    expect([one, other].map(({ client }) => statusOf(client))).toEqual(["forced-closed", "forced-closed"]);

    await row.getByRole("button", { name: "Make automatic" }).click();
    await dialog.getByLabel("only the instance that answers").check();
    await dialog.getByText("It happens on one instance only").waitFor();
    await dialog.getByRole("button", { name: "Make automatic" }).click();
    await page.locator("#notice", { hasText: "On web-1." }).waitFor();
    await clock.advance(5_000);
    expect([one, other].map(({ client }) => statusOf(client))).toEqual(["closed", "forced-closed"]);
    expect(complaints).toEqual([]);
  });

  test("cannot be seen while their store is away: it is said, and this one is shown", async () => {
    const instances: InstanceStore = {
      ...createMemoryInstanceStore(),
      all: () => Promise.reject(new Error("connection refused")),
    };
    const search = createPipeline({ name: "search" }, breaker("index"));
    const { page } = await look(browser, await serveAdmin(search, { instances }));
    await page.locator("#away", { hasText: "Other instances cannot be seen: " }).waitFor();
    await card(page, "search").locator("h2 .state", { hasText: "Calm" }).waitFor();
    expect(await page.locator("#instance-list li").count()).toBe(1);
  });

  interface Placed {
    readonly instance: string;
    readonly client: Pipeline;
  }
});

describe("what is wrong with the way to the server", () => {
  test("is said, with how old the figures are, and is over when it is over", async () => {
    const search = createPipeline({ name: "search" }, breaker("index"));
    const { page } = await look(browser, await serveAdmin(search));
    const connection = page.locator("#connection");
    await connection.getByText("live", { exact: true }).waitFor();
    await page.route(/state/, (route) => route.abort());
    await connection.getByText(/last seen .* ago · no answer/).waitFor();
    await page.locator("body[data-stale]").waitFor();
    await page.unroute(/state/);
    await connection.getByText("live", { exact: true }).waitFor();
    await page.locator("body:not([data-stale])").waitFor();

    await page.route(/state/, (route) => route.fulfill({ status: 401, body: "{}" }));
    await connection.getByText("you are not let in any more").waitFor();
    await page.unroute(/state/);
    await connection.getByText("live", { exact: true }).waitFor();
  });

  test("may be that nothing comes: figures are called old meanwhile", async () => {
    const search = createPipeline({ name: "search" }, breaker("index"));
    const { page } = await look(browser, await serveAdmin(search));
    const held: (() => void)[] = [];
    await page.route(/state/, (route) => void held.push(() => void route.continue().catch(() => {})));
    await page.locator("body[data-stale]").waitFor();
    await page.locator("#connection", { hasText: "last seen" }).waitFor();
    await page.unroute(/state/);
    for (const go of held) go();
    await page.locator("#connection", { hasText: "live" }).waitFor();
  });
});

describe("an answer that is none", () => {
  test("is not taken for calm", async () => {
    const search = createPipeline({ name: "search" }, breaker("index"));
    const { page } = await look(browser, await serveAdmin(search));
    await page.route(/state/, (route) => route.fulfill({ json: { instances: [{}] } }));
    await page.locator("#connection", { hasText: "what came cannot be shown" }).waitFor();
    await page.locator("body[data-stale]").waitFor();
  });
});

describe("whatever there is to show", () => {
  const evil = '<img src=x onerror="window.hacked=1">';

  test("is text: names, keys and options are nobody's markup", async () => {
    const client = createPipeline(
      { name: evil },
      breaker(`b ${evil}`, () => `k ${evil}`),
      rateLimit({ name: `r ${evil}`, key: () => `t ${evil}`, limits: { requests: { limit: 1, per: "1m" } } }),
    );
    await client.outcome(broken);
    await client.outcome(() => "found");
    const url = await serveAdmin(client, {
      title: evil,
      instance: evil,
      instances: createMemoryInstanceStore(),
      authorize: () => ({ by: evil, may: "change" }),
    });
    const { page, complaints } = await look(browser, url);
    await client.change(`b ${evil}`, { force: "open", key: evil }, { by: evil });
    const row = await unfold(page, "img", "b <img");
    await row.locator(".circuits li", { hasText: evil }).first().waitFor();
    await page.locator("#events", { hasText: evil }).waitFor();
    await row.getByRole("button", { name: "Hold open" }).click();
    await page.locator("#confirm-whom", { hasText: evil }).waitFor();
    expect(await page.locator("img").count()).toBe(0);
    expect(await page.evaluate("window.hacked")).toBeUndefined();
    expect(await page.locator("#title").textContent()).toBe(evil);
    expect(complaints).toEqual([]);
  });

  test("fits a phone, long names among it", async () => {
    const long = "a-name-that-nobody-should-give-".repeat(4);
    const client = createPipeline(
      { name: long },
      timeout({ total: "10s" }),
      cache({ name: long, ttl: "1m", shared: true, key: () => "k" }),
      breaker(`breaker-${long}`, () => long),
      rateLimit({ name: "per-minute", key: () => long, limits: { requests: { limit: 5, per: "1m" } } }),
      bulkhead({ name: `slots-${long}`, concurrency: 2, queue: 2 }),
    );
    for (let i = 0; i < 8; i++) await client.outcome(broken);
    const { page, complaints } = await look(browser, await serveAdmin(client), { width: 360, height: 740 });
    const row = await unfold(page, long, `breaker-${long}`);
    const width = (): Promise<number> => page.locator("html").evaluate(({ scrollWidth }) => scrollWidth);
    expect(await width()).toBeLessThanOrEqual(360);
    await row.getByRole("button", { name: "Change numbers" }).click();
    expect((await page.locator("dialog").boundingBox())?.width).toBeLessThanOrEqual(360);
    expect(await width()).toBeLessThanOrEqual(360);
    expect(complaints).toEqual([]);
  });

  test("may be two hundred policies: some are shown, and those in trouble, and all to who asks", async () => {
    const breakers = Array.from({ length: 200 }, (_, at) => breaker(`policy-${at + 1}`));
    const client = createPipeline({ name: "many" }, ...breakers);
    await client.change("policy-150", { force: "open" });
    const { page, complaints } = await look(browser, await serveAdmin(client));
    const rows = card(page, "many").locator(".policy");
    await rows.locator(".name", { hasText: "policy-150" }).waitFor();
    expect(await rows.count()).toBe(17);
    await page.getByRole("button", { name: "Show all 200 policies" }).click();
    await expect.poll(() => rows.count()).toBe(200);
    await page.getByRole("button", { name: "Show fewer policies" }).click();
    await expect.poll(() => rows.count()).toBe(17);
    expect(complaints).toEqual([]);
  });

  test("may be nothing yet", async () => {
    const { page, complaints } = await look(browser, await serveAdmin(deepseekFetch()));
    await page.getByText("No client yet: it will be here with its first call.").waitFor();
    expect(complaints).toEqual([]);
  });

  test("are events, of which a topic or a word can be chosen", async () => {
    const client = createPipeline({ name: "search" }, retry({ attempts: 2, baseDelay: 0 }), breaker("index"));
    const { page } = await look(browser, await serveAdmin(client));
    await client.outcome(broken);
    const events = page.locator("#events");
    await events.getByText("Circuit index opened for 10 min.").waitFor();
    await events.getByText("retry gave up after attempt 2").waitFor();
    await page.getByLabel("Events about").selectOption("breakers");
    await events.getByText("retry gave up").waitFor({ state: "detached" });
    await events.getByText("Circuit index opened").waitFor();
    await page.getByLabel("Events that contain").fill("nothing like it");
    await page.getByText("None that fits.").waitFor();
  });

  test("can be reached by the keyboard, and everything that can be pressed has a name", async () => {
    const client = createPipeline({ name: "search" }, breaker("index"));
    const { page } = await look(browser, await serveAdmin(client), { dark: true });
    const head = card(page, "search").locator(".head").first();
    await head.focus();
    await page.keyboard.press("Enter");
    expect(await head.getAttribute("aria-expanded")).toBe("true");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.locator("dialog[open]").waitFor();
    expect(await page.locator("dialog").getAttribute("aria-labelledby")).toBe("confirm-title");
    const nameless = await page
      .locator("button, input, select, textarea")
      .evaluateAll((elements) =>
        elements
          .filter((element) => element.textContent === "" && !("labels" in element && element.labels?.length))
          .map(({ outerHTML }) => outerHTML),
      );
    expect(nameless).toEqual([]);
  });
});
