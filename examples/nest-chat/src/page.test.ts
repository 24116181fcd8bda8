import { complaintsOf, type Page, useBrowser } from "@breakwater-internal/browser";
import type { SimulatorOptions } from "@breakwater/simulator";
import { describe, expect, test, vi } from "vitest";

import { nothing, oneAnswer, start, type Started } from "./app.test-help.ts";

const browser = useBrowser();

const question = "Why do ships float?";
const asked = {
  model: "deepseek-flash",
  messages: [{ role: "user" as const, content: question }],
  stream: true,
};

/** Half a minute of words. */
const long: SimulatorOptions = {
  timeScale: 1,
  capacity: { decodeSpeed: 0.1 },
  text: { contentMedian: 600, reasoningMedian: 1, sigma: 0 },
};

async function open(url: string, width = 1280): Promise<{ page: Page; complaints: string[] }> {
  const page = await browser.newPage({ viewport: { width, height: 800 } });
  const complaints = complaintsOf(page);
  await page.goto(url);
  return { page, complaints };
}

async function ask(page: Page, content = question): Promise<void> {
  await page.getByRole("textbox", { name: "Question" }).fill(content);
  await page.getByRole("button", { name: "Send" }).click();
}

const lengthOf = async (page: Page): Promise<number> => (await page.locator(".text").innerText()).length;

const untilFree = ({ open: held }: Started): Promise<void> =>
  vi.waitFor(() => expect(held()).toEqual(nothing), { timeout: 10_000 });

describe("an answer", () => {
  test("is seen to grow, word by word", async () => {
    const started = await start(long);
    const { page, complaints } = await open(started.url);
    await ask(page);
    await page.locator(".text").waitFor();
    const lengths = [await lengthOf(page)];
    while (lengths.length < 4) {
      const last = lengths.at(-1) ?? 0;
      await expect.poll(() => lengthOf(page), { timeout: 10_000 }).toBeGreaterThan(last);
      lengths.push(await lengthOf(page));
    }
    expect(started.open()).toMatchObject(oneAnswer);
    expect(complaints).toEqual([]);
  });

  test("is whole at its end, becomes part of the conversation, and gives the tab a name", async () => {
    const { url, simulator } = await start({
      text: { content: ({ messages }) => (messages[0]?.role === "system" ? "Ships and water" : undefined) },
    });
    const { page, complaints } = await open(url);
    await page.getByRole("button", { name: question }).click();
    await page.getByRole("button", { name: "Send" }).waitFor();
    const answer = await page.locator(".text").textContent();
    expect(simulator.verifyText(asked, answer ?? "")).toBe("complete");
    await expect.poll(() => page.title()).toBe("Ships and water");

    await ask(page, "And submarines?");
    await page.locator(".text").nth(1).waitFor();
    await page.getByRole("button", { name: "Send" }).waitFor();
    const messages = [
      ...asked.messages,
      { role: "assistant" as const, content: answer },
      { role: "user" as const, content: "And submarines?" },
    ];
    const second = await page.locator(".text").nth(1).textContent();
    expect(simulator.verifyText({ ...asked, messages }, second ?? "")).toBe("complete");
    expect(complaints).toEqual([]);
  });

  test("that waits in DeepSeek's queue is said to wait", async () => {
    const { url } = await start({ capacity: { slots: 0 } });
    const { page } = await open(url);
    await page.clock.install();
    await ask(page);
    await page.getByRole("status").filter({ hasText: "Asking DeepSeek" }).waitFor();
    await page.clock.runFor(7_000);
    expect(await page.getByRole("status").innerText()).toBe(
      "DeepSeek is busy. Your question is waiting: 7 s",
    );
  });

  test("that holds what looks like a page is shown and never run", async () => {
    const content = "<img src=x onerror=alert(1)>";
    const { url } = await start({ text: { content: () => content } });
    const { page, complaints } = await open(url);
    await ask(page, content);
    await page.getByRole("button", { name: "Send" }).waitFor();
    expect(await page.locator(".text").textContent()).toBe(content);
    expect(await page.locator("main img").count()).toBe(0);
    expect(complaints).toEqual([]);
  });
});

describe("trouble is said in words", () => {
  test("when DeepSeek is down, and the question can be asked again", async () => {
    const { url, simulator } = await start({ faults: [{ action: "503" }] });
    const { page } = await open(url);
    await ask(page);
    const trouble = page.getByRole("alert");
    await trouble.waitFor();
    expect(await trouble.locator("span").textContent()).toBe("DeepSeek is too busy to answer.");

    simulator.clearFaults();
    await trouble.getByRole("button", { name: "Ask again" }).click();
    await page.getByRole("button", { name: "Send" }).waitFor();
    expect(simulator.verifyText(asked, (await page.locator(".text").textContent()) ?? "")).toBe("complete");
  });

  test.each([
    ["refuse", "DeepSeek cannot be reached."],
    ["500", "DeepSeek has failed."],
    ["402", "This server cannot ask DeepSeek at the moment."],
  ])("when every call meets %s", async (action, words) => {
    const { url } = await start({ faults: [{ action }] });
    const { page } = await open(url);
    await ask(page);
    await page.getByRole("alert").waitFor();
    expect(await page.getByRole("alert").locator("span").textContent()).toBe(words);
  });

  test("when an answer breaks off: what came of it is not taken for all of it", async () => {
    const { url } = await start({
      faults: [{ action: "truncate_clean;tokens=20" }],
      text: { reasoningMedian: 1, sigma: 0 },
    });
    const { page } = await open(url);
    await ask(page);
    await page.getByRole("alert").filter({ hasText: "The answer broke off before its end." }).waitFor();
    expect(await page.locator(".broken .text").count()).toBe(1);
  });

  test("when too much is asked at once, with the time to come again", async () => {
    const started = await start({ capacity: { slots: 0 } });
    const pages = await Promise.all([1, 2, 3].map(() => open(started.url)));
    for (const { page } of pages) {
      await ask(page);
      await page.locator("article").waitFor();
    }
    const alert = pages[2]?.page.getByRole("alert");
    await alert?.waitFor();
    expect(await alert?.locator("span").textContent()).toBe(
      "Two answers at once are the most. Stop one, or wait for its end. Ask again in 1 s.",
    );
  });

  test("when the server is gone", async () => {
    const { url } = await start();
    const { page } = await open(url);
    await page.context().setOffline(true);
    await ask(page);
    await page.getByRole("alert").filter({ hasText: "The server cannot be reached." }).waitFor();
  });
});

describe("who leaves frees the permit", () => {
  test("with the button, and may ask on", async () => {
    const started = await start(long);
    const { page } = await open(started.url);
    await ask(page);
    await page.locator(".text").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.locator(".note", { hasText: "You stopped this answer." }).waitFor();
    await untilFree(started);
    expect(started.simulator.attempts()).toMatchObject([{ outcome: "client_closed" }]);

    await ask(page, "What makes the tides?");
    await page.locator(".text").nth(1).waitFor();
  });

  test("by closing the tab, in the middle of an answer", async () => {
    const started = await start(long);
    const { page } = await open(started.url);
    await ask(page);
    await page.locator(".text").waitFor();
    expect(started.open()).toMatchObject(oneAnswer);
    await page.close();
    await untilFree(started);
    const [attempt] = started.simulator.attempts();
    expect(attempt?.outcome).toBe("client_closed");
    expect(attempt?.tokensWritten).toBeLessThan(600);
  });

  test("by closing the tab, in the queue", async () => {
    const started = await start({ capacity: { slots: 0 } });
    const { page } = await open(started.url);
    await ask(page);
    await vi.waitFor(() => expect(started.open()).toMatchObject(oneAnswer));
    await page.close();
    await untilFree(started);
  });
});

test.each([390, 1280])("nothing hangs over the edge at %d pixels", async (width) => {
  const { url } = await start({ text: { content: () => `${"long".repeat(100)} words` } });
  const { page } = await open(url, width);
  await ask(page, "unbroken".repeat(40));
  await page.getByRole("button", { name: "Send" }).waitFor();
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
});
