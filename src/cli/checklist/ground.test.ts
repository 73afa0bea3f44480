import assert from 'node:assert/strict';
import test from 'node:test';
import { groundClaims } from './ground.ts';

test('claims of the ground floor are found, denials of it are not', () => {
  for (const claim of [
    'mezz is an operating system for agents.',
    'It replaces your operating system.',
    'The first AI OS.',
    'Runs on bare metal.',
    'Think of it as a new operating system.',
  ])
    assert.deepEqual(groundClaims(`It is fast. ${claim} It is small.`), [claim]);
  for (const honest of [
    'mezz is an orchestration layer on Linux or macOS, not an operating system.',
    'It is never called an operating system.',
    'An agent kernel: the level between the operating system and AI agents.',
    'Runs on your operating system.',
  ])
    assert.deepEqual(groundClaims(honest), [], honest);
});
