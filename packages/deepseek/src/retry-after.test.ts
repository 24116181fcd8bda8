import { expect, test } from "vitest";

import { retryAfterOf } from "./retry-after.ts";

const NOW = Date.UTC(2026, 10, 20, 12, 0, 0);

test.each([
  ["seconds", { "retry-after": "5" }, 5_000],
  ["a fraction of a second", { "retry-after": "0.5" }, 500],
  ["0", { "retry-after": "0" }, 0],
  ["milliseconds", { "retry-after-ms": "250" }, 250],
  ["milliseconds before seconds", { "retry-after-ms": "250", "retry-after": "9" }, 250],
  ["seconds behind milliseconds that are none", { "retry-after-ms": "soon", "retry-after": "9" }, 9_000],
  ["an HTTP date", { "retry-after": "Fri, 20 Nov 2026 12:00:30 GMT" }, 30_000],
  ["its two older forms", { "retry-after": "Friday, 20-Nov-26 12:00:30 GMT" }, 30_000],
  ["of which one does not name its zone", { "retry-after": "Fri Nov 20 12:00:30 2026" }, 30_000],
  ["a date in the past", { "retry-after": "Fri, 20 Nov 2026 11:00:00 GMT" }, 0],
  ["junk", { "retry-after": "banana 1" }, undefined],
  ["a negative number", { "retry-after": "-5" }, undefined],
  ["no finite number", { "retry-after": "Infinity" }, undefined],
  ["hexadecimals", { "retry-after": "0x10" }, undefined],
  ["a date that is none", { "retry-after": "Fri, 99 Foo 2026" }, undefined],
  ["an absurd number", { "retry-after": "99999999999999999999" }, 2_147_483_647],
  ["an absurd date", { "retry-after": "Fri, 20 Nov 9999 12:00:00 GMT" }, 2_147_483_647],
  ["nothing", {}, undefined],
])("trap 48: Retry-After with %s", (_, headers, expected) => {
  expect(retryAfterOf(new Headers(headers as Record<string, string>), NOW)).toBe(expected);
});
