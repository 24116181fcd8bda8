import type { Decoration } from "./registry.ts";

const DECORATIONS = Symbol.for("breakwater.decorations");

type Decorated = object & { [DECORATIONS]?: readonly Decoration[] };

/** Remembers what decorates the methods of a class, for the check at start-up. */
export function decorate(prototype: object, decoration: Decoration): void {
  const own = Object.hasOwn(prototype, DECORATIONS) ? (prototype as Decorated)[DECORATIONS] : undefined;
  Object.defineProperty(prototype, DECORATIONS, { value: [...(own ?? []), decoration], configurable: true });
}

/** What decorates the methods of a class and of those that it extends. */
export function decorationsOf(type: { readonly prototype?: unknown }): readonly Decoration[] {
  const all: Decoration[] = [];
  for (let at = type.prototype; typeof at === "object" && at !== null; at = Object.getPrototypeOf(at))
    if (Object.hasOwn(at, DECORATIONS)) all.push(...((at as Decorated)[DECORATIONS] ?? []));
  return all;
}
