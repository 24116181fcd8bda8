import { HELP, readArguments } from "./arguments.ts";
import { run } from "./run.ts";
import { UsageError } from "./usage-error.ts";

/** DeepSeek with your key, or a local one that is not at its best. */
async function upstream(): Promise<{ apiKey: string; baseURL: string | undefined }> {
  const apiKey = process.env["DEEPSEEK_API_KEY"];
  if (apiKey !== undefined && apiKey !== "") return { apiKey, baseURL: undefined };
  const { startSimulated } = await import("./simulated.ts");
  const { key, url } = await startSimulated();
  console.log(
    "DEEPSEEK_API_KEY is not set: a simulated DeepSeek answers, which will be too busy for a while.",
  );
  return { apiKey: key, baseURL: url };
}

async function main(): Promise<number> {
  // npm starts this in its package's folder, and says where it was started itself.
  const { help, ...settings } = readArguments(
    process.argv.slice(2),
    process.env["INIT_CWD"] ?? process.cwd(),
  );
  if (help) {
    console.log(HELP);
    return 0;
  }
  const stopping = new AbortController();
  let exitCode = 1;
  const stop = (signal: "SIGINT" | "SIGTERM", code: number): void => {
    process.on(signal, () => {
      if (stopping.signal.aborted) process.exit(code);
      exitCode = code;
      stopping.abort();
    });
  };
  stop("SIGINT", 130);
  stop("SIGTERM", 143);
  return (await run({ ...settings, upstream, signal: stopping.signal })) ? 0 : exitCode;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof UsageError ? error.message : error);
    process.exit(error instanceof UsageError ? 2 : 1);
  },
);
