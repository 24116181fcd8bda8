import "reflect-metadata";
import { fileURLToPath } from "node:url";

import { NestFactory } from "@nestjs/core";
import type { NestExpressApplication } from "@nestjs/platform-express";

import { AppModule } from "./app.module.ts";

export async function createApp(): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule, {
    logger: ["error", "warn"],
    abortOnError: false, // a mistake in the configuration is thrown, to main and to tests
  });
  app.useStaticAssets(fileURLToPath(new URL("../public", import.meta.url)));
  return app;
}
