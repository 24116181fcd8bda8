import type { ChatAnswer } from "@breakwater/deepseek";
import { expect, test } from "vitest";

import { contentOf, correctionOf, labelIn, LABELS, questionOf } from "./question.ts";

const answer = (content: string | null): ChatAnswer => ({
  id: "1",
  object: "chat.completion",
  created: 0,
  model: "deepseek-flash",
  choices: [
    {
      index: 0,
      message: { role: "assistant", content, refusal: null },
      logprobs: null,
      finish_reason: "stop",
    },
  ],
});

test.each(LABELS)("%s is a label", (label) => {
  expect(labelIn(answer(JSON.stringify({ label })))).toBe(label);
});

test.each([
  null,
  "",
  "delivery",
  '"delivery"',
  "null",
  "[]",
  "{}",
  '{ "label": null }',
  '{ "label": ["delivery"] }',
  '{ "label": "Delivery" }',
  '{ "label": "toString" }',
  '{ "label": "delivery"',
])("%j is none", (content) => {
  expect(labelIn(answer(content))).toBeUndefined();
});

test("an answer without choices is none", () => {
  const nothing = { ...answer(""), choices: [] };
  expect(contentOf(nothing)).toBe("");
  expect(labelIn(nothing)).toBeUndefined();
});

test("every question begins with the same words, which say JSON", () => {
  const [one, other] = [questionOf("one"), questionOf("other")];
  expect(one.messages[0]).toEqual(other.messages[0]);
  expect(one.messages[0]?.content).toMatch(/JSON/);
});

test("a correction says what was asked, what was answered, and what is wrong with it", () => {
  const { messages, ...others } = correctionOf(questionOf("Where is it?"), answer("no idea"));
  const { messages: before, ...same } = questionOf("Where is it?");
  expect(others).toEqual(same);
  expect(messages.slice(0, 2)).toEqual(before);
  expect(messages.slice(2).map(({ role }) => role)).toEqual(["assistant", "user"]);
  expect(messages[2]?.content).toBe("no idea");
});
