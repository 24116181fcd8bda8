import type { Watched } from "@breakwater/core";
import { type AdminOptions, createAdminRoute } from "@breakwater/http";
import type { RequestHandler } from "express";

/** A page as Express serves it, and the end of it. */
export interface AdminHandler extends RequestHandler {
  /** Stops watching and ends what is being followed; from then on everything is answered with 503. */
  close(): Promise<void>;
}

/**
 * Shows clients while they run, and lets an operator step in: a page, and JSON for programs. All paths below where it is
 * used are its own. `express.json()` may stand in front of it or not.
 *
 * @throws ConfigError without `authorize`, and for other options that make no sense
 *
 * @example
 * ```ts no-run
 * import { admin, basicAuth } from "@breakwater/express";
 * import { createDeepSeek } from "@breakwater/deepseek";
 * import express from "express";
 *
 * const deepseek = createDeepSeek({ apiKey: "sk-your-key" });
 * const app = express();
 * app.use("/breakwater", admin(deepseek, { authorize: basicAuth({ ada: process.env["ADMIN_PASSWORD"] }) }));
 * app.listen(3000);
 * ```
 */
export function admin(clients: Watched, options: AdminOptions): AdminHandler {
  const { close, serve } = createAdminRoute(clients, options);
  const handler: RequestHandler = (req, res, next) => {
    serve(req, res, { url: req.url, original: req.originalUrl, body: req.body as unknown }).catch(next);
  };
  return Object.assign(handler, { close });
}
