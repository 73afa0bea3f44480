/**
 * The policy engine, loaded with its first use: it takes longer to load than most of the kernel, and what it says of a
 * text that it has read before is remembered.
 */
import { createRequire } from 'node:module';

export type Engine = typeof import('@cedar-policy/cedar-wasm/nodejs');

const load = createRequire(import.meta.url);
let loaded: Engine | undefined;

export function engine(): Engine {
  loaded ??= load('@cedar-policy/cedar-wasm/nodejs') as Engine;
  return loaded;
}

/** What the engine calls itself: part of what an answer depends on, and known without loading it. */
export const ENGINE_VERSION = '4.13.0';
