// The client side of one column, in a process of its own whose clocks the preload has changed.
import { childConfig, serveParent } from "./child.ts";
import { checkClocks, type ClockCheck } from "./clock-check.ts";
import { serveColumn } from "./column-server.ts";
import type { HostAddress } from "./columns/column.ts";
import { type ColumnName, columns } from "./columns/index.ts";
import { type Lag, meterLag } from "./lag.ts";

export interface ColumnConfig {
  readonly column: ColumnName;
  readonly deepseek: HostAddress;
  readonly second?: HostAddress;
}

export interface ColumnReady {
  readonly port: number;
  readonly clocks: readonly ClockCheck[];
}

export interface ColumnFindings {
  readonly lag: Lag;
}

const { column, deepseek, second } = childConfig<ColumnConfig>();
const clocks = await checkClocks();
const server = await serveColumn(columns[column].create(deepseek, second));
const lag = meterLag();
const ready: ColumnReady = { port: server.port, clocks };
serveParent(ready, {
  play: () => lag.reset(),
  finish: (): ColumnFindings => ({ lag: lag.read() }),
});
