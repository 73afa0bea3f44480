import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import type { NanoUsd } from '../../base/usage.ts';
import { parseMoney } from '../format.ts';
import { chooseModel, LAB, waysToModel } from '../found/model.ts';
import type { Session } from '../session.ts';
import { ensureKernel } from '../start.ts';
import { run } from './run.ts';

interface ShellOptions {
  readonly command?: string;
  readonly model?: string;
  readonly name?: string;
  readonly budget?: NanoUsd;
  readonly json?: boolean;
}

/** The shell is a program like any other: `mezz run` with examples/sh as the program. */
const PROGRAM = fileURLToPath(new URL('../../../examples/sh/sh.ts', import.meta.url));

async function sh(session: Session, options: ShellOptions): Promise<void> {
  const { control, terminal, env, stateDir } = session;
  const { started } = await ensureKernel(session);
  if (started) terminal.note('mezz: the kernel is up (mezz down ends it)');
  const [models, { backends }] = await Promise.all([
    control.call('models', {}),
    control.call('backends', {}),
  ]);
  const model = options.model ?? chooseModel(models, backends);
  const asked = options.command !== undefined || !process.stdin.isTTY;
  // One line where nobody reads along.
  if (options.model === undefined && model === LAB)
    terminal.note(...waysToModel(env, backends).slice(0, asked ? 1 : undefined));
  const words = [
    ...['--model', model],
    ...(options.command === undefined ? [] : ['--command', options.command]),
    ...(options.json ? ['--json'] : []),
  ];
  const own = { ...session, env: { ...env, MEZZ_NOTES: join(stateDir, 'sh-notes.txt') } };
  await run(own, [process.execPath, PROGRAM, ...words], {
    ...options,
    client: 'mezz-sh',
    count: 1,
    hooks: true,
  });
  session.exit = own.exit;
}

const EXAMPLES = `
Its tools are read, write, run, spawn (a sub-agent) and remember; each call passes the gate first.
Examples:
  mezz sh
  mezz sh --model lab -c 'what is an agent kernel?'
  git diff | mezz sh

In an answer Ctrl-C stops the answer; at the prompt Ctrl-D leaves. Its source, to write your own: examples/sh/`;

export function define(program: Command, session: Session): void {
  program
    .command('sh')
    .description('a small agent in this terminal, with any model')
    .option('-c, --command <question>', 'ask this, print the answer, and leave')
    .option('--model <model>', 'which model answers; else one that is set up here, else lab')
    .option('--name <name>', 'what to call the agent')
    .option('--budget <amount>', 'the money it may spend, e.g. 1usd', parseMoney)
    .option('--json', 'with -c or a pipe: print the answer as JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: ShellOptions) => sh(session, options));
}
