/** A product that a description names, as a subject. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRecord, type JsonRecord } from '../../../base/json.ts';
import { SPEECH } from '../dialects.ts';
import { openAddress, openProcess, type ToolServer } from '../mcp.ts';
import type { Caller, Models, Order, Subject, ToolAnswer, Tools, Words } from '../subject.ts';
import { openUpstream, type Upstream } from '../upstream.ts';
import { act, must, Process } from './action.ts';
import type { Action, ActionName, Description, ToolUse } from './description.ts';
import { fill, fillText, type Places } from './places.ts';

interface Product {
  readonly description: Description;
  /** What is the same for all agents. */
  readonly common: Places;
  placesOf(caller: Caller): Places;
  /** Closed when the product is left. */
  readonly opened: ToolServer[];
}

const ENDINGS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A product for one piece of work. What was started for it is gone afterwards, also when this process is told to end. */
export async function withProduct<T>(
  description: Description,
  work: (subject: Subject) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-checklist-'));
  const upstream = await openUpstream();
  const common = { upstream: upstream.origin, directory };
  const running = description.start ? new Process(description.start, common) : undefined;
  const opened: ToolServer[] = [];
  const close = async () => {
    await running?.crash();
    await Promise.all(opened.map((server) => server.close()));
    await upstream.close();
    rmSync(directory, { recursive: true, force: true });
  };
  const end = (signal: NodeJS.Signals) =>
    void close().finally(() => process.exit(128 + constants.signals[signal]));
  for (const signal of ENDINGS) process.once(signal, end);
  try {
    await running?.start();
    return await work(subjectOf(description, { upstream, directory, common, running, opened }));
  } finally {
    for (const signal of ENDINGS) process.off(signal, end);
    await close();
  }
}

interface Around {
  readonly upstream: Upstream;
  readonly directory: string;
  readonly common: Places;
  readonly running: Process | undefined;
  readonly opened: ToolServer[];
}

function subjectOf(description: Description, around: Around): Subject {
  const { upstream, directory, common, running, opened } = around;
  const places = new Map<Caller, Places>();
  const placesOf = (caller: Caller): Places => places.get(caller) ?? common;
  const product: Product = { description, common, placesOf, opened };
  const { actions, agent, models, policies, tools, says } = description;
  const { waits, pause, resume, check, decision } = actions;
  const told = (name: ActionName, action: Action) => async (caller: Caller) =>
    void (await must(action, placesOf(caller), `${name} of ${description.name}`));
  return {
    name: description.name,
    isOwn: false,
    directory,
    upstream,
    async caller(name, nice = 0) {
      const own = { ...common, agent: name, nice };
      const key = agent ? await must(agent, own, `the agent ${name} of ${description.name}`) : name;
      const caller = { name };
      places.set(caller, { ...own, key });
      return caller;
    },
    ...(models ? { models: modelsOf(product, models) } : {}),
    ...(waits ? { waiting: (caller: Caller) => waitingOf(waits, placesOf(caller)) } : {}),
    ...(policies.length > 0 ? { order: orderOf(product) } : {}),
    ...(pause && resume ? { pausing: { pause: told('pause', pause), resume: told('resume', resume) } } : {}),
    ...(running ? { running } : {}),
    ...(check ? { guard: guardOf(product, check) } : {}),
    ...(decision ? { records: recordsOf(product, decision) } : {}),
    ...(tools ? { tools: toolsOf(product, tools) } : {}),
    ...(says ? { words: () => wordsOf(product, says) } : {}),
  };
}

function modelsOf({ placesOf }: Product, models: NonNullable<Description['models']>): Models {
  const speech = SPEECH[models.dialect];
  return {
    async request(caller, text, tool) {
      const places = placesOf(caller);
      return {
        url: `${fillText(models.url, places)}${speech.path}`,
        headers: fill({ ...models.headers }, places),
        body: JSON.stringify({ ...speech.body(models.model, text, tool), ...fill(models.body, places) }),
      };
    },
    idOf: ({ headers, json }) => String((models.id && headers[models.id.toLowerCase()]) ?? json.id ?? ''),
    toolCall: ({ json }, tool) => speech.toolCall(json, tool),
  };
}

/** All that it says is what it waits for; nothing, or an answer that is none, is no wait. */
async function waitingOf(waits: Action, places: Places) {
  const { ok, text } = await act(waits, places);
  if (!ok || text.trim() === '') return undefined;
  const reasons = [text.trim().replaceAll(/\s+/g, ' ').slice(0, 300)];
  return {
    ...{ kind: undefined, resource: undefined, ahead: undefined, holder: undefined },
    ...{ reasons, calls: [] },
  };
}

function orderOf({ description, common, placesOf }: Product): Order {
  const { policies, actions } = description;
  const { prefer, demote } = actions;
  const [one, two] = policies;
  return {
    policies: one && two ? [one, two] : undefined,
    async set(name) {
      const policy = policies.find((each) => each.name === name);
      if (policy) await must(policy.set, common, `setting the policy ${name}`);
    },
    prefer:
      prefer && demote
        ? async (caller, before) =>
            void (await must(before ? prefer : demote, placesOf(caller), 'changing the order'))
        : undefined,
    own: undefined,
    kept: undefined,
  };
}

function guardOf({ placesOf }: Product, check: Action): NonNullable<Subject['guard']> {
  return {
    async before(caller, { tool, input, id }) {
      const command = typeof input.command === 'string' ? input.command : JSON.stringify(input);
      const { ok, text } = await act(check, { ...placesOf(caller), tool, command, id });
      return { allowed: ok, reason: ok ? '' : text.trim() };
    },
    after: async () => {},
  };
}

function recordsOf({ placesOf }: Product, decision: Action): NonNullable<Subject['records']> {
  return {
    async decision(caller, { tool, input, id }) {
      const command = String(input.command ?? '');
      const { ok, text } = await act(decision, { ...placesOf(caller), tool, command, id });
      return ok && text.includes(command) ? { id } : undefined;
    },
    rule: async () => undefined,
    coverage: undefined,
    round: undefined,
  };
}

function toolsOf(product: Product, tools: NonNullable<Description['tools']>): Tools {
  const { common, placesOf, opened } = product;
  const file = fillText(tools.file, common);
  const servers = new Map<string, Promise<ToolServer>>();
  /** One that is the same for all agents is opened once: they share it. */
  const serverOf = (caller: Caller): Promise<ToolServer> => {
    const mcp = fill(tools.mcp as unknown as JsonRecord, placesOf(caller));
    const name = JSON.stringify(mcp);
    const found = servers.get(name) ?? open(mcp as unknown as Action, opened);
    servers.set(name, found);
    return found;
  };
  const call = async (use: ToolUse, caller: Caller, more: Places): Promise<ToolAnswer> => {
    const server = await serverOf(caller);
    const result = await server.call(
      fillText(use.tool, common),
      fill(use.input, { ...placesOf(caller), ...more, file }),
    );
    return { ok: result.isError !== true, text: textOf(result) };
  };
  const { change, read, replace } = tools.uses;
  const line = (text: string, n: number) => fillText(text, { ...common, n });
  return {
    file,
    change: change && tools.kept !== '' ? (caller, n) => call(change, caller, { n }) : undefined,
    begin(count) {
      const lines = Array.from({ length: count }, (_, n) => line(tools.begin, n));
      if (tools.begin === '') rmSync(file, { force: true });
      else writeFileSync(file, `${lines.join('\n')}\n`);
    },
    kept(count) {
      const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
      return Array.from({ length: count }, (_, n) => line(tools.kept, n)).filter((one) => text.includes(one))
        .length;
    },
    read: read && ((caller) => call(read, caller, {})),
    replace: replace && ((caller, text) => call(replace, caller, { text })),
  };
}

async function open(mcp: Action, opened: ToolServer[]): Promise<ToolServer> {
  const server = 'run' in mcp ? await openProcess(mcp.run, mcp.env) : await openAddress(mcp.url, mcp.headers);
  opened.push(server);
  return server;
}

function textOf({ content }: JsonRecord): string {
  const blocks = Array.isArray(content) ? content : [];
  return blocks.map((block) => (isRecord(block) ? String(block.text ?? '') : '')).join(' ');
}

async function wordsOf({ common }: Product, says: NonNullable<Description['says']>): Promise<Words> {
  const part = async (texts: Readonly<Record<string, Action>>) => {
    const said: Record<string, string> = {};
    for (const [name, action] of Object.entries(texts)) said[name] = (await act(action, common)).text;
    return said;
  };
  return { unasked: await part(says.unasked), help: await part(says.help), pages: await part(says.pages) };
}
