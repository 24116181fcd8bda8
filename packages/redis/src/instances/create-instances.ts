import {
  checkInstanceAsk,
  INSTANCE_LIMITS,
  type InstanceReport,
  type InstanceStore,
  StoreError,
} from "@breakwater/core";

import type { RedisLink } from "../connection/create-link.ts";
import { type Link, LinkError } from "../connection/link.ts";
import { instanceScripts } from "./scripts.ts";
import { type ServiceKeys, serviceKeys } from "./service-keys.ts";

interface Service extends ServiceKeys {
  readonly link: Link;
}

/** Nobody's call waits for it, and a report may be long. */
const WITHIN_MS = 1_000;
/** All reports of a service, in ms. */
const ALL_WITHIN_MS = 2_000;
/** Reports that are read at once: decisions of calls go over the same connection, and must not wait for two hundred. */
const AT_ONCE = 10;

/** What instances say of themselves, in Redis: each report and each message has a time to live by the server's clock. */
export function createRedisInstances(link: RedisLink, scopeName: string): InstanceStore {
  const scripts = instanceScripts();
  const services = new Map<string, Service>();

  function find(name: string): Service {
    const known = services.get(name);
    if (known !== undefined) return known;
    if (services.size >= INSTANCE_LIMITS.services)
      throw new StoreError(`instances: there are ${INSTANCE_LIMITS.services} services already`);
    const keys = serviceKeys(scopeName, name);
    const made = { ...keys, link: link.of(keys.scope) };
    services.set(name, made);
    return made;
  }

  return {
    shared: true,
    async put(service, instance, report, ttlMs) {
      checkInstanceAsk({ service, instance, report, ttlMs });
      const { link: to, index, report: key } = find(service);
      const { instances } = INSTANCE_LIMITS;
      const room = await orFail("an instance cannot say how it is", () =>
        to.run(
          scripts.put,
          [index, key(instance)],
          [instance, report, Math.ceil(ttlMs), instances],
          WITHIN_MS,
        ),
      );
      if (room !== 1) throw new StoreError(`instances: "${service}" has ${instances} already`);
    },
    async remove(service, instance) {
      checkInstanceAsk({ service, instance });
      const { link: to, index, report: key } = find(service);
      await orFail("an instance cannot say that it is gone", () =>
        to.run(scripts.remove, [index, key(instance)], [instance], WITHIN_MS),
      );
    },
    async all(service) {
      checkInstanceAsk({ service });
      const from = find(service);
      return orFail("instances cannot be read", () => readAll(from));
    },
    async tell(service, message, ttlMs) {
      checkInstanceAsk({ service, message, ttlMs });
      const { link: to, told } = find(service);
      const args = [message, Math.ceil(ttlMs), INSTANCE_LIMITS.messages];
      await orFail("instances cannot be told anything", () => to.run(scripts.tell, [told], args, WITHIN_MS));
    },
    async told(service, after) {
      checkInstanceAsk({ service });
      const { link: to, told } = find(service);
      const known = after !== undefined && isCursor(after) ? after : "";
      const reply = await orFail("it cannot be heard what instances are told", () =>
        to.run(scripts.told, [told], [known], WITHIN_MS),
      );
      const [cursor = "0-0", ...messages] = reply as readonly string[];
      return { messages, cursor };
    },
  };
}

async function readAll({ link, index, report }: Service): Promise<readonly InstanceReport[]> {
  const end = link.runtime.now() + ALL_WITHIN_MS;
  const ask = (name: string, args: readonly string[]): Promise<unknown> =>
    link.command(name, args, { timeoutMs: Math.max(1, end - link.runtime.now()) });
  const names = (await ask("ZRANGE", [index, "0", "-1"])) as readonly string[];
  const sorted = names.toSorted((a, b) => (a < b ? -1 : 1));
  const found: InstanceReport[] = [];
  for (let from = 0; from < sorted.length; from += AT_ONCE) {
    const some = sorted.slice(from, from + AT_ONCE);
    const reports = (await ask("MGET", some.map(report))) as readonly (string | null)[];
    for (const [i, instance] of some.entries()) {
      const said = reports[i];
      // One that has run out goes by itself; its name stays until somebody puts a report.
      if (typeof said === "string") found.push({ instance, report: said });
    }
  }
  return found;
}

/** As entries of a stream are numbered; what is longer, Redis would not take for a number. */
function isCursor(given: string): boolean {
  return /^\d{1,16}-\d{1,16}$/.test(given);
}

async function orFail<T>(what: string, f: () => Promise<T>): Promise<T> {
  try {
    return await f();
  } catch (error) {
    // Whoever sees the page sees this, and not what it came from.
    const why = error instanceof LinkError ? `: ${error.message}` : "";
    throw new StoreError(`${what} in Redis${why}`, { cause: error });
  }
}
