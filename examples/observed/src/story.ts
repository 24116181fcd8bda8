import type { Alert } from "@breakwater-internal/prometheus-server";
import type { Scenario } from "@breakwater/simulator";

export interface Story {
  /** Tells what is new at this moment of the evening. */
  look(nowMs: number, firing: readonly Alert[]): void;
}

/** What happens at DeepSeek, and what the alerts say of it, one line each. */
export function createStory({ durationMs = 0, phases }: Scenario, say: (line: string) => void): Story {
  const told = new Set<string>();
  let before = new Map<string, Alert>();

  return {
    look(nowMs, firing) {
      const tell = (line: string): void => say(`${clockOf(nowMs)}  ${line}`);
      for (const { name, fromMs } of phases) {
        if (nowMs < fromMs || told.has(name)) continue;
        told.add(name);
        tell(`DeepSeek: ${name}`);
      }
      if (nowMs >= durationMs && !told.has("")) {
        told.add("");
        tell("the evening is over, calm goes on");
      }
      const now = new Map(firing.map((alert) => [keyOf(alert), alert]));
      for (const [key, { annotations, labels, name }] of now) {
        if (before.has(key)) continue;
        tell(`FIRING   ${name} (${labels["severity"] ?? ""}): ${annotations["summary"] ?? ""}`);
        const anchor = annotations["runbook_url"]?.split("#")[1];
        if (anchor !== undefined) tell(`         what to do: docs/runbook.md#${anchor}`);
      }
      for (const [key, { name }] of before) if (!now.has(key)) tell(`resolved ${name}`);
      before = now;
    },
  };
}

/** `2:05` */
function clockOf(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function keyOf({ labels, name }: Alert): string {
  return JSON.stringify([name, Object.entries(labels).toSorted(([a], [b]) => a.localeCompare(b))]);
}
