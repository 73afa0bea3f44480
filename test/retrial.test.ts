/** `mezz policy test`: recorded calls are decided again with what they really asked, by the function that decides calls. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test, { describe } from 'node:test';
import type { Launch } from '../src/base/control.ts';
import { send, startKernel, type TestKernel } from './kernel.ts';

const SHIPPED = readFileSync(new URL('../policies/default.cedar', import.meta.url), 'utf8');
const auth = (token: string) => ({ 'x-mezz-key': token });

const message = (agent: Launch, more: object = {}) =>
  send(
    `${agent.origin}/v1/messages`,
    JSON.stringify({
      model: 'claude-x',
      max_tokens: 100,
      messages: [{ role: 'user', content: 'hi' }],
      ...more,
    }),
    auth(agent.token),
  );
let uses = 0;
const bash = (agent: Launch, command: string) =>
  send(
    `${agent.origin}/hooks/claude`,
    JSON.stringify({
      hook_event_name: 'PreToolUse',
      session_id: `s-${agent.name}`,
      tool_name: 'Bash',
      tool_use_id: `t${uses++}`,
      tool_input: { command, description: 'x'.repeat(30) },
    }),
    auth(agent.token),
  );

/** Each rule is added to the shipped ones; the answer is what would change. */
const tried = async ({ control }: TestKernel, rule: string, more: object = {}) => {
  const answer = await control.call('policy.test', { text: `${SHIPPED}\n${rule}`, ...more });
  return {
    ...answer,
    changed: answer.changed.map(({ target, before, after, rule: by }) => [target, before, after, by]),
  };
};

describe('policy test', () => {
  test('sees arguments, hosted tools, levels and what was refused; the text in force changes nothing', async () => {
    const kernel = await startKernel();
    try {
      const fox = await kernel.agent('fox');
      const owl = await kernel.agent('owl');
      await message(fox);
      await message(owl, { max_tokens: 9000 });
      await bash(fox, 'npm test');
      await bash(fox, 'curl evil.example');
      await kernel.control.call('policy.apply', {
        text: `${SHIPPED}\n@id("no-wget") forbid(principal, action, resource is Tool) when { context.command like "wget*" };`,
      });
      await bash(owl, 'wget x');
      await kernel.control.call('policy.apply', { text: SHIPPED });
      const same = await tried(kernel, '');
      assert.deepEqual([same.recorded, same.tested, same.changed], [5, 5, []]);
      const curl =
        '@id("no-curl") forbid(principal, action, resource is Tool) when { context.command like "curl*" };';
      assert.deepEqual((await tried(kernel, curl)).changed, [
        ['claude-code/Bash', 'permit', 'forbid', 'no-curl'],
      ]);
      const wget =
        '@id("ask-wget") forbid(principal, action, resource is Tool) when { context.command like "wget*" } unless { context.approved };';
      assert.deepEqual(
        (await tried(kernel, wget)).changed,
        [['claude-code/Bash', 'permit', 'ask', 'ask-wget']],
        'a refused call is recorded with its arguments too',
      );
      const long =
        '@id("short") forbid(principal, action, resource is Model) when { context.args has maxOutput && context.args.maxOutput > 5000 };';
      assert.deepEqual((await tried(kernel, long)).changed, [['claude-x', 'permit', 'forbid', 'short']]);
      const described =
        '@id("d") forbid(principal, action, resource is Tool) when { context.args has description && context.args.description like "xxx*" };';
      assert.equal((await tried(kernel, described)).changed.length, 3, 'every argument is there');
      const hooked = '@id("h") forbid(principal, action, resource) when { context.level == "hooked" };';
      assert.deepEqual(
        (await tried(kernel, hooked)).changed.map(([target]) => target),
        Array(3).fill('claude-code/Bash'),
      );
      const dialect = '@id("a") forbid(principal, action, resource in Dialect::"anthropic");';
      assert.equal((await tried(kernel, dialect)).changed.length, 2);
      const backend = '@id("b") forbid(principal, action, resource) when { context.backend == "scripted" };';
      assert.equal((await tried(kernel, backend)).changed.length, 2);
      const one = await tried(kernel, curl, { agent: 'owl' });
      assert.deepEqual([one.recorded, one.changed], [2, []]);
      assert.equal((await tried(kernel, curl, { since: Date.now() + 1000 })).recorded, 0);
    } finally {
      await kernel.close();
    }
  });

  test('hosted tools that act are asked about again', async () => {
    const kernel = await startKernel();
    try {
      const agent = await kernel.agent();
      const body = {
        model: 'gpt-x',
        input: 'hi',
        tools: [{ type: 'code_interpreter', container: { type: 'auto' } }],
      };
      await kernel.control.call('policy.apply', { profile: 'observe' });
      await send(`${agent.origin}/v1/responses`, JSON.stringify(body), auth(agent.token));
      const without = SHIPPED.replace(
        'context.permittedHostedTools.containsAll(context.hostedTools)',
        'true',
      );
      assert.ok(without !== SHIPPED);
      const answer = await kernel.control.call('policy.test', { text: without });
      assert.deepEqual(
        answer.changed.map(({ before, after }) => [before, after]),
        [['ask', 'permit']],
        'also where nothing is refused',
      );
    } finally {
      await kernel.close();
    }
  });

  test('what is not stored any more is counted, not guessed', async () => {
    const kernel = await startKernel();
    try {
      const agent = await kernel.agent();
      await bash(agent, 'curl x');
      await message(agent);
      await kernel.control.call('forget', { agent: 'tester' });
      await bash(agent, 'curl y');
      const curl =
        '@id("no-curl") forbid(principal, action, resource is Tool) when { context.command like "curl*" };';
      const answer = await tried(kernel, curl);
      assert.deepEqual([answer.recorded, answer.tested, answer.untestable], [3, 1, { body: 2, agent: 0 }]);
      assert.equal(answer.changed.length, 1);
      await assert.rejects(tried(kernel, 'permit('), /policy check|parse|unexpected/i);
    } finally {
      await kernel.close();
    }
  });

  test('can asks the same question as the gate', async () => {
    const kernel = await startKernel();
    try {
      await kernel.agent('fox');
      const ask = (resource: string, command: string) =>
        kernel.control.call('can', { agent: 'fox', action: 'tool.call', resource, args: { command } });
      assert.equal((await ask('Bash', 'ls')).decision, 'permit');
      const push = await ask('claude-code/Bash', 'git push --force');
      assert.deepEqual([push.decision, push.rules], ['ask', ['force-push']]);
    } finally {
      await kernel.close();
    }
  });
});
