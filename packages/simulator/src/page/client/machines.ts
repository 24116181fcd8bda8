import type { ReplicaState } from "../../replica.ts";
import type { Dom } from "./dom.ts";

/**
 * Shows every machine: its slots and its queue as bars, its state in a word, and a button that takes it away.
 *
 * Runs in the browser: its source text is sent there, so it uses nothing from outside.
 */
export function createMachines(
  dom: Dom,
  onSwitch: (name: string, up: boolean) => void,
): (machines: readonly ReplicaState[]) => void {
  const parent = dom.get("machines");

  const isTroubled = ({ trouble }: ReplicaState): boolean =>
    Object.values(trouble).some((value) => value !== false);

  /** `flapping, down` */
  function wordFor({ up, trouble }: ReplicaState): string {
    const { brownout, flap, capacityDrop, dead } = trouble;
    const words = [
      ...(brownout === undefined ? [] : ["brown-out"]),
      ...(flap === undefined ? [] : ["flapping"]),
      ...(capacityDrop === undefined ? [] : ["fewer slots"]),
    ];
    if (dead === true) return "dead";
    if (!up) words.push("down");
    return words.length === 0 ? "up" : words.join(", ");
  }

  function bar(className: string, label: string) {
    const outer = dom.make("div", className);
    outer.setAttribute("role", "meter");
    outer.setAttribute("aria-label", label);
    outer.setAttribute("aria-valuemin", "0");
    const inner = dom.make("div");
    outer.append(inner);
    return {
      outer,
      fill(value: number, most: number) {
        const part = most === 0 ? Number(value > 0) : Math.min(1, value / most);
        outer.className = part >= 1 ? `${className} full` : className;
        outer.setAttribute("aria-valuenow", String(value));
        outer.setAttribute("aria-valuemax", String(most));
        inner.style.setProperty("--filled", `${(part * 100).toFixed(1)}%`);
      },
    };
  }

  function card({ name }: ReplicaState) {
    const element = dom.make("div", "machine");
    const head = dom.make("div", "machine-head");
    const badge = dom.make("span", "badge");
    const button = dom.make("button", "little");
    button.setAttribute("type", "button");
    let isDead = false;
    button.addEventListener("click", () => onSwitch(name, isDead));
    head.append(dom.make("h3", "", name), badge, button);
    const slots = bar("bar", `slots of ${name} in use`);
    const queue = bar("bar thin", `queue of ${name}`);
    const computing = dom.make("span");
    const waiting = dom.make("span", "soft");
    const line = dom.make("div", "line figure");
    line.append(computing, waiting);
    element.append(head, slots.outer, line, queue.outer);
    return {
      element,
      update(machine: ReplicaState) {
        isDead = machine.trouble.dead === true;
        dom.write(badge, wordFor(machine));
        badge.className = `badge ${machine.up ? (isTroubled(machine) ? "warn" : "good") : "bad"}`;
        dom.write(button, isDead ? "Bring up" : "Take down");
        button.setAttribute("aria-label", `${isDead ? "Bring up" : "Take down"} ${name}`);
        slots.fill(machine.active, machine.slots);
        queue.fill(machine.queued, machine.queue);
        dom.write(computing, `${machine.active} of ${machine.slots} slots`);
        dom.write(waiting, `${machine.queued} of ${machine.queue} waiting`);
      },
    };
  }

  return (machines) => dom.list(parent, machines, ({ name }) => name, card);
}
