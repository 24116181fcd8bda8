import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

import { maximumBodyBytes, type Answering, type IncomingCall, type Sink } from "./sink.ts";

/** Serves `answer` over HTTP. */
export function createHttpServer(answer: Answering): Server {
  const server = createServer((request, response) => {
    const sink = createHttpSink(request, response);
    readBody(request, (body) => answer(toCall(request, body), sink));
  });
  // Longer than any pause of a load generator: idle sockets that die by themselves would be a fault nobody asked for.
  server.keepAliveTimeout = 75_000;
  server.headersTimeout = 80_000;
  return server;
}

function toCall(request: IncomingMessage, body: IncomingCall["body"]): IncomingCall {
  const target = request.url ?? "/";
  const mark = target.indexOf("?");
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return {
    method: request.method ?? "GET",
    path: mark < 0 ? target : target.slice(0, mark),
    query: new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1)),
    headers,
    body,
  };
}

/** A body that is too large is read to its end and dropped: the connection stays usable and the answer arrives. */
function readBody(request: IncomingMessage, done: (body: IncomingCall["body"]) => void): void {
  let parts: Buffer[] = [];
  let bytes = 0;
  let settled = false;
  const settle = (body: IncomingCall["body"]): void => {
    if (settled) return;
    settled = true;
    parts = [];
    done(body);
  };
  request.on("data", (part: Buffer) => {
    bytes += part.length;
    if (bytes > maximumBodyBytes) settle(undefined);
    else parts.push(part);
  });
  request.on("end", () => settle(Buffer.concat(parts).toString("utf8")));
  // A client that leaves while it still sends: there is nobody to answer.
  request.on("error", () => {
    settled = true;
  });
}

function createHttpSink(request: IncomingMessage, response: ServerResponse): Sink {
  let over = false;
  let gone: (() => void) | undefined;

  response.on("error", () => {});
  response.on("close", () => {
    if (over) return;
    over = true;
    gone?.();
  });

  return {
    head(status, headers) {
      if (!over) response.writeHead(status, headers);
    },
    flush() {
      if (!over) response.flushHeaders();
    },
    write(text) {
      if (!over) response.write(text);
    },
    end() {
      if (over) return;
      over = true;
      response.end();
    },
    reset() {
      if (over) return;
      over = true;
      // The bytes of this turn are handed to the kernel first.
      setImmediate(() => request.socket.resetAndDestroy());
    },
    onClientGone(callback) {
      if (request.socket.destroyed && !over) {
        over = true;
        setImmediate(callback);
      } else gone = callback;
    },
  };
}
