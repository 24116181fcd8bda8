/** What is measured: one side of one case, set up and ready to be called. */
export interface Subject {
  /** Makes one call. */
  readonly call: () => unknown;
  /** What every call comes to; checked before anything is measured. */
  readonly comes: "answer" | "refusal" | "throw";
}

/** Sets a subject up. Runs in the process that measures it, so that nothing of another side is there. */
type SetUp = () => Subject | Promise<Subject>;

/** The subjects of one library, by the name of the case, and `case/variant` where there are several. */
export type Subjects = Readonly<Record<string, SetUp>>;

/** What every upstream answers. */
export const ANSWER = 42;

/** The upstream of nearly every case: asynchronous, and nothing else, so that what is left is the policies' own cost. */
export const noop = async (): Promise<number> => ANSWER;

/** Work that never ends, to fill a bulkhead with. */
export const forever = (): Promise<never> => new Promise(() => {});
