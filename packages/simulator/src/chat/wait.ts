import { tooBusy } from "../wire/errors.ts";
import { generate } from "./generate.ts";
import type { Run } from "./run.ts";

/** Sends the headers, and keep-alives until `stop`. */
export function keepAlive(run: Run): { stop(): void } {
  run.exchange.flush();
  const next = () =>
    run.after(run.order.replica.capacity().keepAliveMs, () => {
      run.keepAlives += 1;
      run.exchange.keepAlive();
      alarm = next();
    });
  let alarm = next();
  return { stop: () => alarm.cancel() };
}

/** Takes the request through the queue to a slot: at once, after a wait with keep-alives, or not at all. */
export function queueUp(run: Run): void {
  const { world, order } = run;
  const holdMs = order.plan.holdMs ?? 0;
  let waiting: { stop(): void } | undefined;

  function startWaiting(bounded: boolean): void {
    if (waiting !== undefined) return;
    run.tQueued = world.clock.now();
    const beating = keepAlive(run);
    const timeout = bounded ? run.after(order.replica.capacity().queueTimeoutMs, timeOut) : undefined;
    waiting = {
      stop() {
        beating.stop();
        timeout?.cancel();
      },
    };
  }

  // The 200 is long gone: all that is left is to end without an answer.
  function timeOut(): void {
    run.exchange.end();
    run.close("queue_timeout");
  }

  function enter(): void {
    const applicant = {
      onSlot() {
        waiting?.stop();
        generate(run);
      },
    };
    // Once it has been held its headers are out, and a 503 is no longer possible.
    run.place = order.replica.enter(applicant, waiting !== undefined);
    if (run.place === undefined) {
      run.exchange.reply(tooBusy());
      run.close("rejected");
    } else if (run.place.state === "queued") startWaiting(true);
  }

  if (holdMs === 0) return enter();
  startWaiting(holdMs !== Infinity);
  if (holdMs !== Infinity) run.after(holdMs, enter);
}
