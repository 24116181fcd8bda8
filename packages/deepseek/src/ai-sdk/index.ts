export {
  type BreakwaterMiddleware,
  breakwaterMiddleware,
  type BreakwaterMiddlewareOptions,
  type WrappedModel,
} from "./middleware.ts";
export type {
  FinishReason,
  LanguageModel,
  ModelAnswer,
  ModelCall,
  ModelParams,
  ModelPart,
  ModelResult,
  ModelStream,
  ModelUsage,
} from "./model.ts";
export { languageModelUpstream } from "./model-upstream.ts";
