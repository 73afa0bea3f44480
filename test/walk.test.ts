/** Every command as a new user types it, against a real kernel: what it prints, its JSON, its exit code. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { describe } from 'node:test';
import { EXAMPLES } from '../src/cli/examples.ts';
import { runHere } from '../src/cli/fixture.test.ts';
import { COMMANDS } from '../src/cli/registry.ts';
import { send, startKernel, type TestKernel } from './kernel.ts';

const POLICY = '@id("all") permit(principal, action, resource);';

/** One call that is done, one that waits for a person. */
async function used(
  kernel: TestKernel,
): Promise<{ call: string; question: string; waiting: Promise<unknown> }> {
  const agent = await kernel.agent('walker');
  const headers = { 'x-mezz-key': agent.token };
  const message = { model: 'claude-x', max_tokens: 100, messages: [{ role: 'user', content: 'hi' }] };
  const reply = await send(`${agent.origin}/v1/messages`, JSON.stringify(message), headers);
  const hook = {
    hook_event_name: 'PreToolUse',
    session_id: 's1',
    tool_name: 'Bash',
    tool_use_id: 't1',
    tool_input: { command: 'git push --force' },
  };
  const waiting = send(`${agent.origin}/hooks/claude`, JSON.stringify(hook), headers);
  let question = '';
  while (!question) question = (await kernel.control.call('inbox', {})).approvals[0]?.id ?? '';
  return { call: String(reply.headers['x-mezz-call']), question, waiting };
}

describe('a new user', () => {
  test('gets an answer from every command, as text and as JSON with a versioned shape', async () => {
    const kernel = await startKernel();
    const { stateDir } = kernel;
    try {
      const { call, question, waiting } = await used(kernel);
      const policy = join(stateDir, 'p.cedar');
      writeFileSync(policy, POLICY);
      const lines = [
        'status',
        'ps',
        'ps --all',
        'top',
        'top --all --once',
        'free',
        'pmap walker',
        'agent ls',
        'agent show walk',
        'logs',
        'logs walker',
        `trace ${call}`,
        `trace ${call.slice(0, 12)} --entries`,
        'why walker',
        'sched',
        'sched policies',
        'whatif --policy fair --policy fifo',
        'sched set fair --weight me=2 --max-wait 5m',
        'sched set --reset',
        'sched gantt',
        `sched gantt --svg ${stateDir}/gantt.svg`,
        'bill',
        'bill --by model --since today',
        'limit',
        'limit set owner:me 2M --of tokens --per day',
        'budget walker 5usd',
        'key',
        'key create ci',
        'key revoke ci',
        'backend',
        'backend show lab',
        'backend find --port 1',
        'model',
        'account',
        'inbox',
        'policy show',
        `policy check ${policy}`,
        'config show',
        'config limits',
        'config reload',
        'audit verify',
        'fsck',
        'du',
        'gc --dry-run',
        `backup ${stateDir}/b.db`,
        'nice 5 walker',
        'nice -5 walker',
        'pause walker',
        'resume walker',
        'freeze walker',
        'thaw walker',
        `deny ${question}`,
        `export --all ${stateDir}/out`,
      ];
      for (const line of lines) {
        const argv = line.split(' ');
        // What makes something new can be done once.
        const once = /^(backup|export|key|deny)/.test(line);
        const text = once ? undefined : await runHere(stateDir, ...argv);
        if (text) {
          assert.deepEqual([text.code, text.err.includes('    at ')], [0, false], `${line}: ${text.err}`);
          assert.doesNotMatch(text.out, /undefined|NaN|\[object/, line);
          // biome-ignore lint/suspicious/noControlCharactersInRegex: a pipe must get none
          assert.doesNotMatch(text.out + text.err, /\u001b/, `${line}: no colour into a pipe`);
        }
        const json = await runHere(stateDir, ...argv, '--json');
        assert.equal(json.code, 0, `${line} --json: ${json.err}`);
        const answers = json.out
          .trim()
          .split('\n')
          .map((one) => JSON.parse(one) as { schema?: string });
        for (const answer of answers) assert.match(answer.schema ?? '', /^mezz\.[a-z.]+\/\d+$/, line);
      }
      await waiting;
    } finally {
      await kernel.close();
    }
  });

  test('is told what, why and what to type next, with the exit code of the table', async () => {
    const kernel = await startKernel();
    const { stateDir } = kernel;
    try {
      const { question, waiting } = await used(kernel);
      for (const [line, exit] of [
        ['agent show nobody', 3],
        ['trace nope', 3],
        ['why nobody', 3],
        ['pmap nobody', 3],
        ['backend show nowhere', 3],
        ['backend add --port 1', 2],
        ['backend add ollama --port 1', 3],
        ['backend find --port x', 2],
        ['top --watch never', 2],
        ['approve nope', 3],
        ['key revoke nope', 3],
        ['pause nobody', 3],
        ['forget walker', 2],
        ['freeze', 2],
        ['nice 99 walker', 2],
        ['budget walker 5eur', 2],
        ['limit set me 5usd', 2],
        ['logs --since never', 2],
        ['can walker tool.call Bash --args nojson', 2],
        ['policy check /no/such/file', 2],
        ['backup /no/such/place/b.db', 1],
        [`export ${stateDir}`, 2],
        ['polcy', 2],
        ['ps --jsn', 2],
        ['kill walker --signal NOPE', 2],
      ] as const) {
        const { code, out, err } = await runHere(stateDir, ...line.split(' '));
        assert.equal(code, exit, `${line}: ${err}`);
        assert.equal(out, '', line);
        assert.match(err, /^mezz: .+\n(?:.*\n)?Next: .+\n$/, line);
      }
      const forced = '{"command":"git push --force"}';
      const can = (args: string) => runHere(stateDir, 'can', 'walker', 'tool.call', 'Bash', '--args', args);
      assert.deepEqual([(await can('{"command":"ls"}')).code, (await can(forced)).code], [0, 5]);
      await runHere(stateDir, 'deny', question);
      await waiting;
    } finally {
      await kernel.close();
    }
  });

  test('can type every example: its options are those of its command', async () => {
    for (const line of Object.values(EXAMPLES).flat()) {
      const [, first = '', second = ''] = /mezz (\S+)(?: (\S+))?/.exec(line) ?? [];
      const own = line.split(' -- ')[0] ?? '';
      const help = await runHere('/nowhere', first, '--help');
      // Only a word below the command has a help of its own: behind `run` stands a program, behind an option its value.
      const isWord = first !== 'run' && /^[a-z]/.test(second);
      const below = isWord ? await runHere('/nowhere', first, second, '--help') : help;
      for (const [option] of own.matchAll(/--[a-z-]+/g))
        assert.ok(`${help.out}${below.out}`.includes(option), `${line}: ${option}`);
    }
  });

  test('finds every command in the help, and what it does not find is a topic', async () => {
    const { out } = await runHere('/nowhere', 'help');
    for (const { name, summary } of COMMANDS)
      assert.ok(out.includes(`  ${name} `) && out.includes(summary), name);
    for (const topic of ['exit-codes', 'environment'])
      assert.equal((await runHere('/nowhere', 'help', topic)).code, 0, topic);
  });
});
