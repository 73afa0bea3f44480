/** One connection of a client: what it asked last, and whether the client is still there. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Dialect } from '../wire/dialect.ts';
import { Heads } from './identify.ts';
import { type Matched, matchRoute } from './routes.ts';

/** The newest request of a connection whose head could be read. */
export interface Underway {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly dialect: Dialect;
}

export class Connection {
  readonly #left = new AbortController();
  readonly heads = new Heads();
  underway: Underway | undefined;
  #asked: readonly [method: string, url: string] = ['', ''];
  #matched: Matched | undefined;

  constructor(socket: Socket) {
    const leave = () => this.#left.abort();
    socket.once('end', leave);
    socket.once('close', leave);
  }

  /** The route of its next request: most ask for the same again and again. */
  match(method: string, url: string): Matched {
    if (this.#matched && this.#asked[0] === method && this.#asked[1] === url) return this.#matched;
    this.#asked = [method, url];
    this.#matched = matchRoute(method, url);
    return this.#matched;
  }

  /**
   * Aborted when the client goes. One that closes only its own half counts as gone: nothing tells it from one that
   * closed both until bytes are sent in vain, and until then its call would run and cost. One signal for all calls of
   * a connection, since to make one costs more than the rest of a call's end: who listens stops when its call ends.
   */
  get left(): AbortSignal {
    return this.#left.signal;
  }
}
