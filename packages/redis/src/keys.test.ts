import { expect, test } from "vitest";

import { createScope } from "./keys.ts";

/** What a cluster hashes, by its own rule: what is between the first `{` and the next `}`, unless that is nothing. */
function hashed(key: string): string {
  const from = key.indexOf("{");
  const to = key.indexOf("}", from + 1);
  return from === -1 || to <= from + 1 ? key : key.slice(from + 1, to);
}

const AWKWARD = [
  "",
  "{}",
  "{",
  "}",
  "{a}",
  "}{",
  "a{b}c",
  "a b",
  "*",
  "\n",
  "naïve",
  "🙂",
  "x".repeat(10_000),
];

test("all keys of a scope are decided together, whatever the names are", () => {
  for (const name of [...AWKWARD, "default", "sk-1234"]) {
    const scope = createScope(name);
    const keys = AWKWARD.flatMap((text) => [
      scope.key("g", text),
      scope.key("b", "p", text),
      scope.channel("c", text),
    ]);
    expect(new Set([...keys, scope.key("boot")].map(hashed)).size).toBe(1);
    expect(hashed(scope.key("boot"))).not.toBe("");
  }
});

test("different names make different keys", () => {
  const names = [...AWKWARD, "a", "b", "A"];
  const scope = createScope("default");
  const keys = [
    scope.key("g"),
    ...names.map((name) => scope.key("g", name)),
    ...names.map((name) => scope.key("g", "", name)),
    ...names.map((name) => scope.key("h", name)),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  expect(new Set([...names, "default"].map((name) => hashed(createScope(name).key("g")))).size).toBe(
    names.length + 1,
  );
});

test("every process makes the same keys, short ones, with nothing of what users are called", () => {
  const key = createScope("default").key("g", "limit", "alice@example.org");
  expect(key).toBe("bw1:{default}:g:VeoJ5XFdCo2dlAGNRz:emSt8oc36pBxnL3wsa");
  expect(createScope("default").key("g", "limit", "alice@example.org")).toBe(key);
  expect(createScope("{team}:x").key("g", "y".repeat(5_000)).length).toBeLessThan(60);
});

test("a digest of a name is not the name of another scope", () => {
  const tag = hashed(createScope("{team}").key("g"));
  expect(hashed(createScope(tag).key("g"))).not.toBe(tag);
});
