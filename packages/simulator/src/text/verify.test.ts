import { describe, expect, test } from "vitest";

import type { ChatRequest } from "../request/types.ts";
import { expectedText } from "./answer.ts";
import { verifyText } from "./verify.ts";
import { words } from "./words.ts";

const request: ChatRequest = {
  model: "deepseek-flash",
  messages: [{ role: "user", content: "Why is the sky blue?" }],
};
const options = { seed: 7, tokens: "reasoning=20,content=40" };
const { content, reasoning } = expectedText(request, options);
const tokens = content.split(" ");

const judge = (text: string): string => verifyText(request, text, options);

test("a seed and a question have one answer for good: recorded evenings are compared with it", () => {
  const question: ChatRequest = {
    model: "deepseek-flash",
    messages: [{ role: "user", content: "Hello" }],
    metadata: { sim: "reasoning=4,content=6" },
  };
  expect(expectedText(question, { seed: 7 })).toMatchObject({
    reasoning: "base eye mark half",
    content: "metal card camp bold joy fifth",
  });
  expect(expectedText({ ...question, metadata: null })).toMatchObject({
    reasoningTokens: 206,
    contentTokens: 185,
  });
});

test("the vocabulary has 256 different words", () => {
  expect(new Set(words).size).toBe(256);
});

test("the whole text is complete", () => {
  expect(tokens).toHaveLength(40);
  expect(judge(content)).toBe("complete");
  expect(verifyText(request, { content, reasoning }, options)).toBe("complete");
});

test("every cut, down to nothing, is a prefix", () => {
  for (let kept = 0; kept < tokens.length; kept++)
    expect(judge(tokens.slice(0, kept).join(" "))).toBe("prefix");
  expect(verifyText(request, { content, reasoning: reasoning.slice(0, 10) }, options)).toBe("prefix");
});

describe("wrong", () => {
  test("a token is lost", () => {
    for (let i = 0; i < tokens.length - 1; i++) expect(judge(tokens.toSpliced(i, 1).join(" "))).toBe("wrong");
  });

  test("a token came twice", () => {
    for (let i = 0; i < tokens.length; i++)
      expect(judge(tokens.toSpliced(i, 0, tokens[i] as string).join(" "))).toBe("wrong");
  });

  test("two neighbours are swapped", () => {
    for (let i = 0; i + 1 < tokens.length; i++) {
      const swapped = tokens.toSpliced(i, 2, tokens[i + 1] as string, tokens[i] as string).join(" ");
      if (swapped !== content) expect(judge(swapped)).toBe("wrong");
    }
  });

  test("it is somebody else's answer, or has something behind its end", () => {
    const other = expectedText(
      { ...request, messages: [{ role: "user", content: "Why is grass green?" }] },
      options,
    );
    expect(judge(other.content)).toBe("wrong");
    expect(judge(`${content} and`)).toBe("wrong");
  });
});

describe("what the text depends on", () => {
  test("seed and messages, not the model, the stream flag or the user", () => {
    const same: ChatRequest = { ...request, model: "deepseek-v4-pro", stream: true, user_id: "anna" };
    expect(expectedText(same, options).content).toBe(content);
    expect(expectedText(request, { ...options, seed: 8 }).content).not.toBe(content);
  });

  test("max_tokens cuts reasoning first, and says so", () => {
    const cut = expectedText({ ...request, max_tokens: 30 }, options);
    expect(cut).toMatchObject({ reasoningTokens: 20, contentTokens: 10, finishReason: "length" });
    expect(content.startsWith(cut.content)).toBe(true);
    const spent = expectedText({ ...request, max_tokens: 15 }, options);
    expect(spent).toMatchObject({
      reasoningTokens: 15,
      contentTokens: 0,
      content: "",
      finishReason: "length",
    });
  });

  test("without thinking there is no reasoning", () => {
    expect(expectedText({ ...request, thinking: { type: "disabled" } }, options).reasoning).toBe("");
  });

  test("lengths that nobody gives are drawn around the medians", () => {
    const lengths = Array.from({ length: 801 }, (_, index) =>
      expectedText({ ...request, messages: [{ role: "user", content: `Question ${index}` }] }, { seed: 1 }),
    );
    const median = (values: number[]): number => values.toSorted((a, b) => a - b)[400] as number;
    expect(Math.abs(median(lengths.map((text) => text.contentTokens)) - 180)).toBeLessThan(20);
    expect(Math.abs(median(lengths.map((text) => text.reasoningTokens)) - 220)).toBeLessThan(25);
  });
});
