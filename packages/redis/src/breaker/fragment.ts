import type { Fragment, Place, Size } from "../decide/part.ts";
import { packed, unpack } from "./shared.ts";

/** What Redis said of an ask. */
export const ADMITTED = 0;
export const PROBE = 1;
export const REFUSED = 2;

/** Keys: state, probes. Arguments: id, probes, lease µs, ramp µs, chance, life ms. Values: verdict, wait µs, entered, state. */
export const SIZE: Size = { keys: 2, args: 6, values: 4 };

/** Chance is a whole number below this. */
export const CHANCES = 1_000_000;

/** By how much a server's clock may have been set back before a time that lies too far ahead is held to be over. µs. */
const SLACK = 1_000_000;

/** As the characters of its text say it: "0 0 …" is closed, and was well since it opened last. */
const ZERO = 48;

/**
 * How a circuit is read along with a decision: one GET while it is well, and a look at two characters. Once its time of
 * being open is over the first one who asks is elected to probe, by the ask itself, and everybody else is refused until
 * that probe has said something or its lease is over. Nothing is written unless the whole group is admitted.
 */
export function fragment({ key, arg, id: n }: Place): Fragment {
  const state = `KEYS[${key}]`;
  const leases = `KEYS[${key + 1}]`;
  const given = (i: number): string => `tonumber(ARGV[${arg + i}])`;
  const check = `
local v${n}, m${n}, r${n}, h${n} = redis.call('GET', ${state}) or '', ${ADMITTED}, 0, 0
local s${n}, o${n}, e${n}, u${n}, c${n}, d${n}, w${n}, k${n}
if v${n} ~= '' and (string.byte(v${n}, 1) ~= ${ZERO} or string.byte(v${n}, 3) ~= ${ZERO}) then
  ${unpack(n)}
  if s${n} == 1 then
    r${n} = u${n} - now
    if r${n} > 0 and r${n} <= d${n} + ${SLACK} then m${n} = ${REFUSED} else m${n} = ${PROBE} end
  elseif s${n} == 2 then
    local last = now + ${given(2)} + ${SLACK}
    w${n} = math.min(w${n}, ${given(1)} - 1)
    if redis.call('ZCOUNT', ${leases}, now + 1, last) + w${n} < ${given(1)} then m${n} = ${PROBE}
    else
      local first = redis.call('ZRANGEBYSCORE', ${leases}, now + 1, last, 'WITHSCORES', 'LIMIT', 0, 1)
      m${n}, r${n} = ${REFUSED}, first[2] and first[2] - now or ${given(2)}
    end
  elseif s${n} == 3 then m${n} = ${REFUSED}
  elseif s${n} == 0 then
    local ramp, age = ${given(3)}, now - c${n}
    if age >= 0 and age < ramp and ${given(4)} * ramp >= ${CHANCES} * math.max(ramp / 10, age) then
      m${n}, r${n} = ${REFUSED}, ramp - age
    end
  end
  if m${n} == ${REFUSED} then ok = false end
end`;
  const take = `
if m${n} == ${PROBE} then
  if s${n} == 1 then
    s${n}, e${n}, w${n}, k${n}, h${n} = 2, math.max(e${n} + 1, math.floor(now / 1000)), 0, '-', 1
    redis.call('DEL', ${leases})
  else
    redis.call('ZREMRANGEBYSCORE', ${leases}, '-inf', now)
    redis.call('ZREMRANGEBYSCORE', ${leases}, now + ${given(2)} + ${SLACK}, '+inf')
  end
  v${n} = ${packed(n)}
  redis.call('SET', ${state}, v${n}, 'PX', ARGV[${arg + 5}])
  redis.call('ZADD', ${leases}, now + ${given(2)}, ARGV[${arg}])
  redis.call('PEXPIRE', ${leases}, ARGV[${arg + 5}])
end`;
  return { check, take, reply: `m${n}, r${n}, h${n}, v${n}` };
}
