import assert from "node:assert/strict";
import { createRequire } from "node:module";

// Both formats offer the same names; a name that one of them lacks works for half of the users.
const require = createRequire(import.meta.url);
for (const name of JSON.parse(process.env.PACKAGES)) {
  const names = Object.keys(await import(name));
  const required = Object.keys(require(name)).filter((key) => key !== "__esModule");
  assert.deepEqual(names.toSorted(), required.toSorted(), name);
}
