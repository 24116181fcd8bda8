export {
  type ScriptedCall,
  type ScriptedStream,
  scriptedUpstream,
  type ScriptedUpstream,
} from "./scripted-upstream.ts";
export { seeded } from "./seeded.ts";
export { createTestClock, type TestClock, type TestClockOptions } from "./test-clock.ts";
