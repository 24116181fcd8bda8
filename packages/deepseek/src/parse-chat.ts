import { isRecord } from "./error-body.ts";
import type { ChatRequest } from "./types.ts";

/** A request for a chat, or undefined when it is none that could be understood: then the host may say so. */
export function parseChat(text: string): ChatRequest | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return isRecord(parsed) && Array.isArray(parsed["messages"])
      ? (parsed as unknown as ChatRequest)
      : undefined;
  } catch {
    return undefined;
  }
}
