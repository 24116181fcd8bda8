import { setTimeout as pause } from "node:timers/promises";

/** Asks again and again. @throws Error after `timeoutMs` */
export async function until(holds: () => boolean | Promise<boolean>, timeoutMs: number): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > end)
      throw new Error(`It did not come to this in ${timeoutMs} ms: ${holds.toString()}`);
    await pause(5);
  }
}
