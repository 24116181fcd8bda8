import type { FaultTable } from "./fault.ts";

/** Answers that reach their end, and are wrong in it. */
export const endingFaults: FaultTable = {
  no_done: {
    summary: "a whole stream without [DONE]; no effect on a JSON request",
    params: {},
    plan: () => ({ omitDone: true }),
  },
  empty_content: {
    summary: "finish_reason stop with neither content nor reasoning",
    params: {},
    plan: () => ({ empty: true, finish: "stop" }),
  },
};
