import {
  type BreakwaterEvent,
  ConfigError,
  type Duration,
  type EventType,
  type Listener,
  readOptions,
  type Runtime,
  systemRuntime,
  type Watched,
} from "@breakwater/core";

import { fieldsOf } from "./log-fields.ts";
import { DEFAULT_LEVELS, levelOf, LEVELS, type LogLevel, type LogLevels, STATUSES } from "./log-levels.ts";
import { messageOf } from "./log-message.ts";
import { createRepeats } from "./repeats.ts";
import { watch } from "./watch.ts";

type Write = (...parts: never[]) => unknown;

/** pino, winston, bunyan, `console`, Nest's `Logger`, or anything else that has these. */
export type Logger = {
  readonly warn: Write;
  /** @default `warn` */
  readonly error?: Write;
  /** @default nothing is said at this level */
  readonly debug?: Write;
} & ({ readonly info: Write } | { readonly log: Write });

/**
 * How a logger is called: `info({ breakwater: {…} }, "…")` for pino and bunyan, `info("…", { breakwater: {…} })` for winston
 * and consoles, or the text alone, as for Nest's own `Logger` where a person reads it.
 */
export type LogShape = "object-first" | "message-first" | "message-only";

export interface LogOptions {
  /** How loud lines are, where it is not as in the table of the README. `"off"`: there is none. */
  readonly levels?: LogLevels;
  /** Whether tenants, and the keys that policies count by, are written. @default false */
  readonly identities?: boolean;
  /** The events that are told; all others are not. @default all */
  readonly events?: readonly EventType[];
  /** @default "object-first" */
  readonly shape?: LogShape;
  /**
   * Lines of level `info` and above that say the same within this time are summed up in one, which has the number in
   * `repeated`: all but those of calls that were answered or cancelled. 0: every line is written.
   * @default "1s"
   */
  readonly sumUp?: Duration;
  /** Time, for `sumUp`. @default the real one */
  readonly runtime?: Runtime;
}

/**
 * Writes what clients do into a log: one line for each call at its end, and one for whatever else somebody should know.
 * `LOG_FIELDS` says which fields there are. No line has a key, a header, a prompt, an answer, or what an error says.
 *
 * @returns a function that ends it; what was summed up until then is written.
 * @throws ConfigError for what cannot be watched, no logger, and options that make no sense.
 *
 * @example
 * ```ts
 * import { createPipeline } from "@breakwater/core";
 * import { logs } from "@breakwater/telemetry";
 * import { pino } from "pino";
 *
 * const lines: string[] = [];
 * const search = createPipeline({ name: "search" });
 * const stop = logs(search, pino({}, { write: (line: string) => void lines.push(line) }));
 * await search.execute(() => "found");
 * stop();
 * const { msg, breakwater } = JSON.parse(lines[0] ?? "");
 * msg.replace(/\d+ ms/, "… ms"); // => "search: answered in … ms"
 * breakwater.ending.status; // => "answered"
 * ```
 */
export function logs(given: Watched, logger: Logger, options: LogOptions = {}): () => void {
  const { events, identities, levels, shape, sumUpMs } = read(options);
  const methodFor = methodsOf(logger);
  const repeats = sumUpMs > 0 ? createRepeats(options.runtime ?? systemRuntime(), sumUpMs) : undefined;

  const listener: Listener = (event) => {
    if (events !== undefined && !events.has(event.type)) return;
    const level = levelOf(event, levels);
    const method = level === "off" ? undefined : methodFor(level);
    if (method === undefined) return;
    const write = (repeated: number): void => {
      const fields = fieldsOf(event, identities);
      const said = messageOf(event);
      if (repeated === 0) put(method, shape, fields, said);
      else put(method, shape, { ...fields, repeated }, `${said} (and ${repeated} more like it)`);
    };
    if (repeats !== undefined && isSummedUp(event, level))
      repeats.tell(`${level} ${likenessOf(event, identities)}`, write);
    else write(0);
  };
  const forget = watch(given, "logs", listener);
  return () => {
    forget();
    repeats?.flush();
  };
}

function read(options: LogOptions) {
  const reader = readOptions("logs", options);
  const shape = reader.oneOf("shape", SHAPES, "object-first");
  const identities = reader.flag("identities", false);
  const sumUpMs = reader.duration("sumUp", 1_000);
  reader.raw("runtime");
  const levels = reader.raw<LogLevels>("levels") ?? {};
  const named = reader.raw<readonly EventType[]>("events");
  reader.done();

  const checkType = (option: string, type: string): void => {
    if (type in DEFAULT_LEVELS) return;
    reader.fail(
      `${option}: there is no event "${type}"; known are ${Object.keys(DEFAULT_LEVELS).toSorted().join(", ")}.`,
    );
  };
  const checkLevel = (where: string, level: unknown): void => {
    if (LEVELS.includes(level as LogLevel)) return;
    reader.fail(
      `levels: ${where} must be one of ${LEVELS.map((one) => `"${one}"`).join(", ")}, got ${String(level)}.`,
    );
  };
  if (typeof levels !== "object") reader.fail('levels must be an object, such as { "call-end": "debug" }.');
  for (const [type, level] of Object.entries(levels)) {
    checkType("levels", type);
    if (typeof level !== "object" || level === null || !ENDS.includes(type)) checkLevel(type, level);
    else
      for (const [status, each] of Object.entries(level)) {
        if (!STATUSES.includes(status as never))
          reader.fail(`levels: ${type} ends as ${STATUSES.join(", ")}; there is no "${status}".`);
        checkLevel(`${type}.${status}`, each);
      }
  }
  if (named !== undefined && !Array.isArray(named))
    reader.fail('events must be a list of event types, such as ["call-end", "breaker-open"].');
  for (const type of named ?? []) checkType("events", type);
  return { shape, identities, sumUpMs, levels, events: named === undefined ? undefined : new Set(named) };
}

const SHAPES = ["object-first", "message-first", "message-only"] as const;

/** What can end in several ways, each with a level of its own. */
const ENDS: readonly string[] = ["call-end", "attempt-end"];

type Method = (...parts: readonly unknown[]) => unknown;

/** How each level is said to this logger; undefined: it would not be heard. */
function methodsOf(logger: Logger): (level: Exclude<LogLevel, "off">) => Method | undefined {
  const given: object = logger ?? {};
  const bind = (name: string): Method | undefined => {
    const method: unknown = Reflect.get(given, name);
    return typeof method === "function" ? (...parts) => Reflect.apply(method, logger, parts) : undefined;
  };
  const warn = bind("warn");
  const info = bind("info") ?? bind("log");
  if (warn === undefined || info === undefined) {
    throw new ConfigError(
      "logs: a logger is expected, such as pino(), console or new Logger() of Nest: it needs warn() and info() or log().",
    );
  }
  const methods = { error: bind("error") ?? warn, warn, info, debug: bind("debug") };
  // As pino and winston say it. What nobody hears need not be made.
  const hears = bind("isLevelEnabled");
  return (level) => (level === "debug" && hears?.("debug") === false ? undefined : methods[level]);
}

function put(method: Method, shape: LogShape, fields: Readonly<Record<string, unknown>>, said: string): void {
  if (shape === "object-first") method({ breakwater: fields }, said);
  else if (shape === "message-first") method(said, { breakwater: fields });
  else method(said);
}

/** Who looks for one call wants its line; and what people do is never one of many. */
function isSummedUp(event: BreakwaterEvent, level: LogLevel): boolean {
  if (level === "debug" || event.type === "policy-change") return false;
  return event.type !== "call-end" || event.ending.status === "failed" || event.ending.status === "refused";
}

/** What says the same, but for how long it took. */
function likenessOf(event: BreakwaterEvent, identities: boolean): string {
  const said = messageOf(event).replaceAll(/\d+ ms/g, "ms");
  return identities && "key" in event ? `${said} ${event.key}` : said;
}
