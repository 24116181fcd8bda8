import { isRecord } from "./error-body.ts";
import type { ChatRequest } from "./types.ts";

/** A request for a chat, or undefined when it is none that could be understood: then the host may say so. */
export function parseChat(text: string): ChatRequest | undefined {
  const parsed = recordOf(text);
  return Array.isArray(parsed?.["messages"]) ? (parsed as unknown as ChatRequest) : undefined;
}

/** A request for a text to be filled in. It goes the way of the chats; see `createFim`. */
export function parseFim(text: string): ChatRequest | undefined {
  const parsed = recordOf(text);
  const fits = typeof parsed?.["prompt"] === "string" && parsed["messages"] === undefined;
  return fits ? (parsed as unknown as ChatRequest) : undefined;
}

function recordOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return isRecord(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}
