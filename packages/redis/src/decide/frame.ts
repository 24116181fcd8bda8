import { type Script, script } from "../connection/scripts.ts";
import type { Fragment, Part, Size } from "./part.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- the frame does not look into asks and replies; each part does
export type AnyPart = Part<any, any>;

/** One ask of a group: how it is decided, and in which shape. */
export interface Member {
  readonly part: AnyPart;
  readonly shape: string;
}

/** A script that decides a group of asks, all or nothing, and where each finds its values in the reply. */
export interface Decision {
  readonly script: Script;
  readonly at: readonly number[];
}

/** Arguments that every decision begins with: `learn`. */
const HEAD_ARGS = 1;
/** Values that every reply begins with: whether all were admitted, and the time of the server in µs. */
const HEAD_VALUES = 2;

/** Locals of a Lua function are 200 at most; each member has up to twelve. */
export const MOST_MEMBERS = 12;

/** Where a script gets its clock from. Tests put one in by hand. */
export const SERVER_CLOCK = "local t = redis.call('TIME') local now = t[1] * 1000000 + t[2]";

/**
 * The Lua of a group: first every member looks, then, if none refuses, every member takes. Made once for each sequence
 * of shapes, of which an application has a handful, so that the server runs straight through it.
 */
export function decisionOf(members: readonly Member[], clock: string = SERVER_CLOCK): Decision {
  let key = 1;
  let arg = HEAD_ARGS + 1;
  let value = HEAD_VALUES;
  const at: number[] = [];
  const fragments: Fragment[] = [];
  for (const [i, { part, shape }] of members.entries()) {
    const size: Size = part.size(shape);
    fragments.push(part.fragment(shape, { key, arg, id: i + 1 }));
    at.push(value);
    key += size.keys;
    arg += size.args;
    value += size.values;
  }
  const lua = [
    clock,
    "local learn = tonumber(ARGV[1])",
    "local ok = true",
    ...fragments.map(({ check }) => check),
    "if ok then",
    ...fragments.map(({ take }) => take),
    "end",
    `return { ok and 1 or 0, now, ${fragments.map(({ reply }) => reply).join(", ")} }`,
  ].join("\n");
  return { script: script(`decide ${members.map(({ shape }) => shape).join("+")}`, lua), at };
}
