import { complaintsOf, type Page, useBrowser } from "@breakwater-internal/browser";
import { describe, expect, test } from "vitest";

import { chat, post, withSimulator } from "../http.test-help.ts";
import type { Simulator } from "../index.ts";

describe("in a browser", () => {
  const browser = useBrowser();
  const text = (page: Page, selector: string) => page.locator(selector).first().textContent();

  async function open(simulator: Simulator, width = 1200): Promise<{ page: Page; complaints: string[] }> {
    const page = await browser.newPage({ viewport: { width, height: 900 } });
    const complaints = complaintsOf(page);
    await page.goto(`${simulator.url}/__sim`);
    await page.locator("#connection", { hasText: "live" }).waitFor();
    return { page, complaints };
  }

  /** Holds a slot until it is let go. */
  async function hold(simulator: Simulator): Promise<() => void> {
    const leave = new AbortController();
    const answer = await post(
      simulator,
      chat("hold", "reasoning=0,content=50", { stream: true }),
      { "x-sim-fault": "slow_drip;gapMs=100000" },
      { signal: leave.signal },
    );
    return () => {
      leave.abort();
      void answer.body?.cancel().catch(() => {});
    };
  }

  test("slots, attempts and faults are seen as they happen, and the end too", async () => {
    await withSimulator({ timeScale: 0.01, capacity: { slots: 4 } }, async (simulator) => {
      const { page, complaints } = await open(simulator);
      await page.locator("#machines", { hasText: "0 of 4 slots" }).waitFor();
      const let1 = await hold(simulator);
      const let2 = await hold(simulator);
      await page.locator("#machines", { hasText: "2 of 4 slots" }).waitFor();
      await page.locator("#accounts", { hasText: "2 of 2,500" }).waitFor();
      let1();
      let2();
      await page.locator("#machines", { hasText: "0 of 4 slots" }).waitFor();
      await page.locator("#attempts tr", { hasText: "client left" }).first().waitFor();

      await (await post(simulator, chat("a"))).text();
      await page.locator("#attempts tr", { hasText: "completed" }).waitFor();
      expect(await text(page, "#attempts tr .cell-request")).toBe(
        "deepseek-flash/chat/completions · JSON · main",
      );
      expect(await text(page, "#attempts tr .cell-tokens")).toBe("10");

      await page.locator("#fault").selectOption("503");
      await page.locator("#fault-times").fill("1");
      await page.locator("#add-fault").click();
      await page.locator("#message", { hasText: "503 for the next request." }).waitFor();
      await page.locator("#faults", { hasText: "struck 0 of 1 times" }).waitFor();
      expect((await post(simulator, chat("b"))).status).toBe(503);
      expect((await post(simulator, chat("c"))).status).toBe(200);
      const refused = page.locator("#attempts tr", { hasText: "refused" });
      await refused.waitFor();
      expect(await refused.locator(".cell-status").textContent()).toBe("503");
      expect(await refused.locator(".cell-fault").textContent()).toBe("503");
      await page.locator("#faults", { hasText: "struck 1 of 1 times" }).waitFor();
      await page.locator("#clear").click();
      await page.locator("#faults-empty").waitFor();

      expect(complaints).toEqual([]);
      await simulator.close();
      await page.locator("#connection", { hasText: "disconnected" }).waitFor();
      await page.close();
    });
  });

  test("a scenario is played and stopped, and a mistake is said in the words of the simulator", async () => {
    await withSimulator({ timeScale: 0.01 }, async (simulator) => {
      const { page } = await open(simulator);
      await page.locator("#scenario").selectOption("429-storm");
      await page.locator("#play").click();
      await page.locator("#playing", { hasText: "429-storm, at 0:" }).waitFor();
      expect(simulator.state().scenario).toBe("429-storm");
      await page.locator("#stop").click();
      await page.locator("#playing", { hasText: "No scenario plays." }).waitFor();

      await page.locator("#fault-params").fill("tokns=5");
      await page.locator("#add-fault").click();
      await page.locator("#message", { hasText: 'got "tokns"' }).waitFor();
      expect(simulator.state().faults).toEqual([]);
      await page.close();
    });
  });

  test("a machine is taken down and brought up again", async () => {
    await withSimulator({ replicas: [{ name: "a" }, { name: "b" }] }, async (simulator) => {
      const { page } = await open(simulator);
      await page.getByRole("button", { name: "Take down b" }).click();
      await page.locator("#machines .machine", { hasText: "dead" }).waitFor();
      expect(simulator.state().replicas.map(({ up }) => up)).toEqual([true, false]);
      await page.getByRole("button", { name: "Bring up b" }).click();
      await page.getByRole("button", { name: "Take down b" }).waitFor();
      expect(simulator.state().replicas.map(({ up }) => up)).toEqual([true, true]);
      await page.close();
    });
  });

  test("what clients send is shown and never run", async () => {
    await withSimulator({}, async (simulator) => {
      const { page, complaints } = await open(simulator);
      const model = "<img src=x onerror=alert(1)>";
      await post(simulator, { ...chat("a"), model });
      await page.locator("#attempts tr").waitFor();
      await page.locator("#fault").selectOption("status");
      await page.locator("#fault-params").fill(`body=${model}`);
      await page.locator("#add-fault").click();
      await page.locator("#faults", { hasText: model }).waitFor();
      expect(await page.locator("#attempts img, #faults img").count()).toBe(0);
      expect(complaints).toEqual([]);
      await page.close();
    });
  });

  test("a reset starts the page again", async () => {
    await withSimulator({}, async (simulator) => {
      const { page } = await open(simulator);
      for (const content of ["a", "b", "c"]) await (await post(simulator, chat(content))).text();
      await page.locator("#attempts tr").nth(2).waitFor();
      simulator.reset();
      await page.locator("#attempts-empty").waitFor();
      await (await post(simulator, chat("d"))).text();
      await page.locator("#attempts tr").waitFor();
      expect(await page.locator("#attempts tr").count()).toBe(1);
      await page.close();
    });
  });

  test.each([390, 1200])("nothing hangs over the edge at %d pixels", async (width) => {
    await withSimulator({ scenario: "busy-evening", timeScale: 0.01 }, async (simulator) => {
      await (await post(simulator, chat("a"))).text();
      const { page } = await open(simulator, width);
      await page.locator("#attempts tr").waitFor();
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
      await page.close();
    });
  });
});
