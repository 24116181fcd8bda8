import { circuit } from "./circuit.ts";
import type { Fault } from "./fault.ts";
import { network } from "./network.ts";
import { processes } from "./processes.ts";
import { redisAway } from "./redis-away.ts";
import { server } from "./server.ts";

export const faults: readonly Fault[] = [...processes, ...redisAway, ...server, ...network, ...circuit];
