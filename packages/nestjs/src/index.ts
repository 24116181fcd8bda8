export {
  BreakwaterModule,
  type BreakwaterAsyncOptions,
  type BreakwaterOptionsFactory,
  InjectClient,
  InjectPipeline,
} from "./module.ts";
export {
  type BreakwaterOptions,
  type FeatureOptions,
  getClientToken,
  getPipelineToken,
  type ModuleAdminOptions,
  type NamedClient,
  type PipelineLike,
  type RequestOptions,
} from "./options.ts";
export { BreakwaterRegistry } from "./registry.ts";
export type { UseOptions } from "./decorated.ts";
export { type UseDecorator, UsePipeline, UsePolicies } from "./use.ts";
export { CallSignal, callSignal } from "./signal.ts";
export { type AroundOptions, BreakwaterInterceptor } from "./interceptor.ts";
export { BreakwaterGuard, Inbound, SkipInbound } from "./guard.ts";
export { BreakwaterFilter } from "./filter.ts";
export { BreakwaterException } from "./exception.ts";
export {
  BreakwaterHealthIndicator,
  type HealthDetail,
  type HealthOptions,
  type HealthReport,
} from "./health.ts";
export { toObservable } from "./streams.ts";
export { type AdminGrant, type AdminOptions, type Authorize, basicAuth, detach } from "@breakwater/http";
