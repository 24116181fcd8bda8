import { spawn } from "node:child_process";

/** A process that ends when this one ends, in whatever way that happens. */
export interface Guarded {
  readonly pid: number;
  readonly running: boolean;
  /** Fulfilled when it has ended, with what it wrote. */
  readonly ended: Promise<string>;
  signal(name: NodeJS.Signals): void;
  /** Ends it at once, with its folder. */
  end(): Promise<void>;
}

// The arguments: a folder, and the command. Standard input is a pipe that this process alone holds open: it closes with it, also when it is killed and can clean
// up nothing. The shell waits at its other end. Standard output closes with the guarded process, and so tells its end.
export const GUARD: string = `
folder=$1; shift
"$@" </dev/null 2>&1 &
pid=$!
echo $pid
exec >/dev/null
read -r _
kill -9 $pid
wait $pid
rm -rf "$folder"
`;

/** @param folder removed when the process has ended and is no longer wanted */
export function startGuarded(
  command: readonly string[],
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<Guarded> {
  const shell = spawn("/bin/sh", ["-c", GUARD, "guard", folder, ...command], {
    // Ctrl-C reaches this process alone; it is for it to say what its servers shall do.
    detached: true,
    stdio: ["pipe", "pipe", "ignore"],
    env: { ...process.env, ...env },
  });
  shell.stdin.on("error", () => {}); // it may be gone already
  const gone = new Promise<void>((resolve) => shell.once("exit", () => resolve()));

  return new Promise((resolve, reject) => {
    let written = "";
    let running = true;
    const ended = new Promise<string>((tell) => {
      shell.stdout.on("end", () => {
        running = false;
        tell(written);
      });
    });
    shell.once("error", reject);
    shell.stdout.setEncoding("utf8").on("data", (text: string) => {
      const isFirst = !written.includes("\n");
      written = (written + text).slice(0, 10_000);
      const [, pid] = /^(\d+)\n/.exec(written) ?? [];
      if (!isFirst || pid === undefined) return;
      resolve({
        pid: Number(pid),
        get running() {
          return running;
        },
        ended: ended.then((all) => all.slice(all.indexOf("\n") + 1)),
        signal(name) {
          if (running) process.kill(Number(pid), name);
        },
        async end() {
          shell.stdin.end();
          await gone;
        },
      });
    });
  });
}
