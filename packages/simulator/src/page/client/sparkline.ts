import type { Browser, PageElement } from "./browser.ts";

/** A small line of the last minutes. */
export interface Sparkline {
  add(value: number): void;
  clear(): void;
}

/** Runs in the browser: its source text is sent there, so it uses nothing from outside. */
export function createSparkline({ document }: Browser, parent: PageElement): Sparkline {
  const svg = "http://www.w3.org/2000/svg";
  const width = 240;
  const height = 44;
  const room = 120;
  let values: number[] = [];

  const picture = document.createElementNS(svg, "svg");
  picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
  picture.setAttribute("preserveAspectRatio", "none");
  // The figure beside it says the same in words.
  picture.setAttribute("aria-hidden", "true");
  const area = document.createElementNS(svg, "polygon");
  const line = document.createElementNS(svg, "polyline");
  picture.append(area, line);
  parent.append(picture);

  function draw(): void {
    const top = Math.max(1, ...values);
    const step = width / (room - 1);
    const left = width - (values.length - 1) * step;
    const points = values
      .map((value, at) => {
        const x = left + at * step;
        const y = height - 2 - (value / top) * (height - 6);
        return `${x.toFixed(1)},${y.toFixed(1)}`;
      })
      .join(" ");
    line.setAttribute("points", points);
    area.setAttribute("points", values.length === 0 ? "" : `${left},${height} ${points} ${width},${height}`);
  }

  return {
    add(value) {
      values.push(value);
      values = values.slice(-room);
      draw();
    },
    clear() {
      values = [];
      draw();
    },
  };
}
