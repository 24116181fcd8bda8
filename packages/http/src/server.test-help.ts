import {
  createServer,
  type IncomingMessage,
  type RequestListener,
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

export { turn, until, visit } from "@breakwater-internal/visitor";

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
