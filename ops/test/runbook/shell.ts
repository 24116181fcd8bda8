import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";

/** What the commands of the page need, and is not here. */
export function missingPrograms(): readonly string[] {
  return ["sh", "curl", "jq"].filter(
    (program) => spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0,
  );
}

/** What a shell prints for a command, after it was given the functions of the page. */
export async function inShell(
  functions: string,
  line: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const child = spawn("sh", ["-c", `${functions}\n${line}`], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { out: "", error: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => void (said.out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => void (said.error += text));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${line}\nended with ${code}: ${said.out}${said.error}`);
  return said.out.trim();
}
