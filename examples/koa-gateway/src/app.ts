import type { RateLimits } from "@breakwater/core";
import { createDeepSeek, type DeepSeek, recommended } from "@breakwater/deepseek";
import { errors, openaiRouter } from "@breakwater/koa";
import Koa from "koa";

export interface Team {
  readonly name: string;
  /** Of requests, of tokens, or of both. */
  readonly limits: RateLimits;
}

export interface GatewayOptions {
  /** Of the one account behind all teams. No team ever sees it. */
  readonly apiKey: string;
  readonly baseURL: string;
  /** By the keys that they were given. Two keys of one name share its limits, so that a key can be exchanged. */
  readonly teams: Readonly<Record<string, Team>>;
}

export function createGateway({ apiKey, baseURL, teams }: GatewayOptions): { app: Koa; deepseek: DeepSeek } {
  const byHeader = new Map(Object.entries(teams).map(([key, team]) => [`Bearer ${key}`, team]));
  const limits = new Map(Object.values(teams).map((team) => [team.name, team.limits]));

  const deepseek = createDeepSeek({
    apiKey,
    baseURL,
    policies: recommended({
      rateLimit: {
        name: "team",
        key: (_, call) => call.tenant,
        // Nobody else is let in.
        limits: (call) => limits.get(call.tenant ?? "") as RateLimits,
      },
    }),
  });

  const app = new Koa();
  app.use(errors());
  app.use((ctx, next) => {
    if (ctx.path !== "/healthz") return next();
    ctx.body = { status: "ok", inFlight: deepseek.snapshot().inFlight };
    return undefined;
  });
  app.use(
    openaiRouter(deepseek, {
      authorize(request) {
        const team = byHeader.get(request.headers.get("authorization") ?? "");
        return team !== undefined && { tenant: team.name };
      },
    }),
  );
  return { app, deepseek };
}
