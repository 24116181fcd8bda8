import { Agent, type IncomingMessage, request, type RequestOptions } from "node:http";

/** Waits for a condition, a turn of the event loop at a time. */
export async function until(holds: () => boolean): Promise<void> {
  // Not a measure of anything: a little less than a test's own limit, so that it says what never came.
  const end = performance.now() + 25_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`It never came to this: ${holds.toString()}`);
    await turn();
  }
}

export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** A client that reads what it likes, and leaves when it likes. */
export interface Visit {
  readonly response: Promise<IncomingMessage>;
  /** Whether it came over a connection that another request had used. */
  reused(): boolean;
  /** The next event of a stream; nothing behind it is read. */
  event(): Promise<Event>;
  /** The next piece of the body; `""` after the last one. Nothing else is read. */
  read(): Promise<string>;
  /** All of the body, from here on. Rejects where the connection was cut. */
  rest(): Promise<string>;
  /** The whole of it as `fetch` would give it. */
  fetched(): Promise<Response>;
  leave(): void;
}

export interface VisitOptions extends Pick<RequestOptions, "method" | "headers" | "agent" | "socketPath"> {
  readonly body?: string;
  /** Leaves the body unfinished. */
  readonly unfinished?: boolean;
}

export function visit(url: string, options: VisitOptions = {}): Visit {
  const { body, unfinished = false, ...others } = options;
  const req = request(url, { agent: false, ...others });
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    req.once("response", resolve);
    req.once("error", reject);
  });
  response.catch(() => undefined);
  // What comes after the first one: whoever reads is told by the response.
  req.on("error", () => undefined);
  if (unfinished) req.write(body ?? "");
  else req.end(body);
  const read = async (): Promise<string> => {
    const res = await response;
    for (;;) {
      const chunk = res.read() as Buffer | null;
      if (chunk !== null) return chunk.toString();
      if (res.readableEnded) return "";
      if (res.destroyed) throw new Error("the connection was cut");
      await new Promise<void>((resolve) => {
        const on = (): void => {
          for (const event of ["readable", "end", "close"]) res.off(event, on);
          resolve();
        };
        for (const event of ["readable", "end", "close"]) res.once(event, on);
      });
    }
  };
  let kept = "";
  const some = async (): Promise<string> => {
    const piece = await read();
    if (piece === "") throw new Error(`the stream has ended: ${JSON.stringify(kept)}`);
    return piece;
  };
  const rest = async (): Promise<string> => {
    let all = kept;
    for (let piece = await read(); piece !== ""; piece = await read()) all += piece;
    return all;
  };
  return {
    response,
    reused: () => req.reusedSocket,
    read,
    async event() {
      for (;;) {
        const end = kept.indexOf("\n\n") + 2;
        if (end < 2) kept += await some();
        else {
          const [event] = eventsOf(kept.slice(0, end));
          kept = kept.slice(end);
          if (event !== undefined) return event;
        }
      }
    },
    rest,
    async fetched() {
      const { statusCode: status, headers } = await response;
      return new Response(await rest(), {
        status: status as number,
        headers: headers as Record<string, string>,
      });
    },
    leave: () => void req.destroy(),
  };
}

/** One connection that is used again where the server lets it. */
export function oneConnection(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 1 });
}

export const post = (body: unknown, headers: Readonly<Record<string, string>> = {}): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json", ...headers },
  body: typeof body === "string" ? body : JSON.stringify(body),
});

/** One server-sent event; its data as JSON where it is some. */
export interface Event {
  readonly event?: string;
  readonly data: unknown;
}

/** What a browser's `EventSource` makes of the bytes. Throws where a frame is none. */
export function eventsOf(text: string): Event[] {
  if (!text.endsWith("\n\n")) throw new Error(`the last event is not complete: ${JSON.stringify(text)}`);
  return text
    .split("\n\n")
    .map((frame) => fieldsOf(frame))
    .filter((fields) => fields.has("data"))
    .map((fields) => {
      const event = fields.get("event");
      return { ...(event !== undefined && { event }), data: parsed(fields.get("data") as string) };
    });
}

function fieldsOf(frame: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of frame.split("\n").filter((each) => each !== "" && !each.startsWith(":"))) {
    const [, name, value] = /^(data|event|id|retry): (.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined)
      throw new Error(`no field of an event: ${JSON.stringify(line)}`);
    fields.set(name, fields.has(name) ? `${fields.get(name)}\n${value}` : value);
  }
  return fields;
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}
