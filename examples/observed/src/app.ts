import type { Runtime } from "@breakwater/core";
import { createDeepSeek, type DeepSeek } from "@breakwater/deepseek";
import { admin, basicAuth, breakwater, errors } from "@breakwater/express";
import { logs } from "@breakwater/telemetry";
import { metrics } from "@breakwater/telemetry/prometheus";
import express, { type Express } from "express";
import type { Logger } from "pino";
import { Registry } from "prom-client";

export interface ObservedOptions {
  readonly apiKey: string;
  readonly baseURL: string;
  /** Who may see the admin page and step in: passwords by name. */
  readonly operators: Readonly<Record<string, string>>;
  readonly log: Logger;
  /** @default the real clock */
  readonly runtime?: Runtime;
}

export interface Observed {
  readonly app: Express;
  readonly deepseek: DeepSeek;
  /** Ends what watches the client, and the client. */
  close(): Promise<void>;
}

/** A chat server that can be looked at: with metrics, logs and a page. */
export function createObserved({ operators, log, runtime, ...where }: ObservedOptions): Observed {
  const deepseek = createDeepSeek({ ...where, ...(runtime !== undefined && { runtime }) });

  const watching = metrics(deepseek, { register: new Registry() });
  const stopLogs = logs(deepseek, log);
  const page = admin(deepseek, {
    authorize: basicAuth(operators),
    title: "Observed",
    ...(runtime !== undefined && { runtime }),
  });

  const app = express();
  app.get("/metrics", async (_, res) => {
    res.type(watching.register.contentType).send(await watching.register.metrics());
  });
  app.use("/breakwater", page);

  app.post("/chat", breakwater(), express.json(), async (req, res) => {
    const { question, stream = true } = (req.body ?? {}) as { question: string; stream?: boolean };
    const asked = { messages: [{ role: "user" as const, content: question }] };
    res.type("text/plain");
    if (stream) {
      for await (const { choices } of deepseek.stream(asked)) res.write(choices[0]?.delta.content ?? "");
      res.end();
    } else {
      res.send((await deepseek.chat(asked)).choices[0]?.message.content);
    }
  });
  app.use(errors());

  return {
    app,
    deepseek,
    async close() {
      await deepseek.close();
      await page.close();
      stopLogs();
      watching.close();
    },
  };
}
