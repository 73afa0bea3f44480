export const LIMITS = {
  tileHashes: { value: 256, unit: 'hashes', what: 'hashes in one tile of the Merkle tree' },
  saltBytes: { value: 32, unit: 'bytes', what: 'length of the secret under one owner’s commitments' },
} as const;
