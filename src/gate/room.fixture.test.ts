/** A gate in memory with files, and agents whose clients ask before each of their own tools. */
import type { KeyHolder } from '../agents/resolve.ts';
import { type Agent, agentPut } from '../agents/table.ts';
import type { Refusal } from '../base/errors.ts';
import type { JsonRecord } from '../base/json.ts';
import type { ToolServer } from '../base/ports.ts';
import { MemoryStore } from '../db/memory/store.ts';
import { MemoryWorkspace } from '../tools/workspace.fixture.test.ts';
import { openEntry } from './arrivals.ts';
import { openGate } from './fixture.test.ts';
import { toolEnded } from './outcomes.ts';

export const FILE = '/repo/a.txt';

/** What a kernel leaves behind when it is killed: its store, the files, and the time. */
export interface Left {
  readonly store: MemoryStore;
  readonly workspace: MemoryWorkspace;
  readonly at: number;
}

/** A gate, files, and agents whose clients ask before each of their own tools; `left`: by the kernel before this one. */
export async function openRoom(servers: readonly ToolServer[] = [], left?: Left) {
  const workspace = left?.workspace ?? new MemoryWorkspace();
  const gate = await openGate({ one: 4 }, {}, workspace, servers, left?.store);
  workspace.now = () => gate.clock.now();
  // Ids are in the order of time.
  let uses = left?.at ?? 0;
  const { parts, clock, arrivals } = gate;
  if (left) clock.advanceTo(left.at + 1);
  const hire = async (name: string) => {
    const agent = parts.agents.add({ name, owner: 'me', client: 'claude-code', cwd: '/repo' }, clock.now());
    const { key, puts } = parts.keys.create({ name, owner: 'me', pid: agent.pid }, parts.random, clock.now());
    await parts.journal.append({ entries: [openEntry(agent)], puts: [agentPut(agent), ...puts] });
    return seat(agent, { keyId: key.id, owner: 'me', pid: agent.pid, name });
  };
  /** An agent that is still there. */
  const again = (pid: number) => {
    const agent = parts.agents.get(pid) as Agent;
    return seat(agent, { keyId: agent.keyId ?? '', owner: 'me', pid, name: agent.name });
  };
  const seat = (agent: Agent, caller: KeyHolder) => {
    /** The hook before: undefined when the client may go on. */
    const before = (tool: string, input: JsonRecord, toolUseId: string) => {
      // The loop guard counts equal calls: these differ.
      const call = {
        tool,
        server: 'claude-code',
        input: { ...input, n: toolUseId },
        toolUseId,
        how: 'hooked',
      } as const;
      return arrivals.tool(caller, call, undefined, undefined, new AbortController().signal);
    };
    const after = (toolUseId: string, isError = false) => toolEnded(parts, [agent.pid], toolUseId, isError);
    /** Asks, acts when it may, tells. */
    const use = async (
      tool: string,
      input: JsonRecord,
      act: () => void = () => {},
    ): Promise<Refusal | undefined> => {
      const id = `use-${uses++}`;
      // Ids of calls are in the order of time, not within one millisecond.
      clock.advanceTo(clock.now() + 1);
      const refused = await before(tool, input, id);
      if (refused) return refused;
      act();
      await after(id);
      return undefined;
    };
    /** Calls a tool that mezz offers. */
    const offered = async (name: string, input: JsonRecord) => {
      clock.advanceTo(clock.now() + 1);
      const asked = { name, input: { n: `use-${uses++}`, ...input } };
      return (await arrivals.tooled(caller, asked, new AbortController().signal)).outcome;
    };
    return {
      agent,
      before,
      offered,
      after,
      use,
      read: () => use('Read', { file_path: FILE }),
      write: (content: string) => use('Write', { file_path: FILE }, () => workspace.write(FILE, content)),
      bash: (command: string, act?: () => void) => use('Bash', { command }, act),
    };
  };
  /** Copies: a kernel that was killed goes on in here, and must change nothing of the next one's. */
  const leave = (): Left => ({
    store: new MemoryStore({}, gate.store.snapshot()),
    workspace: workspace.copy(),
    at: clock.now(),
  });
  return { ...gate, workspace, hire, again, leave };
}
