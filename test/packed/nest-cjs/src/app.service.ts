import type { ChatChunk, DeepSeek } from "@breakwater/deepseek";
import { InjectClient, UsePipeline } from "@breakwater/nestjs";
import { Injectable } from "@nestjs/common";

@Injectable()
export class AppService {
  constructor(@InjectClient("deepseek") private readonly deepseek: DeepSeek) {}

  @UsePipeline("answers")
  async whole(content: string): Promise<string | null> {
    const { choices } = await this.deepseek.chat({ messages: [{ role: "user", content }] });
    return choices[0].message.content;
  }

  @UsePipeline("answers")
  async *stream(content: string): AsyncGenerator<ChatChunk> {
    yield* this.deepseek.stream({ messages: [{ role: "user", content }] });
  }
}
