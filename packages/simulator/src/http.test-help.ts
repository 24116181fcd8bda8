import { connect, type Socket } from "node:net";

import { startSimulator, type ChatRequest, type Simulator, type SimulatorOptions } from "./index.ts";

/** A short request whose answer has `reasoning` and `content` tokens. */
export function chat(
  content: string,
  tokens = "reasoning=4,content=6",
  more: Partial<ChatRequest> = {},
): ChatRequest {
  return {
    model: "deepseek-flash",
    messages: [{ role: "user", content }],
    metadata: { sim: tokens },
    ...more,
  };
}

export function headersOf(simulator: Simulator, more: Record<string, string> = {}): Record<string, string> {
  return { authorization: `Bearer ${simulator.key}`, "content-type": "application/json", ...more };
}

export function post(
  simulator: Simulator,
  body: unknown,
  headers: Record<string, string> = {},
  init: RequestInit = {},
): Promise<Response> {
  return fetch(`${simulator.url}/chat/completions`, {
    ...init,
    method: "POST",
    headers: headersOf(simulator, headers),
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

/** Runs `use` with a simulator that is closed afterwards, whatever happens. Fast by default. */
export async function withSimulator<T>(
  options: SimulatorOptions,
  use: (simulator: Simulator) => Promise<T>,
): Promise<T> {
  const simulator = await startSimulator({ timeScale: 0.001, tickMs: 1, ...options });
  try {
    return await use(simulator);
  } finally {
    await simulator.close();
  }
}

/** Waits until `condition` holds; gives up after ten seconds, so that a broken test ends. */
export async function until(condition: () => boolean): Promise<void> {
  const giveUp = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > giveUp) throw new Error(`Waited in vain until ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** What came over a socket that knows nothing of HTTP clients. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  /** HTTP chunks as they came: one write of the simulator is one chunk. */
  readonly chunks: readonly string[];
  readonly body: string;
  /**
   * `end`: the terminating chunk or the whole length came; `fin`: the connection was closed before that; `reset`:
   * ECONNRESET; `open`: nothing more came.
   */
  readonly ending: "end" | "fin" | "reset" | "open";
}

/** Posts over a bare socket. `until` ends an answer that would never end. */
export function rawPost(
  simulator: Simulator,
  body: unknown,
  headers: Record<string, string> = {},
  stop: (received: string) => boolean = () => false,
): Promise<RawAnswer> {
  const text = JSON.stringify(body);
  const lines = Object.entries({
    ...headersOf(simulator),
    ...headers,
    "content-length": String(Buffer.byteLength(text)),
  });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(simulator.port, "127.0.0.1");
    let received = "";
    const settle = (ending: RawAnswer["ending"]): void => {
      socket.destroy();
      resolve(parse(received, ending));
    };
    socket.setEncoding("utf8");
    socket.on("connect", () =>
      socket.write(`POST /chat/completions HTTP/1.1\r\nhost: simulator\r\n${head}\r\n${text}`),
    );
    socket.on("data", (part: string) => {
      received += part;
      if (isWhole(received)) settle("end");
      else if (stop(received)) settle("open");
    });
    socket.on("end", () => settle("fin"));
    socket.on("error", (error: NodeJS.ErrnoException) =>
      error.code === "ECONNRESET" ? settle("reset") : reject(error),
    );
  });
}

function isWhole(received: string): boolean {
  const split = received.indexOf("\r\n\r\n");
  if (split < 0) return false;
  const length = /\r\ncontent-length: (\d+)/i.exec(received.slice(0, split))?.[1];
  if (length !== undefined) return Buffer.byteLength(received.slice(split + 4)) >= Number(length);
  return received.endsWith("\r\n0\r\n\r\n");
}

function parse(received: string, ending: RawAnswer["ending"]): RawAnswer {
  const split = received.indexOf("\r\n\r\n");
  if (split < 0) return { status: 0, headers: {}, chunks: [], body: "", ending };
  const [statusLine = "", ...lines] = received.slice(0, split).split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 2)]),
  );
  let rest = received.slice(split + 4);
  const chunks: string[] = [];
  if (headers["transfer-encoding"] === "chunked") {
    for (let size = /^([0-9a-f]+)\r\n/.exec(rest); size !== null; size = /^([0-9a-f]+)\r\n/.exec(rest)) {
      // The bodies of these tests are ASCII: characters are bytes.
      const length = Number.parseInt(size[1] as string, 16);
      if (length > 0) chunks.push(rest.slice(size[0].length, size[0].length + length));
      rest = rest.slice(size[0].length + length + 2);
    }
  } else chunks.push(rest);
  return { status: Number(statusLine.split(" ")[1]), headers, chunks, body: chunks.join(""), ending };
}

/** The parts of a stream: comments, events and anything else, as they came. */
export function eventsOf(body: string): string[] {
  return body.split("\n\n").filter((part) => part !== "");
}

/** Text, reasoning and finish reason of a stream, read by a parser that shares nothing with the simulator. */
export function readStream(body: string): {
  content: string;
  reasoning: string;
  finish: string | null;
  done: boolean;
} {
  const result = { content: "", reasoning: "", finish: null as string | null, done: false };
  for (const event of eventsOf(body)) {
    if (!event.startsWith("data: ")) continue;
    const data = event.slice("data: ".length);
    if (data === "[DONE]") result.done = true;
    else if (data.startsWith("{")) addChunk(result, data);
  }
  return result;
}

function addChunk(result: { content: string; reasoning: string; finish: string | null }, data: string): void {
  let chunk: {
    choices?: {
      delta: { content?: string | null; reasoning_content?: string | null };
      finish_reason: string | null;
    }[];
  };
  try {
    chunk = JSON.parse(data) as typeof chunk;
  } catch {
    return;
  }
  const choice = chunk.choices?.[0];
  result.content += choice?.delta.content ?? "";
  result.reasoning += choice?.delta.reasoning_content ?? "";
  result.finish = choice?.finish_reason ?? result.finish;
}
