import "reflect-metadata";
import type { AddressInfo } from "node:net";

import type { INestApplication, ModuleMetadata } from "@nestjs/common";
import { ExpressAdapter } from "@nestjs/platform-express";
import { FastifyAdapter } from "@nestjs/platform-fastify";
import { Test, type TestingModule, type TestingModuleBuilder } from "@nestjs/testing";
import { onTestFinished } from "vitest";

export type Platform = "express" | "fastify";

/** The platforms that Nest runs on. */
export const platforms: readonly Platform[] = ["express", "fastify"];

/** A Nest application on a real socket, gone when the test is. */
export async function serve(
  metadata: ModuleMetadata,
  platform: Platform = "express",
  prepare: (app: INestApplication) => void = () => {},
  override: (builder: TestingModuleBuilder) => TestingModuleBuilder = (builder) => builder,
): Promise<{ app: INestApplication; url: string }> {
  const module = await override(Test.createTestingModule(metadata)).compile();
  const adapter = platform === "express" ? new ExpressAdapter() : new FastifyAdapter();
  const app = module.createNestApplication(adapter, { logger: ["error"] });
  prepare(app);
  await app.listen(0, "127.0.0.1");
  onTestFinished(async () => {
    (app.getHttpServer() as { closeAllConnections(): void }).closeAllConnections();
    await app.close();
  });
  return {
    app,
    url: `http://127.0.0.1:${(app.getHttpServer() as { address(): AddressInfo }).address().port}`,
  };
}

/** A Nest application without a server, closed when the test is. */
export async function boot(
  metadata: ModuleMetadata,
  override: (builder: TestingModuleBuilder) => TestingModuleBuilder = (builder) => builder,
): Promise<TestingModule> {
  const module = await override(Test.createTestingModule(metadata)).compile();
  await module.init();
  onTestFinished(() => module.close());
  return module;
}
