/** The text of a body `{ text }`. Throws where there is none, as routes do that trust their callers. */
export function textOf(body: unknown): string {
  return (body as { text: string }).text.trim();
}

/** What a chunk of a chat says; `undefined` where it says nothing. */
export function contentOf(chunk: unknown): string | undefined {
  const { choices } = chunk as { choices: readonly { delta: { content?: string | null } }[] };
  return choices[0]?.delta.content ?? undefined;
}
