import { noop, type Subjects } from "../subject.ts";

/** No library at all: what one awaited call costs anyway. */
export const subjects: Subjects = {
  client: () => ({ call: noop, comes: "answer" }),
};
