import { expect, test } from "vitest";

// `npm run test:nodes` would prove nothing if the tests silently ran on the Node that started it.
test("the tests run on the Node line that was asked for", () => {
  const line = process.env["BREAKWATER_NODE_LINE"];
  if (line !== undefined) expect(process.versions.node.split(".")[0]).toBe(line);
});
