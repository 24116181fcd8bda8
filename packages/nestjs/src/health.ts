import type { BreakerSnapshot } from "@breakwater/core";
import { Inject, Injectable } from "@nestjs/common";

import { BreakwaterRegistry } from "./registry.ts";

export interface HealthOptions {
  /**
   * Whether an open circuit is reason enough to be down. As a rule it is not: all instances would leave the load
   * balancer together because of somebody else's bad evening.
   *
   * @default false
   */
  readonly openIsDown?: boolean;
}

/** One client or pipeline in the report. */
export interface HealthDetail {
  readonly inFlight: number;
  readonly draining: boolean;
  /** The worst state of its circuits, if it has any. */
  readonly circuit?: BreakerSnapshot["status"];
}

/** What @nestjs/terminus calls a HealthIndicatorResult. */
export type HealthReport = Record<
  string,
  { readonly status: "up" | "down" } & Readonly<Record<string, unknown>>
>;

/**
 * For `@nestjs/terminus`: down while the application shuts down, so that the load balancer sends no more; otherwise up,
 * with what every client and pipeline is doing.
 *
 * @example
 * ```ts
 * import { BreakwaterHealthIndicator } from "@breakwater/nestjs";
 * import { Controller, Get, Inject } from "@nestjs/common";
 * import { HealthCheck, HealthCheckService } from "@nestjs/terminus";
 *
 * @Controller("health")
 * class HealthController {
 *   constructor(
 *     @Inject(HealthCheckService) private readonly health: HealthCheckService,
 *     @Inject(BreakwaterHealthIndicator) private readonly breakwater: BreakwaterHealthIndicator,
 *   ) {}
 *
 *   @Get()
 *   @HealthCheck()
 *   check() {
 *     return this.health.check([() => this.breakwater.isHealthy("breakwater")]);
 *   }
 * }
 * ```
 */
@Injectable()
export class BreakwaterHealthIndicator {
  readonly #registry: BreakwaterRegistry;

  constructor(@Inject(BreakwaterRegistry) registry: BreakwaterRegistry) {
    this.#registry = registry;
  }

  isHealthy(key = "breakwater", { openIsDown = false }: HealthOptions = {}): HealthReport {
    const details: Record<string, unknown> = {};
    let status: "up" | "down" = "up";
    for (const { name, inFlight, draining, policies } of this.#registry.snapshot()) {
      const breakers = policies.filter(({ kind }) => kind === "circuit-breaker");
      const states = breakers.flatMap(({ state }) => Object.values(state as Record<string, BreakerSnapshot>));
      const circuit = WORST.find((worst) => states.some((state) => state.status === worst)) ?? "closed";
      const detail: HealthDetail = { inFlight, draining, ...(breakers.length > 0 && { circuit }) };
      // Names are the user's own: two may be the same, and one may be "status".
      let label = name;
      for (let n = 2; label === "status" || label in details; n++) label = `${name} (${n})`;
      details[label] = detail;
      if (draining || (openIsDown && circuit === "open")) status = "down";
    }
    return { [key]: { status, ...details } };
  }
}

const WORST: readonly BreakerSnapshot["status"][] = ["open", "half-open"];
