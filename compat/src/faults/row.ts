import { faults } from "@breakwater/simulator";

/** A fault of the catalogue, and what has to be asked for so that it can strike. */
export interface Row {
  readonly name: string;
  /** As a header or `--fault` would say it, with the parameters that the row needs. */
  readonly action: string;
  readonly thinking: boolean;
  readonly tools: boolean;
  /** An answer comes first: what is told is the next one, over the same connection. */
  readonly second: boolean;
  /** What the answer that this fault leaves is, where it is not the right text and all the same no failure. */
  readonly spoken: string | undefined;
  /** Why a plain client gets further, where it does. */
  readonly behind: string | undefined;
}

/** Where the defaults of a fault would not strike an answer of a dozen tokens, or would say nothing. */
const PARAMS: Readonly<Record<string, string>> = {
  cut_at_ms: "ms=3000",
  fragment: "bytes=3",
  retry_after: "seconds=2",
  slow_drip: "gapMs=10000",
  status: "code=524",
};

const THINKS: readonly string[] = ["length_no_content", "reasoning_only"];

/** Nobody between the host and its caller can know better, or may say otherwise. */
const SPOKEN: Readonly<Record<string, string>> = {
  big_event: "a long token stands in the place of a right one: it is passed on as it came",
  content_filter: "the host says that it leaves something out, and its caller is told why: `content_filter`",
  duplicate_chunk: "nothing in a stream numbers its pieces: a well-formed forgery is passed on as it came",
  json_whitespace: "white space is text, and `length` says that there is no more of it",
  length_no_content:
    "`length`: the tokens went into the thinking; asking again would give the same (an event hints at it)",
  reasoning_only: "the model thought and said nothing more; it is a whole answer",
  reorder: "as `duplicate_chunk`",
};

const PATIENT =
  "a whole answer that takes long is silent too, so Breakwater waits for ten minutes where Node gives up after five; " +
  'with `upstreamMode: "stream"` it asks again after one, as the last table says';

const BEHIND: Readonly<Record<string, string>> = {
  accept_hang: PATIENT,
  stall_after: PATIENT,
  wrong_content_type:
    "a stream that calls itself JSON is taken at its word, and asked for again; the SDK does not look",
};

/** Every fault, in the order of the catalogue, which is that of a request's life. */
export const rows: readonly Row[] = faults.map(({ name }) => ({
  name,
  action: PARAMS[name] === undefined ? name : `${name};${PARAMS[name]}`,
  thinking: THINKS.includes(name),
  tools: name === "truncate_in_tool_call",
  second: name === "reset_idle_socket",
  spoken: SPOKEN[name],
  behind: BEHIND[name],
}));
