import type { BreakwaterRegistry, Decoration } from "./registry.ts";

const DECORATIONS = Symbol.for("breakwater.decorations");

/** Under this key an instance finds the registry of the application that made it; Nest's error names it where there is none. */
export const REGISTRY: unique symbol = Symbol.for("BreakwaterRegistry of BreakwaterModule.forRoot()");

/** An instance of a class whose methods are decorated. */
export type Made = object & { [REGISTRY]?: BreakwaterRegistry | undefined };

type Decorated = object & { [DECORATIONS]?: readonly Decoration[] };

/** Remembers what decorates the methods of a class, for the check at start-up. */
export function decorate(prototype: object, decoration: Decoration): void {
  const own = Object.hasOwn(prototype, DECORATIONS) ? (prototype as Decorated)[DECORATIONS] : undefined;
  Object.defineProperty(prototype, DECORATIONS, { value: [...(own ?? []), decoration], configurable: true });
}

/** What decorates the methods of a class and of those that it extends. */
export function decorationsOf(prototype: unknown): readonly Decoration[] {
  const all: Decoration[] = [];
  for (let at = prototype; typeof at === "object" && at !== null; at = Object.getPrototypeOf(at))
    if (Object.hasOwn(at, DECORATIONS)) all.push(...((at as Decorated)[DECORATIONS] ?? []));
  return all;
}
