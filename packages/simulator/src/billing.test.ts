import { describe, expect, test } from "vitest";

import { chat, headersOf, withSimulator } from "./http.test-help.ts";
import { defaultPrices, type ChatRequest, type Simulator } from "./index.ts";

/** Sends a request; it is answered when time goes on. */
function ask(simulator: Simulator, request: ChatRequest): Promise<Response> {
  return simulator.fetch(`${simulator.url}/chat/completions`, {
    method: "POST",
    headers: headersOf(simulator),
    body: JSON.stringify(request),
  });
}

async function asked(simulator: Simulator, request: ChatRequest, ms = 60_000): Promise<number> {
  const response = ask(simulator, request);
  await simulator.advance(ms);
  await (await response).text();
  return (await response).status;
}

async function balanceOf(simulator: Simulator): Promise<unknown> {
  const response = await simulator.fetch(`${simulator.url}/user/balance`, {
    headers: headersOf(simulator),
  });
  return response.json();
}

const manual = { clock: "manual" } as const;

test("the balance falls by exactly what the attempts were billed", async () => {
  await withSimulator({ ...manual, accounts: [{ balanceUsd: 0.1 }] }, async (simulator) => {
    for (let i = 0; i < 20; i++) {
      const model = i % 2 === 0 ? "deepseek-flash" : "deepseek-v4-pro";
      await asked(simulator, chat(`Question ${i} ${"so ".repeat(i * 20)}`, undefined, { model }), 120_000);
    }
    const attempts = simulator.attempts();
    for (const attempt of attempts) {
      const [hit, miss, output] = attempt.model === "deepseek-flash" ? [3, 150, 600] : [22, 660, 1980];
      const cost =
        attempt.cacheHitTokens * hit +
        (attempt.promptTokens - attempt.cacheHitTokens) * miss +
        attempt.tokensGenerated * output;
      expect(attempt.billedNanoUsd).toBe(String(cost));
      expect(attempt.billedUsd).toBe(cost / 1e9);
    }
    const billed = attempts.reduce((sum, attempt) => sum + BigInt(attempt.billedNanoUsd), 0n);
    const { accounts, totals } = simulator.state();
    expect(BigInt(accounts[0]?.balanceNanoUsd ?? 0)).toBe(100_000_000n - billed);
    expect(totals.billedNanoUsd).toBe(String(billed));
  });
});

describe("peak", () => {
  const request = chat("Hello", "reasoning=0,content=100");
  const tiers = (simulator: Simulator): unknown =>
    simulator.attempts().map((attempt) => [attempt.tier, attempt.billedNanoUsd]);

  test("the end of a request decides, and doubles its price", async () => {
    await withSimulator({ ...manual, now: "2026-11-23T00:59:59Z" }, async (simulator) => {
      expect(simulator.state()).toMatchObject({ utc: "2026-11-23T00:59:59.000Z", tier: "offpeak" });
      // Ends within the second that is left, and behind it.
      await asked(simulator, chat("Hello", "reasoning=0,content=10"), 900);
      await asked(simulator, request);
      expect(tiers(simulator)).toEqual([
        ["offpeak", String(6 * 150 + 10 * 600)],
        ["peak", String(6 * 300 + 100 * 1200)],
      ]);
      expect(simulator.state()).toMatchObject({ tier: "peak" });
    });
  });

  test("or its arrival, if the table says so", async () => {
    const prices = {
      ...defaultPrices,
      peak: { ...defaultPrices.peak, decidedBy: "arrival" as const },
    };
    await withSimulator({ ...manual, prices, now: "2026-11-23T03:59:59.900Z" }, async (simulator) => {
      await asked(simulator, request);
      await asked(simulator, request);
      expect(tiers(simulator)).toEqual([
        ["peak", String(6 * 300 + 100 * 1200)],
        ["offpeak", String(6 * 150 + 100 * 600)],
      ]);
    });
  });

  test("the calendar can be set while time stands still, and a reset puts it back", async () => {
    await withSimulator({ ...manual, now: "2026-11-23T00:00:00Z" }, async (simulator) => {
      await simulator.advance(5000);
      simulator.setNow("2026-11-24T09:59:58Z");
      expect(simulator.state()).toMatchObject({ nowMs: 5000, utc: "2026-11-24T09:59:58.000Z", tier: "peak" });
      await simulator.advance(2000);
      expect(simulator.state()).toMatchObject({ utc: "2026-11-24T10:00:00.000Z", tier: "offpeak" });
      expect(() => simulator.setNow("noon")).toThrow(/now: got "noon"/);
      simulator.reset();
      expect(simulator.state()).toMatchObject({ nowMs: 0, utc: "2026-11-23T00:00:00.000Z" });
    });
  });

  test("a model may have a price of its own, which never changes", async () => {
    const model = {
      id: "mine",
      contextWindow: 1000,
      maxOutputTokens: 500,
      tokensPerSecond: 100,
      price: { cacheHit: 0, cacheMiss: 0, output: 1 },
    };
    await withSimulator({ ...manual, models: [model], now: "2026-11-23T02:00:00Z" }, async (simulator) => {
      await asked(simulator, { ...request, model: "mine" });
      expect(simulator.attempts()[0]?.billedNanoUsd).toBe("100000");
    });
  });
});

describe("granted and topped up", () => {
  test("what was granted is spent first; both and their sum are told in cents", async () => {
    await withSimulator(
      { ...manual, accounts: [{ balanceUsd: 10.005, grantedUsd: 0.005 }] },
      async (simulator) => {
        expect(await balanceOf(simulator)).toEqual({
          is_available: true,
          balance_infos: [
            { currency: "USD", total_balance: "10.00", granted_balance: "0.00", topped_up_balance: "10.00" },
          ],
        });
        await asked(simulator, chat("Hello", "reasoning=0,content=8000"), 600_000);
        expect(simulator.attempts()[0]?.billedNanoUsd).toBe(String(6 * 150 + 8000 * 600));
        const left = simulator.state().accounts[0];
        expect(left).toMatchObject({ grantedUsd: (5_000_000 - 900 - 4_800_000) / 1e9 });
        await asked(simulator, chat("Hello again", "reasoning=0,content=8000"), 600_000);
        expect(simulator.state().accounts[0]).toMatchObject({ grantedUsd: 0 });
        simulator.changeAccount("account-1", { balanceUsd: 20, grantedUsd: 5 });
        expect(await balanceOf(simulator)).toMatchObject({
          balance_infos: [{ total_balance: "20.00", granted_balance: "5.00", topped_up_balance: "15.00" }],
        });
        // What goes above it was paid for; what goes below it takes it along.
        simulator.changeAccount("account-1", { balanceUsd: 3 });
        expect(simulator.state().accounts[0]).toMatchObject({ balanceUsd: 3, grantedUsd: 3 });
      },
    );
  });

  test("a balance that is spent answers 402, and is not available", async () => {
    await withSimulator({ ...manual, accounts: [{ balanceUsd: 0.000_061 }] }, async (simulator) => {
      // 900 and 60 000 billionths: 100 are left, and the next request takes the rest and more.
      expect(await asked(simulator, chat("Hello", "reasoning=0,content=100"))).toBe(200);
      expect(simulator.state().accounts[0]?.balanceNanoUsd).toBe("100");
      expect(await balanceOf(simulator)).toMatchObject({ is_available: true });
      expect(await asked(simulator, chat("Hello", "reasoning=0,content=1"))).toBe(200);
      expect(simulator.state().accounts[0]?.balanceNanoUsd).toBe("-1400");
      expect(await asked(simulator, chat("Hello", "reasoning=0,content=1"))).toBe(402);
      expect(await balanceOf(simulator)).toMatchObject({
        is_available: false,
        balance_infos: [{ total_balance: "0.00" }],
      });
    });
  });

  test("the limit of an account follows its balance as it is spent", async () => {
    const accounts = [{ balanceUsd: 0.01, balanceScaling: { perUsd: 1000, minLimit: 2 } }];
    await withSimulator({ ...manual, accounts }, async (simulator) => {
      expect(await asked(simulator, chat("Hello", "reasoning=0,content=5000"))).toBe(200);
      // 0.01 - 0.0030009 dollars
      expect(simulator.state().accounts[0]?.limit).toEqual({ "deepseek-flash": 6 });
    });
  });
});

test("a user_id may have no more in flight than its limit; others are not concerned", async () => {
  const accounts = [{ userConcurrency: 2 }];
  await withSimulator({ ...manual, accounts }, async (simulator) => {
    const by = (user: string | null): Promise<Response> =>
      ask(simulator, chat("Hello", "content=5", { user_id: user }));
    const waiting = [by("anna"), by("anna"), by("ben"), by(null), by(null), by(null)];
    await simulator.advance(0);
    const third = await by("anna");
    expect(third.status).toBe(429);
    const { error } = (await third.json()) as { error: { message: string; type: string } };
    expect(error).toMatchObject({ type: "rate_limit_error" });
    // It names no limit of the account.
    expect(error.message).toMatch(/this user_id is 3, which exceeds the 2/);
    await simulator.advance(60_000);
    for (const answer of waiting) expect((await answer).status).toBe(200);
    expect(await asked(simulator, chat("Hello", "content=5", { user_id: "anna" }))).toBe(200);
    expect(simulator.state().open).toBe(0);
  });
});
