import { isRecord, type JsonRecord } from '../../base/json.ts';
import { type LabReply, type LabRequest, openScripted } from '../lab.ts';
import { shellWord } from '../shell.ts';

/** The lab behind a client on trial: it asks once for one shell command, and then is done. */
export interface Lab {
  readonly origin: string;
  /** Requests of the client for an answer. */
  readonly asked: number;
  /** Did it ask for the command? */
  readonly called: boolean;
  close(): Promise<void>;
}

type Asked = NonNullable<ReturnType<LabRequest['asked']>>;
type Answer = NonNullable<LabReply['answer']>;
type Part = Answer['parts'][number];

/** How each shell tool of the clients is called: Claude Code's, then Codex's (a program, and the older functions). */
function shellCall({ tools }: Asked, command: readonly string[]): Part | undefined {
  const line = command.map(shellWord).join(' ');
  const program = `text((await tools.exec_command(${JSON.stringify({ cmd: line })})).output);`;
  const ways: readonly { name: string; kind: 'function' | 'custom'; input: JsonRecord | string }[] = [
    {
      name: 'Bash',
      kind: 'function',
      input: { command: line, description: 'Try whether the gate refuses this' },
    },
    { name: 'exec', kind: 'custom', input: program },
    { name: 'exec_command', kind: 'function', input: { cmd: line } },
    { name: 'shell_command', kind: 'function', input: { command: line } },
    { name: 'shell', kind: 'function', input: { command: [...command] } },
  ];
  for (const { name, kind, input } of ways) {
    const tool = tools.find((one) => one.kind === kind && one.name === name);
    if (!tool || tool.kind === 'other') continue;
    const custom = kind === 'custom';
    const { namespace } = tool;
    const text = isRecord(input) ? JSON.stringify(input) : input;
    return { kind: 'call', id: 'toolu_lab', name, namespace, input: text, custom, extras: {} };
  }
  return undefined;
}

/** A tool's result came back: the call was made, or refused, and nothing more is asked for. */
const hasResult = ({ messages }: Asked): boolean =>
  messages.some(({ parts }) => parts.some(({ kind }) => kind === 'result'));

const USAGE = { input: 1, cacheRead: 0, cacheWrite: 0, output: 1, reasoning: 0 };
const DONE: Part = { kind: 'text', text: '[lab] Done.', extras: {} };

/** Opens the lab. It is also the proxy of the client's environment, and lets nothing through to anywhere. */
export async function openLab(command: readonly string[]): Promise<Lab> {
  const seen = { asked: 0, called: false };
  const lab = await openScripted((request) => {
    const asked = request.path.endsWith('/count_tokens') ? undefined : request.asked();
    if (!asked) return undefined;
    seen.asked++;
    const call = hasResult(asked) ? undefined : shellCall(asked, command);
    if (call) seen.called = true;
    return { answer: { id: 'lab', parts: [call ?? DONE], stop: call ? 'calls' : 'end', usage: USAGE } };
  });
  return {
    origin: lab.origin,
    get asked() {
      return seen.asked;
    },
    get called() {
      return seen.called;
    },
    close: () => lab.close(),
  };
}
