/** Writes schema/mezz.schema.json from schema.ts: `node src/config/publish.ts`. A test holds the two together. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { schemaText } from './schema.ts';

const folder = new URL('../../schema/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('mezz.schema.json', folder), schemaText());
