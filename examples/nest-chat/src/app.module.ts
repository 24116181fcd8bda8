import { bulkhead, type Policy, rateLimit } from "@breakwater/core";
import { createDeepSeek } from "@breakwater/deepseek";
import { BreakwaterModule } from "@breakwater/nestjs";
import { Module } from "@nestjs/common";

import { ChatModule } from "./chat.module.ts";
import { HealthController } from "./health.controller.ts";

/** What one visitor may do. Behind a login it would be one user. */
const perVisitor = (): Policy[] => [
  rateLimit({
    name: "questions",
    key: (_, call) => call.tenant,
    limits: { requests: { limit: 20, per: "1m" } },
  }),
  bulkhead({ name: "answers", key: (_, call) => call.tenant, concurrency: 2 }),
];

@Module({
  imports: [
    BreakwaterModule.forRootAsync({
      clients: ["deepseek"],
      useFactory: () => ({
        clients: { deepseek: createDeepSeek() }, // key and address from the environment, the recommended policies
        pipelines: { chat: perVisitor() },
        context: { tenant: (req: { ip?: string }) => req.ip },
        drain: "10s",
      }),
    }),
    ChatModule,
  ],
  controllers: [HealthController],
})
export class AppModule {}
