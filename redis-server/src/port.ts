import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * A port of 127.0.0.1 on which nobody listens. Below the range from which systems take ports for outgoing connections:
 * a server that is started again must find its port free.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = randomInt(12_000, 32_000);
    const server = createServer().listen(port, "127.0.0.1");
    const isFree = await Promise.race([
      once(server, "listening").then(
        () => true,
        () => false,
      ),
      once(server, "error").then(() => false),
    ]);
    server.close();
    if (isFree) return port;
  }
  throw new Error("There is no free port between 12000 and 32000.");
}
