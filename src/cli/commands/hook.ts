import { isRecord, parseJson } from '../../base/json.ts';
import type { Environment } from '../../sdk/home.ts';
import { LIMITS } from '../limits.ts';

// Not imported: an ES import of node:http reads all it exports, and one of them loads a second HTTP client (45 ms).
const { request: httpRequest } = process.getBuiltinModule('node:http');

/** What a client reads from its hook: exit 0 lets the act happen, 2 stops it; anything else is only a warning. */
const GO = 0;
const WARN = 1;
const STOP = 2;
const TELLING: ReadonlySet<string> = new Set([
  'PostToolUse',
  'PermissionRequest',
  'UserPromptSubmit',
  'Stop',
]);

async function readInput(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > LIMITS.hookInputBytes.value)
      throw new Error(`the event is larger than ${LIMITS.hookInputBytes.value} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Asks the gate; its wait is bounded below the client's own, because a client that waited in vain goes on. */
function ask(url: string, body: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      url,
      {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': body.length },
        agent: false,
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          text += part;
          if (text.length > LIMITS.hookAnswerBytes.value)
            request.destroy(new Error('its answer is too large'));
        });
        response.on('end', () => resolve(text));
        response.on('error', reject);
      },
    );
    request.setTimeout(LIMITS.hookAnswerMs.value, () =>
      request.destroy(new Error('it did not answer in time')),
    );
    request.on('error', reject);
    request.end(body);
  });
}

/** An event that only tells: there is nothing to stop. */
function onlyTells(input: Buffer): boolean {
  const event = parseJson(input.toString('utf8'));
  return isRecord(event) && TELLING.has(String(event.hook_event_name));
}

/** `mezz hook <client>`: hands the client's event to the gate. Without an answer the act does not happen. */
export async function answerHook(client: string, env: Environment): Promise<number> {
  const say = (text: string) => process.stderr.write(`mezz: ${text}\n`);
  let input: Buffer | undefined;
  try {
    const url = env.MEZZ_HOOK_URL;
    if (!url) throw new Error(`MEZZ_HOOK_URL is not set; start it by: mezz run -- ${client || 'codex'}`);
    input = await readInput();
    const answer = parseJson(await ask(url, input));
    if (!isRecord(answer) || (answer.decision !== 'go' && answer.decision !== 'deny'))
      throw new Error('its answer cannot be read');
    if (answer.decision === 'go') return GO;
    // The gate's words begin with its name.
    process.stderr.write(`${typeof answer.reason === 'string' ? answer.reason : 'mezz: refused'}\n`);
    return STOP;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    if (input && onlyTells(input)) {
      say(`the gate did not hear of this: ${why}`);
      return WARN;
    }
    say(`the gate was not asked, so this is not done: ${why}`);
    return STOP;
  }
}
