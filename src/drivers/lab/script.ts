/**
 * What a lab is told to answer, request by request, and how to fail: the tests' upstream and the benchmarks' stub are
 * scripts. A script that says nothing to a request leaves it to the lab's own model.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { JsonRecord } from '../../base/json.ts';
import type { NeutralDialect } from '../../base/model.ts';
import type { NeutralAnswer, NeutralRequest } from '../../wire/neutral.ts';

export interface LabRequest {
  readonly method: string;
  readonly url: string;
  /** Without its query, and without the prefix by which providers' paths differ. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Flat, as received. */
  readonly rawHeaders: readonly string[];
  /** As received. */
  readonly body: Buffer;
  /** What the path speaks, if it asks a model. */
  readonly dialect: NeutralDialect | undefined;
  /** The body decompressed and parsed, when it is first asked for; undefined if it is no JSON object. */
  json(): JsonRecord | undefined;
  /** What is asked of a model; undefined where nothing is. */
  asked(): NeutralRequest | undefined;
}

export interface LabReply {
  /** What the model says. */
  readonly answer?: Omit<NeutralAnswer, 'model'>;
  /** An error status, in the dialect's own words, or the status of `raw`. */
  readonly status?: number;
  readonly message?: string;
  /** More response headers: retry-after, plan windows. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A body that is sent as it is instead of an answer, a write for each piece; `type` is its content type. */
  readonly raw?: { readonly body: Buffer | string | readonly Buffer[]; readonly type: string };
  /** Ends the connection instead of the answer's rest; a number is the bytes of the body that still leave. */
  readonly cut?: 'before_headers' | 'mid_event' | number;
  /** One event that is not JSON in the middle of a stream. */
  readonly malformed?: boolean;
  /** Writes of this many bytes, whatever the events' bounds. */
  readonly chunkBytes?: number;
  /** Awaited before the head; a promise that never settles is an upstream that never answers. */
  readonly hold?: Promise<void>;
  /** Awaited before each write, for slow answers whose pace the script decides. */
  readonly pace?: (write: number) => Promise<unknown> | undefined;
  /** Told the exact bytes of the body before they leave. */
  readonly sends?: (body: Buffer) => void;
  /** Told the end of the connection: did the whole answer leave? */
  readonly closed?: (whole: boolean) => void;
}

export type LabScript = (request: LabRequest) => LabReply | undefined;
