/** Which processes there are, and what Redis may have forgotten. One for each scope. */
export interface Presence {
  /** This process: 16 letters and digits, new for each store. */
  readonly instance: string;
  /** Resolves when this process is known to Redis in this scope; starts that, and the heartbeat, when it is first asked. `undefined`: it is. */
  ready(): Promise<void> | undefined;
  /** Processes that Redis knew of at the last beat, this one included; at least the option `instances`. */
  readonly instances: number;
  /** µs of the server until which a missing key may have been lost; 0: none was. */
  readonly learnUntil: number;
  /** Whether permits are not yet known again after Redis lost its state: until then each process takes its share. */
  readonly learning: boolean;
  /** Key of the sorted set instance → deadline in µs of the server. */
  readonly instancesKey: string;
  /** Runs at each beat, a third of a lease. `again`: Redis may have lost what it was told; say all of it. */
  onBeat(f: (again: boolean) => void): void;
  close(): Promise<void>;
}
