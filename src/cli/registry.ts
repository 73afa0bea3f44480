import type { CommandEntry, CommandFile } from './entry.ts';

export interface CommandGroup {
  readonly title: string;
  readonly commands: readonly CommandEntry[];
}

const entry = (name: string, summary: string, load: () => Promise<CommandFile>): CommandEntry => ({
  name,
  summary,
  load,
});
const kernel = () => import('./commands/kernel.ts');
const start = () => import('./commands/start.ts');
const up = () => import('./commands/up.ts');
const run = () => import('./commands/run.ts');
const sh = () => import('./commands/sh.ts');
const env = () => import('./commands/env.ts');
const work = () => import('./commands/work.ts');
const agents = () => import('./commands/agents.ts');
const top = () => import('./commands/top.ts');
const free = () => import('./commands/free.ts');
const signals = () => import('./commands/signals.ts');
const calls = () => import('./commands/calls.ts');
const locks = () => import('./commands/locks.ts');
const undo = () => import('./commands/undo.ts');
const mcp = () => import('./commands/mcp.ts');
const tool = () => import('./commands/tool.ts');
const demo = () => import('./commands/demo.ts');
const account = () => import('./commands/account.ts');
const money = () => import('./commands/money.ts');
const backend = () => import('./commands/backend.ts');
const key = () => import('./commands/key.ts');
const model = () => import('./commands/model.ts');
const approvals = () => import('./commands/approvals.ts');
const policy = () => import('./commands/policy.ts');
const config = () => import('./commands/config.ts');
const store = () => import('./commands/store.ts');
const restore = () => import('./commands/restore.ts');
const sched = () => import('./commands/sched.ts');
const checklist = () => import('./commands/checklist.ts');
const completion = () => import('./commands/completion.ts');

/** Every command, in the order `mezz help` shows; a file is loaded only when its command is typed. */
export const GROUPS: readonly CommandGroup[] = [
  {
    title: 'Start here',
    commands: [
      entry('start', 'start the kernel and say what to type next', start),
      entry('tour', 'a minute of experiments that show what mezz is for', start),
      entry('run', 'run a program as an agent: mezz run -- claude', run),
      entry('sh', 'a small agent in this terminal, with any model', sh),
      entry('env', 'print the variables for a program that mezz does not start', env),
    ],
  },
  {
    title: 'Kernel',
    commands: [
      entry('up', 'start the kernel in the background', up),
      entry('down', 'let running calls end, then stop the kernel', kernel),
      entry('status', 'is a kernel running, where, and how is it', kernel),
      entry('free', 'what is left: slots, limits, plans, disk, memory', free),
      entry('doctor', 'prove what is enforced here, and say what is not', config),
      entry('demo', 'what mezz does, shown on real programs', demo),
      entry('checklist', 'five questions, answered by experiments on this machine', checklist),
      entry('config', 'show and reload the configuration, its schema, every bound', config),
    ],
  },
  {
    title: 'Agents',
    commands: [
      entry('ps', 'list agents', agents),
      entry('top', 'watch agents, and act on them: who needs you first', top),
      entry('pmap', "what an agent's context is made of", free),
      entry('agent', 'show one agent whole, list all, or hold its answers', agents),
      entry('kill', 'end an agent', signals),
      entry('pause', 'stop an agent before its next model or tool call', signals),
      entry('resume', 'let a paused agent go on', signals),
      entry('nice', 'change what yields to what: -20 first, 19 last', signals),
      entry('freeze', 'let nothing of an agent, or of all, pass the gate', signals),
      entry('thaw', 'end a freeze', signals),
    ],
  },
  {
    title: 'Worktrees (mezz run --worktree)',
    commands: [
      entry('diff', 'what an agent changed in its worktree', work),
      entry('merge', "bring an agent's work into the branch you are on", work),
      entry('discard', "remove an agent's worktree and branch", work),
    ],
  },
  {
    title: 'Calls',
    commands: [
      entry('logs', 'list calls', calls),
      entry('trace', "show one call's path through the kernel, with times", calls),
      entry('why', 'explain what a call or an agent waits for', calls),
      entry('whatif', 'what recorded calls would have waited under another policy', sched),
      entry('sched', 'the order of calls: which policy, who is next, who had what', sched),
      entry('mcp', 'the tools that mezz offers, for clients that start commands', mcp),
      entry('tool', 'tool servers that mezz starts, and what they offer', tool),
      entry('locks', 'which tool calls hold what, and what was noticed', locks),
      entry('undo', 'take back what an agent, or one call, changed', undo),
    ],
  },
  {
    title: 'Money',
    commands: [
      entry('bill', 'what was used and what it cost', money),
      entry('account', 'accounts as a tree: whose money or plan', account),
      entry('budget', 'give an agent an amount of money', money),
      entry('limit', 'caps on money, tokens, requests and shares of plans', money),
    ],
  },
  {
    title: 'Access',
    commands: [
      entry('inbox', 'calls that wait for your decision', approvals),
      entry('approve', 'permit exactly this call', approvals),
      entry('deny', 'refuse a call that waits', approvals),
      entry('policy', 'show, check, test, explain and apply access policies', policy),
      entry('can', 'would an agent be allowed to do this', policy),
      entry('key', "callers' keys: list, create, revoke", key),
      entry('backend', 'where models run; engines here, and how to use them', backend),
      entry('model', 'models, their prices, and model files of this machine: ls, pull, add, rm, show', model),
    ],
  },
  {
    title: 'Journal and store',
    commands: [
      entry('audit', 'verify that the journal is whole', store),
      entry('fsck', 'recompute state from the journal and compare', store),
      entry('du', 'what takes the room: by kind, owner and agent', store),
      entry('backup', 'write a copy of the store', store),
      entry('restore', 'put a copy in place of the store', restore),
      entry('export', 'write everything in open formats', store),
      entry('gc', 'delete what is older than it must be kept', store),
      entry('forget', 'erase what an agent said and read', store),
    ],
  },
  {
    title: 'Shell',
    commands: [entry('completion', 'print completion for bash, zsh or fish', completion)],
  },
];

export const COMMANDS: readonly CommandEntry[] = GROUPS.flatMap((group) => group.commands);
