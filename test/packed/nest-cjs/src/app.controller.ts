import { rateLimit } from "@breakwater/core";
import { Inbound } from "@breakwater/nestjs";
import { Controller, Get, Query, Sse } from "@nestjs/common";

import { AppService } from "./app.service";

@Controller()
export class AppController {
  constructor(private readonly appService: AppService) {}

  @Get("answer")
  answer(@Query("q") question: string): Promise<string | null> {
    return this.appService.whole(question);
  }

  @Sse("stream")
  stream(@Query("q") question: string) {
    return this.appService.stream(question);
  }

  @Inbound(rateLimit({ name: "export", limits: { requests: { limit: 1, per: "1h" } } }))
  @Get("export")
  export(): string {
    return "all of it";
  }
}
