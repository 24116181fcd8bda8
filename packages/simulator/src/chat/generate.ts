import { promptBlocks } from "../request/prompt-blocks.ts";
import { streamDone, type FinishReason } from "../wire/completion.ts";
import { blockTokens } from "./context-cache.ts";
import type { Run } from "./run.ts";
import { createScript } from "./script.ts";
import { keepAlive } from "./wait.ts";

/** Computes the answer on the slot that the run holds: prefill, then token after token. */
export function generate(run: Run): void {
  const { clock } = run.world;
  const { prefillMs, prefillTokensPerSecond } = run.order.replica.capacity();
  const { slowStart } = run.order.plan;
  // The slot may have become free, by the clock, just before this request came; nothing starts before it is there.
  run.tStarted = Math.max(clock.now(), run.tReceived);
  const lead = run.tStarted - clock.now();
  run.cacheHitTokens = lookUp(run);
  const missTokens = run.order.promptTokens - run.cacheHitTokens;
  const prefill = lead + prefillMs + (1000 * missTokens) / prefillTokensPerSecond;

  if (slowStart === undefined) {
    run.after(prefill, () => decode(run));
    return;
  }
  const beating = slowStart.keepAlive ? keepAlive(run) : undefined;
  if (beating === undefined) run.exchange.flush();
  run.after(prefill + slowStart.ms, () => {
    beating?.stop();
    decode(run);
  });
}

/** Tokens of the prompt that the host has read before. */
function lookUp(run: Run): number {
  const { request, account, model, replica } = run.order;
  // Every machine has read for itself alone: that is why it pays to come back to the same one.
  const partition = JSON.stringify([replica.name, account.id, request.user_id ?? "", model.id]);
  const blocks = promptBlocks(request, partition, blockTokens);
  return blockTokens * run.world.cache.use(blocks, run.tStarted ?? run.world.clock.now());
}

function decode(run: Run): void {
  const { world, exchange, order } = run;
  const { plan, gaps } = order;
  const script = createScript(order, exchange.streaming, run.cacheHitTokens);
  const total = script.tokens;
  run.tokensPlanned = total;
  // A fault that is set for after the end strikes before the last token: it must not be lost.
  let cutAt = -1;
  if (plan.cut !== undefined) {
    const { tokens } = plan.cut;
    cutAt = Math.min(typeof tokens === "number" ? tokens : tokens(script.shape), Math.max(0, total - 1));
  }
  let lost = 0;
  /** When the next token is due, and when the latest one was. */
  let due = world.clock.now();
  let latest = due;
  let out = script.opening();

  function flush(): void {
    exchange.write(out);
    out = "";
    if (exchange.streaming) run.tokensWritten = run.tokensGenerated - lost - script.held;
  }

  function gapMs(): number {
    if (plan.gapMs !== undefined) return plan.gapMs;
    const { decodeSpeed, loadPenalty, slots, jitter } = order.replica.capacity();
    const load = order.replica.active / Math.max(1, slots);
    const mean = (1000 * (1 + loadPenalty * load)) / (order.model.tokensPerSecond * decodeSpeed);
    return mean * gaps.between(1 - jitter, 1 + jitter);
  }

  /** Makes every token that is due by now, for one write. An end comes at its own time, in order with other requests. */
  function step(): void {
    const now = world.clock.now();
    const horizon = world.clock.horizon();
    for (;;) {
      if (run.tokensGenerated === cutAt) return void run.after(latest - now, strike);
      if (run.tokensGenerated === total) return void run.after(latest - now, end);
      if (due > horizon) break;
      run.tFirstToken ??= due;
      out += script.token(run.tokensGenerated);
      run.tokensGenerated += 1;
      latest = due;
      due += gapMs();
    }
    flush();
    run.after(due - now, step);
  }

  const end = (): void => finish(plan.finish ?? script.finish);

  function finish(reason: FinishReason): void {
    run.finish = reason;
    const usage = script.usage(run.tokensGenerated);
    out += script.closing(run.tokensGenerated, reason, usage);
    if (exchange.streaming && plan.omitDone !== true) out += streamDone;
    flush();
    run.tokensWritten = run.tokensGenerated - lost;
    exchange.end();
    run.close(run.damaged ? "faulted" : "completed");
  }

  function resume(): void {
    due = world.clock.now();
    step();
  }

  function strike(): void {
    cutAt = -1;
    out += script.drain();
    flush();
    plan.cut?.strike({
      streaming: exchange.streaming,
      write(bytes, bare = false) {
        if (!exchange.streaming && !bare) exchange.write(script.partialBody(run.tokensGenerated));
        exchange.write(bytes);
      },
      next: () =>
        exchange.streaming
          ? script.token(run.tokensGenerated) + script.drain()
          : script.partialBody(run.tokensGenerated),
      error: script.error,
      end() {
        exchange.end();
        run.close("faulted");
      },
      hangUp() {
        exchange.hangUp();
        run.close("faulted");
      },
      reset() {
        exchange.reset();
        run.close("faulted");
      },
      stall({ ms, keepAlive: beats = false } = {}) {
        const beating = beats ? keepAlive(run) : undefined;
        // The machine is done with it, or has lost it: only the connection hangs.
        if (ms === undefined) run.place?.leave();
        else {
          run.after(ms, () => {
            beating?.stop();
            resume();
          });
        }
      },
      finish(reason) {
        run.damaged = true;
        finish(reason);
      },
      proceed(lose) {
        if (lose) {
          run.damaged = true;
          lost = 1;
          run.tokensGenerated += 1;
        }
        step();
      },
    });
  }

  step();
}
