/**
 * Whether one of the stop strings begins in what was delivered and ends in its continuation: the host looks for them in
 * what it writes now, and sees only their second half. `open` while more of the continuation could complete one.
 */
export function straddling(
  delivered: string,
  continuation: string,
  stops: readonly string[],
): "stop" | "open" | "clear" {
  let open = false;
  for (const stop of stops) {
    const tail = delivered.slice(Math.max(0, delivered.length - stop.length + 1));
    const text = tail + continuation;
    for (let from = 0; from < tail.length; from++) {
      const seen = text.slice(from, from + stop.length);
      if (seen === stop) return "stop";
      if (seen.length < stop.length && stop.startsWith(seen)) open = true;
    }
  }
  return open ? "open" : "clear";
}

/** The stop strings of a request, in whichever form it has them. */
export function stopsOf(stop: string | readonly string[] | null | undefined): readonly string[] {
  const stops = typeof stop === "string" ? [stop] : (stop ?? []);
  return stops.filter((each) => each !== "");
}
