/** One line of what Prometheus reads. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Reads the text format as strictly as Prometheus does: what it would not take is an error here. */
export function parse(text: string): readonly Sample[] {
  if (!text.endsWith("\n")) throw new Error("the last line must end");
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  const seen = new Set<string>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("# HELP ")) continue;
    const type = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line);
    if (type !== null) {
      if (types.has(type[1] as string)) throw new Error(`declared twice: ${line}`);
      types.set(type[1] as string, type[2] as string);
      continue;
    }
    const match = /^([a-z_]+)(?:\{(.*)\})? ([\d.e+-]+|\+Inf)$/.exec(line);
    if (match === null) throw new Error(`no sample: ${line}`);
    const [, name = "", inside = "", value = ""] = match;
    const family = name.replace(/_(bucket|sum|count)$/, "");
    if (!types.has(name) && types.get(family) !== "histogram") throw new Error(`not declared: ${line}`);
    const labels: Record<string, string> = {};
    const rest = inside.replaceAll(/([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/g, (_, label, shown) => {
      if (label in labels) throw new Error(`a label twice: ${line}`);
      labels[label] = shown;
      return "";
    });
    if (rest !== "") throw new Error(`no labels: ${line}`);
    const id = `${name} ${inside}`;
    if (seen.has(id)) throw new Error(`told twice: ${line}`);
    seen.add(id);
    samples.push({ name, labels, value: Number(value.replace("+Inf", "Infinity")) });
  }
  return samples;
}

/** The sum of what has these labels, whatever else it is told apart by; undefined if there is none. */
export function valueOf(
  samples: readonly Sample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const found = samples.filter(
    (sample) =>
      sample.name === `breakwater_${name}` &&
      Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  );
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
}
