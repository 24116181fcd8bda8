import type { IncomingMessage, ServerResponse } from "node:http";

import { ConfigError } from "@breakwater/core";
import {
  Inject,
  Logger,
  Module,
  type NestModule,
  type OnApplicationBootstrap,
  RequestMethod,
} from "@nestjs/common";
import { ApplicationConfig, HttpAdapterHost, ModulesContainer } from "@nestjs/core";

import { BreakwaterRegistry } from "./registry.ts";
import { routesOf } from "./routes.ts";

type Request = IncomingMessage & { readonly originalUrl?: string; readonly body?: unknown };

/**
 * Serves the admin of the module's options, as middleware: before the application's routes, and before its guards, pipes,
 * interceptors and filters, which are for visitors. `authorize` alone says who may; and an operator gets in just when
 * guards let nobody in, and while the application shuts down.
 *
 * @internal
 */
@Module({})
export class AdminModule implements NestModule, OnApplicationBootstrap {
  readonly #registry: BreakwaterRegistry;
  readonly #host: HttpAdapterHost;
  readonly #config: ApplicationConfig;
  readonly #modules: ModulesContainer;
  #mounted = false;

  constructor(
    @Inject(BreakwaterRegistry) registry: BreakwaterRegistry,
    @Inject(HttpAdapterHost) host: HttpAdapterHost,
    @Inject(ApplicationConfig) config: ApplicationConfig,
    @Inject(ModulesContainer) modules: ModulesContainer,
  ) {
    this.#registry = registry;
    this.#host = host;
    this.#config = config;
    this.#modules = modules;
  }

  /** Nest asks when the server's own middleware is there, its body parser among it, and no route yet. */
  configure(): void {
    const { adminPath } = this.#registry;
    if (adminPath === undefined) return;
    const path = this.#whole(adminPath);
    this.#mustBeFree(path);
    this.#host.httpAdapter.use(path, (req: Request, res: ServerResponse, next: (error?: unknown) => void) => {
      const { admin, closing } = this.#registry;
      if (admin === undefined) return next();
      // What is looked at while the application closes must not keep it open.
      if (closing) res.shouldKeepAlive = false;
      const { body, originalUrl: original, url = "/" } = req;
      admin.serve(req, res, { url, body, ...(original !== undefined && { original }) }).catch(next);
    });
    this.#mounted = true;
    Logger.log(`Admin at ${path}`, "BreakwaterModule");
  }

  onApplicationBootstrap(): void {
    const { adminPath, options } = this.#registry;
    // Where there are several instances it is seen on the pages of the others.
    if (adminPath === undefined || this.#mounted || options.admin?.instances !== undefined) return;
    Logger.warn(
      `admin is not served at ${adminPath}: this application has no HTTP server.`,
      "BreakwaterModule",
    );
  }

  /** A route that nobody would ever reach. */
  #mustBeFree(path: string): void {
    const within = (other: string): boolean => `${other.toLowerCase()}/`.startsWith(`${path.toLowerCase()}/`);
    for (const { where, path: own, method } of routesOf(this.#modules, this.#config)) {
      const other = this.#whole(own, method);
      if (!within(other)) continue;
      throw new ConfigError(
        `BreakwaterModule: admin: ${where} is at ${other}, where admin is served. Give one of them another path.`,
      );
    }
  }

  /** Below the global prefix, as any route is, where it is not excluded from it. */
  #whole(path: string, method: RequestMethod = RequestMethod.ALL): string {
    const prefix = this.#config.getGlobalPrefix().replace(/^\/*(.*?)\/*$/, "$1");
    const { exclude = [] } = this.#config.getGlobalPrefixOptions();
    const excluded = exclude.some(
      ({ pathRegex, requestMethod }) =>
        (requestMethod === RequestMethod.ALL || requestMethod === method) && pathRegex.test(path),
    );
    return prefix === "" || excluded ? path : `/${prefix}${path}`;
  }
}
