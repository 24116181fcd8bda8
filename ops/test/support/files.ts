import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { parseAllDocuments } from "yaml";

/** A folder of ops/, for programs that run in it. */
export const folderOf = (name: string): string => fileURLToPath(new URL(`../../${name}/`, import.meta.url));

/** A file of ops/, or `../docs/…`. */
export const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

export function readJson<T>(path: string): T {
  return JSON.parse(read(path)) as T;
}

/** All documents of a file, of which Kubernetes has several in one. A duplicate key or a bad indent is an error. */
export function readYaml(path: string): readonly unknown[] {
  return parseAllDocuments(read(path)).map((document) => {
    for (const error of document.errors) throw error;
    return document.toJS() as unknown;
  });
}
