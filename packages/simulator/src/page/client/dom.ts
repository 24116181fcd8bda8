import type { Browser, PageElement } from "./browser.ts";

/** Short hands for the document. Data reaches it as text and attributes only, so nothing in it can be markup. */
export interface Dom {
  /** The element that the markup calls so. */
  get(id: string): PageElement;
  make(tag: string, className?: string, text?: string): PageElement;
  /** Writes only what changed: a screen reader is not told the same again, and nothing flickers. */
  write(element: PageElement, text: string): void;
  /**
   * One child per item, known by its key: it is made once and brought up to date afterwards, so that a button keeps its
   * focus while figures change around it.
   */
  list<Item>(
    parent: PageElement,
    items: readonly Item[],
    key: (item: Item) => string,
    row: (item: Item) => { element: PageElement; update(item: Item): void },
  ): void;
}

/** Runs in the browser: its source text is sent there, so it uses nothing from outside. */
export function createDom({ document }: Browser): Dom {
  type Row = { element: PageElement; update(item: never): void };
  const lists = new Map<PageElement, Map<string, Row>>();

  function write(element: PageElement, text: string): void {
    if (element.textContent !== text) element.textContent = text;
  }

  return {
    get(id) {
      const element = document.getElementById(id);
      if (element === null) throw new Error(`The page has no #${id}`);
      return element;
    },
    make(tag, className = "", text = "") {
      const element = document.createElement(tag);
      if (className !== "") element.className = className;
      if (text !== "") element.textContent = text;
      return element;
    },
    write,
    list(parent, items, key, row) {
      const before = lists.get(parent) ?? new Map<string, Row>();
      const now = new Map<string, Row>();
      let changed = items.length !== before.size;
      for (const item of items) {
        const name = key(item);
        let known = before.get(name);
        if (known === undefined) {
          known = row(item);
          changed = true;
        }
        known.update(item as never);
        now.set(name, known);
      }
      lists.set(parent, now);
      if (changed) parent.replaceChildren(...[...now.values()].map(({ element }) => element));
    },
  };
}
