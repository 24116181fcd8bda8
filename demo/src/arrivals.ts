/** The question of one user, decided before the evening begins and the same in every column. */
export interface Arrival {
  readonly id: string;
  /** Milliseconds of the evening. */
  readonly atMs: number;
  readonly prompt: string;
}

export interface ArrivalOptions {
  readonly seed: number;
  readonly users: number;
  readonly durationMs: number;
}

/**
 * Arrivals of an open loop: they come when they come, whether or not those before them have been answered. A closed
 * loop would ask a slow column fewer questions, and so hide how slow it is.
 *
 * A Poisson process with the rate of an evening, given the number of calls: independent moments, sorted.
 */
export function arrivalsOf({ seed, users, durationMs }: ArrivalOptions): readonly Arrival[] {
  const random = mulberry32(seed);
  const moments = Array.from({ length: users }, () => durationMs * momentOf(random()));
  return moments
    .toSorted((a, b) => a - b)
    .map((atMs, index) => ({ id: `call-${index + 1}`, atMs, prompt: promptOf(index + 1, random) }));
}

/** The part of the evening at which a share of the calls has come: twice as busy in its middle as at its ends. */
function momentOf(share: number): number {
  let low = 0;
  let high = 1;
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    // The integral of 1 - cos(2πx)/3: the rate goes from 2/3 up to 4/3 and back.
    const come = middle - Math.sin(2 * Math.PI * middle) / (6 * Math.PI);
    if (come < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

const TOPICS = [
  "a letter",
  "this error",
  "the minutes",
  "a recipe",
  "my essay",
  "the contract",
  "a test",
  "a poem",
];
const WISHES = ["Explain", "Shorten", "Translate", "Improve", "Summarise", "Check", "Continue", "Compare"];

/** No two are alike, since the answer follows from the question and must be told from everybody else's. */
function promptOf(number: number, random: () => number): string {
  const pick = (words: readonly string[]): string => words[Math.floor(random() * words.length)] as string;
  return `${pick(WISHES)} ${pick(TOPICS)}, please. (Question ${number})`;
}

/** A small and well-known generator: 32 bits of state, and the same numbers on every machine. */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
