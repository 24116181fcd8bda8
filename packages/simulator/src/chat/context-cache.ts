import { checkFields, checkNumber } from "../checks.ts";

/**
 * How the host remembers the beginnings of prompts: each machine, account, user and model by itself. What a request
 * finds depends on who asked before it, so it is the one thing in an answer (its usage) that follows the order of
 * arrival, and only for prompts of 64 tokens and more.
 */
export interface ContextCacheOptions {
  /** How long a block that was read needs until it can be hit, in simulated milliseconds. @default 2000 */
  buildMs?: number;
  /** How long a block lives after its last use, in simulated milliseconds. @default 14400000, four hours */
  ttlMs?: number;
  /** Blocks of 64 tokens that are remembered; what was not used for longest is forgotten first. @default 100000 */
  blocks?: number;
}

/** Beginnings of prompts that were read before. */
export interface ContextCache {
  /** How many of these blocks, from the first on, are there now. Remembers all of them. */
  use(blocks: readonly number[], now: number): number;
}

/** How many tokens a block has. */
export const blockTokens = 64;

interface Block {
  readonly builtAt: number;
  readonly usedAt: number;
}

/**
 * Each block is known by a hash of everything up to its end, so a chain of blocks is a path in a tree of prompts, and
 * the first block that is not there ends the match.
 */
export function createContextCache(options: Required<ContextCacheOptions>): ContextCache {
  const known = new Map<number, Block>();

  function alive(hash: number, now: number): Block | undefined {
    const block = known.get(hash);
    return block !== undefined && now - block.usedAt <= options.ttlMs ? block : undefined;
  }

  return {
    use(blocks, now) {
      let hits = 0;
      for (const hash of blocks) {
        const block = alive(hash, now);
        if (block === undefined || block.builtAt > now) break;
        hits += 1;
      }
      // The first block last: a chain without its beginning is worth nothing, so the end is forgotten before it.
      for (const hash of blocks.toReversed()) {
        const builtAt = alive(hash, now)?.builtAt ?? now + options.buildMs;
        known.delete(hash);
        known.set(hash, { builtAt, usedAt: now });
      }
      while (known.size > options.blocks) known.delete(known.keys().next().value as number);
      return hits;
    },
  };
}

/** `false` remembers nothing. */
export function checkContextCache(value: unknown): Required<ContextCacheOptions> {
  if (value === false) return { buildMs: 0, ttlMs: 0, blocks: 0 };
  const given = checkFields("contextCache", value ?? {}, ["buildMs", "ttlMs", "blocks"]);
  const { buildMs = 2000, ttlMs = 14_400_000, blocks = 100_000 } = given;
  return {
    buildMs: checkNumber("contextCache.buildMs", buildMs, { min: 0, example: "2000" }),
    ttlMs: checkNumber("contextCache.ttlMs", ttlMs, { min: 0, example: "14400000" }),
    blocks: checkNumber("contextCache.blocks", blocks, {
      min: 0,
      max: 10_000_000,
      integer: true,
      example: "100000 (0 remembers nothing)",
    }),
  };
}
