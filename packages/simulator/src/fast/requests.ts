import { maximumBodyBytes } from "../sink/sink.ts";

/** What a connection asked for; `tooLarge` and `unreadable` are the last things that are read from it. */
export type FastRequest = "json" | "stream" | "unknown" | "tooLarge" | "unreadable";

const headEnd = Buffer.from("\r\n\r\n");
const maximumHeadBytes = 64 * 1024;
const wantsStream = /"stream"\s*:\s*true/;
/** As much as may stand between two parts of a body of what says that a stream is wanted. */
const overlap = 24;

/**
 * Reads requests from the bytes of one connection without parsing what is not needed: the first line, the content length,
 * and whether a stream is wanted. The body is counted and not kept.
 */
export function createRequestReader(found: (request: FastRequest) => void): {
  /** Bytes that have come. */
  push(part: Buffer): void;
} {
  let head: Buffer = Buffer.alloc(0);
  let left = 0;
  let inBody = false;
  let kind: FastRequest = "unknown";
  let tail = "";
  let over = false;

  function readHead(): Buffer | undefined {
    const end = head.indexOf(headEnd);
    if (end < 0) {
      if (head.length > maximumHeadBytes) stop("unreadable");
      return undefined;
    }
    const text = head.toString("latin1", 0, end + 2);
    const rest = head.subarray(end + headEnd.length);
    head = Buffer.alloc(0);
    const isChat = /^POST [^ ]*\/chat\/completions[ ?]/.test(text);
    const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(text)?.[1];
    // A body without a length would have to be parsed.
    if (length === undefined && /\r\ntransfer-encoding:/i.test(text)) return stop("unreadable");
    left = Number(length ?? 0);
    if (left > maximumBodyBytes) return stop("tooLarge");
    kind = isChat ? "json" : "unknown";
    inBody = true;
    tail = "";
    return rest;
  }

  function stop(last: FastRequest): undefined {
    over = true;
    found(last);
  }

  return {
    push(part) {
      let bytes: Buffer | undefined = part;
      while (bytes !== undefined && !over) {
        if (!inBody) {
          head = head.length === 0 ? bytes : Buffer.concat([head, bytes]);
          bytes = readHead();
          if (bytes === undefined) return;
        }
        const body: Buffer = bytes.subarray(0, left);
        bytes = bytes.subarray(body.length);
        left -= body.length;
        if (kind === "json") {
          const text = tail + body.toString("latin1");
          if (wantsStream.test(text)) kind = "stream";
          tail = text.slice(-overlap);
        }
        if (left > 0) return;
        inBody = false;
        found(kind);
        if (bytes.length === 0) return;
      }
    },
  };
}
