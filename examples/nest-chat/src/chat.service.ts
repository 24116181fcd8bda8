import { fallback, timeout } from "@breakwater/core";
import type { ChatMessage, DeepSeek } from "@breakwater/deepseek";
import { InjectClient, UsePipeline, UsePolicies } from "@breakwater/nestjs";
import { Injectable } from "@nestjs/common";

/** A piece of an answer: what the model thinks, or what it says. */
export interface Piece {
  readonly thinking?: string;
  readonly text?: string;
}

@Injectable()
export class ChatService {
  constructor(@InjectClient("deepseek") private readonly deepseek: DeepSeek) {}

  /** The permits of "chat" are held to the last piece, or until the visitor leaves. */
  @UsePipeline("chat")
  async *answer(messages: readonly ChatMessage[]): AsyncGenerator<Piece> {
    for await (const { choices } of this.deepseek.stream({ messages })) {
      const delta = choices[0]?.delta;
      if (delta?.reasoning_content) yield { thinking: delta.reasoning_content };
      if (delta?.content) yield { text: delta.content };
    }
  }

  /** For the tab. A nicety: it never keeps anybody waiting, and never fails. */
  @UsePolicies(fallback({ value: () => "Chat" }), timeout({ total: "5s" }))
  async title(question: string): Promise<string> {
    const answer = await this.deepseek.chat({
      messages: [
        { role: "system", content: "Answer with a title of at most five words for the question." },
        { role: "user", content: question },
      ],
      thinking: { type: "disabled" },
      max_tokens: 20,
    });
    return answer.choices[0]?.message.content || "Chat";
  }
}
