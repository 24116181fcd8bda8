import { describe, expect, it } from "vitest";

import type { Agreed, Agreement, Terms } from "./agreement.ts";
import { createAgreement, type OwnedAgreement } from "./create-agreement.ts";
import { permitTerms } from "./terms.ts";

/** Processes that hear of one another when they beat. */
function createFleet() {
  const processes = new Map<string, OwnedAgreement>();
  const said = new Map<string, readonly string[]>();
  let up = true;
  let beats = 0;

  function beat(name: string): Promise<void> {
    beats++;
    const process = processes.get(name) as OwnedAgreement;
    const mine = process.declared();
    // What it says is on its way.
    return Promise.resolve().then(() => {
      if (!up) throw new Error("Redis is away");
      said.set(name, mine);
      const others = [...said.values()].flat().filter((text) => !mine.includes(text));
      process.heard([...new Set(others)]);
    });
  }

  return {
    join(name: string): Agreement {
      const owned = createAgreement({
        up: () => up,
        declare: () => beat(name),
        idOf: (kind, policy) => `${kind}:${policy}`,
      });
      processes.set(name, owned);
      return owned.agreement;
    },
    beat,
    leave(name: string) {
      processes.delete(name);
      said.delete(name);
    },
    say: (name: string, texts: readonly string[]) => void said.set(name, texts),
    goAway: () => void (up = false),
    comeBack: () => void (up = true),
    get beats() {
      return beats;
    },
  };
}

/** What it says at once: it was asked before. */
function now<C>(agreed: Agreed<C> | Promise<Agreed<C>>): Agreed<C> {
  if (agreed instanceof Promise) throw new Error("had to be waited for");
  return agreed;
}

describe("an agreement", () => {
  it("is one's own numbers as long as everybody has the same", async () => {
    const fleet = createFleet();
    const [a, b] = [fleet.join("a"), fleet.join("b")];
    expect(await a.on(permitTerms, "p", 5, 0)).toEqual({ config: 5 });
    expect(await b.on(permitTerms, "p", 5, 0)).toEqual({ config: 5 });
    await fleet.beat("a");
    expect(now(a.on(permitTerms, "p", 5, 0))).toEqual({ config: 5 });
  });

  it("is the lowest, from the first decision on, and each process is told once", async () => {
    const fleet = createFleet();
    const [a, b] = [fleet.join("a"), fleet.join("b")];
    await a.on(permitTerms, "p", 5, 0);
    expect(await b.on(permitTerms, "p", 8, 0)).toEqual({
      config: 5,
      mismatch: { ours: { limit: 8 }, holds: { limit: 5 } },
    });
    expect(now(b.on(permitTerms, "p", 8, 0))).toEqual({ config: 5 });
    // The lower one hears it at its next beat; nothing changes for it but that it knows.
    expect(now(a.on(permitTerms, "p", 5, 0))).toEqual({ config: 5 });
    await fleet.beat("a");
    expect(now(a.on(permitTerms, "p", 5, 0)).mismatch).toEqual({ ours: { limit: 5 }, holds: { limit: 5 } });
    await fleet.beat("a");
    await fleet.beat("b");
    expect(now(a.on(permitTerms, "p", 5, 0))).toEqual({ config: 5 });
    expect(now(b.on(permitTerms, "p", 8, 0))).toEqual({ config: 5 });
  });

  it("follows an update, at once where it was made", async () => {
    const fleet = createFleet();
    const [a, b] = [fleet.join("a"), fleet.join("b")];
    await a.on(permitTerms, "p", 5, 0);
    await b.on(permitTerms, "p", 5, 0);
    expect(now(b.on(permitTerms, "p", 20, 1))).toEqual({ config: 20 });
    await fleet.beat("a");
    expect(now(a.on(permitTerms, "p", 5, 0))).toEqual({
      config: 20,
      mismatch: { ours: { limit: 5 }, holds: { limit: 20 } },
    });
    // The same update there as well: everybody says the same again.
    expect(now(a.on(permitTerms, "p", 20, 1))).toEqual({ config: 20 });
    // Of two updates, the lower.
    expect(now(a.on(permitTerms, "p", 30, 2)).config).toBe(30);
    expect(now(b.on(permitTerms, "p", 25, 2)).config).toBe(25);
    await fleet.beat("b");
    await fleet.beat("a");
    expect(now(a.on(permitTerms, "p", 30, 2))).toEqual({
      config: 25,
      mismatch: { ours: { limit: 30 }, holds: { limit: 25 } },
    });
  });

  it("ends when those who differ are gone", async () => {
    const fleet = createFleet();
    const [a, b] = [fleet.join("a"), fleet.join("b")];
    await a.on(permitTerms, "p", 5, 0);
    expect((await b.on(permitTerms, "p", 8, 0)).config).toBe(5);
    fleet.leave("a");
    await fleet.beat("b");
    expect(now(b.on(permitTerms, "p", 8, 0))).toEqual({ config: 8 });
  });

  it("tells again after each change", async () => {
    const fleet = createFleet();
    const [a, b] = [fleet.join("a"), fleet.join("b")];
    await a.on(permitTerms, "p", 8, 0);
    for (const limit of [5, 4, 3]) {
      fleet.say("b", [`["permit:p",0,${limit}]`]);
      await fleet.beat("a");
      await fleet.beat("a");
      expect(now(a.on(permitTerms, "p", 8, 0)).mismatch?.holds).toEqual({ limit });
      expect(now(a.on(permitTerms, "p", 8, 0))).toEqual({ config: limit });
    }
    await b.on(permitTerms, "another", 1, 0);
  });

  it("compares what is the same in another order, and keeps names and kinds apart", async () => {
    const fleet = createFleet();
    const [a, b] = [fleet.join("a"), fleet.join("b")];
    const terms: Terms<{ x: number; y?: { z: number; w: number } }> = {
      kind: "rate-limit",
      fits: (config): config is { x: number } => typeof config === "object",
      lower: (one, two) => (one.x < two.x ? one : two),
      show: (config) => config,
    };
    await a.on(terms, "p", { x: 1, y: { z: 2, w: 3 } }, 0);
    expect(await b.on(terms, "p", { y: { w: 3, z: 2 }, x: 1 }, 0)).toEqual({
      config: { x: 1, y: { z: 2, w: 3 } },
    });
    expect(await b.on(terms, "q", { x: 9 }, 0)).toEqual({ config: { x: 9 } });
    expect(await b.on(permitTerms, "p", 7, 0)).toEqual({ config: 7 });
  });

  it("holds within one process as well", async () => {
    const fleet = createFleet();
    const a = fleet.join("a");
    expect(await a.on(permitTerms, "p", 5, 0)).toEqual({ config: 5 });
    expect(now(a.on(permitTerms, "p", 8, 0))).toEqual({
      config: 5,
      mismatch: { ours: { limit: 8 }, holds: { limit: 5 } },
    });
    expect(now(a.on(permitTerms, "p", 5, 0)).mismatch).toEqual({ ours: { limit: 5 }, holds: { limit: 5 } });
    for (let i = 0; i < 3; i++) {
      expect(now(a.on(permitTerms, "p", 8, 0))).toEqual({ config: 5 });
      expect(now(a.on(permitTerms, "p", 5, 0))).toEqual({ config: 5 });
    }
  });

  it("is waited for the first time only, by all who come meanwhile, and also while a beat is on its way", async () => {
    const fleet = createFleet();
    const [a, b] = [fleet.join("a"), fleet.join("b")];
    await a.on(permitTerms, "p", 5, 0);
    await a.on(permitTerms, "q", 5, 0);
    const hello = fleet.beat("b");
    const before = fleet.beats;
    const all = await Promise.all([b.on(permitTerms, "p", 8, 0), b.on(permitTerms, "p", 8, 0), hello]);
    expect(all.slice(0, 2).map((agreed) => (agreed as Agreed<number>).config)).toEqual([5, 5]);
    expect(
      all.slice(0, 2).filter((agreed) => (agreed as Agreed<number>).mismatch !== undefined),
    ).toHaveLength(1);
    expect(fleet.beats - before).toBe(1);
    expect(now(b.on(permitTerms, "p", 8, 0)).config).toBe(5);
  });

  it("is one's own numbers while Redis is away, at once, and what was known once it was", async () => {
    const fleet = createFleet();
    const [a, b] = [fleet.join("a"), fleet.join("b")];
    await a.on(permitTerms, "p", 5, 0);
    fleet.goAway();
    expect(now(b.on(permitTerms, "p", 8, 0))).toEqual({ config: 8 });
    expect(now(a.on(permitTerms, "p", 5, 0))).toEqual({ config: 5 });
    fleet.comeBack();
    await fleet.beat("b");
    expect(now(b.on(permitTerms, "p", 8, 0)).config).toBe(5);
    fleet.goAway();
    await expect(fleet.beat("b")).rejects.toThrow("away");
    expect(now(b.on(permitTerms, "p", 8, 0)).config).toBe(5);
  });

  it("never rejects when Redis goes away while it is asked", async () => {
    const fleet = createFleet();
    const a = fleet.join("a");
    const asked = a.on(permitTerms, "p", 5, 0);
    fleet.goAway();
    expect(await asked).toEqual({ config: 5 });
  });

  it("does not compare numbers that are said anew for each call", () => {
    const fleet = createFleet();
    const a = fleet.join("a");
    for (const limit of [5, 8])
      expect(now(a.on(permitTerms, "p", limit, undefined))).toEqual({ config: limit });
    expect(fleet.beats).toBe(0);
  });

  it("is bounded: by names, and by the numbers of a name", async () => {
    const fleet = createFleet();
    const owned = createAgreement({
      up: () => false,
      declare: () => Promise.resolve(),
      idOf: (kind, policy) => `${kind}:${policy}`,
    });
    for (let i = 0; i < 1_000; i++) now(owned.agreement.on(permitTerms, `p${i}`, 5, 0));
    for (let i = 0; i < 100; i++) now(owned.agreement.on(permitTerms, "p0", 5 + i, i));
    expect(owned.declared()).toHaveLength(255 + 8);
    expect(now(owned.agreement.on(permitTerms, "p0", 104, 99))).toEqual({ config: 104 });
    expect(now(owned.agreement.on(permitTerms, "p999", 7, 0))).toEqual({ config: 7 });
    expect(fleet.beats).toBe(0);
  });

  it("does not mind what others say that it does not understand", async () => {
    const fleet = createFleet();
    const a = fleet.join("a");
    fleet.say("b", [
      "",
      "{}",
      "no JSON",
      '["permit:p"]',
      '["permit:p",0,"7"]',
      '["permit:other",0,1]',
      '["permit:p",0,3]',
    ]);
    expect((await a.on(permitTerms, "p", 5, 0)).config).toBe(3);
  });
});
