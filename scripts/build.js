// Bundles src/ into dist/ for the package: Node strips no types inside node_modules. Entries are the command line and
// every file that the sources reach by `new URL('./x.ts', import.meta.url)` (workers); everything else, the kernel
// included, becomes a chunk that is loaded when first imported. Dependencies stay external; the screen of `mezz top` is
// carried along, with the licences its packages came under.
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

const fileUrls = {
  name: 'file-urls',
  setup(builder) {
    builder.onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      const contents = text.replaceAll(FILE_URL, (whole, quote, target) => {
        const file = resolve(dirname(path), target);
        return existsSync(file) ? `new URL(${quote}${packagedPath(file)}${quote}, import.meta.url)` : whole;
      });
      return { contents, loader: 'ts' };
    });
  },
};

/** Development dependencies whose code travels in the build, with all that they need. */
const CARRIED = new Set(['ink', 'react']);
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
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: collectEntries(),
  outdir: dist,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  // The debugger that Ink offers is never loaded.
  external: [...named.filter((name) => !CARRIED.has(name)), 'react-devtools-core'],
  define: { 'process.env.NODE_ENV': '"production"' },
  // Packages that are no modules call require() for what Node itself brings.
  banner: {
    js: "import { createRequire as newRequire } from 'node:module'; const require = newRequire(import.meta.url);",
  },
  chunkNames: '[name]-[hash]',
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
  plugins: [fileUrls],
});
writeFileSync(join(dist, 'LICENSES.txt'), licences(Object.keys(metafile.inputs)));
const bytes = Object.values(metafile.outputs).reduce((sum, output) => sum + output.bytes, 0);
console.error(`dist: ${Object.keys(metafile.outputs).length} files, ${Math.round(bytes / 1024)} kB`);
