import OpenAI from "openai";

import type { Column, HostAddress } from "./column.ts";
import { complain, streamOf, textOf } from "./openai.ts";

/** The SDK as it is installed: two retries, ten minutes, nobody listens whether the browser is still there. */
export function sdk({ url, key }: HostAddress): Column {
  const client = new OpenAI({ baseURL: url, apiKey: key });
  return {
    async *ask(question) {
      yield* textOf(await streamOf(client, question));
    },
    complain,
  };
}

/** The SDK in careful hands: more retries, a minute at most for the headers, and a stop when the browser leaves. */
export function sdkTuned({ url, key }: HostAddress): Column {
  const client = new OpenAI({ baseURL: url, apiKey: key, timeout: 60_000, maxRetries: 5 });
  return {
    async *ask(question, signal) {
      yield* textOf(await streamOf(client, question, signal));
    },
    complain,
  };
}
