import type { Environment } from '../../sdk/home.ts';
import { type Engine, type EnginePort, findEngines } from './engines.ts';
import { findProgram } from './programs.ts';

export interface Survey {
  /** Programs on the PATH that mezz runs as agents. */
  readonly agents: readonly string[];
  /** Variables that hold a provider's key, by name. */
  readonly keys: readonly string[];
  readonly engines: readonly Engine[];
}

const AGENTS = ['claude', 'codex', 'gemini', 'opencode'] as const;
const KEYS = ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY'] as const;

export async function surveyMachine(env: Environment, ports: readonly EnginePort[]): Promise<Survey> {
  return {
    agents: AGENTS.filter((name) => findProgram(name, env.PATH) !== undefined),
    keys: KEYS.filter((name) => env[name]),
    engines: await findEngines(ports),
  };
}

/** What was found, in words; a line for what was not, so that nobody wonders whether it was looked for. */
export function describeSurvey({ agents, keys, engines }: Survey): string[] {
  const listed = (engine: Engine): string => {
    const few = engine.models.slice(0, 3).join(', ');
    const more = engine.models.length > 3 ? ` and ${engine.models.length - 3} more` : '';
    return `${engine.name} on port ${engine.port} (${few || 'no model loaded'}${more})`;
  };
  return [
    `  agents  ${agents.join(', ') || 'none of claude, codex, gemini, opencode is on the PATH'}`,
    `  keys    ${keys.length > 0 ? `${keys.join(', ')} (by name; not read)` : 'none in this shell; agents with a login of their own need none'}`,
    `  engines ${engines.map(listed).join('; ') || 'none answers on the usual ports of this machine'}`,
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

/** The lines to type next, those first for which everything is here. */
export function nextSteps({ agents, keys, engines }: Survey): string[] {
  const runs = agents
    .filter((name) => name !== 'gemini')
    .map((name) => step(`mezz run -- ${name}`, `${name} as an agent, with your own login`));
  const model = keys.length + engines.length > 0 ? '' : ' (its model is "lab", which is no model)';
  return [
    ...runs,
    step('mezz sh', `a small agent in this terminal${model}`),
    step('eval "$(mezz env)"', 'point any OpenAI or Anthropic program in this shell at mezz'),
    step('mezz ps', 'who runs, and how much of what each does the gate sees; mezz top: live'),
    step('mezz bill', 'what was used and what it cost'),
    step('mezz checklist', 'five questions to mezz, answered by experiments here (half a minute)'),
    step('mezz down', 'stop the kernel'),
    ...engines.flatMap(engineSettings),
  ];
}

const step = (command: string, what: string): string => `  ${command.padEnd(22)}  ${what}`;

/** What to write so that agents can use an engine that is here. */
function engineSettings({ name, port, models }: Engine): string[] {
  const model = models[0];
  if (model === undefined) return [];
  return [
    '',
    `  To use ${name}, in mezz.yaml (mezz config says where it is):`,
    `    backends: { ${name}: { url: http://127.0.0.1:${port}/v1, dialects: [openai-chat], credential: local } }`,
    `    models: { ${JSON.stringify(model)}: { backends: [${name}], price: free } }`,
  ];
}
