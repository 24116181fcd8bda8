import { pid } from "node:process";

process.send?.({ pid, args: process.argv.slice(2) });
process.disconnect();
