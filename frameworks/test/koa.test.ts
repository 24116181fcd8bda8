import { admin, breakwater, drain, errors, inbound, respond } from "@breakwater/koa";
import { metrics } from "@breakwater/telemetry/prometheus";
import { bodyParser } from "@koa/bodyparser";
import { Router } from "@koa/router";
import Koa from "koa";
// @ts-expect-error -- it has no types under this name; those of Koa 3 say what is used of it here
import Koa2 from "koa2";

import { chatRequest, DRAIN_MS, type Framework, type Parts, type Started } from "./behaviour/framework.ts";
import { contentOf, textOf } from "./behaviour/requests.ts";
import { behaves } from "./behaviour/suite.ts";

behaves(on("Koa 3", Koa));
behaves(on("Koa 2", Koa2 as typeof Koa));

function on(name: string, App: typeof Koa): Framework {
  return { name, shape: "problem", head: "with the first event", start: (parts) => start(new App(), parts) };
}

async function start(app: Koa, parts: Parts): Promise<Started> {
  const { ask, deepseek, inbound: guards, clock, own, log, operators } = parts;
  const router = new Router();
  const text = respond(ask, (ctx) => textOf(ctx.request.body));
  const param = respond(ask, (ctx) => String(ctx["params"]["text"]));
  router.post("/json", text).post("/events", text);
  router.get("/json/:text", param).get("/events/:text", param);
  router.get("/by-hand/:text", async (ctx) => {
    ctx.body = await ask(String(ctx["params"]["text"]));
  });
  // One gate for both: what one has taken the other has not.
  const gate = inbound(...guards);
  const path = respond(ask, (ctx) => ctx.path);
  router.get("/limited/json", gate, path).get("/limited/events", gate, path);
  router.post(
    "/chat",
    respond(deepseek.client, () => chatRequest),
  );
  router.get(
    "/chat",
    respond(deepseek.client, () => ({ ...chatRequest, stream: true }), { render: contentOf }),
  );
  router.get("/own", () => {
    throw own;
  });
  router.get("/teapot", (ctx) => ctx.throw(418, "short and stout"));

  app.on("error", log);
  app
    .use(errors())
    .use(breakwater({ runtime: clock }))
    .use(bodyParser())
    .use(router.routes());
  if (operators !== undefined) {
    const { admin: options, prefix, register } = operators;
    metrics([ask, deepseek], { register });
    const forOperators = new Router({ prefix });
    forOperators.get("/metrics", async (ctx) => {
      ctx.type = register.contentType;
      ctx.body = await register.metrics();
    });
    app.use(admin(`${prefix}/breakwater`, [ask, deepseek], options)).use(forOperators.routes());
  }
  const server = await new Promise<Started["server"]>((resolve) => {
    const listening = app.listen(0, "127.0.0.1", () => resolve(listening));
  });
  return {
    server,
    close: () => drain(server, [ask, deepseek], { withinMs: DRAIN_MS, runtime: clock }),
  };
}
