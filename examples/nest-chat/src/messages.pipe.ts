import type { ChatMessage } from "@breakwater/deepseek";
import { BadRequestException, type PipeTransform } from "@nestjs/common";

const ROLES: readonly unknown[] = ["user", "assistant"];

/** The conversation in the body of a request: `{ "messages": [{ "role": "user", "content": "…" }] }`. */
export class MessagesPipe implements PipeTransform<unknown, ChatMessage[]> {
  transform(body: unknown): ChatMessage[] {
    const { messages } = (body ?? {}) as { messages?: unknown };
    if (!Array.isArray(messages) || messages.length === 0)
      throw new BadRequestException("Send { messages: [{ role, content }] }.");
    return messages.map((message: { role?: unknown; content?: unknown } | null) => {
      if (!ROLES.includes(message?.role) || typeof message?.content !== "string")
        throw new BadRequestException('A message is { role: "user" or "assistant", content: a text }.');
      // Field by field: nothing else that a browser sends goes to DeepSeek on this server's bill.
      return { role: message.role, content: message.content } as ChatMessage;
    });
  }
}
