import { milliseconds, show } from "./duration.ts";
import { ConfigError } from "./errors.ts";
import type { Any } from "./handler.ts";

type Given = Readonly<Record<string, unknown>>;

/**
 * Reads one policy's options: each read checks its value and fills in the default, and `done()` refuses what
 * nobody read. So an option is either used or an error, and what was read is what `describe()` shows.
 */
export interface OptionReader {
  /** A whole number. */
  count(name: string, fallback?: number, bounds?: Bounds): number;
  /** A finite number. */
  number(name: string, fallback?: number, bounds?: Bounds): number;
  duration(name: string, fallback?: number): number;
  optionalDuration(name: string): number | undefined;
  oneOf<T extends string>(name: string, allowed: readonly T[], fallback: T): T;
  flag(name: string, fallback: boolean): boolean;
  text(name: string, fallback: string): string;
  callback<F extends (...args: Any[]) => unknown>(name: string): F | undefined;
  /** Anything, checked by the caller. */
  raw<T>(name: string): T | undefined;
  fail(problem: string): never;
  /** Refuses options that were not read, and returns the effective ones. */
  done(): Readonly<Record<string, unknown>>;
}

interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

export function readOptions(policy: string, given: unknown = {}): OptionReader {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new ConfigError(`${policy}: options must be an object, got ${show(given)}.`);
  }
  const options = given as Given;
  const known: string[] = [];
  const effective: Record<string, unknown> = {};
  const fail = (problem: string): never => {
    throw new ConfigError(`${policy}: ${problem}`);
  };
  const take = <T>(name: string, fallback: T | undefined, check: (value: unknown) => T): T => {
    known.push(name);
    const value = options[name];
    const result = value === undefined ? fallback : check(value);
    if (result !== undefined) effective[name] = result;
    return result as T;
  };
  const numeric =
    (name: string, whole: boolean, { min = 0, max = Infinity }: Bounds) =>
    (value: unknown): number => {
      const ok = typeof value === "number" && Number.isFinite(value) && value >= min && value <= max;
      if (ok && (!whole || Number.isInteger(value))) return value;
      const range = max === Infinity ? `of at least ${min}` : `from ${min} to ${max}`;
      return fail(`${name} must be a ${whole ? "whole " : ""}number ${range}, got ${show(value)}.`);
    };
  const required = (name: string, fallback: unknown, what: string): void => {
    if (options[name] === undefined && fallback === undefined) fail(`${name} is required: ${what}.`);
  };

  return {
    count(name, fallback, bounds = { min: 1 }) {
      required(name, fallback, `a whole number, for example { ${name}: 10 }`);
      return take(name, fallback, numeric(name, true, bounds));
    },
    number(name, fallback, bounds = {}) {
      required(name, fallback, `a number, for example { ${name}: 1 }`);
      return take(name, fallback, numeric(name, false, bounds));
    },
    duration(name, fallback) {
      required(name, fallback, `a duration, for example { ${name}: "10s" }`);
      return take(name, fallback, (value) => milliseconds(value, `${policy}: ${name}`));
    },
    optionalDuration(name) {
      return take<number | undefined>(name, undefined, (value) => milliseconds(value, `${policy}: ${name}`));
    },
    oneOf(name, allowed, fallback) {
      return take(name, fallback, (value) => {
        if (allowed.includes(value as never)) return value as never;
        return fail(`${name} must be one of ${allowed.map((a) => `"${a}"`).join(", ")}, got ${show(value)}.`);
      });
    },
    flag(name, fallback) {
      return take(name, fallback, (value) =>
        typeof value === "boolean" ? value : fail(`${name} must be true or false, got ${show(value)}.`),
      );
    },
    text(name, fallback) {
      return take(name, fallback, (value) =>
        typeof value === "string" && value !== ""
          ? value
          : fail(`${name} must be a string that is not empty, got ${show(value)}.`),
      );
    },
    callback(name) {
      return take(name, undefined, (value) =>
        typeof value === "function"
          ? (value as never)
          : fail(`${name} must be a function, got ${show(value)}.`),
      );
    },
    raw(name) {
      return take(name, undefined, (value) => value as never);
    },
    fail,
    done() {
      for (const name of Object.keys(options)) {
        if (!known.includes(name)) fail(`unknown option "${name}"; known are ${known.join(", ")}.`);
      }
      return effective;
    },
  };
}

/** A policy's options as they are now, and the ways to see and to change them. */
export interface Configured<O, C> {
  readonly now: C;
  /** What `guard` and `around` take of it. */
  readonly face: {
    readonly name: string;
    readonly mode: () => ModeOf<C>;
    readonly describe: () => Readonly<Record<string, unknown>>;
  };
  /** How often they were changed. */
  readonly version: number;
  /** Reads the options with these changes: all of them, or none if one is wrong. */
  readonly update: (changes: Partial<O>) => void;
}

type ModeOf<C> = C extends { readonly mode: infer M } ? M : never;

interface ConfigBase {
  readonly name: string;
  readonly mode: string;
  readonly effective: Readonly<Record<string, unknown>>;
}

/** @internal */
export function configure<O extends object, C extends ConfigBase>(
  options: O,
  read: (options: O) => C,
  changed?: (now: C) => void,
): Configured<O, C> {
  let given = options;
  let now = read(given);
  let version = 0;
  const { name } = now;
  return {
    get now() {
      return now;
    },
    get version() {
      return version;
    },
    face: { name, mode: () => now.mode as ModeOf<C>, describe: () => now.effective },
    update(changes) {
      if ("store" in changes)
        throw new ConfigError(`${name}: a policy keeps its store; make a new policy for another one.`);
      const next = { ...given, ...changes };
      const config = read(next); // throws before anything has changed
      if (config.name !== name) {
        throw new ConfigError(`${name}: a policy keeps its name, since its state is kept under it.`);
      }
      given = next;
      now = config;
      version++;
      changed?.(now);
    },
  };
}
