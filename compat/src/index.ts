export { hastened } from "./hastened.ts";
export { type Observation, observe, type ObserveOptions } from "./observe.ts";
export { type Rig, type RigOptions, startRig, threeAttempts } from "./rig.ts";
export { loadSdk, runnable, tooNew } from "./sdks/catalogue.ts";
export type { AskOptions, Connection, Question, Received, Sdk, ToolsReceived } from "./sdks/sdk.ts";
