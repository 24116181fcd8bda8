import { BUCKET_BYTES, type LimitLua, setUntil } from "./limit-lua.ts";

/** Entries that a window is made of at most, as in the core. */
const GRAINS = 64;

/**
 * The sliding window of the core (`packages/core/src/policies/rate-limit/window.ts`) on the server's clock. Its state is
 * four doubles (what was used, when it was written, the limit and the µs it went by) and three for each entry: when its
 * first was taken, when its last, and how much. Entries are read from the front, as far as they have left the window, and
 * appended at the back, so that a decision does not look at all of them.
 *
 * Arguments: limit, µs, cost. Values: used, µs to wait for this cost, µs until all of it is there again.
 */
export const windowLua: LimitLua = {
  args: 3,
  values: 3,

  check({ key, arg, id }) {
    const [state, head, used, wait, full] = [
      `state${id}`,
      `head${id}`,
      `used${id}`,
      `wait${id}`,
      `full${id}`,
    ];
    return `local ${state}, ${head}, ${used}, ${wait}, ${full} = redis.call('GET', ${key}), 33, 0, 0, 0
do
local limit, per, last, most, span = ARGV[${arg}] + 0, ARGV[${arg + 1}] + 0
if ${state} then
  if #${state} ~= ${BUCKET_BYTES} then ${used}, last, most, span = struct.unpack('dddd', ${state}) end
  if not last or now < last or most ~= limit or span ~= per then
    ${refit(key, state, head, used)}
  end
elseif now < learn then
  ${used} = limit
  ${state} = ${header(used)} .. struct.pack('ddd', now, now, limit)
  ${setUntil(key, state, "now + per")}
else
  ${state} = ''
end
${forget(state, head, used, "per")}
local over, at = ${used} + ARGV[${arg + 2}] - limit, ${head}
while over > 0 and at < #${state} do
  local when, cost = struct.unpack('dd', ${state}, at + 8)
  over = over - cost
  ${wait} = when + per - now
  at = at + 24
end
if ${wait} > 0 then ok = false end
at = #${state} - 23
while at >= ${head} do
  local when, cost = struct.unpack('dd', ${state}, at + 8)
  if cost > 0 then ${full} = when + per - now break end
  at = at - 24
end
end`;
  },

  take({ key, arg, id }) {
    return `if ARGV[${arg + 2}] ~= '0' then
local limit, per, cost = ARGV[${arg}], ARGV[${arg + 1}] + 0, ARGV[${arg + 2}] + 0
${append(key, `state${id}`, `head${id}`, `used${id}`)}
full${id} = per
end`;
  },

  reply: ({ id }) => `used${id}, wait${id}, full${id}`,
};

/** There are the locals `limit` and `per`. */
function header(used: string): string {
  return `struct.pack('dddd', ${used}, now, limit, per)`;
}

/** Passes over what has left the window. */
export function forget(state: string, head: string, used: string, per: string): string {
  return `while ${head} < #${state} do
  local when, cost = struct.unpack('dd', ${state}, ${head} + 8)
  if now < when + ${per} then break end
  ${used} = ${used} - cost
  ${head} = ${head} + 24
end`;
}

/** Writes it with the local `cost` added: to the last entry while that is of the same 64th of the window. */
export function append(key: string, state: string, head: string, used: string): string {
  return `local from, sum, rest = now, cost, -1
if ${head} < #${state} then
  local first, _, before = struct.unpack('ddd', ${state}, #${state} - 23)
  if now - first < per / ${GRAINS} then from = first sum = before + cost rest = -25 end
end
${used} = ${used} + cost
local entries = string.sub(${state}, ${head}, rest) .. struct.pack('ddd', from, now, sum)
${setUntil(key, `${header(used)} .. entries`, "now + per")}`;
}

/** Writes the entries that are left. */
export function rewrite(key: string, state: string, head: string, used: string): string {
  return `local till = now
if ${head} < #${state} then till = struct.unpack('d', ${state}, #${state} - 15) + per end
${setUntil(key, `${header(used)} .. string.sub(${state}, ${head})`, "till")}`;
}

/** What was the future is now: entries move back by as much as the clock did. */
export function moveBack(state: string, by: string): string {
  return `local moved = { string.sub(${state}, 1, 32) }
for at = 33, #${state}, 24 do
  local from, when, cost = struct.unpack('ddd', ${state}, at)
  moved[#moved + 1] = struct.pack('ddd', from - ${by}, when - ${by}, cost)
end
${state} = table.concat(moved)`;
}

/** As that of the token bucket: what was taken stays taken, and a clock that was set back is one that stood still. */
function refit(key: string, state: string, head: string, used: string): string {
  return `if last then
  if now < last then
    local back = last - now
    ${moveBack(state, "back")}
  end
  ${forget(state, head, used, "per")}
else
  local since, taken, seen, rate, held = struct.unpack('ddddd', ${state})
  if now < seen then since = since - (seen - now) end
  local left = held - taken + (now - since) * rate
  if left > held then left = held end
  ${used} = limit - math.floor(left + 1e-9)
  if ${used} < 0 then ${used} = 0 end
  ${state} = ''
  if ${used} > 0 then ${state} = string.rep('-', 32) .. struct.pack('ddd', now, now, ${used}) end
end
${rewrite(key, state, head, used)}`;
}
