/** A shorter repetition is as likely the text going on: "very very". */
const SHORTEST = 8;

/** How far back an echo may begin, and so how much of a continuation is held back at most. */
export const LONGEST_OVERLAP = 1_024;

/**
 * How many characters at the beginning of a continuation only repeat the end of what was delivered, as hosts do that
 * echo their prefix. `undefined` while more of the continuation could change that.
 *
 * What repeats itself (a line of dashes, deep indentation) is left alone: there the text may well go on alike.
 */
export function overlapOf(delivered: string, continuation: string, whole: boolean): number | undefined {
  const end = delivered.slice(-LONGEST_OVERLAP);
  const at = end.indexOf(continuation);
  if (!whole && at >= 0 && at + continuation.length < end.length) return undefined;
  for (let length = Math.min(end.length, continuation.length); length >= SHORTEST; length--) {
    const repeated = continuation.slice(0, length);
    if (end.endsWith(repeated)) return repeatsItself(repeated) ? 0 : length;
  }
  return 0;
}

/** Whether a text is one part, twice or more. */
function repeatsItself(text: string): boolean {
  // The longest beginning that is also an end, for each length; what remains of the last is the part.
  const border = [0];
  for (let i = 1, k = 0; i < text.length; i++) {
    while (k > 0 && text[i] !== text[k]) k = border[k - 1] as number;
    if (text[i] === text[k]) k++;
    border[i] = k;
  }
  return text.length - (border.at(-1) as number) <= text.length / 2;
}
