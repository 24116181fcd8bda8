/** Takes keys out of what the host says: it may repeat the one that it was sent. The last four characters stay. */
export function redact(text: string, key: string | undefined): string {
  const known = key === undefined || key.length < 8 ? text : text.replaceAll(key, `****${key.slice(-4)}`);
  return known.replaceAll(/\bsk-[\w-]{8,}(?=[\w-]{4})/g, "****");
}
