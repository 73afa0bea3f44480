/**
 * Request bodies in the shapes that coding agents send, from a seed: Chat Completions with system prompt, tools and a
 * conversation that grows by an answer and a tool result a turn. Sizes follow captured first requests (48 kB) and
 * their growth; the text is made up.
 */
import { seededRandom } from '../../src/base/random.ts';

const WORDS =
  'const the value of return import file line error test read write path message when from this that with state row entry budget call agent key log "quoted" { } ( ) => ; \n \t export function async await type number string'.split(
    ' ',
  );

/** About `bytes` of text as code and prose have it: escapes, short words, many lines. */
export function prose(seed: number, bytes: number): string {
  const random = seededRandom(seed);
  let text = '';
  while (text.length < bytes) text += `${WORDS[Math.floor(random.unit() * WORDS.length)]} `;
  return text;
}

const TOOLS = Array.from({ length: 12 }, (_, i) => ({
  type: 'function',
  function: {
    name: `Tool${i}`,
    description: prose(1000 + i, 1900),
    parameters: {
      type: 'object',
      properties: Object.fromEntries(
        ['path', 'text', 'limit', 'mode'].map((name, j) => [
          name,
          { type: 'string', description: prose(2000 + 10 * i + j, 80) },
        ]),
      ),
      required: ['path'],
    },
  },
}));
const SYSTEM = { role: 'system', content: prose(1, 14_000) };

/** One request's body; `label` makes it unlike every other. */
function bodyOf(messages: readonly object[], label: string, stream = false): Buffer {
  return Buffer.from(
    JSON.stringify({
      model: 'gpt-bench',
      stream,
      max_tokens: 4096,
      tools: TOOLS,
      messages: [SYSTEM, ...messages],
      user: label,
    }),
  );
}

/** The requests of one conversation, 48 to 122 kB, 85 kB on average: each repeats all that was said and adds a turn. */
export function conversation(seed: number, turns = 24): Buffer[] {
  const messages: object[] = [{ role: 'user', content: prose(seed, 4000) }];
  const bodies: Buffer[] = [];
  for (let turn = 0; turn < turns; turn++) {
    bodies.push(bodyOf(messages, `s${seed}`));
    const id = `call_${seed}_${turn}`;
    const args = JSON.stringify({ path: `src/${turn}.ts`, text: prose(seed + turn + 1, 400) });
    messages.push(
      {
        role: 'assistant',
        content: prose(seed + turn + 2, 300),
        tool_calls: [{ id, type: 'function', function: { name: 'Tool1', arguments: args } }],
      },
      { role: 'tool', tool_call_id: id, content: prose(seed + turn + 3, 2000) },
    );
  }
  return bodies;
}

/** 85 kB of which the conversation was never seen before; the system prompt and the tools were. */
export function fresh(seed: number): Buffer {
  const messages = Array.from({ length: 24 }, (_, i) => ({
    role: i % 2 === 0 ? 'user' : 'assistant',
    content: prose(seed + i, 1650),
  }));
  return bodyOf(messages, `f${seed}`);
}

/** 0.3 kB; `mode` asks the upstream for one answer, a burst of 200 chunks, or one chunk every 5 ms. */
export function small(seed: number, mode: 'whole' | 'burst' | 'paced' = 'whole'): Buffer {
  const messages = [
    { role: 'system', content: 'You are a careful assistant. Answer in one sentence.' },
    { role: 'user', content: `${prose(seed, 100)} ${seed} ${mode}` },
  ];
  const stream = mode === 'whole' ? {} : { stream: true, stream_options: { include_usage: true } };
  return Buffer.from(JSON.stringify({ model: 'gpt-bench', max_tokens: 256, ...stream, messages }));
}
