// Short hands for the document. Data reaches it as text and attributes only, so nothing in it can be markup.

type Child = Node | string;

/** Makes an element. `attributes.class` is its class; `true` is an attribute without a value. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | true>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    element.setAttribute(name, value === true ? "" : value);
  element.append(...children);
  return element;
}

/** The element that the page calls so. */
export function byId<E extends HTMLElement>(id: string, kind: { new (): E }): E {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`The page has no #${id}.`);
  return element;
}

/** Writes only what changed: a screen reader is not told the same again, and a selection stays. */
export function write(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets only what changed; `undefined` takes the attribute away. */
export function set(element: Element, name: string, value: string | undefined): void {
  if (value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

export function show(element: HTMLElement, visible: boolean): void {
  if (element.hidden === visible) element.hidden = !visible;
}

interface Row<Item> {
  readonly element: HTMLElement;
  update(item: Item): void;
  /** It is on the page no more. */
  remove?(): void;
}

/**
 * One child for each item, known by its key: made once and brought up to date afterwards, so that a button keeps its focus
 * and a row its fold while figures change around it. Items of one key are told apart by their order.
 */
export function list<Item>(
  parent: Element,
  keyOf: (item: Item) => string,
  row: (item: Item) => Row<Item>,
): (items: readonly Item[]) => void {
  let rows = new Map<string, Row<Item>>();
  return (items) => {
    const before = rows;
    rows = new Map();
    for (const item of items) {
      let key = keyOf(item);
      while (rows.has(key)) key += "'";
      const known = before.get(key) ?? row(item);
      before.delete(key);
      rows.set(key, known);
      known.update(item);
    }
    for (const gone of before.values()) {
      gone.element.remove();
      gone.remove?.();
    }
    let at: Element | null = parent.firstElementChild;
    for (const { element } of rows.values()) {
      if (element === at) at = at.nextElementSibling;
      else parent.insertBefore(element, at);
    }
  };
}

let lastId = 0;

/** An id for what another element names. */
export const newId = (): string => `e${++lastId}`;
