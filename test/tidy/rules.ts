/** The house rules. Each takes sources and answers what breaks it, one line a violation: `path:line: what, and what to do`. */
import { posix } from 'node:path';
import {
  BOOT_FROM,
  CLIENTS,
  EDGE,
  LAB,
  LAB_FROM,
  LAYERS,
  MACHINE_MODULES,
  PROTOCOL,
  RANDOM_NAMES,
} from './layers.ts';
import type { Import, Source, Text } from './source.ts';

export const MOST_FILE_LINES = 500;
export const MOST_FUNCTION_LINES = 70;

const isTest = (path: string) => path.endsWith('.test.ts') || path.startsWith('test/');
const isBench = (path: string) => path.startsWith('bench/');
const isCode = (path: string) => /^(src|test|bench|scripts|bin|examples)\/.*\.[cm]?[jt]s$/.test(path);
const countLines = (text: string) => text.replace(/\n$/, '').split('\n').length;
const lineAt = (text: string, index: number) => text.slice(0, index).split('\n').length;

/** `src/gate/walk.ts` -> `gate`; `src/boot.ts` -> `boot.ts`. */
const moduleOf = (path: string) => path.split('/')[1] ?? '';

export function checkLayers(sources: readonly Source[]): string[] {
  const problems: string[] = [];
  for (const source of sources.filter(({ path }) => path.startsWith('src/'))) {
    for (const one of source.imports) {
      const why = one.target === undefined ? undefined : refuseImport(source.path, one.target, one);
      if (why) problems.push(`${source.path}:${one.line}: imports ${one.target}: ${why}`);
    }
  }
  return problems;
}

function refuseImport(path: string, target: string, one: Import): string | undefined {
  if (isTest(path) && target.startsWith('test/')) return undefined;
  if (!target.startsWith('src/')) return 'it lies outside src/';
  const from = moduleOf(path);
  const to = moduleOf(target);
  if (from === to) return undefined;
  const friends = CLIENTS[from];
  if (friends) {
    if (friends.includes(to)) return undefined;
    if (to === 'base' && (isTest(path) || PROTOCOL.includes(posix.basename(target)))) return undefined;
    if (to === 'boot.ts' && one.dynamic && BOOT_FROM.test(path)) return undefined;
    if (path === LAB_FROM && LAB.test(target)) return undefined;
    return `a client imports base/${PROTOCOL.join('|')}${friends.map((name) => ` and ${name}/`).join('')} only`;
  }
  const own = LAYERS[from];
  const other = LAYERS[to];
  if (own === undefined) return `${from} has no layer: give it one in test/tidy/layers.ts`;
  if (other === undefined) return CLIENTS[to] ? 'the kernel knows no client' : `${to} has no layer`;
  if (own > other) return undefined;
  return own === other
    ? `${from} and ${to} are siblings of layer ${own}: let the layer above hand over plain values`
    : `${to} is layer ${other}, above ${from} (layer ${own})`;
}

/** Cycles of files, types included: a type that needs its user's type belongs in a file of its own. */
export function checkCycles(sources: readonly Source[]): string[] {
  const edges = new Map(
    sources.map(({ path, imports }) => [path, imports.flatMap(({ target }) => target ?? [])]),
  );
  const state = new Map<string, 'open' | 'done'>();
  const trail: string[] = [];
  const problems: string[] = [];
  const visit = (path: string) => {
    if (state.get(path) === 'done') return;
    if (state.get(path) === 'open') {
      problems.push(`${[...trail.slice(trail.indexOf(path)), path].join(' -> ')}: an import cycle`);
      return;
    }
    state.set(path, 'open');
    trail.push(path);
    for (const target of edges.get(path) ?? []) visit(target);
    trail.pop();
    state.set(path, 'done');
  };
  for (const path of edges.keys()) visit(path);
  return problems;
}

export function checkFileSizes(texts: readonly Text[]): string[] {
  return texts
    .filter(({ path }) => isCode(path))
    .map(({ path, text }) => ({ path, lines: countLines(text) }))
    .filter(({ lines }) => lines > MOST_FILE_LINES)
    .map(
      ({ path, lines }) => `${path}: ${lines} lines, at most ${MOST_FILE_LINES}: give each job its own file`,
    );
}

export function checkFunctionSizes(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => !path.endsWith('.test.ts') && !isBench(path))
    .flatMap(({ path, functions }) =>
      functions
        .filter(({ lines }) => lines > MOST_FUNCTION_LINES)
        .map(
          (one) => `${path}:${one.line}: ${one.name} has ${one.lines} lines, at most ${MOST_FUNCTION_LINES}`,
        ),
    );
}

export function checkAny(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, anys, text }) => [
    ...anys.map(({ line }) => `${path}:${line}: any: say what it is, or unknown`),
    ...[...text.matchAll(/^\s*\/\/ @ts-(ignore|nocheck|expect-error)/gm)].map(
      (match) => `${path}:${lineAt(text, match.index)}: @ts-${match[1]} hides an error`,
    ),
  ]);
}

/** Names that say nothing about the job. */
export function checkNames(texts: readonly Text[]): string[] {
  return texts
    .filter(({ path }) => isCode(path))
    .filter(({ path }) => /(^|[/.-])(utils?|helpers?|misc|common)([/.-]|$)/i.test(path))
    .map(({ path }) => `${path}: name it after the noun it owns`);
}

export function checkMarkers(texts: readonly Text[]): string[] {
  // In pieces, so that this file does not break its own rule.
  const marker = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].join('|')})\\b`, 'g');
  return texts
    .filter(({ path }) => isCode(path) || path.endsWith('.md'))
    .flatMap(({ path, text }) =>
      [...text.matchAll(marker)].map(
        (match) => `${path}:${lineAt(text, match.index)}: ${match[0]}: do it, or write an issue`,
      ),
    );
}

/** Below the edge, time, randomness, network, files and processes are arguments: a simulation runs the same code. */
export function checkAmbient(sources: readonly Source[]): string[] {
  const inner = sources.filter(
    ({ path }) => path.startsWith('src/') && !isTest(path) && !EDGE.some((edge) => path.startsWith(edge)),
  );
  return inner.flatMap(({ path, ambient, imports }) => [
    ...ambient.map(
      ({ what, line }) => `${path}:${line}: ${what}: take it as an argument (base/clock.ts, base/random.ts)`,
    ),
    ...imports
      .filter(({ specifier }) => MACHINE_MODULES.has(specifier))
      .map(({ specifier, line }) => `${path}:${line}: ${specifier} belongs to the edge (${EDGE.join(' ')})`),
    ...imports
      .filter(({ specifier }) => specifier === 'node:crypto')
      .flatMap(({ names, line }) =>
        names.filter((name) => RANDOM_NAMES.has(name)).map((name) => ({ name, line })),
      )
      .map(({ name, line }) => `${path}:${line}: ${name}: take a Random (base/random.ts)`),
  ]);
}

/** Unit tests must be repeatable: chance comes from a seed. */
export function checkTestChance(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => isTest(path))
    .flatMap(({ path, ambient }) =>
      ambient
        .filter(({ what }) => what === 'Math.random')
        .map(
          ({ what, line }) => `${path}:${line}: ${what}: use seededRandom, so that a failure can be repeated`,
        ),
    );
}

/** The error table and the code agree: no unknown code, no code that nothing answers. */
export function checkErrorCodes(sources: readonly Source[], codes: readonly string[]): string[] {
  const shipped = sources.filter(({ path }) => path.startsWith('src/') && !isTest(path));
  const known = new Set(codes);
  const unknown = shipped.flatMap(({ path, refusals }) =>
    refusals
      .filter(({ what }) => !known.has(what))
      .map(({ what, line }) => `${path}:${line}: refusal('${what}'): no such code in base/errors.ts`),
  );
  const speaks = shipped.filter(
    ({ path, imports }) =>
      path !== 'src/base/errors.ts' && imports.some(({ target }) => target === 'src/base/errors.ts'),
  );
  const used = new Set(speaks.flatMap(({ strings }) => strings.map(({ what }) => what)));
  const idle = codes
    .filter((code) => !used.has(code))
    .map((code) => `src/base/errors.ts: ${code}: nothing answers it`);
  return [...unknown, ...idle];
}

/** A ticket is proof that a call passed the gate; a test may forge one to drive a driver. */
export function checkMint(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => path.startsWith('src/') && !path.startsWith('src/gate/') && !isTest(path))
    .filter(({ path }) => path !== 'src/base/ticket.ts')
    .flatMap(({ path, text }) =>
      [...text.matchAll(/\bmintTicket\b/g)].map(
        (match) => `${path}:${lineAt(text, match.index)}: only gate/ may mint tickets`,
      ),
    );
}

/**
 * Each module of src/ has a file that opens with what the module owns (`/** gate/ owns ...`) or with its invariant;
 * each folder below it has a file that opens with what it is for.
 */
export function checkHeaders(sources: readonly Source[]): string[] {
  const folders = new Map<string, string[]>();
  for (const { path, header } of sources) {
    if (!path.startsWith('src/') || isTest(path)) continue;
    const folder = posix.dirname(path);
    folders.set(folder, [...(folders.get(folder) ?? []), header]);
  }
  folders.delete('src');
  return [...folders]
    .filter(([folder, headers]) => !headers.some((header) => isFolderHeader(folder, header)))
    .map(
      ([folder]) =>
        `${folder}: no file opens with "/** ${posix.basename(folder)}/ owns ...": say what, and its invariant`,
    );
}

function isFolderHeader(folder: string, header: string): boolean {
  if (folder.split('/').length > 2) return header.length > 40;
  return (
    new RegExp(`^/\\*\\*\\s+(?:\\*\\s+)?${posix.basename(folder)}/ `).test(header) ||
    /\bInvariant: /.test(header)
  );
}

/** `limits` is what the file exports, as imported. */
export function checkLimits(path: string, limits: unknown): string[] {
  if (typeof limits !== 'object' || limits === null) return [`${path}: exports no LIMITS`];
  return Object.entries(limits as Record<string, unknown>).flatMap(([name, limit]) => {
    const { value, unit, what, ...more } = (limit ?? {}) as Record<string, unknown>;
    const problems: string[] = [];
    if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0)
      problems.push('value is no positive number');
    if (typeof unit !== 'string' || unit === '') problems.push('unit is missing');
    if (typeof what !== 'string' || what.length < 8) problems.push('what does not say what it bounds');
    if (Object.keys(more).length > 0)
      problems.push(`has more than value, unit and what: ${Object.keys(more)}`);
    return problems.map((problem) => `${path}: ${name}: ${problem}`);
  });
}

const PERSONAL =
  /(?:^|[\s"'`(=:])(\/root\/\.|\/work\/|\/(?:home|Users)\/(?!(?:u|user|you|alice|bob)\b)[\w.-]+)/g;
const REGISTRY =
  /\b(?:registry|npm|artifactory|nexus|verdaccio)\.[a-z0-9-]+\.[a-z]{2,}\b|\b(?:npm(?:js|mirror)|pythonhosted)\.(?:org|com)\b/g;

/** Nothing in the repository tells whose machine it was written on, or where its packages were fetched. */
export function checkTraces(texts: readonly Text[], own: readonly string[] = []): string[] {
  return texts.flatMap(({ path, text }) => [
    ...[...text.matchAll(PERSONAL)].map(
      (match) => `${path}:${lineAt(text, match.index)}: ${match[1]}: a path of one machine`,
    ),
    ...own
      .filter((place) => text.includes(place))
      .map((place) => `${path}: ${place}: a path of this machine`),
    ...[...text.matchAll(REGISTRY)].map(
      (match) => `${path}:${lineAt(text, match.index)}: ${match[0]}: the host of a package registry`,
    ),
  ]);
}

export function checkLockfile(text: string): string[] {
  const found = (pattern: RegExp, remedy: string) =>
    [...text.matchAll(pattern)].map(
      (match) => `package-lock.json:${lineAt(text, match.index)}: ${match[0]}: ${remedy}`,
    );
  return [
    ...found(/"resolved":\s*"https?:[^"]*"/g, 'npm install with omit-lockfile-registry-resolved'),
    // npm would add the engine's binaries for every accelerator: 640 MB that nobody asked for.
    ...found(/"@node-llama-cpp\/(?!linux-(?:x64|arm64)")[\w-]+"/g, 'take it out, and its packages entry'),
  ];
}
