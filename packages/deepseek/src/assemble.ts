import type { Assembly } from "@breakwater/core";

import { isRecord } from "./error-body.ts";
import { assembleFim, isFimAnswer } from "./fim.ts";
import type { ChatChunk, ChatCompletion } from "./types.ts";

/**
 * The pieces in which one text of an answer came, one after the other. Plain data: it is kept beside a cached answer,
 * in place of the chunks themselves, which are fifty times as large.
 */
export interface Run {
  /** The index of the choice. */
  readonly choice: number;
  /** The member of the message, or the index of the tool call whose arguments these are. */
  readonly field: string | number;
  readonly lengths: number[];
  /** How many log probabilities came with each piece; absent if none did. */
  readonly logprobs?: number[];
}

type Members = Record<string, unknown>;

interface Draft {
  readonly members: Members;
  readonly message: Members;
  readonly tools: Map<number, Members & { function: Members }>;
  readonly logprobs: Members;
}

/** What of a choice is put together; of anything else in it the last one counts. */
const PARTS: ReadonlySet<string> = new Set(["index", "delta", "logprobs"]);

/** What a piece costs beside its text: a length in a run. */
const PIECE_BYTES = 16;

/** Puts a streamed answer together, whichever kind its first chunk says that it is. */
export function assembleAnswer(): Assembly<ChatCompletion, ChatChunk> {
  let inner: Assembly<ChatCompletion, ChatChunk> | undefined;
  return {
    get bytes() {
      return inner?.bytes ?? 0;
    },
    add(chunk) {
      inner ??= isFimAnswer(chunk)
        ? (assembleFim() as Assembly<unknown, never> as Assembly<ChatCompletion, ChatChunk>)
        : assembleChat();
      inner.add(chunk);
    },
    finish: () => (inner ?? assembleChat()).finish(),
  };
}

/**
 * Puts a streamed chat together to what the same request would have brought as JSON: the same members in the same
 * order. Members that DeepSeek does not send are kept as well: texts and lists are joined, of anything else the last
 * one counts.
 */
export function assembleChat(): Assembly<ChatCompletion, ChatChunk> {
  const head: Members = {};
  const drafts = new Map<number, Draft>();
  const runs: Run[] = [];
  let bytes = 0;

  function take(choice: Members): void {
    const { index, delta, logprobs } = choice;
    const at = typeof index === "number" ? index : 0;
    let draft = drafts.get(at);
    if (draft === undefined)
      drafts.set(at, (draft = { members: {}, message: {}, tools: new Map(), logprobs: {} }));
    for (const name of namesOf(choice)) {
      const value = choice[name];
      if (PARTS.has(name)) continue;
      if (value !== null || draft.members[name] === undefined) draft.members[name] = value;
    }
    if (isRecord(logprobs)) {
      bytes += 2 * JSON.stringify(logprobs).length;
      for (const name of namesOf(logprobs)) join(draft.logprobs, name, logprobs[name]);
    }
    if (!isRecord(delta)) return;
    for (const name of namesOf(delta)) {
      const value = delta[name];
      if (name === "role") draft.message["role"] ??= value;
      else if (name === "tool_calls" && Array.isArray(value)) {
        for (const tool of value as readonly unknown[]) if (isRecord(tool)) takeTool(at, draft, tool);
      } else {
        join(draft.message, name, value);
        if (typeof value === "string" && value !== "")
          record(at, name, value.length, countOf(logprobs, name));
      }
    }
  }

  function takeTool(choice: number, { tools }: Draft, tool: Members): void {
    const { index, function: called, ...rest } = tool;
    const at = typeof index === "number" ? index : placeOf(tools, tool["id"]);
    let draft = tools.get(at);
    const opens = draft === undefined;
    if (draft === undefined) tools.set(at, (draft = { index: at, function: {} }));
    // Its name and its id come once; hosts that say them again mean the same.
    for (const name of namesOf(rest))
      if (draft[name] === undefined || draft[name] === "") draft[name] = rest[name];
    const { arguments: args, ...named }: Members = isRecord(called) ? called : {};
    for (const name of namesOf(named))
      if (draft.function[name] === undefined || draft.function[name] === "")
        draft.function[name] = named[name];
    const text = typeof args === "string" ? args : "";
    join(draft.function, "arguments", text);
    if (opens || text !== "") record(choice, at, text.length, 0);
  }

  function record(choice: number, field: string | number, length: number, logprobs: number): void {
    bytes += 2 * length + PIECE_BYTES;
    let run = runs.at(-1);
    if (run?.choice !== choice || run.field !== field || (run.logprobs !== undefined) !== logprobs > 0)
      runs.push((run = { choice, field, lengths: [], ...(logprobs > 0 && { logprobs: [] }) }));
    run.lengths.push(length);
    run.logprobs?.push(logprobs);
  }

  return {
    get bytes() {
      return bytes;
    },
    add(chunk) {
      const { choices, ...rest }: Members = { ...chunk };
      for (const name of namesOf(rest)) {
        const value = rest[name];
        // The first chunk says whose answer it is, the last one what it cost.
        if (name !== "object" && value !== null && (name === "usage" || head[name] === undefined))
          head[name] = value;
      }
      if (!Array.isArray(choices)) return;
      for (const choice of choices as readonly unknown[]) if (isRecord(choice)) take(choice);
    },
    finish() {
      const choices = [...drafts]
        .toSorted(([a], [b]) => a - b)
        .map(([index, draft]) => choiceOf(index, draft));
      const { id, created, model, usage, system_fingerprint, ...rest } = head;
      const whole = {
        id,
        object: "chat.completion",
        created,
        model,
        choices,
        usage,
        system_fingerprint,
        ...rest,
      };
      return { whole: known(whole) as unknown as ChatCompletion, cuts: runs };
    },
  };
}

function choiceOf(index: number, { members, message, tools, logprobs }: Draft): Members {
  const { finish_reason = null, ...others } = members;
  const { role = "assistant", content = null, reasoning_content, ...rest } = message;
  const called = [...tools].toSorted(([a], [b]) => a - b).map(([, tool]) => toolOf(tool));
  const whole = {
    role,
    content,
    reasoning_content,
    ...rest,
    tool_calls: called.length > 0 ? called : undefined,
  };
  const probable = Object.keys(logprobs).length > 0 ? logprobs : null;
  return { index, message: known(whole), logprobs: probable, finish_reason, ...others };
}

function toolOf({ index, id, type, function: called, ...rest }: Members & { function: Members }): Members {
  const { name, arguments: args, ...others } = called;
  return known({ index, id, type, function: known({ name, arguments: args, ...others }), ...rest });
}

/** For hosts that number no tool calls: one with an id of its own is a new one, anything else belongs to the last. */
function placeOf(tools: ReadonlyMap<number, Members>, id: unknown): number {
  for (const [at, tool] of tools) if (id !== undefined && tool["id"] === id) return at;
  return typeof id === "string" && id !== "" ? tools.size : Math.max(0, tools.size - 1);
}

function countOf(logprobs: unknown, field: string): number {
  const list = isRecord(logprobs) ? logprobs[field] : undefined;
  return Array.isArray(list) ? list.length : 0;
}

/** Adds what came to what is there. */
function join(to: Members, name: string, value: unknown): void {
  const before = to[name];
  if (value === undefined) return;
  if (value === null) to[name] ??= null;
  else if (typeof value === "string" && typeof before === "string") to[name] = before + value;
  else if (!Array.isArray(value)) to[name] = value;
  else if (Array.isArray(before)) for (const item of value as unknown[]) before.push(item);
  else to[name] = [...(value as unknown[])];
}

/** A host's members; one that would become a prototype is none of an answer's. */
function namesOf(from: Members): string[] {
  const names = Object.keys(from);
  return names.includes("__proto__") ? names.filter((name) => name !== "__proto__") : names;
}

function known(members: Members): Members {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
