import { Call } from "../../call.ts";
import { show } from "../../duration.ts";
import { ConfigError } from "../../errors.ts";
import type { Host } from "../../handler.ts";
import type { Meta } from "../../outcome.ts";
import type { CacheConfig, CacheWhose } from "./options.ts";

/** Whose answer, and to what; `undefined`: it is not cached. `onNobody` is told if that is for want of a tenant. */
export function keyOf<Req, Res>(
  call: Call<Req>,
  { name, key: identify, shared, tenant: whose }: CacheConfig<Req, Res>,
  onNobody: () => void,
): string | undefined {
  const tenant = shared ? undefined : whose === undefined ? call.tenant : whose(call.request, call);
  if (tenant === undefined && !shared) {
    onNobody();
    return undefined;
  }
  const key = identify === undefined ? call.host.traits?.key?.(call.request) : identify(call.request, call);
  if (key === undefined) return undefined;
  if (typeof key !== "string")
    throw new ConfigError(`${name}: key() must return a string or undefined, got ${show(key)}.`);
  // The length in front: no other tenant and key make the same string.
  return tenant === undefined ? `|${key}` : `${tenant.length}:${tenant}|${key}`;
}

/** For `warm` and `delete`: a call as the callbacks are used to, that is never made. */
export function imagine<Req, Res>(
  request: Req,
  { tenant }: CacheWhose,
  where: string,
  { name, shared, tenant: whose }: CacheConfig<Req, Res>,
  host: Host | undefined,
): Call<Req> {
  if (host === undefined) throw new ConfigError(`${name}: ${where}() needs a client that the cache is in.`);
  if (tenant === undefined && whose === undefined && !shared)
    throw new ConfigError(`${name}: ${where}() must know whose answer it is: { tenant: "…" }.`);
  const meta: Meta = { callId: where, attempts: 0 };
  const said = { tenant, priority: "interactive", cost: undefined, idempotent: true } as const;
  return new Call(
    request,
    { host, meta, ...said, serial: 0, startedAt: host.runtime.now(), task: undefined },
    undefined,
    {},
  );
}
