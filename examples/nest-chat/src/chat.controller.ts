import type { ChatMessage } from "@breakwater/deepseek";
import { BadRequestException, Body, Controller, HttpCode, Post, RequestMethod, Sse } from "@nestjs/common";

import { ChatService, type Piece } from "./chat.service.ts";
import { MessagesPipe } from "./messages.pipe.ts";

@Controller("chat")
export class ChatController {
  constructor(private readonly chat: ChatService) {}

  /** Each piece is an event; the last one is `[DONE]`. A POST, because a conversation does not fit into a URL. */
  @Sse("stream", { method: RequestMethod.POST })
  @HttpCode(200)
  stream(@Body(MessagesPipe) messages: ChatMessage[]): AsyncIterable<Piece> {
    return this.chat.answer(messages);
  }

  @Post("title")
  @HttpCode(200)
  async title(@Body("question") question: unknown): Promise<{ title: string }> {
    if (typeof question !== "string") throw new BadRequestException("Send { question }.");
    return { title: await this.chat.title(question) };
  }
}
