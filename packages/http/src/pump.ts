import type { ServerResponse } from "node:http";

import { GONE, watchClient } from "./client-gone.ts";

/**
 * Writes items as they come, no faster than the client takes them. When the client leaves, the source is stopped at
 * once, also while it is silent: else a dead client would keep its permit until the upstream speaks again.
 *
 * @returns whether the source came to its end; false when the client left before. Throws what the source throws.
 */
export async function pump<T>(
  res: ServerResponse,
  source: AsyncIterator<T>,
  write: (item: T) => boolean,
): Promise<boolean> {
  const client = watchClient(res);
  let over = false;
  const read = async (): Promise<IteratorResult<T, unknown>> => {
    try {
      const result = await source.next();
      over = result.done === true;
      return result;
    } catch (error) {
      over = true;
      throw error;
    }
  };
  try {
    while (!client.gone) {
      const result = await client.orGone(read());
      if (result === GONE) break;
      if (result.done === true) return true;
      if (!write(result.value)) await client.drained();
    }
    return false;
  } finally {
    client.stop();
    // Stopping may take as long as it likes, and has nobody left to fail for.
    if (!over) source.return?.().then(undefined, () => undefined);
  }
}
