import { connect } from "node:net";

/** What Redis says: an error becomes an `Error` inside of a list, and is thrown when it is the whole reply. */
export type Reply = string | number | null | Error | readonly Reply[];

/** Not enough has come yet. */
const MORE: unique symbol = Symbol("more");

interface Read {
  readonly reply: Reply;
  readonly end: number;
}

/** One reply of RESP 2 that starts at `start`. */
function readReply(text: Buffer, start = 0): Read | typeof MORE {
  const lineEnd = text.indexOf("\r\n", start);
  if (lineEnd === -1) return MORE;
  const line = text.toString("utf8", start + 1, lineEnd);
  const after = lineEnd + 2;
  switch (text.toString("latin1", start, start + 1)) {
    case "+":
      return { reply: line, end: after };
    case "-":
      return { reply: new Error(line), end: after };
    case ":":
      return { reply: Number(line), end: after };
    case "$": {
      const length = Number(line);
      if (length === -1) return { reply: null, end: after };
      if (text.length < after + length + 2) return MORE;
      return { reply: text.toString("utf8", after, after + length), end: after + length + 2 };
    }
    case "*":
      return readList(text, after, Number(line));
    default:
      throw new Error(`Redis said ${JSON.stringify(line)}, which is no reply.`);
  }
}

function readList(text: Buffer, start: number, length: number): Read | typeof MORE {
  if (length === -1) return { reply: null, end: start };
  const replies: Reply[] = [];
  let end = start;
  for (let i = 0; i < length; i++) {
    const read = readReply(text, end);
    if (read === MORE) return MORE;
    replies.push(read.reply);
    end = read.end;
  }
  return { reply: replies, end };
}

function writeCommand(parts: readonly (string | number)[]): string {
  const written = parts.map((part) => `$${Buffer.byteLength(String(part))}\r\n${part}\r\n`);
  return `*${parts.length}\r\n${written.join("")}`;
}

/** One command over a connection of its own, so that no client's habits stand between a test and its server. */
export function command(
  port: number,
  parts: readonly (string | number)[],
  timeoutMs = 5_000,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    let text: Buffer = Buffer.alloc(0);
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(timeoutMs, () =>
      fail(new Error(`Redis did not answer ${parts[0]} in ${timeoutMs} ms.`)),
    );
    socket.on("error", fail);
    socket.on("close", () => fail(new Error(`Redis closed the connection before it answered ${parts[0]}.`)));
    socket.on("connect", () => socket.write(writeCommand(parts)));
    socket.on("data", (more: Buffer) => {
      text = Buffer.concat([text, more]);
      try {
        const read = readReply(text);
        if (read === MORE) return;
        if (read.reply instanceof Error) throw read.reply;
        resolve(read.reply);
        socket.destroy();
      } catch (error) {
        fail(error as Error);
      }
    });
  });
}
