import type { CancelTimer, Runtime } from "@breakwater/core";

/** Lets the first of what repeats itself through, and sums the others up. */
export interface Repeats {
  /** Tells it at once, or counts it among those like it. */
  tell(like: string, write: (repeated: number) => void): void;
  /** Writes what was counted, and forgets it. */
  flush(): void;
}

interface Seen {
  count: number;
  /** The latest of those that were counted. */
  write: (repeated: number) => void;
  cancel: CancelTimer;
}

/** Things that differ at once, at most. In a storm there are few kinds and many of each. */
const MAX_KINDS = 500;

/**
 * The first of its kind is told at once. Those that follow within `windowMs` are counted, and told as one at the end of it;
 * then a new window begins, so that a storm of an hour is one line a window.
 */
export function createRepeats(runtime: Runtime, windowMs: number): Repeats {
  const kinds = new Map<string, Seen>();

  function open(like: string): CancelTimer {
    const end = (): void => {
      const seen = kinds.get(like);
      if (seen === undefined) return;
      if (seen.count === 0) {
        kinds.delete(like);
        return;
      }
      const { count, write } = seen;
      kinds.set(like, { count: 0, write, cancel: open(like) });
      quietly(() => write(count));
    };
    // What is left to say must not keep a process that is done.
    return runtime.setTimer(windowMs, end, true);
  }

  return {
    tell(like, write) {
      const kind = kinds.has(like) || kinds.size < MAX_KINDS ? like : "";
      const seen = kinds.get(kind);
      if (seen === undefined) {
        kinds.set(kind, { count: 0, write, cancel: open(kind) });
        write(0);
      } else {
        seen.count++;
        seen.write = write;
      }
    },
    flush() {
      const left = [...kinds.values()];
      kinds.clear();
      for (const { cancel, count, write } of left) {
        cancel();
        if (count > 0) quietly(() => write(count));
      }
    },
  };
}

/** What throws here throws at nobody: no call is waiting, and to the log it cannot be told. */
function quietly(write: () => void): void {
  try {
    write();
  } catch {
    // The next line finds out for itself.
  }
}
