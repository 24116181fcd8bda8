import { plainData, StoreError } from "@breakwater/core";

import { ASSETS, assetAt } from "./assets.ts";
import { type AdminGrant, grantOf } from "./auth.ts";
import { OrderError, readOrder } from "./change.ts";
import type { Instances } from "./instances.ts";
import type { Local } from "./local.ts";
import { nameable } from "./names.ts";
import type { AdminConfig } from "./options.ts";
import { readBody } from "./read-body.ts";
import { guarded, refuse, respond, respondJson } from "./respond.ts";
import { isFromElsewhere } from "./same-origin.ts";
import type { AdminState } from "./state.ts";

/** What a server knows of a request, beside what is in it. */
export interface Asked {
  /** Path below where the page is: `""` is the place itself, without its slash. `undefined`: it is somewhere else. */
  readonly path: string | undefined;
  /** Whether the server is shutting down. */
  readonly ending?: () => boolean;
  /** Closes the connection. */
  readonly cut?: () => void;
}

interface Visit extends Asked {
  readonly request: Request;
  readonly query: URLSearchParams;
  readonly grant: AdminGrant;
}

type Route = (visit: Visit) => Response | Promise<Response>;

interface Methods {
  readonly GET?: Route;
  readonly POST?: Route;
}

/** Answers whatever is asked below the page. Does not throw. */
export function createRoutes(
  local: Local,
  instances: Instances | undefined,
  config: AdminConfig,
): (request: Request, asked: Asked) => Promise<Response> {
  const { authorize, service, title } = config;
  const onError = (error: unknown): void => {
    try {
      config.onError(error);
    } catch {
      // Nobody is left to be told.
    }
  };

  const state: Route = async ({ grant: { by, may }, query }) => {
    const scope = query.get("scope") ?? "this";
    if (scope !== "this" && scope !== "all")
      return refuse(400, "BAD_SCOPE", `scope is "this" or "all", got ${nameable(scope)}.`);
    const all = scope === "all" ? await instances?.states() : undefined;
    const known: AdminState = {
      service,
      title,
      ...(by !== undefined && { by }),
      may,
      shared: instances !== undefined,
      ...(all ?? { instances: [local.state()] }),
    };
    return respondJson(known);
  };

  const snapshot: Route = () =>
    respondJson({
      instance: local.instance,
      clients: local.clients().map(({ client, name }) => {
        const known = client.snapshot();
        const policies = known.policies.map((policy) => ({ ...policy, state: plainData(policy.state) }));
        return { ...known, name, policies };
      }),
    });

  const describe: Route = () =>
    respondJson({
      instance: local.instance,
      clients: local.clients().map(({ client, name }) => {
        const { lints, policies } = client.describe();
        return {
          name,
          policies: policies.map((policy) => ({ ...policy, options: plainData(policy.options) })),
          lints,
        };
      }),
    });

  const events: Route = ({ cut, ending, query, request }) => {
    if (request.method === "HEAD") return respond(null, "text/event-stream; charset=utf-8");
    const named = query.getAll("types").flatMap((types) => types.split(",").filter((type) => type !== ""));
    const types = named.length === 0 ? undefined : new Set(named);
    const opened = local.readers.open(types, { signal: request.signal, ending, cut });
    return opened === undefined
      ? refuse(503, "TOO_MANY_READERS", "Too many follow the events already.", { "retry-after": "5" })
      : guarded(opened);
  };

  const change: Route = async ({ grant: { by, may }, request }) => {
    if (may !== "change") return refuse(403, "SEE_ONLY", "You may look, and not change anything.");
    if (isFromElsewhere(request))
      return refuse(403, "CROSS_ORIGIN", "Changes are taken from this page, and not from those of others.");
    const body = await readBody(request);
    if (body instanceof Response) return body;
    const { order, scope } = readOrder(body);
    if (scope === "all" && instances === undefined)
      return refuse(400, "NOT_SHARED", "Other instances are not known here; leave scope out.");
    try {
      await local.apply(order, by);
    } catch (error) {
      if (!StoreError.isInstance(error)) throw error;
      onError(error);
      return refuse(503, "STORE_UNAVAILABLE", `${error.message}. Whether it was changed is not known.`);
    }
    if (scope === "all") {
      try {
        await instances?.tell(order, by);
      } catch (error) {
        onError(error);
        return refuse(
          503,
          "STORE_UNAVAILABLE",
          `It was changed in ${local.instance}; the other instances could not be told.`,
        );
      }
    }
    return respondJson({ changed: order, scope, instance: local.instance, ...(by !== undefined && { by }) });
  };

  const asset: Route = async ({ path }) => {
    const found = await assetAt(path as string);
    return found === undefined ? notFound() : respond(found.body, found.type);
  };

  const routes: ReadonlyMap<string | undefined, Methods> = new Map<string, Methods>([
    ["", { GET: withSlash }],
    ...ASSETS.map((path): [string, Methods] => [path, { GET: asset }]),
    ["/state", { GET: state }],
    ["/snapshot", { GET: snapshot }],
    ["/describe", { GET: describe }],
    ["/events", { GET: events }],
    ["/change", { POST: change }],
  ]);

  /** Only for who was let in: nobody else learns which paths there are. */
  async function serve(visit: Visit): Promise<Response> {
    const route = routes.get(visit.path);
    if (route === undefined) return notFound();
    const allow = [...(route.GET ? ["GET", "HEAD"] : []), ...(route.POST ? ["POST"] : []), "OPTIONS"].join(
      ", ",
    );
    const { method } = visit.request;
    if (method === "OPTIONS") return respond(null, undefined, 204, { allow });
    const handler =
      method === "POST" ? route.POST : method === "GET" || method === "HEAD" ? route.GET : undefined;
    if (handler === undefined)
      return refuse(405, "METHOD_NOT_ALLOWED", `Only ${allow} are allowed here.`, { allow });
    return handler(visit);
  }

  return async (request, asked) => {
    const failed = (error: unknown, where: string): Response => {
      local.tell({ type: "callback-throw", where, error });
      onError(error);
      return refuse(500, "INTERNAL", "Something went wrong here.");
    };
    let grant: AdminGrant | undefined;
    try {
      grant = grantOf(await authorize(request));
    } catch (error) {
      return failed(error, "admin: authorize");
    }
    if (grant === undefined) return unknown(authorize.challenge);
    try {
      return await serve({ ...asked, request, grant, query: new URL(request.url).searchParams });
    } catch (error) {
      return error instanceof OrderError
        ? refuse(error.status, error.code, error.message)
        : failed(error, `admin: ${asked.path}`);
    }
  };
}

function unknown(challenge: string | undefined): Response {
  return refuse(
    401,
    "UNAUTHORIZED",
    "You are not known here.",
    challenge === undefined ? {} : { "www-authenticate": challenge },
  );
}

function notFound(): Response {
  return refuse(404, "NOT_FOUND", "There is nothing at this path.");
}

/** By its last part alone: a proxy in front may have given the place another name. */
function withSlash({ request }: Visit): Response {
  const { pathname, search } = new URL(request.url);
  return respond(null, undefined, 308, { location: `./${pathname.split("/").at(-1)}/${search}` });
}
