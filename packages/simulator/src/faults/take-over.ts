import type { Exchange } from "../exchange.ts";
import type { World } from "../world.ts";
import type { Plan } from "./fault.ts";

/** What a takeover needs of a request: timers that die with it, and an end to its books. */
export interface TakenRequest {
  keepAlives: number;
  after(ms: number, run: () => void): unknown;
  close(outcome: "faulted" | "rejected"): void;
}

/** Hands a request over to a fault that answers in the simulator's place. */
export function takeOver(
  act: NonNullable<Plan["takeOver"]>,
  exchange: Exchange,
  world: Pick<World, "capacity" | "clock">,
  request: TakenRequest,
): void {
  act({
    streaming: exchange.streaming,
    keepAliveMs: world.capacity().keepAliveMs,
    reply(error, headers) {
      exchange.reply(error, headers);
      request.close("rejected");
    },
    head: () => exchange.flush(),
    keepAlive() {
      request.keepAlives += 1;
      exchange.keepAlive();
    },
    end() {
      exchange.end();
      request.close("faulted");
    },
    reset() {
      exchange.reset();
      request.close("faulted");
    },
    refuse(forMs) {
      const allow = exchange.refuse();
      request.close("faulted");
      // The request is over; what follows belongs to the door.
      world.clock.after(forMs, allow);
    },
    after: (ms, run) => void request.after(ms, run),
  });
}
