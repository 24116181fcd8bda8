import type { FaultRule } from "../../faults/rules.ts";
import type { Dom } from "./dom.ts";
import type { Format } from "./format.ts";

/** A rule in force, and how often it struck. A rule of a scenario cannot be removed by itself. */
export type ActiveFault = FaultRule & {
  readonly id: string;
  readonly hits: number;
  readonly phase?: string;
};

/**
 * Lists the rules in force.
 *
 * Runs in the browser: its source text is sent there, so it uses nothing from outside.
 */
export function createFaultList(
  dom: Dom,
  format: Format,
  onRemove: (id: string) => void,
): (faults: readonly ActiveFault[]) => void {
  const parent = dom.get("faults");
  const empty = dom.get("faults-empty");

  function written(action: unknown): string {
    if (typeof action === "string") return action;
    if (Array.isArray(action)) return action.map(written).join(", then ");
    const { name, ...params } = action as { name: string };
    return [name, ...Object.entries(params).map(([key, value]) => `${key}=${String(value)}`)].join(";");
  }

  function conditions({ match = {}, phase }: ActiveFault): string {
    const { probability, ...others } = match;
    const shown = Object.entries(others).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
    if (probability !== undefined) shown.unshift(`${format.count(probability * 100)} % of requests`);
    if (phase !== undefined) shown.push(phase);
    return shown.join(", ");
  }

  function entry(fault: ActiveFault) {
    const element = dom.make("li");
    const hits = dom.make("span", "soft figure");
    element.append(dom.make("code", "", written(fault.action)), hits);
    if (fault.phase === undefined) {
      const remove = dom.make("button", "little", "Remove");
      remove.setAttribute("type", "button");
      remove.setAttribute("aria-label", `Remove ${written(fault.action)}`);
      remove.addEventListener("click", () => onRemove(fault.id));
      element.append(remove);
    }
    element.append(dom.make("span", "soft about-rule", conditions(fault)));
    return {
      element,
      update({ hits: count, times }: ActiveFault) {
        const most = times === undefined ? "" : ` of ${format.count(times)}`;
        dom.write(
          hits,
          `struck ${format.count(count)}${most} ${count === 1 && most === "" ? "time" : "times"}`,
        );
      },
    };
  }

  return (faults) => {
    empty.hidden = faults.length > 0;
    dom.list(parent, faults, ({ id, phase }) => `${phase ?? ""} ${id}`, entry);
  };
}
