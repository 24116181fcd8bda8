import { once } from "node:events";

import { afterAll, expect, it } from "vitest";

import { programOf } from "./fork-source.ts";

const program = await programOf(new URL("./echo.test-help.ts", import.meta.url));
afterAll(() => program.remove());

it("runs a TypeScript file in a process of its own", async () => {
  const child = program.start("one", "two");
  const [said] = (await once(child, "message")) as [
    { readonly pid: number; readonly args: readonly string[] },
  ];
  expect(said).toEqual({ pid: child.pid, args: ["one", "two"] });
  if (child.exitCode === null) await once(child, "exit");
  expect(child.exitCode).toBe(0);
});
