/**
 * Brings a kernel up, and loads nothing that its store does not need: the threads of the store start at once, and the
 * kernel's own code loads while they do.
 */
import { TABLES } from './db/schema/index.ts';
import { Threads } from './db/sqlite/threads.ts';
import type { StoreError } from './db/store.ts';
import { systemClock } from './drivers/clock.ts';
import { LogFile } from './drivers/logfile.ts';
import type { BootOptions, Running } from './kernel.ts';
import { newLog } from './telemetry/log.ts';

export type { BootOptions, Running };

/** Opens everything or nothing: what keeps a kernel from starting is logged and thrown, and no lock is left behind. */
export async function boot(options: BootOptions): Promise<Running> {
  const out = options.logFile === undefined ? process.stderr : new LogFile(options.logFile);
  const log = newLog(out, systemClock, options.logLevel ?? 'info');
  const threads = new Threads(options.stateDir, TABLES);
  try {
    const { start } = await import('./kernel.ts');
    return await start(options, log, threads);
  } catch (error) {
    await threads.end();
    const { remedy } = error as Partial<StoreError>;
    // In a terminal the caller says it to the user; a log file is all that a kernel in the background leaves.
    if (options.logFile !== undefined)
      log.error('kernel.not_started', { message: error instanceof Error ? error.message : error, remedy });
    throw error;
  }
}

/** Puts a copy made by `mezz backup` in place of the store of a directory, while no kernel runs there. */
export async function restoreBackup(
  backup: string,
  directory: string,
): Promise<{ readonly aside: string | undefined }> {
  const { restoreBackup: restore } = await import('./db/sqlite/backup.ts');
  return restore(backup, directory);
}
