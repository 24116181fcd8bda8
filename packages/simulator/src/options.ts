import { checkAccounts, type AccountOptions } from "./accounts.ts";
import type { Balance } from "./balancer.ts";
import { checkMoment } from "./calendar.ts";
import { checkCapacity, defaultCapacity, type Capacity } from "./capacity.ts";
import { checkContextCache, type ContextCacheOptions } from "./chat/context-cache.ts";
import { checkFields, checkNumber, checkText, refuse } from "./checks.ts";
import { createRule, type FaultRule } from "./faults/rules.ts";
import { defaultModels, type Model } from "./models.ts";
import { checkPrice, checkPrices } from "./price-checks.ts";
import { defaultPrices, type PriceTable } from "./prices.ts";
import { checkReplicas, defaultReplicas } from "./replica-checks.ts";
import type { ReplicaOptions } from "./replica.ts";
import { loadScenario } from "./scenario/catalogue.ts";
import { checkScenario, type Scenario } from "./scenario/scenario.ts";
import type { TextSettings } from "./text/answer.ts";
import { checkPersonality, type Personality } from "./wire/dialects.ts";

/** Options of `startSimulator`. All of them may be left out. */
export interface SimulatorOptions {
  /** Port on 127.0.0.1; 0 takes a free one. @default 0 */
  port?: number;
  /** Only `"127.0.0.1"`: what answers without a real key must not be reachable from elsewhere. @default "127.0.0.1" */
  host?: "127.0.0.1";
  /** Everything that looks like chance follows from it. @default 1 */
  seed?: number;
  /**
   * Real milliseconds per simulated one; multiplies every duration of the simulator. 0.01 turns the 12 s between
   * keep-alives into 120 ms. @default 1
   */
  timeScale?: number;
  /**
   * `"manual"`: simulated time stands still until `simulator.advance(ms)`. For tests over `simulator.fetch`: no waiting,
   * and the same on any computer. @default "real"
   */
  clock?: "real" | "manual";
  /**
   * Smallest distance of two writes to one stream, in *real* milliseconds: `timeScale` is not applied. With a
   * manual clock: the length of one step, in simulated ones. @default 5
   */
  tickMs?: number;
  /** What the machine can do. @default see `Capacity` */
  capacity?: Partial<Capacity>;
  /** The machines of the host. @default those of the scenario, or one, called `main` */
  replicas?: readonly ReplicaOptions[];
  /** How a request that names no replica gets one; see `Balance`. @default "least-loaded" */
  balance?: Balance;
  /** @default one account with the key `sk-sim-1` */
  accounts?: readonly AccountOptions[];
  /** False lets any key, or none, in as the first account. @default true */
  requireKey?: boolean;
  /** Models that the host serves. @default DeepSeek's of November 2026 */
  models?: readonly Model[];
  /** What models cost, and when. @default DeepSeek's prices from April 2026 on, with their peak hours */
  prices?: PriceTable;
  /**
   * The moment at which the simulated calendar starts, which decides the price: an ISO moment with its zone, such as
   * `2026-11-23T00:59:00Z`. It goes on with the simulator's clock. @default "2026-11-18T11:06:40Z", a Wednesday off peak
   */
  now?: string;
  /** What answers are made of, and how long they are. */
  text?: TextSettings;
  /** The host to play: DeepSeek, or one that serves its models in other words. @default "deepseek" */
  personality?: Personality;
  /** How the beginnings of prompts are remembered; false remembers none. @default see `ContextCacheOptions` */
  contextCache?: ContextCacheOptions | false;
  /** Rules that hold from the start. */
  faults?: readonly FaultRule[];
  /** A scenario, or the name of one that comes with the package. Its time starts with the simulator. */
  scenario?: Scenario | string;
  /** How many ended attempts are remembered; the oldest are forgotten first. @default 20000 */
  attemptLogSize?: number;
}

/** Options after the checks, with every default filled in. */
export interface Settings {
  readonly port: number;
  readonly seed: number;
  readonly timeScale: number;
  readonly clock: "real" | "manual";
  readonly tickMs: number;
  readonly capacity: Capacity;
  readonly replicas: readonly ReplicaOptions[];
  readonly balance: Balance;
  readonly accounts: ReturnType<typeof checkAccounts>;
  readonly requireKey: boolean;
  readonly models: readonly Model[];
  readonly prices: PriceTable;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly text: TextSettings;
  readonly personality: Personality;
  readonly contextCache: Required<ContextCacheOptions>;
  readonly faults: readonly FaultRule[];
  readonly scenario: Scenario | undefined;
  readonly attemptLogSize: number;
}

const names: readonly (keyof SimulatorOptions)[] = [
  "port",
  "host",
  "seed",
  "timeScale",
  "clock",
  "tickMs",
  "capacity",
  "replicas",
  "balance",
  "accounts",
  "requireKey",
  "models",
  "prices",
  "now",
  "text",
  "personality",
  "contextCache",
  "faults",
  "scenario",
  "attemptLogSize",
];

export const checkTimeScale = (value: unknown): number =>
  checkNumber("timeScale", value, {
    min: 0,
    above: true,
    max: 1000,
    example: "0.01 (a hundred times as fast)",
  });

export const checkSeed = (value: unknown): number =>
  checkNumber("seed", value, { integer: true, example: "7" });

/** Checks everything before anything is started. */
export function checkOptions(options: SimulatorOptions): Settings {
  checkFields("options", options, names);
  const {
    host = "127.0.0.1",
    clock = "real",
    requireKey = true,
    faults = [],
    models = defaultModels,
  } = options;
  if (host !== "127.0.0.1") {
    refuse(
      "host",
      host,
      "127.0.0.1 only, because the simulator has no real authentication",
      '"127.0.0.1", or leave it out',
    );
  }
  if (clock !== "real" && clock !== "manual") refuse("clock", clock, '"real" or "manual"', '"manual"');
  const { balance = "least-loaded" } = options;
  if (balance !== "least-loaded" && balance !== "round-robin")
    refuse("balance", balance, '"least-loaded" or "round-robin"', '"round-robin"');
  const scenario = checkScenarioOption(options.scenario);
  if (typeof requireKey !== "boolean") refuse("requireKey", requireKey, "true or false", "false");
  if (!Array.isArray(faults)) refuse("faults", faults, "a list of rules", '[{ action: "503" }]');
  for (const [index, rule] of faults.entries()) createRule(`faults[${index}]`, rule, "check");

  return {
    port: checkNumber("port", options.port ?? 0, {
      min: 0,
      max: 65_535,
      integer: true,
      example: "4141 (0 takes a free one)",
    }),
    seed: checkSeed(options.seed ?? 1),
    timeScale: checkTimeScale(options.timeScale ?? 1),
    clock,
    tickMs: checkNumber("tickMs", options.tickMs ?? 5, { min: 0, above: true, max: 1000, example: "5" }),
    capacity: { ...defaultCapacity, ...checkCapacity("capacity", options.capacity ?? {}) },
    replicas: checkReplicas("replicas", options.replicas ?? scenario?.replicas ?? defaultReplicas),
    balance,
    accounts: checkAccounts(options.accounts ?? [{}]),
    requireKey,
    models: checkModels(models),
    prices: checkPrices(options.prices ?? defaultPrices, models),
    now: checkMoment("now", options.now ?? "2026-11-18T11:06:40Z"),
    text: checkTextSettings(options.text ?? {}),
    personality: checkPersonality(options.personality ?? "deepseek"),
    contextCache: checkContextCache(options.contextCache),
    faults,
    scenario,
    attemptLogSize: checkNumber("attemptLogSize", options.attemptLogSize ?? 20_000, {
      min: 1,
      max: 1_000_000,
      integer: true,
      example: "20000",
    }),
  };
}

export function checkScenarioOption(scenario: Scenario | string | undefined): Scenario | undefined {
  if (scenario === undefined) return undefined;
  return typeof scenario === "string" ? loadScenario(scenario) : checkScenario(scenario);
}

function checkTextSettings(value: unknown): TextSettings {
  const known = ["contentMedian", "reasoningMedian", "sigma", "unicode", "content", "toolCallRate"];
  const text = checkFields("text", value, known) as TextSettings;
  for (const name of ["contentMedian", "reasoningMedian"] as const) {
    if (text[name] !== undefined) checkNumber(`text.${name}`, text[name], { min: 1, example: "180" });
  }
  if (text.sigma !== undefined) checkNumber("text.sigma", text.sigma, { min: 0, max: 3, example: "0.6" });
  if (text.unicode !== undefined && typeof text.unicode !== "boolean")
    refuse("text.unicode", text.unicode, "true or false", "true");
  if (text.content !== undefined && typeof text.content !== "function")
    refuse(
      "text.content",
      text.content,
      "a function that says the answer to a request",
      "(request) => undefined",
    );
  if (text.toolCallRate !== undefined)
    checkNumber("text.toolCallRate", text.toolCallRate, { min: 0, max: 1, example: "0.3" });
  return text;
}

function checkModels(models: unknown): readonly Model[] {
  if (!Array.isArray(models) || models.length === 0)
    refuse("models", models, "a list with one model or more", "defaultModels");
  for (const [index, model] of models.entries()) {
    const path = `models[${index}]`;
    const given = checkFields(path, model, [
      "id",
      "contextWindow",
      "maxOutputTokens",
      "tokensPerSecond",
      "price",
      "unlisted",
    ]);
    checkText(`${path}.id`, given["id"], '"deepseek-flash"');
    for (const name of ["contextWindow", "maxOutputTokens"]) {
      checkNumber(`${path}.${name}`, given[name], { min: 1, integer: true, example: "65536" });
    }
    checkNumber(`${path}.tokensPerSecond`, given["tokensPerSecond"], { min: 0, above: true, example: "100" });
    if (given["price"] !== undefined) checkPrice(`${path}.price`, given["price"]);
  }
  return models;
}
