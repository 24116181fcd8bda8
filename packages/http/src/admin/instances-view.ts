import type { InstanceReport, Runtime } from "@breakwater/core";

import { type BoundedStore, reasonOf } from "./instances-bounded.ts";
import { readReport } from "./instances-report.ts";
import type { InstanceState } from "./state.ts";

/** What instances say of themselves, and why that may not be all. */
export interface View {
  readonly instances: readonly InstanceState[];
  readonly problems: readonly string[];
  /** Why nothing of it is known. */
  readonly away?: string;
}

/** What was read is news for so long, for all who look at the page: more comes every other second only. */
const NEWS_MS = 1_000;
/** And for longer where there is much of it: whoever looks at two hundred instances must not slow down the one he asks. */
const CHARACTERS_PER_MS = 1_000;

export interface ViewOptions {
  readonly store: BoundedStore;
  readonly service: string;
  readonly runtime: Runtime;
}

/** Reads what there is in a store, once for all who look at the same time. Does not reject. */
export function createView({ runtime, service, store }: ViewOptions): () => Promise<View> {
  let news: { readonly found: Promise<View>; until: number } | undefined;
  return () => {
    const now = runtime.now();
    if (news !== undefined && now < news.until) return news.found;
    const keep = (characters: number): void => {
      fresh.until = now + Math.max(NEWS_MS, characters / CHARACTERS_PER_MS);
    };
    const found = store.all(service).then(
      (reports) => {
        keep(reports.reduce((sum, { report }) => sum + report.length, 0));
        return viewOf(reports);
      },
      (error: unknown) => {
        keep(0);
        return { instances: [], problems: [], away: reasonOf(error) };
      },
    );
    const fresh = { found, until: Infinity }; // nobody asks again while it is read
    news = fresh;
    return found;
  };
}

function viewOf(reports: readonly InstanceReport[]): View {
  const read = reports.map(({ instance, report }) => readReport(instance, report));
  const known = read.filter((one) => one !== undefined);
  const strange = read.length - known.length;
  return {
    instances: known.map(({ state }) => state),
    problems: [
      ...(strange === 0 ? [] : [`${strange} of them cannot be read; another release?`]),
      ...known
        .filter(({ leftOut }) => leftOut !== undefined)
        .map(({ leftOut, state }) => `${state.instance} has too much to tell: ${leftOut} left out`),
    ],
  };
}
