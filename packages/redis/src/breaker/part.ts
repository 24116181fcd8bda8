import {
  type Admission,
  type BreakerAsk,
  type BreakerConfig,
  type BreakerStore,
  chain,
  type ConfigMismatch,
  type MaybePromise,
  type Ticket,
  type Transition,
} from "@breakwater/core";

import type { Context, Part, Pending } from "../decide/part.ts";
import { breakerTerms } from "../presence/terms.ts";
import { type Circuit, untold } from "./circuit.ts";
import { createCircuits } from "./circuits.ts";
import { CHANCES, FIRST_PROBE, fragment, numbersOf, PROBE, REFUSED, SIZE } from "./fragment.ts";
import { operations } from "./operations.ts";
import { createServerClock } from "./shared.ts";
import { createTelling, lifeOf, micros } from "./telling.ts";

/** Circuits of many processes: each counts for itself, and what is decided is decided together. */
export interface BreakerPart
  extends Part<BreakerAsk, Admission>, Pick<BreakerStore, "record" | "provisional" | "force" | "snapshot"> {
  /** Hears no hints any more. */
  close(): void;
}

type Admitted = Extract<Admission, { readonly ticket: Ticket }>;

/** Who probes for all: its ticket says by which id. */
interface ProbeTicket extends Ticket {
  readonly id: string;
  /** What became of its first token, which is told before its end. */
  token?: Promise<Transition | undefined>;
}

/** Circuits that are asked for at a heartbeat: those that are not well, and some of the others in turn. */
const AT_A_BEAT = 64;

export function createBreakerPart(context: Context): BreakerPart {
  const { link, runtime, scope, presence, agreement } = context;
  const clock = createServerClock(runtime);
  const telling = createTelling(context, clock);
  const lost = (circuit: Circuit): void => void telling.look(circuit, true);
  const circuits = createCircuits({ scope, runtime, clock, lost });
  let ids = 0;
  let endHints: (() => void) | undefined;

  /** From the first ask on, and not before: it is a connection. */
  function hearHints(): void {
    endHints ??= link.subscribe(telling.channel, (message) => {
      const cut = message.lastIndexOf(" ");
      // The server knows a key with the `keyPrefix` of the client, if that has one, and we without.
      const circuit = circuits.find(message.slice(message.indexOf(scope.key("breaker")), cut));
      if (circuit === undefined || circuit.shared?.epoch === Number(message.slice(cut))) return;
      circuit.doubt();
      void telling.look(circuit);
    });
  }

  // Whatever happens while Redis is away, it is asked first when it is back.
  const endWatch = link.onChange((up) => {
    if (!up) for (const circuit of circuits.all()) circuit.doubt();
  });

  presence.onBeat((again) => {
    for (const circuit of circuits.some(AT_A_BEAT)) {
      void telling
        .look(circuit, again)
        .then(() => (circuit.aloneMs > 0 ? telling.vote(circuit, false) : undefined));
    }
  });

  function begin(ask: BreakerAsk, alone: boolean): MaybePromise<Pending<Admission>> {
    const agreed = agreement.on(breakerTerms, ask.name, ask.config, ask.version);
    return chain(agreed, ({ mismatch }) => start(ask, alone, mismatch));
  }

  function start(ask: BreakerAsk, alone: boolean, mismatch: ConfigMismatch | undefined): Pending<Admission> {
    hearHints();
    const circuit = circuits.get(ask.name, ask.key, ask.config);
    circuit.tick(ask.now);
    const { fresh } = circuit;
    const shut = fresh ? circuit.shut() : undefined;
    if (shut !== undefined) return known(withNews(circuit, { retryAfterMs: shut }, mismatch));
    if (!circuit.ours) return pending(circuit, ask, undefined, mismatch);
    const own = circuit.own.admit(ask.now, ask.random);
    if ((alone && fresh) || !("ticket" in own)) return known(withNews(circuit, own, mismatch));
    return pending(circuit, ask, own, mismatch);
  }

  /** @param own what this process's own count has admitted it with, where that has a say */
  function pending(
    circuit: Circuit,
    ask: BreakerAsk,
    own: Admitted | undefined,
    mismatch: ConfigMismatch | undefined,
  ): Pending<Admission> {
    const id = `${presence.instance}-${ids++}`;
    const giveBack = (): void => {
      if (own !== undefined) circuit.own.record(own.ticket, "ignored", false, ask.now);
    };
    const say = (admission: Admission): Admission => withNews(circuit, admission, mismatch);
    return {
      shape: "b",
      write(keys, args) {
        keys.push(circuit.keys[0], circuit.keys[1]);
        args.push(id, Math.floor(ask.random * CHANCES), numbers(ask.config));
      },
      read(values, at, taken) {
        clock.hear(values[1] as number);
        const changed = circuit.hear(values[at + 2] as string);
        const { shared } = circuit;
        const verdict = values[at] as number;
        if (verdict === REFUSED) {
          giveBack();
          const waitMs = (values[at + 1] as number) / 1_000;
          if (shared?.status === "half-open") circuit.probing(waitMs);
          return say({ retryAfterMs: shared?.status === "forced-open" ? ask.config.openForMs : waitMs });
        }
        if (!taken) {
          giveBack();
          return { ticket: untold(ask.now) };
        }
        if (verdict === PROBE || verdict === FIRST_PROBE) {
          giveBack();
          const ticket: ProbeTicket = { epoch: shared?.epoch ?? 0, probe: true, startedAt: ask.now, id };
          return say(verdict === FIRST_PROBE ? { ticket, transition: "half-open" } : { ticket });
        }
        return say(own === undefined || changed ? circuit.admitAnyway(ask) : own);
      },
      idle() {
        giveBack();
        return { ticket: untold(ask.now) };
      },
      lost() {
        giveBack();
        // Should it have been elected: the next one need not wait for its lease.
        void telling.verdict(circuit, { id, epoch: 0, result: "ignored", begun: false });
      },
    };
  }

  /** What this process has found out by itself: told to its listeners, and to the others. */
  function found(
    circuit: Circuit,
    transition: Transition | undefined,
    trip: boolean,
  ): MaybePromise<Transition | undefined> {
    if (transition === undefined) {
      telling.wellAgain(circuit);
      return undefined;
    }
    circuit.told(transition);
    if (transition === "close") void telling.unvote(circuit);
    // Told once the others know: how long it is open may be theirs to say.
    return transition === "open" ? telling.vote(circuit, trip).then(() => transition) : transition;
  }

  return {
    fragment: (_shape, place) => fragment(place),
    size: () => SIZE,
    begin,
    operations,

    local(ask) {
      const circuit = circuits.get(ask.name, ask.key, ask.config);
      circuit.tick(ask.now);
      return withNews(circuit, circuit.own.admit(ask.now, ask.random), undefined);
    },

    undo(ask, reply) {
      if ("ticket" in reply)
        circuits.peek(ask.name, ask.key)?.own.record(reply.ticket, "ignored", false, ask.now);
    },

    record(ask, ticket, { result, slow, trip, now }) {
      const circuit = circuits.peek(ask.name, ask.key);
      if (circuit === undefined) return undefined;
      if (!isProbe(ticket)) return found(circuit, circuit.own.record(ticket, result, slow, now, trip), trip);
      const said = result === "success" && slow ? "failure" : result;
      const { id, epoch } = ticket;
      return chain(ticket.token, () =>
        telling.verdict(circuit, { id, epoch, result: said, begun: ticket.begun === true }),
      );
    },

    provisional(ask, ticket, now, slow) {
      const circuit = circuits.peek(ask.name, ask.key);
      if (circuit === undefined) return undefined;
      if (!isProbe(ticket)) return found(circuit, circuit.own.provisional(ticket, now, slow), false);
      const { id, epoch } = ticket;
      ticket.token = telling.verdict(circuit, { id, epoch, result: "token", begun: false }, (held) => {
        ticket.begun = held;
      });
      return ticket.token;
    },

    force(name, key, config, to, now) {
      const circuit = circuits.get(name, key, config);
      circuit.tick(now);
      // Here at once, whether Redis can be told or not.
      circuit.own.force(to, now);
      return telling.force(circuit, to);
    },

    snapshot(name, now) {
      const away = !link.up;
      return Object.fromEntries(
        Array.from(circuits.of(name), (circuit) => [circuit.key, circuit.snapshot(now, away)]),
      );
    },

    close() {
      endWatch();
      endHints?.();
      endHints = undefined;
    },
  };
}

const isProbe = (ticket: Ticket): ticket is ProbeTicket => "id" in ticket;

const texts = new WeakMap<BreakerConfig, string>();

/** Made once for each configuration. */
function numbers(config: BreakerConfig): string {
  let text = texts.get(config);
  if (text === undefined) {
    const { probes, probeLeaseMs, rampMs } = config;
    text = numbersOf(probes, micros(probeLeaseMs), micros(rampMs), lifeOf(config));
    texts.set(config, text);
  }
  return text;
}

const nothing = (): void => undefined;

function known(reply: Admission): Pending<Admission> {
  const refuses = !("ticket" in reply);
  return {
    shape: "b",
    known: { reply, refuses },
    write: nothing,
    read: () => reply,
    idle: () => reply,
    lost: nothing,
  };
}

/** Says with it what has changed, so that each process hears of it, and not only the one that brought it about. */
function withNews(circuit: Circuit, admission: Admission, mismatch: ConfigMismatch | undefined): Admission {
  if (admission.transition !== undefined) circuit.told(admission.transition);
  const transition = admission.transition ?? circuit.news();
  if (transition === admission.transition && mismatch === undefined) return admission;
  return { ...admission, ...(transition && { transition }), ...(mismatch && { mismatch }) };
}
