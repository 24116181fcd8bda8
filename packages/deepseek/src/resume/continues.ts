import { ConfigError, type Host } from "@breakwater/core";

/** On the traits of an upstream whose host continues texts; so it travels through clients, with which it is shared. */
export const CONTINUES: unique symbol = Symbol.for("breakwater.deepseek.continues");

export function checkContinues(policy: string, { traits }: Host): void {
  if ((traits as { readonly [CONTINUES]?: boolean } | undefined)?.[CONTINUES] === true) return;
  throw new ConfigError(
    `${policy}: this upstream cannot continue an answer that broke off. It takes deepseekUpstream() for a host whose profile says where prefixes are completed, as hosts.deepseek does; for another one write { host: { …, prefix: "/beta" } }.`,
  );
}
