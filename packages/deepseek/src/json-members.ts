/** Where one member of a JSON object stands in its text. */
interface Member {
  readonly name: string;
  readonly from: number;
  readonly valueFrom: number;
  readonly to: number;
}

/**
 * Changes members of a JSON object in its text and leaves every other byte as it is, so that numbers, order and
 * spaces stay what the caller wrote. `undefined` takes a member out. The text must be a valid JSON object.
 */
export function editMembers(text: string, changes: Readonly<Record<string, unknown>>): string {
  const members = membersOf(text);
  const open = text.indexOf("{") + 1;
  const kept: string[] = [];
  const present = new Set<string>();
  for (const { name, from, valueFrom, to } of members) {
    present.add(name);
    if (!Object.hasOwn(changes, name)) kept.push(text.slice(from, to));
    else if (changes[name] !== undefined)
      kept.push(text.slice(from, valueFrom) + JSON.stringify(changes[name]));
  }
  for (const [name, value] of Object.entries(changes)) {
    if (value !== undefined && !present.has(name))
      kept.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`);
  }
  return `${text.slice(0, open)}${kept.join(",")}${text.slice(text.lastIndexOf("}"))}`;
}

function membersOf(text: string): readonly Member[] {
  const members: Member[] = [];
  let at = text.indexOf("{") + 1;
  for (;;) {
    const from = at;
    const nameFrom = text.indexOf('"', at);
    const brace = text.indexOf("}", at);
    if (nameFrom === -1 || (brace !== -1 && brace < nameFrom)) return members;
    const nameTo = skipString(text, nameFrom);
    const valueFrom = skipSpace(text, text.indexOf(":", nameTo) + 1);
    const to = skipValue(text, valueFrom);
    members.push({ name: JSON.parse(text.slice(nameFrom, nameTo)) as string, from, valueFrom, to });
    at = text.indexOf(",", to);
    if (at === -1 || text.slice(to, at).includes("}")) return members;
    at++;
  }
}

function skipSpace(text: string, at: number): number {
  while (/\s/.test(text[at] ?? "x")) at++;
  return at;
}

/** The index after the string that begins at `at`. */
function skipString(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i + 1;
  }
  return text.length;
}

/** The index after the value that begins at `at`. */
function skipValue(text: string, at: number): number {
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    const character = text[i];
    if (character === '"') {
      i = skipString(text, i) - 1;
      if (depth === 0) return i + 1;
    } else if (character === "{" || character === "[") depth++;
    else if (character === "}" || character === "]") {
      if (depth === 0) return i;
      if (--depth === 0) return i + 1;
    } else if (depth === 0 && (character === "," || /\s/.test(character ?? ""))) return i;
  }
  return text.length;
}
