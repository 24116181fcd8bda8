import { byId, list, make, set, show, write } from "./dom.ts";
import { duration, plural } from "./format.ts";
import { CONDITION_WORDS, type Condition } from "./judge.ts";
import type { InstanceState } from "./state.ts";
import { sum } from "./unknown.ts";

export interface InstanceRow {
  readonly state: InstanceState;
  readonly condition: Condition;
}

/** The list of instances, and the choice of one or all. */
export function instancesList(onChoice: () => void): {
  /** The instance that is looked at; empty: all of them. */
  readonly chosen: string;
  update(rows: readonly InstanceRow[], shared: boolean): void;
} {
  const section = byId("instances", HTMLElement);
  const label = byId("instance-label", HTMLElement);
  const select = byId("instance", HTMLSelectElement);
  const showRows = list<InstanceRow>(
    byId("instance-list", HTMLElement),
    ({ state }) => state.instance,
    instanceRow,
  );
  const showOptions = list<{ value: string; text: string }>(
    select,
    ({ value }) => value,
    () => {
      const option = make("option");
      return {
        element: option,
        update({ value, text }) {
          option.value = value;
          write(option, text);
        },
      };
    },
  );

  function choose(instance: string): void {
    select.value = select.value === instance ? "" : instance;
    onChoice();
  }

  function instanceRow(): { element: HTMLElement; update(row: InstanceRow): void } {
    let instance = "";
    const mark = make("span", { class: "mark" });
    const name = make("b");
    const word = make("span");
    const about = make("span", { class: "soft" });
    const button = make("button", { type: "button" }, mark, make("span", {}, name, " ", word), about);
    button.addEventListener("click", () => choose(instance));
    return {
      element: make("li", {}, button),
      update({ state, condition }) {
        instance = state.instance;
        const calls = sum(state.clients.map(({ stats }) => stats.calls));
        const windowMs = Math.max(0, ...state.clients.map(({ stats }) => stats.windowMs));
        const up = duration(Math.max(0, state.at - state.startedAt));
        set(mark, "class", `mark ${condition}`);
        write(name, instance);
        write(word, CONDITION_WORDS[condition].toLowerCase());
        write(about, `${plural(calls, "call")} in ${duration(windowMs)} · up ${up}`);
        set(button, "aria-pressed", String(select.value === instance));
      },
    };
  }

  select.addEventListener("change", onChoice);
  return {
    get chosen() {
      return select.value;
    },
    update(rows, shared) {
      const several = shared && rows.length > 1;
      show(label, several);
      show(section, shared);
      const chosen = select.value;
      showOptions([
        { value: "", text: `all ${rows.length}` },
        ...rows.map(({ state: { instance } }) => ({ value: instance, text: instance })),
      ]);
      // One that is gone leaves the choice to all.
      select.value = rows.some(({ state }) => state.instance === chosen) ? chosen : "";
      showRows(rows);
    },
  };
}
