export { complaintsOf } from "./complaints.ts";
export type { BrowserInTests } from "./use-browser.ts";
export { useBrowser } from "./use-browser.ts";
export type { Page } from "playwright-core";
