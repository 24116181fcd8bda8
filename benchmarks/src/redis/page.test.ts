import { expect, test } from "vitest";

import { describeMachine } from "../machine.ts";
import { judgeRedis } from "./aims.ts";
import type { RedisMeasured } from "./measure.ts";
import { redisPageOf } from "./page.ts";
import { REDIS_SIDES } from "./sides.ts";

const exactly = (value: number) => ({ median: value, min: value, max: value });

const measured = REDIS_SIDES.map(({ name, label }, at): RedisMeasured => {
  const figure = exactly(at + 1);
  const figures = {
    perSecond: figure,
    p50: figure,
    p99: figure,
    client: figure,
    server: figure,
    scripts: figure,
  };
  const times = { times: exactly(1.5), timesClient: figure, timesServer: exactly(1.7) };
  return { side: name, label, inFlight: 64, trips: figure, ...figures, ...times };
});

test("the page has a row for each side, and says which aims were reached", () => {
  const results = { version: "7.0.15", near: measured, far: [], rttMs: 1 };
  const page = redisPageOf(describeMachine(), results, "npm run bench -- --redis", { rounds: 1, ms: 1 });
  for (const { label } of REDIS_SIDES) expect(page).toContain(`| ${label}`);
  expect(page).toContain("Redis 7.0.15");
  expect(judgeRedis(measured).map(({ reached }) => reached)).toEqual([false, true, true]);
  expect(page.match(/not reached/g)).toHaveLength(1);
});

test("what was not measured is not judged", () => {
  expect(judgeRedis([])).toEqual([]);
});
