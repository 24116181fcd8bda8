import { expect, test } from "vitest";

import { faultOf, isUnknownScript } from "./faults.ts";

function reply(message: string): Error {
  const error = new Error(message);
  error.name = "ReplyError";
  return error;
}

test.each([
  // what failed, whether Redis is sick, whether it may have been done all the same
  [reply("LOADING Redis is loading the dataset in memory"), true, false],
  [
    reply("READONLY You can't write against a read only replica. script: abc, on @user_script:1."),
    true,
    false,
  ],
  [reply("CLUSTERDOWN The cluster is down"), true, false],
  [reply("OOM command not allowed when used memory > 'maxmemory'."), true, false],
  [reply("MISCONF Redis is configured to save RDB snapshots"), true, false],
  [reply("BUSY Redis is busy running a script"), true, false],
  [reply("NOPERM this user has no permissions to run the 'evalsha' command"), false, false],
  [reply("NOAUTH Authentication required."), false, false],
  [reply("WRONGTYPE Operation against a key holding the wrong kind of value"), false, true],
  [reply("ERR user_script:1: attempt to index a nil value"), false, true],
  [new Error("Connection is closed."), true, true],
  [new Error("Reached the max retries per request limit (which is 0)."), true, true],
  [new Error("read ECONNRESET"), true, true],
  [new Error("Stream isn't writeable and enableOfflineQueue options is false"), true, false],
  [new Error("Cluster isn't ready and enableOfflineQueue options is false"), true, false],
  ["a text that was thrown", true, true],
])("%s", (thrown, sick, unknown) => {
  const fault = faultOf(thrown);
  expect({ sick: fault.sick, unknown: fault.error.unknown }).toEqual({ sick, unknown });
});

test("the cause says why, and nothing of what Redis was told", () => {
  const thrown = Object.assign(reply("ERR wrong"), {
    command: { name: "set", args: ["key", "a whole answer"] },
  });
  const { cause, message } = faultOf(thrown).error;
  expect(message).toBe("Redis says: ERR wrong");
  expect(cause).toMatchObject({ name: "ReplyError", message: "ERR wrong", stack: thrown.stack });
  expect(JSON.stringify(Object.getOwnPropertyDescriptors(cause))).not.toContain("a whole answer");
});

test("a script that the server does not know is told from one that fails", () => {
  expect(isUnknownScript(reply("NOSCRIPT No matching script. Please use EVAL."))).toBe(true);
  expect(isUnknownScript(reply("ERR NOSCRIPT"))).toBe(false);
  expect(isUnknownScript(new Error("NOSCRIPT"))).toBe(false);
});
