export { breakerStoreContract } from "./contracts/breaker-store.ts";
export { budgetStoreContract } from "./contracts/budget-store.ts";
export { cacheStoreContract } from "./contracts/cache-store.ts";
export type { ContractCase, ContractOptions } from "./contracts/contract.ts";
export { instanceStoreContract } from "./contracts/instance-store.ts";
export { permitStoreContract } from "./contracts/permit-store.ts";
export { rateLimitStoreContract } from "./contracts/rate-limit-store.ts";
export { type Finished, finish, forEachKind, type Kind, type UpstreamKind } from "./kinds.ts";
export {
  type ScriptedCall,
  type ScriptedStream,
  scriptedUpstream,
  type ScriptedUpstream,
} from "./scripted-upstream.ts";
export { seeded } from "./seeded.ts";
export { createTestClock, type TestClock, type TestClockOptions } from "./test-clock.ts";
