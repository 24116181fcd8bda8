import { describe, expect, test } from "vitest";

import { chat, eventsOf, headersOf, post, rawPost, withSimulator } from "../http.test-help.ts";
import { expectedText, verifyText, type ChatRequest, type ChatTool, type Simulator } from "../index.ts";
import { piecesOf } from "./arguments.ts";

const weather: ChatTool = {
  type: "function",
  function: {
    name: "weather",
    parameters: {
      type: "object",
      properties: {
        location: { type: "string" },
        days: { type: "integer" },
        unit: { enum: ["celsius", "kelvin"] },
        exact: { type: "boolean" },
        places: { type: "array", items: { type: "object", properties: { name: { type: "string" } } } },
      },
    },
  },
};
const clock: ChatTool = { type: "function", function: { name: "clock" } };
const off = { thinking: { type: "disabled" as const } };
const called = (tokens: string, more: Partial<ChatRequest> = {}): ChatRequest =>
  chat("Will it rain?", tokens, { tools: [weather], ...more });

interface Answered {
  choices: {
    message: {
      content: string;
      reasoning_content?: string;
      tool_calls?: {
        index: number;
        id: string;
        type: string;
        function: { name: string; arguments: string };
      }[];
    };
    finish_reason: string;
  }[];
  usage: { completion_tokens: number };
}

async function answerTo(
  simulator: Simulator,
  request: ChatRequest,
  headers: Record<string, string> = {},
): Promise<Answered> {
  return (await (await post(simulator, request, headers)).json()) as Answered;
}

test("the arguments have every property of the schema, with its type", () => {
  const [call] = expectedText(called("tools=1")).toolCalls;
  expect(call?.name).toBe("weather");
  expect(JSON.parse(call?.arguments ?? "")).toEqual({
    location: expect.stringMatching(/^\w+( \w+)*$/) as string,
    days: expect.any(Number) as number,
    unit: expect.stringMatching(/^(celsius|kelvin)$/) as string,
    exact: expect.any(Boolean) as boolean,
    places: expect.arrayContaining([{ name: expect.any(String) as string }]) as unknown,
  });
  expect(expectedText(chat("a", "tools=1", { tools: [clock] })).toolCalls).toEqual([
    { name: "clock", arguments: "{}" },
  ]);
});

test("arguments are JSON objects, and their pieces are they, whatever the schema says", () => {
  const schemas: unknown[] = [
    null,
    [],
    "x",
    {
      properties: {
        a: null,
        "ключ 名": {},
        'b"\n': { type: ["number", "null"] },
        "😀": { const: { d: [1] } },
      },
    },
    { properties: { deep: { type: "object", properties: { deep: { type: "array", items: [] } } } } },
    { properties: Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`p${i}`, { type: "null" }])) },
  ];
  for (const [index, parameters] of schemas.entries()) {
    const tool: ChatTool = { type: "function", function: { name: "f", parameters } };
    for (const unicode of [false, true]) {
      const request = chat(`${index}`, "tools=3", { tools: [tool] });
      for (const call of expectedText(request, { unicode }).toolCalls) {
        expect(JSON.parse(call.arguments)).toBeTypeOf("object");
        expect(piecesOf(call.arguments).join("")).toBe(call.arguments);
      }
    }
  }
});

describe("verifyText", () => {
  const request = called("tools=2");
  const { toolCalls } = expectedText(request);
  const [first, second] = toolCalls as [{ name: string; arguments: string }, (typeof toolCalls)[number]];

  test("knows complete, cut and wrong calls", () => {
    const judge = (calls: typeof toolCalls | null) => verifyText(request, { toolCalls: calls });
    expect(judge(toolCalls)).toBe("complete");
    expect(judge([first])).toBe("prefix");
    expect(judge(null)).toBe("prefix");
    expect(judge([first, { ...second, arguments: second.arguments.slice(0, -1) }])).toBe("prefix");
    expect(judge([second, first])).toBe("wrong");
    expect(judge([first, { ...second, name: "clock" }])).toBe("wrong");
    expect(judge([{ ...first, arguments: first.arguments.slice(1) }, second])).toBe("wrong");
    expect(judge([...toolCalls, first])).toBe("wrong");
  });
});

describe("an answer calls tools", () => {
  const calls = async (request: ChatRequest, headers?: Record<string, string>, toolCallRate = 0) =>
    withSimulator({ text: { toolCallRate } }, async (simulator) => {
      const { choices } = await answerTo(simulator, request, headers);
      return choices[0]?.message.tool_calls?.map((call) => call.function.name) ?? [];
    });

  test("when a header or metadata.sim says so", async () => {
    expect(await calls(called("content=3"), { "x-sim-answer": "tools" })).toEqual(["weather"]);
    expect(await calls(called("tools=2"))).toEqual(["weather", "weather"]);
    expect(await calls(called("content=3"), { "x-sim-tokens": "tools=1" })).toEqual(["weather"]);
    expect(await calls(called("tools=1"), { "x-sim-answer": "text" })).toEqual([]);
    expect(await calls(chat("a"), { "x-sim-answer": "tools" })).toEqual([]);
    expect(await calls(called("tools=1", { tool_choice: "none" }))).toEqual([]);
    expect(await calls(called("content=3"))).toEqual([]);
  });

  test("when tool_choice demands it: any, or the one that is named", async () => {
    const both = { tools: [weather, clock], ...off };
    expect(await calls(called("content=3", { ...both, tool_choice: "required" }))).toHaveLength(1);
    const named = { type: "function", function: { name: "clock" } };
    expect(await calls(called("content=3", { ...both, tool_choice: named }))).toEqual(["clock"]);
  });

  test("at the rate of the option, by the seed", async () => {
    const request = (index: number): ChatRequest => chat(`Question ${index}`, undefined, { tools: [clock] });
    const answers = Array.from({ length: 400 }, (_, index) =>
      expectedText(request(index), { toolCallRate: 0.25 }),
    );
    const calling = answers.filter((answer) => answer.finishReason === "tool_calls").length;
    expect(calling).toBeGreaterThan(70);
    expect(calling).toBeLessThan(130);
    expect(await calls(chat("Question", "content=3", { tools: [clock] }), {}, 1)).toEqual(["clock"]);
  });

  test("once: a turn that has its results is answered in words", async () => {
    const results = called("reasoning=2,content=3,tools=1", {
      messages: [
        { role: "user", content: "Will it rain?" },
        {
          role: "assistant",
          content: null,
          reasoning_content: "I look.",
          tool_calls: [{ id: "call_00_a", type: "function", function: { name: "weather", arguments: "{}" } }],
        },
        { role: "tool", tool_call_id: "call_00_a", content: "No." },
      ],
    });
    await withSimulator({}, async (simulator) => {
      const { choices } = await answerTo(simulator, results);
      expect(choices[0]).toMatchObject({ finish_reason: "stop" });
      expect(simulator.verifyText(results, choices[0]?.message.content ?? "")).toBe("complete");
    });
  });

  test.each([
    [
      "a name that no tool has",
      { tool_choice: { type: "function", function: { name: "x" } }, ...off },
      /not in tools/,
    ],
    ["required without tools", { tools: [], tool_choice: "required", ...off }, /only allowed when tools/],
    ["more than 128 tools", { tools: Array.from({ length: 129 }, () => clock) }, /at most 128/],
    [
      "a tool without a function",
      { tools: [{ type: "function" }] as unknown as ChatTool[] },
      /missing field `function`/,
    ],
  ])("not with %s: 400", async (_name, more, message) => {
    await withSimulator({}, async (simulator) => {
      const response = await post(simulator, called("content=3", more));
      expect(response.status).toBe(400);
      expect(await response.text()).toMatch(message);
    });
  });

  test("strict holds for all functions of a beta request, or for none", async () => {
    const strict = { type: "function" as const, function: { name: "s", strict: true } };
    await withSimulator({}, async (simulator) => {
      const ask = async (path: string, tools: ChatTool[]) =>
        (
          await simulator.fetch(simulator.url + path, {
            method: "POST",
            headers: headersOf(simulator),
            body: JSON.stringify(called("content=1", { tools })),
          })
        ).status;
      expect(await ask("/beta/chat/completions", [strict, clock])).toBe(400);
      expect(await ask("/beta/chat/completions", [strict])).toBe(200);
      expect(await ask("/chat/completions", [strict, clock])).toBe(200);
    });
  });
});

describe("on the wire", () => {
  const deltas = (body: string): unknown[] =>
    eventsOf(body)
      .filter((event) => event.startsWith("data: {"))
      .map((event) => JSON.parse(event.slice(6)) as { choices: { delta: unknown }[] })
      .map((chunk) => chunk.choices[0]?.delta);

  test("reasoning, the name with its id, the arguments in pieces, the finish", async () => {
    await withSimulator({}, async (simulator) => {
      const location: ChatTool = {
        type: "function",
        function: { name: "weather", parameters: { properties: { location: { type: "string" } } } },
      };
      const request = called("reasoning=1,tools=1", { tools: [location], stream: true });
      const { body } = await rawPost(simulator, request);
      const { reasoning, toolCalls } = simulator.expectedText(request);
      const [start, think, name, ...rest] = deltas(body);
      expect(start).toEqual({ role: "assistant", content: null, reasoning_content: "" });
      expect(think).toEqual({ content: null, reasoning_content: reasoning });
      expect(name).toEqual({
        tool_calls: [
          {
            index: 0,
            id: expect.stringMatching(/^call_00_[A-Za-z0-9]{24}$/) as string,
            type: "function",
            function: { name: "weather", arguments: "" },
          },
        ],
      });
      expect(rest[0]).toEqual({ tool_calls: [{ index: 0, function: { arguments: '{"' } }] });
      expect(rest.at(-1)).toEqual({ content: "", reasoning_content: null });
      const pieces = rest.slice(0, -1) as { tool_calls: [{ function: { arguments: string } }] }[];
      expect(pieces.map((piece) => piece.tool_calls[0].function.arguments).join("")).toBe(
        toolCalls[0]?.arguments,
      );
      expect(body).toContain('"finish_reason":"tool_calls"}],"usage":{');
    });
  });

  test("JSON: the calls beside an empty content, in the key order of the recorded one", async () => {
    await withSimulator({}, async (simulator) => {
      const text = await (await post(simulator, called("reasoning=2,tools=2"))).text();
      const { choices } = JSON.parse(text) as Answered;
      const { message } = choices[0] as Answered["choices"][number];
      expect(Object.keys(message)).toEqual(["role", "content", "reasoning_content", "tool_calls"]);
      expect(message.content).toBe("");
      expect(message.tool_calls?.map((call) => Object.keys(call))).toEqual([
        ["index", "id", "type", "function"],
        ["index", "id", "type", "function"],
      ]);
      expect(message.tool_calls?.map((call) => call.id.slice(0, 8))).toEqual(["call_00_", "call_01_"]);
      expect(choices[0]?.finish_reason).toBe("tool_calls");
    });
  });

  test("max_tokens cuts the arguments, and the finish says length", async () => {
    await withSimulator({}, async (simulator) => {
      const request = called("reasoning=2,tools=1", { max_tokens: 6 });
      const { choices, usage } = await answerTo(simulator, request);
      expect(usage.completion_tokens).toBe(6);
      expect(choices[0]?.finish_reason).toBe("length");
      const toolCalls = choices[0]?.message.tool_calls?.map((call) => call.function);
      expect(verifyText(request, { toolCalls: toolCalls ?? null })).toBe("complete");
      expect(verifyText({ ...request, max_tokens: null }, { toolCalls: toolCalls ?? null })).toBe("prefix");
    });
  });

  test("truncate_in_tool_call ends in the middle of the arguments", async () => {
    await withSimulator({}, async (simulator) => {
      const request = called("reasoning=2,tools=1", { stream: true });
      const { body } = await rawPost(simulator, request, { "x-sim-fault": "truncate_in_tool_call" });
      expect(body).toContain('"name":"weather"');
      expect(body).not.toContain("[DONE]");
      expect(simulator.attempts()[0]).toMatchObject({ outcome: "faulted" });
    });
  });

  test("the same seed calls alike, ids included", async () => {
    const once = () =>
      withSimulator({ seed: 3 }, async (simulator) => (await rawPost(simulator, called("tools=2"))).body);
    expect(await once()).toBe(await once());
  });
});
