/** Where an answer is written to: a socket, or a `Response` in the same process. The simulator knows nothing else of HTTP. */
export interface Sink {
  /** Status line and headers. Exactly once, before anything else; they leave with the first write, or with `flush`. */
  head(status: number, headers: Readonly<Record<string, string>>): void;
  /** Sends the headers although there is no body yet. */
  flush(): void;
  /** One write; on a socket that is one HTTP chunk, unless `split` was called. */
  write(text: string): void;
  /** From now on each write leaves in pieces of at most so many bytes, each on its own. */
  split(bytes: number): void;
  /** Bytes that were written and that nobody has taken yet. */
  backlog(): number;
  /** The proper end. */
  end(): void;
  /** Closes the connection (FIN) without the end of the body. */
  hangUp(): void;
  /** Breaks the connection (TCP RST), after what was written has left. */
  reset(): void;
  /** Breaks the connection and lets nobody connect until the returned function is called. */
  refuse(): () => void;
  /** The connection looks healthy, but the next request on it is reset: a keep-alive socket that died while idle. */
  spoil(): void;
  /** Tells when the client leaves before the end. Called at most once, never after one of the ends above. */
  onClientGone(gone: () => void): void;
}

/** A request, as far as the simulator looks at it. Header names are lower case. */
export interface IncomingCall {
  /** The replica whose own listener it came by. */
  readonly replica?: string;
  readonly method: string;
  /** Path without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The whole body; undefined when it is too large. */
  readonly body: string | undefined;
}

/** Answers one call. */
export type Answering = (call: IncomingCall, sink: Sink) => void;

export const maximumBodyBytes: number = 32 * 1024 * 1024;
