/** Request bodies with everything that JSON allows and that real agents send; their text is made up, from a seed. */
import { seededRandom } from '../../src/base/random.ts';

const WORDS =
  'const import return the value of path error => { } "quoted" \\ \n \t é ß 世界 🌍 \u2028 async'.split(' ');

function prose(seed: number, length: number): string {
  const random = seededRandom(seed);
  let text = '';
  while (text.length < length) text += `${WORDS[Math.floor(random.unit() * WORDS.length)]} `;
  return text;
}

function deep(levels: number): string {
  return `${'{"inner":['.repeat(levels)}1.0${']}'.repeat(levels)}`;
}

const TOOLS = Array.from({ length: 14 }, (_, at) => ({ name: `Tool${at}`, description: prose(at, 1800) }));
const schema = { type: 'object', properties: { path: { type: 'string' } } };
/** The conversation, tools and text members of each dialect, by its path. */
const SHAPES: Readonly<
  Record<string, (text: string) => { readonly model: string; readonly [member: string]: unknown }>
> = {
  '/v1/messages': (text) => ({
    model: 'claude-x',
    max_tokens: 4096,
    system: [{ type: 'text', text, cache_control: { type: 'ephemeral' } }],
    tools: TOOLS.map((tool) => ({ ...tool, input_schema: schema })),
    messages: [{ role: 'user', content: [{ type: 'text', text }] }],
  }),
  '/v1/chat/completions': (text) => ({
    model: 'gpt-x',
    tools: TOOLS.map((tool) => ({ type: 'function', function: { ...tool, parameters: schema } })),
    messages: [
      { role: 'system', content: text },
      { role: 'user', content: text },
    ],
  }),
  '/v1/responses': (text) => ({
    model: 'gpt-x',
    store: false,
    instructions: text,
    tools: TOOLS.map((tool) => ({ type: 'function', ...tool, parameters: schema, strict: false })),
    input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text }] }],
  }),
};

export const PATHS = Object.keys(SHAPES);

/** Bodies for one path by what is special about them. */
export function bodiesFor(path: string): Readonly<Record<string, string>> {
  const shape = SHAPES[path] as (text: string) => Record<string, unknown>;
  const small = JSON.stringify(shape('hi'));
  const more = (members: string) => `${small.slice(0, -1)},${members}}`;
  return {
    'as large as an agent’s': JSON.stringify(shape(prose(7, 27_000))),
    'spaced as nobody does': JSON.stringify(shape('hi'), null, '\t').replaceAll(':', ' \r\n : '),
    'with escapes that could be shorter': more('"x_text":"\\u0041\\u00e9\\ud83c\\udf0d\\/\\u2028"'),
    'with numbers that lose by parsing': more(
      '"x_numbers":[1.0,1e2,-0,0.1e-7,12345678901234567890,1.7976931348623157e308]',
    ),
    'with members nobody knows': more('"x_new":{"type":"unheard_of","a":[null,true,{"b":[]}]},"":0'),
    deep: more(`"x_deep":${deep(60)}`),
  };
}
