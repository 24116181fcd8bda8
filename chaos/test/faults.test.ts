// Some faults that are quickly over, for what must hold: the figures in milliseconds belong to `npm run chaos`.
import type { Program } from "@breakwater-internal/redis-server/fork";
import { programOf } from "@breakwater-internal/redis-server/fork";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { faults } from "../src/faults/index.ts";
import { createStage, type Stage } from "../src/stage.ts";

describe.skipIf(process.env["BREAKWATER_TEST_REDIS"] === "none")("what must hold", () => {
  let program: Program;
  let stage: Stage;

  beforeAll(async () => {
    program = await programOf(new URL("../src/worker.ts", import.meta.url));
    stage = createStage((config) => program.start(config));
  }, 60_000);
  afterEach(() => stage.clear());
  afterAll(() => program?.remove());

  test.each(["kill-permit-holders", "script-flush", "one-sick-instance"])(
    "holds through %s",
    async (name) => {
      const fault = faults.find((each) => each.name === name);
      const rows = (await fault?.run(stage)) ?? [];
      expect(rows.length).toBeGreaterThan(0);
      for (const { fault: row, unit, worst, bound } of rows)
        expect(worst, `${row}: ${unit}`).toBeLessThanOrEqual(bound);
      const timeless = rows
        .flatMap(({ complaints }) => complaints)
        .filter((complaint) => !/ ms/.test(complaint));
      expect(timeless).toEqual([]);
    },
    120_000,
  );
});
