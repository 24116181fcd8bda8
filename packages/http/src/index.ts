export {
  type Admin,
  admin,
  type AdminGrant,
  type AdminOptions,
  type AdminPathOptions,
  type AdminPlace,
  type AdminRoute,
  type AdminState,
  type Authorize,
  basicAuth,
  type ClientState,
  type ClientStats,
  createAdminRoute,
  type InstanceState,
  type Percentiles,
  type PolicyState,
  readAdminPath,
  type RecentEvent,
  type Series,
  type SeriesPoint,
} from "./admin/index.ts";
export { answerRequest } from "./answer.ts";
export { problemOfBody, problemOfParser } from "./body.ts";
export { ClientGoneError, clientSignal, isGone, isLeave } from "./client-gone.ts";
export {
  type ContextOptions,
  detach,
  extendContext,
  extendContextOf,
  openContext,
  type RequestContext,
} from "./context.ts";
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
export { checkContextOptions, checkRoute } from "./options.ts";
export { createOpenAIRoute, type OpenAIRoute, type RoutedClient, type RouteOptions } from "./openai-route.ts";
export { paced } from "./paced.ts";
export {
  type Problem,
  problemOfFailure,
  problemOfRefusal,
  type ProblemResponse,
  streamFailed,
  toProblem,
} from "./problem.ts";
export { type Reply, sendOutcome, type SendOptions, setMetaHeaders } from "./send.ts";
export { sendProblem, setProblemHead } from "./send-problem.ts";
