import { type ChildProcess, fork } from "node:child_process";

/** A process of the demo: it says when it is ready, answers what it is asked, and never outlives this one. */
export interface Child<Ready> {
  readonly ready: Promise<Ready>;
  ask<Reply>(question: string): Promise<Reply>;
  /** Never fulfilled; rejected when it ends without having been stopped. */
  readonly lost: Promise<never>;
  stop(): void;
}

export interface ChildOptions {
  /** Name of a program that stands beside this file. */
  readonly program: string;
  /** Becomes the program's first argument, as JSON. */
  readonly config: unknown;
  /** Runs its clocks so much faster; left out: it has a `timeScale` of its own. */
  readonly timeScale?: number;
}

const children = new Set<ChildProcess>();

/** Ends every process that was started here, at once. */
export function stopChildren(): void {
  for (const child of children) child.kill("SIGKILL");
}

export function startChild<Ready>({ program, config, timeScale }: ChildOptions): Child<Ready> {
  const preload = new URL("./time-scale.js", import.meta.url).href;
  const child = fork(new URL(program, import.meta.url), [JSON.stringify(config)], {
    execArgv: timeScale === undefined ? [] : ["--import", preload],
    // Nothing else: a key, a base URL or a proxy of whoever runs this must not get into a column.
    env: {
      PATH: process.env["PATH"],
      ...(timeScale !== undefined && { BREAKWATER_DEMO_TIME_SCALE: String(timeScale) }),
    },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  children.add(child);

  let complaint = "";
  child.stderr
    ?.setEncoding("utf8")
    .on("data", (text: string) => (complaint = (complaint + text).slice(-2_000)));

  const waiting: ((reply: unknown) => void)[] = [];
  let stopped = false;
  child.on("message", (message) => waiting.shift()?.(message));
  const lost = new Promise<never>((_, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      children.delete(child);
      const ending = `${program} ended with ${signal ?? code}`;
      if (!stopped) reject(new Error(complaint === "" ? ending : `${ending}:\n${complaint}`));
    });
  });
  lost.catch(() => {}); // whoever waits for an answer is told, at once or as soon as somebody does
  const answer = <Reply>(): Promise<Reply> =>
    Promise.race([lost, new Promise<Reply>((resolve) => waiting.push(resolve as (reply: unknown) => void))]);

  const ready = answer<Ready>();
  ready.catch(() => {});
  return {
    ready,
    lost,
    ask<Reply>(question: string) {
      // What cannot be sent is answered by the end of the process.
      if (child.connected) child.send(question, () => {});
      return answer<Reply>();
    },
    stop() {
      stopped = true;
      child.kill("SIGKILL");
    },
  };
}

/** The other side: reads the configuration and answers questions by name. */
export function childConfig<Config>(): Config {
  return JSON.parse(process.argv[2] ?? "{}") as Config;
}

export function serveParent(ready: unknown, answers: Readonly<Record<string, () => unknown>>): void {
  process.on("message", (question) => process.send?.(answers[String(question)]?.() ?? null));
  process.on("disconnect", () => process.exit());
  process.send?.(ready);
}
