import type { Change } from "./state.ts";
import { fields, textOf } from "./unknown.ts";

export interface ChangeRequest {
  readonly client: string;
  /** Its name, or its position where names are alike. */
  readonly policy: string | number;
  readonly change: Change;
  readonly scope: "this" | "all";
}

/** Asks for a change. @returns what is to be said of it, and whether it was made. */
export async function postChange(
  request: ChangeRequest,
): Promise<{ readonly done: boolean; readonly text: string }> {
  try {
    const response = await fetch("change", {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(request),
    });
    const answer = fields(await response.json().catch(() => undefined));
    if (response.ok) return { done: true, text: textOf(answer["instance"]) ?? "this instance" };
    const why =
      textOf(answer["detail"]) ?? textOf(answer["title"]) ?? `The server answers ${response.status}.`;
    return { done: false, text: why };
  } catch {
    return {
      done: false,
      text: "No answer came. It may have been done all the same: look at the policy before you try again.",
    };
  }
}
