import { checkMoment } from "./calendar.ts";
import { checkFields, checkNumber, refuse } from "./checks.ts";
import type { PeakHours, Price, PriceEntry, PriceTable } from "./prices.ts";

export function checkPrice(path: string, value: unknown): Price {
  const given = checkFields(path, value, ["cacheHit", "cacheMiss", "output"]);
  const read = (name: string): number => {
    const example = "0.6 (US dollars per million tokens)";
    const usd = checkNumber(`${path}.${name}`, given[name], { min: 0, max: 1_000_000, example });
    // Whole millionths keep every sum exact.
    const millionths = usd * 1_000_000;
    if (Math.abs(millionths - Math.round(millionths)) > 1e-6 * Math.max(1, millionths))
      refuse(`${path}.${name}`, usd, "a number with at most six decimals", example);
    return usd;
  };
  return { cacheHit: read("cacheHit"), cacheMiss: read("cacheMiss"), output: read("output") };
}

function checkEntries(path: string, value: unknown): readonly PriceEntry[] {
  const example = '[{ from: "2026-09-10", offPeak: { cacheHit: 0.003, cacheMiss: 0.15, output: 0.6 } }]';
  if (!Array.isArray(value) || value.length === 0)
    return refuse(path, value, "a list with one price or more", example);
  let before = -Infinity;
  return value.map((entry: unknown, index) => {
    const at = `${path}[${index}]`;
    const { from, offPeak, peak } = checkFields(at, entry, ["from", "offPeak", "peak"]);
    const begins = checkMoment(`${at}.from`, from);
    if (begins <= before) refuse(`${at}.from`, from, "a moment behind the one before it", '"2026-09-10"');
    before = begins;
    return {
      from: from as string,
      offPeak: checkPrice(`${at}.offPeak`, offPeak),
      ...(peak === undefined ? {} : { peak: checkPrice(`${at}.peak`, peak) }),
    };
  });
}

function checkPeak(path: string, value: unknown): PeakHours {
  const { hours, weekdays, except, decidedBy } = checkFields(path, value, [
    "hours",
    "weekdays",
    "except",
    "decidedBy",
  ]);
  if (!Array.isArray(hours)) return refuse(`${path}.hours`, hours, "a list of hours", "[[1, 4], [6, 10]]");
  for (const [index, pair] of hours.entries()) {
    const at = `${path}.hours[${index}]`;
    if (!Array.isArray(pair) || pair.length !== 2) refuse(at, pair, "a pair of hours, from and to", "[1, 4]");
    const [from, to] = pair as unknown[];
    const start = checkNumber(`${at}[0]`, from, { min: 0, max: 24, example: "1" });
    checkNumber(`${at}[1]`, to, { min: start, max: 24, example: "4" });
  }
  if (!Array.isArray(weekdays))
    return refuse(`${path}.weekdays`, weekdays, "a list of weekdays, 0 for Sunday", "[1, 2, 3, 4, 5]");
  for (const [index, day] of weekdays.entries())
    checkNumber(`${path}.weekdays[${index}]`, day, { min: 0, max: 6, integer: true, example: "1" });
  if (!Array.isArray(except)) return refuse(`${path}.except`, except, "a list of days", '["2026-10-01"]');
  for (const [index, day] of except.entries()) checkMoment(`${path}.except[${index}]`, day);
  if (decidedBy !== "arrival" && decidedBy !== "completion")
    return refuse(`${path}.decidedBy`, decidedBy, '"arrival" or "completion"', '"completion"');
  return { hours: hours as [number, number][], weekdays, except, decidedBy };
}

/** Checks the prices, and that every model that is served has one. */
export function checkPrices(value: unknown, models: readonly { id: string; price?: Price }[]): PriceTable {
  const given = checkFields("prices", value, ["models", "peak"]);
  const entries = checkFields("prices.models", given["models"], Object.keys(given["models"] ?? {}));
  const table: PriceTable = {
    models: Object.fromEntries(
      Object.entries(entries).map(([id, prices]) => [id, checkEntries(`prices.models.${id}`, prices)]),
    ),
    peak: checkPeak("prices.peak", given["peak"]),
  };
  for (const { id, price } of models) {
    if (price === undefined && !Object.hasOwn(table.models, id))
      refuse(`prices.models.${id}`, undefined, "a price for every model", "price: { … } in the model");
  }
  return table;
}
