/**
 * Progress, as the upstream tells it. Clocks, slow calls, probes and hedges hang on these, never on guesses.
 *
 * - `dispatched`: the request left for the upstream; before it, waiting was ours and nobody's fault.
 * - `connected`, `headers`: as they say; headers are not an answer, DeepSeek sends them while a call still queues.
 * - `alive`: any byte, keep-alives included: the connection lives, the call did not advance.
 * - `started`: the upstream works on the answer: what it was sent waits in no queue of its any more.
 * - `token`: progress; an answer begins with its first one.
 * - `withheld`: the tokens that follow are kept back until the answer is given out; until then it can fail unseen.
 * - `opaque`: from here on progress cannot be seen (a JSON answer in the making): clocks that wait for headers or tokens stand down.
 * - `answered`: a stream was handed to whoever asked; made by the call itself.
 * - `reasoning`, `answering`: the phase changed; models may be silent for longer while they reason.
 * - `paused`, `resumed`: the reader is slow, or reads again; an idle clock stands still in between.
 */
export type Mark =
  | "dispatched"
  | "connected"
  | "headers"
  | "alive"
  | "started"
  | "token"
  | "withheld"
  | "opaque"
  | "answered"
  | "reasoning"
  | "answering"
  | "paused"
  | "resumed";

export type Watcher = (mark: Mark, at: number) => void;
