/** The layer rule as data: who may know whom, and who may touch the machine. ARCHITECTURE.md draws the same table. */

/** A file imports its own folder and folders of lower layers. `kernel` alone knows every module, and `boot` brings it up. */
export const LAYERS: Readonly<Record<string, number>> = {
  base: 0,
  wire: 1,
  db: 1,
  journal: 2,
  access: 3,
  budget: 3,
  scheduler: 3,
  agents: 4,
  tools: 4,
  memory: 4,
  storage: 4,
  gate: 5,
  drivers: 5,
  gateway: 6,
  config: 7,
  guarantees: 7,
  telemetry: 7,
  'kernel.ts': 8,
  'boot.ts': 9,
};

/** Programs that talk to a kernel, and the client folders each may import. They load no part of the kernel. */
export const CLIENTS: Readonly<Record<string, readonly string[]>> = {
  sdk: [],
  cli: ['sdk'],
  console: ['sdk'],
};

/** What of base/ clients may import: the protocol's types, the error table, how to read them, and `assert`. */
export const PROTOCOL = [
  'assert.ts',
  'control.ts',
  'errors.ts',
  'json.ts',
  'mcp.ts',
  'models.ts',
  'money.ts',
  'order.ts',
  'tools.ts',
  'verb.ts',
  'usage.ts',
  'ids.ts',
  'sheets.ts',
];

/** The one door from a client into the kernel: `mezz up` runs it in its own process, `mezz restore` while none runs. */
export const BOOT_FROM = /^src\/cli\/(?:[a-z-]+\/)*(?:up|restore)[a-z-]*\.ts$/;

/** The one door from a client to the lab, which is a model server of its own and no part of a kernel. */
export const LAB_FROM = 'src/cli/lab.ts';
export const LAB = /^src\/drivers\/(?:lab\/[a-z-]+|clock)\.ts$/;

/** Where the machine may be touched (time, randomness, network, files, processes): the edge. */
export const EDGE = [
  'src/drivers/',
  'src/db/sqlite/',
  'src/gateway/',
  'src/boot.ts',
  'src/kernel.ts',
  'src/config/',
  'src/guarantees/',
  'src/telemetry/',
  'src/cli/',
  'src/sdk/',
  'src/console/',
];

/** Modules that are the machine. What is not listed (path, url, util, zlib, ...) computes and is free everywhere. */
export const MACHINE_MODULES = new Set([
  'node:child_process',
  'node:cluster',
  'node:dgram',
  'node:dns',
  'node:fs',
  'node:fs/promises',
  'node:http',
  'node:http2',
  'node:https',
  'node:net',
  'node:os',
  'node:process',
  'node:sqlite',
  'node:timers',
  'node:timers/promises',
  'node:tls',
  'node:worker_threads',
  'undici',
]);

/** `node:crypto` hashes for everybody; these of its exports are randomness. */
export const RANDOM_NAMES = new Set([
  'getRandomValues',
  'randomBytes',
  'randomFillSync',
  'randomInt',
  'randomUUID',
  'webcrypto',
]);
