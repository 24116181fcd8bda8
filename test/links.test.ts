import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

import { expect, test } from "vitest";

import { pages, read, root } from "./support/repository.ts";

const withoutCode = (text: string): string =>
  text.replaceAll(/^\s*(`{3,})[\s\S]*?^\s*\1\s*$/gm, "").replaceAll(/`[^`\n]*`/g, "code");

/** The anchors that a host such as GitHub gives to the headings of a page. */
function anchorsOf(text: string): string[] {
  const seen = new Map<string, number>();
  const headings = text.replaceAll(/^\s*(`{3,})[\s\S]*?^\s*\1\s*$/gm, "").matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm);
  return [...headings].map(([, heading = ""]) => {
    const slug = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, "")
      .replaceAll(" ", "-");
    const before = seen.get(slug) ?? 0;
    seen.set(slug, before + 1);
    return before === 0 ? slug : `${slug}-${before}`;
  });
}

test.each(pages)("the links in %s lead somewhere", (page) => {
  const links = [
    ...withoutCode(read(page)).matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)|(?:href|src)="([^"]+)"/g),
  ].map(([, inline, html]) => inline ?? html ?? "");
  const dead = links.filter((link) => {
    if (/^[a-z][a-z+.-]*:/i.test(link)) return false;
    const [path = "", anchor] = link.split("#");
    const target = path === "" ? page : join(dirname(page), decodeURIComponent(path));
    if (!existsSync(join(root, target))) return true;
    return (
      anchor !== undefined &&
      target.endsWith(".md") &&
      !anchorsOf(read(target)).includes(decodeURIComponent(anchor))
    );
  });
  expect(dead).toEqual([]);
});
