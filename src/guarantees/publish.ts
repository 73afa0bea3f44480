/** Writes the documents that are made from the code: `node src/guarantees/publish.ts`. A test holds them together. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { DOCUMENTS } from './documents.ts';

const root = new URL('../../', import.meta.url);
mkdirSync(new URL('docs/', root), { recursive: true });
for (const [path, text] of DOCUMENTS) writeFileSync(new URL(path, root), text());
