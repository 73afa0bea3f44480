/**
 * Many agents of one SDK in one process, as `bench/frameworks.ts` begins them: each has an address, a key and one turn to
 * do. All that the SDK retries by itself it retries; a turn that fails all the same is begun again.
 */
import { once } from 'node:events';

const MOST_FAILURES = 1000;

/** `turn` does one turn of an agent: `{ name, baseURL, apiKey, model, question }`. */
export async function crowd(turn) {
  const { agents, model } = JSON.parse(process.argv[2]);
  console.log(JSON.stringify({ ready: true }));
  await once(process.stdin, 'data');
  // Whoever began it is gone: nobody waits for the turns any more.
  process.stdin.on('end', () => process.exit(1));
  const begun = performance.now();
  const attend = async (agent) => {
    const question = `I am agent ${agent.name}. Do your steps, one after the other.`;
    let failed = 0;
    for (;;) {
      try {
        await turn({ ...agent, model, question });
        break;
      } catch (error) {
        failed++;
        if (failed === MOST_FAILURES) throw error;
      }
    }
    console.log(JSON.stringify({ name: agent.name, tookMs: performance.now() - begun, failed }));
  };
  await Promise.all(agents.map(attend));
  process.exit(0);
}

export const STEP = {
  name: 'step',
  description: 'Does a step.',
  run: ({ n }) => `step ${n} is done`,
};
