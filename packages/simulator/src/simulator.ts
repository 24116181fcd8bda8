import { checkAccountChange, type AccountChange } from "./accounts.ts";
import type { Attempt } from "./attempt-log.ts";
import { checkMoment } from "./calendar.ts";
import { checkCapacity, type Capacity } from "./capacity.ts";
import { checkFields, checkNumber, refuse } from "./checks.ts";
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
   * log. Open connections are broken.
   */
  reset(change?: { seed?: number }): void;
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
  let engine = createEngine(settings, settings.timeScale, own);
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

  const methods = {
    state: () => engine.state(),
    attempts: (filter?: { since?: number; scope?: string }) => engine.log.read(filter),
    addFault: (rule: FaultRule | readonly FaultRule[]) =>
      engine.addFaults(Array.isArray(rule) ? rule : [rule]),
    removeFault: (id: string) => engine.removeFault(id),
    clearFaults: () => engine.clearFaults(),
    playScenario(scenario: Scenario | string | null) {
      const checked = checkScenarioOption(scenario ?? undefined);
      for (const { name } of checked?.replicas ?? []) replicaNamed(name);
      engine.play(checked);
    },
    changeReplica(name: string, change: ReplicaChange) {
      replicaNamed(name).change(checkReplicaChange(`replicas.${name}`, change));
    },
    configure(change: ConfigChange) {
      checkFields("config", change, ["capacity", "timeScale", "personality"]);
      const capacity = checkCapacity("config.capacity", change.capacity ?? {});
      const scale = change.timeScale === undefined ? undefined : checkTimeScale(change.timeScale);
      const personality = change.personality === undefined ? undefined : checkPersonality(change.personality);
      engine.setCapacity(capacity);
      if (personality !== undefined) engine.setPersonality(personality);
      if (scale !== undefined) engine.clock.setScale(scale);
    },
    changeAccount(id: string, change: AccountChange) {
      const account = engine.account(id);
      const ids = settings.accounts.map((known) => known.id);
      if (account === undefined) refuse("account", id, `one of ${ids.join(", ")}`, `"${ids[0]}"`);
      account.change(checkAccountChange(`accounts.${id}`, change));
    },
    setNow: (moment: string) => engine.calendar.setNow(checkMoment("now", moment)),
    reset(change: { seed?: number } = {}) {
      checkFields("reset", change, ["seed"]);
      if (change.seed !== undefined) seed = checkSeed(change.seed);
      engine.stop();
      doors.openAll();
      engine = createEngine({ ...settings, seed }, settings.timeScale, own);
    },
  };

  const answer = createRouter(() => engine, methods);
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
    async advance(ms) {
      checkNumber("advance", ms, { min: 0, example: "12000" });
      if (engine.manual === undefined)
        refuse("clock", settings.clock, "a manual clock to advance", 'clock: "manual"');
      await engine.manual.advance(ms);
    },
    expectedText: (request, given) => expectedText(request, textOptions(given)),
    verifyText: (request, received, given) => verifyText(request, received, textOptions(given)),
    close() {
      if (closing === undefined) {
        engine.stop();
        closing = doors.close();
      }
      return closing;
    },
  };
}
