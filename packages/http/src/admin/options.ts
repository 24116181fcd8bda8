import { hostname } from "node:os";

import { ConfigError, type InstanceStore, readOptions, type Runtime, systemRuntime } from "@breakwater/core";

import type { Authorize } from "./auth.ts";

export interface AdminOptions {
  /**
   * Who may see, and who may change: `basicAuth({ … })`, or a function of yours that is given the request. Required. What
   * it throws lets nobody in: the answer is a 500 that does not say why, and `onError` is told.
   */
  readonly authorize: Authorize;
  /** What the page is called. @default "Breakwater" */
  readonly title?: string;
  /**
   * Where the processes of a service know of one another: `redisStore()`, or for several apps in one process
   * `createMemoryInstanceStore()`. Each says there every other second how it is and hears what all are to change; the page
   * shows all of them. @default this process alone
   */
  readonly instances?: InstanceStore;
  /** Which of the processes that share a store belong together. @default "breakwater" */
  readonly service?: string;
  /** What this process is called, as no other. @default its host's name, its process id and a random end */
  readonly instance?: string;
  /** Told what `authorize` has thrown, or what could not be shown. @default nobody */
  readonly onError?: (error: unknown) => void;
  /** @default the real clock */
  readonly runtime?: Runtime;
}

/** Where the server that it is given to does not say so. */
export interface AdminPathOptions extends AdminOptions {
  /** The path of a request below which it is asked: `"/breakwater"`. @default "/" */
  readonly path?: string;
}

/** @internal */
export interface AdminConfig {
  readonly authorize: Authorize;
  readonly title: string;
  readonly instances: InstanceStore | undefined;
  readonly service: string;
  readonly instance: string;
  readonly onError: (error: unknown) => void;
  readonly runtime: Runtime;
  /** Without a slash at its end. */
  readonly path: string;
}

/** @internal `located`: whoever asks knows where it is, so that a path would be of no effect. */
export function readAdminOptions(given: AdminPathOptions, located: boolean): AdminConfig {
  const reader = readOptions("admin", given);
  if (located && given?.path !== undefined) {
    throw new ConfigError(
      "admin: its path is where you mount it, beside the options and not among them; leave path out.",
    );
  }
  const authorize = reader.raw<Authorize>("authorize");
  if (typeof authorize !== "function") {
    throw new ConfigError(
      'admin: authorize is required: a function that says who may see and who may change, for example basicAuth({ ada: "a long password" }).',
    );
  }
  const runtime = reader.raw<Runtime>("runtime") ?? systemRuntime();
  const config = {
    authorize,
    title: reader.text("title", "Breakwater"),
    instances: readStore(reader.raw("instances")),
    service: reader.text("service", "breakwater"),
    instance: reader.text("instance", instanceName(runtime)),
    onError: reader.callback<NonNullable<AdminOptions["onError"]>>("onError") ?? (() => {}),
    runtime,
    path: located ? "" : readAdminPath(reader.text("path", "/")),
  };
  reader.done();
  return config;
}

/** For adapters: the path of a page, without a slash at its end. @throws ConfigError for what is none */
export function readAdminPath(path: unknown): string {
  if (typeof path !== "string" || !/^\/[^?#]*$/.test(path))
    throw new ConfigError(`admin: path must be where it is, such as "/breakwater", got ${shown(path)}.`);
  return path.replace(/\/+$/, "");
}

function shown(path: unknown): string {
  if (typeof path === "string") return JSON.stringify(path);
  return path === undefined ? "nothing" : "no string (clients come after it)";
}

function readStore(given: unknown): InstanceStore | undefined {
  if (given === undefined) return undefined;
  const store = (given ?? {}) as Partial<Record<keyof InstanceStore, unknown>>;
  const methods = ["put", "remove", "all", "tell", "told"] as const;
  if (methods.every((name) => typeof store[name] === "function")) return given as InstanceStore;
  throw new ConfigError(
    "admin: instances must be a store that keeps instances, such as redisStore() or createMemoryInstanceStore().",
  );
}

function instanceName(runtime: Runtime): string {
  const end = runtime.random().toString(36).slice(2, 6).padEnd(4, "0");
  return `${hostname()}-${process.pid}-${end}`;
}
