import type { ChatAnswer, ChatRequest } from "@breakwater/deepseek";

/** What customers write about. */
export const LABELS = ["delivery", "payment", "refund", "product", "account"] as const;
export type Label = (typeof LABELS)[number];

const known: ReadonlySet<string> = new Set(LABELS);

// The same words in front of every text, so that DeepSeek's context cache knows them; and "JSON", which its JSON mode asks for.
const TASK =
  `You sort what customers write to a shop. Answer with JSON, { "label": "…" }, and nothing else. ` +
  `The label is one of: ${LABELS.join(", ")}. If several fit, it is the one that the customer wants something done about.`;

export function questionOf(text: string): ChatRequest {
  return {
    messages: [
      { role: "system", content: TASK },
      { role: "user", content: text },
    ],
    response_format: { type: "json_object" },
    thinking: { type: "disabled" },
    temperature: 0,
    max_tokens: 40, // a label needs ten; JSON mode may lose itself in white space
  };
}

/** What the model said, as it said it. */
export function contentOf(answer: ChatAnswer): string {
  return "choices" in answer ? (answer.choices[0]?.message.content ?? "") : "";
}

/** The label in an answer; undefined if there is none, or one that was not offered. */
export function labelIn(answer: ChatAnswer): Label | undefined {
  try {
    const said: unknown = JSON.parse(contentOf(answer));
    const { label } = (typeof said === "object" && said !== null ? said : {}) as { readonly label?: unknown };
    return typeof label === "string" && known.has(label) ? (label as Label) : undefined;
  } catch {
    return undefined;
  }
}

/** The same question, after an answer that was none. */
export function correctionOf(request: ChatRequest, answer: ChatAnswer): ChatRequest {
  return {
    ...request,
    messages: [
      ...request.messages,
      { role: "assistant", content: contentOf(answer) },
      { role: "user", content: `That is not JSON with one of these labels: ${LABELS.join(", ")}.` },
    ],
  };
}
