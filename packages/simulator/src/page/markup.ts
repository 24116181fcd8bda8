import { faults } from "../faults/catalogue.ts";
import type { FaultPhase } from "../faults/fault.ts";
import { scenarioNames, scenarios } from "../scenario/catalogue.ts";

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text: string): string => text.replaceAll(/[&<>"]/g, (character) => escapes[character] ?? "");

function option(value: string, about: string, chosen: string, more = ""): string {
  const selected = value === chosen ? " selected" : "";
  return `<option value="${escaped(value)}" title="${escaped(about)}"${more}${selected}>${escaped(value)}</option>`;
}

const phases: readonly (readonly [phase: FaultPhase, title: string])[] = [
  ["admission", "Refused at the door"],
  ["connect", "Connecting"],
  ["queue", "In the queue"],
  ["headers", "Before the first token"],
  ["stream", "In the middle"],
  ["finish", "At the end"],
];

/** The faults, in the order of a request's life. */
function faultOptions(): string {
  return phases
    .map(([phase, title]) => {
      const entries = faults
        .filter((fault) => fault.phase === phase && fault.name !== "none")
        .map(({ name, summary, params }) => {
          const [first] = params;
          const suggested = first === undefined ? "none" : `${first.name}=${String(first.default ?? "")}`;
          const about = summary.replaceAll("`", "");
          return option(name, about, "503", ` data-params="${escaped(suggested)}"`);
        });
      return `<optgroup label="${title}">${entries.join("")}</optgroup>`;
    })
    .join("");
}

const chart = (id: string, title: string, unit: string, mood = ""): string => `
<section aria-labelledby="${id}-title">
  <div class="spark"><h2 id="${id}-title">${title}</h2>
  <p class="figure"><b id="${id}-figure">–</b> <span class="soft">${unit}</span></p></div>
  <div class="chart ${mood}" id="${id}-chart"></div>
</section>`;

const column = (id: string, title: string): string =>
  `<th scope="col" role="columnheader" class="cell-${id}">${title}</th>`;

/** What stands on the page before the first figure comes. */
export function pageMarkup(): string {
  const playable = scenarioNames
    .map((name) => option(name, scenarios[name].summary ?? "", "busy-evening"))
    .join("");
  return `
<header>
  <h1>DeepSeek simulator</h1>
  <span id="connection" class="badge" role="status">connecting</span>
  <span class="push figure"><span class="hidden-text">simulated time</span> <b id="time">0:00.0</b>
  <span class="soft" id="speed"></span></span>
</header>
<main>
<div class="charts">
${chart("arrivals", "Arrivals", "a second")}
${chart("refusals", "503 Service is too busy", "a second", "trouble")}
${chart("queue", "Waiting in the queue", "requests")}
</div>
<section class="machines-card" aria-labelledby="machines-title">
  <h2 id="machines-title">Machines</h2>
  <div class="machines" id="machines"></div>
</section>
<div class="side">
<section aria-labelledby="scenario-title">
  <h2 id="scenario-title">Scenario</h2>
  <div class="row">
    <label class="grow"><span class="hidden-text">Scenario</span> <select id="scenario">${playable}</select></label>
    <button type="button" class="main" id="play">Play</button>
    <button type="button" id="stop">Stop</button>
  </div>
  <p class="about soft" id="scenario-about"></p>
  <p class="about"><b id="playing" class="figure"></b> <span class="soft" id="phases"></span></p>
</section>
<section aria-labelledby="faults-title">
  <h2 id="faults-title">Faults</h2>
  <form id="fault-form">
    <label class="grow">Fault <select id="fault">${faultOptions()}</select></label>
    <label class="grow">Parameters <input id="fault-params" placeholder="tokens=5..40" autocomplete="off" spellcheck="false"></label>
    <label>Requests <input class="small" id="fault-times" type="number" min="1" max="100000" value="3" required></label>
    <button type="submit" class="main" id="add-fault">Add</button>
    <button type="button" id="clear">Clear all</button>
  </form>
  <p class="about soft" id="fault-about"></p>
  <ul id="faults"></ul>
  <p class="about" id="faults-empty">Nothing is broken on purpose.</p>
</section>
<section aria-labelledby="accounts-title">
  <h2 id="accounts-title">Accounts</h2>
  <table>
    <thead><tr><th scope="col">Account and model</th><th scope="col" class="number">In flight</th>
    <th scope="col" class="number">Balance</th></tr></thead>
    <tbody id="accounts"></tbody>
  </table>
</section>
<p class="message" id="message" role="status"></p>
</div>
<section class="attempts-card" aria-labelledby="attempts-title">
  <div class="spark"><h2 id="attempts-title">Last attempts</h2><p class="soft figure" id="totals"></p></div>
  <table role="table" aria-labelledby="attempts-title">
    <thead id="attempts-head" role="rowgroup"><tr role="row">
    ${column("time", "Time")}${column("request", "Request")}${column("status", "Status")}
    ${column("outcome", "Outcome")}${column("fault", "Fault")}
    ${column("tokens", "Tokens")}${column("first", "First token")}${column("took", "Took")}</tr></thead>
    <tbody id="attempts" role="rowgroup"></tbody>
  </table>
  <p class="soft" id="attempts-empty">Nobody has asked yet.</p>
</section>
</main>`;
}
