import { type IncomingMessage, request, type RequestOptions } from "node:http";

import type { INestApplicationContext } from "@nestjs/common";

/** Waits for a condition, a turn of the event loop at a time; the test's own timeout ends it. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** A browser that can leave whenever the test likes. */
export interface Browser {
  readonly response: Promise<IncomingMessage>;
  /** The next piece of the body. */
  read(): Promise<string>;
  leave(): void;
}

export function browse(url: string, options: RequestOptions = {}, body = ""): Browser {
  const req = request(url, { agent: false, ...options });
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    req.once("response", resolve);
    req.once("error", reject);
  });
  response.catch(() => undefined);
  req.on("error", () => undefined);
  req.end(body);
  return {
    response,
    async read() {
      const res = await response;
      for (;;) {
        const chunk = res.read() as Buffer | null;
        if (chunk !== null) return chunk.toString();
        await new Promise((resolve) => {
          res.once("readable", resolve);
        });
      }
    },
    leave: () => void req.destroy(),
  };
}

type Loud = Pick<INestApplicationContext, "useLogger">;

/** What an application logs as its errors, in place of the console: `serve(…, platform, log.listen)`. */
export function errorLog(): { readonly errors: unknown[]; readonly listen: (app: Loud) => void } {
  const errors: unknown[] = [];
  const listen = (app: Loud): void =>
    app.useLogger({ log() {}, warn() {}, error: (message: unknown) => void errors.push(message) });
  return { errors, listen };
}
