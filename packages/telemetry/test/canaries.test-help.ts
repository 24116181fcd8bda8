// What must be told nowhere, and how it is looked for.

/** By what it stands for. Each is one of its kind: whoever finds a part of it has found it. */
export type Canaries = Readonly<Record<string, string>>;

/** So much of one in a row is no chance. */
const PIECE = 12;

/** Ways in which a text may be written down. */
const SPELLINGS: Readonly<Record<string, (text: string) => readonly string[]>> = {
  plain: (text) => [text],
  json: (text) => [JSON.stringify(text).slice(1, -1)],
  "url-encoded": (text) => [encodeURIComponent(text), new URLSearchParams({ x: text }).toString().slice(2)],
  hex: (text) => [Buffer.from(text).toString("hex")],
  // What it stands in begins it at the first, second or third of three bytes. The ends differ.
  base64: (text) =>
    [0, 1, 2].flatMap((lead) => {
      const encoded = Buffer.from(" ".repeat(lead) + text);
      return [encoded.toString("base64").slice(4, -4), encoded.toString("base64url").slice(4, -4)];
    }),
};

/** Which canaries, in which spelling, `output` has 12 characters of in a row; capitals count for nothing. */
export function found(output: string, canaries: Canaries): readonly string[] {
  const pieces = new Map<string, string>();
  for (const [what, canary] of Object.entries(canaries))
    for (const [how, spell] of Object.entries(SPELLINGS))
      for (const spelt of spell(canary))
        for (const piece of piecesOf(spelt)) pieces.set(piece, pieces.get(piece) ?? `${what}, ${how}`);
  const all = new Set<string>();
  for (const piece of piecesOf(output)) {
    const what = pieces.get(piece);
    if (what !== undefined) all.add(what);
  }
  return [...all];
}

function* piecesOf(text: string): Generator<string> {
  const plain = text.toLowerCase();
  for (let from = 0; from + PIECE <= plain.length; from++) yield plain.slice(from, from + PIECE);
}
