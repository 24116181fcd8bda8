/** Whether JSON gives back exactly this value. Deliberately strict: what is not surely the same is written another way. */
export function isPlainJson(value: unknown, depth = 0): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0);
    case "object":
      if (value === null) return true;
      if (depth > DEEPEST) return false; // also what contains itself
      return Array.isArray(value) ? isPlainList(value, depth + 1) : isPlainRecord(value, depth + 1);
    default:
      return false;
  }
}

const DEEPEST = 200;

function isPlainList(list: readonly unknown[], depth: number): boolean {
  // Counted, so that holes are seen, and members beside the items.
  if (Object.keys(list).length !== list.length) return false;
  for (const item of list) if (!isPlainJson(item, depth)) return false;
  return true;
}

function isPlainRecord(record: object, depth: number): boolean {
  if (Object.getPrototypeOf(record) !== Object.prototype || "toJSON" in record) return false;
  for (const name of Object.keys(record)) {
    if (!isPlainJson((record as Record<string, unknown>)[name], depth)) return false;
  }
  return true;
}
