/** Pools of connections to one origin. The library loads with the first: a kernel that has just come up needs none yet. */
import { createRequire } from 'node:module';
import type Pool from 'undici/lib/dispatcher/pool.js';

const load = createRequire(import.meta.url);

/** Of all the library only the pool is loaded: the rest of it takes longer to load than all of mezz. */
export const loadPools = (): typeof Pool => load('undici/lib/dispatcher/pool.js') as typeof Pool;

/** What makes the pool of an origin when it is first asked for, and gives that one from then on. */
export function lazyPool(origin: string, options: Pool.Options): () => Pool {
  let pool: Pool | undefined;
  return () => {
    pool ??= new (loadPools())(origin, options);
    return pool;
  };
}
