/** Which processes there are, and what Redis may have forgotten. One for each scope. */
export interface Presence {
  /** This process: 16 letters and digits, new for each store. */
  readonly instance: string;
  /**
   * Resolves when this process is known to Redis in this scope; starts that, and the heartbeat, when it is first asked,
   * and again when it was not heard of for a lease: it stood still, or Redis was away. `undefined`: it is known.
   * Rejects with a `LinkError` when Redis does not say so in time. Asking it keeps the heartbeat going.
   */
  ready(): Promise<void> | undefined;
  /**
   * Processes that Redis knew of in the last lease, this one included; at least the option `instances`. One that is gone
   * counts for a lease longer: that makes shares smaller, and after an outage all come back one by one.
   */
  readonly instances: number;
  /** µs of the server until which a missing key may have been lost; 0: none was. */
  readonly learnUntil: number;
  /** Whether permits are not yet known again after Redis lost its state: until then each process takes its share. */
  readonly learning: boolean;
  /** Key of the sorted set instance → deadline in µs of the server. */
  readonly instancesKey: string;
  /**
   * Runs at each beat, a third of a lease, once Redis has confirmed it. `again`: Redis may have lost or never got what
   * it was told (it is the first beat, Redis was away or has lost its state, this process stood still): say all of it.
   *
   * @param f says `true` while it needs the next beat although nothing is asked: it holds something for a call
   */
  onBeat(f: (again: boolean) => boolean | void): void;
  /** Says that this process is gone, if Redis can be told, and ends the heartbeat. */
  close(): Promise<void>;
}
