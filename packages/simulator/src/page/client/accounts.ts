import type { AccountState } from "../../accounts.ts";
import type { Dom } from "./dom.ts";
import type { Format } from "./format.ts";

/**
 * Shows what every account has in flight against its limit, for each model, and its balance.
 *
 * Runs in the browser: its source text is sent there, so it uses nothing from outside.
 */
export function createAccounts(dom: Dom, format: Format): (accounts: readonly AccountState[]) => void {
  const parent = dom.get("accounts");
  interface Line {
    readonly account: AccountState;
    readonly model: string;
  }

  function row() {
    const element = dom.make("tr");
    const name = dom.make("td");
    const id = dom.make("span");
    const asked = dom.make("code", "soft");
    const inFlight = dom.make("td", "number");
    const balance = dom.make("td", "number");
    name.append(id, asked);
    element.append(name, inFlight, balance);
    return {
      element,
      update({ account, model }: Line) {
        const limit = account.limit[model];
        dom.write(id, account.id);
        dom.write(asked, model === "" ? "not asked yet" : model);
        dom.write(
          inFlight,
          limit === undefined
            ? "–"
            : `${format.count(account.inFlight[model] ?? 0)} of ${format.count(limit)}`,
        );
        dom.write(balance, format.dollars(account.balanceUsd));
      },
    };
  }

  return (accounts) => {
    const lines = accounts.flatMap((account): Line[] => {
      const models = Object.keys(account.inFlight);
      return (models.length === 0 ? [""] : models).map((model) => ({ account, model }));
    });
    dom.list(parent, lines, ({ account, model }) => `${account.id} ${model}`, row);
  };
}
