export {
  startSimulator,
  type ConfigChange,
  type ReplicaHandle,
  type ResetChange,
  type HeaderOptions,
  type Simulator,
} from "./simulator.ts";
export type { SimulatorOptions } from "./options.ts";
export type { SimulatorState } from "./engine.ts";
export { startFastSimulator, type FastOptions, type FastSimulator } from "./fast/fast-simulator.ts";
export { SimulatorConfigError } from "./checks.ts";

export type { AccountChange, AccountOptions, AccountState } from "./accounts.ts";
export type { Attempt, AttemptOutcome, AttemptTotals } from "./attempt-log.ts";
export { defaultCapacity, type Capacity } from "./capacity.ts";
export type { ContextCacheOptions } from "./chat/context-cache.ts";
export { defaultModels, type Model } from "./models.ts";
export {
  defaultPrices,
  type PeakHours,
  type Price,
  type PriceEntry,
  type PriceTable,
  type Tier,
} from "./prices.ts";

export type { Balance } from "./balancer.ts";
export type { ReplicaOptions, ReplicaState } from "./replica.ts";
export type { Brownout, ReplicaChange, ReplicaTrouble } from "./replica-trouble.ts";

export type { FaultAction } from "./faults/action.ts";
export { faultNames, faults, type FaultInfo, type FaultParam } from "./faults/catalogue.ts";
export type { FaultPhase } from "./faults/fault.ts";
export type { ParamValue } from "./faults/params.ts";
export type { FaultMatch, FaultRule, Nth } from "./faults/rules.ts";

export type { ScenarioLoad } from "./scenario/load.ts";
export { checkScenario, type Scenario, type ScenarioPhase } from "./scenario/scenario.ts";
export { loadScenario, scenarioNames, scenarios, type ScenarioName } from "./scenario/catalogue.ts";

export type { ChatMessage, ChatRequest, ChatTool, FimRequest, Role } from "./request/types.ts";
export { expectedText, type ExpectedText, type TextOptions, type TextSettings } from "./text/answer.ts";
export type { LengthSettings } from "./text/lengths.ts";
export type { ExpectedToolCall } from "./text/tool-calls.ts";
export { verifyText, type ReceivedText, type Verdict } from "./text/verify.ts";
export type { Personality } from "./wire/dialects.ts";
