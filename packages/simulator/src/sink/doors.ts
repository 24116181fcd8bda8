import { openAgain, type Door } from "./door.ts";
import type { Way } from "./fetch-sink.ts";
import { openHttpDoor } from "./http-server.ts";
import type { Answering } from "./sink.ts";

/** All listeners of a simulator: the common one, and those of replicas that have one. */
export interface Doors {
  readonly main: Door;
  /** The way in that a URL leads to, by its port; the common one for any other. */
  wayFor(url: URL): Way;
  openAll(): void;
  /** Breaks every connection. */
  close(): Promise<void>;
}

/**
 * Opens all of them, or none.
 *
 * @param own Filled with the doors of replicas, by name.
 */
export async function openDoors(
  answer: Answering,
  port: number,
  replicas: readonly { name: string; port?: number }[],
  own: Map<string, Door>,
): Promise<Doors> {
  const ways: Way[] = [];
  const closeAll = async (): Promise<void> => {
    await Promise.all(ways.map(({ door }) => door.close()));
  };
  async function open(wanted: number, answering: Answering): Promise<Door> {
    const door = await openHttpDoor(answering, wanted);
    ways.push({ door, answer: answering });
    return door;
  }
  try {
    const main = await open(port, answer);
    for (const { name, port: wanted } of replicas) {
      if (wanted === undefined) continue;
      own.set(name, await open(wanted, (call, sink) => answer({ ...call, replica: name }, sink)));
    }
    return {
      main,
      wayFor: (url) => ways.find(({ door }) => String(door.port) === url.port) ?? (ways[0] as Way),
      openAll: () => ways.forEach(({ door }) => openAgain(door)),
      close: closeAll,
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}
