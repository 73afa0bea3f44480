import type { Clock } from '../../base/clock.ts';
import type { ModelCall, ModelOutcome } from '../../base/model.ts';
import type { BackendSpec, ModelBackend } from '../../base/ports.ts';
import type { Ticket } from '../../base/ticket.ts';
import { HttpModelBackend } from '../models/http.ts';
import type { LabOptions } from './options.ts';
import { type Lab, openLab } from './server.ts';

/** A lab inside the kernel: its server is opened by the first call and reached by HTTP like every other backend. */
export class LabBackend implements ModelBackend {
  readonly spec: BackendSpec;
  readonly #options: LabOptions;
  readonly #clock: Clock;
  #opening: Promise<{ readonly lab: Lab; readonly http: HttpModelBackend }> | undefined;

  constructor(spec: BackendSpec, options: LabOptions, clock: Clock) {
    this.spec = spec;
    this.#options = options;
    this.#clock = clock;
  }

  async perform(ticket: Ticket, call: ModelCall): Promise<ModelOutcome> {
    this.#opening ??= this.#open();
    const { http } = await this.#opening;
    return http.perform(ticket, call);
  }

  async #open() {
    const lab = await openLab(this.#options, this.#clock);
    const spec = { ...this.spec, url: `${lab.origin}/v1` };
    return { lab, http: new HttpModelBackend(spec, this.#clock, () => []) };
  }

  /** Takes no more calls; those that run end in their own time. */
  async retire(): Promise<void> {
    const opened = await this.#opening;
    await opened?.http.retire();
    await opened?.lab.close();
  }

  async close(): Promise<void> {
    const opened = await this.#opening;
    await opened?.http.close();
    await opened?.lab.close();
  }
}
