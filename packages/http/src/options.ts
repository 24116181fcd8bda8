import { type Client, ConfigError, type OptionReader, readOptions } from "@breakwater/core";

import type { ContextOptions } from "./context.ts";
import type { SendOptions } from "./send.ts";

// Adapters ask when middleware is made: a mistake that shows at the first request is told to a visitor.

/** The caller reads what else there may be, and then says `done()`. */
export function readContextOptions(where: string, given: ContextOptions<never>): OptionReader {
  const options = readOptions(where, given);
  for (const name of ["tenant", "priority", "callId"]) options.callback(name);
  options.optionalDuration("deadline");
  options.raw("runtime");
  return options;
}

/** @throws ConfigError for what makes no sense, as NaN that an unset variable became. */
export function checkContextOptions(where: string, given: ContextOptions<never>): void {
  readContextOptions(where, given).done();
}

/** What a route that answers with a client is made of. @throws ConfigError for what cannot answer. */
export function checkRoute(
  where: string,
  client: Pick<Client<never, unknown>, "outcome">,
  toRequest: (source: never) => unknown,
  given: SendOptions<never>,
): void {
  if (typeof client?.outcome !== "function") {
    throw new ConfigError(
      `${where}: the first argument must be a client, as createClient() makes it; that of createDeepSeek() is its \`client\`.`,
    );
  }
  if (typeof toRequest !== "function") {
    throw new ConfigError(
      `${where}: the second argument must be a function that makes the client's request of a web request.`,
    );
  }
  const options = readOptions(where, given);
  options.callback("render");
  options.optionalDuration("keepAlive");
  options.raw("runtime");
  options.done();
}
