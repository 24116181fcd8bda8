// What it takes to run any program as a test's own: others that are started for tests need the same.
export { type Guarded, startGuarded } from "./guarded.ts";
export { freePort } from "./port.ts";
export { until } from "./until.ts";
