import { checkFields, checkNumber, refuse } from "./checks.ts";

/** A replica that is slow and sometimes answers 503. */
export interface Brownout {
  /** Multiplies the time to the first token. @default 1 */
  latencyX?: number;
  /** Multiplies tokens per second. @default 1 */
  tpsX?: number;
  /** Part of the requests that get 503, drawn from each request's scope. @default 0 */
  errorRate?: number;
  /** Multiplies the slots. @default 1 */
  slotsX?: number;
  /** It is over after so many simulated milliseconds. Left out: it lasts. */
  forMs?: number;
}

/** What is wrong with a replica as a whole, and not with single requests. Plain data; `{}` is a healthy replica. */
export interface ReplicaTrouble {
  brownout?: Brownout;
  /** Up for `upMs`, down for `downMs`, and so on; down is what `dead` is. */
  flap?: { upMs: number; downMs: number };
  /** Has no more than so many slots. */
  capacityDrop?: { slots: number };
  /**
   * Breaks what it serves and lets nobody connect: with a port of its own, nobody listens there; behind the common port,
   * connections to it are reset. The simulator's own balancer leaves it out.
   */
  dead?: boolean;
}

/** A change of a replica. `null` ends that trouble; what is not named stays as it is. */
export type ReplicaChange = { [Field in keyof ReplicaTrouble]: ReplicaTrouble[Field] | null } & {
  slots?: number;
  queue?: number;
};

const troubles = ["brownout", "flap", "capacityDrop", "dead"] as const;

const brownoutRules: Record<keyof Brownout, Parameters<typeof checkNumber>[2]> = {
  latencyX: { min: 0, above: true, example: "8" },
  tpsX: { min: 0, above: true, example: "0.25" },
  errorRate: { min: 0, max: 1, example: "0.2" },
  slotsX: { min: 0, example: "0.5" },
  forMs: { min: 0, above: true, example: "120000" },
};

/** Checks what a phase of a scenario says of a replica. */
export function checkTrouble(path: string, value: unknown): ReplicaTrouble {
  const given = checkFields(path, value, troubles);
  checkTroubles(path, given);
  return given;
}

export function checkReplicaChange(path: string, value: unknown): ReplicaChange {
  const given = checkFields(path, value, ["slots", "queue", ...troubles]);
  for (const field of ["slots", "queue"])
    if (given[field] !== undefined)
      checkNumber(`${path}.${field}`, given[field], { min: 0, integer: true, example: "8" });
  checkTroubles(path, given);
  return given;
}

function checkTroubles(path: string, { brownout, flap, capacityDrop, dead }: Record<string, unknown>): void {
  if (brownout != null) {
    const given = checkFields(`${path}.brownout`, brownout, Object.keys(brownoutRules));
    for (const [field, rule] of Object.entries(brownoutRules))
      if (given[field] !== undefined) checkNumber(`${path}.brownout.${field}`, given[field], rule);
  }
  if (flap != null) {
    const given = checkFields(`${path}.flap`, flap, ["upMs", "downMs"]);
    for (const field of ["upMs", "downMs"])
      checkNumber(`${path}.flap.${field}`, given[field], { min: 0, above: true, example: "5000" });
  }
  if (capacityDrop != null) {
    const { slots } = checkFields(`${path}.capacityDrop`, capacityDrop, ["slots"]);
    checkNumber(`${path}.capacityDrop.slots`, slots, { min: 0, integer: true, example: "2" });
  }
  if (dead != null && typeof dead !== "boolean") refuse(`${path}.dead`, dead, "true or false", "true");
}
