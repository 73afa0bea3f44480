/**
 * A simulated model API behind the real port. It is slow, fails, cuts, forgets to report usage, hangs until it is
 * cancelled, answers after everybody left - and never uses more than the bound that the request proves.
 */
import { refusal } from '../../src/base/errors.ts';
import type { CallId } from '../../src/base/ids.ts';
import type { ModelCall, ModelOutcome, ResponseFacts } from '../../src/base/model.ts';
import type { BackendSpec, ModelBackend, Suspendable } from '../../src/base/ports.ts';
import type { Ticket } from '../../src/base/ticket.ts';
import { NO_USAGE, type Usage } from '../../src/base/usage.ts';
import type { Draws } from './draws.ts';
import type { ModelRequest } from './requests.ts';
import type { LifeClock } from './time.ts';

type Script = 'answers' | 'silent' | 'errs' | 'unreachable' | 'cuts' | 'cutsSilently' | 'hangs' | 'deaf';
const SCRIPTS: Readonly<Record<Script, number>> = {
  answers: 55,
  silent: 8,
  errs: 6,
  unreachable: 4,
  cuts: 6,
  cutsSilently: 6,
  hangs: 6,
  deaf: 9,
};

/** What the provider really spent, and what it said; nothing said is `undefined`. */
export interface Spent {
  readonly truth: Usage;
  readonly reported: Usage | undefined;
  /** Did any byte of the request leave? */
  readonly sent: boolean;
}

export interface Performance {
  readonly ticket: Ticket;
  readonly call: ModelCall;
  spent: Spent | undefined;
  /** It stands still and has given its slot back. */
  suspended: boolean;
}

export interface UpstreamObserver {
  /** The driver is about to send the first byte. Answers what the client had asked for. */
  performs(performance: Performance): ModelRequest | undefined;
}

export class SimBackend implements ModelBackend {
  readonly spec: BackendSpec;
  readonly #clock: LifeClock;
  readonly #draws: Draws;
  readonly #observer: UpstreamObserver;
  /** What runs here and can be stopped. */
  readonly #handles = new Map<CallId, Suspendable>();
  #objects = 0;

  constructor(spec: BackendSpec, clock: LifeClock, draws: Draws, observer: UpstreamObserver) {
    this.spec = spec;
    this.#clock = clock;
    this.#draws = draws;
    this.#observer = observer;
  }

  async close(): Promise<void> {}

  suspendable(call: CallId): Suspendable | undefined {
    return this.spec.keeps === undefined ? undefined : this.#handles.get(call);
  }

  perform(ticket: Ticket, call: ModelCall): Promise<ModelOutcome> {
    ticket.use();
    const draws = this.#draws;
    const script = draws.weighted(SCRIPTS);
    const mute = draws.chance(50);
    const performance: Performance = { ticket, call, spent: undefined, suspended: false };
    const truth = drawUsage(draws, this.#observer.performs(performance));
    return new Promise((resolve) => {
      const spend = (sent: boolean, reported: Usage | undefined) => {
        performance.spent = { truth: reported ?? (sent ? truth : NO_USAGE), reported, sent };
      };
      const finish = (outcome: ModelOutcome) => {
        cancel();
        this.#handles.delete(ticket.call);
        call.signal.removeEventListener('abort', abort);
        resolve(outcome);
      };
      const abort = () => {
        // A driver ends what stands still, whatever its server does.
        if (script === 'deaf' && !performance.suspended) return;
        cancel();
        cancel = this.#clock.after(draws.int(0, 5), () => {
          spend(true, mute ? undefined : truth);
          finish(broken('cancelled', performance.spent?.reported, true));
        });
      };
      const answer = () => {
        if (script === 'unreachable') {
          spend(false, undefined);
          return finish(broken('unreachable', undefined, false));
        }
        if (script === 'cuts' || script === 'cutsSilently') {
          spend(true, script === 'cuts' ? truth : undefined);
          return finish(broken('upstream_cut', performance.spent?.reported, true));
        }
        const failed = script === 'errs';
        const reported = failed || script === 'silent' ? undefined : truth;
        spend(true, failed ? NO_USAGE : reported);
        finish(this.#answer(call, failed, reported));
      };
      let cancel = () => {};
      const run = (ms: number) => {
        const at = this.#clock.now() + ms;
        if (script !== 'hangs') cancel = this.#clock.after(ms, answer);
        this.#handles.set(ticket.call, {
          suspend: () =>
            new Promise((told) => {
              this.#clock.after(draws.int(0, 5), () => {
                const isOver = !this.#handles.has(ticket.call) || call.signal.aborted;
                if (isOver) return told(false);
                cancel();
                performance.suspended = true;
                told(true);
              });
            }),
          proceed: () => {
            performance.suspended = false;
            run(Math.max(1, at - this.#clock.now()));
          },
        });
      };
      run(draws.int(1, 4000));
      if (this.spec.keeps !== undefined)
        this.#clock.after(draws.int(1, 2000), () => call.written?.(draws.int(1, 400)));
      call.signal.addEventListener('abort', abort, { once: true });
    });
  }

  #answer(call: ModelCall, upstreamError: boolean, usage: Usage | undefined): ModelOutcome {
    call.sink.head(upstreamError ? 500 : 200, []);
    const facts = factsOf(usage);
    const objects = this.#draws.chance(15) ? [`${this.spec.id}-${this.#objects++}`] : [];
    return {
      kind: 'answered',
      status: upstreamError ? 500 : 200,
      headers: [],
      headSent: true,
      tail: Buffer.from('the end'),
      facts: { ...facts, objects },
      upstreamError,
      firstByteAtMs: this.#clock.now(),
      bytesOut: 7,
    };
  }
}

const factsOf = (usage: Usage | undefined): ResponseFacts => ({
  ...(usage ? { usage } : {}),
  intents: [],
  objects: [],
});

const broken = (
  code: 'cancelled' | 'upstream_cut' | 'unreachable',
  usage: Usage | undefined,
  sent: boolean,
): ModelOutcome => ({
  kind: 'broken',
  refusal: refusal(code, `simulated: ${code}`),
  headSent: false,
  facts: factsOf(usage),
  bytesOut: 0,
  eventsOut: 0,
  sent,
});

/** More than an estimate now and then, never more than the bound. Counting tokens and reading objects use none. */
function drawUsage(draws: Draws, request: ModelRequest | undefined): Usage {
  if (!request || request.kind === 'model.count' || request.kind === 'model.object') return NO_USAGE;
  const most = request.most ?? { tokensIn: request.body.length, tokensOut: 900 };
  const full = draws.chance(15);
  const tokensIn = full ? most.tokensIn : draws.int(1, most.tokensIn);
  const output = full ? most.tokensOut : draws.int(0, most.tokensOut);
  const cacheRead = draws.chance(30) ? draws.int(0, tokensIn) : 0;
  const cacheWrite = draws.chance(30) ? draws.int(0, tokensIn - cacheRead) : 0;
  return { input: tokensIn - cacheRead - cacheWrite, cacheRead, cacheWrite, output, reasoning: 0 };
}
