import { type Event, eventsOf } from "@breakwater-internal/visitor";
import { expect } from "vitest";

import type { Framework } from "./framework.ts";

/** An error of ours, as a browser is to see it. */
export interface Told {
  readonly status: number;
  readonly code: string;
  /** In seconds. */
  readonly retryAfter?: number;
}

/** Expects that a response tells this error in the framework's own shape, and not a word more. */
export async function expectTold(
  framework: Framework,
  response: Response,
  { status, code, retryAfter }: Told,
): Promise<void> {
  const text = await response.text();
  const { headers } = response;
  expect({
    status: response.status,
    type: headers.get("content-type")?.split(";")[0],
    code: headers.get("x-breakwater-code"),
    retryAfter: headers.get("retry-after"),
  }).toEqual({
    status,
    type: framework.shape === "problem" ? "application/problem+json" : "application/json",
    code,
    retryAfter: retryAfter === undefined ? null : String(retryAfter),
  });
  const body = JSON.parse(text) as Record<string, unknown>;
  if (framework.shape === "problem") expect(body).toMatchObject({ type: "about:blank", status, code });
  else expect(body).toMatchObject({ statusCode: status, code });
  expectDiscreet(text);
}

/** The same of a response to a stream, whose head may have been out before anything was known. */
export async function expectToldOf(
  route: string,
  framework: Framework,
  response: Response,
  told: Told,
): Promise<void> {
  if (route === "events" && framework.head === "soon" && response.status === 200)
    expectBroken(eventsOf(await response.text()), told.code);
  else await expectTold(framework, response, told);
}

/** Expects that a stream ended with this error, which its reader cannot take for its end. */
export function expectBroken(events: readonly Event[], code: string): void {
  const last = events.at(-1);
  expect(last?.event).toBe("error");
  const told = JSON.stringify(last?.data);
  expect(told).toContain(`"code":"${code}"`);
  expectDiscreet(told);
  expect(events.map(({ data }) => data)).not.toContain("[DONE]");
}

/** Nothing of what upstreams and errors say in these tests may reach a browser. */
function expectDiscreet(text: string): void {
  expect(text).not.toMatch(/swordfish|sk-|\.ts\b/);
}
