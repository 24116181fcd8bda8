import { show } from "./duration.ts";
import { ConfigError } from "./errors.ts";
import type { Listener } from "./events.ts";
import type { Managed } from "./host.ts";

/** What can be watched: a client, a pipeline, or what has several of them, such as `createDeepSeek()`. */
export interface Watchable {
  /** Subscribes to everything that happens. @returns a function that removes exactly this subscription. */
  on(listener: Listener): () => void;
  /** The clients and pipelines that it consists of at this moment; of a client or pipeline, itself. */
  managed(): readonly Managed[];
}

/** One or several. */
export type Watched = Watchable | readonly Watchable[];

/**
 * Reads what a program that watches clients was given: metrics, logs, an admin page.
 *
 * @param where what the error message begins with
 * @throws ConfigError for what cannot be watched.
 */
export function watchables(given: Watched, where: string): readonly Watchable[] {
  const all = Array.isArray(given) ? (given as readonly Watchable[]) : [given as Watchable];
  for (const one of all) {
    const { managed, on } = (one ?? {}) as Partial<Watchable>;
    if (typeof managed === "function" && typeof on === "function") continue;
    throw new ConfigError(
      `${where}: a client is expected, such as createClient() or createDeepSeek() makes it, or a list of them, got ${show(one)}.`,
    );
  }
  if (all.length === 0) throw new ConfigError(`${where}: the list of clients is empty; give one at least.`);
  return [...new Set(all)];
}
