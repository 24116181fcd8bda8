import { Inject, Injectable, Logger, type OnApplicationBootstrap } from "@nestjs/common";
import { MetadataScanner, ModulesContainer } from "@nestjs/core";

import { BreakwaterGuard, isInbound } from "./guard.ts";
import { BreakwaterRegistry } from "./registry.ts";

/**
 * Warns when the application starts that its inbound guards stand before nothing, since nobody has provided
 * `BreakwaterGuard`. No error: a test may well have left the guard out.
 *
 * @internal
 */
@Injectable()
export class UnguardedCheck implements OnApplicationBootstrap {
  readonly #registry: BreakwaterRegistry;
  readonly #modules: ModulesContainer;

  constructor(
    @Inject(BreakwaterRegistry) registry: BreakwaterRegistry,
    @Inject(ModulesContainer) modules: ModulesContainer,
  ) {
    this.#registry = registry;
    this.#modules = modules;
  }

  onApplicationBootstrap(): void {
    const given =
      this.#registry.options.inbound === undefined ? this.#route() : "`inbound` of BreakwaterModule";
    if (given === undefined || this.#isGuarded()) return;
    Logger.warn(
      `${given} guards nothing: there is no BreakwaterGuard. Provide { provide: APP_GUARD, useClass: BreakwaterGuard }, or write @UseGuards(BreakwaterGuard) on a controller.`,
      BreakwaterGuard.name,
    );
  }

  #isGuarded(): boolean {
    if (this.#registry.guarded) return true;
    // One per request is not made before there is one; in a test something else may stand in its place.
    return [...this.#modules.values()].some(({ providers, injectables }) =>
      [...providers, ...injectables].some(
        ([token, { instance }]) => token === BreakwaterGuard || instance instanceof BreakwaterGuard,
      ),
    );
  }

  /** The first one, for the message. */
  #route(): string | undefined {
    const scanner = new MetadataScanner();
    for (const { controllers } of this.#modules.values()) {
      for (const { metatype } of controllers.values()) {
        if (typeof metatype !== "function") continue;
        if (isInbound(metatype)) return `@Inbound() of ${metatype.name}`;
        const prototype = metatype.prototype as Record<string, unknown>;
        for (const name of scanner.getAllMethodNames(prototype))
          if (isInbound(prototype[name])) return `@Inbound() of ${metatype.name}.${name}`;
      }
    }
    return undefined;
  }
}
