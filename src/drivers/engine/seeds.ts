/**
 * Counter-based randomness (Salmon et al., SC 2011): the number that picks a token depends on the answer's seed and on the
 * token's position alone, so an answer that stopped goes on with the tokens it would have had.
 */

/** A seed of 32 bits for the token at this position of a conversation; the mixing is MurmurHash3's finaliser. */
export function tokenSeed(seed: number, position: number): number {
  let x = (seed ^ Math.imul(position + 1, 0x9e3779b1)) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b) >>> 0;
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35) >>> 0;
  return (x ^ (x >>> 16)) >>> 0;
}
