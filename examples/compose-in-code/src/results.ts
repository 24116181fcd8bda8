import { open } from "node:fs/promises";

import type { Text } from "./texts.ts";
import { UsageError } from "./usage-error.ts";

/** A line of the output. */
export interface Result extends Text {
  readonly label: string;
}

/** A file of results, one JSON object a line, to which is only ever added. */
export interface Results {
  /**
   * Whether this text is in it.
   *
   * @throws UsageError if another text is there in its place
   */
  has(text: Text): boolean;
  /** Resolves when the line is on the disk. */
  write(result: Result): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the file, or makes it. A process that was killed in the middle of a line has left a piece of it: that is taken
 * away. A file that holds anything else is somebody's, and is not touched.
 *
 * @throws UsageError for a file that is not of this script, or of other texts.
 */
export async function openResults(path: string): Promise<Results> {
  const file = await open(path, "a+").catch((error: Error) => {
    throw new UsageError(`--out ${path}: it cannot be written (${error.message}).`);
  });
  const done = new Map<number, string>();
  try {
    const bytes = await file.readFile();
    const end = bytes.lastIndexOf("\n") + 1;
    for (const [index, line] of bytes.toString("utf8", 0, end).split("\n").slice(0, -1).entries()) {
      const result = parse(line);
      if (result === undefined) {
        throw new UsageError(
          `--out ${path}: line ${index + 1} is not a result of this script; name another file.`,
        );
      }
      done.set(result.n, result.text);
    }
    const tail = bytes.toString("utf8", end);
    const last = parse(tail);
    if (last !== undefined) {
      done.set(last.n, last.text); // all of it is there but for the line's end
      await file.appendFile("\n");
    } else if (tail.startsWith(BEGINNING) || BEGINNING.startsWith(tail)) await file.truncate(end);
    else throw new UsageError(`--out ${path}: it ends with something else than a result; name another file.`);
  } catch (error) {
    await file.close();
    throw error;
  }

  let lines = "";
  let written: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;

  /** What comes while the disk is busy goes with the next write: one wait for the disk, and whole lines only. */
  async function flush(): Promise<void> {
    const batch = lines;
    lines = "";
    next = undefined;
    await file.appendFile(batch);
    await file.datasync();
  }

  return {
    has({ n, text }) {
      const known = done.get(n);
      if (known === undefined || known === text) return known !== undefined;
      throw new UsageError(`--out ${path}: it holds another text as number ${n}; name another file.`);
    },
    write({ n, text, label }) {
      lines += `${JSON.stringify({ n, label, text })}\n`;
      return (next ??= written = written.then(flush));
    },
    close: () => file.close(),
  };
}

/** What every line begins with. */
const BEGINNING = '{"n":';

function parse(line: string): Result | undefined {
  try {
    const { label, n, text } = JSON.parse(line) as Partial<Result>;
    const whole = typeof n === "number" && typeof text === "string" && typeof label === "string";
    return whole ? { n, text, label } : undefined;
  } catch {
    return undefined;
  }
}
