export { type Admin, admin } from "./admin.ts";
export { type AdminGrant, type Authorize, basicAuth } from "./auth.ts";
export { type AdminOptions, type AdminPathOptions, readAdminPath } from "./options.ts";
export type { RecentEvent } from "./recent.ts";
export { type AdminPlace, type AdminRoute, createAdminRoute } from "./route.ts";
export type { Percentiles } from "./samples.ts";
export type { AdminState, ClientState, InstanceState, PolicyState } from "./state.ts";
export type { ClientStats, Series, SeriesPoint } from "./stats.ts";
