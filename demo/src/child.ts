import { type ChildProcess, fork } from "node:child_process";

/** A process of the demo: it says when it is ready, answers what it is asked, and never outlives this one. */
export interface Child<Ready> {
  readonly ready: Promise<Ready>;
  ask<Reply>(question: string): Promise<Reply>;
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

  const waiting: { resolve: (value: unknown) => void; reject: (reason: Error) => void }[] = [];
  const answer = <Reply>(): Promise<Reply> =>
    new Promise((resolve, reject) => {
      waiting.push({ resolve: resolve as (value: unknown) => void, reject });
    });
  child.on("message", (message) => waiting.shift()?.resolve(message));
  child.on("exit", (code, signal) => {
    children.delete(child);
    const error = new Error(`${program} ended with ${signal ?? code}${complaint && `:\n${complaint}`}`);
    for (const one of waiting.splice(0)) one.reject(error);
  });

  const ready = answer<Ready>();
  ready.catch(() => {}); // whoever awaits it is told; until then it is not unhandled
  return {
    ready,
    ask<Reply>(question: string) {
      const reply = answer<Reply>();
      child.send(question, (error) => error && waiting.pop()?.reject(error));
      return reply;
    },
    stop: () => void child.kill("SIGKILL"),
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
