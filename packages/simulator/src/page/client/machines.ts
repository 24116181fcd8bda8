import type { Dom } from "./dom.ts";

/** A replica, as the page shows it. */
export interface Machine {
  readonly name: string;
  readonly state: string;
  readonly active: number;
  readonly slots: number;
  readonly queued: number;
  readonly queue: number;
}

/**
 * Shows every machine: its slots and its queue as bars, its state in a word, and a button that takes it away.
 *
 * Runs in the browser: its source text is sent there, so it uses nothing from outside.
 */
export function createMachines(
  dom: Dom,
  onSwitch: (name: string, up: boolean) => void,
): (machines: readonly Machine[]) => void {
  const parent = dom.get("machines");

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

  function card({ name }: Machine) {
    const element = dom.make("div", "machine");
    const head = dom.make("div", "machine-head");
    const badge = dom.make("span", "badge");
    const button = dom.make("button", "little");
    button.setAttribute("type", "button");
    let up = true;
    button.addEventListener("click", () => onSwitch(name, !up));
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
      update(machine: Machine) {
        up = machine.state !== "dead";
        dom.write(badge, machine.state);
        badge.className = `badge ${machine.state === "up" ? "good" : up ? "warn" : "bad"}`;
        dom.write(button, up ? "Take down" : "Bring up");
        button.setAttribute("aria-label", `${up ? "Take down" : "Bring up"} ${name}`);
        slots.fill(machine.active, machine.slots);
        queue.fill(machine.queued, machine.queue);
        dom.write(computing, `${machine.active} of ${machine.slots} slots`);
        dom.write(waiting, `${machine.queued} of ${machine.queue} waiting`);
      },
    };
  }

  return (machines) => dom.list(parent, machines, ({ name }) => name, card);
}
