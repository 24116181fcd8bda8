import type { Meta } from "@breakwater/core";

import type { HostProfile, ThinkingSwitch } from "./hosts.ts";
import { editMembers } from "./json-members.ts";
import { wireOf } from "./raw.ts";
import type { ChatRequest } from "./types.ts";

/** JSON texts of requests, by call: attempts of one call share its meta, and a request may change between two calls. */
const texts = new WeakMap<Meta, Map<ChatRequest, string>>();

/**
 * The body for this host: written once per call, and in later attempts the same text but for what the host wants
 * otherwise. `streaming`: the answer is to come as a stream, also where the caller wants it whole.
 */
export function bodyFor(
  request: ChatRequest,
  meta: Meta,
  profile: HostProfile,
  streaming: boolean = request.stream === true,
): string {
  const text = textOf(request, meta);
  const streamed = streaming && request.stream !== true ? asStreamed(request) : undefined;
  const translated = changesFor(request, profile);
  const changes = streamed === undefined ? translated : { ...translated, ...streamed };
  return changes === undefined ? text : editMembers(text, changes);
}

/** Nothing but a stream is asked for, and the usage that a whole answer would have. */
function asStreamed({ stream_options: options }: ChatRequest): Readonly<Record<string, unknown>> {
  return { stream: true, stream_options: { ...options, include_usage: true } };
}

function textOf(request: ChatRequest, meta: Meta): string {
  let ofCall = texts.get(meta);
  if (ofCall === undefined) texts.set(meta, (ofCall = new Map()));
  let text = ofCall.get(request);
  if (text === undefined) ofCall.set(request, (text = wireOf(request)?.body ?? JSON.stringify(request)));
  return text;
}

/** The model that is meant, in the words of whoever asks. */
export function modelMeant(
  request: Pick<ChatRequest, "model">,
  profile: Pick<HostProfile, "defaultModel">,
): string {
  return request.model ?? profile.defaultModel ?? "deepseek-flash";
}

/** The model that this host is asked for. */
export function modelFor(
  request: Pick<ChatRequest, "model">,
  profile: Pick<HostProfile, "defaultModel" | "models">,
): string {
  const wanted = modelMeant(request, profile);
  return profile.models !== undefined && Object.hasOwn(profile.models, wanted)
    ? (profile.models[wanted] as string)
    : wanted;
}

function changesFor(
  request: ChatRequest,
  profile: HostProfile,
): Readonly<Record<string, unknown>> | undefined {
  const model = modelFor(request, profile);
  const thinking = thinkingFor(request, profile.thinking ?? "thinking");
  if (thinking === undefined) return model === request.model ? undefined : { model };
  return model === request.model ? thinking : { model, ...thinking };
}

function thinkingFor(
  request: ChatRequest,
  how: ThinkingSwitch,
): Readonly<Record<string, unknown>> | undefined {
  const { thinking, reasoning_effort: effort } = request;
  if (typeof how === "function") return how(request);
  const on = thinking?.type === undefined ? undefined : thinking.type === "enabled";
  switch (how) {
    case "thinking":
      return undefined;
    case "enable_thinking":
      return on === undefined ? undefined : { thinking: undefined, enable_thinking: on };
    case "chat_template_kwargs":
      return on === undefined
        ? undefined
        : { thinking: undefined, chat_template_kwargs: { thinking: on, ...request.chat_template_kwargs } };
    case "reasoning":
      if (on === undefined && typeof effort !== "string") return undefined;
      return {
        thinking: undefined,
        reasoning_effort: undefined,
        reasoning:
          on === false ? { enabled: false } : typeof effort === "string" ? { effort } : { enabled: true },
      };
  }
}
