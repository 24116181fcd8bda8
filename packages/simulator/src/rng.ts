/** The only source of chance in this package: a stream of numbers that depends on its seed alone. */
export interface Rng {
  /** A number in [0, 1). */
  next(): number;
  /** A number in [min, max). */
  between(min: number, max: number): number;
  /** A whole number in [0, count). */
  below(count: number): number;
  /** A normally distributed number with mean 0 and deviation 1. */
  normal(): number;
  /** `length` lower-case hexadecimal digits. */
  hex(length: number): string;
  /** A version 4 UUID. */
  uuid(): string;
  /** `length` characters of a–z, A–Z and 0–9. */
  alphanumeric(length: number): string;
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** 32 well-spread bits of a text. */
export function hashText(text: string, seed = 0x811c9dc5): number {
  let hash = seed >>> 0;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
}

/** Spreads 32 bits, so that neighbours (1, 2, 3 …) come out unrelated. */
export function mix(value: number): number {
  let x = value >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** The same parts give the same stream, on every machine: `createRng(seed, scope, counter, "ids")`. */
export function createRng(...parts: readonly (string | number)[]): Rng {
  const text = parts.join("\u0000");
  // sfc32: 128 bits of state, small and fast, passes the usual statistical batteries.
  let a = hashText(text) | 0;
  let b = hashText(text, 0x9e3779b9) | 0;
  let c = hashText(text, 0x7f4a7c15) | 0;
  let counter = 1;

  function bits(): number {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return sum >>> 0;
  }

  // The first numbers still show the seed.
  for (let i = 0; i < 12; i++) bits();

  const next = (): number => bits() / 0x1_0000_0000;
  const below = (count: number): number => Math.floor(next() * count);

  function hex(length: number): string {
    let out = "";
    while (out.length < length) out += bits().toString(16).padStart(8, "0");
    return out.slice(0, length);
  }

  return {
    next,
    between: (min, max) => min + next() * (max - min),
    below,
    // Box and Muller; 1 - next() keeps the logarithm away from zero.
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    hex,
    uuid() {
      const digits = hex(32);
      const variant = "89ab".charAt(below(4));
      return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-${variant}${digits.slice(17, 20)}-${digits.slice(20)}`;
    },
    alphanumeric(length) {
      let out = "";
      for (let i = 0; i < length; i++) out += letters.charAt(below(letters.length));
      return out;
    },
  };
}
