import { open } from "node:fs/promises";

/** A text, and where it stands: the number is how a later run knows that it is done. */
export interface Text {
  readonly n: number;
  readonly text: string;
}

/** The lines of a file; empty ones are left out, and counted. */
export async function* readTexts(path: string): AsyncGenerator<Text> {
  const file = await open(path);
  let n = 0;
  try {
    for await (const line of file.readLines()) {
      n++;
      const text = line.trim();
      if (text !== "") yield { n, text };
    }
  } finally {
    await file.close(); // also when nobody reads to the end
  }
}

export async function count(texts: AsyncIterable<unknown>): Promise<number> {
  let found = 0;
  for await (const _ of texts) found++;
  return found;
}

const GREETINGS = ["Hello,", "Hi there,", "Good morning,", "Dear team,", "Once more:"];
const STORIES = [
  "the parcel of order # has not arrived",
  "the tracking of order # has not moved for a week",
  "the courier left order # at somebody else's door",
  "my card was charged twice for order #",
  "the invoice of order # names a price that I never agreed to",
  "my payment of order # was declined, and the money is gone",
  "I sent order # back, and wait for my money",
  "I want my money back for order #",
  "the lamp of order # flickers",
  "the kettle of order # came with a crack",
  "the manual of order # is for another machine",
  "I cannot sign in any more, my customer number is #",
  "please change the email address of customer #",
  "my password was reset, and it was not me (customer #)",
];
const ENDINGS = [
  "What can I do?",
  "Please look into it.",
  "This is the second time.",
  "Thanks!",
  "It is urgent.",
];

/** What customers of a shop might write: always the same texts for the same seed. */
export async function* makeTexts(howMany: number, seed = 1): AsyncGenerator<Text> {
  const next = numbers(seed);
  const oneOf = (list: readonly string[]): string => list[next(list.length)] as string;
  for (let n = 1; n <= howMany; n++) {
    const story = oneOf(STORIES).replace("#", String(10_000 + next(90_000)));
    yield { n, text: `${oneOf(GREETINGS)} ${story}. ${oneOf(ENDINGS)}` };
  }
}

/** Whole numbers below a bound: mulberry32. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}
