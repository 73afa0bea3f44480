import { type Manifests, reads } from './manifest.ts';

/** Codex's own tools (0.169), by the names its hooks give. */
export const CODEX: Manifests = {
  Bash: { shell: 'command' },
  shell: { shell: 'command' },
  exec_command: { shell: 'cmd' },
  apply_patch: { patch: ['command', 'input', 'patch', 'value'] },
  view_image: reads('file:{path}'),
};
