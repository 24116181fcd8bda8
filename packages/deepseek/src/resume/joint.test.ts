import { seeded } from "@breakwater/testing";
import { describe, expect, test } from "vitest";

import { halfAtEnd } from "./continuation.ts";
import { createJoint } from "./joint.ts";
import { stopsOf, straddling } from "./stop-guard.ts";

/** What a reader gets of a continuation that comes in these pieces. */
function passed(delivered: string, pieces: readonly string[], stops: readonly string[] = []): string {
  const joint = createJoint(delivered, stops);
  let text = "";
  for (const piece of pieces) {
    const step = joint.push(piece);
    text += step.text;
    if (step.stopped) return `${text}|`;
  }
  const last = joint.end();
  return text + last.text + (last.stopped ? "|" : "");
}

function piecesOf(text: string, random: () => number): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length;) {
    const length = 1 + Math.floor(random() * 6);
    pieces.push(text.slice(at, at + length));
    at += length;
  }
  return pieces;
}

describe("a joint", () => {
  test("passes new text on whole, wherever the answer broke and however it comes", () => {
    for (let seed = 0; seed < 300; seed++) {
      const random = seeded(seed);
      const letters = ["x", "y", "z", ",", ".", " ", "海", "🌊"];
      const whole = Array.from({ length: 80 }, () => letters[Math.floor(random() * letters.length)]).join("");
      const cut = 1 + Math.floor(random() * 78);
      const rest = whole.slice(cut);
      // By chance it may repeat what was delivered, and then nobody could tell.
      if (whole.slice(0, cut).endsWith(rest.slice(0, 8))) continue;
      // In the middle of a character the host begins with its first half again, which it was not sent.
      const again = halfAtEnd(whole.slice(0, cut));
      expect(passed(whole.slice(0, cut), piecesOf(again + rest, random))).toBe(rest);
    }
  });

  test("drops an echo", () => {
    const random = seeded(1);
    const delivered = "Rain takes salt from the rocks";
    const rest = `${delivered.slice(-12)} into the sea`;
    for (let i = 0; i < 50; i++) expect(passed(delivered, piecesOf(rest, random))).toBe(" into the sea");
    expect(passed(delivered, [delivered.slice(-12)])).toBe("");
  });

  test("goes on in the middle of a character, whose first half was delivered and not sent", () => {
    const [high, low] = ["🌊".slice(0, 1), "🌊".slice(1)];
    expect(passed(`the sea ${high}`, ["🌊", " is"])).toBe(`${low} is`);
    expect(passed(`the sea ${high}`, [high, low])).toBe(low);
    expect(passed(`the blue sea ${high}`, ["the blue sea ", "🌊"])).toBe(low);
    expect(passed(`the sea ${high}`, ["is"])).toBe("is");
  });

  test("ends the answer where its host would have, at any cut through a stop string", () => {
    const answer = "one two END three";
    for (let cut = 9; cut <= 10; cut++) {
      for (let seed = 0; seed < 20; seed++) {
        const pieces = piecesOf(answer.slice(cut), seeded(seed));
        expect(passed(answer.slice(0, cut), pieces, ["###", "END"])).toBe("|");
      }
    }
  });

  test("keeps what only looked like a stop string", () => {
    expect(passed("salt EN", ["D", "LESS"], ["ENDS"])).toBe("DLESS");
    expect(passed("salt EN", ["D"], ["ENDS"])).toBe("D");
    expect(passed("salt", [" EN", "D"], ["ENDS"])).toBe(" END");
  });
});

test("a stop string of one character cannot straddle", () => {
  expect(straddling("a.", "b", ["."])).toBe("clear");
});

test("stop strings come in three forms", () => {
  expect([stopsOf("a"), stopsOf(["a", "", "b"]), stopsOf(null), stopsOf(undefined)]).toEqual([
    ["a"],
    ["a", "b"],
    [],
    [],
  ]);
});
