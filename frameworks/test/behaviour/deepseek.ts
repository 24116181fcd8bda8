import { type Event, eventsOf, post, until, visit } from "@breakwater-internal/visitor";
import { createDeepSeek, type DeepSeek } from "@breakwater/deepseek";
import { type Simulator, type SimulatorOptions, startSimulator } from "@breakwater/simulator";
import { describe, expect, onTestFinished, test } from "vitest";

import { chatRequest, type Framework } from "./framework.ts";
import { startRig } from "./rig.ts";
import { expectBroken, expectToldOf } from "./told.ts";

/** The same with DeepSeek behind it, as far as a simulator can be DeepSeek. */
export function deepseek(framework: Framework): void {
  async function startChat(options: SimulatorOptions = {}): Promise<Chat> {
    const simulator = await startSimulator({ timeScale: 0.01, text: { reasoningMedian: 5 }, ...options });
    onTestFinished(() => simulator.close());
    const client = createDeepSeek({ apiKey: simulator.key, baseURL: simulator.url });
    const { url } = await startRig(framework, { deepseek: client });
    return { url: `${url}/chat`, simulator, client };
  }

  describe("with DeepSeek behind it", () => {
    test("a chat is JSON, and a burst of 503 is not seen", async () => {
      const { url, simulator } = await startChat({ faults: [{ times: 2, action: "503" }] });
      const response = await fetch(url, post({}));
      expect(response.ok).toBe(true);
      const { choices } = (await response.json()) as { choices: [{ message: { content: string } }] };
      expect(simulator.verifyText(chatRequest, choices[0].message.content)).toBe("complete");
      expect(simulator.attempts()).toHaveLength(3);
    });

    test("a chat is a stream of its tokens, and a burst of 503 is not seen", async () => {
      const { url, simulator } = await startChat({ faults: [{ times: 2, action: "503" }] });
      const events = eventsOf(await (await fetch(url)).text());
      expect(events.pop()).toEqual({ data: "[DONE]" });
      expect(simulator.verifyText(chatRequest, contentOf(events))).toBe("complete");
      expect(simulator.attempts()).toHaveLength(3);
    });

    test("a stream that is cut says so after what came", async () => {
      const { url, simulator } = await startChat({ faults: [{ action: "truncate_clean;tokens=20" }] });
      const events = eventsOf(await (await fetch(url)).text());
      expectBroken(events, "STREAM_TRUNCATED");
      expect(simulator.verifyText(chatRequest, contentOf(events.slice(0, -1)))).toBe("prefix");
    });

    test.each(["GET", "POST"])(
      "what is wrong with our account is no business of who asks with %s",
      async (method) => {
        const { url } = await startChat({ faults: [{ action: "402" }] });
        const route = method === "GET" ? "events" : "json";
        await expectToldOf(route, framework, await fetch(url, route === "events" ? {} : post({})), {
          status: 502,
          code: "UPSTREAM_FAILED",
        });
      },
    );

    test("a client that leaves in the middle stops the machine that works for it", async () => {
      const { url, simulator, client } = await startChat({
        // Ten seconds of answer at least, however slow this computer is.
        timeScale: 0.2,
        text: { contentMedian: 5_000, reasoningMedian: 1, sigma: 0 },
      });
      const reader = visit(url);
      await reader.event();
      reader.leave();
      await until(() => simulator.state().open === 0 && client.snapshot().inFlight === 0);
      expect(simulator.attempts()).toMatchObject([{ outcome: "client_closed" }]);
    });

    test("a client that leaves while DeepSeek lets it wait leaves DeepSeek's queue", async () => {
      const { url, simulator, client } = await startChat({ faults: [{ action: "queue_forever" }] });
      const reader = visit(url);
      await until(() => simulator.state().open === 1);
      reader.leave();
      await until(() => simulator.state().open === 0 && client.snapshot().inFlight === 0);
    });
  });
}

interface Chat {
  readonly url: string;
  readonly simulator: Simulator;
  readonly client: DeepSeek;
}

const contentOf = (events: readonly Event[]): string => events.map(({ data }) => data as string).join("");
