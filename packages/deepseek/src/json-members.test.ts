import fc from "fast-check";
import { expect, test } from "vitest";

import { editMembers } from "./json-members.ts";

test.each([
  ['{"model":"a","x":1.0}', { model: "b" }, '{"model":"b","x":1.0}'],
  ['{ "model" : "a" , "x" : 1e3 }', { model: "b" }, '{ "model" : "b", "x" : 1e3}'],
  ['{"x":12345678901234567890}', { model: "b" }, '{"x":12345678901234567890,"model":"b"}'],
  [
    '{"thinking":{"type":"disabled"},"x":[1,{"thinking":2}]}',
    { thinking: undefined },
    '{"x":[1,{"thinking":2}]}',
  ],
  ["{}", { model: "b" }, '{"model":"b"}'],
  ['{"model":"a","model":"c"}', { model: "b" }, '{"model":"b","model":"b"}'],
  [String.raw`{"s":"}\",\\","model":"a"}`, { model: "b" }, String.raw`{"s":"}\",\\","model":"b"}`],
  ['{"a":{},"b":[],"c":null}', { b: undefined }, '{"a":{},"c":null}'],
])("%s with %o", (text, changes, expected) => {
  expect(editMembers(text, changes)).toBe(expected);
});

test("changes what is named and nothing else, in any object", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.nat(3),
      (object, changes, space) => {
        const text = JSON.stringify(object, null, space);
        expect(JSON.parse(editMembers(text, changes))).toEqual(
          JSON.parse(JSON.stringify({ ...object, ...changes })),
        );
      },
    ),
  );
});
