/** The files that a patch in the format of Codex's `apply_patch` names. */
import type { Access } from '../base/manifest.ts';

const LINE = /^\*\*\* (Update File|Add File|Delete File|Move to): (.+)$/gm;

/** An update says what it expects to find, so it only has to run alone; the others put something in a file's place. */
export function readPatch(text: string): { readonly path: string; readonly access: Access }[] {
  return [...text.matchAll(LINE)].map(([, what, path]) => ({
    path: (path ?? '').trim(),
    access: what === 'Update File' ? 'delta' : 'replace',
  }));
}
