import { useBrowser } from "@breakwater-internal/browser";
import { createPipeline } from "@breakwater/core";
import { expect, test } from "vitest";

import { serveAdmin } from "./page-help.ts";

const browser = useBrowser();

/** What a canvas writes can be read nowhere else. */
const LISTEN = `
  globalThis.written = [];
  const { fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
    written.push(text);
    fillText.call(this, text, ...rest);
  };
`;

test("the axis of a chart of calls counts in whole ones, also where there are none yet", async () => {
  const page = await browser.newPage();
  await page.addInitScript(LISTEN);
  await page.goto(await serveAdmin(createPipeline({ name: "search" })));
  await page.waitForFunction("written.length > 0");
  const written = await page.evaluate<string[]>("written");
  const ticks = written.filter((text) => !text.includes(":"));
  expect([...new Set(ticks)].toSorted()).toEqual(["0", "1"]);
  expect(ticks.filter((text) => text === "1")).toHaveLength(ticks.length / 2);
});
