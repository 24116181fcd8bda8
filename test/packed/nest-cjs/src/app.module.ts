import { bulkhead, retry } from "@breakwater/core";
import { createDeepSeek } from "@breakwater/deepseek";
import { BreakwaterGuard, BreakwaterModule } from "@breakwater/nestjs";
import { Module } from "@nestjs/common";
import { APP_GUARD } from "@nestjs/core";

import { AppController } from "./app.controller";
import { AppService } from "./app.service";

@Module({
  imports: [
    BreakwaterModule.forRoot({
      clients: { deepseek: createDeepSeek({ apiKey: process.env.DEEPSEEK_API_KEY ?? "sk-your-key" }) },
      pipelines: { answers: [retry({ attempts: 3, baseDelay: 1 })] },
      inbound: [bulkhead({ name: "requests", concurrency: 100 })],
    }),
  ],
  controllers: [AppController],
  providers: [AppService, { provide: APP_GUARD, useClass: BreakwaterGuard }],
})
export class AppModule {}
