import { type Ending, type Meta, unwrap } from "@breakwater/core";

import { usageOf } from "../chunk.ts";
import { isRecord } from "../error-body.ts";
import type { ChatChunk, ChatDelta, ChatUsage } from "../types.ts";
import type { Delivered } from "./continuation.ts";
import { createJoint, type Joint } from "./joint.ts";
import { emptyUsage, type PartUsage, sumUsage } from "./usage.ts";

/** One attempt's share of an answer. */
export interface Part {
  readonly chunks: AsyncIterator<ChatChunk>;
  readonly end: Promise<Ending>;
}

/** Where the parts come from, and who is told of them. */
export interface Parts {
  readonly meta: Meta;
  readonly stops: readonly string[];
  /** Another part behind what was delivered, or undefined when there is none to be had. */
  next(broken: Ending, delivered: Delivered): Promise<Part | undefined>;
  /** What a part has cost that broke off, with so many tokens of it delivered, before it told. */
  estimate(tokens: number, reasoningTokens: number): PartUsage;
  /** The usage of all parts together. */
  tell(usage: ChatUsage, estimated: boolean): void;
  /** Nobody waits for another part any more. */
  leave(): void;
}

export interface Splice extends AsyncIterator<ChatChunk> {
  /** Whether the finish reason has been given out. */
  readonly complete: boolean;
  return(): Promise<IteratorResult<ChatChunk>>;
}

/** One answer of several parts, each of which begins where the one before it broke off. Chunks of the first pass as they are. */
export function createSplice(first: Part, parts: Parts): Splice {
  let part = first;
  let head: ChatChunk | undefined;
  let joint: Joint | undefined;
  let before: readonly PartUsage[] = [];
  let delivered: Delivered = { content: "", reasoning: "", tokens: 0, reasoningTokens: 0 };
  /** What had been delivered when this part began. */
  let since = delivered;
  let ready: ChatChunk[] = [];
  let complete = false;
  let left = false;
  let switching = false;

  /** Is given out now. */
  function give(chunk: ChatChunk): IteratorResult<ChatChunk> {
    head ??= chunk;
    for (const choice of choicesOf(chunk)) {
      const { content, reasoning } = textsOf(choice.delta);
      const thought = reasoning === "" ? 0 : 1;
      delivered = {
        content: delivered.content + content,
        reasoning: delivered.reasoning + reasoning,
        tokens: delivered.tokens + (content === "" ? thought : 1),
        reasoningTokens: delivered.reasoningTokens + thought,
      };
      complete ||= isLast(choice);
    }
    return { done: false, value: chunk };
  }

  /** Of this part, as far as it went. */
  function estimate(): PartUsage {
    const { reasoningTokens, tokens } = delivered;
    return parts.estimate(tokens - since.tokens, reasoningTokens - since.reasoningTokens);
  }

  /** No part comes behind this one, which did not end as it should. */
  function tellAll(last: PartUsage): void {
    const all = [...before, last];
    parts.tell(
      sumUsage(emptyUsage(), all),
      all.some(({ estimated }) => estimated === true),
    );
  }

  /** A chunk of a later part becomes one of the answer that was begun, or none. */
  function adopt(chunk: ChatChunk, seam: Joint): void {
    const { id, created, model } = head as ChatChunk;
    const own = { ...chunk, id, created, model };
    const [choice] = choicesOf(chunk);
    if (choice === undefined) {
      if (hasUsage(chunk)) ready.push(withUsage(own));
      return;
    }

    // Its reader has been told the role, and has seen the end of the reasoning.
    const {
      role: _,
      content,
      reasoning_content: thoughts,
      reasoning: __,
      ...rest
    } = (choice.delta ?? {}) as Delta;
    const passed = seam.push(typeof content === "string" ? content : "");
    const text = (given: string): Delta => ({
      content: given,
      ...(thoughts !== undefined && { reasoning_content: null }),
      ...rest,
    });
    if (passed.stopped) return stopHere(own);
    if (!isLast(choice)) {
      if (passed.text === "" && Object.keys(rest).length === 0 && !hasUsage(chunk)) return;
      ready.push(withUsage({ ...own, choices: [{ ...choice, delta: text(passed.text) }] }));
      return;
    }
    const last = seam.end();
    if (last.stopped) return stopHere(own);
    const given = passed.text + last.text;
    if (given !== "") {
      const { usage, ...silent } = own;
      const bare = usage === undefined ? silent : { ...silent, usage: null };
      ready.push({ ...bare, choices: [{ ...choice, delta: text(given), finish_reason: null }] });
    }
    ready.push(withUsage({ ...own, choices: [{ ...choice, delta: text("") }] }));
  }

  /** A stop string is complete, of which the host saw the second half only: the answer ends in front of it. */
  function stopHere(own: ChatChunk): void {
    const usage = sumUsage(emptyUsage(), [...before, estimate()]);
    parts.tell(usage, true);
    ready.push({
      ...own,
      choices: [{ index: 0, delta: { content: "" }, logprobs: null, finish_reason: "stop" }],
      usage,
      x_breakwater: { resumed: before.length, estimated: true },
    });
    void part.chunks.return?.().catch(() => undefined);
    left = true;
  }

  function textChunk(content: string): ChatChunk {
    const { usage: _, ...rest } = head as ChatChunk;
    return { ...rest, choices: [{ index: 0, delta: { content }, logprobs: null, finish_reason: null }] };
  }

  function withUsage(chunk: ChatChunk): ChatChunk {
    if (!hasUsage(chunk)) return chunk;
    const usage = sumUsage(chunk.usage, before);
    const estimated = before.some((one) => one.estimated === true);
    parts.tell(usage, estimated);
    return {
      ...chunk,
      usage,
      x_breakwater: { resumed: before.length, ...(estimated && { estimated }) },
    };
  }

  /** Goes on with another part, or throws what the reader is to be told. */
  async function goOn(error: unknown): Promise<void> {
    const ending = await part.end;
    if (ending.status !== "failed" || complete || left) throwAs(ending, error, parts.meta);
    const spent = ending.usage ?? estimate();
    switching = true;
    const next = await parts.next(ending, delivered);
    switching = false;
    if (next === undefined) {
      tellAll(spent);
      throwAs(ending, error, parts.meta);
    }
    before = [...before, spent];
    since = delivered;
    part = next;
    joint = createJoint(delivered.content, parts.stops);
  }

  return {
    get complete() {
      return complete && ready.length === 0;
    },
    async next() {
      for (;;) {
        const chunk = ready.shift();
        if (chunk !== undefined) return give(chunk);
        if (left) return { done: true, value: undefined };
        let step: IteratorResult<ChatChunk>;
        try {
          step = await part.chunks.next();
        } catch (error) {
          await goOn(error);
          continue;
        }
        if (step.done === true) {
          // It may not even have said why it ended.
          const last = joint?.end().text ?? "";
          if (last === "") return { done: true, value: undefined };
          ready.push(textChunk(last));
          continue;
        }
        if (joint === undefined) {
          if (hasUsage(step.value)) parts.tell(step.value.usage, false);
          return give(step.value);
        }
        adopt(step.value, joint);
      }
    },
    async return() {
      if (!left && !complete) tellAll(estimate());
      left = true;
      ready = [];
      if (switching) parts.leave();
      else await part.chunks.return?.();
      return { done: true, value: undefined };
    },
  };
}

/** `reasoning` is how some hosts spell `reasoning_content`. */
type Delta = ChatDelta & { readonly reasoning?: unknown };

/** Hosts leave out what they do not need, whatever the types say. */
function choicesOf({ choices }: Partial<ChatChunk>): ChatChunk["choices"] {
  return Array.isArray(choices) ? choices.filter((choice) => isRecord(choice)) : [];
}

function textsOf(delta: Delta | undefined): { readonly content: string; readonly reasoning: string } {
  const { content, reasoning, reasoning_content: thoughts = reasoning } = delta ?? {};
  return {
    content: typeof content === "string" ? content : "",
    reasoning: typeof thoughts === "string" ? thoughts : "",
  };
}

function isLast({ finish_reason: reason }: ChatChunk["choices"][number]): boolean {
  return typeof reason === "string" && (reason as string) !== "";
}

function hasUsage(chunk: ChatChunk): chunk is ChatChunk & { readonly usage: ChatUsage } {
  return usageOf(chunk.usage) !== undefined;
}

/** Thrown as the outcome that it was, so that its verdict is kept. */
function throwAs({ endedAt: _, ...ending }: Ending, error: unknown, meta: Meta): never {
  if (ending.status === "failed" && ending.fault !== undefined) {
    const { fault, retryable = false, ...more } = ending;
    return unwrap({ ...more, status: "failed", error, fault, retryable, meta });
  }
  return unwrap({ status: "cancelled", reason: error, meta });
}
