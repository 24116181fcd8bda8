import type { Complaint } from "./columns/column.ts";

/** What a column's server writes to the browser: one JSON value a line, the last of which is not text. */
export type Line = { readonly text: string } | { readonly done: true } | { readonly error: Complaint };

/** Cuts what arrives into lines, wherever the network cut it. */
export function lineReader(): (part: string) => readonly Line[] {
  let rest = "";
  return (part) => {
    const lines = (rest + part).split("\n");
    rest = lines.pop() ?? "";
    return lines.map((line) => JSON.parse(line) as Line);
  };
}
