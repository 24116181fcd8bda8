import type { Attempt } from "../attempt-log.ts";
import type { Alarm, Clock } from "../clock.ts";
import type { SimulatorState } from "../engine.ts";
import type { Sink } from "../sink/sink.ts";

/** Sends what happens to everybody who wants to see it: `/__sim/events`. */
export interface Feed {
  /** Server-sent events until the reader leaves; `missed` come first. False when there are too many readers. */
  subscribe(sink: Sink, missed: readonly Attempt[]): boolean;
  attempt(attempt: Attempt): void;
  /** After a reset, which replaces the clock. */
  restart(): void;
  /** Ends every subscription. */
  close(): void;
}

/** What a feed tells of. Asked for anew each time. */
export interface FeedSource {
  clock(): Clock;
  state(): SimulatorState;
}

const maximumReaders = 64;

/** A reader who lets more than this pile up is let go: a browser connects again, and says what it has seen last. */
const maximumBacklogBytes = 256 * 1024;

/** Simulated milliseconds between two states, and real ones: whichever takes longer. */
const everyMs = 1000;
const everyRealMs = 250;

const message = (kind: string, id: number | undefined, data: unknown): string =>
  `event: ${kind}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;

export function createFeed(source: FeedSource): Feed {
  const readers = new Set<Sink>();
  let tick: Alarm | undefined;

  function send(text: string): void {
    for (const sink of readers) {
      sink.write(text);
      if (sink.backlog() > maximumBacklogBytes) drop(sink);
    }
  }

  function drop(sink: Sink): void {
    leave(sink);
    sink.reset();
  }

  function leave(sink: Sink): void {
    readers.delete(sink);
    if (readers.size > 0) return;
    tick?.cancel();
    tick = undefined;
  }

  function arm(): void {
    const clock = source.clock();
    const ms = clock.scale === 0 ? everyMs : Math.max(everyMs, everyRealMs / clock.scale);
    tick = clock.after(ms, () => {
      send(message("state", undefined, source.state()));
      if (readers.size > 0) arm();
    });
  }

  return {
    subscribe(sink, missed) {
      if (readers.size >= maximumReaders) return false;
      sink.head(200, { "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache" });
      sink.onClientGone(() => leave(sink));
      readers.add(sink);
      sink.write(message("state", undefined, source.state()));
      for (const attempt of missed) sink.write(message("attempt", attempt.seq, attempt));
      if (tick === undefined) arm();
      return true;
    },
    attempt(attempt) {
      if (readers.size > 0) send(message("attempt", attempt.seq, attempt));
    },
    restart() {
      tick?.cancel();
      tick = undefined;
      if (readers.size === 0) return;
      send(message("reset", undefined, {}));
      arm();
    },
    close() {
      tick?.cancel();
      for (const sink of readers) sink.end();
      readers.clear();
    },
  };
}
