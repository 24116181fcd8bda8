import { checkFields, checkNumber, refuse } from "./checks.ts";
import type { ReplicaOptions } from "./replica.ts";

/** The machine of a simulator that was not given any. */
export const defaultReplicas: readonly ReplicaOptions[] = [{ name: "main" }];

export function checkReplicas(path: string, value: unknown): readonly ReplicaOptions[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > 100)
    refuse(path, value, "a list with 1 to 100 replicas", '[{ name: "a" }, { name: "b" }]');
  const seen = new Set<unknown>();
  return value.map((entry: unknown, index) => {
    const at = `${path}[${index}]`;
    const given = checkFields(at, entry, ["name", "slots", "queue", "port"]);
    const { name, slots, queue, port } = given;
    if (typeof name !== "string" || !/^[\w-]+$/.test(name) || seen.has(name))
      refuse(`${at}.name`, name, "letters, digits, - and _, and a name that no other replica has", '"b"');
    seen.add(name);
    const whole = { min: 0, integer: true } as const;
    if (slots !== undefined) checkNumber(`${at}.slots`, slots, { ...whole, example: "8" });
    if (queue !== undefined) checkNumber(`${at}.queue`, queue, { ...whole, example: "64" });
    if (port !== undefined) {
      checkNumber(`${at}.port`, port, { ...whole, max: 65_535, example: "0 (takes a free one)" });
    }
    return given as unknown as ReplicaOptions;
  });
}
