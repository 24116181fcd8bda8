import { completionBody, createChunkWriter, streamDone } from "../wire/completion.ts";
import { dialects } from "../wire/dialects.ts";
import { notFound, tooLarge, type ErrorReply } from "../wire/errors.ts";

/** Every answer, made once. */
export interface FastBytes {
  readonly json: Buffer;
  /** The headers of a stream and its first chunk. */
  readonly opening: Buffer;
  /** So many tokens: all of them are alike. */
  tokens(count: number): Buffer;
  readonly closing: Buffer;
  readonly notFound: Buffer;
  readonly tooLarge: Buffer;
}

const head = {
  id: "00000000-0000-4000-8000-000000000000",
  created: 1_795_000_000,
  model: "deepseek-flash",
  fingerprint: "fp_0000000000_prod0820_fp8_kvcache",
  callIds: [],
};
const common = `Server: openresty\r\nx-ds-trace-id: ${"0".repeat(32)}\r\nConnection: keep-alive\r\n`;
const httpChunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

const whole = (status: string, type: string, body: string): Buffer =>
  Buffer.from(
    `HTTP/1.1 ${status}\r\n${common}Content-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
const error = (reason: string, { status, type, body }: ErrorReply): Buffer =>
  whole(`${status} ${reason}`, type, body);

/** The same shapes as the whole simulator, thinking off. */
export function fastBytes(tokenCount: number): FastBytes {
  const dialect = dialects.deepseek;
  const usage = { promptTokens: 10, cacheHitTokens: 0, contentTokens: tokenCount };
  const writer = createChunkWriter(head, { thinking: false, includeUsage: false, dialect });
  const token = httpChunk(writer.content(" token"));
  const all = Buffer.from(token.repeat(tokenCount));
  const content = " token".repeat(tokenCount);
  return {
    json: whole(
      "200 OK",
      "application/json",
      completionBody(head, { content, toolCalls: [], finish: "stop", usage }, dialect),
    ),
    opening: Buffer.from(
      `HTTP/1.1 200 OK\r\n${common}Content-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n` +
        `Transfer-Encoding: chunked\r\n\r\n${httpChunk(writer.role())}`,
    ),
    tokens: (count) => all.subarray(0, count * token.length),
    closing: Buffer.from(`${httpChunk(writer.finish("stop", usage) + streamDone)}0\r\n\r\n`),
    notFound: error("Not Found", notFound()),
    tooLarge: error("Request Entity Too Large", tooLarge()),
  };
}
