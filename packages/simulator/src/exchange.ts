import type { Edit } from "./faults/fault.ts";
import type { Sink } from "./sink/sink.ts";
import { keepAliveJson } from "./wire/completion.ts";
import { spoken, type Dialect } from "./wire/dialects.ts";
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
  hangUp(): void;
  reset(): void;
  refuse(): () => void;
  /** Changes what is sent from now on. To be called before anything is. */
  alter(changes: Alterations): void;
}

/** How an answer differs from what its request deserves. */
interface Alterations {
  readonly asJson?: boolean | undefined;
  readonly wrongType?: boolean | undefined;
  readonly edit?: Edit | undefined;
  readonly fragment?: { readonly bytes: number; readonly crlf: boolean } | undefined;
  /** The next request on this connection is reset. */
  readonly stale?: boolean | undefined;
}

/** Changes the events of one write, or a JSON body; comments and blank lines stay as they are. */
function editorOf(edit: Edit): (text: string) => string {
  let index = 0;
  return (text) => {
    if (text.startsWith("{")) return edit(text, index++);
    return text.replaceAll(/data: .*?\n\n/gs, (event) => edit(event, index++));
  };
}

/** The headers of the first that the second does not have, whatever the case of their names. */
function withoutThose(
  headers: Readonly<Record<string, string>> = {},
  others: Readonly<Record<string, string>>,
): Record<string, string> {
  const taken = new Set(Object.keys(others).map((name) => name.toLowerCase()));
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !taken.has(name.toLowerCase())));
}

export function createExchange(
  sink: Sink,
  traceId: string,
  wantsStream: boolean,
  dialect: Dialect,
): Exchange {
  let streaming = wantsStream;
  let wrongType = false;
  let edited: ((text: string) => string) | undefined;
  let crlf = false;
  let status = 0;
  let bytes = 0;

  function send(code: number, headers: Readonly<Record<string, string>>): void {
    status = code;
    sink.head(code, { Server: "openresty", "x-ds-trace-id": traceId, ...headers });
  }

  const exchange: Exchange = {
    get streaming() {
      return streaming;
    },
    get status() {
      return status;
    },
    get bytes() {
      return bytes;
    },
    reply(error, headers = {}) {
      const said = spoken(error, dialect);
      const length = Buffer.byteLength(said.body);
      bytes += length;
      const type = { "Content-Type": said.type, "Content-Length": String(length) };
      // Names without case: a header of the fault takes the place of the host's own.
      send(said.status, { ...type, ...withoutThose(said.headers, headers), ...headers });
      if (length > 0) sink.write(said.body);
      sink.end();
    },
    // No length, also for JSON: the headers leave before the outcome is known, so the body is always chunked.
    head() {
      if (status !== 0) return;
      send(200, {
        "Content-Type": streaming === wrongType ? "application/json" : "text/event-stream; charset=utf-8",
        ...(streaming ? { "Cache-Control": "no-cache" } : {}),
      });
    },
    flush() {
      exchange.head();
      sink.flush();
    },
    write(text) {
      if (text === "") return;
      exchange.head();
      let sent = edited === undefined ? text : edited(text);
      if (crlf) sent = sent.replaceAll("\n", "\r\n");
      if (sent === "") return;
      bytes += Buffer.byteLength(sent);
      sink.write(sent);
    },
    keepAlive: () => exchange.write(streaming ? dialect.keepAlive : keepAliveJson),
    end() {
      exchange.head();
      sink.end();
    },
    hangUp: () => sink.hangUp(),
    reset: () => sink.reset(),
    refuse: () => sink.refuse(),
    alter(changes) {
      if (changes.asJson === true) streaming = false;
      wrongType = changes.wrongType === true;
      if (changes.edit !== undefined) edited = editorOf(changes.edit);
      if (changes.fragment !== undefined) {
        ({ crlf } = changes.fragment);
        sink.split(changes.fragment.bytes);
      }
      if (changes.stale === true) sink.spoil();
    },
  };
  return exchange;
}
