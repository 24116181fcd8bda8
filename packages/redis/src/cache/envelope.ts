import { deserialize, serialize } from "node:v8";
import { deflateRawSync, inflateRawSync } from "node:zlib";

import type { CacheEntry, CacheFound } from "@breakwater/core";

import { isPlainJson } from "./plain-json.ts";

/**
 * How an answer lies in Redis: two bytes that say so, eight in which a script writes when (µs of the server, which is
 * also what tells two answers apart), and what this file writes:
 *
 *     freshMs f64 · keepMs f64 · bytes f64 · codec u8 · length of the body before it was deflated u32 · body
 *
 * Whole numbers and doubles are big-endian. Whoever finds other first bytes has found nothing.
 */
export const HEAD: Uint8Array = Uint8Array.of(0xb7, 1);
/** Bytes that scripts look at: head, stamp, `freshMs`. */
export const SEEN_BYTES = 18;

const STAMP_AT = 2;
const FRESH_AT = 10;
const KEEP_AT = 18;
const BYTES_AT = 26;
const CODEC_AT = 34;
const LENGTH_AT = 35;
const BODY_AT = 39;

const DEFLATED = 1;
/** The body is v8's and not JSON. */
const CLONED = 2;

/** Below this deflating gains little. Above it halves an answer, in a tenth of a millisecond for 4 kB, in half of one for 100 kB. */
const DEFLATE_FROM = 2048;
/** No answer is longer. Keeps a wrong length from taking the memory. */
const LONGEST = 256 * 1024 * 1024;

/** Short names, since each entry carries them. */
interface Body {
  readonly v: unknown;
  readonly s?: 1;
  readonly c?: unknown;
  readonly m?: string;
  readonly u?: CacheEntry["usage"];
}

export interface Opened extends CacheFound {
  readonly keepMs: number;
  /** Which answer it is: when it was written, µs of the server. */
  readonly stamp: number;
}

/** What comes after the stamp. */
export function seal(
  { value, stream, cuts, model, usage, bytes, freshMs }: CacheEntry,
  keepMs: number,
): Buffer {
  const body: Body = {
    v: value,
    ...(stream && { s: 1 }),
    ...(cuts !== undefined && { c: cuts }),
    ...(model !== undefined && { m: model }),
    ...(usage !== undefined && { u: usage }),
  };
  const plain = isPlainJson(body);
  const whole = plain ? Buffer.from(JSON.stringify(body)) : serialize(body);
  const deflates = whole.length >= DEFLATE_FROM;
  const written = deflates ? deflateRawSync(whole, { level: 1 }) : whole;
  const sealed = Buffer.allocUnsafe(BODY_AT - FRESH_AT + written.length);
  sealed.writeDoubleBE(freshMs, 0);
  sealed.writeDoubleBE(keepMs, KEEP_AT - FRESH_AT);
  sealed.writeDoubleBE(bytes, BYTES_AT - FRESH_AT);
  sealed.writeUInt8((deflates ? DEFLATED : 0) | (plain ? 0 : CLONED), CODEC_AT - FRESH_AT);
  sealed.writeUInt32BE(whole.length, LENGTH_AT - FRESH_AT);
  written.copy(sealed, BODY_AT - FRESH_AT);
  return sealed;
}

/** The answer, as old as it is at `now` (µs of the server); `undefined` for what is not one, or of another release. */
export function open(sealed: unknown, now: number): Opened | undefined {
  if (!Buffer.isBuffer(sealed) || sealed.length < BODY_AT || !HEAD.every((byte, i) => sealed[i] === byte))
    return undefined;
  try {
    const codec = sealed.readUInt8(CODEC_AT);
    const length = sealed.readUInt32BE(LENGTH_AT);
    if (codec > (DEFLATED | CLONED) || length > LONGEST) return undefined;
    const written = sealed.subarray(BODY_AT);
    const whole =
      (codec & DEFLATED) === 0 ? written : inflateRawSync(written, { maxOutputLength: Math.max(1, length) });
    if (whole.length !== length) return undefined;
    const body = ((codec & CLONED) === 0 ? JSON.parse(whole.toString()) : deserialize(whole)) as Body;
    const stamp = sealed.readDoubleBE(STAMP_AT);
    const entry: CacheEntry = {
      value: body.v,
      stream: body.s === 1,
      bytes: sealed.readDoubleBE(BYTES_AT),
      freshMs: sealed.readDoubleBE(FRESH_AT),
      ...(body.c !== undefined && { cuts: body.c }),
      ...(body.m !== undefined && { model: body.m }),
      ...(body.u !== undefined && { usage: body.u }),
    };
    // The server's clock may have gone back.
    return { entry, stamp, ageMs: Math.max(0, (now - stamp) / 1_000), keepMs: sealed.readDoubleBE(KEEP_AT) };
  } catch {
    return undefined; // cut off, or written by a newer Node than ours
  }
}
