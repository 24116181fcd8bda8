import { ConfigError } from "@breakwater/core";
import { describe, expect, test } from "vitest";

import { basicAuth, grantOf } from "./auth.ts";

describe("basicAuth", () => {
  const authorize = basicAuth({ ada: "pass:wörd", visitor: "look" }, { seeOnly: ["visitor"] });
  const ask = (header?: string) =>
    authorize(
      new Request("http://localhost/", header === undefined ? {} : { headers: { authorization: header } }),
    );
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;

  test.each([
    ["a name and its password", basic("ada:pass:wörd"), { by: "ada", may: "change" }],
    ["who may only look", basic("visitor:look"), { by: "visitor", may: "see" }],
    [
      "a scheme in other letters",
      basic("ada:pass:wörd").replace("Basic", "bAsIc"),
      { by: "ada", may: "change" },
    ],
  ])("lets in %s", (_, header, grant) => {
    expect(ask(header)).toEqual(grant);
  });

  test.each([
    ["nobody", undefined],
    ["nothing", ""],
    ["a wrong password", basic("ada:pass")],
    ["a longer one", basic("ada:pass:wörd ")],
    ["somebody else's", basic("ada:look")],
    ["an unknown name", basic("eve:look")],
    ["no name and no password", basic(":")],
    ["no colon", basic("ada")],
    ["a name of every object", basic("__proto__:x")],
    ["another scheme", basic("ada:pass:wörd").replace("Basic", "Bearer")],
    ["what is no base64", "Basic !!!"],
  ])("does not let in %s", (_, header) => {
    expect(ask(header)).toBe(false);
  });

  test("has browsers ask for it", () => {
    expect(authorize.challenge).toBe('Basic realm="Breakwater", charset="UTF-8"');
  });

  test.each<[string, () => unknown]>([
    ["no users", () => basicAuth({})],
    ["users that are none", () => basicAuth(null as never)],
    ["a password from an unset variable", () => basicAuth({ ada: undefined })],
    ["an empty password", () => basicAuth({ ada: "" })],
    ["a name with a colon", () => basicAuth({ "a:b": "x" })],
    ["a name that is empty", () => basicAuth({ "": "x" })],
    ["a stranger who may only look", () => basicAuth({ ada: "x" }, { seeOnly: ["eve"] })],
    ["a list that is none", () => basicAuth({ ada: "x" }, { seeOnly: "ada" as never })],
    ["an unknown option", () => basicAuth({ ada: "x" }, { readOnly: ["ada"] } as never)],
  ])("refuses %s when it is made", (_, make) => {
    expect(make).toThrow(ConfigError);
    expect(make).toThrow(/^basicAuth: /);
  });

  test("never quotes a password that is wrong", () => {
    expect(() => basicAuth({ ada: 12_345 as never })).toThrow(/^(?!.*12345)/);
  });
});

test.each([
  [true, { may: "change" }],
  [{ may: "see" }, { may: "see" }],
  [
    { by: "ada", may: "change" },
    { by: "ada", may: "change" },
  ],
  [{ by: "", may: "change" }, { may: "change" }],
  [
    { by: "x".repeat(500), may: "change" },
    { by: `${"x".repeat(199)}…`, may: "change" },
  ],
  [false, undefined],
  [undefined, undefined],
  [null, undefined],
  [1, undefined],
  ["yes", undefined],
  [{}, undefined],
  [{ by: "ada" }, undefined],
  [{ may: "everything" }, undefined],
])("authorize that gives %j grants %j", (given, grant) => {
  expect(grantOf(given)).toEqual(grant);
});
