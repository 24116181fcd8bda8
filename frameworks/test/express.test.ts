import { admin, breakwater, drain, errors, inbound, respond } from "@breakwater/express";
import { metrics } from "@breakwater/telemetry/prometheus";
import express, { type ErrorRequestHandler, type Router } from "express";
// @ts-expect-error -- it has no types under this name; those of Express 5 say what is used of it here
import express4 from "express4";

import {
  chatRequest,
  DRAIN_MS,
  type Framework,
  type Operators,
  type Parts,
  type Started,
} from "./behaviour/framework.ts";
import { contentOf, textOf } from "./behaviour/requests.ts";
import { behaves } from "./behaviour/suite.ts";

type Make = typeof express;

for (const [name, make] of [
  ["Express 5", express],
  ["Express 4", express4 as Make],
] as const) {
  behaves(on(name, make));
}

function on(name: string, make: Make): Framework {
  return { name, shape: "problem", head: "with the first event", start: (parts) => start(make, parts) };
}

async function start(make: Make, parts: Parts): Promise<Started> {
  const { ask, deepseek, clock, own } = parts;
  const app = make();
  app.use(breakwater({ runtime: clock }), make.json());
  app.post(
    ["/json", "/events"],
    respond(ask, (req) => textOf(req.body)),
  );
  app.get(
    ["/json/:text", "/events/:text"],
    respond(ask, (req) => String(req.params["text"])),
  );
  app.get("/by-hand/:text", (req, res, next) => {
    // Express 4 does not look after promises.
    ask(req.params.text).then((answer) => res.json(answer), next);
  });
  app.use("/limited", inbound(...parts.inbound));
  app.get(
    ["/limited/json", "/limited/events"],
    respond(ask, (req) => req.path),
  );
  app.post(
    "/chat",
    respond(deepseek.client, () => chatRequest),
  );
  app.get(
    "/chat",
    respond(deepseek.client, () => ({ ...chatRequest, stream: true }), { render: contentOf }),
  );
  app.get("/own", () => {
    throw own;
  });
  app.get("/teapot", () => {
    throw Object.assign(new Error("short and stout"), { status: 418 });
  });
  if (parts.operators !== undefined)
    app.use(parts.operators.prefix, forOperators(make, parts.operators, parts));
  // Looks on: Express answers with its own handler, the last one.
  const look: ErrorRequestHandler = (error, _req, _res, next) => {
    parts.log(error);
    next(error);
  };
  app.use(errors(), look);
  const server = await new Promise<Started["server"]>((resolve) => {
    const listening = app.listen(0, "127.0.0.1", () => resolve(listening));
  });
  return {
    server,
    close: () => drain(server, [ask, deepseek], { withinMs: DRAIN_MS, runtime: clock }),
  };
}

function forOperators(make: Make, { admin: options, register }: Operators, { ask, deepseek }: Parts): Router {
  const router = make.Router();
  router.use("/breakwater", admin([ask, deepseek], options));
  metrics([ask, deepseek], { register });
  router.get("/metrics", (_req, res, next) => {
    register.metrics().then((text) => res.type(register.contentType).send(text), next);
  });
  return router;
}
