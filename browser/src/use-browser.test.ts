import { describe, expect, test } from "vitest";

import { complaintsOf, type Page, useBrowser } from "./index.ts";

const browser = useBrowser();

const html = (body: string): string => `data:text/html,${encodeURIComponent(`<!doctype html>${body}`)}`;

describe("a page", () => {
  test("runs what it is given, and has a font to show it in", async () => {
    const page = await browser.newPage({ viewport: { width: 390, height: 300 } });
    await page.goto(html("<p style='display: inline'>iii</p><script>document.title = innerWidth</script>"));
    expect(await page.title()).toBe("390");
    expect((await page.locator("p").boundingBox())?.width).toBeGreaterThan(0);
  });

  test("shares nothing with another", async () => {
    const [one, other] = [await browser.newPage(), await browser.newPage()];
    expect(one.context()).not.toBe(other.context());
  });

  test("says what it complains about", async () => {
    const page = await browser.newPage();
    const complaints = complaintsOf(page);
    await page.goto(
      html("<script>console.log('fine'); console.error('first'); throw new Error('second')</script>"),
    );
    await expect.poll(() => complaints).toEqual([expect.stringMatching(/^first /), "second"]);
  });

  let left: Page;
  test("is closed", async () => {
    left = await browser.newPage();
    expect(left.isClosed()).toBe(false);
  });
  test("when its test is over", () => {
    expect(left.isClosed()).toBe(true);
  });
});
