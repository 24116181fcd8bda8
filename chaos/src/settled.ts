/** The same promise, which rejects if it takes longer. */
export function settled<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what} within ${ms} ms.`)), ms);
    promise.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}
