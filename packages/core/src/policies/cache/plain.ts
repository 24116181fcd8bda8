/**
 * A deep copy of plain data: primitives, arrays, plain objects, dates, regular expressions, maps, sets, buffers.
 * Unlike `structuredClone` it refuses an instance of a class instead of making a lifeless object of it.
 *
 * @throws TypeError for what is more than data: functions, symbols, instances of classes.
 */
export function copyPlain<T>(value: T, seen: Map<object, unknown> = new Map()): T {
  return copy(value, seen) as T;
}

function copy(value: unknown, seen: Map<object, unknown>): unknown {
  if (typeof value === "function" || typeof value === "symbol") return refuse(`a ${typeof value}`);
  if (typeof value !== "object" || value === null) return value;
  const known = seen.get(value);
  if (known !== undefined) return known;
  if (Array.isArray(value)) {
    const list: unknown[] = [];
    seen.set(value, list);
    for (const item of value) list.push(copy(item, seen));
    return list;
  }
  if (isPlain(value)) {
    const record = (Object.getPrototypeOf(value) === null ? Object.create(null) : {}) as Record<
      string,
      unknown
    >;
    seen.set(value, record);
    for (const name of Object.keys(value)) {
      const member = copy((value as Record<string, unknown>)[name], seen);
      // An own member of this name, as JSON.parse makes it, must not become the copy's prototype.
      if (name === "__proto__") Object.defineProperty(record, name, { value: member, ...OPEN });
      else record[name] = member;
    }
    return record;
  }
  const made = copyBuiltIn(value, seen);
  seen.set(value, made);
  return made;
}

const OPEN = { configurable: true, enumerable: true, writable: true } as const;

function copyBuiltIn(value: object, seen: Map<object, unknown>): unknown {
  if (ArrayBuffer.isView(value)) {
    // slice() keeps a Buffer a Buffer, which structuredClone does not; Buffer's own does not copy.
    return value instanceof DataView ? structuredClone(value) : Uint8Array.prototype.slice.call(value);
  }
  switch (Object.prototype.toString.call(value)) {
    case "[object Date]":
    case "[object RegExp]":
    case "[object ArrayBuffer]":
      return structuredClone(value);
    case "[object Map]":
      return new Map(
        [...(value as Map<unknown, unknown>)].map(([k, v]) => [copy(k, seen), copy(v, seen)] as const),
      );
    case "[object Set]":
      return new Set([...(value as Set<unknown>)].map((item) => copy(item, seen)));
    default:
      return refuse(`an instance of ${value.constructor?.name ?? "an unknown class"}`);
  }
}

/** Also for what comes from another realm, such as a test runner's. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return (
    prototype === null ||
    (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, "isPrototypeOf"))
  );
}

function refuse(what: string): never {
  throw new TypeError(`${what} cannot be copied as plain data`);
}

const OVERHEAD = 32;

/** About how many bytes a value takes in memory; strings are counted at two bytes a character, their upper bound. */
export function estimateBytes(value: unknown, seen: Set<object> = new Set()): number {
  if (typeof value === "string") return 16 + 2 * value.length;
  if (typeof value !== "object" || value === null) return 8;
  if (seen.has(value)) return 8;
  seen.add(value);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return 2 * OVERHEAD + value.byteLength;
  let bytes = OVERHEAD;
  if (Array.isArray(value) || value instanceof Set) {
    for (const item of value) bytes += 8 + estimateBytes(item, seen);
  } else if (value instanceof Map) {
    for (const [key, item] of value) bytes += 16 + estimateBytes(key, seen) + estimateBytes(item, seen);
  } else {
    for (const name of Object.keys(value)) {
      bytes += 8 + 2 * name.length + estimateBytes((value as Record<string, unknown>)[name], seen);
    }
  }
  return bytes;
}
