import type { ChatRequest } from "@breakwater/deepseek";
import type { ScenarioLoad } from "@breakwater/simulator";

/** One call that somebody makes, and when. */
export interface Arrival {
  readonly at: number;
  readonly request: ChatRequest & { readonly model: string };
}

/** Calls that arrive independently of one another (a Poisson process), as the scenario's load says. */
export function arrivals(load: ScenarioLoad, durationMs: number, random: () => number): readonly Arrival[] {
  const { models = { "deepseek-flash": 1 }, perSecond, prompts, streamed, tokens } = load;
  const question = prompts === undefined ? undefined : zipf(prompts.distinct, prompts.zipf, random);
  const list: Arrival[] = [];
  for (let at = gap(perSecond, random); at < durationMs; at += gap(perSecond, random)) {
    const content = question === undefined ? `Question ${list.length}` : `Question ${question()}`;
    list.push({
      at,
      request: {
        model: pick(models, random()),
        messages: [{ role: "user", content }],
        stream: random() < streamed,
        ...(tokens !== undefined && { metadata: { sim: tokens } }),
      },
    });
  }
  return list;
}

function gap(perSecond: number, random: () => number): number {
  return (-Math.log(1 - random()) / perSecond) * 1_000;
}

function pick(parts: Readonly<Record<string, number>>, at: number): string {
  let sum = 0;
  for (const [name, part] of Object.entries(parts)) {
    sum += part;
    if (at < sum) return name;
  }
  return Object.keys(parts)[0] as string;
}

/** The k-th of `distinct` things in proportion to k ** -exponent. */
function zipf(distinct: number, exponent: number, random: () => number): () => number {
  const sums: number[] = [];
  let sum = 0;
  for (let k = 1; k <= distinct; k++) sums.push((sum += k ** -exponent));
  return () => {
    const at = random() * sum;
    return sums.findIndex((each) => at < each);
  };
}
