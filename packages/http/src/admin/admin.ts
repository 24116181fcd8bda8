import { watchables, type Watched } from "@breakwater/core";

import { createInstances } from "./instances.ts";
import { openLocal } from "./local.ts";
import { type AdminConfig, type AdminPathOptions, readAdminOptions } from "./options.ts";
import { refuse } from "./respond.ts";
import { type Asked, createRoutes } from "./routes.ts";

/** An admin page, as the web platform spells it. */
export interface Admin {
  (request: Request): Promise<Response>;
  /** Stops watching and ends what is being followed; from then on everything is answered with 503. */
  close(): Promise<void>;
}

/**
 * Shows clients while they run, and lets an operator step in: a page, `GET /state`, `/snapshot` and `/describe` as JSON,
 * `/events` as server-sent events, and `POST /change` to hold a circuit open, put a policy in shadow or give it another
 * number. Each change is an event, `policy-change`, which says who made it.
 *
 * Answers web-standard requests; [@breakwater/express] and [@breakwater/koa] have an `admin` that is mounted as they
 * mount. It shows names, keys of policies and tenants, and never what was asked or answered. It begins to count when it
 * is made; figures of the last minute are of this process alone.
 *
 * @param clients what is shown: clients, pipelines, `createDeepSeek()`, `deepseekFetch()`, with those that they make later
 * @throws ConfigError without `authorize`, and for other options that make no sense
 *
 * @example
 * ```ts
 * import { createClient, upstream } from "@breakwater/core";
 * import { admin, basicAuth } from "@breakwater/http";
 *
 * const ask = createClient(upstream(async (name: string) => `hello ${name}`));
 * const page = admin(ask, { authorize: basicAuth({ ada: "a long password" }) });
 * const headers = { authorization: `Basic ${btoa("ada:a long password")}` };
 * const response = await page(new Request("http://localhost/snapshot", { headers }));
 * response.status; // => 200
 * (await page(new Request("http://localhost/snapshot"))).status; // => 401
 * await page.close();
 * ```
 */
export function admin(clients: Watched, options: AdminPathOptions): Admin {
  const all = watchables(clients, "admin"); // first: what was given in another order is told to be no client
  const config = readAdminOptions(options, false);
  const opened = openAdmin(all, config);
  const { path } = config;
  return Object.assign(
    (request: Request) => {
      const { pathname } = new URL(request.url);
      const below = pathname.startsWith(path) ? pathname.slice(path.length) : undefined;
      return opened.answer(request, { path: below === "" || below?.startsWith("/") ? below : undefined });
    },
    { close: opened.close },
  );
}

/** @internal */
export interface OpenAdmin {
  answer(request: Request, asked: Asked): Promise<Response>;
  close(): Promise<void>;
}

/** @internal */
export function openAdmin(clients: Watched, config: AdminConfig): OpenAdmin {
  const local = openLocal(clients, config);
  const { instance, instances: store, runtime, service } = config;
  const hint = (message: string): void => local.tell({ type: "hint", message });
  const { apply, holdsForAll, state } = local;
  const instances =
    store && createInstances({ store, service, instance, runtime, state, apply, holdsForAll, hint });
  const routes = createRoutes(local, instances, config);
  let closed = false;
  return {
    answer: async (request, asked) =>
      closed ? refuse(503, "CLOSED", "This is not shown any more.") : routes(request, asked),
    async close() {
      closed = true;
      local.close();
      await instances?.close();
    },
  };
}
