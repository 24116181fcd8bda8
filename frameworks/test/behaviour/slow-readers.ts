import type { ServerResponse } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getDefaultHighWaterMark } from "node:stream";

import { eventsOf, turn, until, visit, type Visit } from "@breakwater-internal/visitor";
import { bulkhead, type Policy, upstream } from "@breakwater/core";
import { describe, expect, onTestFinished, test } from "vitest";

import type { Framework } from "./framework.ts";
import { active, type Rig, startRig } from "./rig.ts";
import { expectTold } from "./told.ts";

const READERS = 200;
const ITEM_BYTES = 8 * 1024;
/** Items of a stream that may be on their way to its socket. */
const LOOK_AHEAD = 4;
/** From how many bytes on Node asks to be waited for: 16 KiB, in newer versions 64. */
const HIGH_WATER = getDefaultHighWaterMark(false);
/** More than fits between two sockets of the file system, which is 208 KiB on Linux, and in the streams at their ends. */
const ITEMS = (256 * 1024 + 4 * HIGH_WATER) / ITEM_BYTES;

/** Clients that read slower than their answers are made. */
export function slowReaders(framework: Framework): void {
  describe(`${READERS} slow readers at once`, () => {
    test("get everything, and none of it is piled up for them", async () => {
      const { url, room, readers, made, piledUp } = await startCrowd(framework);
      expect(active(room)).toBe(READERS);
      await expectTold(framework, await fetch(`${url}/json/one-more`), {
        status: 503,
        code: "BULKHEAD_FULL",
        retryAfter: 1,
      });

      const bound = HIGH_WATER + LOOK_AHEAD * ITEM_BYTES;
      const texts = new Map(readers.map((reader) => [reader, ""]));
      for (const reading = new Set(readers); reading.size > 0; await turn()) {
        expect(piledUp()).toBeLessThanOrEqual(bound);
        for (const reader of reading) {
          const piece = await reader.read();
          texts.set(reader, texts.get(reader) + piece);
          if (piece === "") reading.delete(reader);
        }
      }
      for (const [reader, text] of [...texts.values()].entries()) {
        const items = eventsOf(text).map(({ data }) => data);
        expect(items.pop()).toBe("[DONE]");
        expect(items.map((item) => String(item).slice(0, 20))).toEqual(
          Array.from({ length: ITEMS }, (_, n) => itemOf(reader, n).slice(0, 20)),
        );
      }
      expect(made.every((count) => count === ITEMS)).toBe(true);
    });

    test("who leave in the middle, all together, stop everything that was made for them", async () => {
      const { readers, made, ended } = await startCrowd(framework);
      for (const reader of readers) reader.leave();
      await until(() => ended() === READERS);
      expect(made.filter((count) => count === ITEMS)).toEqual([]);
    });
  });
}

interface Crowd {
  readonly url: string;
  /** What they take up, to the last place. */
  readonly room: Policy;
  readonly readers: readonly Visit[];
  /** How many items of each one's stream were made. */
  readonly made: readonly number[];
  /** How many of the streams have come to their end, or were left. */
  ended(): number;
  /** The most bytes that a reader's stream has made, and that its socket has not taken yet. */
  piledUp(): number;
}

/** Readers who have asked, and not read on: each one's stream has filled all that lies between, and waits. */
async function startCrowd(framework: Framework): Promise<Crowd> {
  const made = Array.from({ length: READERS }, () => 0);
  let ended = 0;
  const room = bulkhead({ name: "room", concurrency: READERS });
  const rig = await startRig(framework, {
    policies: [room],
    upstream: upstream(async function* (text: string) {
      const reader = Number(text);
      try {
        for (let n = 0; n < ITEMS; n++) {
          made[reader] = n + 1;
          yield itemOf(reader, n);
        }
      } finally {
        ended++;
      }
    }),
  });
  const responses = responsesOf(rig);
  const socketPath = await localSocket(rig);
  const readers = made.map((_, reader) => visit(`${rig.url}/events/${reader}`, { socketPath }));
  await Promise.all(readers.map((reader) => reader.response));
  await until(() =>
    [...responses].every(([reader, response]) => response.writableNeedDrain || made[reader] === ITEMS),
  );
  expect(made.filter((count) => count === ITEMS)).toEqual([]);
  return {
    url: rig.url,
    room,
    readers,
    made,
    ended: () => ended,
    piledUp: () =>
      Math.max(
        ...[...responses].map(([reader, { socket }]) => {
          const taken = socket === null ? Infinity : socket.bytesWritten - socket.writableLength;
          return (made[reader] as number) * ITEM_BYTES - taken;
        }),
      ),
  };
}

const itemOf = (reader: number, n: number): string => `${reader}: ${n} `.padEnd(ITEM_BYTES, ".");

/** The responses of a server, by their reader. */
function responsesOf({ server }: Rig): ReadonlyMap<number, ServerResponse> {
  const responses = new Map<number, ServerResponse>();
  server.on("request", ({ url }, response) => {
    const [, reader] = /^\/events\/(\d+)$/.exec(url ?? "") ?? [];
    if (reader !== undefined) responses.set(Number(reader), response);
  });
  return responses;
}

/**
 * The same server behind a socket of the file system. TCP takes four megabytes off a server before it lets it wait, and
 * for this many readers that is most of a computer's memory.
 */
async function localSocket({ server }: Rig): Promise<string> {
  const path = join(tmpdir(), `breakwater-${process.pid}-${(sockets += 1)}.sock`);
  const door = createServer((socket) => server.emit("connection", socket));
  await new Promise<void>((resolve) => {
    door.listen(path, resolve);
  });
  onTestFinished(() => void door.close());
  return path;
}

let sockets = 0;
