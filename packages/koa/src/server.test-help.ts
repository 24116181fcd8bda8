import type { Server } from "node:http";
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

export { post, until, visit } from "@breakwater-internal/visitor";
