/** Writes docs/mcp-conformance.md: node scripts/with-node.js test/conformance/publish.ts (installs the suite, some minutes) */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { matrixPage, runAll } from './matrix.ts';
import { installSuite } from './suite.ts';

if (!installSuite()) throw new Error('the conformance suite could not be installed');
writeFileSync(join(import.meta.dirname, '../../docs/mcp-conformance.md'), matrixPage(await runAll()));
process.exit(0);
