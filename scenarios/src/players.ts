import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";

import type { Case } from "./case.ts";
import type { Order, Told } from "./player.ts";

/**
 * Plays the cases in as many threads as there are cores. Time in them is virtual, so that they share a core changes no
 * figure.
 *
 * @param onEnd told of each as it ends
 * @returns in the order of the cases
 */
export async function playAll(
  cases: readonly Case[],
  seed: number,
  onEnd: (scenario: string, told: Told, seconds: number) => void,
): Promise<readonly Told[]> {
  const told: Told[] = [];
  const waiting = [...cases.entries()];
  const threads = Math.min(availableParallelism(), cases.length);
  await Promise.all(
    Array.from({ length: threads }, async () => {
      const worker = new Worker(new URL("player.js", import.meta.url));
      try {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
          const [i, { scenario }] = next;
          const began = performance.now();
          const result = await ask(worker, { scenario, seed });
          told[i] = result;
          onEnd(scenario, result, (performance.now() - began) / 1_000);
        }
      } finally {
        await worker.terminate();
      }
    }),
  );
  return told;
}

function ask(worker: Worker, order: Order): Promise<Told> {
  return new Promise((resolve, reject) => {
    // Only these two: a worker has listeners of its own.
    const forget = (): void => {
      worker.off("message", onTold);
      worker.off("error", onError);
    };
    const onTold = (told: Told): void => {
      forget();
      resolve(told);
    };
    const onError = (error: Error): void => {
      forget();
      reject(error);
    };
    worker.on("message", onTold);
    worker.on("error", onError);
    worker.postMessage(order); // oxlint-disable-line unicorn/require-post-message-target-origin -- a thread, not a window
  });
}
