import type { OperationLua } from "../decide/part.ts";
import { packed, unpack } from "./shared.ts";

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
local v_, t = redis.call('GET', state) or '', 0
local s_, o_, e_, u_, c_, d_, w_, k_
${unpack("_")}`;

const SAY = `
r = { t, now, v_ }`;

const WRITE = `
v_ = ${packed("_")}
redis.call('SET', state, v_, 'PX', ARGV[i + 1])`;

// A hint, for whoever does not ask at the moment. Nothing depends on its arrival, nor on the right to publish.
const TELL = `
redis.pcall('PUBLISH', ARGV[i + 2], state .. ' ' .. string.format('%.0f', e_))`;

/** Another epoch: by the server's clock, so that a server that has lost one does not give its number away again. */
const ENTER = `
e_, w_ = math.max(e_ + 1, math.floor(now / 1000)), 0
redis.call('DEL', leases, votes)${WRITE}${TELL}`;

/** Open, for longer each time. */
const OPEN = `
d_ = math.min(ARGV[i + 4], ARGV[i + 3] * 2 ^ math.min(o_, 30))
d_ = math.floor(math.min(ARGV[i + 4], d_ * ARGV[i + 5] / 1000))
s_, o_, u_, k_, t = 1, o_ + 1, now + d_, '-', 1${ENTER}`;

const HEAD = { keys: 3, args: 5 };

/** A probe has said something. `… id, epoch, result, begun, probes`. Says at its end whether it still had its lease. */
const verdict: OperationLua = {
  keys: HEAD.keys,
  args: HEAD.args + 5,
  lua: `${READ}
local id, kind, held = ARGV[i + 6], tonumber(ARGV[i + 8]), redis.call('ZREM', leases, ARGV[i + 6])
if s_ == 2 and e_ == tonumber(ARGV[i + 7]) then
  if kind == ${RESULTS.failure} then
    if held == 1 or ARGV[i + 9] == '1' then ${OPEN}
    end
  elseif kind ~= ${RESULTS.ignored} and held == 1 then
    w_ = w_ + 1
    if w_ >= tonumber(ARGV[i + 10]) then
      s_, c_, k_, t = 0, now, kind == ${RESULTS.token} and id or '-', 2${ENTER}
    else ${WRITE}
    end
  end
elseif s_ == 0 and kind == ${RESULTS.failure} and k_ == id then ${OPEN}
end${SAY}
r[4] = held`,
};

/** This process has opened for itself. A fourth key: the instances. `… instance, epoch, life of the vote µs, trip` */
const vote: OperationLua = {
  keys: HEAD.keys + 1,
  args: HEAD.args + 4,
  lua: `${READ}
if s_ == 0 and e_ == tonumber(ARGV[i + 7]) then
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
if s_ == 0 and o_ > 0 and e_ == tonumber(ARGV[i + 6]) then
  o_ = 0 ${WRITE}
end${SAY}`,
};

/** Held by hand, or given back. `… status` */
const force: OperationLua = {
  keys: HEAD.keys,
  args: HEAD.args + 1,
  lua: `${READ}
s_, o_, k_ = tonumber(ARGV[i + 6]), 0, '-' ${ENTER}${SAY}`,
};

/** How is it? What Redis has lost it is told again, by whoever knows the latest. `… epoch, state` */
const look: OperationLua = {
  keys: HEAD.keys,
  args: HEAD.args + 2,
  lua: `${READ}
if e_ < tonumber(ARGV[i + 6]) then
  v_ = ARGV[i + 7]
  redis.call('SET', state, v_)
end
redis.call('PEXPIRE', state, string.find(v_, '^[34]') and ${FORCED_LIFE_MS} or ARGV[i + 1])${SAY}`,
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
