import type { Runtime } from "@breakwater/core";

import { isRecord, parseLeniently } from "../error-body.ts";
import type { HostProfile } from "../hosts.ts";
import { readText } from "../read-text.ts";
import { defaultFetch, type Fetch } from "../transport.ts";
import type { Verdict } from "./gate.ts";

/** How a host is asked about keys and accounts: small requests beside the calls, which cost nothing. */
export interface Asker {
  /** Undefined where the host cannot be asked: then the next call is the probe. */
  readonly balance: ((key: string, minBalance: number, runtime: Runtime) => Promise<Reply>) | undefined;
  readonly key: (key: string, runtime: Runtime) => Promise<Reply>;
}

export interface Reply {
  readonly verdict: Verdict;
  /** There is no such place at this address: it need not be asked again. */
  readonly nowhere?: boolean;
  /** The host does not know the key that it was asked with. */
  readonly unknownKey?: boolean;
  /** By currency. */
  readonly balance?: Readonly<Record<string, number>>;
}

/** A host that does not tell within this time told nothing. Calls may be waiting for it. */
const PATIENCE_MS = 5_000;
const MAX_BYTES = 65_536;
const UNCLEAR: Reply = { verdict: "unclear" };

/** @param url of the completions, which is what the upstream is configured with */
export function createAsker(profile: HostProfile, url: string, fetch: Fetch | undefined): Asker {
  // DeepSeek's versions and beta features are below paths of their own; keys and balances are not.
  const base = url.replace(/\/chat\/completions$/, "").replace(/\/beta$/, "");
  const { balance } = profile;
  const get = (path: string, key: string, runtime: Runtime): Promise<Answer | undefined> =>
    ask(`${base}${path}`, { ...profile.headers, authorization: `Bearer ${key}` }, fetch, runtime);
  return {
    balance:
      balance === undefined
        ? undefined
        : async (key, minBalance, runtime) => {
            const answer = await get(balance, key, runtime);
            return answer?.status === 200
              ? readBalance(answer.text, minBalance)
              : byStatus(answer?.status, 402);
          },
    async key(key, runtime) {
      const answer = await get("/models", key, runtime);
      return answer?.status === 200 ? { verdict: "good" } : byStatus(answer?.status, 401, 403);
    },
  };
}

function byStatus(status: number | undefined, ...bad: readonly number[]): Reply {
  if (status === undefined) return UNCLEAR;
  if (bad.includes(status)) return { verdict: "bad" };
  if (status === 401 || status === 403) return { verdict: "unclear", unknownKey: true };
  return status === 404 || status === 405 || status === 501 ? { verdict: "unclear", nowhere: true } : UNCLEAR;
}

/** `{"is_available":true,"balance_infos":[{"currency":"CNY","total_balance":"110.00",…}]}`, amounts as strings. */
function readBalance(text: string, minBalance: number): Reply {
  const body = parseLeniently(text);
  if (!isRecord(body) || typeof body["is_available"] !== "boolean")
    return { verdict: "unclear", nowhere: true };
  const infos = Array.isArray(body["balance_infos"]) ? (body["balance_infos"] as unknown[]) : [];
  const amounts = infos.filter(isRecord).flatMap(({ currency, total_balance: total }) => {
    const amount = Number(total);
    return typeof currency === "string" && Number.isFinite(amount) ? [[currency, amount] as const] : [];
  });
  const enough = amounts.length === 0 || amounts.some(([, amount]) => amount > minBalance);
  return {
    verdict: body["is_available"] && enough ? "good" : "bad",
    balance: Object.fromEntries(amounts),
  };
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Never throws: what was not answered said nothing. */
async function ask(
  url: string,
  headers: Record<string, string>,
  given: Fetch | undefined,
  runtime: Runtime,
): Promise<Answer | undefined> {
  const controller = new AbortController();
  let cancel = (): void => {};
  const late = new Promise<undefined>((resolve) => {
    cancel = runtime.setTimer(PATIENCE_MS, () => {
      controller.abort();
      resolve(undefined);
    });
  });
  const asked = (async (): Promise<Answer> => {
    const fetch = given ?? (await defaultFetch());
    const response = await fetch(url, {
      headers: { ...headers, accept: "application/json" },
      signal: controller.signal,
    });
    const { text } = await readText(response.body, { maxBytes: MAX_BYTES });
    return { status: response.status, text };
  })().catch(() => undefined);
  try {
    return await Promise.race([asked, late]);
  } finally {
    cancel();
  }
}
