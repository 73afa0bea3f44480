/**
 * Proof that a call passed the gate: decided, scheduled, paid for and its START durable. Drivers demand one.
 * Only gate/ may import `mintTicket` (test/tidy.test.ts holds it to that); the class cannot be built elsewhere.
 */
import { assert } from './assert.ts';
import type { AccountId, BackendId, CallId, Pid } from './ids.ts';

/** How a backend is paid and logged in to. `kernel`: mezz holds the key; `client`: the agent's own login; `local`: none. */
export type CredentialKind = 'kernel' | 'client' | 'local';

const MINT = Symbol('mint');

export class Ticket {
  readonly call: CallId;
  readonly agent: Pid;
  /** Attempt number, from 1: each attempt has a START of its own. */
  readonly attempt: number;
  readonly backend: BackendId | undefined;
  readonly account: AccountId | undefined;
  /** Which login the driver uses on this attempt. */
  readonly credential: CredentialKind | undefined;
  #used = false;

  constructor(mint: typeof MINT, fields: TicketFields) {
    assert(mint === MINT, 'tickets are minted by the gate alone');
    this.call = fields.call;
    this.agent = fields.agent;
    this.attempt = fields.attempt;
    this.backend = fields.backend;
    this.account = fields.account;
    this.credential = fields.credential;
  }

  /** A ticket admits one performance. */
  use(): void {
    assert(!this.#used, `ticket of ${this.call} used twice`);
    this.#used = true;
  }
}

export interface TicketFields {
  readonly call: CallId;
  readonly agent: Pid;
  readonly attempt: number;
  readonly backend?: BackendId | undefined;
  readonly account?: AccountId | undefined;
  readonly credential?: CredentialKind | undefined;
}

export const mintTicket = (fields: TicketFields): Ticket => new Ticket(MINT, fields);
