/**
 * The two threads of a store, which come up at once and while whoever asked for them does something else. The reader opens
 * the file with its first question, when the writer has made it.
 */
import type { StoreError, Table } from '../store.ts';
import { Channel } from './channel.ts';
import { newLogMemory } from './redo.ts';

type Started = PromiseSettledResult<Channel>;

export class Threads {
  /** What the redo log's file holds, for the thread that writes it and for the writer. */
  readonly log = newLogMemory();
  /** Told once when a thread ends although nobody asked it to. */
  onDeath: (error: StoreError) => void = () => {};
  readonly #started: Promise<[Started, Started]>;

  constructor(directory: string, tables: readonly Table[]) {
    const onDeath = (error: StoreError) => this.onDeath(error);
    this.#started = Promise.allSettled([
      Channel.start('writer', { directory, tables, log: this.log }, onDeath),
      Channel.start('reader', { directory }, onDeath),
    ]);
  }

  /** Both, the database open. Throws StoreError; then neither runs. */
  async opened(): Promise<{ readonly writer: Channel; readonly reader: Channel }> {
    const [writer, reader] = await this.#started;
    if (writer.status === 'fulfilled' && reader.status === 'fulfilled')
      return { writer: writer.value, reader: reader.value };
    for (const started of [writer, reader]) if (started.status === 'fulfilled') await started.value.end();
    throw writer.status === 'rejected' ? writer.reason : (reader as PromiseRejectedResult).reason;
  }

  /** For whoever needs no store on them after all. */
  async end(): Promise<void> {
    const [writer, reader] = await this.#started;
    if (reader.status === 'fulfilled') await reader.value.end();
    if (writer.status === 'fulfilled') await writer.value.end({ do: 'close' });
  }
}
