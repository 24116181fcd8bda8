import { fileURLToPath } from "node:url";

import { deepseekFetch } from "@breakwater/deepseek";
import { breakwater } from "@breakwater/express";
import express, { type Express } from "express";
import OpenAI from "openai";

type Message = OpenAI.ChatCompletionMessageParam;

export function createApp({ apiKey, baseURL }: { apiKey: string; baseURL: string }): Express {
  const openai = new OpenAI({
    apiKey,
    baseURL,
    fetch: deepseekFetch(),
  });
  const app = express();
  app.use(breakwater());
  app.use(express.static(fileURLToPath(new URL("../public", import.meta.url))));
  app.use(express.json());

  app.post("/chat", async (req, res) => {
    const { messages } = (req.body ?? {}) as { messages: Message[] };
    const stream = await openai.chat.completions.create({ model: "deepseek-flash", messages, stream: true });
    res.type("text/plain");
    for await (const chunk of stream) res.write(chunk.choices[0]?.delta.content ?? "");
    res.end();
  });
  return app;
}
