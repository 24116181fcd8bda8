import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Script } from "node:vm";

import { expect, test } from "vitest";

import { assets } from "../src/admin/page.ts";

const FOLDER = join(import.meta.dirname, "../page");
const sources = readdirSync(FOLDER).filter((name) => name.endsWith(".ts"));

test("its script is whole, and so is the charts'", () => {
  for (const name of ["page.js", "uplot.js"] as const) expect(() => new Script(assets[name])).not.toThrow();
});

test("the charts' licence is told where they are", () => {
  expect(assets["uplot.js"]).toMatch(/^\/\*! uPlot 1\.6\.32[^]*The MIT License[^]*Leon Sorokin[^]*\*\//);
});

test("it loads nothing but its own files", () => {
  const named = [...assets["index.html"].matchAll(/(?:src|href)="([^"]*)"/g)].map(([, url]) => url);
  expect(named).toEqual(["data:,", "uplot.css", "page.css", "uplot.js", "page.js"]);
  expect(`${assets["page.css"]}${assets["uplot.css"]}`).not.toMatch(/url\(|@import/);
  expect(assets["index.html"]).not.toMatch(/ style=| on\w+=|<style|<script>/);
});

test("it is light: on a phone at night it is there at once", () => {
  const size = Object.values(assets).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  expect(size).toBeLessThan(110 * 1_024);
});

test.each(sources)("%s writes data as text only", (name) => {
  const text = readFileSync(join(FOLDER, name), "utf8");
  expect(text).not.toMatch(
    /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|parseFromString/,
  );
});

test("its modules are what they say, for a browser", () => {
  const project = join(FOLDER, "tsconfig.json");
  const { status, stdout } = spawnSync("tsc", ["-p", project], {
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  expect(stdout).toBe("");
  expect(status).toBe(0);
});
