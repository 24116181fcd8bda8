import type { Attempt } from "../attempt-log.ts";
import { checkFields, refuse, SimulatorConfigError } from "../checks.ts";
import type { SimulatorState } from "../engine.ts";
import { servePage } from "../page/page.ts";
import type { IncomingCall, Sink } from "../sink/sink.ts";

/** What the control interface can do; the handle of `startSimulator` has the same methods. */
export interface ControlTarget {
  state(): SimulatorState;
  attempts(filter?: { since?: number; scope?: string }): readonly Attempt[];
  reset(change?: never): void;
  configure(change: never): void;
  addFault(rule: never): string[];
  removeFault(id: string): boolean;
  clearFaults(): void;
  playScenario(scenario: never): void;
  changeAccount(id: string, change: never): void;
  changeReplica(name: string, change: never): void;
  advance(ms: number): Promise<void>;
  setNow(moment: string): void;
  metrics(): string;
  subscribe(sink: Sink, missed: readonly Attempt[]): boolean;
}

interface Route {
  readonly method: string;
  readonly path: RegExp;
  /** The answer, as JSON, perhaps later. */
  readonly run: (target: ControlTarget, body: never, id: string, call: IncomingCall) => unknown;
}

const done = { ok: true };

const routes: readonly Route[] = [
  { method: "GET", path: /^\/state$/, run: (target) => target.state() },
  {
    method: "GET",
    path: /^\/requests$/,
    run(target, _body, _id, { query }) {
      const scope = query.get("scope");
      const since = Number(query.get("since") ?? 0);
      if (!Number.isFinite(since))
        throw new SimulatorConfigError(`since: got ${query.get("since")}; write a number, as in ?since=120`);
      return target.attempts({ since, ...(scope === null ? {} : { scope }) });
    },
  },
  { method: "POST", path: /^\/reset$/, run: (target, body) => (target.reset(body), done) },
  { method: "PATCH", path: /^\/config$/, run: (target, body) => (target.configure(body), done) },
  { method: "POST", path: /^\/faults$/, run: (target, body) => ({ ids: target.addFault(body) }) },
  { method: "DELETE", path: /^\/faults$/, run: (target) => (target.clearFaults(), done) },
  {
    method: "DELETE",
    path: /^\/faults\/(.+)$/,
    run: (target, _body, id) => (target.removeFault(id) ? done : undefined),
  },
  { method: "POST", path: /^\/scenario$/, run: (target, body) => (target.playScenario(body), done) },
  {
    method: "POST",
    path: /^\/accounts\/(.+)$/,
    run: (target, body, id) => (target.changeAccount(id, body), done),
  },
  {
    method: "POST",
    path: /^\/replicas\/(.+)$/,
    run: (target, body, id) => (target.changeReplica(id, body), done),
  },
  { method: "POST", path: /^\/clock$/, run: moveClock },
];

/** `{ advanceMs }` lets time pass and answers when it has; `{ setNow }` is another moment of the calendar. */
async function moveClock(target: ControlTarget, body: unknown): Promise<unknown> {
  const { advanceMs, setNow } = checkFields("clock", body, ["advanceMs", "setNow"]);
  if ((advanceMs === undefined) === (setNow === undefined))
    refuse("clock", body, "either advanceMs or setNow", '{ "advanceMs": 12000 }');
  if (setNow === undefined) await target.advance(advanceMs as number);
  else target.setNow(setNow as string);
  return done;
}

/** Server-sent events; a reader who comes again says which attempt it has seen last. */
function serveEvents(target: ControlTarget, { headers, query }: IncomingCall, sink: Sink): void {
  const last = headers["last-event-id"] ?? query.get("since");
  const since = last == null ? undefined : Number(last);
  const missed = since === undefined || !Number.isFinite(since) ? [] : target.attempts({ since });
  if (!target.subscribe(sink, missed)) send(sink, 503, mistake("too many readers of events"));
}

/** Any page that is open in the browser could ask otherwise: it need not read an answer to do harm. */
function isForeign({ headers }: IncomingCall): boolean {
  const { host, origin } = headers;
  return origin !== undefined && host !== undefined && origin !== `http://${host}`;
}

/** Serves `/__sim/*`. */
export function serveControl(target: ControlTarget, call: IncomingCall, sink: Sink): void {
  if (isForeign(call))
    return send(sink, 403, mistake("pages of other origins may not control the simulator"));
  const path = call.path.slice("/__sim".length);
  if (call.method === "GET" && (path === "" || path === "/")) return servePage(sink);
  if (call.method === "GET" && path === "/events") return serveEvents(target, call, sink);
  if (call.method === "GET" && path === "/metrics") return sendText(sink, target.metrics());
  for (const { method, path: pattern, run } of routes) {
    const found = method === call.method ? pattern.exec(path) : null;
    if (found === null) continue;
    try {
      const answer = run(target, readBody(call), decodeURIComponent(found[1] ?? ""), call);
      if (answer instanceof Promise) {
        answer.then(
          (value) => send(sink, 200, value),
          (error: Error) => send(sink, 400, mistake(error.message)),
        );
        return;
      }
      return answer === undefined
        ? send(sink, 404, mistake(`nothing here by the name of ${found[1]}`))
        : send(sink, 200, answer);
    } catch (error) {
      if (error instanceof SimulatorConfigError) return send(sink, 400, mistake(error.message));
      throw error;
    }
  }
  const known = [
    "GET /__sim/events",
    "GET /__sim/metrics",
    ...routes.map(
      ({ method, path: pattern }) =>
        `${method} /__sim${pattern.source.replace(/[\\^$]/g, "").replace("(.+)", ":id")}`,
    ),
  ];
  send(sink, 404, mistake(`${call.method} ${call.path}: no such call; there are ${known.join(", ")}`));
}

const mistake = (message: string): unknown => ({ error: { message, type: "simulator_error" } });

/** `undefined` when there is no body. */
function readBody({ body = "" }: IncomingCall): never {
  if (body.trim() === "") return undefined as never;
  try {
    return JSON.parse(body) as never;
  } catch (error) {
    throw new SimulatorConfigError(`body: ${(error as Error).message}; write JSON`);
  }
}

function send(sink: Sink, status: number, value: unknown): void {
  const body = JSON.stringify(value);
  sink.head(status, {
    "Content-Type": "application/json",
    "Content-Length": String(Buffer.byteLength(body)),
  });
  sink.write(body);
  sink.end();
}

function sendText(sink: Sink, body: string): void {
  sink.head(200, {
    "Content-Type": "text/plain; version=0.0.4; charset=utf-8",
    "Content-Length": String(Buffer.byteLength(body)),
  });
  sink.write(body);
  sink.end();
}
