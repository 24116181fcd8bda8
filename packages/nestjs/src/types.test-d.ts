// The compiler is what runs these.
import { rateLimit, retry, type Watchable } from "@breakwater/core";
import type { Observable } from "rxjs";

import { BreakwaterModule, type BreakwaterRegistry, CallSignal, UsePipeline, UsePolicies } from "./index.ts";

interface User {
  readonly team: string;
}

export class Fits {
  @UsePipeline("p", { tenant: (_words: string, user: User) => user.team })
  async find(_words: string, _user: User, @CallSignal() _signal?: AbortSignal): Promise<void> {}

  // What is said of a call need not look at all of it.
  @UsePipeline("p", { tenant: (team: string) => team })
  async part<T>(_team: string, given: T, ..._more: readonly number[]): Promise<T> {
    return given;
  }

  @UsePolicies({ cost: (words: string) => ({ totalTokens: words.length }) }, retry())
  async *items(words: string): AsyncGenerator<string> {
    yield words;
  }

  @UsePolicies(() => [
    retry(),
    rateLimit({ key: ([n]: [number]) => `${n}`, limits: { requests: { limit: 1, per: "1s" } } }),
  ])
  @UsePolicies(retry())
  list(_n: number): Observable<string> {
    throw new Error("never called");
  }
}

export class DoesNot {
  // @ts-expect-error -- the method is given a number
  @UsePipeline("p", { tenant: (words: string) => words })
  async find(_n: number): Promise<void> {}

  // @ts-expect-error -- what is decorated goes on later
  @UsePolicies(retry())
  now(): number {
    return 1;
  }

  // @ts-expect-error -- not called
  @UsePolicies
  async bare(): Promise<void> {}

  // @ts-expect-error -- no such option
  @UsePolicies({ attempts: 3 }, retry())
  async options(): Promise<void> {}

  // @ts-expect-error -- a policy that was not called makes no list
  @UsePolicies(retry)
  async uncalled(): Promise<void> {}
}

BreakwaterModule.forRoot({
  // @ts-expect-error -- a client can be closed
  clients: { none: {} },
});

// @ts-expect-error -- a list of policies
BreakwaterModule.forRoot({ pipelines: { search: retry() } });

BreakwaterModule.forRoot({ admin: { path: "ops", authorize: async () => ({ by: "ada", may: "see" }) } });

BreakwaterModule.forRoot({
  // @ts-expect-error -- nobody says who may
  admin: { path: "ops" },
});

export const watchable = (registry: BreakwaterRegistry): Watchable => registry;
