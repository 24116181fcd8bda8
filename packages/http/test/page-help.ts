import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { complaintsOf, type BrowserInTests, type Page } from "@breakwater-internal/browser";
import type { Watched } from "@breakwater/core";
import { onTestFinished } from "vitest";

import { admin, type AdminOptions } from "../src/admin/index.ts";
import { mount } from "../src/mount.ts";

export interface Seen {
  readonly page: Page;
  /** What its console calls an error, refusals of the content security policy among them. */
  readonly complaints: string[];
}

/** An admin on a real server, gone when the test is. */
export async function serveAdmin(clients: Watched, options: Partial<AdminOptions> = {}): Promise<string> {
  const served = admin(clients, {
    authorize: () => ({ by: "ada", may: "change" }),
    instance: "web-1",
    path: "/breakwater",
    ...options,
  });
  const handle = mount(served);
  const server = createServer((req, res) => void handle(req, res).catch(() => res.destroy()));
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(async () => {
    await served.close();
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/breakwater/`;
}

/** Opens the page, and waits until it shows something. */
export async function look(
  browser: BrowserInTests,
  url: string,
  { width = 1200, height = 900, dark = false } = {},
): Promise<Seen> {
  const page = await browser.newPage({
    viewport: { width, height },
    colorScheme: dark ? "dark" : "light",
    timezoneId: "UTC",
    reducedMotion: "reduce",
  });
  const complaints = complaintsOf(page);
  await page.goto(url);
  await page.locator("main:not([aria-busy])").waitFor();
  return { page, complaints };
}

/** The card of a client. */
export const card = (page: Page, name: string) =>
  page.locator("section.client", { has: page.locator(".client-name", { hasText: name }) }).first();

/** The row of a policy in it, unfolded. */
export async function unfold(page: Page, client: string, policy: string) {
  const row = card(page, client).locator(".policy", { hasText: policy }).first();
  await row.locator(".head").click();
  return row;
}
