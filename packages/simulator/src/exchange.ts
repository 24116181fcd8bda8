import type { Sink } from "./sink/sink.ts";
import { keepAliveJson, keepAliveStream } from "./wire/completion.ts";
import type { ErrorReply } from "./wire/errors.ts";

/** One answer on its way: adds the headers that every answer has, and counts. */
export interface Exchange {
  readonly streaming: boolean;
  /** 0 until the status line is written. */
  readonly status: number;
  /** Bytes of the body so far. */
  readonly bytes: number;
  reply(error: ErrorReply, headers?: Readonly<Record<string, string>>): void;
  /** 200 and the headers of a healthy answer; once is enough, more do nothing. */
  head(): void;
  /** `head`, and out with it. */
  flush(): void;
  write(text: string): void;
  keepAlive(): void;
  end(): void;
  reset(): void;
}

export function createExchange(sink: Sink, traceId: string, streaming: boolean): Exchange {
  let status = 0;
  let bytes = 0;

  function send(code: number, headers: Readonly<Record<string, string>>): void {
    status = code;
    sink.head(code, { Server: "openresty", "x-ds-trace-id": traceId, ...headers });
  }

  const exchange: Exchange = {
    streaming,
    get status() {
      return status;
    },
    get bytes() {
      return bytes;
    },
    reply(error, headers = {}) {
      const length = Buffer.byteLength(error.body);
      bytes += length;
      send(error.status, { "Content-Type": error.type, "Content-Length": String(length), ...headers });
      if (length > 0) sink.write(error.body);
      sink.end();
    },
    // No length, also for JSON: the headers leave before the outcome is known, so the body is always chunked.
    head() {
      if (status !== 0) return;
      if (streaming)
        send(200, { "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache" });
      else send(200, { "Content-Type": "application/json" });
    },
    flush() {
      exchange.head();
      sink.flush();
    },
    write(text) {
      if (text === "") return;
      exchange.head();
      bytes += Buffer.byteLength(text);
      sink.write(text);
    },
    keepAlive: () => exchange.write(streaming ? keepAliveStream : keepAliveJson),
    end() {
      exchange.head();
      sink.end();
    },
    reset: () => sink.reset(),
  };
  return exchange;
}
