import { type Script, script } from "../connection/scripts.ts";
import { SERVER_CLOCK } from "../decide/frame.ts";

export interface InstanceScripts {
  /** KEYS index, report. ARGV instance, report, ms for which it is kept, how many there may be. → whether there was room. */
  readonly put: Script;
  /** KEYS index, report. ARGV instance. */
  readonly remove: Script;
  /** KEYS told. ARGV message, ms for which it is heard, how many are kept. */
  readonly tell: Script;
  /** KEYS told. ARGV cursor (empty: from now on). → the next cursor, then messages. */
  readonly told: Script;
}

/** Made when a store is, not at import: four digests. */
export function instanceScripts(): InstanceScripts {
  return {
    // Who has run out makes room here, and each report goes by itself: nobody has to live to sweep.
    put: script(
      "instances put",
      `${SERVER_CLOCK}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[1], now + ARGV[3] * 1000, ARGV[1])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], math.ceil(last[2] / 1000))
return 1`,
    ),
    remove: script(
      "instances remove",
      `redis.call('ZREM', KEYS[1], ARGV[1])
return redis.call('DEL', KEYS[2])`,
    ),
    // Numbers that Redis gives to entries of a stream are times: a cursor is still good after a failover, or when the
    // stream was gone for want of messages. A count would begin again, and what is told then would not be heard.
    tell: script(
      "instances tell",
      `${SERVER_CLOCK}
redis.call('XADD', KEYS[1], 'MAXLEN', '=', ARGV[3], '*', 'text', ARGV[1], 'until', now + ARGV[2] * 1000)
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1`,
    ),
    // Where the last entry is older than the cursor, Redis has lost some, and a clock is behind: from there on, then.
    told: script(
      "instances told",
      `local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not last then return { ARGV[1] ~= '' and ARGV[1] or '0-0' } end
local reply = { last[1] }
if ARGV[1] ~= '' then
  ${SERVER_CLOCK}
  for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+')) do
    if tonumber(entry[2][4]) > now then reply[#reply + 1] = entry[2][2] end
  end
end
return reply`,
    ),
  };
}
