import { createHash } from "node:crypto";

import type { Script } from "./link.ts";

export type { Script };

/** @param name for messages alone; Redis knows a script by its text */
export function script(
  name: string,
  lua: string,
  { vital = false }: { readonly vital?: boolean } = {},
): Script {
  return { name, lua, sha: createHash("sha1").update(lua).digest("hex"), vital };
}
