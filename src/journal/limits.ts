export const LIMITS = {
  tileHashes: { value: 256, unit: 'hashes', what: 'hashes in one tile of the Merkle tree' },
  saltBytes: { value: 32, unit: 'bytes', what: 'length of the secret under one owner’s commitments' },
  firstBlockBytes: {
    value: 1024,
    unit: 'bytes',
    what: 'first block of a system prompt that is stored with the rest of the request, as it may change each time',
  },
  entryBytes: { value: 2048, unit: 'bytes', what: 'body of one journal entry' },
  page: { value: 1000, unit: 'rows', what: 'rows or entries read at once' },
  canonicalCache: { value: 16_384, unit: 'messages', what: 'messages whose canonical hash is remembered' },
  knownPrefixes: {
    value: 1024,
    unit: 'requests',
    what: 'latest requests of conversations remembered, so that the next one reads only what it adds',
  },
  knownMessages: {
    value: 65_536,
    unit: 'messages',
    what: 'stored messages remembered, and as many blobs, so that none is written twice',
  },
  refusalText: { value: 400, unit: 'bytes', what: 'text of a refusal kept in an entry' },
  nameText: { value: 200, unit: 'bytes', what: 'a target or a tool-use id kept in an entry' },
  ruleText: { value: 48, unit: 'bytes', what: 'one of the rules kept in a START' },
  lossText: { value: 300, unit: 'bytes', what: 'what a translation lost, kept in a START' },
  orderText: { value: 160, unit: 'bytes', what: 'why a call that waited was granted, kept in a START' },
  prunedEntries: {
    value: 4096,
    unit: 'entries',
    what: 'that retention drops in one transaction: whole tiles',
  },
  hostedText: { value: 120, unit: 'bytes', what: 'types of hosted tools kept in a START' },
} as const;
