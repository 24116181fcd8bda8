import { mix } from "../rng.ts";
import { words } from "./words.ts";

/** The tokens of a text, each made from its index alone. */
export type Tokens = (index: number) => string;

/** Which of 2^32 things the text has at this index. */
const draw = (nonce: number, index: number): number => mix(nonce + Math.imul(index + 1, 0x9e3779b1));

/** English words, one a token. */
export function plainTokens(nonce: number): Tokens {
  return (index) => {
    const word = words[draw(nonce, index) & 0xff] as string;
    return index === 0 ? word : ` ${word}`;
  };
}

type Kind = "word" | "ideographs" | "emoji" | "halved emoji" | "mark" | "joined emoji";

/** Sixteen kinds, so that four bits of a hash pick one: about every third token has characters of several bytes. */
const kinds: readonly Kind[] = [
  ...Array.from({ length: 7 }, () => "word" as const),
  ...Array.from({ length: 4 }, () => "ideographs" as const),
  "emoji",
  "halved emoji",
  "halved emoji",
  "mark",
  "joined emoji",
];
const marks = ["\u0301", "\u0308", "\u0303", "\u0323"];

/**
 * Words, ideographs, emoji and combining marks. Two things span two tokens, as a model's own tokens do it: a mark
 * belongs to the character before it, and of some emoji each half is in another token.
 */
export function mixedTokens(nonce: number, total: number): Tokens {
  const kindOf = (index: number): Kind => {
    if (index < 0 || index >= total) return "word";
    const kind = kinds[(draw(nonce, index) >>> 8) & 15] as Kind;
    // A text never ends with half a character.
    return kind === "halved emoji" && index === total - 1 ? "emoji" : kind;
  };
  const emoji = (index: number): string => String.fromCodePoint(0x1f600 + ((draw(nonce, index) >>> 12) & 63));

  const own: Readonly<Record<Kind, (index: number) => string>> = {
    word: (index) => plainTokens(nonce)(index),
    ideographs(index) {
      const hash = draw(nonce, index);
      return String.fromCharCode(0x4e00 + ((hash >>> 12) & 0x3fff), 0x4e00 + ((hash >>> 4) & 0x3fff));
    },
    emoji,
    "halved emoji": (index) => emoji(index).charAt(0),
    mark: (index) =>
      `${index === 0 ? "" : marks[(draw(nonce, index) >>> 12) & 3]}${plainTokens(nonce)(index)}`,
    "joined emoji": () => "👩\u200d💻",
  };
  return (index) =>
    (kindOf(index - 1) === "halved emoji" ? emoji(index - 1).charAt(1) : "") + own[kindOf(index)](index);
}

/** JSON text of `total` tokens, around another text that has two tokens less. */
export function jsonTokens(inner: Tokens, total: number): Tokens {
  return (index) => {
    if (total === 1) return "{}";
    if (index === 0) return '{"answer": "';
    return index === total - 1 ? '"}' : inner(index - 1);
  };
}

/** What JSON mode makes of a prompt that does not say "JSON": white space, for as long as it may. */
export const blankTokens: Tokens = (index) => (index % 8 === 7 ? "\n" : " ");

/** The part of a text that is still to come. */
export interface Remainder {
  readonly tokens: number;
  readonly token: Tokens;
}

/**
 * What follows `given` in a text of `total` tokens: exactly the rest, also when `given` ends inside of a token. A text
 * that is somebody else's stands for as many tokens as it has words.
 */
export function remainderOf(token: Tokens, total: number, given: string): Remainder {
  let index = 0;
  let position = 0;
  while (position < given.length && index < total) {
    const next = token(index);
    const left = given.slice(position, position + next.length);
    if (left.length < next.length && next.startsWith(left)) {
      const [at, rest] = [index, next.slice(left.length)];
      return { tokens: total - at, token: (step) => (step === 0 ? rest : token(at + step)) };
    }
    if (left !== next) break;
    position += next.length;
    index += 1;
  }
  const from = position === given.length ? index : Math.min(total, given.split(" ").length);
  return { tokens: total - from, token: (step) => token(from + step) };
}

/** `tokens` of a text and no more. One that is cut off inside of an emoji has its other half, too. */
export function firstOf({ token }: Remainder, tokens: number): Tokens {
  return (index) => {
    const text = token(index);
    const last = text.charCodeAt(text.length - 1);
    const halved = index === tokens - 1 && last >= 0xd800 && last <= 0xdbff;
    return halved ? text + token(index + 1).charAt(0) : text;
  };
}

/** The whole text. */
export function joinTokens(count: number, token: Tokens): string {
  let text = "";
  for (let i = 0; i < count; i++) text += token(i);
  return text;
}
