/** A request that wants a slot. */
interface Applicant {
  /** It has the slot: compute. Called synchronously from `enter`, or later when a slot becomes free. */
  onSlot(): void;
}

/** A place in a replica: waiting or computing. */
export interface Place {
  readonly state: "queued" | "active" | "left";
  /** Gives the slot, or the place in the queue, back. Doing it twice does nothing. */
  leave(): void;
}

/** Slots, and a queue that is first come first served. */
export interface Slots {
  readonly active: number;
  readonly queued: number;
  readonly maxActive: number;
  readonly maxQueued: number;
  /** Undefined when the queue is full. `force` enters a request whose 200 has already been sent. */
  enter(applicant: Applicant, force?: boolean): Place | undefined;
  /** After a change of the limits: lets in whoever now fits. */
  pump(): void;
}

/** @param onLoad called after more are active or queued than before. */
export function createSlots(
  limits: () => { slots: number; queue: number },
  onLoad: () => void = () => {},
): Slots {
  // A Set keeps its order and removes from the middle in constant time.
  const waiting = new Set<{ start(): void }>();
  let active = 0;
  let maxActive = 0;
  let maxQueued = 0;

  function pump(): void {
    for (const next of waiting) {
      if (active >= limits().slots) return;
      waiting.delete(next);
      next.start();
    }
  }

  return {
    get active() {
      return active;
    },
    get queued() {
      return waiting.size;
    },
    get maxActive() {
      return maxActive;
    },
    get maxQueued() {
      return maxQueued;
    },
    enter(applicant, force = false) {
      let state: Place["state"] = "queued";
      const entry = {
        start() {
          state = "active";
          active += 1;
          maxActive = Math.max(maxActive, active);
          onLoad();
          applicant.onSlot();
        },
      };
      // Nobody overtakes: a free slot is taken directly only when no one waits for it.
      const free = active < limits().slots && waiting.size === 0;
      if (!free && !force && waiting.size >= limits().queue) return undefined;

      const place: Place = {
        get state() {
          return state;
        },
        leave() {
          const before = state;
          state = "left";
          if (before === "queued") waiting.delete(entry);
          if (before !== "active") return;
          active -= 1;
          pump();
        },
      };
      if (free) entry.start();
      else {
        waiting.add(entry);
        maxQueued = Math.max(maxQueued, waiting.size);
        onLoad();
      }
      return place;
    },
    pump,
  };
}
