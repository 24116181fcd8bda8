import {
  createServer,
  type IncomingMessage,
  request,
  type RequestListener,
  type RequestOptions,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

import { onTestFinished } from "vitest";

/** A server on a real socket, gone when the test is. */
export async function serve(listen: RequestListener): Promise<{ url: string; server: Server }> {
  const server = createServer(listen);
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

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

export function browse(url: string, options: RequestOptions = {}, body?: string): Browser {
  const req = request(url, { agent: false, ...options });
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    req.once("response", resolve);
    req.once("error", reject);
  });
  response.catch(() => undefined);
  req.on("error", () => undefined);
  if (body === undefined) req.end();
  else req.write(body);
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

/** A listener that fails its test instead of the process. */
export function listener(f: (req: IncomingMessage, res: ServerResponse) => unknown): {
  readonly listen: RequestListener;
  readonly thrown: unknown[];
} {
  const thrown: unknown[] = [];
  const listen: RequestListener = (req, res) => {
    Promise.resolve()
      .then(() => f(req, res))
      .catch((error: unknown) => {
        thrown.push(error);
        if (!res.headersSent) res.statusCode = 599;
        res.end();
      });
  };
  return { listen, thrown };
}
