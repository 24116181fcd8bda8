import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

import type { Where } from "./server.ts";

/** What a process tells of itself. */
export interface Reports {
  answered: number;
  refused: number;
  failed: number;
  /** Where its last permit came from. */
  decidedBy: string;
}

export interface Member extends Reports {
  readonly pid: number | undefined;
  alive: boolean;
}

export interface Fleet {
  readonly members: readonly Member[];
  /** SIGKILL: nothing is given back, nobody is told. */
  kill(index: number): void;
  /** Lets them finish what they have begun. */
  stop(): Promise<void>;
}

export interface FleetOptions extends Omit<Where, "scope"> {
  /** Whether each process has the limits for itself, as if there were no store. */
  readonly apart: boolean;
  readonly processes: number;
  readonly asksPerSecond: number;
  /** Starts a process with this argument. @default the built `process.js` beside this file */
  readonly start?: (argument: string) => ChildProcess;
}

const startBuilt = (argument: string): ChildProcess =>
  fork(new URL("process.js", import.meta.url), [argument], { stdio: ["ignore", "ignore", "inherit", "ipc"] });

export function startFleet({
  processes,
  asksPerSecond,
  apart,
  start = startBuilt,
  ...where
}: FleetOptions): Fleet {
  const children = Array.from({ length: processes }, (_, n) => {
    const scope = apart ? `process-${n}` : "account";
    return start(JSON.stringify({ ...where, scope, asksPerSecond }));
  });
  const members = children.map((child): Member => {
    const member: Member = { pid: child.pid, alive: true, answered: 0, refused: 0, failed: 0, decidedBy: "" };
    child.on("message", (reports: Reports) => Object.assign(member, reports));
    child.once("exit", () => (member.alive = false));
    return member;
  });
  const killAll = (): void => {
    for (const child of children) child.kill("SIGKILL");
  };
  process.once("exit", killAll);
  return {
    members,
    kill: (index) => void children[index]?.kill("SIGKILL"),
    async stop() {
      await Promise.all(
        children.map(async (child, i) => {
          if (members[i]?.alive !== true) return;
          const exit = once(child, "exit");
          child.send("stop", () => {});
          await exit;
        }),
      );
      process.off("exit", killAll);
    },
  };
}
