/** The page's looks: calm, one column on a phone, light or dark as the reader's system says. */
export const style = `
:root {
  color-scheme: light dark;
  --ground: #f6f7f9; --card: #ffffff; --line: #e1e5ea; --text: #1c2430; --soft: #5b6675;
  --accent: #1f6f8b; --good: #1b7a4b; --warn: #96610a; --bad: #b3362f; --quiet: #5b6675;
  --tint-good: #e4f3ea; --tint-warn: #fbf0da; --tint-bad: #fae5e3; --tint-quiet: #eceff3; --tint-accent: #dcedf2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14181d; --card: #1c2229; --line: #2d353f; --text: #e4e9ef; --soft: #9aa6b4;
    --accent: #63b5cf; --good: #68c797; --warn: #e0ae57; --bad: #f08a82; --quiet: #9aa6b4;
    --tint-good: #1c352a; --tint-warn: #3a2f1a; --tint-bad: #402421; --tint-quiet: #272f38; --tint-accent: #1c3640;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 14px/1.45 system-ui, sans-serif; }
header, main { max-width: 1200px; margin: 0 auto; padding: 0 20px; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 16px; padding-top: 18px; padding-bottom: 12px; }
h1 { font-size: 20px; margin: 0; letter-spacing: -0.01em; }
h2 { font-size: 13px; margin: 0 0 8px; color: var(--soft); font-weight: 600; }
h3 { font-size: 14px; margin: 0; }
p { margin: 0; }
.soft { color: var(--soft); }
.push { margin-left: auto; }
.figure { font-variant-numeric: tabular-nums; }
main { display: grid; grid-template: "charts charts" auto "machines side" auto "attempts side" 1fr / minmax(0, 1fr) 372px; gap: 14px; padding-bottom: 40px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; }
.charts { grid-area: charts; display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 14px; }
.machines-card { grid-area: machines; }
.attempts-card { grid-area: attempts; min-width: 0; align-self: start; }
#totals { font-size: 13px; }
.side { grid-area: side; display: grid; gap: 14px; align-content: start; min-width: 0; }
.badge { display: inline-block; border-radius: 999px; padding: 1px 9px; font-size: 12px; font-weight: 600; white-space: nowrap; background: var(--tint-quiet); color: var(--quiet); }
.badge.good { background: var(--tint-good); color: var(--good); }
.badge.warn { background: var(--tint-warn); color: var(--warn); }
.badge.bad { background: var(--tint-bad); color: var(--bad); }
.spark { display: flex; align-items: baseline; justify-content: space-between; gap: 8px; flex-wrap: wrap; }
.spark h2 { margin: 0; }
.spark b { font-size: 20px; font-weight: 600; }
.chart { display: block; margin-top: 6px; height: 44px; }
.chart svg { width: 100%; height: 100%; display: block; }
.chart polyline { fill: none; stroke: var(--accent); stroke-width: 1.5; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
.chart polygon { fill: var(--tint-accent); }
.chart.trouble polyline { stroke: var(--bad); }
.chart.trouble polygon { fill: var(--tint-bad); }
.machines { display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: 14px; }
.machine-head { display: flex; align-items: center; gap: 8px; margin-bottom: 8px; }
.machine-head button { margin-left: auto; }
.bar { height: 10px; border-radius: 5px; background: var(--tint-quiet); overflow: hidden; }
.bar > div { height: 100%; width: var(--filled, 0%); background: var(--accent); border-radius: 5px; transition: width 0.2s; }
.bar.full > div { background: var(--bad); }
.bar.thin { height: 4px; margin-top: 6px; }
.bar.thin > div { background: var(--warn); }
.line { display: flex; justify-content: space-between; gap: 12px; margin-top: 6px; }
form, .row { display: flex; flex-wrap: wrap; gap: 8px 10px; align-items: flex-end; }
label { display: grid; gap: 3px; font-size: 12px; color: var(--soft); }
label.grow { flex: 1 1 160px; min-width: 0; }
select, input, button { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 7px; padding: 5px 10px; min-height: 34px; max-width: 100%; width: 100%; }
input.small { width: 76px; }
button { width: auto; cursor: pointer; font-weight: 600; background: var(--tint-quiet); }
button.main { background: var(--accent); border-color: var(--accent); color: var(--card); }
button.little { min-height: 26px; padding: 1px 10px; font-size: 12px; }
button:hover { border-color: var(--accent); }
button:disabled { opacity: 0.5; cursor: default; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.about { margin-top: 8px; }
.about:empty { display: none; }
.message { min-height: 1.4em; padding: 0 16px; color: var(--soft); }
.message.bad { color: var(--bad); }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: 12px; }
th, td { padding: 5px 10px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child > td { border-bottom: 0; }
td.number, th.number { text-align: right; }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
td.cell-fault { font-family: ui-monospace, monospace; font-size: 12px; }
td.cell-request .soft { font-size: 12px; white-space: nowrap; }
td.cell-tokens, td.cell-first, td.cell-took, th.cell-tokens, th.cell-first, th.cell-took { text-align: right; white-space: nowrap; }
td.cell-time, td.cell-status { white-space: nowrap; }
td .soft { display: block; }
ul { list-style: none; margin: 10px 0 0; padding: 0; }
li { display: grid; grid-template-columns: minmax(0, 1fr) auto auto; gap: 0 10px; align-items: baseline; padding: 6px 0; border-top: 1px solid var(--line); font-size: 12px; }
li .soft { overflow-wrap: anywhere; }
li .about-rule { grid-column: 1 / -1; }
li .about-rule:empty { display: none; }
code { font-family: ui-monospace, monospace; font-size: 12px; overflow-wrap: anywhere; }
.hidden-text { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
@media (max-width: 960px) { main { grid-template: "charts" auto "machines" auto "side" auto "attempts" auto / minmax(0, 1fr); } }
@media (max-width: 700px) {
  header, main { padding-left: 12px; padding-right: 12px; }
  main, .charts, .side { gap: 10px; }
  section { padding: 12px; }
  .charts { grid-template-columns: minmax(0, 1fr); }
  .charts .chart { height: 28px; margin-top: 0; }
  #attempts tr { display: grid; grid-template-columns: minmax(0, 1fr) 84px 104px; gap: 2px 8px; padding: 8px 0; border-bottom: 1px solid var(--line); }
  #attempts td { border: 0; padding: 0; }
  #attempts-head { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  #attempts .cell-time { order: 1; color: var(--soft); }
  #attempts .cell-status { order: 2; }
  #attempts .cell-outcome { order: 3; text-align: right; }
  #attempts .cell-request { order: 4; }
  #attempts .cell-request .soft { display: none; }
  #attempts .cell-tokens { order: 5; color: var(--soft); text-align: left; }
  #attempts .cell-tokens::after { content: " tokens"; }
  #attempts .cell-took { order: 6; }
  #attempts .cell-fault { order: 7; grid-column: span 3; color: var(--soft); }
  #attempts .cell-fault.none, #attempts .cell-first { display: none; }
}
@media (prefers-reduced-motion: reduce) { .bar > div { transition: none; } }
`;
