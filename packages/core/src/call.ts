import { type Birth, type ForkOptions, PLAIN, type Priority, type Trip } from "./call-options.ts";
import { endingOf } from "./ending.ts";
import type { Any, Host, Policy } from "./handler.ts";
import { bothUsages } from "./internal/usage.ts";
import type { Mark, Watcher } from "./marks.ts";
import type { Ending, Failed, Meta, Outcome, Usage } from "./outcome.ts";
import type { CancelTimer, Runtime } from "./runtime.ts";
import { followSignal, linkSignal, unlinkSignal } from "./signals.ts";

type Finalizer = (ending: Ending) => void;

/** What waits for the verdict, the last one first: linked, since nearly every call has one or two. */
interface Deferred {
  readonly f: Finalizer | (() => void);
  /** Whether it is told the ending. Making one costs a look at the clock. */
  readonly told: boolean;
  readonly earlier: Deferred | undefined;
}

/** What waits for the work to stop, linked in the same way. */
interface Hold {
  readonly f: Finalizer | (() => void);
  readonly graceMs: number;
  readonly told: boolean;
  readonly earlier: Hold | undefined;
  done: boolean;
}

/** Policies that act on a call, innermost first. Forks share the tail. */
interface Entered {
  readonly policy: Policy;
  /** When that is over, a call inside that goes on has the policy behind it. */
  readonly call: Call<Any>;
  readonly outer: Entered | undefined;
}

/** How an abort concludes the attempt that owns the clock; what runs inside it is merely cancelled. */
export type AbortVerdict = Omit<Failed, "meta">;

const RUNNING = 0;
/** Answered with a stream that is still being read. */
const STREAMING = 1;
/** The verdict is known: `defer` has run. */
const JUDGED = 2;
/** The work has stopped as well: `hold` has run. */
const STOPPED = 3;

/**
 * One attempt at a request: where cancellation, progress and clean-up meet. A client makes the first one, every
 * `around` forks further ones inside it. It ends exactly once, in two moments: when its verdict is known (`defer`)
 * and when its work has really stopped (`hold`).
 */
export class Call<Req> {
  readonly request: Req;
  readonly trip: Trip;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Targets that a balancer should not pick again. */
  readonly avoid: readonly string[];
  /** Whether nothing around it ends it. */
  readonly detached: boolean;
  /** Whether its stream is read on by a stream of the call around it. */
  readonly carried: boolean;
  /** Whether it was made by a client in the work of the call around it: what that answers does not end it. */
  readonly guest: boolean;

  /** When it left for the upstream; undefined if it never did. Monotonic ms, as are all times here. */
  dispatchedAt: number | undefined = undefined;
  firstTokenAt: number | undefined = undefined;
  /**
   * Set by the upstream as soon as it is known, also in the middle of a stream. Of a call with attempts inside: the
   * latest one's. Of one whose work made calls: theirs together, unless that work has set it itself.
   */
  usage: Usage | undefined = undefined;
  /** What calls inside have told of it, to know it from what the work has set. */
  #learnt: Usage | undefined = undefined;
  /** Whether calls that its work made have told of it: their own attempts tell it, too. */
  #learntFromGuests = false;
  #target: string | undefined = undefined;
  #model: string | undefined = undefined;
  #parent: Call<Any> | undefined;
  // What bounds this attempt itself, and for a call that nothing around it bounds, what it began with.
  #limit = Infinity;
  #answerBy = Infinity;
  #until: number;

  // Undefined until somebody needs it: most calls need little of it.
  #state: typeof RUNNING | typeof STREAMING | typeof JUDGED | typeof STOPPED = RUNNING;
  #controller: AbortController | undefined = undefined;
  #aborted = false;
  #reason: unknown = undefined;
  #verdict: AbortVerdict | undefined = undefined;
  #abortListeners: Set<(reason: unknown) => void> | undefined = undefined;
  #pending: Promise<unknown> | undefined = undefined;
  #settle: ((outcome: Outcome<Any>) => void) | undefined = undefined;
  #deferred: Deferred | undefined = undefined;
  #holds: Hold | undefined = undefined;
  #watchers: Watcher[] | undefined = undefined;
  #work: Promise<unknown> | undefined = undefined;
  #stream: Promise<Ending> | undefined = undefined;
  #answer: Outcome<Any> | undefined = undefined;
  /** The attempt around this one that passes its stream on, and so ends with it. */
  #carrier: Call<Any> | undefined = undefined;
  #result: Outcome<Any> | undefined = undefined;
  #ending: Ending | undefined = undefined;
  #entered: Entered | undefined = undefined;
  #follows: AbortSignal[] | undefined = undefined;
  // Attempts that run inside this one: a linked list, since nearly always there is one at a time.
  #firstChild: Call<Any> | undefined = undefined;
  #next: Call<Any> | undefined = undefined;
  #previous: Call<Any> | undefined = undefined;

  constructor(request: Req, trip: Trip, parent: Call<Any> | undefined, options: Birth) {
    this.request = request;
    this.trip = trip;
    this.#parent = parent;
    this.attempt = options.attempt ?? 1;
    this.avoid = options.avoid ?? parent?.avoid ?? NOBODY;
    this.detached = options.detached === true;
    this.carried = options.carried === true;
    this.guest = options.guest === true;
    this.#until = parent?.deadline ?? Infinity;
    if (parent !== undefined) this.#entered = this.guest ? acting(parent.#entered) : parent.#entered;
    if (parent !== undefined && !this.detached) parent.#adopt(this);
  }

  /** The call around it. Of one that goes on when that is over, the next one around, if there is any. */
  get parent(): Call<Any> | undefined {
    return this.#parent;
  }
  get id(): string {
    return this.trip.meta.callId;
  }
  /** As `id`, but of no other call in this process. */
  get serial(): number {
    return this.trip.serial;
  }
  get tenant(): string | undefined {
    return this.trip.tenant;
  }
  get priority(): Priority {
    return this.trip.priority;
  }
  /** One object, shared by all attempts of the call and given out with its outcome. */
  get meta(): Meta {
    return this.trip.meta;
  }
  get host(): Host {
    return this.trip.host;
  }
  get runtime(): Runtime {
    return this.trip.host.runtime;
  }

  // --- Who is asked: said by the upstream, and true of this attempt, whatever others of the call do beside or behind it ---

  get target(): string | undefined {
    return this.#target;
  }
  get model(): string | undefined {
    return this.#model;
  }

  /** For upstreams, before they mark `dispatched`. In `meta` stands what was said last. */
  sendTo(target: string | undefined, model?: string): void {
    const { meta } = this.trip;
    this.#target = target;
    this.#model = model;
    // What another attempt has said is not true of this one.
    if (target !== undefined) meta.target = target;
    else if (meta.target !== undefined) delete meta.target;
    if (model !== undefined) meta.model = model;
    else if (meta.model !== undefined) delete meta.model;
  }

  /** For upstreams: it was another model that answered. */
  answeredBy(model: string): void {
    if (this.#state >= JUDGED) return;
    this.#model = this.trip.meta.model = model;
  }

  // --- Cancellation ---

  /** Fires when the caller leaves or a clock around this attempt runs out. Made when it is first read: most handlers never do. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#state < JUDGED) linkSignal(this.#controller.signal, this);
      if (this.#aborted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  get aborted(): boolean {
    return this.#aborted;
  }
  /** The reason of the abort, as it was given. */
  get reason(): unknown {
    return this.#reason;
  }
  /** Whether the verdict is known. Work may still go on. */
  get ended(): boolean {
    return this.#state >= JUDGED;
  }

  /**
   * Ends the attempt now, whatever its work does. With a `verdict` it comes to that failure (for the clock that owns
   * it), without one it is cancelled; what runs inside it is cancelled either way.
   */
  abort(reason: unknown, verdict?: AbortVerdict): void {
    if (this.#aborted || this.#state >= JUDGED) return;
    this.#aborted = true;
    this.#reason = reason;
    this.#verdict = verdict;
    this.#controller?.abort(reason);
    this.#abortChildren(reason);
    if (this.#abortListeners !== undefined)
      for (const listener of this.#abortListeners) this.#isolate(listener, reason);
    if (this.#state === RUNNING) this.#interrupt();
    else if (this.#state === STREAMING) {
      // A relay of ours has ended it by now; this is the stream of somebody who has not noticed.
      this.leaves(this.#stream as Promise<Ending>);
      this.finish(this.abortOutcome());
    }
  }

  /** What the abort makes of this attempt. */
  abortOutcome(): Outcome<never> {
    const { meta } = this.trip;
    return this.#verdict === undefined
      ? { status: "cancelled", reason: this.#reason, meta }
      : { ...this.#verdict, meta };
  }

  /** Calls `f` when the attempt is aborted, at once if it was. @returns a function that takes it back. */
  onAbort(f: (reason: unknown) => void): () => void {
    if (this.#aborted) {
      f(this.#reason);
      return nothing;
    }
    const listeners = (this.#abortListeners ??= new Set());
    listeners.add(f);
    return () => void listeners.delete(f);
  }

  /** Cancels the call when `signal` fires. One listener per signal, however many calls share it. */
  follow(signal: AbortSignal): void {
    if (signal.aborted) this.abort(signal.reason);
    else {
      (this.#follows ??= []).push(signal);
      this.#deferBlind(followSignal(signal, this));
    }
  }

  // --- Time ---

  /** Last moment at which an answer is of use; `Infinity` when nobody said. */
  get deadline(): number {
    const own = this.#state === STREAMING ? this.#limit : Math.min(this.#limit, this.#answerBy);
    return Math.min(this.#deadlineAround, own);
  }

  get #deadlineAround(): number {
    return this.#parent === undefined || this.detached ? this.#until : this.#parent.deadline;
  }

  /** Milliseconds until the deadline, never negative; `Infinity` without one. */
  get remainingMs(): number {
    const { deadline } = this;
    return deadline === Infinity ? Infinity : Math.max(0, deadline - this.runtime.now());
  }

  /** Brings the deadline forward for this attempt and what is inside it; never back. */
  limitDeadline(at: number): void {
    if (at < this.#limit) this.#limit = at;
  }

  /** As `limitDeadline`, up to the answer, or to a stream's first token: what is done after it has until the deadline again. */
  limitAnswer(at: number): void {
    if (at < this.#answerBy) this.#answerBy = at;
  }

  /** Somebody joined a detached call who can wait longer: what it runs now may take longer, within limits of its own. */
  extendDeadline(at: number): void {
    if (at > this.#until) this.#until = at;
  }

  /** Resolves after `ms`, or as soon as the attempt is aborted; look at `aborted` then. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      let forget = nothing;
      const cancel = this.runtime.setTimer(ms, () => {
        forget();
        resolve();
      });
      forget = this.onAbort(() => {
        cancel();
        resolve();
      });
    });
  }

  /** A timer that is gone when the verdict is known. */
  timer(ms: number, f: () => void): CancelTimer {
    const cancel = this.runtime.setTimer(ms, f);
    this.#deferBlind(cancel);
    return cancel;
  }

  // --- Progress ---

  /** Tells progress to whoever watches this attempt, or one that it is part of. */
  mark(mark: Mark): void {
    if (this.#state >= JUDGED) return;
    const at = this.runtime.now();
    this.#markUp(mark, at);
    if (mark === "dispatched" && this.host.events.listening) this.#tellAttempt(at);
  }

  /** For single-flight.ts: progress of an attempt that others share, which is told as an attempt where it is made. */
  markShared(mark: Mark): void {
    if (this.#state < JUDGED) this.#markUp(mark, this.runtime.now());
  }

  #markUp(mark: Mark, at: number): void {
    let call: Call<Any> | undefined = this as Call<Any>;
    let told: Meta | undefined;
    // What work asks on its way is no further attempt at that work.
    let counts = mark === "dispatched";
    while (call !== undefined) {
      if (counts && call.meta !== told) call.meta.attempts++;
      told = call.meta;
      call.#marked(mark, at);
      if (call.guest) counts = false;
      call = call.detached ? undefined : call.parent;
    }
  }

  #tellAttempt(startedAt: number): void {
    const { host, meta } = this;
    const attempt = meta.attempts;
    host.events.emit({ type: "attempt-start", attempt, ...this.#where() }, this);
    this.defer((ending) => {
      const own = this.#learntFromGuests ? withoutUsage(ending) : ending;
      // Asked again: the upstream may have said that it was another model.
      host.events.emit({ type: "attempt-end", attempt, ending: own, startedAt, ...this.#where() }, this);
    });
  }

  #where(): { readonly target?: string; readonly model?: string } {
    const target = this.#target;
    const model = this.#model;
    if (target === undefined) return model === undefined ? NOWHERE : { model };
    return model === undefined ? { target } : { target, model };
  }

  #marked(mark: Mark, at: number): void {
    if (mark === "dispatched") this.dispatchedAt ??= at;
    else if (mark === "token" && this.firstTokenAt === undefined) {
      this.firstTokenAt = at;
      this.meta.firstTokenMs ??= at - this.trip.startedAt;
    }
    if (this.#watchers !== undefined) for (const watcher of this.#watchers) watcher(mark, at);
  }

  /** Sees the marks of this attempt and of those inside it. */
  watch(watcher: Watcher): void {
    if (this.#watchers === undefined) this.#watchers = [watcher];
    else this.#watchers.push(watcher);
  }

  // --- Clean-up ---

  /** Runs `f` once, when the verdict is known, the last one first; at once if it is. A throw becomes an event. */
  defer(f: Finalizer): void {
    if (this.#state >= JUDGED) this.#run(f);
    else this.#deferred = { f, told: true, earlier: this.#deferred };
  }

  /** As `defer`, for what need not be told the ending. */
  #deferBlind(f: () => void): void {
    if (this.#state >= JUDGED) this.#isolate(f, undefined);
    else this.#deferred = { f, told: false, earlier: this.#deferred };
  }

  /**
   * Runs `f` once, when the work has really stopped. That is later than `defer` if a clock answered the caller while
   * work that ignores its signal runs on, but at most `graceMs` later.
   */
  hold(f: Finalizer, graceMs: number): void {
    this.#keep({ f, graceMs, told: true, earlier: this.#holds, done: false });
  }

  /** For scope.ts alone: a hold that is not told the ending, so that a call that nobody else watches needs none. */
  holdBlind(f: () => void, graceMs: number): void {
    this.#keep({ f, graceMs, told: false, earlier: this.#holds, done: false });
  }

  #keep(hold: Hold): void {
    if (this.#state === STOPPED) this.#let(hold);
    else if (this.#state === JUDGED) this.#releaseLater(hold);
    else this.#holds = hold;
  }

  /** What the attempt came to; undefined while it runs. */
  get ending(): Ending | undefined {
    if (this.#ending === undefined && this.#result !== undefined) this.#ending = endingOf(this.#result, this);
    return this.#ending;
  }

  // --- Attempts inside, and policies around ---

  /** A further attempt inside this one. Give it to `next`. */
  fork(options: ForkOptions<Req> = PLAIN): Call<Req> {
    const request = "request" in options ? options.request : this.request;
    // The caller may have his answer long before a detached call ends: it must not write into his meta.
    const trip = options.detached ? { ...this.trip, meta: { callId: this.id, attempts: 0 } } : this.trip;
    return new Call(request, trip, this, options);
  }

  /** False if this policy instance acts on the call already: in a client inside a client it counts once. */
  enter(policy: Policy): boolean {
    for (let entry = this.#entered; entry !== undefined; entry = entry.outer)
      if (entry.policy === policy && !entry.call.ended) return false;
    this.#entered = { policy, call: this as Call<Any>, outer: this.#entered };
    return true;
  }

  /** Whether another policy of the same kind acts on the call already, here or in a client around this one. */
  nested(policy: Policy): boolean {
    for (let entry = this.#entered; entry !== undefined; entry = entry.outer) {
      if (entry.policy.kind === policy.kind && entry.policy !== policy && !entry.call.ended) return true;
    }
    return false;
  }

  #adopt(child: Call<Any>): void {
    if (this.#aborted) child.abort(this.#reason);
    child.#previous = undefined;
    child.#next = this.#firstChild;
    if (this.#firstChild !== undefined) this.#firstChild.#previous = child;
    this.#firstChild = child;
  }

  #orphan(child: Call<Any>): void {
    if (child.#previous !== undefined) child.#previous.#next = child.#next;
    else if (this.#firstChild === child) this.#firstChild = child.#next;
    if (child.#next !== undefined) child.#next.#previous = child.#previous;
  }

  #abortChildren(reason: unknown): void {
    let child = this.#firstChild;
    while (child !== undefined) {
      const next: Call<Any> | undefined = child.#next;
      child.abort(reason);
      child = next;
    }
  }

  /** Ends what is of no use behind this outcome: attempts whose answer it is not, and guests if it is no answer. */
  #endUnused(outcome: Outcome<Any>): void {
    const end = outcome.status === "answered" ? outcome.end : undefined;
    let child = this.#firstChild;
    while (child !== undefined) {
      const next: Call<Any> | undefined = child.#next;
      const used = child.guest
        ? outcome.status === "answered"
        : end !== undefined && (child.#stream === end || child.carried);
      if (!used) child.abort(DISCARDED);
      child = next;
    }
  }

  /**
   * Ends guests, which nothing else would tell. For relay.ts: a source that is in the middle of a read hears only
   * after it that its reader has left.
   */
  endGuests(): void {
    let child = this.#firstChild;
    while (child !== undefined) {
      const next: Call<Any> | undefined = child.#next;
      if (child.guest) child.abort(DISCARDED);
      child = next;
    }
  }

  /** Leaves guests that go on behind an answer to what is around this call: the call there, and the signals it followed. */
  #leaveGuests(): void {
    let child = this.#firstChild;
    while (child !== undefined) {
      const next: Call<Any> | undefined = child.#next;
      if (child.guest) this.#leave(child);
      child = next;
    }
  }

  #leave(guest: Call<Any>): void {
    const heir = this.detached ? undefined : this.#parent;
    this.#orphan(guest);
    guest.#previous = guest.#next = undefined;
    guest.#parent = heir;
    guest.#until = this.#deadlineAround;
    guest.limitDeadline(this.#limit);
    if (this.#follows !== undefined) for (const signal of this.#follows) guest.follow(signal);
    if (heir === undefined) return;
    if (heir.ended) heir.#leave(guest);
    else heir.#adopt(guest);
  }

  // --- For attempt.ts, which starts and concludes every call; one that is over before it began is concluded by who made it ---

  /** The handler goes on as `work`. `settle` is told what the call came to if it is aborted before that is over. */
  begin(work: Promise<unknown>, settle: (outcome: Outcome<Any>) => void): void {
    this.#pending = work;
    this.#settle = settle;
    // It may have been aborted in the synchronous part of its handler, when there was nobody to interrupt.
    if (this.#aborted) this.#interrupt();
  }

  #interrupt(): void {
    const settle = this.#settle;
    if (settle === undefined) return; // It has not begun: attempt() looks at `aborted` first.
    this.leaves(this.#pending as Promise<unknown>);
    const outcome = this.abortOutcome();
    this.conclude(outcome);
    settle(outcome);
  }

  /** Work that an early verdict leaves behind, here and for everybody around: their permits wait for it too. */
  leaves(work: Promise<unknown>): void {
    let call: Call<Any> | undefined = this as Call<Any>;
    while (call !== undefined) {
      call.#work = call.#work === undefined ? work : bothOver(call.#work, work);
      call = call.detached ? undefined : call.parent;
    }
  }

  /** The handler has come to `outcome`. Attempts inside that it did not use are ended with it. */
  conclude(outcome: Outcome<Any>): void {
    if (this.#state !== RUNNING) return;
    const end = outcome.status === "answered" ? outcome.end : undefined;
    if (this.#firstChild !== undefined) this.#endUnused(outcome);
    if (end === undefined) {
      this.finish(outcome);
      return;
    }
    this.#state = STREAMING;
    this.#stream = end;
    this.#answer = outcome;
    this.#pending = this.#settle = undefined;
    this.#marked("answered", this.runtime.now());
    // Told twice: at once by a relay of ours, and by the promise for streams of others.
    for (let child = this.#firstChild; child !== undefined; child = child.#next) {
      if (child.#stream === end) child.#carrier = this;
    }
    void end.then((ending) => this.endStream(ending));
  }

  /** The stream that the attempt was answered with is over. */
  endStream(ending: Ending): void {
    if (this.#state !== STREAMING) return;
    if (this.#aborted) this.finish(this.abortOutcome());
    else {
      this.#ending = ending;
      // Not before its source has stopped, which leaves the streams that it reads in the right way.
      if (ending.status !== "answered" && this.#firstChild !== undefined)
        this.holdBlind(() => this.endGuests(), GUEST_GRACE_MS);
      this.finish(this.#answer as Outcome<Any>);
    }
    this.#carrier?.endStream(ending);
  }

  /** The verdict, once. */
  finish(outcome: Outcome<Any>): void {
    if (this.#state >= JUDGED) return;
    if (this.#firstChild !== undefined && (this.#ending ?? outcome).status === "answered")
      this.#leaveGuests();
    this.#state = JUDGED;
    this.#result = outcome;
    this.#pending = this.#settle = undefined;
    this.#abortListeners = undefined;
    this.#watchers = undefined;
    this.#entered = undefined;
    if (this.#controller !== undefined) unlinkSignal(this.#controller.signal);
    if (this.parent !== undefined && !this.detached) {
      this.parent.#orphan(this);
      if (this.usage !== undefined && !this.carried) this.parent.#learn(this.usage, this.guest);
    }
    let deferred = this.#deferred;
    this.#deferred = undefined;
    for (; deferred !== undefined; deferred = deferred.earlier) this.#tell(deferred);
    const holds = this.#holds;
    this.#holds = undefined;
    if (this.#work === undefined) this.#state = STOPPED;
    if (holds === undefined) return;
    if (this.#work === undefined) this.#release(holds);
    else this.#releaseLater(holds);
  }

  /**
   * Of its attempts, the latest one's: what was told outweighs what is estimated, as of a lane that was given up. Of
   * guests, what they have used together; work that passes on what they told, as a stream that it reads, has counted it.
   */
  #learn(usage: Usage, ofGuest: boolean): void {
    const known = this.usage;
    if (ofGuest) this.#learntFromGuests = true;
    if (ofGuest && known !== undefined) {
      if (known === this.#learnt) this.usage = this.#learnt = bothUsages(known, usage);
    } else if (usage.estimated !== true || known === undefined || known.estimated === true)
      this.usage = this.#learnt = usage;
  }

  #release(last: Hold): void {
    for (let hold: Hold | undefined = last; hold !== undefined; hold = hold.earlier) this.#let(hold);
  }

  #let(hold: Hold): void {
    if (hold.done) return;
    hold.done = true;
    this.#tell(hold);
  }

  #tell({ f, told }: Deferred | Hold): void {
    if (told) this.#run(f);
    else this.#isolate(f as () => void, undefined);
  }

  /** Runs holds as soon as the work has stopped, each no later than its grace. */
  #releaseLater(last: Hold): void {
    const timers: CancelTimer[] = [];
    for (let hold: Hold | undefined = last; hold !== undefined; hold = hold.earlier) {
      const each = hold;
      timers.push(this.runtime.setTimer(each.graceMs, () => this.#let(each)));
    }
    const stopped = (): void => {
      this.#state = STOPPED;
      for (const cancel of timers) cancel();
      this.#release(last);
    };
    (this.#work as Promise<unknown>).then(stopped, stopped);
  }

  #run(f: Finalizer): void {
    this.#isolate(f, this.ending as Ending);
  }

  /** A throw of one clean-up must not keep the others from running. */
  #isolate<A>(f: (argument: A) => void, argument: A): void {
    try {
      f(argument);
    } catch (error) {
      this.host.events.emit({ type: "callback-throw", where: "clean-up", error }, this);
    }
  }
}

/** Without what is over: a call may begin the next one before it ends, and that one the next, for ever. */
function acting(entry: Entered | undefined): Entered | undefined {
  if (entry === undefined) return undefined;
  const outer = acting(entry.outer);
  if (entry.call.ended) return outer;
  return outer === entry.outer ? entry : { ...entry, outer };
}

/** Without what they came to: a call that goes on for days would keep that of each stream that was left in it. */
function bothOver(one: Promise<unknown>, other: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    let running = 2;
    const over = (): void => {
      if (--running === 0) resolve();
    };
    one.then(over, over);
    other.then(over, over);
  });
}

/** Those tokens are told once: by the attempts that have used them. */
function withoutUsage({ usage: _, ...ending }: Ending): Ending {
  return ending;
}

const NOBODY: readonly string[] = [];
const NOWHERE = {};
const nothing = (): void => {};

/** How long a source whose reader has left may take to leave the streams that it reads. */
const GUEST_GRACE_MS = 1_000;

/**
 * The reason with which work that is of no use any more is cancelled: a hedge that lost, a result that was retried,
 * what a call that failed had started. An AbortError, since that work sees it as the reason of its signal.
 */
export const DISCARDED: Error = /* @__PURE__ */ Object.assign(
  new Error("cancelled: what this was done for is over, or has another answer"),
  { name: "AbortError" },
);
