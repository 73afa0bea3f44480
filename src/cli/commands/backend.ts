import { type Command, Option } from 'commander';
import type { BackendView, PreemptionLevel } from '../../base/models.ts';
import type { SettingsChange } from '../../base/sheets.ts';
import { UsageFailure } from '../exit.ts';
import { cacheText, formatCount } from '../format.ts';
import { ALLOWS, ENGINE_PORTS, type Engine, type FoundModel, findEngines } from '../found/engines.ts';
import { levelText, modelAt, probe, probeNew, triedText } from '../found/probe.ts';
import type { Session } from '../session.ts';
import type { Column } from '../table.ts';
import { asJson, asList, show, type ViewOptions } from '../view.ts';

interface FindOptions extends ViewOptions {
  readonly port: readonly number[];
}
interface TryOptions extends ViewOptions {
  readonly model?: string;
}
interface AddOptions extends FindOptions {
  readonly found?: boolean;
  readonly try: boolean;
}

const BACKEND_COLUMNS: Column<BackendView>[] = [
  { head: 'BACKEND', cell: (backend) => backend.id },
  { head: 'URL', cell: (backend) => backend.url },
  { head: 'SPEAKS', cell: (backend) => backend.dialects.join(' ') },
  { head: 'CREDENTIAL', cell: (backend) => `${backend.credential}${backend.ready ? '' : ' (missing)'}` },
  { head: 'ACCOUNT', cell: (backend) => backend.account },
  { head: 'BUSY', cell: (backend) => `${backend.busy}/${backend.slots}`, right: true },
  { head: 'WAITING', cell: (backend) => String(backend.waiting), right: true },
  { head: 'LEVEL', cell: ({ preemption }) => levelText(preemption) },
  { head: 'LABEL', cell: (backend) => backend.label ?? '' },
];

interface FoundRow {
  readonly engine: Engine;
  readonly model: FoundModel | undefined;
}

const windowText = (model: FoundModel | undefined): string => {
  if (!model) return '-';
  if (model.window === null) return 'unknown';
  return `${model.assumed ? 'about ' : ''}${formatCount(model.window)}`;
};

const FOUND_COLUMNS: Column<FoundRow>[] = [
  { head: 'ENGINE', cell: ({ engine }) => engine.name },
  { head: 'PORT', cell: ({ engine }) => String(engine.port), right: true },
  { head: 'MODEL', cell: ({ model }) => model?.name ?? '(none loaded)' },
  { head: 'WINDOW', cell: ({ model }) => windowText(model), right: true },
  { head: 'MADE FOR', cell: ({ model }) => (model?.most ? formatCount(model.most) : '-'), right: true },
  { head: 'SLOTS', cell: ({ engine }) => String(engine.slots), right: true },
  { head: 'LEVEL', cell: ({ engine }) => `G1 (allows ${ALLOWS[engine.kind]})` },
];

async function find(session: Session, options: FindOptions): Promise<void> {
  const { terminal } = session;
  const engines = await findEngines(options.port);
  if (options.json) return terminal.printJson({ schema: 'mezz.backend.find/1', engines });
  const rows = engines.flatMap((engine): FoundRow[] =>
    engine.models.length > 0
      ? engine.models.map((model) => ({ engine, model }))
      : [{ engine, model: undefined }],
  );
  terminal.printTable(FOUND_COLUMNS, rows);
  const portOf = (port: number) => (ENGINE_PORTS.includes(port) ? '' : ` --port ${port}`);
  const next = engines.map(({ name, port }) => `mezz backend add ${name}${portOf(port)}`).join(', or ');
  terminal.note(next ? `Next: ${next}` : `No engine answers on ${options.port.join(', ')}.`);
}

async function backendOf({ control }: Session, id: string): Promise<BackendView> {
  const { backends } = await control.call('backends', {});
  const backend = backends.find((one) => one.id === id);
  if (!backend) throw new UsageFailure(`there is no backend "${id}"`, 'mezz backend', 3);
  return backend;
}

async function showOne(session: Session, id: string, options: ViewOptions): Promise<void> {
  const backend = await backendOf(session, id);
  if (options.json) session.terminal.printJson({ schema: 'mezz.backend/1', backend });
  else printOne(session, backend);
}

/** What has no address, as mezz itself is where it runs. */
const INSIDE: Readonly<Record<string, string>> = {
  'lab:': 'played by mezz itself: no model',
  'engine:': 'models of this machine, in processes of mezz',
};

function printOne({ terminal }: Session, backend: BackendView): void {
  const { id, url, dialects, credential, ready, account, busy, slots, waiting, hints, cache } = backend;
  const { level, allows, why, triedAt } = backend.preemption;
  terminal.print(
    `${id}  ${INSIDE[url] ?? url}${backend.label ? `  (${backend.label})` : ''}`,
    `speaks      ${dialects.join(', ')}`,
    `credential  ${credential}${ready ? '' : ' (missing)'}; account ${account}`,
    `slots       ${busy} of ${slots} taken, ${waiting} calls wait`,
    `preemption  ${level}: ${LEVELS[level]}`,
    ...(allows === level ? [] : [`            it would allow ${allows}: ${LEVELS[allows]}`]),
    `            ${why}${triedAt === null ? '' : ` (${new Date(triedAt).toISOString().slice(0, 10)})`}`,
    `hints       ${hints.join(', ') || 'none: it is told nothing of priority or session'}`,
    `cache       ${cache ? cacheText(cache) : "its provider's matter"}`,
  );
}

/** Nothing but what was named, or `--found`, is put in force. */
async function add(session: Session, names: readonly string[], options: AddOptions): Promise<void> {
  const { terminal, control } = session;
  await control.call('status', {});
  const engines = await findEngines(options.port);
  const known = engines.map(({ name }) => name).join(', ') || 'none';
  if (names.length === 0 && !options.found)
    throw new UsageFailure(
      `mezz backend add needs an engine, or --found for all (here: ${known})`,
      'mezz backend find',
    );
  const missing = names.find((name) => !engines.some((engine) => engine.name === name));
  if (missing !== undefined || engines.length === 0)
    throw new UsageFailure(
      `no engine ${missing ?? ''} answers on ${options.port.join(', ')} (here: ${known})`.replace('  ', ' '),
      'start it, or name its port: mezz backend find --port 8001',
      3,
    );
  const { backendFor } = await import('../found/adopt.ts');
  const wanted = names.length > 0 ? engines.filter(({ name }) => names.includes(name)) : engines;
  for (const engine of wanted) {
    const answer = await control.call('backend.add', await backendFor(engine));
    if (answer.problems.length > 0) session.exit = 1;
    if (options.json) terminal.printJson(answer);
    else printAdded(session, engine, answer);
  }
  if (!options.try || session.exit === 1) return;
  const tried = await probeNew(control);
  if (!options.json) for (const backend of tried) terminal.print(triedText(backend));
}

function printAdded(
  { terminal }: Session,
  { name }: Engine,
  { file, added, kept, problems }: SettingsChange,
): void {
  for (const problem of problems) terminal.print(`${terminal.style('red', 'fail')}  ${problem}`);
  if (problems.length > 0)
    return terminal.note(
      added.length > 0
        ? `${file}: added ${added.join(', ')}, not in force. Next: mend it`
        : `${file} is as it was. Next: mend it, then mezz backend add ${name}`,
    );
  terminal.print(
    added.length > 0 ? `${file}: added ${added.join(', ')}; in force` : `${file}: nothing to add`,
    ...(kept.length > 0 ? [`kept as the file has it: ${kept.join(', ')}`] : []),
  );
}

/** By calls of an agent of its own: they are decided, scheduled and recorded as all are. */
async function tryOut(session: Session, id: string, options: TryOptions): Promise<void> {
  const { terminal, control } = session;
  const backend = await backendOf(session, id);
  if (backend.credential !== 'local')
    throw new UsageFailure(`${id} charges for tokens: nothing is tried there`, `mezz backend show ${id}`);
  const model = options.model ?? (await modelAt(control, id));
  if (model === undefined)
    throw new UsageFailure(`no model by name is served by ${id}`, `mezz backend try ${id} --model <model>`);
  const probed = await probe(control, backend, model);
  if (!probed) return;
  const { preemption } = probed;
  if (options.json) terminal.printJson({ schema: 'mezz.backend.tried/1', preemption });
  else printOne(session, { ...backend, preemption });
}

const LEVELS: Readonly<Record<PreemptionLevel, string>> = {
  G0: 'calls that wait are reordered',
  G1: 'a turn stops before its next call',
  G2: 'a running call is broken off and asked again',
  G3: 'a running call is broken off and goes on from what it said',
  G4: 'a running call is broken off and goes on with the same tokens, at any temperature',
  G5: 'a running call stops between any two tokens and goes on, nothing computed again',
  G6: 'a running call stops between any two tokens and goes on, across a restart too',
};

const parsePort = (text: string, before: readonly number[]): number[] => {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new UsageFailure(`"${text}" is not a port`, 'a whole number from 1 to 65535');
  return before === ENGINE_PORTS ? [port] : [...before, port];
};

const withPort = (command: Command): Command =>
  command.addOption(
    new Option('--port <port>', 'look at this port of 127.0.0.1 instead; again for more')
      .default(ENGINE_PORTS, ENGINE_PORTS.join(', '))
      .argParser(parsePort),
  );

const ABOUT = `
It writes the engine and its models into mezz.yaml (comments and all that is there stay) and puts them in force.
Nothing is downloaded, and no request of an agent changes its way before. Three short answers in each
of Chat and Messages that it speaks are asked for (mezz backend try), which are free here.

Examples:
  mezz backend add ollama
  mezz backend add --found`;

export function define(program: Command, session: Session): void {
  const backend = program
    .command('backend')
    .description('where models run; engines here, and how to use them');
  asList(backend.command('ls', { isDefault: true }).description('list backends')).action(
    (options: ViewOptions) =>
      show(session, options, {
        verb: 'backends',
        request: {},
        ids: ({ backends }) => backends.map((one) => one.id),
        render: ({ backends }) => session.terminal.printTable(BACKEND_COLUMNS, backends),
      }),
  );
  asJson(
    backend
      .command('show')
      .description('one backend: slots, how far its calls can be preempted, hints, its cache'),
  )
    .argument('<backend>', 'as mezz backend lists it')
    .action((id: string, options: ViewOptions) => showOne(session, id, options));
  asJson(
    backend
      .command('try <backend>')
      .description('try, by short answers, whether a local backend goes on with one that was broken off'),
  )
    .option('--model <model>', 'ask this one instead of the first that it serves')
    .action((id: string, options: TryOptions) => tryOut(session, id, options));
  withPort(
    asJson(backend.command('find').description('engines on this machine, their models and windows')),
  ).action((options: FindOptions) => find(session, options));
  withPort(asJson(backend.command('add').description('let agents use an engine of this machine')))
    .argument('[engine...]', 'as mezz backend find names it')
    .option('--found', 'all that are found')
    .option('--no-try', 'do not try whether it goes on with an answer that was broken off')
    .addHelpText('after', ABOUT)
    .action((engines: string[], options: AddOptions) => add(session, engines, options));
}
