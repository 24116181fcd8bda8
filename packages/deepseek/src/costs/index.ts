export {
  type CallCost,
  type CostDimension,
  type CostLedger,
  type CostLedgerOptions,
  type CostPeriod,
  type CostRow,
  createCostLedger,
} from "./ledger.ts";
export {
  type HostPrices,
  type PeakHours,
  type PriceEntry,
  prices,
  type PriceTable,
  type TokenPrice,
} from "./prices.ts";
export type { CostCategory, CostRecord } from "./record.ts";
export type { CostSum } from "./sums.ts";
