import { createDeepSeek as createDeepSeek6 } from "@ai-sdk/deepseek";
import { createDeepSeek as createDeepSeek7 } from "@ai-sdk/deepseek-3";
import { fallback } from "@breakwater/core";
import { breakwaterMiddleware, languageModelUpstream } from "@breakwater/deepseek/ai-sdk";
import { wrapLanguageModel as wrap6 } from "ai";
import { wrapLanguageModel as wrap7 } from "ai-7";

// The middleware fits both versions without a word about which: it is inferred from where it is put.
const model6 = createDeepSeek6()("deepseek-chat");
const model7 = createDeepSeek7()("deepseek-chat");
wrap6({ model: model6, middleware: breakwaterMiddleware() });
wrap7({ model: model7, middleware: breakwaterMiddleware() });

breakwaterMiddleware({ policies: [fallback({ to: languageModelUpstream(model6) })] });
breakwaterMiddleware({ policies: [fallback({ to: languageModelUpstream(model7) })] });
