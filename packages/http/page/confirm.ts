import { type Act, changeOf, editable, nameOf, readEdit } from "./act.ts";
import { circuitsOf } from "./circuits.ts";
import { byId, make, set, show, write } from "./dom.ts";
import { count } from "./format.ts";
import type { PolicyView } from "./merge.ts";
import type { Placed } from "./policy-row.ts";
import { postChange } from "./post.ts";
import { fields } from "./unknown.ts";

/** Who acts, and on whom. */
export interface Reach {
  readonly by: string | undefined;
  readonly instances: readonly string[];
}

const allOf = (instances: readonly string[]): string =>
  instances.length === 2 ? "both instances" : `all ${count(instances.length)} instances`;

/** A circuit over a shared store is forced for all who share it, whoever does it. */
const isShared = ({ policy }: Placed, act: Act): boolean =>
  act.force !== undefined && policy.source !== undefined;

const keysOf = ({ state }: PolicyView): readonly string[] => circuitsOf(state).map(({ key }) => key);

const isKeyed = (policy: PolicyView): boolean =>
  fields(policy.options)["key"] !== undefined || keysOf(policy).some((key) => key !== "");

/** Nothing is changed before this dialog has said what will happen, to whom, and who does it. */
export function confirmation(
  reachOf: () => Reach,
  onDone: (text: string) => void,
): { ask(placed: Placed, act: Act): void } {
  const dialog = byId("confirm", HTMLDialogElement);
  const form = byId("confirm-form", HTMLFormElement);
  const title = byId("confirm-title", HTMLElement);
  const effect = byId("confirm-effect", HTMLElement);
  const whom = byId("confirm-whom", HTMLElement);
  const problem = byId("confirm-error", HTMLElement);
  const circuit = byId("circuit", HTMLInputElement);
  const circuits = byId("circuits", HTMLElement);
  const edit = byId("edit", HTMLElement);
  const text = byId("numbers", HTMLTextAreaElement);
  const present = byId("present", HTMLElement);
  const scope = byId("scope", HTMLElement);
  const scopeAll = byId("scope-all", HTMLInputElement);
  const scopeThis = byId("scope-this", HTMLInputElement);
  const go = byId("go", HTMLButtonElement);
  const cancel = byId("cancel", HTMLButtonElement);
  let asked: { readonly placed: Placed; readonly act: Act; readonly reach: Reach } | undefined;
  /** A second click does nothing, and neither does an answer to a dialog that was closed. */
  let pending: object | undefined;

  /** The circuit that is meant. Calls that name none, as those of a default model, have one of their own. */
  function keyIn(policy: PolicyView): string | undefined {
    const known = isKeyed(policy) && (circuit.value !== "" || keysOf(policy).includes(""));
    return known ? circuit.value : undefined;
  }

  const update = (): Readonly<Record<string, unknown>> | undefined => {
    if (asked?.act.edit !== true) return undefined;
    const read = readEdit(text.value, asked.placed.policy.options);
    return "update" in read ? read.update : undefined;
  };

  /** The sentences, for what is written and chosen at the moment. */
  function say(): void {
    if (asked === undefined) return;
    const { placed, act, reach } = asked;
    const { policy, client } = placed;
    const name = nameOf(policy);
    let ready = true;
    if (act.edit === true) {
      const read = readEdit(text.value, policy.options);
      ready = "update" in read;
      write(effect, "update" in read ? `${name} of ${client.name} will change ${read.said}.` : read.problem);
    } else {
      const one = act.force !== undefined && circuit.value !== "" ? `, its circuit “${circuit.value}”,` : "";
      write(effect, `${name} of ${client.name}${one} ${act.effect}`);
    }
    const shared = isShared(placed, act);
    const many = reach.instances.length > 1;
    const where = shared
      ? "Its circuits are shared, so this holds for all processes of its store."
      : !many
        ? "It happens at once."
        : scopeAll.checked
          ? `It happens on ${allOf(reach.instances)} within some seconds.`
          : "It happens on one instance only; the answer will say on which.";
    const who =
      reach.by === undefined
        ? "It will be told as an event, without a name."
        : `It will be told as done by ${reach.by}.`;
    const end = shared ? " It holds until the next change." : " It holds until the next change or restart.";
    write(whom, `${where}${end} ${who}`);
    go.disabled = !ready || pending !== undefined;
  }

  async function submit(): Promise<void> {
    if (asked === undefined || go.disabled) return;
    const { placed, act, reach } = asked;
    const own = {};
    pending = own;
    show(problem, false);
    say();
    // One that all share is changed once for all: told to each, each would begin it anew.
    const all = reach.instances.length > 1 && scopeAll.checked && !isShared(placed, act);
    const answer = await postChange({
      client: placed.client.name,
      policy: placed.policy.target,
      change: changeOf(act, keyIn(placed.policy), update()),
      scope: all ? "all" : "this",
    });
    const what = `${act.verb.toLowerCase()}, ${placed.policy.name} of ${placed.client.name}.`;
    const where = all ? `Told to ${allOf(reach.instances)}.` : answer.done ? `On ${answer.text}.` : "";
    if (pending !== own) {
      // Who has closed the dialog meanwhile must not take it for undone.
      onDone(answer.done ? `Done all the same: ${what} ${where}` : `Not done: ${what} ${answer.text}`);
      return;
    }
    pending = undefined;
    if (answer.done) {
      dialog.close();
      onDone(`Done: ${what} ${where}`);
      return;
    }
    write(problem, answer.text);
    show(problem, true);
    say();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });
  cancel.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    pending = undefined;
    asked = undefined;
  });
  for (const element of [circuit, text, scopeAll, scopeThis]) element.addEventListener("input", say);

  return {
    ask(placed, act) {
      const { policy } = placed;
      const reach = reachOf();
      asked = { placed, act, reach };
      write(title, act.edit === true ? `${act.verb} of ${policy.name}` : `${act.verb}: ${policy.name}`);
      const keys = keysOf(policy);
      const keyed = isKeyed(policy);
      show(byId("circuit-label", HTMLElement), act.force !== undefined && keyed);
      circuits.replaceChildren(
        ...keys.filter((key) => key !== "").map((key) => make("option", { value: key })),
      );
      circuit.value = keyed ? (keys[0] ?? "") : "";
      show(edit, act.edit === true);
      text.value = JSON.stringify(editable(policy.options), null, 2);
      write(present, JSON.stringify(policy.options, null, 2) ?? "");
      show(scope, reach.instances.length > 1 && !isShared(placed, act));
      write(byId("scope-all-text", HTMLElement), allOf(reach.instances));
      scopeAll.checked = true;
      show(problem, false);
      write(go, act.verb);
      set(go, "class", act.grave ? "grave" : "main");
      say();
      dialog.showModal();
      // The harmless choice, so that a key that was pressed too often changes nothing.
      (act.edit === true ? text : cancel).focus();
    },
  };
}
