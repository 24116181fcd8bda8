import type { Strikes } from "./host.ts";
import { type Row, rows } from "./row.ts";
import { type How, see } from "./see.ts";
import type { Seen } from "./seen.ts";

/** What was seen of one fault, struck once or always, streamed or whole, by each kind of client. */
export interface Case {
  readonly row: Row;
  readonly strikes: Strikes;
  readonly stream: boolean;
  readonly how: How;
  readonly seen: Seen;
}

/** Tries everything there is, all at the same time. */
export async function seeAll(): Promise<readonly Case[]> {
  const asked = rows.flatMap((row) =>
    (["once", "always"] as const).flatMap((strikes) =>
      [true, false].flatMap((stream) =>
        (["alone", "through", "as-stream"] as const)
          .filter((how) => !(how === "as-stream" && stream))
          .map(async (how) => ({ row, strikes, stream, how, seen: await see(row, stream, strikes, how) })),
      ),
    ),
  );
  return Promise.all(asked);
}
