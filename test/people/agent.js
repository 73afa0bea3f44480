// Stands for a coding agent on the PATH of the people that are walked through: it knows a base URL, a login of its own
// and the hooks in its settings, as the real ones do; what those do is tested in test/agents. Asked to release, it
// would push by force.
import { readFileSync } from 'node:fs';

const words = process.argv.slice(2);
const task = words.at(-1) ?? '';
const post = async (url, body) => {
  const headers = {
    'content-type': 'application/json',
    'x-api-key': 'sk-ant-own',
    'anthropic-version': '2023-06-01',
  };
  return (await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })).json();
};

const messages = [{ role: 'user', content: task }];
const answer = await post(`${process.env.ANTHROPIC_BASE_URL}/v1/messages`, {
  model: 'claude-sonnet-5',
  max_tokens: 99,
  messages,
});
console.log(answer.content?.[0]?.text ?? answer.error.message);
if (task.includes('release')) {
  const { hooks } = JSON.parse(readFileSync(words[words.indexOf('--settings') + 1], 'utf8'));
  const call = { tool_name: 'Bash', tool_use_id: 'toolu_1', tool_input: { command: 'git push --force' } };
  const { hookSpecificOutput: said } = await post(hooks.PreToolUse[0].hooks[0].url, {
    hook_event_name: 'PreToolUse',
    session_id: 's',
    ...call,
  });
  console.log(said?.permissionDecisionReason ?? 'pushed');
}
