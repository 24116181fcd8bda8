import { useCluster } from "@breakwater-internal/redis-server/vitest";
import { describe, expect, onTestFinished, test } from "vitest";

import { createScope, type Scope } from "../keys.ts";
import type { RedisLink } from "./create-link.ts";
import { COUNT, ECHO, eventually, failure, LIBRARIES, LONG_MS, open, turned } from "./lab.test-help.ts";
import type { RedisLibrary } from "./redis-client.ts";
import { script } from "./scripts.ts";

const cluster = useCluster();
let scopes = 0;

const slotOf = async (key: string): Promise<number> =>
  Number(await cluster.nodes[0]?.cli("CLUSTER", "KEYSLOT", key));

/** A new scope whose keys live on this node. */
async function scopeOn(node: number): Promise<Scope> {
  for (;;) {
    const scope = createScope(`cluster-${process.pid}-${scopes++}`);
    if (Math.floor(((await slotOf(scope.key("k"))) * 3) / 16_384) === node) return scope;
  }
}

/** The links of three scopes, one on each node, over one client that was told of one node. */
async function links(
  library: RedisLibrary,
  decisionTimeout = LONG_MS,
): Promise<{ readonly scope: Scope; readonly link: RedisLink; readonly key: string }[]> {
  const at = await Promise.all([0, 1, 2].map(scopeOn));
  const urls = cluster.nodes.slice(0, 1).map(({ url }) => url);
  const { link } = open(library, { cluster: urls, scope: String(at[0]?.name), decisionTimeout });
  const all = at.map((scope, i) => ({ scope, key: scope.key("k"), link: i === 0 ? link : link.of(scope) }));
  await Promise.all(all.map((each) => turned(each.link, true)));
  return all;
}

/** Only slots whose node is gone are away; else two seconds without one node end the whole cluster. */
async function withoutFullCoverage(): Promise<void> {
  await Promise.all(
    cluster.nodes.map((node) => node.cli("CONFIG", "SET", "cluster-require-full-coverage", "no")),
  );
}

describe.each(LIBRARIES)("over %s", (_, library) => {
  test("each scope lives on one node, as a whole", async () => {
    const two = script("two", "return redis.call('INCR', KEYS[1]) + redis.call('INCR', KEYS[2])");
    for (const [i, { link, scope, key }] of (await links(library)).entries()) {
      expect(await link.run(COUNT, [key], [1])).toBe(1);
      expect(await link.run(two, [scope.key("a", "{x}"), scope.key("b", "{y}", "z")], [])).toBe(2);
      expect(await cluster.nodes[i]?.cli("EXISTS", key)).toBe(1);
      await cluster.nodes[i]?.cli("SCRIPT", "FLUSH");
      expect(await link.run(COUNT, [key], [1])).toBe(2);
    }
  });

  test("a client that was given is used for keys and channels, and left open", async () => {
    const client = new library.Cluster(
      cluster.nodes.map(({ port }) => ({ host: "127.0.0.1", port })),
      { lazyConnect: true, enableOfflineQueue: false, retryDelayOnFailover: 0 },
    );
    onTestFinished(() => client.disconnect());
    const { link, key, scope } = open(library, { client, decisionTimeout: LONG_MS });
    await turned(link, true);
    expect(await link.run(COUNT, [key], [1])).toBe(1);
    const channel = createScope(scope).channel("c");
    const heard: string[] = [];
    await new Promise<void>(
      (resolve) => void link.subscribe(channel, (message) => heard.push(message), resolve),
    );
    await cluster.nodes[2]?.cli("PUBLISH", channel, "x");
    await eventually(() => heard.length === 1);
    await link.close();
    expect(await client.call("GET", key)).toBe("1");
  });

  test("a frozen node is down for its scopes alone", async () => {
    const [first, second, third] = await links(library, 100);
    if (first === undefined || second === undefined || third === undefined)
      throw new Error("there are three");
    const node = cluster.nodes[1];
    node?.freeze();
    onTestFinished(() => node?.thaw());
    const errors = await Promise.all([1, 2, 3].map(() => failure(second.link.run(COUNT, [second.key], [1]))));
    expect(errors.map(({ unknown }) => unknown)).toEqual([true, true, true]);
    expect([first, second, third].map(({ link }) => link.up)).toEqual([true, false, true]);
    for (const { link, key } of [first, third]) expect(await link.run(COUNT, [key], [1], LONG_MS)).toBe(1);
    node?.thaw();
    await turned(second.link, true);
    expect(await second.link.run(COUNT, [second.key], [0], LONG_MS)).toBe(3);
  });

  test("a node that dies is down for its scopes alone, and used again when it is back", async () => {
    await withoutFullCoverage();
    const all = await links(library, 500);
    const third = all[2];
    const node = cluster.nodes[2];
    if (third === undefined || node === undefined) throw new Error("there are three");
    for (const { link, key } of all) await link.run(COUNT, [key], [1]);
    await node.kill();
    for (let i = 0; i < 3; i++) await failure(third.link.run(COUNT, [third.key], [1]));
    expect(all.map(({ link }) => link.up)).toEqual([true, true, false]);
    for (const { link, key } of all.slice(0, 2)) expect(await link.run(COUNT, [key], [1])).toBe(2);
    await node.restart();
    await turned(third.link, true);
    expect(await third.link.run(COUNT, [third.key], [1])).toBe(1); // it came back empty
  });

  test("a cluster that is away as a whole is used when it is back", async () => {
    await withoutFullCoverage();
    const [first] = await links(library, 500);
    if (first === undefined) throw new Error("there are three");
    await Promise.all(cluster.nodes.map((node) => node.kill()));
    await eventually(() => !first.link.up);
    const late = open(library, { cluster: cluster.nodes.map(({ url }) => url), decisionTimeout: LONG_MS });
    await eventually(() => late.link.reason?.cause !== undefined);
    await Promise.all(cluster.nodes.map((node) => node.restart()));
    await Promise.all([first.link, late.link].map((link) => turned(link, true)));
    expect(await late.link.run(COUNT, [late.key], [1])).toBe(1);
  });

  test("slots that move are followed", async () => {
    const scope = await scopeOn(0);
    const { link } = open(library, {
      cluster: cluster.nodes.map(({ port }) => ({ host: "127.0.0.1", port })),
      scope: scope.name,
      decisionTimeout: LONG_MS,
    });
    await turned(link, true);
    await cluster.nodes[0]?.cli("DEL", scope.key("probe"));
    const slot = await slotOf(scope.key("k"));
    const to = String(await cluster.nodes[1]?.cli("CLUSTER", "MYID"));
    for (const i of [1, 0, 2]) await cluster.nodes[i]?.cli("CLUSTER", "SETSLOT", slot, "NODE", to);
    expect(await link.run(ECHO, [scope.key("k")], ["x"])).toEqual(["x", 7, 0]);
    expect(link.up).toBe(true);
  });

  test("what is published on any node is heard, also after the node that was listened to is gone", async () => {
    await withoutFullCoverage();
    const [first] = await links(library);
    const channel = String(first?.scope.channel("c"));
    const heard: string[] = [];
    let begun = 0;
    first?.link.subscribe(
      channel,
      (message) => void heard.push(message),
      () => begun++,
    );
    await eventually(() => begun === 1);
    for (const [i, node] of cluster.nodes.entries()) await node.cli("PUBLISH", channel, String(i));
    await eventually(() => heard.length === 3);
    expect(heard.toSorted()).toEqual(["0", "1", "2"]);
    const listened = await Promise.all(
      cluster.nodes.map(async (node) => (await node.cli("PUBSUB", "NUMSUB", channel)) as readonly unknown[]),
    );
    const node = cluster.nodes[listened.findIndex(([, count]) => count === 1)];
    await node?.restart();
    await eventually(() => begun === 2);
    await cluster.nodes[0]?.cli("PUBLISH", channel, "again");
    await eventually(() => heard.includes("again"));
  });
});
