import { type IncomingMessage, request, type RequestOptions, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import Koa from "koa";
// @ts-expect-error -- it has no types under this name; those of Koa 3 say what is used of it here
import Koa2 from "koa2";
import { onTestFinished } from "vitest";

/** The versions that are supported. */
export const versions: readonly (readonly [name: string, koa: typeof Koa])[] = [
  ["Koa 3", Koa],
  ["Koa 2", Koa2 as typeof Koa],
];

/** What is used of an app here, whatever its middleware adds to the context. */
interface App {
  on(event: "error", listener: (error: unknown) => void): unknown;
  listen(port: number, host: string, then: () => void): Server;
}

/** An app on a real socket, gone when the test is, and what its listeners were told. */
export async function serve(app: App): Promise<{ url: string; server: Server; told: unknown[] }> {
  const told: unknown[] = [];
  app.on("error", (error) => told.push(error));
  const server = await new Promise<Server>((resolve) => {
    const listening = app.listen(0, "127.0.0.1", () => resolve(listening));
  });
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, told };
}

/** Waits for a condition, a turn of the event loop at a time; the test's own timeout ends it. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** A browser that can leave whenever the test likes. */
export interface Browser {
  /** The next piece of the body. */
  read(): Promise<string>;
  leave(): void;
}

export function browse(url: string, options: RequestOptions = {}, body = ""): Browser {
  const req = request(url, { agent: false, ...options });
  const response = new Promise<IncomingMessage>((resolve) => {
    req.once("response", resolve);
  });
  req.on("error", () => undefined);
  req.end(body);
  return {
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

export const post = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json", ...headers },
  body: typeof body === "string" ? body : JSON.stringify(body),
});
