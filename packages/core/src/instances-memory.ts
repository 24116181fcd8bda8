import { StoreError } from "./errors.ts";
import {
  checkInstanceAsk,
  INSTANCE_LIMITS,
  type InstanceNews,
  type InstanceReport,
  type InstanceStore,
} from "./instances.ts";
import { readOptions } from "./options.ts";
import { type Runtime, systemRuntime } from "./runtime.ts";

export interface MemoryInstanceStoreOptions {
  /** @default the real clock */
  readonly runtime?: Runtime;
}

/** Answers at once, and its promises are none. */
export interface MemoryInstanceStore extends InstanceStore {
  put(...args: Parameters<InstanceStore["put"]>): void;
  remove(...args: Parameters<InstanceStore["remove"]>): void;
  all(service: string): readonly InstanceReport[];
  tell(...args: Parameters<InstanceStore["tell"]>): void;
  told(...args: Parameters<InstanceStore["told"]>): InstanceNews;
}

interface Service {
  readonly reports: Map<string, { readonly report: string; readonly until: number }>;
  messages: readonly Message[];
}

interface Message {
  readonly message: string;
  readonly number: number;
  readonly until: number;
}

/**
 * Instances that live in this process: several apps, or a test of what several processes do. It arms no timer: what has
 * run out goes when somebody looks.
 *
 * @throws ConfigError for options that it does not know
 *
 * @example
 * ```ts
 * import { createMemoryInstanceStore } from "@breakwater/core";
 *
 * const store = createMemoryInstanceStore();
 * const { cursor } = store.told("chat", undefined);
 * store.put("chat", "host-1", '{"calls":7}', 10_000);
 * store.tell("chat", "slow down", 10_000);
 * store.all("chat"); // => [{ instance: "host-1", report: '{"calls":7}' }]
 * store.told("chat", cursor).messages; // => ["slow down"]
 * ```
 */
export function createMemoryInstanceStore(options: MemoryInstanceStoreOptions = {}): MemoryInstanceStore {
  const reader = readOptions("createMemoryInstanceStore", options);
  const runtime = reader.raw<Runtime>("runtime") ?? systemRuntime();
  reader.done();
  const services = new Map<string, Service>();
  /** Messages ever told, of all services: a cursor outlives the service that it was given for. */
  let count = 0;

  /** What there is of a service, and nothing that has run out. */
  function find(name: string): Service | undefined {
    const service = services.get(name);
    if (service === undefined) return undefined;
    const now = runtime.now();
    for (const [instance, { until }] of service.reports) if (until <= now) service.reports.delete(instance);
    service.messages = service.messages.filter(({ until }) => until > now);
    if (service.reports.size > 0 || service.messages.length > 0) return service;
    services.delete(name);
    return undefined;
  }

  function findOrMake(name: string): Service {
    const found = find(name);
    if (found !== undefined) return found;
    if (services.size >= INSTANCE_LIMITS.services) for (const other of services.keys()) find(other);
    if (services.size >= INSTANCE_LIMITS.services)
      throw new StoreError(`instances: there are ${INSTANCE_LIMITS.services} services already`);
    const made: Service = { reports: new Map(), messages: [] };
    services.set(name, made);
    return made;
  }

  return {
    put(service, instance, report, ttlMs) {
      checkInstanceAsk({ service, instance, report, ttlMs });
      const { reports } = findOrMake(service);
      if (reports.size >= INSTANCE_LIMITS.instances && !reports.has(instance))
        throw new StoreError(`instances: "${service}" has ${INSTANCE_LIMITS.instances} already`);
      reports.set(instance, { report, until: runtime.now() + ttlMs });
    },
    remove(service, instance) {
      checkInstanceAsk({ service, instance });
      find(service)?.reports.delete(instance);
    },
    all(service) {
      checkInstanceAsk({ service });
      return [...(find(service)?.reports ?? [])]
        .map(([instance, { report }]) => ({ instance, report }))
        .toSorted((a, b) => (a.instance < b.instance ? -1 : 1));
    },
    tell(service, message, ttlMs) {
      checkInstanceAsk({ service, message, ttlMs });
      const to = findOrMake(service);
      const told = { message, number: ++count, until: runtime.now() + ttlMs };
      to.messages = [...to.messages, told].slice(-INSTANCE_LIMITS.messages);
    },
    told(service, after) {
      checkInstanceAsk({ service });
      const cursor = String(count);
      if (after === undefined || !/^\d{1,16}$/.test(after) || Number(after) > count)
        return { messages: [], cursor };
      const news = (find(service)?.messages ?? []).filter(({ number }) => number > Number(after));
      return { messages: news.map(({ message }) => message), cursor };
    },
  };
}
