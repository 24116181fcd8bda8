import { type Order, OrderError, readOrder } from "./change.ts";
import { parseObject } from "./instances-report.ts";

/** An order to all instances. */
export interface Message {
  /** Of this order and no other: who hears it twice does it once. */
  readonly id: string;
  readonly by?: string;
  readonly order: Order;
  /**
   * What the policy at that position is called where the order was given. Elsewhere another release may run, with
   * another policy there.
   */
  readonly policyName?: string;
}

const VERSION = 1;

export function packMessage({ order, ...message }: Message): string {
  return JSON.stringify({ v: VERSION, ...message, order: JSON.stringify(order) });
}

/** @returns nothing for what is no order, whoever wrote it */
export function readMessage(text: string): Message | undefined {
  const { by, id, order, policyName, v } = parseObject(text) ?? {};
  if (v !== VERSION || !isName(id) || !(by === undefined || isName(by))) return undefined;
  if (typeof order !== "string" || !(policyName === undefined || typeof policyName === "string"))
    return undefined;
  try {
    return {
      id,
      order: readOrder(order).order,
      ...(by !== undefined && { by }),
      ...(policyName !== undefined && { policyName }),
    };
  } catch (error) {
    if (error instanceof OrderError) return undefined;
    throw error;
  }
}

/**
 * To a policy by its name, where one only has it: in another release it may stand elsewhere.
 *
 * @param names of the client's policies here, in their order
 */
export function addressOf(order: Order, names: readonly string[]): Pick<Message, "order" | "policyName"> {
  if (typeof order.policy === "string") return { order };
  const policyName = names[order.policy];
  if (policyName === undefined) return { order };
  const once = names.indexOf(policyName) === names.lastIndexOf(policyName);
  return once ? { order: { ...order, policy: policyName } } : { order, policyName };
}

function isName(given: unknown): given is string {
  return typeof given === "string" && given !== "" && given.length <= 400;
}
