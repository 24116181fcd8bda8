import { setTimeout as pause } from "node:timers/promises";

/**
 * Asks again and again.
 *
 * @param timeoutMs in a test a little less than its limit, so that it says what never came
 * @throws Error after `timeoutMs`
 */
export async function until(
  holds: () => boolean | Promise<boolean>,
  timeoutMs: number = 25_000,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > end)
      throw new Error(`It did not come to this in ${timeoutMs} ms: ${holds.toString()}`);
    await pause(5);
  }
}
