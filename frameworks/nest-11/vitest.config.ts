import { defineProject, mergeConfig } from "vitest/config";

import shared from "../../vitest.shared.ts";

/** Whatever imports one of these gets this workspace's copy, wherever it stands itself. */
const dedupe = [
  "@nestjs/common",
  "@nestjs/core",
  "@nestjs/platform-express",
  "@nestjs/platform-fastify",
  "@nestjs/terminus",
  "@nestjs/testing",
  "reflect-metadata",
  "rxjs",
];

export default mergeConfig(
  shared,
  defineProject({
    resolve: { dedupe },
    test: {
      name: "nest-11",
      include: ["../test/nest.test.ts", "../../packages/nestjs/{src,test}/**/*.test.ts"],
      provide: { nest: 11 },
    },
  }),
);
