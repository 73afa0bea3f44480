/**
 * What a client program does, told by its arguments: `task model` pairs, run one after the other. Each gives one JSON
 * line: what the SDK returned, or the class, status and message of what it threw.
 */
export async function run(tasks) {
  const args = process.argv.slice(2);
  for (let i = 0; i + 1 < args.length; i += 2) {
    const [task, model] = [args[i], args[i + 1]];
    const line = await attempt(() => tasks[task](model));
    console.log(JSON.stringify({ task, model, ...line }));
  }
}

async function attempt(work) {
  try {
    return { got: await work() };
  } catch (error) {
    const status = error.status ?? error.statusCode ?? error.lastError?.statusCode;
    return { thrown: { name: error.constructor.name, status, message: String(error.message) } };
  }
}

/** The one tool of all programs. `ran` keeps what it was really called with. */
export const ran = [];
export function add({ a, b }) {
  ran.push({ a, b });
  return String(a + b);
}
export const ADD = {
  name: 'add',
  description: 'Adds two numbers.',
  parameters: {
    type: 'object',
    properties: { a: { type: 'number' }, b: { type: 'number' } },
    required: ['a', 'b'],
    additionalProperties: false,
  },
};
export const QUESTION = 'What is 2 plus 3? Grüße, 世界 🌍';
