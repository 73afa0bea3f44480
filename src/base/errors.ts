/**
 * The one error table. Codes are stable: scripts, agents and documentation may rely on them. `status` is what the
 * wire carries (chosen so that the dialects' own SDKs do not retry what retrying cannot help); `exit` is the
 * command line's exit code. docs/errors.md and every dialect's wire errors are made from this table.
 */
interface ErrorSpec {
  readonly status: number;
  /** May the same request succeed later without anybody doing anything? */
  readonly retry: boolean;
  readonly exit: number;
  readonly meaning: string;
}

export const ERRORS = {
  // the gate
  denied: {
    status: 403,
    retry: false,
    exit: 4,
    meaning: 'An access policy forbids this, or none permits it.',
  },
  awaiting_approval: {
    status: 403,
    retry: false,
    exit: 5,
    meaning: 'A person must approve exactly this call first.',
  },
  frozen: { status: 403, retry: false, exit: 4, meaning: 'An operator froze this agent or everything.' },
  stopped: { status: 403, retry: false, exit: 4, meaning: 'This agent was stopped or has exited.' },
  over_budget: {
    status: 402,
    retry: false,
    exit: 6,
    meaning: 'A budget cannot cover this call; the agent is paused and can be resumed.',
  },
  price_unknown: {
    status: 402,
    retry: false,
    exit: 6,
    meaning: 'The model has no known price and none was configured.',
  },
  no_bound: {
    status: 402,
    retry: false,
    exit: 6,
    meaning: 'A strict budget needs a proven bound on this call and it has none.',
  },
  busy: { status: 429, retry: true, exit: 1, meaning: 'The queue is full or the maximum wait has passed.' },
  stale: { status: 409, retry: false, exit: 1, meaning: 'What this call was based on has changed since.' },
  cancelled: { status: 499, retry: false, exit: 1, meaning: 'The caller left or the call was cancelled.' },
  failed: { status: 502, retry: false, exit: 1, meaning: 'The call was performed and failed.' },
  in_doubt: {
    status: 409,
    retry: false,
    exit: 1,
    meaning: 'The call may or may not have taken effect; a decision is needed.',
  },
  // the door
  unauthorized: { status: 401, retry: false, exit: 4, meaning: 'No valid mezz key came with the request.' },
  host_refused: { status: 421, retry: false, exit: 4, meaning: 'The Host header does not name this server.' },
  origin_refused: {
    status: 403,
    retry: false,
    exit: 4,
    meaning: 'Requests from web pages are not accepted.',
  },
  not_found: { status: 404, retry: false, exit: 3, meaning: 'No such route or object.' },
  method_not_allowed: {
    status: 405,
    retry: false,
    exit: 2,
    meaning: 'The route exists, but not for this method.',
  },
  bad_request: { status: 400, retry: false, exit: 2, meaning: 'The request cannot be read.' },
  too_large: { status: 413, retry: false, exit: 2, meaning: 'The request is larger than the bound on it.' },
  slow_client: { status: 408, retry: false, exit: 1, meaning: 'The request did not arrive in time.' },
  unsupported_encoding: {
    status: 415,
    retry: false,
    exit: 2,
    meaning: 'The body has a content encoding mezz cannot read.',
  },
  no_websocket: {
    status: 426,
    retry: false,
    exit: 2,
    meaning: 'This endpoint does not speak WebSocket yet; use HTTP.',
  },
  model_unknown: { status: 404, retry: false, exit: 3, meaning: 'No backend serves this model.' },
  foreign_object: {
    status: 404,
    retry: false,
    exit: 3,
    meaning: 'That object was not created by this agent.',
  },
  hosted_tool: {
    status: 403,
    retry: false,
    exit: 4,
    meaning: 'A provider-hosted tool that acts behind the gate is not permitted.',
  },
  no_credential: {
    status: 401,
    retry: false,
    exit: 4,
    meaning: 'The backend or tool server needs a credential or login that neither mezz nor the client holds.',
  },
  // the world
  unreachable: { status: 502, retry: true, exit: 1, meaning: 'The upstream cannot be reached.' },
  upstream_cut: {
    status: 502,
    retry: true,
    exit: 1,
    meaning: 'The upstream ended its answer before it was complete.',
  },
  upstream_malformed: {
    status: 502,
    retry: false,
    exit: 1,
    meaning: 'The upstream answered something its dialect does not allow.',
  },
  upstream_timeout: { status: 504, retry: true, exit: 1, meaning: 'The upstream was silent for too long.' },
  draining: { status: 503, retry: true, exit: 7, meaning: 'The kernel is shutting down.' },
  store_failed: {
    status: 503,
    retry: false,
    exit: 1,
    meaning: 'The journal could not be written; nothing was done.',
  },
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof ERRORS;

/** Why something did not happen: what, which rule or limit, and what to type next. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  /** The access-policy rule, limit or bound that decided, by id. */
  readonly rule?: string;
  /** The next command to type, or the next thing to do. */
  readonly remedy?: string;
  /** What the agent should see beside it. It is content: told, and never written into an entry. */
  readonly detail?: string;
  readonly retryAfterMs?: number;
  /** The durable question, where a person must decide. */
  readonly approval?: string;
}

export const refusal = (
  code: ErrorCode,
  message: string,
  more: Omit<Refusal, 'code' | 'message'> = {},
): Refusal => ({
  code,
  message,
  ...more,
});
