import { isIn, type PolicyView } from "./merge.ts";
import type { Change, Mode } from "./state.ts";
import { fields } from "./unknown.ts";
import { kindWord } from "./words.ts";

/** Something that may be done to a policy, and what is said before it is. */
export interface Act {
  /** On its button, and on the one that confirms it. */
  readonly verb: string;
  /** What will happen, as a sentence that begins with the policy. */
  readonly effect: string;
  /** Weighs more: calls will be refused, or nothing will protect any more. */
  readonly grave: boolean;
  /** It is so already, everywhere. */
  readonly now: boolean;
  /** Of a breaker: for one circuit. */
  readonly force?: "open" | "closed" | "auto";
  readonly update?: { readonly mode: Mode };
  /** The numbers are written in the dialog. */
  readonly edit?: true;
}

/** What may be done to a policy, in the order of its buttons. */
export function actsOf(policy: PolicyView): readonly Act[] {
  return [
    ...(policy.can.includes("force") ? FORCES : []),
    ...(policy.can.includes("mode") ? modesOf(policy) : []),
    ...(policy.can.includes("update") ? [EDIT] : []),
  ];
}

const FORCES: readonly Act[] = [
  {
    verb: "Hold open",
    effect: "will refuse every call, until somebody makes it automatic again.",
    grave: true,
    now: false,
    force: "open",
  },
  {
    verb: "Hold closed",
    effect: "will let every call through however many fail, until somebody makes it automatic again.",
    grave: true,
    now: false,
    force: "closed",
  },
  {
    verb: "Make automatic",
    effect: "will decide by itself again, beginning closed and with nothing counted.",
    grave: false,
    now: false,
    force: "auto",
  },
];

function modesOf(policy: PolicyView): readonly Act[] {
  const all: readonly (Act & { readonly update: { readonly mode: Mode } })[] = [
    {
      verb: "Enforce",
      effect: "will do its work: what it decides holds.",
      grave: false,
      now: isIn(policy, "enforce"),
      update: { mode: "enforce" },
    },
    {
      verb: "Shadow",
      effect: "will refuse nothing any more; it goes on counting, and says what it would have refused.",
      grave: true,
      now: isIn(policy, "shadow"),
      update: { mode: "shadow" },
    },
    {
      verb: "Switch off",
      effect: "will be skipped: it neither counts nor decides.",
      grave: true,
      now: isIn(policy, "off"),
      update: { mode: "off" },
    },
  ];
  // A cache refuses nothing, so it has no shadow.
  return policy.kind === "cache" ? all.filter(({ update }) => update.mode !== "shadow") : all;
}

const EDIT: Act = { verb: "Change numbers", effect: "", grave: false, now: false, edit: true };

/** What a policy is called in a sentence. */
export const nameOf = ({ kind, name }: PolicyView): string =>
  name === kind ? `The ${kindWord(kind).toLowerCase()}` : `The ${kindWord(kind).toLowerCase()} “${name}”`;

/** Its options that can be written as JSON, and are no matter of other buttons. */
export function editable(options: unknown): Readonly<Record<string, unknown>> {
  const found = Object.entries(fields(options)).filter(
    ([name, value]) => !["name", "mode", "store"].includes(name) && isPlain(value),
  );
  return Object.fromEntries(found);
}

/** A function or a store is shown as a text that cannot be given back. */
function isPlain(value: unknown): boolean {
  if (typeof value === "string") return /^-?[\d.]+ ?[a-z]+$/i.test(value) || /^[a-z-]+$/i.test(value);
  if (typeof value === "number" || typeof value === "boolean") return true;
  return typeof value === "object" && value !== null && Object.values(value).every(isPlain);
}

export type Edit =
  | { readonly problem: string }
  | { readonly update: Record<string, unknown>; readonly said: string };

/** What is different in the text from the present options. */
export function readEdit(text: string, options: unknown): Edit {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (error) {
    return { problem: `This is no JSON: ${error instanceof Error ? error.message : "it does not end"}` };
  }
  if (typeof given !== "object" || given === null || Array.isArray(given))
    return { problem: 'Options are written as { "name": value }.' };
  const before = fields(options);
  const changed = Object.entries(given).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name]),
  );
  if (changed.length === 0) return { problem: "Nothing is different from what it is now." };
  const said = changed.map(([name, value]) => {
    const was = Object.hasOwn(before, name) ? JSON.stringify(before[name]) : "its default";
    return `${name} from ${was} to ${JSON.stringify(value)}`;
  });
  return { update: Object.fromEntries(changed), said: said.join(", ") };
}

/** The change that an act comes to. `key`: of one circuit, where a breaker has many. */
export function changeOf(
  act: Act,
  key: string | undefined,
  update: Readonly<Record<string, unknown>> | undefined,
): Change {
  if (act.force !== undefined) return key === undefined ? { force: act.force } : { force: act.force, key };
  return { update: act.update ?? update ?? {} };
}
