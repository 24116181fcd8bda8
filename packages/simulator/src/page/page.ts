import { createHash } from "node:crypto";

import type { Sink } from "../sink/sink.ts";
import { createAccounts } from "./client/accounts.ts";
import { createAttemptTable } from "./client/attempts.ts";
import { createDom } from "./client/dom.ts";
import { createFaultList } from "./client/faults.ts";
import { startFeed } from "./client/feed.ts";
import { createFormat } from "./client/format.ts";
import { createMachines } from "./client/machines.ts";
import { createSparkline } from "./client/sparkline.ts";
import { startPage } from "./client/start.ts";
import { pageMarkup } from "./markup.ts";
import { style } from "./style.ts";

const parts = {
  createDom,
  createFormat,
  createSparkline,
  createMachines,
  createAccounts,
  createFaultList,
  createAttemptTable,
  startFeed,
};

/**
 * The program of the page: the functions' own source text, so that it is compiled and checked with the rest, needs no
 * build step, and is the same in both module formats.
 */
function pageScript(): string {
  const written = Object.entries(parts).map(([name, part]) => `${name}: ${part.toString()}`);
  // A script ends at the first `</`, wherever it stands.
  return `(${startPage.toString()})(window, {\n${written.join(",\n")}\n});`.replaceAll("</", "<\\/");
}

const hash = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** Serves the page at `/__sim`: one document that loads nothing from anywhere. */
export function servePage(sink: Sink): void {
  const script = pageScript();
  const body = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>DeepSeek simulator</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>${pageMarkup()}
<script>${script}</script>
</body>
</html>
`;
  const policy = [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    // The width of a bar is set through the document's own interface, which no policy restricts.
    `style-src ${hash(style)}`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  sink.head(200, {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Length": String(Buffer.byteLength(body)),
    "Content-Security-Policy": policy.join("; "),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
  });
  sink.write(body);
  sink.end();
}
