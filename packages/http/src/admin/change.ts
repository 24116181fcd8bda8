import { ConfigError, type Managed, type PolicyChange, policyPlaces, showPolicies } from "@breakwater/core";

import { type NamedClient, nameable } from "./names.ts";

/** What somebody wants to be changed. */
export interface Order {
  /** As `/state` names it. */
  readonly client: string;
  /** Its name, its kind where there is one of that, or its position. */
  readonly policy: string | number;
  readonly change: PolicyChange;
}

/** An order that nothing was done about. */
export class OrderError extends Error {
  override readonly name = "OrderError";
  readonly status: 400 | 404 | 409;
  readonly code: string;

  constructor(status: 400 | 404 | 409, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/**
 * Does it, as `Managed.change` does.
 *
 * @throws OrderError where it is not clear what is meant, or it cannot be done: nothing has changed then
 */
export async function applyOrder(
  clients: readonly NamedClient[],
  { change, client, policy }: Order,
  by: string | undefined,
): Promise<void> {
  const target = findClient(clients, client);
  const position = findPolicy(target, client, policy);
  try {
    await target.change(position, change, { by });
  } catch (error) {
    if (ConfigError.isInstance(error)) throw new OrderError(400, "CONFIG", error.message);
    throw error;
  }
}

/**
 * Whether it holds in all processes once it was done in one: a circuit over a shared store is one circuit. Done again by
 * each, it would undo what was done since.
 *
 * @throws OrderError as `applyOrder`
 */
export function holdsForAll(clients: readonly NamedClient[], { change, client, policy }: Order): boolean {
  if (!("force" in change)) return false;
  const target = findClient(clients, client);
  const described = target.describe().policies[findPolicy(target, client, policy)];
  return (described?.options["store"] as { readonly shared?: true } | undefined)?.shared === true;
}

function findClient(clients: readonly NamedClient[], name: string): Managed {
  const found = clients.find((one) => one.name === name);
  if (found !== undefined) return found.client;
  const alike = clients.filter((one) => one.plainName === name);
  throw alike.length > 1
    ? new OrderError(
        409,
        "AMBIGUOUS",
        `${alike.length} clients are called ${nameable(name)}; say which one: ${namesOf(alike)}.`,
      )
    : new OrderError(
        404,
        "NO_SUCH_CLIENT",
        `There is no client ${nameable(name)}; ${clients.length === 0 ? "there is none at all" : `there is ${namesOf(clients)}`}.`,
      );
}

/** Pipelines may be made by the thousand: of many, the first. */
function namesOf(clients: readonly NamedClient[]): string {
  const names = clients.slice(0, 20).map((one) => nameable(one.name));
  return [...names, ...(clients.length > names.length ? [`${clients.length - names.length} more`] : [])].join(
    ", ",
  );
}

function findPolicy({ policies }: Managed, client: string, which: string | number): number {
  const [place, ...others] = policyPlaces(policies, which);
  if (place !== undefined && others.length === 0) return place;
  if (place !== undefined)
    throw new OrderError(
      409,
      "AMBIGUOUS",
      `${others.length + 1} policies of ${client} are called ${nameable(String(which))}; say which one by its kind or position: ${showPolicies(policies)}.`,
    );
  const what = typeof which === "number" ? `at position ${which}` : nameable(which);
  throw new OrderError(404, "NO_SUCH_POLICY", `${client} has no policy ${what}; ${showPolicies(policies)}.`);
}

/** What a request asks for, and whether of this instance alone or of all. */
export interface Asked {
  readonly order: Order;
  readonly scope: "this" | "all";
}

/** @throws OrderError for what is no order */
export function readOrder(text: string): Asked {
  const { change, client, policy, scope = "this", ...unknown } = readObject(text);
  const fail = (what: string): never => {
    throw new OrderError(400, "BAD_ORDER", what);
  };
  const [odd] = Object.keys(unknown);
  if (odd !== undefined)
    return fail(`unknown member ${nameable(odd)}; known are client, policy, change and scope.`);
  if (typeof client !== "string") return fail("client must be the name of a client.");
  if (typeof policy !== "string" && !isPosition(policy))
    return fail("policy must be the name of a policy, its kind, or its position.");
  if (typeof change !== "object" || change === null)
    return fail('change must be { "force": "open" } or { "update": { … } }.');
  if (scope !== "this" && scope !== "all") return fail('scope must be "this" or "all".');
  return { order: { client, policy, change: change as PolicyChange }, scope };
}

function readObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    // Whoever copies it by assignment would give an object another prototype.
    value = JSON.parse(text, (name, member: unknown) => {
      if (name === "__proto__")
        throw new OrderError(400, "BAD_ORDER", 'no member may be called "__proto__".');
      return member;
    });
  } catch (error) {
    if (error instanceof OrderError) throw error;
    throw new OrderError(400, "MALFORMED_BODY", "The body is not valid JSON.");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new OrderError(400, "BAD_ORDER", "The body must be an object with client, policy and change.");
  return value as Readonly<Record<string, unknown>>;
}

const isPosition = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0;
