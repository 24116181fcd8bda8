import type { Fragment, OperationLua, Place, Size } from "../decide/part.ts";

/**
 * What permits of one name and key are in Redis: a sorted set. A permit is a member that is named by the process that
 * holds it and a number, with the time in µs of the server until which it is believed. A process that has somebody
 * waiting is a member too, `!instance`, so far ahead that no permit gets there, by how long it has waited. Once it is
 * called up a place is kept for it: the same member, among the permits for a moment. So one count tells a newcomer
 * whether there is a place for him behind all those who wait.
 */
export interface PermitLua {
  fragment(shape: PermitShape, at: Place): Fragment;
  readonly operations: Readonly<Record<string, OperationLua>>;
}

export interface PermitLuaOptions {
  readonly leaseMs: number;
  /** How long a place is kept for a process that has been called up. */
  readonly keepMs: number;
  /** What channels of processes begin with. */
  readonly channel: string;
}

/** `p`: nobody of this process waits for such a permit. `pw`: somebody does, and the process may have been called up. */
export type PermitShape = "p" | "pw";

/**
 * The value of a reply that says: how many are out with this one, or -1 less those that are out if it is refused. That of
 * `pw` has a second one: whether a place was kept.
 */
export const SIZES: Readonly<Record<PermitShape, Size>> = {
  p: { keys: 1, args: 3, values: 1 }, // permit, limit, whether to keep the set
  pw: { keys: 1, args: 4, values: 2 }, // the same, !instance
};

/** Where the line begins: 2^52 µs is the year 2112, and twice as much is a whole number still. */
export const LINE: number = 2 ** 52;

/** What operations reply when this very process has been called up. */
export const CALLED_UP = -1;

/** Of work that could be without bound, as much as this is done at a time. */
const AT_ONCE = 200;

export function permitLua({ leaseMs, keepMs, channel }: PermitLuaOptions): PermitLua {
  const lease = Math.ceil(leaseMs * 1_000);
  const keep = Math.ceil(keepMs * 1_000);
  // Whoever is alive renews what he holds, and what he has used, three times in a lease.
  const ttl = Math.ceil(leaseMs * 4);

  /**
   * Calls up those who wait for longest, as many as there are places: a place is kept for each, and he is told. Whoever
   * is gone loses it after a moment, and his place in line with it. Needs `P`, `limit` and `me`.
   */
  const deal = `
local waiting = redis.call('ZCOUNT', P, '${LINE}', '+inf')
if waiting > 0 then
  local free = math.min(waiting, ${AT_ONCE}, limit - redis.call('ZCOUNT', P, now, '+inf') + waiting)
  if free > 0 then
    for _, head in ipairs(redis.call('ZRANGE', P, '${LINE}', '+inf', 'BYSCORE', 'LIMIT', 0, free)) do
      if type(redis.pcall('ZADD', P, now + ${keep}, head)) == 'table' then break end
      if head == me then r = ${CALLED_UP} else redis.call('PUBLISH', '${channel}' .. head, limit .. ' ' .. P) end
    end
  end
end`;

  const operation = (args: number, lua: string): OperationLua => ({
    keys: 1,
    args: args + 2,
    lua: `local P, limit, me = KEYS[k + 1], tonumber(ARGV[i + 1]), ARGV[i + 2]\n${lua.trim()}`,
  });

  return {
    fragment: (shape, at) => (shape === "p" ? plain(at, lease, ttl) : waiting(at, lease, ttl)),
    operations: {
      /** permit */
      "permit-release": operation(1, `redis.call('ZREM', P, ARGV[i + 3])${deal}`),

      /** µs waited so far. Replies with the time until a place may become free that nobody will tell of, in µs. */
      "permit-wait": operation(
        1,
        `
local place = redis.call('ZSCORE', P, me)
if not place or tonumber(place) < ${LINE} then
  redis.call('ZADD', P, now + ${LINE} - tonumber(ARGV[i + 3]), me)
end
redis.call('PEXPIRE', P, ${ttl})${deal}
if r == 0 then
  local first = redis.call('ZRANGE', P, now, '${LINE - 1}', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
  r = first[2] and math.min(tonumber(first[2]) - now, ${lease}) or ${lease}
end`,
      ),

      /** Nobody waits any more, or he who was called up does not come. */
      "permit-leave": operation(0, `redis.call('ZREM', P, me)${deal}`),

      /**
       * prefix, permits held, permits that may be there without being held. The rest is housekeeping: what has lapsed is
       * forgotten, and what lies further ahead than a lease, since the server's clock was put back, is brought near.
       */
      "permit-renew": operation(
        3,
        `
local held, gone = {}, redis.call('ZRANGE', P, '-inf', now - 1, 'BYSCORE', 'LIMIT', 0, ${AT_ONCE})
for id in string.gmatch(ARGV[i + 5], '%S+') do gone[#gone + 1] = ARGV[i + 3] .. id end
if #gone > 0 then redis.call('ZREM', P, unpack(gone)) end
local till = string.format('%.0f', now + ${lease})
for id in string.gmatch(ARGV[i + 4], '%S+') do
  held[#held + 1] = till
  held[#held + 1] = ARGV[i + 3] .. id
end
for _, id in ipairs(redis.call('ZRANGE', P, now + ${2 * lease}, '${LINE - 1}', 'BYSCORE', 'LIMIT', 0, ${AT_ONCE})) do
  held[#held + 1] = till
  held[#held + 1] = id
end
if #held > 0 then redis.pcall('ZADD', P, unpack(held)) end
redis.call('PEXPIRE', P, ${ttl})${deal}`,
      ),
    },
  };
}

/**
 * Whoever comes new takes a place only if there are more of them than processes that wait. What has lapsed does not
 * count, and is not looked for. A permit that is there already is granted: Redis was asked twice.
 */
function plain({ key, arg, id }: Place, lease: number, ttl: number): Fragment {
  const [permits, permit, limit] = [`KEYS[${key}]`, `ARGV[${arg}]`, `tonumber(ARGV[${arg + 1}])`];
  return {
    check: `local n${id} = redis.call('ZCOUNT', ${permits}, now, '+inf')
${granted(permits, permit, limit, id)}
if not g${id} then n${id} = n${id} - redis.call('ZCOUNT', ${permits}, '${LINE}', '+inf') end`,
    take: taken(permits, { key, arg, id }, lease, ttl),
    reply: counted(id),
  };
}

/** Whoever was called up takes the place that is kept for him; whoever waits stands behind those who wait for longer. */
function waiting({ key, arg, id }: Place, lease: number, ttl: number): Fragment {
  const [permits, permit, limit] = [`KEYS[${key}]`, `ARGV[${arg}]`, `tonumber(ARGV[${arg + 1}])`];
  const me = `ARGV[${arg + 3}]`;
  return {
    check: `local s${id} = tonumber(redis.call('ZSCORE', ${permits}, ${me}) or 0)
local r${id} = s${id} >= now and s${id} < ${LINE}
local n${id} = redis.call('ZCOUNT', ${permits}, now, '+inf')
if r${id} then n${id} = n${id} - 1 - redis.call('ZCOUNT', ${permits}, '${LINE}', '+inf')
elseif s${id} >= ${LINE} then n${id} = n${id} - redis.call('ZCOUNT', ${permits}, s${id}, '+inf') end
${granted(permits, permit, limit, id)}`,
    take: `redis.call('ZREM', ${permits}, ${me})
${taken(permits, { key, arg, id }, lease, ttl)}`,
    reply: `${counted(id)}, r${id} and 1 or 0`,
  };
}

const granted = (permits: string, permit: string, limit: string, id: number): string =>
  `local g${id} = n${id} < ${limit} or redis.call('ZSCORE', ${permits}, ${permit})
if not g${id} then ok = false end`;

/** The set is kept by heartbeats; who has not kept it for a while, or finds none, does it here. */
const taken = (permits: string, { arg, id }: Place, lease: number, ttl: number): string =>
  `redis.call('ZADD', ${permits}, now + ${lease}, ARGV[${arg}])
if n${id} == 0 or ARGV[${arg + 2}] == '1' then redis.call('PEXPIRE', ${permits}, ${ttl}) end
if n${id} == ${SMALL} and redis.call('OBJECT', 'ENCODING', ${permits}) == 'listpack' then
  redis.call('ZADD', ${permits}, 0, '${LONG}')
  redis.call('ZREM', ${permits}, '${LONG}')
end
n${id} = n${id} + 1`;

/**
 * Redis keeps a small set as a list that it walks through, up to 128 members (`zset-max-listpack-entries`), which doubles
 * the cost of a permit at 64. A member that is too long for a list makes it a tree, and it stays one when that is gone.
 */
const SMALL = 24;
const LONG = "-".repeat(65);

const counted = (id: number): string => `g${id} and n${id} or -1 - n${id}`;
