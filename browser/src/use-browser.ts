import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";

import { chromiumIsUnwanted, findChromium, NO_CHROMIUM } from "../../scripts/find-chromium.mjs";
import { startBrowser } from "./browser.ts";

/** What a test file may do with the browser of `useBrowser` once its tests run. */
export interface BrowserInTests {
  /** An empty page that shares nothing with the others. It is closed when its test ends, if that has not done it. */
  newPage(options?: BrowserContextOptions): Promise<Page>;
}

/** In a test, where a page should be quicker than its test is patient; then what never came is said. */
const LONGEST_STEP_MS = 20_000;

/** The first one on a machine is fetched; `npm test` has done that already. */
const LONGEST_FETCH_MS = 900_000;

/**
 * A Chromium for the tests of this file, or of the `describe` that it is called in: started before the first, closed after
 * the last. Where there is none, or with BREAKWATER_TEST_CHROMIUM=none, they are skipped and say why; one that is named
 * and does not start fails them.
 *
 * @example
 * const browser = useBrowser();
 * test("…", async () => {
 *   const page = await browser.newPage({ viewport: { width: 390, height: 844 } });
 *   await page.goto(url);
 * });
 */
export function useBrowser(): BrowserInTests {
  let running: Browser | undefined;
  let missing = chromiumIsUnwanted() ? "BREAKWATER_TEST_CHROMIUM=none" : undefined;
  const pages: Page[] = [];
  const say = (): void => console.warn(`The tests in a browser are skipped: ${missing}`);
  if (missing !== undefined) say();

  beforeAll(async () => {
    if (missing !== undefined) return;
    const found = findChromium();
    if (found !== undefined) {
      running = await startBrowser(found);
      return;
    }
    const named = process.env["BREAKWATER_TEST_CHROMIUM"];
    if (named !== undefined && named !== "") {
      throw new Error(`BREAKWATER_TEST_CHROMIUM is ${named}, which is no Chromium that starts.`);
    }
    missing = NO_CHROMIUM;
    say();
  }, LONGEST_FETCH_MS);
  beforeEach(({ skip }) => skip(missing !== undefined, missing));
  afterEach(() => Promise.all(pages.splice(0).map((page) => page.close())));
  afterAll(() => running?.close());

  return {
    async newPage(options) {
      if (running === undefined) throw new Error("useBrowser: the browser runs while tests do, not before.");
      const page = await running.newPage(options);
      page.setDefaultTimeout(LONGEST_STEP_MS);
      pages.push(page);
      return page;
    },
  };
}
