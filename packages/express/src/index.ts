export { admin, type AdminHandler } from "./admin.ts";
export { breakwater, inbound, respond, type ToRequest } from "./middleware.ts";
export { errors } from "./errors.ts";
export { openaiRouter } from "./openai-router.ts";
export {
  type AdminGrant,
  type AdminOptions,
  type Authorize,
  basicAuth,
  type ContextOptions,
  detach,
  drain,
  type Drainable,
  type RoutedClient,
  type RouteOptions,
  type SendOptions,
  type ServerDrainOptions,
} from "@breakwater/http";
