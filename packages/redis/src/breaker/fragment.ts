import type { Fragment, Place, Size } from "../decide/part.ts";
import { packed, unpack } from "./shared.ts";

/** What Redis said of an ask. */
export const ADMITTED = 0;
export const PROBE = 1;
export const REFUSED = 2;
/** A probe, and the first one: it was open until now. */
export const FIRST_PROBE = 3;

/** Keys: state, probes. Arguments: id, chance, numbers. Values: verdict, wait µs, state. */
export const SIZE: Size = { keys: 2, args: 3, values: 3 };

/** The third argument: one text, because it is read only where a circuit is not well. Times in µs, its life in ms. */
export function numbersOf(probes: number, lease: number, ramp: number, lifeMs: number): string {
  return `${probes} ${lease} ${ramp} ${lifeMs}`;
}

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
  const [probes, lease, ramp, life] = [1, 2, 3, 4].map((i) => `n${n}[${i}]`);
  const check = `
local v${n}, m${n}, r${n} = redis.call('GET', ${state}) or '', ${ADMITTED}, 0
local s${n}, o${n}, e${n}, u${n}, c${n}, d${n}, w${n}, k${n}, n${n}
if v${n} ~= '' and (string.byte(v${n}, 1) ~= ${ZERO} or string.byte(v${n}, 3) ~= ${ZERO}) then
  ${unpack(n)}
  n${n} = { string.match(ARGV[${arg + 2}], '(%d+) (%d+) (%d+) (%d+)') }
  for i = 1, 4 do n${n}[i] = tonumber(n${n}[i]) end
  if s${n} == 1 then
    r${n} = u${n} - now
    if r${n} > 0 and r${n} <= d${n} + ${SLACK} then m${n} = ${REFUSED} else m${n} = ${FIRST_PROBE} end
  elseif s${n} == 2 then
    local last = now + ${lease} + ${SLACK}
    w${n} = math.min(w${n}, ${probes} - 1)
    if redis.call('ZCOUNT', ${leases}, now + 1, last) + w${n} < ${probes} then m${n} = ${PROBE}
    else
      local first = redis.call('ZRANGEBYSCORE', ${leases}, now + 1, last, 'WITHSCORES', 'LIMIT', 0, 1)
      m${n}, r${n} = ${REFUSED}, first[2] and first[2] - now or ${lease}
    end
  elseif s${n} == 3 then m${n} = ${REFUSED}
  elseif s${n} == 0 then
    local age = now - c${n}
    if age >= 0 and age < ${ramp} and ARGV[${arg + 1}] * ${ramp} >= ${CHANCES} * math.max(${ramp} / 10, age) then
      m${n}, r${n} = ${REFUSED}, ${ramp} - age
    end
  end
  if m${n} == ${REFUSED} then ok = false end
end`;
  const take = `
if m${n} % 2 == 1 then
  if m${n} == ${FIRST_PROBE} then
    s${n}, e${n}, w${n}, k${n} = 2, math.max(e${n} + 1, math.floor(now / 1000)), 0, '-'
    redis.call('DEL', ${leases})
  else
    redis.call('ZREMRANGEBYSCORE', ${leases}, '-inf', now)
    redis.call('ZREMRANGEBYSCORE', ${leases}, now + ${lease} + ${SLACK}, '+inf')
  end
  v${n} = ${packed(n)}
  redis.call('SET', ${state}, v${n}, 'PX', ${life})
  redis.call('ZADD', ${leases}, now + ${lease}, ARGV[${arg}])
  redis.call('PEXPIRE', ${leases}, ${life})
end`;
  return { check, take, reply: `m${n}, r${n}, v${n}` };
}
