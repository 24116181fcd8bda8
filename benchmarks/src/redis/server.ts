import type { Redis } from "ioredis";

/** What a server did between two looks. */
export interface Served {
  /** CPU, in µs, of all of its threads. */
  readonly cpu: number;
  /** Of that, within scripts. */
  readonly scripts: number;
  /** Commands that a client has waited for; those of scripts are not counted. */
  readonly trips: number;
}

/** What asks for a decision or tells of an end. All else is the client's beginning, and what a script does. */
const ASKED = /^cmdstat_(?:eval|evalsha|ping):calls=(\d+),usec=(\d+)/gm;

/** Looks at a server, over a connection beside the one that is measured. */
export async function watch(admin: Redis): Promise<() => Promise<Served>> {
  const before = await look(admin);
  return async () => {
    const after = await look(admin);
    return {
      cpu: after.cpu - before.cpu,
      scripts: after.scripts - before.scripts,
      trips: after.trips - before.trips,
    };
  };
}

async function look(admin: Redis): Promise<Served> {
  const info = `${await admin.info("cpu")}\n${await admin.info("commandstats")}`;
  const seconds = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(info)?.[1]);
  let trips = 0;
  let scripts = 0;
  for (const [line, calls, usec] of info.matchAll(ASKED)) {
    trips += Number(calls);
    if (!line.startsWith("cmdstat_ping")) scripts += Number(usec);
  }
  const cpu = (seconds("used_cpu_user") + seconds("used_cpu_sys")) * 1e6;
  return { cpu, scripts, trips };
}
