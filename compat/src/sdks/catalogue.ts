import type { createDeepSeek as createDeepSeek6 } from "@ai-sdk/deepseek";

import type { AiSdk } from "./ai.ts";
import type { OpenAIClass } from "./openai.ts";
import type { Sdk } from "./sdk.ts";

/** An SDK that is loaded only where it can run. */
interface Entry {
  /** The oldest line of Node that its package names. */
  readonly node: number;
  load(): Promise<Sdk>;
}

/** Every SDK that is tried. The majors differ in types that do not matter here. */
const CATALOGUE: Readonly<Record<string, Entry>> = {
  "openai 6": {
    node: 20,
    async load() {
      const [{ openaiSdk }, { default: OpenAI }] = await Promise.all([
        import("./openai.ts"),
        import("openai"),
      ]);
      return openaiSdk("openai 6", 20, OpenAI);
    },
  },
  "openai 7": {
    node: 22,
    async load() {
      const [{ openaiSdk }, { default: OpenAI }] = await Promise.all([
        import("./openai.ts"),
        import("openai-7"),
      ]);
      return openaiSdk("openai 7", 22, OpenAI as unknown as OpenAIClass);
    },
  },
  "ai 6": { node: 20, load: () => loadAi6("ai 6", "fetch") },
  "ai 6, middleware": { node: 20, load: () => loadAi6("ai 6, middleware", "middleware") },
  "ai 7": { node: 22, load: () => loadAi7("ai 7", "fetch") },
  "ai 7, middleware": { node: 22, load: () => loadAi7("ai 7, middleware", "middleware") },
  langchain: { node: 22, load: async () => (await import("./langchain.ts")).langchain },
};

async function loadAi6(name: string, through: Sdk["through"]): Promise<Sdk> {
  const [{ aiSdk }, ai, { createDeepSeek }] = await Promise.all([
    import("./ai.ts"),
    import("ai"),
    import("@ai-sdk/deepseek"),
  ]);
  return aiSdk(name, 20, ai, createDeepSeek, through);
}

async function loadAi7(name: string, through: Sdk["through"]): Promise<Sdk> {
  const [{ aiSdk }, ai, provider] = await Promise.all([
    import("./ai.ts"),
    import("ai-7"),
    import("@ai-sdk/deepseek-3"),
  ]);
  const createDeepSeek = provider.createDeepSeek as unknown as typeof createDeepSeek6;
  return aiSdk(name, 22, ai as unknown as AiSdk, createDeepSeek, through);
}

const line = Number(process.versions.node.split(".")[0]);

/** Those that this Node can run, and the names of those that it is too old for. */
export const runnable: readonly string[] = Object.keys(CATALOGUE).filter(
  (name) => line >= (CATALOGUE[name] as Entry).node,
);
export const tooNew: readonly string[] = Object.keys(CATALOGUE).filter((name) => !runnable.includes(name));

/** @throws when there is no SDK of this name. */
export function loadSdk(name: string): Promise<Sdk> {
  const entry = CATALOGUE[name];
  if (entry === undefined) throw new Error(`no SDK "${name}": ${Object.keys(CATALOGUE).join(", ")}`);
  return entry.load();
}
