import { ConfigError } from "@breakwater/core";
import { describe, expect, test } from "vitest";

import { breakwater, openaiRouter } from "./index.ts";
import { post, serve, versions } from "./server.test-help.ts";

/** Tells what it was asked, as something that serves the OpenAI API would see it. */
const client = {
  handler:
    ({ authorize }: { authorize: "public" | ((request: Request) => boolean) }) =>
    async (request: Request): Promise<Response> => {
      if (authorize !== "public" && !authorize(request)) return new Response(null, { status: 401 });
      const { pathname, search } = new URL(request.url);
      return Response.json({ path: pathname + search, body: await request.text() });
    },
};

describe.each(versions)("openaiRouter on %s", (_, express) => {
  test.each([
    ["/", "/v1/models?x=1"],
    ["/v1", "/v1/models?x=1"],
    ["/llm", "/llm/v1/models?x=1"],
    ["/llm/v1", "/llm/v1/models?x=1"],
  ])("used at %s it serves %s", async (at, path) => {
    const app = express().use(at, openaiRouter(client, { authorize: "public" }));
    const { url } = await serve(app);
    expect(await (await fetch(url + path)).json()).toEqual({ path: "/v1/models?x=1", body: "" });
  });

  test("passes on what is none of its business", async () => {
    const app = express().use(openaiRouter(client, { authorize: "public" }));
    app.use((req, res) => void res.send(`mine: ${req.path}`));
    const { url } = await serve(app);
    for (const path of ["/", "/chat", "/v10/models", "/a/v1/models"]) {
      expect(await (await fetch(url + path)).text()).toBe(`mine: ${path}`);
    }
  });

  test.each(["parsed", "unread"])("sees a body that is %s", async (state) => {
    const app = express().use(breakwater());
    if (state === "parsed") app.use(express.json());
    app.use(openaiRouter(client, { authorize: "public" }));
    const { url } = await serve(app);
    const response = await fetch(`${url}/v1/chat/completions`, post({ messages: ["hö"] }));
    expect(await response.json()).toEqual({ path: "/v1/chat/completions", body: '{"messages":["hö"]}' });
  });

  test("lets in whom authorize lets in", async () => {
    const authorize = (request: Request): boolean => request.headers.get("authorization") === "Bearer team";
    const { url } = await serve(express().use(openaiRouter(client, { authorize })));
    expect((await fetch(`${url}/v1/models`)).status).toBe(401);
    expect((await fetch(`${url}/v1/models`, { headers: { authorization: "Bearer team" } })).status).toBe(200);
  });
});

test.each([undefined, {}, { authorize: undefined }, { authorize: true }, { authorize: "everybody" }])(
  "openaiRouter is closed by default: %j is refused at construction",
  (options) => {
    expect(() => openaiRouter(client, options as never)).toThrow(ConfigError);
    expect(() => openaiRouter(client, options as never)).toThrow(/authorize is required.*"public"/);
  },
);
