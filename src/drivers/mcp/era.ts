/** What the two eras of the protocol over HTTP are to their tool server, and what both work with. */
import type { Clock } from '../../base/clock.ts';
import type { JsonRecord } from '../../base/json.ts';
import type { Described, ServerChange, ServerRequest } from '../../base/ports.ts';
import type { Reply } from './peer.ts';
import type { Link } from './post.ts';
import type { Watched } from './watched.ts';

/** One era of the protocol over HTTP. */
export interface Era {
  /** undefined: the server does not speak this era. */
  introduce(): Promise<Described | Exclude<Reply, { result: JsonRecord }> | undefined>;
  ask(
    method: string,
    params: JsonRecord,
    signal: AbortSignal,
    request: ServerRequest | undefined,
  ): Promise<Reply>;
  /** The resources that somebody watches have changed. */
  rewatch(method: 'resources/subscribe' | 'resources/unsubscribe', uri: string): void;
  close(): Promise<void>;
}

/** What both eras work with. */
export interface HttpUse {
  readonly link: Link;
  readonly clock: Clock;
  readonly headers: Readonly<Record<string, string>>;
  readonly watched: Watched;
  changed(change: ServerChange): void;
}
