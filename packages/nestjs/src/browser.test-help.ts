import type { INestApplicationContext } from "@nestjs/common";

export { turn, until, type Visit, visit } from "@breakwater-internal/visitor";

type Loud = Pick<INestApplicationContext, "useLogger">;

/** What an application logs as its errors, in place of the console: `serve(…, platform, log.listen)`. */
export function errorLog(): { readonly errors: unknown[]; readonly listen: (app: Loud) => void } {
  const errors: unknown[] = [];
  const listen = (app: Loud): void =>
    app.useLogger({ log() {}, warn() {}, error: (message: unknown) => void errors.push(message) });
  return { errors, listen };
}
