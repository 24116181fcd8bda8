// What `GET ./state` answers is what the admin says it does. What a policy holds is looked at with care all the same: an
// instance may run another version, and its kind may be new.
import type { AdminState, ClientState, InstanceState, PolicyState } from "../src/admin/state.ts";
import type { ClientStats, Series, SeriesPoint } from "../src/admin/stats.ts";

export type { AdminState, ClientState, ClientStats, InstanceState, PolicyState, Series, SeriesPoint };

export type Mode = NonNullable<PolicyState["mode"]>;
export type Percentiles = NonNullable<ClientStats["duration"]>;
export type Refusals = ClientStats["refusalsBy"][number];

/** An event of late; what it tells besides depends on its type. */
export interface RecentEvent {
  readonly type: string;
  readonly client: string;
  /** Wall milliseconds. */
  readonly time: number;
  /** How often, where it happened again and again. */
  readonly count?: number;
  readonly [field: string]: unknown;
}

export type Change =
  | { readonly force: "open" | "closed" | "auto"; readonly key?: string }
  | { readonly update: Readonly<Record<string, unknown>> };
