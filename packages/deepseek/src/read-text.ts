import type { Runtime } from "@breakwater/core";

export interface ReadLimits {
  readonly maxBytes: number;
  /** How long to read at most, in ms. */
  readonly withinMs?: number;
  readonly runtime?: Runtime;
  readonly onBytes?: () => void;
}

export interface ReadResult {
  readonly text: string;
  /** Whether there was, or may have been, more. */
  readonly cut: boolean;
}

/** A body as text, as far as the limits allow; the rest is let go of. Throws what reading throws. */
export async function readText(
  body: ReadableStream<Uint8Array> | null,
  { maxBytes, withinMs, runtime, onBytes }: ReadLimits,
): Promise<ReadResult> {
  if (body === null) return { text: "", cut: false };
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  let late = false;
  const giveUp = (): void => {
    late = true;
    void reader.cancel().catch(() => undefined);
  };
  const cancelTimer = withinMs === undefined ? undefined : runtime?.setTimer(withinMs, giveUp);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { text: text + decoder.decode(), cut: late };
      onBytes?.();
      const room = maxBytes - bytes;
      bytes += value.byteLength;
      text += decoder.decode(bytes > maxBytes ? value.subarray(0, room) : value, { stream: true });
      if (bytes <= maxBytes) continue;
      void reader.cancel().catch(() => undefined);
      return { text, cut: true };
    }
  } finally {
    cancelTimer?.();
  }
}
