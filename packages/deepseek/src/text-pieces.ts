/** How long the pieces are of a text that came whole. */
const PIECE_LENGTH = 32;

export function lengthsOf(text: string): number[] {
  return Array.from({ length: Math.ceil(text.length / PIECE_LENGTH) }, () => PIECE_LENGTH);
}

/** From border to border, each moved on by one where a character outside of the basic plane lies across it. */
export function pieceOf(text: string, from: number, to: number): string {
  return text.slice(splitsPair(text, from) ? from + 1 : from, splitsPair(text, to) ? to + 1 : to);
}

function splitsPair(text: string, at: number): boolean {
  const before = text.charCodeAt(at - 1);
  const after = text.charCodeAt(at);
  return before >= 0xd800 && before <= 0xdbff && after >= 0xdc00 && after <= 0xdfff;
}
