export { admin, type AdminMiddleware } from "./admin.ts";
export { breakwater, inbound, respond, type ToRequest } from "./middleware.ts";
export { errors } from "./errors.ts";
export { openaiRouter } from "./openai-router.ts";
export type {
  AdminGrant,
  AdminOptions,
  Authorize,
  ContextOptions,
  RequestContext,
  RoutedClient,
  SendOptions,
} from "@breakwater/http";
export { basicAuth, detach, drain, type Drainable, type ServerDrainOptions } from "@breakwater/http";
