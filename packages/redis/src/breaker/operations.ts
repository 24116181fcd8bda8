import type { OperationLua } from "../decide/part.ts";

/** What a probe has said. `token`: its first token, which is good enough until it fails after all. */
export const RESULTS: { readonly ignored: 0; readonly success: 1; readonly failure: 2; readonly token: 3 } = {
  ignored: 0,
  success: 1,
  failure: 2,
  token: 3,
};

/** Why a share of the processes: one that is sick sees an upstream fail that is well. */
const SHARE = 0.3;

/** How long what was done by hand is kept when no process is there that could renew it: a month. */
export const FORCED_LIFE_MS: number = 30 * 24 * 3_600_000;

/**
 * What all operations begin with. Keys: state, probes, votes. Arguments: life ms, channel, open µs, longest µs, jitter
 * in thousandths. What they say: transition (0 none, 1 open, 2 close), now, state.
 */
const READ = `
local state, leases, votes = KEYS[k + 1], KEYS[k + 2], KEYS[k + 3]
local v = redis.call('HMGET', state, 's', 'e', 'u', 'o', 'c', 'w', 'k')
local s, e, u = tonumber(v[1]) or 0, tonumber(v[2]) or 0, tonumber(v[3]) or 0
local o, c, w, t = tonumber(v[4]) or 0, tonumber(v[5]) or 0, tonumber(v[6]) or 0, 0`;

const SAY = `
r = { t, now, s, e, u, o, c }`;

const KEPT = `
redis.call('PEXPIRE', state, ARGV[i + 1])`;

// A hint, for whoever does not ask at the moment. Nothing depends on its arrival, nor on the right to publish.
const TELL = `
redis.pcall('PUBLISH', ARGV[i + 2], state .. ' ' .. string.format('%.0f', e))`;

// By the server's clock, so that a server that has lost an epoch does not give the number away again.
const NEXT = `
e = math.max(e + 1, math.floor(now / 1000))`;

/** Open, for longer each time. */
const OPEN = `
local length = math.min(ARGV[i + 4], ARGV[i + 3] * 2 ^ math.min(o, 30))
length = math.floor(math.min(ARGV[i + 4], length * ARGV[i + 5] / 1000))
${NEXT}
s, o, u, t = 1, o + 1, now + length, 1
redis.call('HSET', state, 's', 1, 'e', e, 'u', u, 'd', length, 'o', o, 'w', 0, 'k', '')
redis.call('DEL', leases, votes)${KEPT}${TELL}`;

const CLOSE = `${NEXT}
s, c, t = 0, now, 2
redis.call('HSET', state, 's', 0, 'e', e, 'c', c, 'w', 0, 'k', kind == ${RESULTS.token} and id or '')
redis.call('DEL', leases, votes)${KEPT}${TELL}`;

const HEAD = { keys: 3, args: 5 };

/** A probe has said something. `… id, epoch, result, begun`. Says at its end whether it still had its lease. */
const verdict: OperationLua = {
  keys: HEAD.keys,
  args: HEAD.args + 5,
  lua: `${READ}
local id, kind, held = ARGV[i + 6], tonumber(ARGV[i + 8]), redis.call('ZREM', leases, ARGV[i + 6])
if s == 2 and e == tonumber(ARGV[i + 7]) then
  if kind == ${RESULTS.failure} then
    if held == 1 or ARGV[i + 9] == '1' then ${OPEN}
    end
  elseif kind ~= ${RESULTS.ignored} and held == 1 then
    w = w + 1
    if w >= tonumber(ARGV[i + 10]) then ${CLOSE}
    else redis.call('HSET', state, 'w', w) end
  end
elseif s == 0 and kind == ${RESULTS.failure} and v[7] == id then ${OPEN}
end${SAY}
r[8] = held`,
};

/** This process has opened for itself. A fourth key: the instances. `… instance, epoch, life of the vote µs, trip`. */
const vote: OperationLua = {
  keys: HEAD.keys + 1,
  args: HEAD.args + 4,
  lua: `${READ}
if s == 0 and e == tonumber(ARGV[i + 7]) then
  local enough = ARGV[i + 9] == '1'
  if not enough then
    local own, all = ARGV[i + 6], KEYS[k + 4]
    redis.call('ZREMRANGEBYSCORE', votes, '-inf', now)
    redis.call('ZADD', votes, now + ARGV[i + 8], own)
    redis.call('PEXPIRE', votes, ARGV[i + 1])
    local live, open = math.max(1, redis.call('ZCOUNT', all, now, '+inf')), 0
    for _, one in ipairs(redis.call('ZRANGE', votes, 0, -1)) do
      if one == own or (tonumber(redis.call('ZSCORE', all, one)) or 0) >= now then open = open + 1 end
    end
    enough = open >= math.min(live, math.max(2, math.ceil(${SHARE} * live)))
  end
  if enough then ${OPEN}
  end
end${SAY}`,
};

/** It has closed for itself again. `… instance` */
const unvote: OperationLua = {
  keys: HEAD.keys,
  args: HEAD.args + 1,
  lua: `${READ}
redis.call('ZREM', votes, ARGV[i + 6])${SAY}`,
};

/** It was well for a whole minimum of calls: the next time is short again. `… epoch` */
const well: OperationLua = {
  keys: HEAD.keys,
  args: HEAD.args + 1,
  lua: `${READ}
if s == 0 and o > 0 and e == tonumber(ARGV[i + 6]) then
  o = 0
  redis.call('HSET', state, 'o', 0)
end${SAY}`,
};

/** Held by hand, or given back. `… status` */
const force: OperationLua = {
  keys: HEAD.keys,
  args: HEAD.args + 1,
  lua: `${READ}
${NEXT}
s, o = tonumber(ARGV[i + 6]), 0
redis.call('HSET', state, 's', s, 'e', e, 'o', 0, 'c', c, 'w', 0, 'k', '')
redis.call('DEL', leases, votes)${KEPT}${TELL}${SAY}`,
};

/** How is it? What Redis has lost it is told again by whoever knows the latest. `… status, epoch, until, length, openings, closed at` */
const look: OperationLua = {
  keys: HEAD.keys,
  args: HEAD.args + 6,
  lua: `${READ}
if e < tonumber(ARGV[i + 7]) then
  s, e, u = tonumber(ARGV[i + 6]), tonumber(ARGV[i + 7]), tonumber(ARGV[i + 8])
  o, c = tonumber(ARGV[i + 10]), tonumber(ARGV[i + 11])
  redis.call('HSET', state, 's', s, 'e', e, 'u', u, 'd', ARGV[i + 9], 'o', o, 'c', c, 'w', 0, 'k', '')
end
redis.call('PEXPIRE', state, s >= 3 and ${FORCED_LIFE_MS} or ARGV[i + 1])${SAY}`,
};

export const operations: Readonly<Record<BreakerOperation, OperationLua>> = {
  "breaker-verdict": verdict,
  "breaker-vote": vote,
  "breaker-unvote": unvote,
  "breaker-well": well,
  "breaker-force": force,
  "breaker-look": look,
};

export type BreakerOperation =
  | "breaker-verdict"
  | "breaker-vote"
  | "breaker-unvote"
  | "breaker-well"
  | "breaker-force"
  | "breaker-look";
