import { createServer, type AddressInfo, type Socket } from "node:net";

import { checkFields, checkNumber, SimulatorConfigError } from "../checks.ts";
import { createRealClock } from "../clock.ts";
import { fastBytes } from "./bytes.ts";
import { createRequestReader, type FastRequest } from "./requests.ts";

/** Options of `startFastSimulator`. All of them may be left out. */
export interface FastOptions {
  /** Port on 127.0.0.1; 0 takes a free one. @default 0 */
  port?: number;
  /** Length of every answer. @default 50 */
  tokens?: number;
  /** Speed of every stream; a JSON answer comes at once. @default 50 */
  tokensPerSecond?: number;
  /**
   * All streams are written once in so many milliseconds, each with whatever became due. What a stream costs is its
   * writes: for thousands of streams write 100. @default 20
   */
  tickMs?: number;
}

/** A running fast simulator. */
export interface FastSimulator {
  /** `http://127.0.0.1:<port>`, the base URL for clients. */
  readonly url: string;
  readonly port: number;
  /** Requests answered, streams that have ended included. */
  readonly served: number;
  /** Streams being written now. */
  readonly streaming: number;
  /** Breaks every connection and frees the port. Calling it again returns the same promise. */
  close(): Promise<void>;
}

/**
 * Starts an upstream for load runs, which must not be the bottleneck itself: it answers every chat completion with the
 * same bytes, made once. It reads no JSON, checks no key, counts no money and knows no faults, so it is a function of its
 * own: as a mode of `startSimulator` it would have to ignore nearly all of its options. Requests need a content length.
 *
 * @example
 * ```ts
 * import { startFastSimulator } from "@breakwater/simulator";
 *
 * const upstream = await startFastSimulator({ tokens: 20, tokensPerSecond: 200 });
 * const response = await fetch(`${upstream.url}/chat/completions`, { method: "POST", body: "{}" });
 * const { usage } = (await response.json()) as { usage: { completion_tokens: number } };
 * usage.completion_tokens; // => 20
 * await upstream.close();
 * ```
 */
export async function startFastSimulator(options: FastOptions = {}): Promise<FastSimulator> {
  const { port, tokens, tokensPerSecond, tickMs } = checkOptions(options);
  const bytes = fastBytes(tokens);
  const clock = createRealClock({ scale: 1, tickMs });
  const sockets = new Set<Socket>();
  const streams = new Map<Socket, { readonly since: number; sent: number; end(): void }>();
  let served = 0;
  let armed = false;
  let closing: Promise<void> | undefined;

  /** Writes to every stream what is due. */
  function tick(): void {
    armed = false;
    const now = clock.now();
    for (const [socket, stream] of streams) {
      const due = Math.min(tokens, Math.floor(((now - stream.since) * tokensPerSecond) / 1000));
      if (due > stream.sent) socket.write(bytes.tokens(due - stream.sent));
      stream.sent = Math.max(due, stream.sent);
      if (stream.sent < tokens) continue;
      streams.delete(socket);
      served += 1;
      socket.write(bytes.closing);
      stream.end();
    }
    arm();
  }

  function arm(): void {
    if (armed || streams.size === 0) return;
    armed = true;
    clock.after(tickMs, tick);
  }

  function serve(socket: Socket): void {
    /** Requests behind the one whose stream is being written: rare, since clients do not pipeline. */
    let waiting: FastRequest[] = [];

    function answer(request: FastRequest): void {
      if (streams.has(socket)) {
        waiting.push(request);
        socket.pause();
      } else if (request === "stream") {
        socket.write(bytes.opening);
        streams.set(socket, { since: clock.now(), sent: 0, end });
        arm();
      } else if (request === "unreadable") socket.destroy();
      else {
        served += 1;
        socket.write(
          request === "json" ? bytes.json : request === "unknown" ? bytes.notFound : bytes.tooLarge,
        );
        if (request === "tooLarge") socket.end();
      }
    }

    function end(): void {
      const next = waiting;
      waiting = [];
      socket.resume();
      for (const request of next) answer(request);
    }

    const reader = createRequestReader(answer);
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("data", (part: Buffer) => reader.push(part));
    socket.on("error", () => {});
    socket.on("close", () => {
      sockets.delete(socket);
      streams.delete(socket);
    });
  }

  const server = createServer(serve);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EADDRINUSE") return reject(error);
      reject(new SimulatorConfigError(`port: ${port} is in use; write another one, or 0 for any free port`));
    });
    // Load generators connect all at once.
    server.listen({ port, host: "127.0.0.1", backlog: 4096 }, resolve);
  });
  const { port: taken } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${taken}`,
    port: taken,
    get served() {
      return served;
    },
    get streaming() {
      return streams.size;
    },
    close() {
      closing ??= new Promise((resolve) => {
        clock.stop();
        streams.clear();
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      });
      return closing;
    },
  };
}

function checkOptions(options: FastOptions): Required<FastOptions> {
  checkFields("options", options, ["port", "tokens", "tokensPerSecond", "tickMs"]);
  const { port = 0, tokens = 50, tokensPerSecond = 50, tickMs = 20 } = options;
  return {
    port: checkNumber("port", port, {
      min: 0,
      max: 65_535,
      integer: true,
      example: "4141 (0 takes a free one)",
    }),
    tokens: checkNumber("tokens", tokens, { min: 0, max: 100_000, integer: true, example: "50" }),
    tokensPerSecond: checkNumber("tokensPerSecond", tokensPerSecond, { min: 0, above: true, example: "50" }),
    tickMs: checkNumber("tickMs", tickMs, { min: 1, max: 1000, example: "20" }),
  };
}
