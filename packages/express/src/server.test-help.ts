import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

import express, { type Express } from "express";
// @ts-expect-error -- it has no types under this name; those of Express 5 say what is used of it here
import express4 from "express4";
import { onTestFinished } from "vitest";

type Make = typeof express;

/** The versions that are supported. */
export const versions: readonly (readonly [name: string, express: Make])[] = [
  ["Express 5", express],
  ["Express 4", express4 as Make],
];

/** An app on a real socket, gone when the test is. */
export async function serve(app: Express): Promise<{ url: string; server: Server }> {
  const server = await new Promise<Server>((resolve) => {
    const listening = app.listen(0, "127.0.0.1", () => resolve(listening));
  });
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

export { post, until, visit } from "@breakwater-internal/visitor";
