import { type Call, UpstreamError } from "@breakwater/core";

import { closeAccount, disableKey, type Here, markLow, settleAccount, settleKey } from "./account.ts";
import type { Pick } from "./pick.ts";

/** Learns from what an attempt comes to. Where nobody can be asked, the attempt is the probe as well. */
export function watch(call: Call<unknown>, { account, key }: Pick, here: Here): void {
  const now = here.runtime.now();
  const accountTrial = account.gate.probe(now);
  const keyTrial = key.gate.probe(now);
  const sentIn = { account: account.gate.epoch, key: key.gate.epoch };

  function taken(): void {
    if (accountTrial !== undefined) settleAccount(account, accountTrial, "good", here);
    if (keyTrial !== undefined) settleKey(account, key, keyTrial, "good", here);
    account.gate.succeed();
    key.gate.succeed();
  }

  function failed({ code, reason }: UpstreamError): void {
    if (code === "QUOTA") {
      if (accountTrial !== undefined) settleAccount(account, accountTrial, "bad", here);
      else closeAccount(account, sentIn.account, here);
    }
    if (code === "AUTH") {
      if (keyTrial !== undefined) settleKey(account, key, keyTrial, "bad", here);
      else disableKey(account, key, sentIn.key, here);
    }
    if (code === "RATE_LIMIT" && reason === "balance") markLow(account, here);
  }

  call.watch((mark) => {
    if (mark === "token") taken();
  });
  call.defer(({ status, error }) => {
    if (status === "answered") taken();
    else if (status === "failed" && UpstreamError.isInstance(error)) failed(error);
    // What was neither good nor bad said nothing: the next call may try.
    if (accountTrial !== undefined) account.gate.release(accountTrial);
    if (keyTrial !== undefined) key.gate.release(keyTrial);
  });
}
