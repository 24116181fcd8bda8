import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, loadavg } from "node:os";
import { dirname, join } from "node:path";

/** What a reader needs in order to compare, and nothing that would tell whose computer it was. */
export interface Machine {
  readonly node: string;
  readonly v8: string;
  readonly cpus: number;
  /** Before the first measurement: over a few tenths, somebody else was at work, and the ranges are wide. */
  readonly load: number;
  readonly arch: string;
  readonly platform: string;
  readonly versions: Readonly<Record<string, string>>;
}

export function describeMachine(): Machine {
  return {
    node: process.versions.node,
    v8: process.versions.v8,
    cpus: availableParallelism(),
    load: loadavg()[0] ?? 0,
    arch: process.arch,
    platform: process.platform,
    versions: {
      breakwater: versionOf("@breakwater/core"),
      cockatiel: versionOf("cockatiel"),
      opossum: versionOf("opossum"),
      ioredis: versionOf("ioredis"),
      "rate-limiter-flexible": versionOf("rate-limiter-flexible"),
      bottleneck: versionOf("bottleneck"),
    },
  };
}

/** Not every package lets its package.json be imported, so the folders are walked as Node does. */
function versionOf(name: string): string {
  const require = createRequire(import.meta.url);
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      const manifest: unknown = JSON.parse(readFileSync(join(folder, name, "package.json"), "utf8"));
      return String((manifest as { readonly version?: unknown }).version);
    } catch {
      // The next folder up.
    }
  }
  throw new Error(`${name} is not installed below ${dirname(import.meta.dirname)}.`);
}
