/** What a process of a fleet does, all at once, each with a pipeline of its own over the one store. */
export type Load = RateLoad | PermitLoad | CircuitLoad;

interface CommonLoad {
  readonly name: string;
  /** A call is made so often, whatever becomes of the others. */
  readonly everyMs: number;
}

export interface RateLoad extends CommonLoad {
  readonly kind: "rate";
  readonly limit: number;
  readonly perMs: number;
  readonly burst: number;
}

export interface PermitLoad extends CommonLoad {
  readonly kind: "permits";
  readonly concurrency: number;
  /** A call takes something between the two. */
  readonly holdMs: readonly [number, number];
  readonly maxWaitMs: number;
}

export interface CircuitLoad extends CommonLoad {
  readonly kind: "circuit";
  readonly takesMs: number;
  readonly openForMs: number;
  readonly probeLeaseMs: number;
  /** What is called fails, until it is told otherwise. */
  readonly fails: boolean;
}

export interface WorkerConfig {
  readonly url: string;
  /** Where it writes what it did, as `events.ts` says. */
  readonly log: string;
  readonly leaseMs: number;
  /** How many processes there are. */
  readonly instances: number;
  readonly loads: readonly Load[];
}

/** What a process is told. `begin`: everybody is there, and calls are made. `block`: its event loop stands still. */
export type Order =
  | { readonly do: "begin" }
  | { readonly do: "block"; readonly ms: number }
  | { readonly do: "fail"; readonly on: boolean }
  | { readonly do: "end" };

/** What a process says: that its store decides, and what was left when it had ended everything. */
export type Said =
  | { readonly say: "ready" }
  | {
      readonly say: "ended";
      /** Calls that never came to an end, by load. */
      readonly unsettled: Readonly<Record<string, number>>;
      readonly unhandledRejections: readonly string[];
      /** Timers and sockets that were still there. */
      readonly handles: readonly string[];
    };
