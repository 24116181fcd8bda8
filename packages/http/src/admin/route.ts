import type { IncomingMessage, ServerResponse } from "node:http";

import { watchables, type Watched } from "@breakwater/core";

import { mount } from "../mount.ts";
import { openAdmin } from "./admin.ts";
import { type AdminOptions, readAdminOptions } from "./options.ts";
import { MAX_BODY } from "./read-body.ts";

/** The admin page, for the server of a framework. */
export interface AdminRoute {
  /** Answers a request, whatever its path: all paths below the page are its own. */
  serve(req: IncomingMessage, res: ServerResponse, given: AdminPlace): Promise<void>;
  /** Stops watching and ends what is being followed; from then on everything is answered with 503. */
  close(): Promise<void>;
}

/** Where a request is, as a framework knows it. */
export interface AdminPlace {
  /** Path and query below the page: `/state?scope=all`. */
  readonly url: string;
  /** Path and query as they were sent: they tell `/breakwater` and `/breakwater/` apart. @default `req.url` */
  readonly original?: string;
  /** The body, where a body parser has read it already. */
  readonly body?: unknown;
}

/**
 * Makes what the adapters' `admin` have in common.
 *
 * @throws ConfigError as `admin` does
 */
export function createAdminRoute(clients: Watched, options: AdminOptions): AdminRoute {
  const all = watchables(clients, "admin"); // first: what was given in another order is told to be no client
  const { answer, close } = openAdmin(all, readAdminOptions(options, true));
  return {
    close,
    async serve(req, res, { body, original = req.url ?? "/", url }) {
      const path = pathOf(url);
      const asked = {
        path: path === "/" && !pathOf(original).endsWith("/") ? "" : path,
        ending: () => isEnding(req),
        cut: () => void res.destroy(),
      };
      const serve = mount((request) => answer(request, asked), { bodyLimit: MAX_BODY });
      await serve(req, res, { url: `/${original.replace(/^\/+/, "")}`, body });
    },
  };
}

function pathOf(url: string): string {
  return url.replace(/[?#].*$/s, "");
}

/** A server that takes no new connections waits for those that there are: for whoever follows the events as well. */
function isEnding({ socket }: IncomingMessage): boolean {
  return (socket as { readonly server?: { readonly listening?: boolean } }).server?.listening === false;
}
