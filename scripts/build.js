// Bundles src/ into dist/ for the package: Node strips no types inside node_modules. The command line, the kernel and every
// file that the sources reach by `new URL('./x.ts', import.meta.url)` (workers) are bundled each for itself; what a
// command or the kernel imports late becomes a file that is loaded then. Dependencies stay external, but for the option
// parser and the screen of `mezz top`, which are carried along with the licences their packages came under.
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
/** `import a, { b, c as d } from 'node:x';`, but no import of types alone. */
const BUILTIN_IMPORT = /^import (?!type\b)(?:(\w+)(?:, )?)?(?:\{([^}]*)\})? ?from '(node:[\w/]+)';$/gm;
const FILE_URL = /new URL\(\s*(['"])(\.{1,2}\/[^'"]+)\1,\s*import\.meta\.url,?\s*\)/g;

/** `src/db/sqlite/writer.ts` -> `db-sqlite-writer.ts`: the name of an entry or of a copied data file in dist/. */
const flatName = (path) =>
  relative(root, path)
    .replace(/^src[/\\]/, '')
    .replaceAll(/[/\\]/g, '-');

/** Where a file that the sources name by URL lies for code in dist/; data inside src/ is copied there. */
function packagedPath(target) {
  if (target.endsWith('.ts')) return `./${flatName(target).replace(/\.ts$/, '.js')}`;
  if (!target.startsWith(join(root, 'src'))) return relative(dist, target);
  copyFileSync(target, join(dist, flatName(target)));
  return `./${flatName(target)}`;
}

function collectEntries() {
  const entries = { cli: join(root, 'src', 'cli', 'main.ts') };
  for (const file of globSync('src/**/*.ts', { cwd: root })) {
    if (file.endsWith('.test.ts')) continue;
    const path = join(root, file);
    for (const [, , target] of readFileSync(path, 'utf8').matchAll(FILE_URL)) {
      const worker = resolve(dirname(path), target);
      if (worker.endsWith('.ts') && existsSync(worker))
        entries[flatName(worker).replace(/\.ts$/, '')] = worker;
    }
  }
  return entries;
}

/**
 * What Node itself brings is taken, not imported: an ES import reads all that a module exports, and behind some of that
 * lie whole subsystems that nobody here uses (node:fs, node:crypto and node:util alone cost each thread 10 ms).
 */
function takeBuiltins(text) {
  return text.replaceAll(BUILTIN_IMPORT, (_, whole, members = '', name) => {
    const names = members
      .split(',')
      .map((member) => member.trim().replace(' as ', ': '))
      .filter((member) => member !== '' && !member.startsWith('type '));
    const targets = [...(whole ? [whole] : []), ...(names.length > 0 ? [`{ ${names.join(', ')} }`] : [])];
    return targets.map((to) => `const ${to} = globalThis.process.getBuiltinModule('${name}');`).join(' ');
  });
}

function placeFiles(text, path) {
  return text.replaceAll(FILE_URL, (whole, quote, target) => {
    const file = resolve(dirname(path), target);
    return existsSync(file) ? `new URL(${quote}${packagedPath(file)}${quote}, import.meta.url)` : whole;
  });
}

const sources = {
  name: 'sources',
  setup(builder) {
    builder.onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => {
      const contents = takeBuiltins(placeFiles(readFileSync(path, 'utf8'), path));
      return { contents, loader: 'ts' };
    });
    builder.onLoad({ filter: /\/commander\/.*\.js$/ }, ({ path }) => ({
      contents: takeBuiltins(readFileSync(path, 'utf8')),
    }));
  },
};

/** Packages whose code travels in the build, with all that they need: for their own sake, or to be fewer files to load. */
const CARRIED = new Set(['ink', 'react', 'commander']);
const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const named = Object.keys({ ...dependencies, ...devDependencies });

/** The licence texts of the packages whose code is in the build. */
function licences(inputs) {
  const folders = inputs.map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]);
  const texts = [...new Set(folders)].filter(Boolean).map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    const file = readdirSync(join(root, folder)).find((one) => /^licen[cs]e/i.test(one));
    const text = file ? readFileSync(join(root, folder, file), 'utf8').trim() : '';
    return `${name} ${version} (${license})\n\n${text}`;
  });
  return `${texts.sort().join('\n\n----\n\n')}\n`;
}

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
const options = {
  absWorkingDir: root,
  outdir: dist,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  // The debugger that Ink offers is never loaded.
  external: [...named.filter((name) => !CARRIED.has(name)), 'react-devtools-core'],
  define: { 'process.env.NODE_ENV': '"production"' },
  // Packages that are no modules call require() for what Node itself brings.
  banner: {
    js: "const require = (name) => process.getBuiltinModule('node:module').createRequire(import.meta.url)(name);",
  },
  chunkNames: '[name]-[hash]',
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
};
const boot = join(root, 'src', 'boot.ts');
/** The command line and the kernel share little, and what they share would be many small files to load. */
const bootApart = {
  name: 'boot-apart',
  setup(builder) {
    builder.onResolve({ filter: /\/boot\.ts$/ }, () => ({ path: './boot.js', external: true }));
  },
};
const { cli, ...workers } = collectEntries();
const builds = await Promise.all([
  build({ ...options, entryPoints: { cli }, splitting: true, plugins: [sources, bootApart] }),
  build({ ...options, entryPoints: { boot }, splitting: true, plugins: [sources] }),
  // A worker is one file: it comes up while others wait for it.
  build({ ...options, entryPoints: workers, plugins: [sources] }),
]);
const inputs = builds.flatMap(({ metafile }) => Object.keys(metafile.inputs));
const outputs = builds.flatMap(({ metafile }) => Object.values(metafile.outputs));
writeFileSync(join(dist, 'LICENSES.txt'), licences(inputs));
const bytes = outputs.reduce((sum, output) => sum + output.bytes, 0);
console.error(`dist: ${outputs.length} files, ${Math.round(bytes / 1024)} kB`);
