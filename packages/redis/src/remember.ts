/**
 * `f` with a memory of its last results, at least half as many as `most`. The older half is forgotten at once: that needs
 * no bookkeeping when it is asked, and what is in use is known again after the next time.
 */
export function remember<T>(most: number, f: (text: string) => T): (text: string) => T {
  let young = new Map<string, T>();
  let old = new Map<string, T>();
  return (text) => {
    let value = young.get(text);
    if (value !== undefined) return value;
    value = old.get(text) ?? f(text);
    if (young.size >= most / 2) {
      old = young;
      young = new Map();
    }
    young.set(text, value);
    return value;
  };
}
