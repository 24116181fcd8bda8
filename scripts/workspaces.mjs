// The folders that pnpm knows, from its own list: whoever needs them all asks here, so that a new one is forgotten nowhere.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** As paths from the root with forward slashes: `packages/core`, `demo`. */
export function workspaces() {
  const file = readFileSync(join(root, "pnpm-workspace.yaml"), "utf8");
  // `  - packages/*` and `  - demo`, one below the other.
  const [, list = ""] = /^packages:\n((?: {2}- .+\n)+)/m.exec(file) ?? [];
  return list.match(/[^\s-].*$/gm).flatMap((folder) => {
    const [, parent] = /^(.+)\/\*$/.exec(folder) ?? [];
    return parent ? readdirSync(join(root, parent)).map((name) => `${parent}/${name}`) : [folder];
  });
}
