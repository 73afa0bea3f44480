import { agentUrl, type ClientAdapter } from './adapter.ts';

/**
 * The shell of examples/sh, and any other agent written for mezz: it asks the gate by itself, at the address it is
 * given, and needs no key. It comes through mezz sh, or by its client's name; no program's file name stands for it.
 */
export const shell: ClientAdapter = {
  client: 'mezz-sh',
  program: 'mezz-sh',
  hooks: true,
  prepare: (launch, command, { mezz }) => ({
    command,
    env: { MEZZ_URL: agentUrl(launch), MEZZ_BIN: mezz.at(-1) ?? '' },
    files: [],
    notes: [],
  }),
};
