import { once } from "node:events";
import { connect, type Socket } from "node:net";

import { afterEach, beforeEach, expect, test } from "vitest";

import { type Proxy, startProxy } from "./proxy.ts";
import { startRedis } from "./redis.ts";
import { until } from "./until.ts";
import { useRedis } from "./vitest.ts";

const redis = useRedis();
let proxy: Proxy;
const clients: Client[] = [];

interface Client {
  readonly socket: Socket;
  readonly heard: () => string;
  /** Why it was closed; "" if it was not. */
  readonly ending: () => string;
}

beforeEach(async () => void (proxy = await startProxy(redis.port)));
afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  await proxy.close();
});

async function dial(): Promise<Client> {
  const socket = connect(proxy.port, "127.0.0.1");
  let heard = "";
  let ending = "";
  socket.on("data", (text) => (heard += String(text)));
  socket.on("error", (error) => (ending = String((error as NodeJS.ErrnoException).code)));
  socket.on("close", () => (ending ||= "closed"));
  await once(socket, "connect");
  const client = { socket, heard: () => heard, ending: () => ending };
  clients.push(client);
  return client;
}

const counter = async (): Promise<unknown> => redis.cli("GET", "counter");
const heard = (client: Client, text: string): Promise<void> => until(() => client.heard() === text, 10_000);

test("passes on what both say, in their order, however late", async () => {
  const client = await dial();
  proxy.latency(3);
  for (let i = 0; i < 20; i++) client.socket.write(`ECHO ${i}\r\n`);
  await until(() => client.heard().includes("19"), 10_000);
  expect(client.heard().match(/^\d+/gm)?.map(Number)).toEqual([...Array(20).keys()]);
  expect(proxy.connections).toBe(1);
});

test("keeps the order also when it becomes fast", async () => {
  await redis.cli("SET", "counter", 0);
  const client = await dial();
  proxy.latency(200);
  client.socket.write("INCR counter\r\n");
  await until(async () => (await counter()) === "1", 10_000);
  proxy.latency(0);
  client.socket.write("INCR counter\r\n");
  await until(() => client.heard().length === 8, 10_000);
  expect(client.heard()).toBe(":1\r\n:2\r\n");
});

test("loses replies of what is done all the same, and resets who lost them", async () => {
  await redis.cli("SET", "counter", 0);
  const client = await dial();
  proxy.dropReplies(true);
  client.socket.write("INCR counter\r\n");
  await until(async () => (await counter()) === "1", 10_000);
  expect(client.heard()).toBe("");
  proxy.dropReplies(false);
  await until(() => client.ending() === "ECONNRESET", 10_000);
  const other = await dial();
  other.socket.write("INCR counter\r\n");
  await heard(other, ":2\r\n");
});

test("stands still, and says later what it would have said", async () => {
  await redis.cli("SET", "counter", 0);
  const before = await dial();
  proxy.stall(true);
  const after = await dial();
  before.socket.write("INCR counter\r\n");
  after.socket.write("INCR counter\r\n");
  expect(await counter()).toBe("0");
  proxy.stall(false);
  await until(async () => (await counter()) === "2", 10_000);
  await until(() => before.heard() !== "" && after.heard() !== "", 10_000);
  expect([before.ending(), after.ending()]).toEqual(["", ""]);
});

test("cuts a reply in its middle, once", async () => {
  const client = await dial();
  proxy.cutNextReply(3);
  client.socket.write("PING\r\n");
  await until(() => client.ending() !== "", 10_000);
  expect(client.heard()).toBe("+PO");
  const other = await dial();
  other.socket.write("PING\r\n");
  await heard(other, "+PONG\r\n");
});

test("refuses, and comes back on the same port", async () => {
  const client = await dial();
  await proxy.refuse(true);
  await until(() => client.ending() === "ECONNRESET", 10_000);
  await expect(dial()).rejects.toThrow("ECONNREFUSED");
  await proxy.refuse(false);
  const other = await dial();
  proxy.resetAll();
  await until(() => other.ending() === "ECONNRESET" && proxy.connections === 0, 10_000);
});

test("leads to another server from now on", async () => {
  const other = await startRedis();
  try {
    await other.cli("SET", "who", "other");
    const before = await dial();
    proxy.redirect(other.port);
    await until(() => before.ending() === "ECONNRESET", 10_000);
    const after = await dial();
    after.socket.write("GET who\r\n");
    await heard(after, "$5\r\nother\r\n");
  } finally {
    await other.stop();
  }
});
