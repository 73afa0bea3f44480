/** Refusals in the dialects' own words. Status, retry and type all follow from the one table in base/errors.ts. */
import { ERRORS, type Refusal } from '../base/errors.ts';
import type { JsonRecord } from '../base/json.ts';
import type { WireError } from './dialect.ts';
import { text } from './read.ts';

const ANTHROPIC_TYPES: Record<number, string> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  405: 'invalid_request_error',
  408: 'timeout_error',
  409: 'invalid_request_error',
  413: 'request_too_large',
  415: 'invalid_request_error',
  421: 'invalid_request_error',
  426: 'invalid_request_error',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
};
const OPENAI_TYPES: Record<number, string> = {
  401: 'authentication_error',
  402: 'insufficient_quota',
  403: 'permission_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
};

/** What happened, which rule decided, what to type next: one line that a model and a person can read. */
export function errorText(refusal: Refusal): string {
  const rule = refusal.rule ? ` [${refusal.rule}]` : '';
  const remedy = refusal.remedy ? ` Next: ${refusal.remedy}` : '';
  const detail = refusal.detail ? `\n${refusal.detail}` : '';
  return `mezz: ${refusal.message}${rule}${remedy}${detail}`;
}

export const anthropicError = (refusal: Refusal) =>
  anthropicFailure(ERRORS[refusal.code].status, errorText(refusal));

/** An error of the Messages API for an HTTP status. */
export const anthropicFailure = (status: number, message: string) => ({
  type: 'error',
  error: { type: ANTHROPIC_TYPES[status] ?? (status === 529 ? 'overloaded_error' : 'api_error'), message },
});

export const openaiError = (refusal: Refusal) =>
  openaiFailure(ERRORS[refusal.code].status, errorText(refusal), refusal.code);

/** What Messages says in words alone, and OpenAI's clients know by a code: they shorten the conversation then. */
const TOO_LONG = /prompt is too long/i;

/** An upstream's error object of any dialect, as far as others can say it. */
export function errorOf(error: JsonRecord): { kind: 'error'; message: string; code?: string } {
  const message = text(error, 'message');
  const code = text(error, 'code') || (TOO_LONG.test(message) ? 'context_length_exceeded' : '');
  return { kind: 'error', message, ...(code === '' ? {} : { code }) };
}

/** An error of OpenAI's APIs for an HTTP status. */
export const openaiFailure = (status: number, message: string, code: string | null = null) => ({
  error: {
    message,
    type: OPENAI_TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'server_error'),
    param: null,
    code,
  },
});

/** A whole answer: `x-should-retry` tells both vendors' SDKs what the table says. */
export function wireError(refusal: Refusal, body: object): WireError {
  const spec = ERRORS[refusal.code];
  const headers = ['content-type', 'application/json', 'x-should-retry', String(spec.retry)];
  if (refusal.retryAfterMs !== undefined)
    headers.push('retry-after', String(Math.ceil(refusal.retryAfterMs / 1000)));
  return { status: spec.status, headers, body: Buffer.from(JSON.stringify(body)) };
}
