import { type Browser, chromium } from "playwright-core";

import type { FoundChromium } from "../../scripts/find-chromium.mjs";

// It talks to nobody but the page that it is given. As root, and in most containers, its sandbox cannot start.
const QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];
const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", ...QUIET];

/** Starts it without a window. It ends with this process. */
export function startBrowser({ path, env }: FoundChromium): Promise<Browser> {
  return chromium.launch({ executablePath: path, args: ARGS, env: { ...process.env, ...env } });
}
