import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { createThroughput } from "./throughput.ts";

describe("minimum throughput", () => {
  it("gives a new stream one whole window", () => {
    const throughput = createThroughput(20, 10_000, 500);
    expect(throughput.runsOutAt()).toBe(10_500);
    for (let i = 0; i < 19; i++) throughput.token(600);
    expect(throughput.runsOutAt()).toBe(10_500);
    throughput.token(700);
    expect(throughput.runsOutAt()).toBe(10_600);
  });

  it("stands still while the reader is slow", () => {
    const throughput = createThroughput(2, 1_000, 0);
    throughput.token(100);
    throughput.token(200);
    throughput.pause(300);
    throughput.pause(350);
    expect(throughput.runsOutAt()).toBe(Infinity);
    throughput.token(5_000); // read ahead
    throughput.resume(10_300);
    expect(throughput.runsOutAt()).toBe(11_200); // 800 ms of the window were left
  });

  it("runs out exactly when some window that has passed held too few", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.array(fc.integer({ min: 1, max: 900 }), { maxLength: 60 }),
        (tokens, gaps) => {
          const window = 1_000;
          const throughput = createThroughput(tokens, window, 0);
          const times: number[] = [];
          let now = 0;
          for (const gap of gaps) {
            const next = now + gap;
            const ranOut = throughput.runsOutAt() < next;
            // By definition: is there a moment before the next token at which the window behind it held too few?
            const short = Array.from({ length: gap }, (_, i) => now + i).some(
              (t) => t >= window && times.filter((at) => at > t - window && at <= t).length < tokens,
            );
            expect(ranOut).toBe(short);
            if (short) return;
            throughput.token(next);
            times.push(next);
            now = next;
          }
        },
      ),
    );
  });
});
