import type { Environment } from '../../sdk/home.ts';
import { formatCount } from '../format.ts';
import { ALLOWS, type Engine, type FoundModel, findEngines } from './engines.ts';
import { LAB } from './model.ts';
import { findProgram } from './programs.ts';

export interface Survey {
  /** Programs on the PATH that mezz runs as agents. */
  readonly agents: readonly string[];
  /** Variables that hold a provider's key, by name. */
  readonly keys: readonly string[];
  readonly engines: readonly Engine[];
  /** Ports of those that agents can use already. */
  readonly served: readonly number[];
}

/** mezz run refuses it, and says why. */
const UNSERVED = 'gemini';
const AGENTS = ['claude', 'codex', 'gemini', 'opencode'] as const;
const KEYS = ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY'] as const;

/** `urls` are those of the kernel's backends. */
export async function surveyMachine(
  env: Environment,
  ports: readonly number[],
  urls: readonly string[],
): Promise<Survey> {
  const engines = await findEngines(ports);
  return {
    agents: AGENTS.filter((name) => findProgram(name, env.PATH) !== undefined),
    keys: KEYS.filter((name) => env[name]),
    engines,
    served: engines.map(({ port }) => port).filter((port) => urls.some((url) => isAt(url, port))),
  };
}

function isAt(url: string, port: number): boolean {
  const address = URL.parse(url);
  return Number(address?.port) === port && ['127.0.0.1', 'localhost'].includes(address?.hostname ?? '');
}

/** What was found, in words; a line for what was not, so that nobody wonders whether it was looked for. */
export function describeSurvey({ agents, keys, engines, served }: Survey): string[] {
  return [
    `  agents  ${agents.map((name) => (name === UNSERVED ? `${name} (not served yet)` : name)).join(', ') || 'none of claude, codex, gemini, opencode is on the PATH'}`,
    `  keys    ${keys.length > 0 ? `${keys.join(', ')} (by name; not read)` : 'none in this shell; agents with a login of their own need none'}`,
    `  engines ${engines.map((engine) => describeEngine(engine, served.includes(engine.port))).join('; ') || 'none answers on the usual ports of this machine'}`,
    `  limits  ${platformLimits()}`,
  ];
}

/** What mezz cannot do on this system, in a line; mezz doctor has the whole of it. */
function platformLimits(platform: string = process.platform): string {
  const sandbox = 'no sandbox yet: agents run as you, and one that means to can go round the gate';
  if (platform === 'linux') return sandbox;
  return platform === 'darwin'
    ? `${sandbox}; what an agent leaves running is not found on macOS`
    : `${sandbox}; ${platform} is not supported`;
}

/** Its models with what each holds; beyond a few, how many more there are. */
function describeEngine({ name, port, models, kind }: Engine, isServed: boolean): string {
  const few = models.slice(0, 3).map(describeModel).join(', ');
  const more = models.length > 3 ? ` and ${models.length - 3} more` : '';
  return `${name} on port ${port} (${few || 'no model loaded'}${more}; level G1, the engine would allow ${ALLOWS[kind]}${isServed ? '; in use' : ''})`;
}

function describeModel({ name, window, assumed }: FoundModel): string {
  if (window === null) return name;
  return `${name} ${assumed ? 'about ' : ''}${formatCount(window)} tokens`;
}

/** The lines to type next, those first for which everything is here; `model` is what mezz sh would talk to. */
export function nextSteps({ agents, engines, served }: Survey, model: string): string[] {
  const idle = engines.filter(({ port }) => !served.includes(port));
  const runs = agents
    .filter((name) => name !== UNSERVED)
    .map((name) => step(`mezz run -- ${name}`, `${name} as an agent, with your own login`));
  return [
    ...runs,
    ...idle.flatMap(engineSettings),
    step('mezz sh', `a small agent in this terminal, with ${model}${model === LAB ? ' (no model)' : ''}`),
    step('eval "$(mezz env)"', 'point any other program in this shell at mezz'),
    step('mezz ps', 'who runs, how much of it the gate sees; live: mezz top'),
    step('mezz bill', 'what was used and what it cost'),
    step('mezz checklist', 'five questions, answered by experiments here'),
    step('mezz down', 'stop the kernel'),
  ];
}

const step = (command: string, what: string): string => `  ${command.padEnd(22)}  ${what}`;

function engineSettings({ name, models }: Engine): string[] {
  if (models.length === 0) return [];
  return [
    step(
      `mezz backend add ${name}`,
      `its ${models.length === 1 ? 'model' : 'models'} for agents, by a change of mezz.yaml`,
    ),
  ];
}
