import { checkAccountChange, type Account, type AccountChange } from "./accounts.ts";
import type { Attempt } from "./attempt-log.ts";
import { checkMoment } from "./calendar.ts";
import { checkCapacity, type Capacity } from "./capacity.ts";
import { checkFields, checkNumber, refuse } from "./checks.ts";
import { createFeed } from "./control/feed.ts";
import { metricsText } from "./control/metrics.ts";
import { createEngine, type SimulatorState } from "./engine.ts";
import type { FaultRule } from "./faults/rules.ts";
import {
  checkOptions,
  checkScenarioOption,
  checkSeed,
  checkTimeScale,
  type SimulatorOptions,
} from "./options.ts";
import { checkReplicaChange, type ReplicaChange } from "./replica-trouble.ts";
import type { Replica, ReplicaState } from "./replica.ts";
import type { ChatRequest, FimRequest } from "./request/types.ts";
import { createRouter } from "./router.ts";
import type { Scenario } from "./scenario/scenario.ts";
import type { Door } from "./sink/door.ts";
import { openDoors } from "./sink/doors.ts";
import { createFetch } from "./sink/fetch-sink.ts";
import { expectedText, type ExpectedText, type TextOptions } from "./text/answer.ts";
import { verifyText, type ReceivedText, type Verdict } from "./text/verify.ts";
import { checkPersonality, type Personality } from "./wire/dialects.ts";

/** What can be changed while the simulator runs. */
export interface ConfigChange {
  capacity?: Partial<Capacity>;
  timeScale?: number;
  personality?: Personality;
}

/** What a reset may change. */
export interface ResetChange {
  seed?: number;
  config?: ConfigChange;
}

/** What the headers `x-sim-tokens` and `x-sim-answer` of a request said. */
export type HeaderOptions = Pick<TextOptions, "tokens" | "answer">;

/** One replica of a running simulator. */
export interface ReplicaHandle {
  readonly name: string;
  readonly url: string;
  state(): ReplicaState;
  /** Makes it slow, small, restless or dead, and healthy again; see `ReplicaTrouble`. */
  change(change: ReplicaChange): void;
  /**
   * Lets nobody connect any more; who is served already is served to the end. With a listener of its own, nobody
   * listens: ECONNREFUSED. Without one, connections to it are reset.
   */
  close(): void;
  /** Lets them in again; resolves when it listens. */
  open(): Promise<void>;
}

/** A running simulator. */
export interface Simulator {
  /** `http://127.0.0.1:<port>`, the base URL for clients. */
  readonly url: string;
  readonly port: number;
  /** A key that is let in: the first one of the first account. */
  readonly key: string;
  /** Reaches the simulator without a socket: the same bytes, any host name in the URL. */
  readonly fetch: typeof fetch;
  /** The base URL that reaches one replica: `<url>/r/<name>`. Another host, to a client. */
  replicaUrl(name: string): string;
  /** The port of a replica that has a listener of its own (`replicas[].port`). */
  portOf(name: string): number;
  /** One replica, to look at and to trouble. */
  replica(name: string): ReplicaHandle;
  state(): SimulatorState;
  /** Lets time pass, when the option `clock` is `"manual"`. */
  advance(ms: number): Promise<void>;
  /** Ended attempts, in the order they ended; the oldest are forgotten. `since` is the last `seq` already seen. */
  attempts(filter?: { since?: number; scope?: string }): readonly Attempt[];
  /** The most requests that ever counted for an account at once: of one model, or of whichever had most. */
  maxInFlight(account: string, model?: string): number;
  /** Remembered attempts of an account that came after this simulated time: none, when a client knows that it must stop. */
  requestsAfter(account: string, ms: number): readonly Attempt[];
  /** Tokens that were computed for attempts that did not complete. */
  wastedTokens(): number;
  /** How many remembered attempts each call made, by the header `x-breakwater-call-id`; those without it are left out. */
  attemptsPerCall(): ReadonlyMap<string, number>;
  /** The state as text for Prometheus. */
  metrics(): string;
  /** Adds rules, behind those that are there. Returns their ids. */
  addFault(rule: FaultRule | readonly FaultRule[]): string[];
  removeFault(id: string): boolean;
  /** Removes all rules, also those given at the start; a scenario keeps its own. */
  clearFaults(): void;
  /** Plays a scenario from now on; `null` ends the one that plays. */
  playScenario(scenario: Scenario | string | null): void;
  configure(change: ConfigChange): void;
  changeAccount(id: string, change: AccountChange): void;
  /** `replica(name).change(change)`. */
  changeReplica(name: string, change: ReplicaChange): void;
  /** Makes it this moment in the simulated calendar, which decides the price; the clock and its timers do not move. */
  setNow(moment: string): void;
  /**
   * Back to the state right after the start: time 0, the options as given (with another seed, if you like), an empty
   * log. Open connections are broken. `config` is applied afterwards, as by `configure`.
   */
  reset(change?: ResetChange): void;
  /** `expectedText` with this simulator's seed and lengths. */
  expectedText(request: ChatRequest | FimRequest, options?: HeaderOptions): ExpectedText;
  /** `verifyText` with this simulator's seed and lengths. */
  verifyText(
    request: ChatRequest | FimRequest,
    received: string | ReceivedText,
    options?: HeaderOptions,
  ): Verdict;
  /** Breaks every connection and frees the port. Calling it again returns the same promise. */
  close(): Promise<void>;
}

function checkConfig(path: string, value: unknown): ConfigChange {
  const { capacity, timeScale, personality } = checkFields(path, value, [
    "capacity",
    "timeScale",
    "personality",
  ]);
  return {
    capacity: checkCapacity(`${path}.capacity`, capacity ?? {}),
    ...(timeScale === undefined ? {} : { timeScale: checkTimeScale(timeScale) }),
    ...(personality === undefined ? {} : { personality: checkPersonality(personality) }),
  };
}

/**
 * Starts a DeepSeek on 127.0.0.1 that can be made busy, slow and broken. Same seed and same requests per scope give
 * the same bytes. Rejects with `SimulatorConfigError` when an option is wrong, before anything is started.
 *
 * @example
 * ```ts
 * import { startSimulator } from "@breakwater/simulator";
 *
 * const simulator = await startSimulator({ seed: 7, timeScale: 0.01, scenario: "busy-evening" });
 * // … point a client at simulator.url with simulator.key …
 * await simulator.close();
 * ```
 */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const settings = checkOptions(options);
  let { seed } = settings;
  const own = new Map<string, Door>();
  const feed = createFeed({ clock: () => engine.clock, state: () => engine.state() });
  let engine = createEngine(settings, settings.timeScale, own, feed.attempt);
  let closing: Promise<void> | undefined;

  const textOptions = (given: HeaderOptions | undefined) => ({ ...settings.text, seed, ...given });

  function replicaNamed(name: string): Replica {
    const found = engine.replicas.get(name);
    const names = [...engine.replicas.keys()];
    return found ?? refuse("replica", name, `one of ${names.join(", ")}`, `"${names[0]}"`);
  }

  function portOf(name: string): number {
    const door = own.get(replicaNamed(name).name);
    return door?.port ?? refuse("replica", name, "one with the option port", `{ name: "${name}", port: 0 }`);
  }

  function accountNamed(id: string): Account {
    const ids = settings.accounts.map((known) => known.id);
    return engine.account(id) ?? refuse("account", id, `one of ${ids.join(", ")}`, `"${ids[0]}"`);
  }

  function applyConfig({ capacity = {}, timeScale, personality }: ConfigChange): void {
    engine.setCapacity(capacity);
    if (personality !== undefined) engine.setPersonality(personality);
    if (timeScale !== undefined) engine.clock.setScale(timeScale);
  }

  const methods = {
    state: () => engine.state(),
    attempts: (filter?: { since?: number; scope?: string }) => engine.log.read(filter),
    addFault: (rule: FaultRule | readonly FaultRule[]) =>
      engine.addFaults(Array.isArray(rule) ? rule : [rule]),
    removeFault: (id: string) => engine.removeFault(id),
    clearFaults: () => engine.clearFaults(),
    playScenario(scenario: Scenario | string | null) {
      engine.play(checkScenarioOption(scenario ?? undefined));
    },
    changeReplica(name: string, change: ReplicaChange) {
      replicaNamed(name).change(checkReplicaChange(`replicas.${name}`, change));
    },
    configure: (change: ConfigChange) => applyConfig(checkConfig("config", change)),
    changeAccount(id: string, change: AccountChange) {
      accountNamed(id).change(checkAccountChange(`accounts.${id}`, change));
    },
    setNow: (moment: string) => engine.calendar.setNow(checkMoment("now", moment)),
    async advance(ms: number) {
      checkNumber("advance", ms, { min: 0, example: "12000" });
      if (engine.manual === undefined)
        refuse("clock", settings.clock, "a manual clock to advance", 'clock: "manual"');
      await engine.manual.advance(ms);
    },
    metrics: () => metricsText(engine.state(), engine.tally),
    reset(change: ResetChange = {}) {
      checkFields("reset", change, ["seed", "config"]);
      const config = checkConfig("reset.config", change.config ?? {});
      if (change.seed !== undefined) seed = checkSeed(change.seed);
      engine.stop();
      doors.openAll();
      engine = createEngine({ ...settings, seed }, settings.timeScale, own, feed.attempt);
      applyConfig(config);
      feed.restart();
    },
  };

  const answer = createRouter(() => engine, { ...methods, subscribe: feed.subscribe });
  const doors = await openDoors(answer, settings.port, settings.replicas, own).catch((error: unknown) => {
    engine.stop();
    throw error;
  });
  // A scenario may have begun with a machine that is down.
  for (const replica of engine.replicas.values()) if (!replica.isUp) own.get(replica.name)?.shut();
  const { port } = doors.main;
  const url = `http://127.0.0.1:${port}`;

  return {
    url,
    port,
    key: settings.accounts[0]?.keys[0] ?? "",
    fetch: createFetch(doors.wayFor),
    ...methods,
    replicaUrl: (name) => `${url}/r/${replicaNamed(name).name}`,
    portOf,
    replica: (name) => ({
      name: replicaNamed(name).name,
      url: own.has(name) ? `http://127.0.0.1:${portOf(name)}` : `${url}/r/${name}`,
      state: () => replicaNamed(name).state(),
      change: (change) => methods.changeReplica(name, change),
      close: () => replicaNamed(name).setClosed(true),
      async open() {
        replicaNamed(name).setClosed(false);
        if (replicaNamed(name).isUp) await own.get(name)?.open();
      },
    }),
    maxInFlight(account, model) {
      const { maxInFlight } = accountNamed(account).state();
      return model === undefined ? Math.max(0, ...Object.values(maxInFlight)) : (maxInFlight[model] ?? 0);
    },
    requestsAfter: (account, ms) =>
      engine.log
        .read()
        .filter((attempt) => attempt.account === accountNamed(account).id && attempt.tReceived > ms),
    wastedTokens: () => engine.log.totals().tokensWasted,
    attemptsPerCall() {
      const counts = new Map<string, number>();
      for (const { callId } of engine.log.read())
        if (callId !== undefined) counts.set(callId, (counts.get(callId) ?? 0) + 1);
      return counts;
    },
    expectedText: (request, given) => expectedText(request, textOptions(given)),
    verifyText: (request, received, given) => verifyText(request, received, textOptions(given)),
    close() {
      if (closing === undefined) {
        feed.close();
        engine.stop();
        closing = doors.close();
      }
      return closing;
    },
  };
}
