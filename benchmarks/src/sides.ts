import { type Case, keyOf, type Side } from "./cases.ts";
import type { Subject, Subjects } from "./subject.ts";

/** Loaded on demand: a process that measures one library has not even seen the others. */
const LIBRARIES: Readonly<Record<Side["library"], () => Promise<{ readonly subjects: Subjects }>>> = {
  breakwater: () => import("./sides/breakwater.ts"),
  telemetry: () => import("./sides/telemetry.ts"),
  cockatiel: () => import("./sides/cockatiel.ts"),
  opossum: () => import("./sides/opossum.ts"),
  direct: () => import("./sides/direct.ts"),
};

export async function setUp({ name }: Case, side: Side): Promise<Subject> {
  const { subjects } = await LIBRARIES[side.library]();
  const create = subjects[keyOf(name, side)];
  if (create === undefined) throw new Error(`${side.library} has no subject for ${keyOf(name, side)}.`);
  return create();
}
