import type { OperationLua } from "../decide/part.ts";
import { write as writeBucket } from "./bucket-lua.ts";
import { BUCKET_BYTES } from "./limit-lua.ts";
import { append, forget, moveBack, rewrite } from "./window-lua.ts";

/**
 * Takes or gives back what a call came to beside its reservation. Goes by the numbers that the state has; those that are
 * given count where there is none, which means that all of it was there. Who takes `atMost` what is left owes nothing
 * afterwards. What is given back counts only where it was taken since the bucket was last full, and never if it was taken
 * at a time that is yet to come: then the clock was set back, and nobody knows. Of a state that may have been lost all is
 * used up, so nothing is on top of it.
 *
 * Arguments: amount, µs at which it was taken, algorithm, limit, µs, burst, `atMost`.
 */
export const settleLua: OperationLua = {
  keys: 1,
  args: 7,
  lua: `local key, cost, takenAt, algorithm = KEYS[k + 1], ARGV[i + 1] + 0, ARGV[i + 2] + 0, ARGV[i + 3]
local limit, per, burst, atMost = ARGV[i + 4] + 0, ARGV[i + 5] + 0, ARGV[i + 6] + 0, ARGV[i + 7] == '1'
local state = redis.call('GET', key)
local lost = not state and now < learn
if lost then cost = algorithm == 'gcra' and burst or limit atMost = false end
if state and #state == ${BUCKET_BYTES} or not state and algorithm == 'gcra' then
  ${settleBucket()}
else
  ${settleWindow()}
end`,
};

function settleBucket(): string {
  return `local since, taken, last, rate, held = now, 0, now, limit / per, burst
if state then since, taken, last, rate, held = struct.unpack('ddddd', state) end
if now < last then since = since - (last - now) end
if rate ~= limit / per then limit, per = rate, 1 end
if taken * per <= (now - since) * limit then since, taken = now, 0 end
if atMost then
  local left = held - taken + (now - since) * limit / per
  left = left < 0 and 0 or left - left % 1
  if cost > left then cost = left end
end
if cost > 0 or cost < 0 and takenAt >= since and takenAt <= now then
  taken = taken + cost
  ${writeBucket("key", "since", "taken", "limit", "per", "held")}
end`;
}

function settleWindow(): string {
  return `local used, last, head = 0, now, 33
if state then used, last, limit, per = struct.unpack('dddd', state) else state = '' end
if now < last then
  local back = last - now
  ${moveBack("state", "back")}
end
${forget("state", "head", "used", "per")}
if atMost then
  if cost > limit - used then cost = limit - used end
end
if cost > 0 then
  ${append("key", "state", "head", "used")}
elseif cost < 0 and takenAt <= now then
  local at = #state - 23
  while at >= head and struct.unpack('d', state, at) > takenAt do at = at - 24 end
  if at >= head then
    local from, when, sum = struct.unpack('ddd', state, at)
    local back = -cost < sum and -cost or sum
    used = used - back
    state = string.sub(state, 1, at - 1) .. struct.pack('ddd', from, when, sum - back) .. string.sub(state, at + 24)
    ${rewrite("key", "state", "head", "used")}
  end
end`;
}
