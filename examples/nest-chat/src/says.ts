import type { ChatRequest } from "@breakwater/simulator";

const KNOWN = [
  {
    about: /breakwater|wave|harbour/i,
    title: "What breakwaters are for",
    answer:
      "A breakwater does not calm the sea. It takes the force out of the waves before they reach the harbour, so that boats inside can load, unload and sail on a day when the water outside would not let them.\n\nIt is built of rough stone on purpose: a smooth wall would throw the wave back, and the next one would stand higher.",
  },
  {
    about: /ship|boat|float/i,
    title: "Why ships float",
    answer:
      "Ships float because they push aside water that weighs as much as they do. Steel is heavy, but a hull is mostly air, so the whole is lighter than the water in whose place it lies.\n\nLoad it, and it sinks a little deeper, until the balance is right again. The line painted on its side says how deep is still safe.",
  },
  {
    about: /tide|moon|sea/i,
    title: "Tides and the moon",
    answer:
      "Tides are the sea following the moon. The moon pulls a little more at the near side of the earth than at the far side, and the water gives way to the difference.\n\nThe sun does the same with half the strength. When both pull along one line the tide is high; when they pull crosswise it is low.",
  },
] as const;

const OTHER = {
  title: "Chat",
  answer:
    "I am a simulated DeepSeek, and know three things only: what breakwaters are good for, why ships float, and what makes the tides.\n\nWith DEEPSEEK_API_KEY set, the real one answers.",
} as const;

/** What the simulated DeepSeek answers, and the titles that it gives. */
export function says({ messages }: ChatRequest): string {
  const question = String(messages.at(-1)?.content ?? "");
  const { title, answer } = KNOWN.find(({ about }) => about.test(question)) ?? OTHER;
  return messages[0]?.role === "system" ? title : answer;
}
