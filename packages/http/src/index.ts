export { problemOfBody, problemOfParser } from "./body.ts";
export { ClientGoneError, clientSignal, isGone, isLeave } from "./client-gone.ts";
export { type ContextOptions, detach, extendContext, openContext } from "./context.ts";
export { drain, type Drainable, type ServerDrainOptions } from "./drain.ts";
export { type EventOptions, sendEvents } from "./events.ts";
export { type Admitted, createGate, type Gate } from "./gate.ts";
export {
  type Given,
  mount,
  type MountOptions,
  type NodeHandler,
  sendResponse,
  type WebHandler,
} from "./mount.ts";
export {
  type Problem,
  problemOfFailure,
  problemOfRefusal,
  type ProblemResponse,
  toProblem,
} from "./problem.ts";
export { sendOutcome, type SendOptions, setMetaHeaders } from "./send.ts";
export { sendProblem } from "./send-problem.ts";
