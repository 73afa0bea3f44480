import { type Manifests, NOTHING, reads, replaces } from './manifest.ts';

/** The tools of `mezz sh`. A sub-agent that it starts asks for itself. */
export const MEZZ_SH: Manifests = {
  read: reads('file:{path}'),
  write: replaces('file:{path}'),
  run: { shell: 'command' },
  spawn: NOTHING,
  remember: NOTHING,
};
