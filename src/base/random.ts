/** Randomness as an argument, so that a simulation can be repeated from its seed. */
export interface Random {
  /** `count` random bytes. */
  bytes(count: number): Uint8Array;
  /** A number in [0, 1). */
  unit(): number;
}

/** Repeatable randomness for simulations and tests (xorshift128, Marsaglia 2003). Never for secrets. */
export function seededRandom(seed: number): Random {
  let x = seed >>> 0 || 1;
  let y = 362436069;
  let z = 521288629;
  let w = 88675123;
  const next = () => {
    const t = x ^ (x << 11);
    x = y;
    y = z;
    z = w;
    w = (w ^ (w >>> 19) ^ (t ^ (t >>> 8))) >>> 0;
    return w;
  };
  for (let i = 0; i < 16; i++) next();
  return {
    bytes: (count) => Uint8Array.from({ length: count }, () => next() & 255),
    unit: () => next() / 2 ** 32,
  };
}
