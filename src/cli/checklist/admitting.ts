import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Evidence, type Question, shows } from './condition.ts';
import { groundClaims } from './ground.ts';
import type { Room } from './room.ts';

/** What a command prints when nobody asks for more. */
function said(room: Room, ...words: string[]): string {
  const [node = process.execPath, ...mezz] = room.session.mezz;
  const env = { ...room.session.env, MEZZ_HOME: room.session.stateDir, NO_COLOR: '1' };
  const { stdout, stderr } = spawnSync(node, [...mezz, ...words], { env, encoding: 'utf8' });
  return `${stdout}\n${stderr}`;
}

async function normalSystem(room: Room): Promise<Evidence> {
  const line = said(room, 'status')
    .split('\n')
    .find((text) => /Linux|macOS/.test(text));
  return shows(
    line !== undefined,
    `mezz status says: ${line?.trim().replaceAll(/ +/g, ' ') ?? 'nothing of it'}`,
  );
}

async function orchestration(room: Room): Promise<Evidence> {
  const line = said(room, '--help')
    .split('\n')
    .find((text) => /orchestration layer/.test(text));
  return shows(line !== undefined, `mezz --help says: ${line?.trim() ?? 'nothing of it'}`);
}

async function nothingImplied(room: Room): Promise<Evidence> {
  const root = dirname(dirname(room.session.mezz[1] ?? ''));
  const description = String(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).description);
  const texts = {
    'README.md': readFileSync(join(root, 'README.md'), 'utf8'),
    'mezz --help': said(room, '--help'),
    'package.json': description,
  };
  const claims = Object.entries(texts).flatMap(([name, text]) =>
    groundClaims(text).map((sentence) => `${name}: ${sentence}`),
  );
  const named = Object.keys(texts).join(', ');
  return shows(claims.length === 0, claims.length === 0 ? `no such claim in ${named}` : claims.join(' | '));
}

export const ADMITTING: Question = {
  number: 5,
  text: 'What does it admit it is not?',
  conditions: [
    { id: '5a', text: 'it says unasked that it runs on a normal operating system', experiment: normalSystem },
    { id: '5b', text: 'and that it is an orchestration layer', experiment: orchestration },
    { id: '5c', text: 'nothing it says implies otherwise', experiment: nothingImplied },
  ],
};
