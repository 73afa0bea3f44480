import { changes, type Manifests, reads, replaces } from './manifest.ts';

/** Claude Code's own tools (2.1). Those that are not here touch nothing of another agent's: plans, questions, the web. */
export const CLAUDE_CODE: Manifests = {
  Read: reads('file:{file_path}'),
  Write: replaces('file:{file_path}'),
  Edit: changes('file:{file_path}'),
  MultiEdit: changes('file:{file_path}'),
  NotebookRead: reads('file:{notebook_path}'),
  NotebookEdit: changes('file:{notebook_path}'),
  Bash: { shell: 'command' },
};
