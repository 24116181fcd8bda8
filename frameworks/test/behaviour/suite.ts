import { describe } from "vitest";

import { admin } from "./admin.ts";
import { answers } from "./answers.ts";
import { context } from "./context.ts";
import { deepseek } from "./deepseek.ts";
import { faults } from "./faults.ts";
import type { Framework } from "./framework.ts";
import { input } from "./input.ts";
import { leaving } from "./leaving.ts";
import { limits } from "./limits.ts";
import { metrics } from "./metrics.ts";
import { shutdown } from "./shutdown.ts";
import { slowReaders } from "./slow-readers.ts";

/** What holds on every framework, in every version of it. */
export function behaves(framework: Framework): void {
  describe.each([framework])("$name", () => {
    answers(framework);
    context(framework);
    limits(framework);
    faults(framework);
    input(framework);
    leaving(framework);
    slowReaders(framework);
    shutdown(framework);
    deepseek(framework);
    admin(framework);
    metrics(framework);
  });
}
