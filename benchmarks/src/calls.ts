import { ANSWER, type Subject } from "./subject.ts";

/** Makes `count` calls, one after another. */
export function makeCalls({ call, comes }: Subject, count: number): Promise<void> {
  return comes === "throw" ? makeRejected(call, count) : makeSettled(call, count);
}

async function makeSettled(call: Subject["call"], count: number): Promise<void> {
  for (let i = 0; i < count; i++) await call();
}

/** Who is answered with a throw must catch it: that is part of the price. */
async function makeRejected(call: Subject["call"], count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    try {
      await call();
    } catch {
      // Expected; see check().
    }
  }
}

/** Back to the event loop, as a server goes between requests: what waits for that (weak references) is let go. */
export const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const WARM_CALLS = 20_000;
const WARM_MS = 300;

/** Until it runs optimised. By calls rather than by time: on a busy machine time passes without any. */
export async function warmUp(subject: Subject): Promise<void> {
  const until = performance.now() + WARM_MS;
  for (let done = 0; done < WARM_CALLS && performance.now() < until; done += 100) {
    await makeCalls(subject, 100);
    await breathe();
  }
}

/** Fails unless a call comes to what its case says: a side that does nothing would win every benchmark. */
export async function check({ call, comes }: Subject): Promise<void> {
  let came: string;
  try {
    const result = await call();
    const refused = (result as { readonly status?: unknown } | undefined)?.status === "refused";
    came = result === ANSWER ? "answer" : refused ? "refusal" : `answer of another kind (${String(result)})`;
  } catch {
    came = "throw";
  }
  if (came !== comes) throw new Error(`The call came to ${came} instead of ${comes}.`);
}
