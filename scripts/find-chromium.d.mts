export interface FoundChromium {
  readonly path: string;
  /** What its process needs in the environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly version: string;
  readonly source: "given" | "path" | "unpacked";
}

/** What to do when there is none. */
export const NO_CHROMIUM: string;
export function chromiumIsUnwanted(env?: NodeJS.ProcessEnv): boolean;
/** Fetches one when there is none (110 MB), once. */
export function findChromium(env?: NodeJS.ProcessEnv): FoundChromium | undefined;
