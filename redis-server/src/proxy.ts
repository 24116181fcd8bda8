import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A network between a client and a server that can be broken; the words are toxiproxy's where it has them. */
export interface Proxy {
  readonly port: number;
  readonly url: string;
  /** Clients that are connected now. */
  readonly connections: number;
  /** Whatever the server says comes so much later. */
  latency(ms: number): void;
  /**
   * The server is asked and its replies are lost. A connection that lost one hears nothing any more: it is reset when
   * this ends.
   */
  dropReplies(on: boolean): void;
  /** Half open: nothing is read, nothing is closed, new connections are made and hear nothing. */
  stall(on: boolean): void;
  /** Of what the server says next, passes on the first bytes and resets the connection. */
  cutNextReply(bytes: number): void;
  /** Resets every connection. */
  resetAll(): void;
  /** Leads to another server, as a name does after a failover; the connections that exist are reset. */
  redirect(to: number): void;
  /** Nobody listens any more; the connections that exist are reset. */
  refuse(on: boolean): Promise<void>;
  close(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  lostReplies: boolean;
  /** What the server said and the client has not heard yet, and when it will. */
  readonly late: { readonly text: Buffer; readonly at: number }[];
}

/** @param to port of 127.0.0.1 */
export async function startProxy(to: number): Promise<Proxy> {
  const pairs = new Set<Pair>();
  let target = to;
  let latencyMs = 0;
  let dropping = false;
  let stalled = false;
  let cut: number | undefined;
  let server: Server | undefined;

  const end = (pair: Pair): void => {
    pairs.delete(pair);
    pair.client.resetAndDestroy();
    pair.server.resetAndDestroy();
  };
  const resetAll = (): void => {
    for (const pair of pairs) end(pair);
  };
  const still = (pair: Pair): void => {
    for (const socket of [pair.client, pair.server]) {
      if (stalled) socket.pause();
      else socket.resume();
    }
  };

  function pass(pair: Pair, text: Buffer): void {
    if (dropping) pair.lostReplies = true;
    if (pair.lostReplies) return;
    if (cut === undefined) {
      pair.client.write(text);
      return;
    }
    const piece = text.subarray(0, cut);
    cut = undefined;
    // Reset only when it is out: a reset takes back what was not sent yet.
    pair.client.write(piece, () => end(pair));
    pair.lostReplies = true;
  }

  function passLate(pair: Pair): void {
    const now = performance.now() + 1; // timers go by whole ms
    for (let next = pair.late[0]; next !== undefined && next.at <= now; next = pair.late[0]) {
      pair.late.shift();
      pass(pair, next.text);
    }
    const [next] = pair.late;
    if (next !== undefined) setTimeout(passLate, Math.ceil(next.at - now), pair);
  }

  function accept(client: Socket): void {
    const pair: Pair = { client, server: connect(target, "127.0.0.1"), lostReplies: false, late: [] };
    pairs.add(pair);
    client.setNoDelay(true);
    pair.server.setNoDelay(true);
    client.on("data", (text: Buffer) => void pair.server.write(text));
    pair.server.on("data", (text: Buffer) => {
      if (latencyMs === 0 && pair.late.length === 0) {
        pass(pair, text);
        return;
      }
      // What is slow now is not overtaken by what is fast afterwards: it is one stream.
      const at = Math.max(performance.now() + latencyMs, pair.late.at(-1)?.at ?? 0);
      if (pair.late.push({ text, at }) === 1) setTimeout(passLate, latencyMs, pair);
    });
    for (const socket of [client, pair.server])
      socket.on("error", () => end(pair)).on("close", () => end(pair));
    still(pair);
  }

  async function listen(port: number): Promise<number> {
    server = createServer(accept).listen(port, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  async function refuse(): Promise<void> {
    const old = server;
    server = undefined;
    if (!old) return;
    const closed = once(old, "close");
    old.close();
    resetAll();
    await closed;
  }

  const port = await listen(0);
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get connections() {
      return pairs.size;
    },
    latency: (ms) => void (latencyMs = ms),
    dropReplies(on) {
      dropping = on;
      if (!on) for (const pair of pairs) if (pair.lostReplies) end(pair);
    },
    stall(on) {
      stalled = on;
      for (const pair of pairs) still(pair);
    },
    cutNextReply: (bytes) => void (cut = bytes),
    resetAll,
    redirect(other) {
      target = other;
      resetAll();
    },
    async refuse(on) {
      if (on) await refuse();
      else if (!server) await listen(port);
    },
    close: refuse,
  };
}
