import { expect, test } from "vitest";

import { BUCKETS, type Instrument, INSTRUMENTS } from "../src/index.ts";

const KINDS: readonly (readonly [Instrument["type"], string])[] = [
  ["counter", "Counters"],
  ["histogram", "Histograms"],
  ["gauge", "Gauges"],
];

function row({ buckets, help, labels, otel, perTenant, prometheus }: Instrument): readonly string[] {
  const shown = [...labels, ...(perTenant === true ? ["tenant"] : [])].map((label) =>
    label === "tenant" ? "_tenant_" : label,
  );
  const bounds = buckets === undefined ? "" : ` Bounds: \`${buckets}\`.`;
  return [`\`breakwater_${prometheus}\``, `\`${otel}\``, shown.join(", "), `${help}${bounds}`];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) =>
    Math.max(title.length, ...rows.map((cells) => (cells[i] as string).length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] as number)).join(" | ")} |`;
  return [line(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...rows.map(line)].join(
    "\n",
  );
}

const page = `# Metrics

All that [@breakwater/telemetry](../packages/telemetry/README.md) tells Prometheus and OpenTelemetry. This page is written from
\`INSTRUMENTS\`, and a test compares it: \`pnpm exec vitest run test/metrics-page.test.ts -u\` in \`packages/telemetry\` writes it anew.

- \`breakwater_\` is the default of \`prefix\`. In OpenTelemetry a label \`policy\` is the attribute \`breakwater.policy\`; one that is
  empty is left out. _tenant_ is there only with \`tenants\`.
- Each label has a bound for its values; what comes later is \`other\`. An instrument has at most 2000 series, and then a few more,
  which are \`other\` in all labels whose values are not ours.
- What clients of one name count is added up, and what they show as well: but for the least that is left of a rate limit, and
  the fullest key. A policy that stands in two of them is shown once.
${KINDS.map(
  ([type, title]) => `
## ${title}

${table(
  ["Prometheus", "OpenTelemetry", "told apart by", "what it tells"],
  INSTRUMENTS.filter((instrument) => instrument.type === type).map(row),
)}
`,
).join("")}
## Bounds

Upper bounds of histograms, in seconds; \`buckets\` changes them.

${table(
  ["name", "bounds"],
  Object.entries(BUCKETS).map(([name, bounds]) => [`\`${name}\``, bounds.join(", ")]),
)}

## GenAI conventions

OpenTelemetry only, for what is sent to models, with attributes, units and bounds of the
[semantic conventions for GenAI](https://github.com/open-telemetry/semantic-conventions-genai), which are in development.

${table(
  ["metric", "what it tells"],
  [
    [
      "`gen_ai.client.operation.duration`",
      "A call that sent something to a model, all of its attempts together.",
    ],
    [
      "`gen_ai.client.operation.time_to_first_chunk`",
      "Of one that was streamed, to its first token, our own waits included.",
    ],
    ["`gen_ai.client.token.usage`", "Tokens of each request that left, `input` and `output`."],
  ],
)}
`;

test("the page of metrics says what the table of instruments says", async () => {
  await expect(page).toMatchFileSnapshot("../../../docs/metrics.md");
});
