import { type Link, LinkError } from "../connection/link.ts";
import { type Script, script } from "../connection/scripts.ts";
import { SERVER_CLOCK } from "./frame.ts";
import type { Operation, Outbox } from "./outbox.ts";
import type { OperationLua } from "./part.ts";

export interface OutboxOptions {
  readonly link: Link;
  /** Asked when the first batch is sent: by then all parts are there. */
  readonly operations: () => Readonly<Record<string, OperationLua>>;
  readonly learnUntil: () => number;
}

export interface OwnedOutbox extends Outbox {
  /** Tries to tell what is left, and gives up the rest. */
  close(): Promise<void>;
}

/** Operations in one batch: a script is short, since everybody else waits for it. */
const MOST = 128;
/** Operations kept while Redis is away. Those that are dropped are mended by what the store repeats anyway. */
const KEPT = 10_000;
/** How often one is tried: what a server refuses again and again is not worth more. */
const TRIES = 5;

interface Letter extends Operation {
  tries: number;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** The Lua of all operations: what is told to Redis is dispatched there by name, so that one script tells it all. */
export function batchScript(
  operations: Readonly<Record<string, OperationLua>>,
  clock: string = SERVER_CLOCK,
): Script {
  const branches = Object.entries(operations).map(
    ([name, { keys, args, lua }], n) =>
      `${n === 0 ? "if" : "elseif"} op == '${name}' then\n${lua}\nk = k + ${keys} i = i + ${args + 1}`,
  );
  const lua = [
    clock,
    "local learn = tonumber(ARGV[1])",
    "local k, i, out, last = 0, 2, {}, #ARGV",
    "while i <= last do",
    "local op, r = ARGV[i], 0",
    ...branches,
    "else return redis.error_reply('unknown operation ' .. op) end",
    "out[#out + 1] = r",
    "end",
    "return out",
  ].join("\n");
  return script("batch", lua, { vital: true });
}

export function createOutbox({ link, operations, learnUntil }: OutboxOptions): OwnedOutbox {
  let batch: Script | undefined;
  let letters: Letter[] = [];
  /**
   * One at a time; what comes meanwhile makes the next one larger. A batch whose script the server has forgotten is sent
   * again with its text, and a later one must not overtake it: a heartbeat would bring back what was released after it.
   */
  let underWay: Promise<void> | undefined;
  let scheduled = false;
  let closed = false;

  function schedule(): void {
    if (scheduled || underWay !== undefined || letters.length === 0) return;
    scheduled = true;
    // After all that this turn of the loop brings: a burst of endings makes one batch.
    setImmediate(() => {
      scheduled = false;
      void next();
    });
  }

  /** The batch that is under way, or else a new one. */
  function next(): Promise<void> {
    return (underWay ??= send().finally(() => {
      underWay = undefined;
      if (link.up) schedule();
    }));
  }

  async function send(): Promise<void> {
    if (letters.length === 0) return;
    if (!link.up) {
      drop(new LinkError("Redis is away", false));
      return;
    }
    const sent = letters.splice(0, MOST);
    batch ??= batchScript(operations());
    const keys: string[] = [];
    const args: (string | number)[] = [learnUntil()];
    for (const { name, keys: own, args: more } of sent) {
      keys.push(...own);
      args.push(name, ...more);
    }
    try {
      const values = (await link.run(batch, keys, args)) as readonly unknown[];
      for (const [i, letter] of sent.entries()) letter.resolve(values[i]);
    } catch (error) {
      for (const letter of sent.toReversed()) {
        if (letter.again === true && !closed && ++letter.tries < TRIES) letters.unshift(letter);
        else letter.reject(error);
      }
    }
  }

  /** What cannot be told now: kept if it may be told later, as far as there is room. */
  function drop(error: LinkError): void {
    const kept = letters.filter(({ again }) => again === true);
    const room = closed ? 0 : KEPT;
    for (const letter of letters) if (letter.again !== true) letter.reject(error);
    for (const letter of kept.slice(room)) letter.reject(error);
    letters = kept.slice(0, room);
  }

  const forget = link.onChange((up) => {
    if (up) schedule();
  });

  return {
    push(operation) {
      return new Promise((resolve, reject) => {
        if (letters.length >= KEPT)
          letters.shift()?.reject(new LinkError("too much is to be told to Redis", false));
        // Written out: a spread takes longer than all else here.
        const { name, keys, args, again = false } = operation;
        letters.push({ name, keys, args, again, tries: 0, resolve, reject });
        schedule();
      });
    },
    async flush() {
      while (letters.length > 0 && link.up) await next();
    },
    async close() {
      closed = true;
      forget();
      while (letters.length > 0 && link.up) await next();
      drop(new LinkError("the store was closed", false));
    },
  };
}
