import { type Script, script } from "../connection/scripts.ts";
import { SERVER_CLOCK } from "../decide/frame.ts";
import { SEEN_BYTES } from "./envelope.ts";

export interface CacheScripts {
  /** KEYS entry. → entry, now; or nothing. */
  readonly read: Script;
  /** KEYS entry, lock, note. ARGV token (empty: without a claim), head, what comes after the stamp, keep ms, channel, everybody's channel, digest. → whether it was kept, now. */
  readonly fill: Script;
  /** KEYS entry, lock, note. ARGV token, lease ms, head, stamp that was seen, since when notes are news. → what, now, and what is told. */
  readonly claim: Script;
  /** KEYS lock. ARGV token, lease ms. → whether it is still held. */
  readonly renew: Script;
  /** KEYS lock, note. ARGV token, note (empty: none), ms for which it is kept, channel. */
  readonly release: Script;
  /** KEYS entry, lock, note. ARGV channel, everybody's channel, digest. */
  readonly forget: Script;
  /** KEYS generation. ARGV ms for which it is kept, whether there is to be a new one, everybody's channel, what is said there. → it */
  readonly generation: Script;
}

/** What `claim` says. */
export const HELD = 0;
const WAITING = 1;
export const FOUND = 2;
export const NEWS = 3;

/** Made when a store is, not at import: seven digests. */
export function cacheScripts(): CacheScripts {
  return {
    read: script(
      "cache read",
      `local found = redis.call('GET', KEYS[1])
if not found then return false end
${SERVER_CLOCK}
return { found, now }`,
    ),
    // Out of memory fails the first write: nothing is half done then, and the claim is still held.
    fill: script(
      "cache fill",
      `${SERVER_CLOCK}
if ARGV[1] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[1] then return { 0, now } end
local replaces = redis.call('EXISTS', KEYS[1])
redis.call('SET', KEYS[1], ARGV[2] .. struct.pack('>d', now) .. ARGV[3], 'PX', ARGV[4])
redis.call('DEL', KEYS[2], KEYS[3])
redis.call('PUBLISH', ARGV[5], 'filled')
if replaces == 1 then redis.call('PUBLISH', ARGV[6], ARGV[7]) end
return { 1, now }`,
    ),
    // What is fresh and not what was seen is an answer. A failure is news for those who waited for it. A claim is asked
    // for again with the same token, so that one whose reply was lost is found.
    claim: script(
      "cache claim",
      `${SERVER_CLOCK}
local seen = redis.call('GETRANGE', KEYS[1], 0, ${SEEN_BYTES - 1})
if #seen == ${SEEN_BYTES} and string.sub(seen, 1, 2) == ARGV[3] then
  local stamp, fresh = struct.unpack('>dd', seen, 3)
  if stamp ~= tonumber(ARGV[4]) and now - stamp < fresh * 1000 then
    return { ${FOUND}, now, redis.call('GET', KEYS[1]) }
  end
end
local note = redis.call('GET', KEYS[3])
if note and struct.unpack('>d', note) >= tonumber(ARGV[5]) then return { ${NEWS}, now, string.sub(note, 9) } end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return { ${WAITING}, now } end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return { ${HELD}, now }`,
    ),
    renew: script(
      "cache renew",
      `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`,
    ),
    release: script(
      "cache release",
      `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] ~= '' then
  ${SERVER_CLOCK}
  redis.call('SET', KEYS[2], struct.pack('>d', now) .. ARGV[2], 'PX', ARGV[3])
end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[4], 'released')
return 1`,
    ),
    // Without its lock whoever fetches at this moment keeps nothing: he was asked before.
    forget: script(
      "cache forget",
      `redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
redis.call('PUBLISH', ARGV[1], 'forgotten')
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1`,
    ),
    // The time, and not a count: a count that was lost would begin again, and find what is long forgotten.
    generation: script(
      "cache generation",
      `local current = redis.call('GET', KEYS[1])
if current and ARGV[2] == '0' then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  return current
end
${SERVER_CLOCK}
local made = string.format('%.0f', math.max(now, (tonumber(current or '0') or 0) + 1))
redis.call('SET', KEYS[1], made, 'PX', ARGV[1])
if ARGV[2] == '1' then redis.call('PUBLISH', ARGV[3], ARGV[4]) end
return made`,
    ),
  };
}
