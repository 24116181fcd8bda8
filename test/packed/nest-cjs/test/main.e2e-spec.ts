import { spawn } from "node:child_process";
import { once } from "node:events";

it("runs as it was compiled, and ends when it is told to", async () => {
  const env = { ...process.env, DEEPSEEK_API_KEY: "sk-your-key", PORT: "0" };
  const program = spawn(process.execPath, ["dist/main"], { env, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(program, "exit");
  let said = "";
  for await (const text of program.stdout.setEncoding("utf8")) {
    said += text;
    if (said.includes("successfully started")) break;
  }
  program.kill("SIGTERM");
  expect(said).toContain("Mapped {/stream, GET} route");
  expect(await ended).toEqual([null, "SIGTERM"]);
});
