/**
 * Where clients come in. Shut, it lets nobody in: over sockets because nobody listens (a real ECONNREFUSED), without
 * sockets because `fetch` says so. Who is already in stays in.
 */
export interface Door {
  readonly port: number;
  readonly isOpen: boolean;
  /** Nobody can connect any more, and connections that carry no request are closed. */
  shut(): void;
  /** Listens again, on the same port. Does nothing when the door is open. */
  open(): Promise<void>;
  /** For good: breaks every connection. */
  close(): Promise<void>;
}

/** Opens a door that a fault had shut. When somebody else has taken its port meanwhile, it stays shut. */
export function openAgain(door: Door): void {
  door.open().catch(() => {});
}
