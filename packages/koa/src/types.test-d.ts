// The compiler runs these.
import { createClient, rateLimit, upstream } from "@breakwater/core";
import { bodyParser } from "@koa/bodyparser";
import { Router } from "@koa/router";
import Koa, { type ParameterizedContext } from "koa";

import { breakwater, errors, inbound, openaiRouter, respond } from "./index.ts";

const client = createClient(upstream((name: string) => ({ text: `hello ${name}` })));

// In an application that says nothing of its state.
const app = new Koa();
app.use(errors());
app.use(breakwater({ tenant: (ctx) => ctx.state["user"]?.team, deadline: "2m" }));
app.use(bodyParser());
app.use(inbound(rateLimit({ limits: { requests: { limit: 1, per: "1s" } } })));
app.use(
  respond(client, (ctx) => (ctx.request.body as { name: string }).name, { render: ({ text }) => text }),
);
app.use((ctx) => {
  ctx.callContext.signal satisfies AbortSignal;
  ctx.callContext.tenant satisfies string | undefined;
  // @ts-expect-error -- what is known of a request is not changed
  ctx.callContext.tenant = "other";
});

// In one that does.
interface State {
  user?: { team: string };
}
const typed = new Koa<State>();
typed.use(errors());
typed.use(breakwater({ tenant: (ctx: ParameterizedContext<State>) => ctx.state.user?.team }));
typed.use(breakwater({ tenant: (ctx) => ctx.get("x-team") }));
typed.use(respond(client, (ctx) => String(ctx.query["name"])));
typed.use((ctx) => void (ctx.body = ctx.callContext.callId satisfies string));

// In a router.
const router = new Router();
router.get(
  "/greet/:name",
  respond(client, (ctx) => String(ctx["params"].name)),
);
router.all("/v1/*rest", openaiRouter({ handler: () => () => new Response() }, { authorize: "public" }));
router.use(inbound(rateLimit({ limits: { requests: { limit: 1, per: "1s" } } })));
app.use(router.routes());

// @ts-expect-error -- what a client is asked must be what it takes
respond(client, () => 1);
// @ts-expect-error -- who may call is never a default
openaiRouter({ handler: () => () => new Response() }, {});
