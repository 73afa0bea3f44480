/**
 * tidy/ reads the sources as the compiler parses them and holds them to the house rules (rules.ts). It judges text
 * alone: it runs nothing of mezz and knows none of its types.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative } from 'node:path';
import { type Node, type SourceFile, SyntaxKind } from 'typescript/unstable/ast';
import * as is from 'typescript/unstable/ast/is';
import { createVirtualFileSystem } from 'typescript/unstable/fs';
import { API } from 'typescript/unstable/sync';

export interface Import {
  readonly specifier: string;
  /** Path from the repository's root, for relative specifiers. */
  readonly target?: string;
  readonly names: readonly string[];
  readonly dynamic: boolean;
  readonly line: number;
}
export interface FunctionSize {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}
export interface Place {
  readonly what: string;
  readonly line: number;
}
/** A TypeScript file, reduced to what the rules ask about. `path` is relative to the root, with slashes. */
export interface Source {
  readonly path: string;
  readonly text: string;
  readonly header: string;
  readonly imports: readonly Import[];
  readonly functions: readonly FunctionSize[];
  readonly anys: readonly Place[];
  /** Names of the surrounding machine used without being declared or imported here: `Date.now`, `fetch`. */
  readonly ambient: readonly Place[];
  readonly strings: readonly Place[];
  /** String literals in the first argument of `refusal(...)`. */
  readonly refusals: readonly Place[];
}
/** Any text file of the repository. */
export interface Text {
  readonly path: string;
  readonly text: string;
}

const NOT_OURS = new Set(['node_modules', 'dist', '.git', '.cache', 'coverage']);
const AMBIENT_MEMBERS = new Set([
  'Date.now',
  'Math.random',
  'performance.now',
  'crypto.randomUUID',
  'crypto.getRandomValues',
]);
const AMBIENT_OWNERS = new Set(['process', 'console']);
const AMBIENT_CALLS = new Set(['fetch', 'setTimeout', 'setInterval', 'setImmediate', 'WebSocket', 'Worker']);

/** Every text file below `root` that is ours: what git would track, found without needing git. */
export function readTexts(root: string): Text[] {
  const texts: Text[] = [];
  const walk = (directory: string) => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      // In a linked worktree `.git` is a file that holds a path of its machine.
      if (NOT_OURS.has(entry.name)) continue;
      if (entry.isDirectory()) walk(path);
      if (!entry.isFile() || entry.name.endsWith('.tgz')) continue;
      const bytes = readFileSync(path);
      if (bytes.includes(0)) continue;
      texts.push({ path: relative(root, path).replaceAll('\\', '/'), text: bytes.toString('utf8') });
    }
  };
  walk(root);
  return texts.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The TypeScript files of the project at `root`. */
export function readSources(root: string): Source[] {
  assertProject(root);
  return parse(new API({ cwd: root }), root);
}

/** The same for files that exist only here: how the rules' own tests plant violations. */
export function parseSources(files: Readonly<Record<string, string>>): Source[] {
  const root = '/planted';
  const config = JSON.stringify({
    compilerOptions: { noLib: true, types: [] },
    include: ['src', 'test', 'bench'],
  });
  const rooted = Object.fromEntries(Object.entries(files).map(([path, text]) => [`${root}/${path}`, text]));
  const fs = createVirtualFileSystem({ [`${root}/tsconfig.json`]: config, ...rooted });
  return parse(new API({ cwd: root, fs }), root);
}

function assertProject(root: string): void {
  if (!existsSync(join(root, 'tsconfig.json'))) throw new Error(`no tsconfig.json in ${root}`);
}

function parse(api: API, root: string): Source[] {
  try {
    const project = api.updateSnapshot({ openProjects: [`${root}/tsconfig.json`] }).getProjects()[0];
    const files = project?.rootFiles ?? [];
    return files.map((file) => readSource(posix.relative(root, file), project?.program.getSourceFile(file)));
  } finally {
    api.close();
  }
}

function readSource(path: string, file: SourceFile | undefined): Source {
  if (!file) throw new Error(`the compiler did not read ${path}`);
  const found = {
    imports: [] as Import[],
    functions: [] as FunctionSize[],
    anys: [] as Place[],
    ambient: [] as Place[],
    strings: [] as Place[],
    refusals: [] as Place[],
  };
  const lineOf = (position: number) => file.getLineAndCharacterOfPosition(position).line + 1;
  const visit = (node: Node): void => {
    const line = lineOf(node.getStart(file));
    const place = (what: string): Place => ({ what, line });
    const imported = importOf(node, path, line);
    if (imported) found.imports.push(imported);
    if (hasBlock(node))
      found.functions.push({ name: nameOf(node), line, lines: lineOf(node.end) - line + 1 });
    if (node.kind === SyntaxKind.AnyKeyword) found.anys.push(place('any'));
    const ambient = ambientOf(node);
    if (ambient) found.ambient.push(place(ambient));
    if (is.isStringLiteral(node) && !is.isImportDeclaration(node.parent))
      found.strings.push(place(node.text));
    if (is.isCallExpression(node) && is.isIdentifier(node.expression) && node.expression.text === 'refusal') {
      const code = node.arguments[0];
      if (code && is.isStringLiteral(code)) found.refusals.push(place(code.text));
    }
    node.forEachChild(visit);
  };
  file.forEachChild(visit);
  return { path, text: file.text, header: /^\/\*\*[\s\S]*?\*\//.exec(file.text)?.[0] ?? '', ...found };
}

function importOf(node: Node, path: string, line: number): Import | undefined {
  let specifier: string | undefined;
  let names: string[] = [];
  let dynamic = false;
  if ((is.isImportDeclaration(node) || is.isExportDeclaration(node)) && node.moduleSpecifier) {
    if (is.isStringLiteral(node.moduleSpecifier)) specifier = node.moduleSpecifier.text;
    const named = is.isImportDeclaration(node) ? node.importClause?.namedBindings : node.exportClause;
    if (named && (is.isNamedImports(named) || is.isNamedExports(named)))
      names = [...named.elements].map((element) => (element.propertyName ?? element.name).text);
  } else if (is.isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword) {
    const argument = node.arguments[0];
    specifier = argument && is.isStringLiteral(argument) ? argument.text : '(computed)';
    dynamic = true;
  } else if (is.isImportTypeNode(node) && is.isLiteralTypeNode(node.argument)) {
    if (is.isStringLiteral(node.argument.literal)) specifier = node.argument.literal.text;
  }
  if (specifier === undefined) return undefined;
  const target = specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : undefined;
  return { specifier, names, dynamic, line, ...(target === undefined ? {} : { target }) };
}

function hasBlock(node: Node): boolean {
  if (is.isArrowFunction(node)) return is.isBlock(node.body);
  return (
    (is.isFunctionDeclaration(node) ||
      is.isFunctionExpression(node) ||
      is.isMethodDeclaration(node) ||
      is.isConstructorDeclaration(node) ||
      is.isGetAccessorDeclaration(node) ||
      is.isSetAccessorDeclaration(node)) &&
    node.body !== undefined
  );
}

function nameOf(node: Node): string {
  const named = (candidate: Node): string | undefined => {
    const name = (candidate as { readonly name?: Node }).name;
    return name && (is.isIdentifier(name) || is.isPrivateIdentifier(name) || is.isStringLiteral(name))
      ? name.text
      : undefined;
  };
  return (
    named(node) ?? (is.isConstructorDeclaration(node) ? 'constructor' : (named(node.parent) ?? '(unnamed)'))
  );
}

function ambientOf(node: Node): string | undefined {
  if (is.isPropertyAccessExpression(node) && is.isIdentifier(node.name)) {
    const owner = is.isIdentifier(node.expression) ? node.expression.text : '';
    const name = `${owner}.${node.name.text}`;
    if (AMBIENT_MEMBERS.has(name) || AMBIENT_OWNERS.has(owner)) return name;
    return owner === 'globalThis' && AMBIENT_CALLS.has(node.name.text) ? node.name.text : undefined;
  }
  if ((is.isCallExpression(node) || is.isNewExpression(node)) && is.isIdentifier(node.expression)) {
    const name = node.expression.text;
    if (name === 'Date' && !node.arguments?.length) return 'new Date()';
    if (AMBIENT_CALLS.has(name)) return name;
  }
  return undefined;
}
