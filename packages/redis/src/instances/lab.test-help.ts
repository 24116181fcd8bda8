import type { InstanceStore } from "@breakwater/core";
import { onTestFinished } from "vitest";

import { eventually } from "../connection/lab.test-help.ts";
import { openLink } from "../connection/open-link.ts";
import type { RedisLibrary } from "../connection/redis-client.ts";
import { createScope } from "../keys.ts";
import { readRedisOptions, type RedisStoreOptions } from "../options.ts";
import { createRedisInstances } from "./create-instances.ts";

let count = 0;

/** A scope that no other test has. */
export function someScope(): string {
  return `i${process.pid}-${count++}-${process.hrtime.bigint().toString(36)}`;
}

export interface Instances extends InstanceStore {
  close(): Promise<void>;
}

/** What one process knows of instances, connected. */
export async function openInstances(options: RedisStoreOptions, library?: RedisLibrary): Promise<Instances> {
  // Patient: a busy machine is no outage.
  const config = readRedisOptions({ scope: someScope(), decisionTimeout: "1s", ...options });
  const link = openLink(config, createScope(config.scope), library);
  await eventually(() => link.up);
  return { ...createRedisInstances(link, config.scope), close: () => link.close() };
}

/** As `openInstances`, closed when the test is over. */
export async function instancesOf(options: RedisStoreOptions): Promise<Instances> {
  const opened = await openInstances(options);
  onTestFinished(() => opened.close());
  return opened;
}
