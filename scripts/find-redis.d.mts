export interface FoundRedis {
  readonly path: string;
  /** What its process needs in the environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly version: string;
  readonly source: "given" | "path" | "unpacked";
}

export interface FoundFaketime {
  readonly path: string;
}

/** What to do when there is none. */
export const NO_REDIS: string;
export function redisIsUnwanted(env?: NodeJS.ProcessEnv): boolean;
/** Fetches one when there is none, which may take half a minute, once. */
export function findRedis(env?: NodeJS.ProcessEnv): FoundRedis | undefined;
export function findFaketime(env?: NodeJS.ProcessEnv): FoundFaketime | undefined;
