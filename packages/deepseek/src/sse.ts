import { createParser } from "eventsource-parser";

export interface SseHandlers {
  /** `torn`: the body ended before the blank line that ends an event. */
  onData(data: string, torn: boolean): void;
  onComment(): void;
  /** A line that is no part of any event stream. */
  onGarbage(line: string): void;
  onOverflow(): void;
}

export interface SseReader {
  feed(bytes: Uint8Array): void;
  end(): void;
}

/** Bytes to events: characters, lines and events may be split anywhere, lines may end in CRLF, one event has a bound. */
export function createSseReader(handlers: SseHandlers, maxEventChars: number): SseReader {
  const decoder = new TextDecoder();
  let ending = false;
  let overflown = false;
  const parser = createParser({
    maxBufferSize: maxEventChars,
    onEvent: ({ data }) => handlers.onData(data, ending),
    onComment: () => handlers.onComment(),
    onError(error) {
      if (error.type === "max-buffer-size-exceeded") {
        overflown = true;
        handlers.onOverflow();
      } else if (error.type === "unknown-field") handlers.onGarbage(error.line ?? "");
    },
  });
  const feed = (text: string): void => {
    // The parser throws when it is fed after an overflow.
    if (!overflown && text !== "") parser.feed(text);
  };
  return {
    feed: (bytes) => feed(decoder.decode(bytes, { stream: true })),
    end() {
      feed(decoder.decode());
      ending = true;
      feed("\n\n");
    },
  };
}
