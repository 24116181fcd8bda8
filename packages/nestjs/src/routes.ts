import { RequestMethod, VERSION_NEUTRAL, VersioningType } from "@nestjs/common";
import { type ApplicationConfig, MetadataScanner, type ModulesContainer } from "@nestjs/core";

/** A method of a controller that serves requests. */
export interface OwnRoute {
  /** For messages: `ReportsController.all`. */
  readonly where: string;
  /** Without the global prefix. */
  readonly path: string;
  readonly method: RequestMethod;
}

/**
 * The routes of an application's controllers, as far as they can be known before Nest has made them: without those whose
 * path begins with a version.
 */
export function* routesOf(modules: ModulesContainer, config: ApplicationConfig): Iterable<OwnRoute> {
  const versioning = config.getVersioning();
  const scanner = new MetadataScanner();
  for (const { controllers, metatype: module } of modules.values()) {
    const below: string =
      said(`__module_path__${modules.applicationId}`, module) ?? said("__module_path__", module) ?? "";
    for (const { metatype } of controllers.values()) {
      if (typeof metatype !== "function") continue;
      const prototype = metatype.prototype as Record<string, object>;
      for (const name of scanner.getAllMethodNames(prototype)) {
        const handler = prototype[name] as object;
        const own = said<string | string[]>("path", handler);
        if (own === undefined) continue;
        const version =
          said("__version__", handler) ?? said("__version__", metatype) ?? versioning?.defaultVersion;
        const inPath = versioning?.type === VersioningType.URI && version !== undefined;
        if (inPath && ![version].flat().includes(VERSION_NEUTRAL)) continue;
        const where = `${metatype.name}.${name}`;
        const method = said<RequestMethod>("method", handler) ?? RequestMethod.GET;
        for (const first of [said<string | string[]>("path", metatype) ?? ""].flat())
          for (const second of [own].flat()) yield { where, path: joined(below, first, second), method };
      }
    }
  }
}

function said<T>(key: string, target: object): T | undefined {
  return Reflect.getMetadata(key, target) as T | undefined;
}

function joined(...parts: readonly string[]): string {
  return `/${parts.flatMap((part) => part.split("/").filter((segment) => segment !== "")).join("/")}`;
}
