import { Injectable } from "@nestjs/common";
import OpenAI from "openai";

@Injectable()
export class ChatService {
  private readonly openai = new OpenAI({
    apiKey: process.env["DEEPSEEK_API_KEY"],
    baseURL: process.env["DEEPSEEK_BASE_URL"],
  });

  async *answer(messages: OpenAI.ChatCompletionMessageParam[]) {
    const model = "deepseek-flash";
    const answer = await this.openai.chat.completions.create({ model, messages, stream: true });
    for await (const { choices } of answer) {
      const delta = choices[0]?.delta;
      if (delta?.content) yield { text: delta.content };
    }
  }
}
