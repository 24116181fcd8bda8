import { type ChatRequest, type Simulator, startSimulator } from "@breakwater/simulator";

/** What a text is about, as far as its words tell. The simulator knows no meaning, so this is said to it. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/money back|sent .* back/i, "refund"],
  [/card|invoice|payment|charged|price/i, "payment"],
  [/parcel|tracking|courier|delivery|arrived/i, "delivery"],
  [/password|sign in|email|account/i, "account"],
];

/** About one text in ninety gets a label that was not offered, until the model is told so. */
const UNSURE = /[1-9]00\b/;

export function simulatedAnswer({ messages }: Pick<ChatRequest, "messages">): string {
  const text = String(messages.find(({ role }) => role === "user")?.content);
  const corrected = messages.some(({ role }) => role === "assistant");
  const [, label] = WORDS.find(([words]) => words.test(text)) ?? [undefined, "product"];
  return JSON.stringify({ label: UNSURE.test(text) && !corrected ? "complaint" : label });
}

/** A DeepSeek on this computer, in the middle of an evening that is not its best. */
export function startSimulated(): Promise<Simulator> {
  return startSimulator({
    accounts: [{ concurrency: 20 }],
    text: { content: simulatedAnswer },
    faults: [
      { match: { window: { fromMs: 6_000, toMs: 9_000 }, probability: 0.6 }, action: "503" },
      { match: { nth: { every: 150 } }, action: "429_plain" },
    ],
  });
}
