import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

import { SimulatorConfigError } from "../checks.ts";
import { openAgain, type Door } from "./door.ts";
import { piecesOf } from "./pieces.ts";
import { maximumBodyBytes, type Answering, type IncomingCall, type Sink } from "./sink.ts";

/** Serves `answer` over HTTP on 127.0.0.1. Resolves when it listens; port 0 takes a free one. */
export async function openHttpDoor(answer: Answering, wanted: number): Promise<Door> {
  /** Connections whose next request is reset. */
  const spoiled = new WeakSet<Socket>();
  let port = wanted;
  let isWanted = true;
  let opening: Promise<void> | undefined;
  let closing: Promise<void> | undefined;

  const server = createServer((request, response) => {
    if (spoiled.has(request.socket)) return void request.socket.resetAndDestroy();
    const sink = createHttpSink(request, response, door, () => spoiled.add(request.socket));
    readBody(request, (body) => answer(toCall(request, body), sink));
  });
  // Longer than any pause of a load generator: idle sockets that die by themselves would be a fault nobody asked for.
  server.keepAliveTimeout = 75_000;
  server.headersTimeout = 80_000;

  function listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => {
        if (error.code !== "EADDRINUSE") return reject(error);
        reject(
          new SimulatorConfigError(`port: ${port} is in use; write another one, or 0 for any free port`),
        );
      };
      server.once("error", failed);
      // Clients that connect all at once should not wait for their SYN to be sent again.
      server.listen({ port, host: "127.0.0.1", backlog: 4096 }, () => {
        server.off("error", failed);
        ({ port } = server.address() as AddressInfo);
        resolve();
      });
    });
  }

  const door: Door = {
    get port() {
      return port;
    },
    get isOpen() {
      return isWanted;
    },
    shut() {
      isWanted = false;
      if (server.listening) server.close();
    },
    open() {
      isWanted = true;
      if (closing !== undefined) return closing;
      if (server.listening) return Promise.resolve();
      opening ??= listen().finally(() => {
        opening = undefined;
        // It was shut while it was opening.
        if (!isWanted) server.close();
      });
      return opening;
    },
    close() {
      isWanted = false;
      closing ??= (opening ?? Promise.resolve()).then(
        () =>
          new Promise<void>((resolve) => {
            server.close(() => resolve());
            server.closeAllConnections();
          }),
      );
      return closing;
    },
  };
  await listen();
  return door;
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

function createHttpSink(
  request: IncomingMessage,
  response: ServerResponse,
  door: Door,
  spoil: () => void,
): Sink {
  const { socket } = request;
  let over = false;
  let gone: (() => void) | undefined;
  let pieceBytes = Infinity;
  /** Pieces that wait for their turn, the next of them, and what comes after the last. */
  let waiting: Uint8Array[] = [];
  let next = 0;
  let last: (() => void) | undefined;

  response.on("error", () => {});
  response.on("close", () => {
    waiting = [];
    if (over) return;
    over = true;
    gone?.();
  });

  /** One piece a turn, so that each is a packet of its own. */
  function writeNext(): void {
    const piece = waiting[next++];
    if (piece !== undefined) response.write(piece);
    if (next < waiting.length) return void setImmediate(writeNext);
    waiting = [];
    next = 0;
    last?.();
  }

  function finish(action: () => void): void {
    if (over) return;
    over = true;
    if (waiting.length === 0) action();
    else last = action;
  }

  // The bytes of this turn are handed to the kernel first.
  const soon = (action: () => void) => () => void setImmediate(action);

  return {
    head(status, headers) {
      if (!over) response.writeHead(status, headers);
    },
    flush() {
      if (!over) response.flushHeaders();
    },
    write(text) {
      if (over) return;
      if (pieceBytes === Infinity) return void response.write(text);
      const idle = waiting.length === 0;
      for (const piece of piecesOf(Buffer.from(text), pieceBytes)) waiting.push(piece);
      if (idle) setImmediate(writeNext);
    },
    split(bytes) {
      pieceBytes = bytes;
    },
    backlog: () => response.writableLength,
    end: () => finish(() => response.end()),
    hangUp: () => finish(soon(() => socket.destroySoon())),
    reset: () => finish(soon(() => socket.resetAndDestroy())),
    refuse() {
      door.shut();
      finish(soon(() => socket.resetAndDestroy()));
      return () => openAgain(door);
    },
    spoil,
    onClientGone(callback) {
      if (socket.destroyed && !over) {
        over = true;
        setImmediate(callback);
      } else gone = callback;
    },
  };
}
