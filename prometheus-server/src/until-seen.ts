import { setTimeout as pause } from "node:timers/promises";

/** How long between two looks: something over a network, of which more than ten a second help nobody. */
const EVERY_MS = 50;

/**
 * Looks again and again.
 *
 * @throws Error after `timeoutMs`, with what was seen last
 */
export async function untilSeen<T>(
  what: string,
  look: () => Promise<T>,
  holds: (seen: T) => boolean,
  timeoutMs: number,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (performance.now() > end)
      throw new Error(
        `It did not come to this in ${timeoutMs} ms: ${what}. Last seen: ${JSON.stringify(seen)}`,
      );
    await pause(EVERY_MS);
  }
}
