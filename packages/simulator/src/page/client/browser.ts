/**
 * What the page uses of a browser. The compiler's own types of a browser are global: they would reach every program
 * that is compiled together with these sources.
 */
export interface PageElement {
  textContent: string | null;
  className: string;
  hidden: boolean;
  disabled: boolean;
  value: string;
  readonly children: ArrayLike<PageElement>;
  readonly selectedOptions: ArrayLike<PageElement>;
  readonly lastElementChild: PageElement | null;
  readonly style: { setProperty(name: string, value: string): void };
  append(...children: readonly PageElement[]): void;
  prepend(...children: readonly PageElement[]): void;
  replaceChildren(...children: readonly PageElement[]): void;
  remove(): void;
  getAttribute(name: string): string | null;
  setAttribute(name: string, value: string): void;
  addEventListener(type: string, listener: (event: { preventDefault(): void }) => void): void;
}

/** A connection that brings events; it connects again by itself. */
interface PageEvents {
  addEventListener(type: string, listener: (event: { data: string }) => void): void;
}

/** The window. */
export interface Browser {
  readonly document: {
    readonly hidden: boolean;
    createElement(tag: string): PageElement;
    createElementNS(namespace: string, tag: string): PageElement;
    getElementById(id: string): PageElement | null;
  };
  readonly EventSource: new (url: string) => PageEvents;
  fetch(
    url: string,
    init?: { method: string; body?: string },
  ): Promise<{ ok: boolean; json(): Promise<unknown> }>;
  setTimeout(run: () => void, ms: number): unknown;
}
