/**
 * Streams that stay open for what tool servers say unasked: that a list has changed, that a resource has. Invariant: a
 * stream hears of the servers its client sees, of what it asked for, and of a resource only where a read of it was
 * permitted when it began to watch.
 */
import { isRecord, type Json, type JsonRecord } from '../../base/json.ts';
import { META, RPC, rpcError } from '../../base/mcp.ts';
import type { Asking, ServerChange } from '../../base/ports.ts';
import type { Kernel } from '../kernel.ts';
import { LIMITS } from '../limits.ts';
import type { Answer } from './answer.ts';
import { type Asked, request } from './methods.ts';

export interface Feed {
  /** The one server whose changes it hears; undefined: all. */
  readonly only: string | undefined;
  hears(change: ServerChange): boolean;
  tell(message: JsonRecord): void;
  close(): void;
}

export class Feeds {
  readonly #feeds = new Set<Feed>();
  readonly #stop: () => void;

  constructor(kernel: Kernel) {
    this.#stop = kernel.onServerChange((server, change) => {
      for (const feed of this.#feeds)
        if ((feed.only === undefined || feed.only === server) && feed.hears(change))
          feed.tell(messageOf(change));
    });
  }

  /** false: there are as many as there may be. */
  open(feed: Feed): boolean {
    if (this.#feeds.size >= LIMITS.streams.value) return false;
    this.#feeds.add(feed);
    return true;
  }

  leave(feed: Feed): void {
    this.#feeds.delete(feed);
  }

  close(): void {
    this.#stop();
    for (const feed of this.#feeds) feed.close();
  }
}

const messageOf = (change: ServerChange): JsonRecord =>
  change.kind === 'updated'
    ? { method: 'notifications/resources/updated', params: { uri: change.uri } }
    : { method: `notifications/${change.kind}/list_changed`, params: {} };

/** Asks to hear of a resource: a syscall, and the reason why not where it may not. */
export const watch = (asked: Asked, uri: string) =>
  request({ ...asked, params: { uri } }, 'resources/subscribe', quietly(asked), new AbortController().signal);

const quietly = ({ caller }: Asked): Asking => ({
  who: caller.keyId,
  capabilities: {},
  logLevel: undefined,
  takesInputRequired: false,
  wantsProgress: false,
  told: () => {},
  asked: async () => rpcError(RPC.noMethod, 'nobody can be asked this now'),
});

/** `subscriptions/listen`: the answer is a stream that ends when either side closes it. */
export async function listen(feeds: Feeds, asked: Asked, id: Json, answer: Answer): Promise<void> {
  const { kernel, only, params } = asked;
  if (!answer.canTell) return answer.end(id, rpcError(RPC.invalidRequest, 'this answer is a stream'), 400);
  const filter = isRecord(params.notifications) ? params.notifications : {};
  const wanted = new Set<string>();
  for (const kind of ['tools', 'prompts', 'resources'])
    if (filter[`${kind}ListChanged`] === true) wanted.add(kind);
  const given = filter.resourceSubscriptions;
  const uris = Array.isArray(given) ? given.filter((uri) => typeof uri === 'string') : [];
  const watched: string[] = [];
  for (const uri of uris.slice(0, LIMITS.watchedUris.value)) {
    const { reply } = await watch(asked, uri);
    if ('result' in reply) watched.push(uri);
  }
  const tell = ({ method, params: told }: JsonRecord) =>
    answer.tell({
      method: method as string,
      params: { ...(told as JsonRecord), _meta: { [META.subscription]: id } },
    });
  const feed: Feed = {
    only,
    hears: (change) => (change.kind === 'updated' ? watched.includes(change.uri) : wanted.has(change.kind)),
    tell,
    close: () => answer.close(),
  };
  const leave = () => {
    feeds.leave(feed);
    for (const uri of watched) kernel.unwatch(only, uri);
  };
  if (!feeds.open(feed)) {
    leave();
    return answer.end(id, rpcError(RPC.internal, 'too many streams are open'));
  }
  answer.onLeft(leave);
  const heard = Object.fromEntries([...wanted].map((kind) => [`${kind}ListChanged`, true]));
  const notifications = { ...heard, ...(given === undefined ? {} : { resourceSubscriptions: watched }) };
  tell({ method: 'notifications/subscriptions/acknowledged', params: { notifications } });
}
