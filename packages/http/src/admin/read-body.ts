import { refuse } from "./respond.ts";

/** More than any change needs. */
export const MAX_BODY: number = 64 * 1024;

/** The JSON body as text, or what is wrong with it. Never reads more than it may. */
export async function readBody(request: Request): Promise<string | Response> {
  // A form of somebody else's page can send every other type without asking first.
  if (!/^application\/json *(;|$)/i.test(request.headers.get("content-type") ?? ""))
    return refuse(415, "UNSUPPORTED_MEDIA_TYPE", "The body must be sent as application/json.");
  const reader = (request.body as ReadableStream<Uint8Array> | null)?.getReader();
  if (reader === undefined) return "";
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > MAX_BODY) {
      void reader.cancel().catch(() => undefined);
      return refuse(413, "ENTITY_TOO_LARGE", `The body may have ${MAX_BODY} bytes.`);
    }
    text += decoder.decode(value, { stream: true });
  }
}
