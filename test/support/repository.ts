import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";

import { workspaces } from "../../scripts/workspaces.mjs";

export const root: string = dirname(dirname(import.meta.dirname));

const OUTSIDE = new Set(["node_modules", "dist", "coverage", ".git", ".turbo", ".cache", ".results"]);

/** Every file below a folder of the repository, as paths from its root with forward slashes. */
export function filesBelow(folder: string): string[] {
  const found: string[] = [];
  const visit = (path: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (OUTSIDE.has(entry.name)) continue;
      const full = join(path, entry.name);
      if (entry.isDirectory()) visit(full);
      else found.push(relative(root, full).split(sep).join("/"));
    }
  };
  visit(join(root, folder));
  return found.toSorted();
}

export const read = (path: string): string => readFileSync(join(root, path), "utf8");

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly type?: string;
  readonly license?: string;
  readonly sideEffects?: boolean;
  readonly files?: readonly string[];
  readonly engines?: { readonly node?: string };
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly publishConfig?: { readonly exports?: Readonly<Record<string, unknown>> };
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

export const manifestOf = (folder: string): Manifest =>
  JSON.parse(read(`${folder}/package.json`)) as Manifest;

/** The folders of the published packages. */
export const packages: readonly string[] = workspaces()
  .filter((folder) => folder.startsWith("packages/"))
  .toSorted();

/** The folders of everything else that pnpm knows. */
export const programs: readonly string[] = workspaces().filter((folder) => !packages.includes(folder));

/** Tests, and what only tests use. */
export const isTest = (path: string): boolean => /\.test[.-]|(^|\/)test\//.test(path);

/** Every page that a reader may find. What tools write for themselves is none. */
export const pages: readonly string[] = filesBelow(".").filter(
  (path) => path.endsWith(".md") && !path.startsWith(".changeset/") && !path.endsWith("CHANGELOG.md"),
);
