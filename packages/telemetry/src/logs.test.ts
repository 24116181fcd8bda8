import { Writable } from "node:stream";

import {
  type BreakwaterEvent,
  circuitBreaker,
  createClient,
  createPipeline,
  type EventType,
  rateLimit,
  type Refusal,
  TimedOutError,
  upstream,
} from "@breakwater/core";
import { createTestClock } from "@breakwater/testing";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import winston from "winston";

import { EVERY_EVENT, teller } from "./every-event.test-help.ts";
import { LOG_FIELDS } from "./log-fields.ts";
import { type LogOptions, logs } from "./logs.ts";

interface Line {
  readonly level: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly said: string;
}

/** A logger that remembers, called as pino is. */
function memory() {
  const lines: Line[] = [];
  const at =
    (level: string) =>
    ({ breakwater }: { readonly breakwater: Line["fields"] }, said: string): void => {
      lines.push({ level, fields: breakwater, said });
    };
  return {
    lines,
    logger: { error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug") },
  };
}

function every(options: LogOptions = {}) {
  const { lines, logger } = memory();
  const told = teller();
  const clock = createTestClock();
  const stop = logs(told, logger, { runtime: clock, ...options });
  return { clock, lines, stop, tell: told.tell };
}

const echo = upstream(async (text: string) => text);

describe("a call", () => {
  it("says its times to the microsecond, and no digit that two clocks made", async () => {
    const { lines, logger } = memory();
    const clock = createTestClock();
    const slow = upstream(async (ms: number) => clock.advance(ms));
    const ask = createClient({ upstream: slow, runtime: clock });
    logs(ask, logger, { runtime: clock });
    await clock.advance(0.1);
    await ask(0.2);
    expect(clock.now() - 0.1).not.toBe(0.2);
    expect(lines.find(({ fields }) => fields["type"] === "call-end")?.fields).toMatchObject({
      durationMs: 0.2,
    });
  });

  it("is one line at its end with pino, its fields under one name and a text for people", async () => {
    const written: string[] = [];
    const logger = pino({}, { write: (line: string) => void written.push(line) });
    const clock = createTestClock();
    const ask = createClient({ upstream: echo, name: "shop", runtime: clock });
    logs(ask, logger, { runtime: clock });
    await ask("a", { callId: "c-1" });
    expect(written).toHaveLength(1);
    const { breakwater, level, msg } = JSON.parse(written[0] ?? "") as Record<string, unknown>;
    expect([level, msg]).toEqual([30, "shop: answered in 0 ms"]);
    expect(breakwater).toMatchObject({
      type: "call-end",
      client: "shop",
      callId: "c-1",
      attempts: 1,
      durationMs: 0,
      priority: "interactive",
      ending: { status: "answered" },
      meta: {},
    });
  });

  it("is told by winston with the text first", async () => {
    const written: string[] = [];
    const stream = new Writable({
      write(chunk: Buffer, _, done) {
        written.push(String(chunk));
        done();
      },
    });
    const logger = winston.createLogger({ transports: [new winston.transports.Stream({ stream })] });
    const ask = createClient({ upstream: echo, name: "shop", runtime: createTestClock() });
    logs(ask, logger, { shape: "message-first" });
    await ask("a");
    expect(written.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { level: "info", message: "shop: answered in 0 ms", breakwater: { type: "call-end" } },
    ]);
  });

  it("is told to what says log() for info(), in one text where that is asked for", async () => {
    const heard: unknown[][] = [];
    class Nest {
      readonly #context = "Breakwater";
      log(...parts: unknown[]): void {
        heard.push([this.#context, ...parts]);
      }
      warn(...parts: unknown[]): void {
        heard.push([this.#context, ...parts]);
      }
    }
    const ask = createClient({ upstream: echo, name: "shop", runtime: createTestClock() });
    logs(ask, new Nest(), { shape: "message-only" });
    await ask("a");
    expect(heard).toEqual([["Breakwater", "shop: answered in 0 ms"]]);
  });

  it("is told to the console as it is", async () => {
    const ask = createClient({ upstream: echo, runtime: createTestClock() });
    const stop = logs(ask, console, { events: ["breaker-open"] });
    expect(await ask("a")).toBe("a");
    stop();
  });

  it.each([
    ["answered", "info"],
    ["cancelled", "info"],
    ["refused", "warn"],
    ["failed", "error"],
  ] as const)("that was %s is of level %s", (status, level) => {
    const { lines, tell } = every();
    tell({ ...EVERY_EVENT["call-end"], ending: { status, endedAt: 1_500, ...withError(status) } });
    expect(lines.map((line) => line.level)).toEqual([level]);
  });

  it("that its caller got wrong is a warning", () => {
    const { lines, tell } = every();
    const { ending } = EVERY_EVENT["call-end"];
    tell({ ...EVERY_EVENT["call-end"], ending: { ...ending, fault: "caller" } });
    expect(lines[0]?.level).toBe("warn");
  });

  function withError(status: string): { readonly error?: unknown } {
    const refusal: Refusal = { by: "account", code: "RATE_LIMITED" };
    return status === "refused" ? { error: refusal } : {};
  }
});

describe("every event", () => {
  const debugToo: LogOptions = { identities: true, sumUp: 0 };

  it("has a text", () => {
    const { lines, tell } = every(debugToo);
    for (const event of Object.values(EVERY_EVENT)) tell(event);
    expect(lines.map(({ fields, level, said }) => `${level} ${String(fields["type"])}: ${said}`))
      .toMatchInlineSnapshot(`
        [
          "error account-close: shop: account main has no credit, and is not used for 60000 ms",
          "warn account-low: shop: account main is cut in its concurrency because of its balance",
          "info account-open: shop: account main has credit again",
          "debug attempt-cost: shop: an attempt (useful) at deepseek-flash on deepseek cost $0.00123",
          "debug attempt-end: shop: attempt 2 at deepseek failed with OVERLOADED 503 in 500 ms",
          "debug attempt-start: shop: attempt 2 at deepseek",
          "info breaker-close: shop: circuit host closes",
          "info breaker-half-open: shop: circuit host is half open: it lets a few calls try",
          "warn breaker-open: shop: circuit host opens for 30000 ms",
          "debug cache-read: shop: host: hit",
          "debug cache-refresh: shop: host has refreshed an answer",
          "error call-end: shop: failed with OVERLOADED 503 after 2 attempts in 1000 ms",
          "debug call-refused: shop: refused by account: RATE_LIMITED, come again in 300 ms",
          "debug call-start: shop: interactive call begins",
          "error callback-throw: shop: a callback threw (listener): TypeError",
          "info clock-ran-out: shop: the idle clock of host ran out after 60000 ms",
          "warn config-mismatch: shop: host has other numbers in another process; the lower ones hold until update() says others",
          "info fallback-use: shop: host falls back to openrouter",
          "warn hint: shop: cache: nothing is kept",
          "error key-disable: shop: key …ab12 of account main is not taken any more, and not used for 60000 ms",
          "info key-enable: shop: key …ab12 of account main is taken again",
          "debug limit-change: shop: the limit of host goes from 10 to 8",
          "info policy-change: shop: ada changed host: forced open",
          "debug queue-wait: shop: waited 12 ms at host",
          "warn resume-stop: shop: host does not continue a stream that broke off: budget",
          "debug retry-stop: shop: host makes no further attempt: attempts",
          "debug retry-wait: shop: host waits 120 ms before attempt 2",
          "debug store-decide: shop: host was decided by store in 2 ms",
          "warn store-degrade: shop: the store of host cannot be asked; in its place: local",
          "warn store-fail: shop: the store of host failed: Error",
          "info store-recover: shop: the store of host decides again",
          "info stream-resume: shop: host continues a stream that broke off, time 1",
          "info would-refuse: shop: in shadow, would have been refused by account: RATE_LIMITED, come again in 300 ms",
        ]
      `);
  });

  it("has fields of the table only, of the types that it says, and the table none that no event has", () => {
    const { lines, tell } = every(debugToo);
    for (const event of Object.values(EVERY_EVENT)) tell(event);
    tell({
      ...EVERY_EVENT["call-end"],
      ending: { status: "refused", error: EVERY_EVENT["call-refused"].refusal, endedAt: 1_500 },
    });
    const late = new TimedOutError("idle", 60_000);
    tell({ ...EVERY_EVENT["call-end"], ending: { status: "failed", error: late, endedAt: 1_500 } });
    tell({ ...EVERY_EVENT["store-fail"], error: late });
    tell({ ...EVERY_EVENT["store-fail"], error: EVERY_EVENT["call-end"].ending.error });
    const types = new Map(LOG_FIELDS.map(({ path, type }) => [path, type]));
    const found = new Set<string>();
    for (const { fields } of lines)
      for (const [path, value] of leaves("breakwater", fields)) {
        found.add(path);
        expect(fits(types.get(path), value), `${path}: ${types.get(path)} holds ${String(value)}`).toBe(true);
      }
    const unseen = [...types.keys()].filter((path) => !found.has(path));
    expect(unseen).toEqual(["breakwater.repeated"]); // of storms, see below
  });
});

describe("a storm", () => {
  const refused: BreakwaterEvent = {
    ...EVERY_EVENT["call-end"],
    ending: {
      status: "refused",
      error: { by: "account", code: "RATE_LIMITED", retryAfterMs: 300 },
      endedAt: 1_500,
    },
  };

  it("is a line at once and one for each second after it, with how many there were", async () => {
    const { clock, lines, tell } = every();
    for (let i = 0; i < 25; i++) {
      tell({ ...refused, serial: i, at: 1_500 + i });
      await clock.advance(100);
    }
    await clock.advance(5_000);
    expect(lines.map(({ fields, said }) => [fields["repeated"], said])).toEqual([
      [undefined, "shop: refused by account: RATE_LIMITED, come again in 300 ms after 2 attempts in 1000 ms"],
      [9, expect.stringMatching(/ in 1009 ms \(and 9 more like it\)$/)],
      [10, expect.stringMatching(/ in 1019 ms \(and 10 more like it\)$/)],
      [5, expect.stringMatching(/ in 1024 ms \(and 5 more like it\)$/)],
    ]);
    expect(clock.pending).toBe(0);
  });

  it("of one kind hides no other", () => {
    const { lines, tell } = every();
    tell(refused);
    tell(EVERY_EVENT["breaker-open"]);
    tell(EVERY_EVENT["call-end"]);
    tell({ ...EVERY_EVENT["breaker-open"], client: "other" });
    expect(lines).toHaveLength(4);
  });

  it("of circuits is one line each where their keys are told, and one together where they are not", () => {
    for (const [identities, expected] of [
      [true, 3],
      [false, 1],
    ] as const) {
      const { lines, tell } = every({ identities });
      for (const key of ["a", "b", "c"]) tell({ ...EVERY_EVENT["breaker-open"], key });
      expect(lines).toHaveLength(expected);
    }
  });

  it("of calls that were answered is told line by line, and so is what people change and what is for debugging", () => {
    const { lines, tell } = every();
    const answered: BreakwaterEvent = {
      ...EVERY_EVENT["call-end"],
      ending: { status: "answered", endedAt: 1_500 },
    };
    for (let i = 0; i < 3; i++)
      for (const event of [answered, EVERY_EVENT["policy-change"], EVERY_EVENT["retry-wait"]]) tell(event);
    expect(lines).toHaveLength(9);
  });

  it("is bounded in what is remembered, also where everything differs", async () => {
    const { clock, lines, tell } = every({ identities: true });
    for (let i = 0; i < 2_000; i++) tell({ ...EVERY_EVENT["breaker-open"], key: `customer-${i}` });
    expect(lines).toHaveLength(501);
    expect(clock.pending).toBe(501);
    await clock.advance(1_000);
    expect(lines.at(-1)?.fields["repeated"]).toBe(1_499);
    await clock.advance(1_000);
    expect(clock.pending).toBe(0);
  });

  it("is written to its end when the log is ended", () => {
    const { clock, lines, stop, tell } = every();
    for (let i = 0; i < 3; i++) tell(refused);
    stop();
    expect(lines.map(({ fields }) => fields["repeated"])).toEqual([undefined, 2]);
    expect(clock.pending).toBe(0);
    tell(refused);
    expect(lines).toHaveLength(2);
  });

  it("is told line by line where that is wanted, and over a longer time where that is", async () => {
    const all = every({ sumUp: 0 });
    for (let i = 0; i < 3; i++) all.tell(refused);
    expect(all.lines).toHaveLength(3);
    const long = every({ sumUp: "1m" });
    for (let i = 0; i < 3; i++) long.tell(refused);
    await long.clock.advance(59_000);
    expect(long.lines).toHaveLength(1);
    await long.clock.advance(1_000);
    expect(long.lines).toHaveLength(2);
  });
});

describe("what is written", () => {
  it("follows the levels that are given, of an end also by how it ended", () => {
    const { lines, tell } = every({
      levels: { "call-end": { failed: "warn", cancelled: "off" }, "breaker-open": "error", hint: "off" },
    });
    tell(EVERY_EVENT["call-end"]);
    tell({ ...EVERY_EVENT["call-end"], ending: { status: "cancelled", endedAt: 1_500 } });
    tell({ ...EVERY_EVENT["call-end"], ending: { status: "answered", endedAt: 1_500 } });
    tell(EVERY_EVENT["breaker-open"]);
    tell(EVERY_EVENT.hint);
    expect(lines.map((line) => line.level)).toEqual(["warn", "info", "error"]);
  });

  it("is of the events that are asked for only", () => {
    const { lines, tell } = every({ events: ["breaker-open"] });
    for (const event of Object.values(EVERY_EVENT)) tell(event);
    expect(lines.map((line) => line.fields["type"])).toEqual(["breaker-open"]);
  });

  it("has neither tenants nor keys of policies, unless they are asked for", async () => {
    for (const identities of [false, true]) {
      const { lines, logger } = memory();
      const clock = createTestClock();
      const ask = createPipeline(
        { name: "shop", runtime: clock },
        circuitBreaker({ name: "host", key: () => "customer-17", minimumCalls: 1, failureRate: 0.5 }),
      );
      logs(ask, logger, { runtime: clock, identities });
      await ask.outcome(() => Promise.reject(new Error("no")), { tenant: "anna" });
      const text = JSON.stringify(lines);
      expect([text.includes("customer-17"), text.includes("anna")]).toEqual([identities, identities]);
      expect(lines.some(({ fields }) => fields["type"] === "breaker-open")).toBe(true);
    }
  });

  it("is not made where nobody hears it", async () => {
    const heard: string[] = [];
    const logger = {
      ...memory().logger,
      isLevelEnabled: (level: string) => level !== "debug",
      debug: () => void heard.push("debug"),
    };
    const ask = createClient({ upstream: echo, runtime: createTestClock() });
    logs(ask, logger);
    await ask("a");
    expect(heard).toEqual([]);
  });

  it("harms nobody when the logger throws, at once or later", async () => {
    const clock = createTestClock();
    const throws = (): never => {
      throw new Error("disk full");
    };
    const ask = createClient(
      { upstream: echo, runtime: clock },
      rateLimit({ limits: { requests: { limit: 1, per: "1m" } } }),
    );
    const told: EventType[] = [];
    logs(ask, { info: throws, warn: throws }, { runtime: clock });
    ask.on(({ type }) => told.push(type));
    expect(await ask("a")).toBe("a");
    for (let i = 0; i < 3; i++) expect((await ask.outcome("b")).status).toBe("refused");
    await clock.advance(5_000);
    expect(told).toContain("callback-throw");
  });
});

describe("what cannot be right", () => {
  const ask = createClient(echo);
  const { logger } = memory();

  it.each([
    [() => logs({} as never, logger), "logs: a client is expected"],
    [() => logs(ask, undefined as never), "logs: a logger is expected, such as pino()"],
    [() => logs(ask, { info: console.info } as never), "it needs warn() and info() or log()"],
    [() => logs(ask, logger, { shape: "json" as never }), 'logs: shape must be one of "object-first"'],
    [
      () => logs(ask, logger, { levels: { "call-ended": "warn" } as never }),
      'there is no event "call-ended"',
    ],
    [() => logs(ask, logger, { levels: { hint: "loud" as never } }), "levels: hint must be one of"],
    [() => logs(ask, logger, { levels: { hint: { failed: "warn" } as never } }), "levels: hint must be one"],
    [
      () => logs(ask, logger, { levels: { "call-end": { lost: "warn" } as never } }),
      'call-end ends as answered, failed, refused, cancelled; there is no "lost"',
    ],
    [() => logs(ask, logger, { levels: "debug" as never }), "logs: levels must be an object"],
    [() => logs(ask, logger, { events: "call-end" as never }), "logs: events must be a list"],
    [() => logs(ask, logger, { events: ["call"] as never }), 'logs: events: there is no event "call"'],
    [() => logs(ask, logger, { sumUp: Number.NaN }), "logs: sumUp"],
    [() => logs(ask, logger, { tenants: true } as never), 'logs: unknown option "tenants"'],
  ])("is told: %#", (make, message) => {
    expect(make).toThrow(message);
  });
});

function* leaves(path: string, value: unknown): Generator<[string, unknown]> {
  if (typeof value !== "object" || value === null) yield [path, value];
  else for (const [name, member] of Object.entries(value)) yield* leaves(`${path}.${name}`, member);
}

function fits(type: string | undefined, value: unknown): boolean {
  switch (type) {
    case "keyword":
    case "text":
      return typeof value === "string";
    case "long":
      return Number.isInteger(value);
    case "double":
      return typeof value === "number";
    case "boolean":
      return typeof value === "boolean";
    default:
      return false;
  }
}
