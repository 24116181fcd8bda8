/**
 * How many turns of the microtask queue pass until a call's promise is settled; 0 for what is no promise. A count, not
 * a time: the same on every machine.
 */
export async function ticksOf(call: () => unknown): Promise<number> {
  const result = call();
  if (!(result instanceof Promise)) return 0;
  let settled = false;
  const settle = (): void => void (settled = true);
  result.then(settle, settle);
  let ticks = 0;
  while (!settled) {
    await TURN;
    ticks++;
  }
  return ticks;
}

const TURN = Promise.resolve();
