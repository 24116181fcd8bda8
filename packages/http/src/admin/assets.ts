import type { assets } from "./page.ts";

/** The files of the page, by the path that they are at. */
const FILES = new Map<string, readonly [name: keyof typeof assets, type: string]>([
  ["/", ["index.html", "text/html; charset=utf-8"]],
  ["/page.js", ["page.js", "text/javascript; charset=utf-8"]],
  ["/page.css", ["page.css", "text/css; charset=utf-8"]],
  ["/uplot.js", ["uplot.js", "text/javascript; charset=utf-8"]],
  ["/uplot.css", ["uplot.css", "text/css; charset=utf-8"]],
]);

/** Paths of the page and of what it loads. */
export const ASSETS: readonly string[] = [...FILES.keys()];

/** What is at one of them. Loaded by who first asks: most processes never show their page. */
export async function assetAt(
  path: string,
): Promise<{ readonly body: string; readonly type: string } | undefined> {
  const file = FILES.get(path);
  if (file === undefined) return undefined;
  const [name, type] = file;
  const { assets } = await import("./page.ts");
  return { body: assets[name], type };
}
