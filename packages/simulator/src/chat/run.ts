import type { Account } from "../accounts.ts";
import type { AttemptOutcome } from "../attempt-log.ts";
import type { Alarm } from "../clock.ts";
import type { Exchange } from "../exchange.ts";
import type { Plan } from "../faults/fault.ts";
import type { Model } from "../models.ts";
import { toUsd } from "../money.ts";
import type { Replica } from "../replica.ts";
import type { ChatRequest, FimRequest } from "../request/types.ts";
import type { Rng } from "../rng.ts";
import type { Place } from "../slots.ts";
import type { Answer } from "../text/answer.ts";
import type { AnswerHead } from "../wire/completion.ts";
import type { Dialect } from "../wire/dialects.ts";
import type { Bill, LiveRequest, World } from "../world.ts";

/** What is known of a request before it is served, and goes into the attempt log as it is. */
export interface Identification {
  readonly scope: string;
  readonly replica: string;
  readonly path: string;
  readonly bodySha256: string;
  readonly tReceived: number;
  readonly callId?: string;
  readonly breakwaterHeaders?: Readonly<Record<string, string>>;
  readonly retryCount?: string;
  account: string;
  keyTail: string;
  model: string;
  stream: boolean;
  promptTokens: number;
  fault?: string;
}

/** What an admitted request asks for. */
export interface Order {
  readonly request: ChatRequest | FimRequest;
  readonly promptTokens: number;
  readonly model: Model;
  readonly account: Account;
  readonly replica: Replica;
  readonly answer: Answer;
  readonly head: AnswerHead;
  /** The host that was played when the request came. */
  readonly dialect: Dialect;
  readonly plan: Plan;
  /** Varies the gaps between tokens. */
  readonly gaps: Rng;
  /** Varies how many tokens come in a chunk. */
  readonly groups: Rng;
}

/** One request being served. The stages write their figures into it; `close` makes them a log entry. */
export interface Run {
  readonly world: World;
  readonly exchange: Exchange;
  readonly order: Order;
  readonly tReceived: number;
  place: Place | undefined;
  tQueued?: number;
  tStarted?: number;
  tFirstToken?: number;
  keepAlives: number;
  /** Tokens of the prompt that were read before; known when the computing begins. */
  cacheHitTokens: number;
  /** Tokens that this answer will have at most. */
  tokensPlanned: number;
  tokensGenerated: number;
  tokensWritten: number;
  finish?: string;
  /** A fault made the answer another one than the right one. */
  damaged: boolean;
  /** A timer that dies with the request. */
  after(ms: number, run: () => void): Alarm;
  /** Ends the books, exactly once: slot, account, bill, log. The exchange is the caller's business. */
  close(outcome: AttemptOutcome): void;
  /** The client left: a few more tokens are computed before anybody notices. */
  clientGone(): void;
}

export function startRun(
  world: World,
  exchange: Exchange,
  order: Order,
  identification: Identification,
  release: () => void,
): Run {
  const alarms = new Set<Alarm>();
  let closed = false;
  const live: LiveRequest = {
    replica: order.replica,
    abandon() {
      settle();
      release();
      exchange.reset();
    },
    breakOff() {
      identification.fault ??= "dead";
      exchange.reset();
      run.close("faulted");
    },
  };
  world.live.add(live);

  function settle(): void {
    closed = true;
    world.live.delete(live);
    for (const alarm of alarms) alarm.cancel();
    alarms.clear();
    run.place?.leave();
  }

  function charge(): Bill {
    const bill = world.billOf(order.model, run.tReceived, {
      hit: run.cacheHitTokens,
      miss: order.promptTokens - run.cacheHitTokens,
      output: run.tokensGenerated,
    });
    // Nothing is billed before the computing began.
    if (run.tStarted === undefined) return { ...bill, nanoUsd: 0n };
    order.account.charge(bill.nanoUsd);
    return bill;
  }

  const run: Run = {
    world,
    exchange,
    order,
    tReceived: identification.tReceived,
    place: undefined,
    keepAlives: 0,
    cacheHitTokens: 0,
    tokensPlanned: 0,
    tokensGenerated: 0,
    tokensWritten: 0,
    damaged: order.plan.answer !== undefined,
    after(ms, action) {
      const alarm = world.clock.after(ms, () => {
        alarms.delete(alarm);
        action();
      });
      alarms.add(alarm);
      return { cancel: () => (alarms.delete(alarm), alarm.cancel()) };
    },
    close(outcome) {
      if (closed) return;
      settle();
      const lag = outcome === "client_closed" ? world.capacity().releaseLagMs : 0;
      if (lag > 0) world.clock.after(lag, release);
      else release();
      const { tQueued, tStarted, tFirstToken, finish } = run;
      const { nanoUsd, tier } = charge();
      world.log.add({
        ...identification,
        ...(tQueued === undefined ? {} : { tQueued }),
        ...(tStarted === undefined ? {} : { tStarted }),
        ...(tFirstToken === undefined ? {} : { tFirstToken }),
        tEnded: world.clock.now(),
        keepAlives: run.keepAlives,
        tokensGenerated: run.tokensGenerated,
        tokensWritten: run.tokensWritten,
        bytes: exchange.bytes,
        status: exchange.status,
        outcome,
        ...(finish === undefined ? {} : { finish }),
        cacheHitTokens: run.cacheHitTokens,
        billedUsd: toUsd(nanoUsd),
        billedNanoUsd: String(nanoUsd),
        tier,
      });
    },
    clientGone() {
      if (closed) return;
      // Only where something is being computed: a stalled stream has lost its slot.
      if (run.tokensGenerated > 0 && run.place?.state === "active") {
        const lag = world.capacity().abortLagTokens;
        run.tokensGenerated = Math.min(run.tokensPlanned, run.tokensGenerated + lag);
      }
      run.close("client_closed");
    },
  };
  return run;
}
