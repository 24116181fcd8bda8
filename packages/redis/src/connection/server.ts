import { LinkError } from "./link.ts";

/** What a server says of itself when it is met. */
export interface ServerCheck {
  /** It cannot be used: why, and what to do. */
  readonly unfit?: string;
  /** It can, but something about it is poor. */
  readonly hints: readonly string[];
}

type Ask = (name: string, ...args: string[]) => Promise<unknown>;

/** What a server does not let us know is taken to be in order: managed services forbid INFO and CONFIG. */
export async function checkServer(ask: Ask): Promise<ServerCheck> {
  const [info, config] = await Promise.all([
    ask("INFO", "server").catch(allowed),
    ask("CONFIG", "GET", "maxmemory-policy", "maxmemory").catch(allowed),
  ]);
  const version = /^redis_version:(\S+)/m.exec(typeof info === "string" ? info : "")?.[1];
  if (version !== undefined && Number.parseInt(version, 10) < 7) {
    return {
      unfit: `the server is Redis ${version}, and its scripts need 7.0 or later; use a newer server, or Valkey`,
      hints: [],
    };
  }
  return { hints: evictionHint(config) };
}

function evictionHint(config: unknown): string[] {
  const { "maxmemory-policy": policy, maxmemory } = pairs(config);
  if (typeof policy !== "string" || policy === "noeviction" || maxmemory === "0") return [];
  return [
    `the server evicts keys when its memory is full (maxmemory-policy ${policy}), and a limit that is evicted begins anew; ` +
      "set noeviction, or give the cache a server of its own",
  ];
}

/** CONFIG GET replies with a flat list, or with an object where a client maps RESP3 so. */
function pairs(reply: unknown): Record<string, unknown> {
  if (!Array.isArray(reply)) return typeof reply === "object" && reply !== null ? { ...reply } : {};
  const entries: [string, unknown][] = [];
  for (let i = 0; i + 1 < reply.length; i += 2) entries.push([String(reply[i]), reply[i + 1]]);
  return Object.fromEntries(entries);
}

/** A server that is starting or gone is not one that says little. */
function allowed(error: unknown): undefined {
  const said = error instanceof LinkError ? error.cause : error;
  if (said instanceof Error && /^(NOPERM|ERR)\b/.test(said.message)) return undefined;
  throw error;
}
