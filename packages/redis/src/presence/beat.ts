import { type Script, script } from "../connection/scripts.ts";

/**
 * How long Redis keeps what it knows of a scope that nobody uses. Whoever comes back sooner and finds nothing knows that
 * it was lost; later nobody misses it.
 */
export const KEPT_MS = 86_400_000;

/** What other processes say of their policies, at most; far more than anybody has policies. */
const MOST_HEARD = 256;

/**
 * One beat. It enters this process and its configs until the end of its lease, forgets those that are over, and tells
 * how many processes there are, in which life of the server, and what others have for configs.
 *
 * The boot record says which life that is. A process that knew another says so, and all learn: once in each life, since
 * processes notice it one after the other, and the last would else start anew what the first has long learned. As long
 * as they do, there are as many of them as the first one knew of: they come back one by one.
 *
 * KEYS: instances, boot, configs. ARGV: instance, lease (µs), the boot it knew or "", the id of a new boot, learn (µs),
 * kept (ms), how many processes it knew of, configs. Time is the server's; one that went back would leave deadlines far ahead, so they are brought
 * near again: a process that lives renews its own, one that is gone must not live on for an hour.
 */
export const BEAT: Script = script(
  "beat",
  `local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local lease = tonumber(ARGV[2])
local ahead = now + math.max(10 * lease, 900000000)
local function tidy(key)
  local far = redis.call('ZRANGE', key, ahead, '+inf', 'BYSCORE', 'LIMIT', 0, 100)
  for _, member in ipairs(far) do redis.call('ZADD', key, now + lease, member) end
  local over = redis.call('ZRANGE', key, '-inf', now, 'BYSCORE', 'LIMIT', 0, 100)
  if #over > 0 then redis.call('ZREM', key, unpack(over)) end
  redis.call('PEXPIRE', key, ARGV[6])
end
local boot = redis.call('HMGET', KEYS[2], 'id', 'learn', 'knew')
local id, learn, knew = boot[1], tonumber(boot[2] or '0'), tonumber(boot[3] or '0')
if not id then
  id, learn = ARGV[4], 0
  redis.call('HSET', KEYS[2], 'id', id, 'born', now, 'learn', 0)
end
if learn == 0 and ARGV[3] ~= '' and ARGV[3] ~= id or learn > ahead then
  learn, knew = now + tonumber(ARGV[5]), tonumber(ARGV[7])
  redis.call('HSET', KEYS[2], 'learn', learn, 'knew', knew)
end
redis.call('PEXPIRE', KEYS[2], ARGV[6])
local entered = redis.call('ZADD', KEYS[1], now + lease, ARGV[1])
tidy(KEYS[1])
local mine = {}
for i = 8, #ARGV do
  mine[ARGV[i]] = true
  local score = tonumber(redis.call('ZSCORE', KEYS[3], ARGV[i]) or '0')
  if score < now + lease then redis.call('ZADD', KEYS[3], now + lease, ARGV[i]) end
end
tidy(KEYS[3])
local others = {}
for _, member in ipairs(redis.call('ZRANGE', KEYS[3], '-inf', '+inf', 'BYSCORE', 'LIMIT', 0, ${MOST_HEARD})) do
  if not mine[member] then others[#others + 1] = member end
end
local count = redis.call('ZCOUNT', KEYS[1], now, '+inf')
return { now, now < learn and math.max(count, knew) or count, id, learn, entered, others }`,
  { vital: true },
);

/** What a beat learns. */
export interface Heard {
  /** µs of the server. */
  readonly now: number;
  readonly instances: number;
  readonly boot: string;
  /** µs of the server; 0: nothing was lost. */
  readonly learnUntil: number;
  /** Redis did not know this process. */
  readonly entered: boolean;
  readonly configs: readonly string[];
}

export function readBeat(reply: unknown): Heard {
  const [now, instances, boot, learn, entered, configs] = reply as [
    number,
    number,
    string,
    number,
    number,
    string[],
  ];
  return { now, instances, boot, learnUntil: learn, entered: entered === 1, configs };
}
