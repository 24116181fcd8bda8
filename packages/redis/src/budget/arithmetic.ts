import { type Script, script } from "../connection/scripts.ts";
import { SERVER_CLOCK } from "../decide/frame.ts";

/** A budget that nobody has spoken of for so long is forgotten: whatever made it narrow is over. */
const KEPT_MS = 600_000;

/**
 * The budget of `createRetryBudget`, line by line, over what all processes tell. What one tells at once counts as having
 * happened at this moment, a second late at most.
 *
 * KEYS: the budget, a hash: `t` tokens, `a` when they were refilled, `r` the ratio and `w` the widest one; of this
 * period `p` its start, `c` calls, `n` attempts, `f` failures; of the one before `bc`, `bn`, `bf`. Times are µs.
 *
 * ARGV: learn; the rules: per second, ratio, least ratio; news: calls, attempts, failures, tokens that were spent while
 * Redis was away; how many retries are wanted.
 *
 * Replies how many are granted, how many more there would be, and the ratio.
 */
export function budgetScript(clock: string = SERVER_CLOCK): Script {
  return script(
    "budget",
    `${clock}
local learn, perSecond, widest, least = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local h = redis.call('HMGET', KEYS[1], 't', 'a', 'r', 'w', 'p', 'c', 'n', 'f', 'bc', 'bn', 'bf')
for i = 1, 11 do h[i] = tonumber(h[i]) end
local t, a, r, w, p, c, n, f, bc, bn, bf = unpack(h, 1, 11)
if not t then
  t, a, r, w, p, c, n, f, bc, bn, bf = now < learn and 0 or perSecond, now, widest, widest, now, 0, 0, 0, 0, 0, 0
end
least = math.min(least, widest)
if w ~= widest then r = w == 0 and widest or r / w * widest end
r = math.max(least, r)
-- A clock that went back stood still: what was earned stays, and is not earned again for longer than a period.
a, p = math.min(a, now), math.min(p, now)
t = math.min(perSecond * 10 + r * math.max(c, bc), t + (now - a) / 1000000 * perSecond)
if now - p >= 10000000 then
  if bn >= 50 and n >= 50 then
    if c > bc * 1.2 and f / n > bf / bn + 0.1 then r = math.max(least, r / 2)
    else r = math.min(widest, r + widest / 10) end
  end
  bc, bn, bf, p, c, n, f = c, n, f, now, 0, 0, 0
end
local calls = tonumber(ARGV[5])
c, n, f = c + calls, n + tonumber(ARGV[6]), f + tonumber(ARGV[7])
t = math.min(perSecond * 10 + r * math.max(c, bc), t + r * calls)
t = math.max(0, t - tonumber(ARGV[8]))
local granted = math.min(tonumber(ARGV[9]), math.floor(t))
t = t - granted
redis.call('HSET', KEYS[1], 't', t, 'a', now, 'r', r, 'w', widest, 'p', p, 'c', c, 'n', n, 'f', f, 'bc', bc, 'bn', bn, 'bf', bf)
redis.call('PEXPIRE', KEYS[1], ${KEPT_MS})
return { granted, math.floor(t), string.format('%.17g', r) }`,
  );
}
