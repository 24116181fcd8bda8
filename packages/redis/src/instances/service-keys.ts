import { createScope, type Scope } from "../keys.ts";

/** Where it is kept what instances of a service say: all of it on one node, and each service on a node of its own. */
export interface ServiceKeys {
  readonly scope: Scope;
  /** The sorted set instance → deadline in µs of the server. */
  readonly index: string;
  /** The stream of messages. */
  readonly told: string;
  /** What one instance says of itself. */
  report(instance: string): string;
}

export function serviceKeys(scopeName: string, service: string): ServiceKeys {
  // The length in front: no others make the same text. Nor is any of it a name that is shown as it is: those have no space.
  const scope = createScope(`instances ${scopeName.length} ${scopeName} ${service}`);
  return {
    scope,
    index: scope.key("reports"),
    told: scope.key("told"),
    report: (instance) => scope.key("report", instance),
  };
}
