import type { AddressInfo } from "node:net";

import express, { type Response } from "express";

import type { Column } from "./columns/column.ts";
import type { Line } from "./wire.ts";

/** A chat application's server: one route, the same for every column. */
export interface ColumnServer {
  readonly port: number;
  close(): void;
}

export async function serveColumn({ ask, complain, use = [] }: Column): Promise<ColumnServer> {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  for (const handler of use) app.use(handler);
  app.post("/chat", express.json(), async (req, res) => {
    const left = new AbortController();
    res.on("close", () => {
      if (!res.writableFinished) left.abort();
    });
    const say = lineWriter(res);
    try {
      for await (const text of ask(req.body, left.signal)) say({ text });
      say({ done: true });
    } catch (error) {
      say({ error: complain(error) });
    }
    res.end();
  });
  const server = app.listen(0, "127.0.0.1");
  // Longer than any pause between two questions: a socket that dies of age would be an error nobody made.
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", reject);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/**
 * Pieces that come out of one packet of DeepSeek's go into one packet of ours: writing them one by one would be most
 * of the work of this process, which has a tenth of the evening's time for it.
 */
function lineWriter(res: Response): (line: Line) => void {
  let text = "";
  const write = (line: Line): void => {
    if (!res.writableEnded && !res.destroyed) res.write(`${JSON.stringify(line)}\n`);
  };
  const flush = (): void => {
    if (text !== "") write({ text });
    text = "";
  };
  return (line) => {
    if ("text" in line) {
      if (text === "") process.nextTick(flush);
      text += line.text;
      return;
    }
    flush();
    write(line);
  };
}
