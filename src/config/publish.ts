/** Writes the schemas of mezz.yaml and of manifests into schema/: `node src/config/publish.ts`. A test holds the two together. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { manifestSchemaText } from '../tools/manifests/schema.ts';
import { schemaText } from './schema.ts';

const folder = new URL('../../schema/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('mezz.schema.json', folder), schemaText());
writeFileSync(new URL('manifest.schema.json', folder), manifestSchemaText());
