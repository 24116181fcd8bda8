"use strict";
const assert = require("node:assert/strict");

for (const name of JSON.parse(process.env.PACKAGES)) {
  assert.equal(typeof require(name), "object", name);
  // Not an ES module that a newer Node lets through: Jest would not.
  assert.match(require.resolve(name), /[\\/]dist[\\/]cjs[\\/](.+[\\/])?index\.js$/);
}
