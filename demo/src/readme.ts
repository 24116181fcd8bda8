import { existsSync, readFileSync, writeFileSync } from "node:fs";

const START = "<!-- demo:start -->";
const END = "<!-- demo:end -->";

/** The text with what stands between the two marks replaced; undefined where they are not. */
export function replaceBetweenMarks(text: string, content: string): string | undefined {
  const start = text.indexOf(START);
  const end = text.indexOf(END, start);
  if (start < 0 || end < 0) return undefined;
  return `${text.slice(0, start + START.length)}\n\n${content}\n\n${text.slice(end)}`;
}

/** Puts the table into the files that have a place for it, and says what it did. */
export function updateReadmes(files: readonly string[], content: string): readonly string[] {
  return files.map((file) => {
    if (!existsSync(file)) return `${file}: not there`;
    const text = replaceBetweenMarks(readFileSync(file, "utf8"), content);
    if (text === undefined) return `${file}: has no ${START} … ${END}`;
    writeFileSync(file, text);
    return `${file}: updated`;
  });
}
