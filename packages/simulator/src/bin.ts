#!/usr/bin/env node
import { runCli } from "./cli/run-cli.ts";

void runCli(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  error: (text) => void process.stderr.write(text),
  exit(code) {
    // Not process.exit(): what was printed must get out first, and after close() nothing keeps the process.
    process.exitCode = code;
  },
  onStop(stop) {
    process.once("SIGINT", stop);
    process.once("SIGTERM", stop);
  },
});
