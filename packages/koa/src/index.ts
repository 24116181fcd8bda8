export { breakwater, inbound, respond, type ToRequest } from "./middleware.ts";
export { errors } from "./errors.ts";
export { openaiRouter } from "./openai-router.ts";
export type { ContextOptions, RequestContext, RoutedClient, SendOptions } from "@breakwater/http";
export { detach, drain, type Drainable, type ServerDrainOptions } from "@breakwater/http";
