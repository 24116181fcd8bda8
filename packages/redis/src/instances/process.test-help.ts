// An instance of a service: says that it is there until it is killed, and tells its parent what it hears.
import { redisStore } from "../index.ts";

const [url = "", service = "", instance = ""] = process.argv.slice(2);
const store = redisStore({ url, decisionTimeout: "1s" });
let cursor: string | undefined;

async function turn(): Promise<void> {
  try {
    await store.put(service, instance, `I am ${instance}`, 1_500);
    const news = await store.told(service, cursor);
    cursor = news.cursor;
    process.send?.(news.messages);
  } catch {
    // Not connected yet.
  }
  setTimeout(() => void turn(), 50);
}
void turn();
