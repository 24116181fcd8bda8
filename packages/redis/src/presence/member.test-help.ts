import { systemRuntime } from "@breakwater/core";

import { openLink } from "../connection/open-link.ts";
import { createScope } from "../keys.ts";
import { readRedisOptions } from "../options.ts";
import { createPresence } from "./create-presence.ts";

/** What a process tells of itself. */
export type Told =
  /** It is known to Redis. */
  | { readonly instance: string }
  | { readonly beat: { readonly again: boolean } }
  /** It stood still; whether it would have decided by what it knew before. */
  | { readonly stoodStill: { readonly decided: boolean } };

const [url = "", scopeName = "", lease = ""] = process.argv.slice(2);
const leaseMs = Number(lease);
const tell = (told: Told): void => void process.send?.(told);

const config = readRedisOptions({ url, scope: scopeName, lease: leaseMs, decisionTimeout: "5s" });
const scope = createScope(scopeName);
const link = openLink(config, scope);
const runtime = systemRuntime();
const { presence } = createPresence({ link, runtime, scope, leaseMs, instances: 1 });
presence.onBeat((again) => tell({ beat: { again } }));

link.onChange((up) => {
  if (up) presence.ready()?.then(() => tell({ instance: presence.instance }), console.error);
});

// As calls do that come all the time.
let last = runtime.now();
function call(): void {
  const now = runtime.now();
  const ready = link.up ? presence.ready() : undefined;
  if (now - last >= leaseMs) tell({ stoodStill: { decided: ready === undefined } });
  ready?.catch(console.error);
  last = now;
  runtime.setTimer(5, call);
}
call();
