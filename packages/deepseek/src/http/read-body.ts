import { refusal } from "./respond.ts";

/** The JSON body as text, or the response that says what is wrong with it. Never reads more than allowed. */
export async function readBody(request: Request, limit: number): Promise<string | Response> {
  if (!/^application\/([\w.-]+\+)?json\s*(;|$)/i.test(request.headers.get("content-type") ?? "")) {
    return refusal(415, "UNSUPPORTED_MEDIA_TYPE", "The body must be sent as application/json.");
  }
  const tooLarge = (): Response =>
    refusal(413, "BODY_TOO_LARGE", `The body may have ${limit} bytes at most.`);
  if (Number(request.headers.get("content-length") ?? 0) > limit) return tooLarge();
  if (request.body === null) return "";
  const reader = (request.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > limit) {
      void reader.cancel().catch(() => undefined);
      return tooLarge();
    }
    text += decoder.decode(value, { stream: true });
  }
}
