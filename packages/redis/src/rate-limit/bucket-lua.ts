import { BUCKET_BYTES, type LimitLua, setUntil } from "./limit-lua.ts";

/**
 * The token bucket of the core (`packages/core/src/policies/rate-limit/gcra.ts`) on the server's clock. Its state is five
 * doubles: since when the refill is counted (it was full then), what was taken since, when it was written, the rate it
 * went by and what it held. The two counters make it exact: nothing is rounded, so nothing drifts. The last three say
 * what there is left of it when the numbers change or the clock is set back.
 *
 * Arguments: limit, µs, burst, cost, life in ms (0: to be worked out). Values: taken, and the µs since.
 */
export const bucketLua: LimitLua = {
  args: 5,
  values: 2,

  check({ key, arg, id }) {
    const [since, taken, limit, per] = [`since${id}`, `taken${id}`, `limit${id}`, `per${id}`];
    return `local ${since}, ${taken}, ${limit}, ${per} = now, 0, ARGV[${arg}] + 0, ARGV[${arg + 1}] + 0
do
local burst = ARGV[${arg + 2}] + 0
local state = redis.call('GET', ${key})
if state then
  local last, rate, held
  if #state == ${BUCKET_BYTES} then ${since}, ${taken}, last, rate, held = struct.unpack('ddddd', state) end
  if not last or now < last or rate ~= ${limit} / ${per} or held ~= burst then
    ${refit(since, taken, limit, per)}
    ${write(key, since, taken, limit, per, "burst")}
  end
elseif now < learn then
  ${taken} = burst
  ${write(key, since, taken, limit, per, "burst")}
end
local spare = burst - ARGV[${arg + 3}]
if spare < 0 then spare = 0 end
if (${taken} - spare) * ${per} > (now - ${since}) * ${limit} then ok = false end
end`;
  },

  take({ key, arg, id }) {
    const [since, taken, limit, per] = [`since${id}`, `taken${id}`, `limit${id}`, `per${id}`];
    return `if ARGV[${arg + 3}] ~= '0' then
if ${taken} * ${per} <= (now - ${since}) * ${limit} then ${since} = now ${taken} = 0 end
${taken} = ${taken} + ARGV[${arg + 3}]
-- Who owes nothing is full again within the life of an empty bucket: a number that is text already.
if ARGV[${arg + 4}] ~= '0' and (${taken} - ARGV[${arg + 2}]) * ${per} <= (now - ${since}) * ${limit} then
redis.call('SET', ${key}, ${packed(since, taken, limit, per, `ARGV[${arg + 2}]`)}, 'PX', ARGV[${arg + 4}])
else
${write(key, since, taken, limit, per, `ARGV[${arg + 2}]`)}
end
end`;
  },

  // Only after a change of its numbers there may be part of a whole in it, which Redis would cut off.
  reply: ({ id }) =>
    `taken${id} % 1 == 0 and taken${id} or string.format('%.17g', taken${id}), now - since${id}`,
};

/** @param burst what it holds; any expression that is a number, or reads like one */
export function write(
  key: string,
  since: string,
  taken: string,
  limit: string,
  per: string,
  burst: string,
): string {
  const state = packed(since, taken, limit, per, burst);
  return setUntil(key, state, `${since} + ${taken} * ${per} / ${limit}`);
}

function packed(since: string, taken: string, limit: string, per: string, burst: string): string {
  return `struct.pack('ddddd', ${since}, ${taken}, now, ${limit} / ${per}, ${burst})`;
}

/**
 * The rare case: the state is one of other numbers, of the other algorithm, or of a time that is yet to come. What is
 * left stays left; what was the future counts as now, so that a clock that was set back is one that stood still. It is
 * written at once, also for who is refused: else the old rate would go on until somebody passes, and the clock would
 * stand until it gets where it was. It takes nothing, so it may stand where the others in the group refuse.
 */
function refit(since: string, taken: string, limit: string, per: string): string {
  return `local left
if last then
  if now < last then ${since} = ${since} - (last - now) end
  if rate ~= ${limit} / ${per} or held ~= burst then
    left = held - ${taken} + (now - ${since}) * rate
    if left >= held then left = held ${since} = now end
  end
else
  local used, seen, most, span = struct.unpack('dddd', state)
  local stood = now < seen and seen - now or 0
  for at = 33, #state, 24 do
    local when, cost = struct.unpack('dd', state, at + 8)
    if now + stood >= when + span then used = used - cost end
  end
  left = most - used
  ${since} = now - span
end
if left then
  if left > burst then left = burst end
  ${taken} = burst - left + (now - ${since}) * ${limit} / ${per}
end`;
}
