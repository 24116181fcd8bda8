import type { Server } from "node:http";

import type { Client, Policy } from "@breakwater/core";
import type { DeepSeek } from "@breakwater/deepseek";
import type { AdminOptions } from "@breakwater/http";
import type { TestClock } from "@breakwater/testing";
import type { Registry } from "prom-client";

/**
 * A framework in one of its versions, and all that callers of the same routes may see of which one it is. The fewer
 * fields, the more alike the adapters are.
 */
export interface Framework {
  readonly name: string;
  /** How our errors are told: RFC 9457, or as Nest tells its own. */
  readonly shape: "problem" | "nest";
  /** When a stream's head goes out: with its first event, or as soon as the route was called. */
  readonly head: "with the first event" | "soon";
  /** Listens on 127.0.0.1 with the routes below. */
  start(parts: Parts): Promise<Started>;
}

/**
 * What every framework serves, each in its own idiom:
 *
 * | route                                     | answers                                                     |
 * | ----------------------------------------- | ----------------------------------------------------------- |
 * | `POST /json` and `/events`, `{ text }`    | what `ask` says to the text: JSON, server-sent events       |
 * | `GET /json/:text` and `/events/:text`     | the same                                                    |
 * | `GET /by-hand/:text`                      | the same as JSON, by a handler that calls `ask` by itself   |
 * | `GET /limited/json` and `/limited/events` | the same, with `inbound` in front                           |
 * | `POST /chat` and `GET /chat`              | what `deepseek` says to `chatRequest`: JSON, its content as events |
 * | `GET /own`                                | throws `own`                                                |
 * | `GET /teapot`                             | an error of the framework's own, 418                        |
 *
 * And where there are `operators`, below their prefix:
 *
 * | route                                     | answers                                                     |
 * | ----------------------------------------- | ----------------------------------------------------------- |
 * | `/breakwater` and all below it            | the admin of `ask` and `deepseek`                           |
 * | `GET /metrics`                            | their metrics, as Prometheus reads them                     |
 */
export interface Parts {
  readonly ask: Client<string, unknown>;
  readonly deepseek: DeepSeek;
  readonly inbound: readonly Policy[];
  /** For deadlines, and for what a shutdown waits. */
  readonly clock: TestClock;
  readonly own: Error;
  /** Takes what the framework's own handling of errors is told. */
  readonly log: (error: unknown) => void;
  readonly operators?: Operators | undefined;
}

/** Who looks after the server. */
export interface Operators {
  /** What stands before all paths of a part of the server, such as `/api`, or nothing. */
  readonly prefix: string;
  readonly admin: AdminOptions;
  /** Where the metrics are registered. */
  readonly register: Registry;
}

export interface Started {
  readonly server: Server;
  /** Shuts down in good order, as the framework's users do: `ask`, `deepseek` and what runs have `DRAIN_MS`. */
  close(): Promise<unknown>;
}

export const DRAIN_MS = 30_000;

export const chatRequest = {
  model: "deepseek-flash",
  messages: [{ role: "user" as const, content: "Why do ships float?" }],
};

/** What guards know of a request on every framework. */
export interface Incoming {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}
