import type { RedisSubject, RedisSubjects } from "./subject.ts";

/** Loaded on demand: a process that measures one library has not even seen the others. */
const LIBRARIES: readonly [names: readonly string[], () => Promise<{ readonly subjects: RedisSubjects }>][] =
  [
    [["gcra", "ping"], () => import("./bare.ts")],
    [["one", "three", "admission", "split"], () => import("./breakwater.ts")],
    [["rate-limiter-flexible"], () => import("./rate-limiter-flexible.ts")],
    [["bottleneck"], () => import("./bottleneck.ts")],
  ];

export async function setUp(side: string, url: string): Promise<RedisSubject> {
  const library = LIBRARIES.find(([names]) => names.includes(side));
  const create = (await library?.[1]())?.subjects[side];
  if (create === undefined) throw new Error(`There is no side ${side}.`);
  return create(url);
}
