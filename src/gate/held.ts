/**
 * The coverage level `held`: an answer is withheld until each tool call in it is decided. All permitted: its bytes go
 * out unchanged. Any denied: the client never sees it, and the gate makes a further turn of the model itself, in which
 * every call is answered by a refusal. Invariant: no byte of an answer with an undecided or denied call leaves.
 */
import { header } from '../agents/identity.ts';
import { type ErrorCode, type Refusal, refusal } from '../base/errors.ts';
import { newCallId } from '../base/ids.ts';
import type { ModelCall, ResponseSink, TransformName } from '../base/model.ts';
import { Recent } from '../base/recent.ts';
import type { SyscallKind, ToolCall } from '../base/syscall.ts';
import type { Answer, AskedCall, RefusedCall } from '../wire/dialect.ts';
import { decodeBody } from '../wire/encoding.ts';
import { errorText } from '../wire/errors.ts';
import { DIALECTS } from '../wire/registry.ts';
import { Flight } from './flight.ts';
import type { Gate, Walked } from './gate.ts';
import { LIMITS } from './limits.ts';
import { withdraw } from './outcomes.ts';
import { toolDigest } from './syscalls.ts';
import { CLIENT_LEFT } from './waits.ts';
import { Withheld } from './withheld.ts';

type ModelKind = Exclude<SyscallKind, 'tool.call'>;
type ModelWalk = Walked<ModelKind>;
type ModelFlight = Flight<ModelKind>;

/** Calls whose answers can ask for tools: new ones, and stored ones that are fetched. */
export const CAN_HOLD: ReadonlySet<ModelKind> = new Set<ModelKind>(['model.generate', 'model.object']);

/** Refusals that the model is told, so that it can do something else; all others end the client's call. */
const TOLD: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['denied', 'awaiting_approval', 'bad_request']);

interface DecidedCall {
  readonly asked: AskedCall;
  readonly digest: string;
  readonly refused: Refusal | undefined;
}

type Verdict =
  | { readonly kind: 'release' }
  | { readonly kind: 'refuse'; readonly refusal: Refusal }
  | { readonly kind: 'continue'; readonly body: Buffer; readonly why: Refusal };

export class Held {
  readonly #gate: Gate;
  /** Permitted and let go, by agent and tool-use id: digest and epoch, for the client's hook that asks once more. */
  readonly #permitted = new Recent<string, { readonly digest: string; readonly epoch: number }>(
    LIMITS.heldMemo.value,
  );

  constructor(gate: Gate) {
    this.#gate = gate;
  }

  /** Walks a call whose sink is `withheld`, and the turns that follow from it, until an answer may go to `client`. */
  async walk(first: ModelFlight, withheld: Withheld, client: ResponseSink): Promise<ModelWalk> {
    client.waits(true);
    try {
      return await this.#turns(first, withheld, client);
    } finally {
      client.waits(false);
    }
  }

  async #turns(first: ModelFlight, withheld: Withheld, client: ResponseSink): Promise<ModelWalk> {
    const applied = new Set<TransformName>();
    const lost = new Set<string>();
    let flight = first;
    let sink = withheld;
    for (let round = 1; ; round++) {
      const walked = await this.#gate.walk(flight);
      for (const name of sink.transforms) applied.add(name);
      for (const path of sink.losses) lost.add(path);
      const verdict = await this.#judge(flight, sink, walked);
      if (verdict.kind === 'continue' && round < LIMITS.heldTurns.value) {
        sink = new Withheld();
        flight = this.#next(flight, sink, verdict.body);
        continue;
      }
      if (applied.size > 0) client.transformed([...applied], [...lost]);
      if (verdict.kind === 'release') {
        sink.release(client);
        return walked;
      }
      const why = verdict.kind === 'refuse' ? verdict.refusal : tooOften(verdict.why);
      return { kind: 'refused', refusal: why, call: flight.call.id };
    }
  }

  async #judge(flight: ModelFlight, sink: Withheld, walked: ModelWalk): Promise<Verdict> {
    if (walked.kind === 'refused') return refuse(walked.refusal);
    const { outcome } = walked;
    if (outcome.kind === 'broken') return refuse(sink.full.aborted ? TOO_LARGE : outcome.refusal);
    if (outcome.status >= 300) return { kind: 'release' };
    const plain = await decodeBody(header(outcome.headers, 'content-encoding'), sink.answer(outcome.tail));
    if ('code' in plain) return refuse(UNREADABLE);
    const answer = DIALECTS[flight.call.payload.dialect].readAnswer(plain);
    // A stored object may be anything, a file for example; an answer may not.
    if (!answer && flight.call.kind === 'model.generate') return refuse(UNREADABLE);
    if (!answer || answer.calls.length === 0) return { kind: 'release' };
    if (outcome.upstreamError)
      return refuse(refusal('failed', 'The upstream ended an answer with tool calls in it by an error.'));
    if (answer.calls.length > LIMITS.heldCalls.value) return refuse(TOO_MANY);
    const decided = await Promise.all(answer.calls.map((asked) => this.#decide(flight, asked)));
    return this.#conclude(flight, answer, decided);
  }

  async #decide(flight: ModelFlight, asked: AskedCall): Promise<DecidedCall> {
    const { parts } = this.#gate;
    const call: ToolCall = {
      tool: asked.name,
      server: flight.agent.client,
      input: asked.input ?? {},
      toolUseId: asked.id,
      how: 'held',
    };
    const digest = toolDigest(call);
    // A stored answer that is fetched once more holds the same calls.
    if (this.isPermitted(flight.agent.pid, call)) return { asked, digest, refused: undefined };
    const { turn, deadlineAt } = flight.call;
    const now = parts.clock.now();
    const tool = new Flight<'tool.call'>({
      call: {
        id: newCallId(now, parts.random),
        kind: 'tool.call',
        agent: flight.agent.pid,
        arrivedAt: now,
        payload: call,
        ...(turn !== undefined ? { turn } : {}),
        ...(deadlineAt !== undefined ? { deadlineAt } : {}),
      },
      chain: flight.chain,
      keyId: flight.keyId,
      login: undefined,
      signal: flight.signal,
    });
    if (!asked.input)
      tool.barred = refusal(
        'bad_request',
        `The arguments of ${asked.name} are no JSON, or hold a key twice.`,
      );
    const walked = await this.#gate.walk(tool);
    return { asked, digest, refused: walked.kind === 'refused' ? walked.refusal : undefined };
  }

  async #conclude(flight: ModelFlight, answer: Answer, decided: readonly DecidedCall[]): Promise<Verdict> {
    const { parts } = this.#gate;
    const { pid } = flight.agent;
    const left = flight.signal?.aborted === true;
    const refused = decided.flatMap((call) => call.refused ?? []);
    if (refused.length === 0 && !left) {
      for (const { asked, digest } of decided) this.#remember(`${pid}/${asked.id}`, digest);
      return { kind: 'release' };
    }
    const permitted = decided.filter((call) => !call.refused).map(({ asked }) => asked.id);
    for (const id of permitted) this.#permitted.delete(`${pid}/${id}`);
    await withdraw(parts, flight.agent, permitted);
    if (left) return refuse(CLIENT_LEFT);
    const final = refused.find((why) => !TOLD.has(why.code));
    if (final) return refuse(final);
    const { payload } = flight.call;
    const results = decided.map(
      ({ asked, refused: why }): RefusedCall => ({ call: asked, text: why ? errorText(why) : NOT_RUN }),
    );
    // The API of stored objects takes no further turn.
    const body =
      flight.call.kind === 'model.generate'
        ? DIALECTS[payload.dialect].continueRefused(payload.decoded, answer, results)
        : undefined;
    const why = refused[0] as Refusal;
    return body ? { kind: 'continue', body, why } : refuse(why);
  }

  /** The model's further turn: a call of its own, on the backend that signed what the model thought. */
  #next(before: ModelFlight, sink: Withheld, body: Buffer): ModelFlight {
    const { parts } = this.#gate;
    const { payload, turn, deadlineAt } = before.call;
    const dialect = DIALECTS[payload.dialect];
    const facts = dialect.readRequest(body);
    const readable = 'problem' in facts ? { ...payload.facts, messages: [] } : facts;
    const now = parts.clock.now();
    const next = new Flight<ModelKind>({
      call: {
        id: newCallId(now, parts.random),
        kind: 'model.generate',
        agent: before.agent.pid,
        arrivedAt: now,
        continues: before.call.id,
        payload: heldCall({ ...payload, body, decoded: body, facts: readable, transforms: ['held'] }, sink),
        ...(turn !== undefined ? { turn } : {}),
        ...(deadlineAt !== undefined ? { deadlineAt } : {}),
      },
      chain: before.chain,
      keyId: before.keyId,
      login: before.login,
      signal: before.signal,
    });
    if ('problem' in facts) next.barred = facts.problem;
    next.links = parts.context.links(payload.dialect, dialect.canonicalMessage, body, readable);
    next.objectBackend = before.row?.backend ?? undefined;
    return next;
  }

  /** Was exactly this call permitted as a held one, and has nothing changed since? */
  isPermitted(pid: number, call: ToolCall): boolean {
    const known = this.#permitted.get(`${pid}/${call.toolUseId}`);
    return (
      known !== undefined &&
      known.epoch === this.#gate.parts.epochs.value &&
      known.digest === toolDigest(call)
    );
  }

  #remember(key: string, digest: string): void {
    this.#permitted.set(key, { digest, epoch: this.#gate.parts.epochs.value });
  }
}

/** The call with its answer going to `sink`; it ends when that is full. */
export const heldCall = (call: ModelCall, sink: Withheld): ModelCall => ({
  ...call,
  sink,
  signal: AbortSignal.any([call.signal, sink.full]),
});

const refuse = (why: Refusal): Verdict => ({ kind: 'refuse', refusal: why });

const NOT_RUN = 'mezz: not run: another call of the same answer was refused. Ask for it again.';
const TOO_LARGE = refusal(
  'too_large',
  `The answer is larger than ${LIMITS.heldBytes.value} bytes and cannot be held.`,
  { rule: 'limit:gate.heldBytes' },
);
const TOO_MANY = refusal('too_large', `The answer asks for more than ${LIMITS.heldCalls.value} tool calls.`, {
  rule: 'limit:gate.heldCalls',
});
const UNREADABLE = refusal(
  'upstream_malformed',
  'The answer cannot be read, so its tool calls cannot be held.',
);

const tooOften = (last: Refusal): Refusal => ({
  ...last,
  code: 'denied',
  message: `${LIMITS.heldTurns.value} answers in a row asked for tool calls that are refused; the last: ${last.message}`,
});
