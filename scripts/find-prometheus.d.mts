export interface FoundPrometheus {
  readonly path: string;
  /** The tool of the same version that stands beside it. */
  readonly promtool: string;
  readonly version: string;
  readonly source: "given" | "path" | "unpacked";
}

/** What to do when there is none. */
export const NO_PROMETHEUS: string;
export function prometheusIsUnwanted(env?: NodeJS.ProcessEnv): boolean;
/** Fetches one when there is none (19 MB), once. */
export function findPrometheus(env?: NodeJS.ProcessEnv): FoundPrometheus | undefined;
