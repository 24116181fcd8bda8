import { Script } from "node:vm";

import { expect, test } from "vitest";

import { chat, post, withSimulator } from "../http.test-help.ts";
import { faultNames, scenarioNames } from "../index.ts";

async function pageOf(path = "/__sim"): Promise<{ response: Response; html: string; script: string }> {
  return withSimulator({}, async (simulator) => {
    const response = await fetch(`${simulator.url}${path}`);
    const html = await response.text();
    return { response, html, script: /<script>(.*)<\/script>/s.exec(html)?.[1] ?? "" };
  });
}

test("is one document that may load nothing from anywhere, and run nothing but its own script", async () => {
  const { response, html } = await pageOf();
  expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
  const policy = response.headers.get("content-security-policy");
  expect(policy).toMatch(/^default-src 'none'; script-src 'sha256-[\w+/=]+'; style-src 'sha256-[\w+/=]+'; /);
  expect(policy).toContain("connect-src 'self'");
  expect(html).not.toMatch(/(?:src|href)="(?!data:)/);
  expect((await pageOf("/__sim/")).html).toBe(html);
});

test("its script is whole, and writes data as text only", async () => {
  const { script } = await pageOf();
  expect(() => new Script(script)).not.toThrow();
  // A function that is sent as its source text must not have been changed by the way to get here.
  expect(script).not.toMatch(/__vite|__name|_ts_\d|import\(|\brequire\(/);
  expect(script).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(/);
});

test("offers every scenario and every fault, with what it does", async () => {
  const { html } = await pageOf();
  for (const name of [...scenarioNames, ...faultNames.filter((fault) => fault !== "none")])
    expect(html).toMatch(new RegExp(`<option value="${name}" title="[^"]{3,}"`));
});

test("what it shows of a key are its last four characters", async () => {
  const key = "sk-secret-tail";
  await withSimulator({ accounts: [{ keys: [key] }] }, async (simulator) => {
    await (await post(simulator, chat("a"))).text();
    for (const path of ["", "/state", "/requests"]) {
      const body = await (await fetch(`${simulator.url}/__sim${path}`)).text();
      expect(body).not.toContain("secret");
    }
    expect(simulator.attempts()[0]?.keyTail).toBe("tail");
  });
});
