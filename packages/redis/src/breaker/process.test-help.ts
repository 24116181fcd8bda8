// A process of a fleet that does what it is told by the test that has forked it.
import type { BreakerConfig, Ticket } from "@breakwater/core";

import { joinFleet } from "./fleet.test-help.ts";
import { talkTo } from "./talk.test-help.ts";

/** What it can be told to do, and what it says then. */
export type Order =
  | { readonly do: "admit" }
  | { readonly do: "probe" }
  | {
      readonly do: "end";
      readonly ticket: number;
      readonly result: "success" | "failure";
      readonly trip?: boolean;
    }
  | { readonly do: "snapshot" }
  /** Sends calls that fail, as many as are let through, until it has probed so often or is told to stop. */
  | { readonly do: "storm" }
  | { readonly do: "stop" };

export interface Admitted {
  /** By which number it is ended. */
  readonly ticket?: number;
  readonly probe?: boolean;
  readonly epoch?: number;
  readonly retryAfterMs?: number;
}

const [url = "", scope = "", changes = "{}"] = process.argv.slice(2);
const member = await joinFleet(url, { scope });
const talk = talkTo(member, JSON.parse(changes) as Partial<BreakerConfig>);
const tickets: Ticket[] = [];
let storming = false;

const admitted = (ticket: Ticket): Admitted => ({
  ticket: tickets.push(ticket) - 1,
  probe: ticket.probe,
  epoch: ticket.epoch,
});

async function obey(order: Order): Promise<unknown> {
  switch (order.do) {
    case "admit": {
      const admission = await talk.admit();
      return "ticket" in admission ? admitted(admission.ticket) : { retryAfterMs: admission.retryAfterMs };
    }
    case "probe":
      return admitted(await talk.probe());
    case "end":
      return talk.end(tickets[order.ticket] as Ticket, order.result, order.trip);
    case "snapshot":
      return talk.snapshot();
    case "storm":
      return storm();
    case "stop":
      storming = false;
      return undefined;
  }
}

/** @returns the epochs in which it was elected, each as often as it was */
async function storm(): Promise<readonly number[]> {
  const epochs: number[] = [];
  storming = true;
  while (storming) {
    const admission = await talk.admit();
    if ("ticket" in admission) {
      if (admission.ticket.probe) epochs.push(admission.ticket.epoch);
      await talk.end(admission.ticket, "failure");
    } else await new Promise((resolve) => setTimeout(resolve, Math.min(2, admission.retryAfterMs)));
  }
  return epochs;
}

process.on("message", ({ n, order }: { readonly n: number; readonly order: Order }) => {
  void obey(order).then(
    (said) => process.send?.({ n, said }),
    (error: unknown) => process.send?.({ n, error: String(error) }),
  );
});
process.on("disconnect", () => process.exit());
process.send?.("ready");
