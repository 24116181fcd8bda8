/** What makes the HTTP requests. */
export type Fetch = typeof globalThis.fetch;

let made: Promise<Fetch> | undefined;

/**
 * The fetch that is used when none is given. On Node it is undici's with an agent of its own: without its time limits,
 * since ours are the ones that count (its 300 s of silence end healthy answers), and with as many connections as
 * there are calls, since a small pool is a hidden queue. Elsewhere it is the runtime's own. Made when it is first used.
 */
export function defaultFetch(): Promise<Fetch> {
  return (made ??= makeFetch());
}

async function makeFetch(): Promise<Fetch> {
  const undici = isNode() ? await import("undici").catch(() => undefined) : undefined;
  if (undici === undefined) return (...args) => globalThis.fetch(...args);
  const dispatcher = new undici.Agent({ headersTimeout: 0, bodyTimeout: 0, connect: { timeout: 10_000 } });
  type Input = Parameters<typeof undici.fetch>[0];
  type Init = Parameters<typeof undici.fetch>[1];
  return (input, init) => undici.fetch(input as Input, { ...(init as Init), dispatcher });
}

function isNode(): boolean {
  const versions = globalThis.process?.versions as
    | { readonly [name: string]: string | undefined }
    | undefined;
  return versions?.["node"] !== undefined && versions["bun"] === undefined && !("Deno" in globalThis);
}
