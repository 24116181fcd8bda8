import { type Page, useBrowser } from "@breakwater-internal/browser";
import {
  bulkhead,
  circuitBreaker,
  createMemoryInstanceStore,
  createPipeline,
  rateLimit,
  retry,
} from "@breakwater/core";
import { expect, test } from "vitest";

import { card, look, serveAdmin, unfold } from "./page-help.ts";

const browser = useBrowser();

/** A page with every colour: open, shadow, full, refused, an error in a dialog. */
async function colourful(dark: boolean) {
  const search = createPipeline(
    { name: "search" },
    circuitBreaker({
      name: "index",
      window: { calls: 2 },
      minimumCalls: 2,
      openFor: "10m",
      maxOpenFor: "10m",
    }),
    retry({ name: "again", attempts: 2, baseDelay: 0 }),
  );
  const ocr = createPipeline(
    { name: "ocr" },
    rateLimit({ name: "pages", limits: { requests: { limit: 2, per: "1h" } } }),
    bulkhead({ name: "slots", mode: "shadow", concurrency: 5 }),
  );
  const calm = createPipeline({ name: "calm" }, circuitBreaker({ name: "quiet" }));
  for (let n = 0; n < 4; n++) {
    await search.outcome(() => Promise.reject(new Error("down")));
    await ocr.outcome(() => 1);
  }
  await calm.outcome(() => 1);
  await calm.change("quiet", { force: "closed" }, { by: "ada" });
  await calm.change("quiet", { force: "auto" }, { by: "ada" });
  const url = await serveAdmin([search, ocr, calm], { instances: createMemoryInstanceStore() });
  const { page } = await look(browser, url, { dark });
  for (const [client, policy] of [
    ["search", "index"],
    ["ocr", "pages"],
  ] as const)
    await unfold(page, client, policy);
  return page;
}

/** Runs in the page: all texts that are seen, those of the dialog alone where one is open. */
const TEXTS = `
  [...(document.querySelector("dialog[open]") ?? document.body).querySelectorAll("*")]
    .filter((element) => element.checkVisibility() && element.closest(".unseen, :disabled, script, noscript") === null)
    .filter(({ childNodes }) => [...childNodes].some(({ nodeType, data }) => nodeType === 3 && data.trim() !== ""))
    .map((element) => {
      const behind = [];
      for (let at = element; at !== null; at = at.parentElement) behind.push(getComputedStyle(at).backgroundColor);
      return { text: element.textContent.trim().slice(0, 40), color: getComputedStyle(element).color, behind };
    })`;

interface Text {
  readonly text: string;
  readonly color: string;
  readonly behind: readonly string[];
}

const channels = (color: string): readonly number[] => (color.match(/[\d.]+/g) ?? []).map(Number);

/** As WCAG defines it. */
function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = channels(color).map((channel) => {
    const part = channel / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast({ behind, color }: Text): number {
  const ground = behind.find((one) => (channels(one)[3] ?? 1) > 0) ?? "rgb(255, 255, 255)";
  const [one, other] = [luminance(color), luminance(ground)];
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}

/** Texts that do not stand out from what is behind them. */
async function weakTexts(page: Page, least = 4.5): Promise<readonly string[]> {
  const texts = await page.evaluate<readonly Text[]>(TEXTS);
  return texts
    .filter((text) => contrast(text) < least)
    .map((text) => `${text.text}: ${text.color}, ${contrast(text).toFixed(2)}`);
}

test.each([
  ["light", false],
  ["dark", true],
])("in %s colours every text stands out as WCAG AA asks", { timeout: 60_000 }, async (_, dark) => {
  const page = await colourful(dark);
  expect((await weakTexts(page, 22)).length).toBeGreaterThan(50);
  expect(await weakTexts(page)).toEqual([]);
  const row = card(page, "ocr").locator(".policy", { hasText: "pages" });
  await row.getByRole("button", { name: "Change numbers" }).click();
  expect(await weakTexts(page)).toEqual([]);
  await page.getByRole("button", { name: "Cancel" }).click();
  await row.getByRole("button", { name: "Switch off" }).click();
  expect(await weakTexts(page)).toEqual([]);
});

test("at twice the size nothing has to be scrolled sideways, and all of a dialog can be reached", async () => {
  const page = await colourful(false);
  await page.setViewportSize({ width: 600, height: 380 });
  expect(await page.locator("html").evaluate(({ scrollWidth }) => scrollWidth)).toBeLessThanOrEqual(600);
  await card(page, "ocr").getByRole("button", { name: "Change numbers" }).click();
  const go = page.locator("#go");
  await go.scrollIntoViewIfNeeded();
  const { y = -1, height = 0 } = (await go.boundingBox()) ?? {};
  expect(y).toBeGreaterThanOrEqual(0);
  expect(y + height).toBeLessThanOrEqual(380);
});

test("each button says to which policy it belongs, and gets the focus back from its dialog", async () => {
  const page = await colourful(false);
  const acts = card(page, "search").getByRole("group", { name: "The circuit breaker “index”" });
  const button = acts.getByRole("button", { name: "Hold open" });
  await button.focus();
  await page.keyboard.press("Enter");
  await page.locator("#cancel:focus").waitFor();
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "hidden" });
  expect(await button.evaluate((element) => element.matches(":focus"))).toBe(true);
});

test("what was done is told to who does not see it", async () => {
  const page = await colourful(false);
  // Read are changes of what was there before.
  const told = page.getByRole("status").filter({ visible: true });
  const before = await told.count();
  await card(page, "search").getByRole("button", { name: "Hold open" }).click();
  await page.locator("#go").click();
  await told.filter({ hasText: "Done: hold open, index of search." }).waitFor();
  expect(await told.count()).toBe(before);
});
