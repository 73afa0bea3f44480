/**
 * The named transform `resume`: a streamed Chat request whose answer may be broken off asks a server that can tell them
 * (llama-server) for the id of each token and how many there are. What the answer says of them is the driver's to keep and
 * to take out. What cannot go on as plain text is not asked: tools, a format, several answers.
 */
import { scanBody, textOf } from '../scan.ts';

/** Members of a request that say more than text to go on from. */
export const BINDING =
  /^(?:response_format|grammar|json_schema|structured_outputs|guided_.*|n|logprobs|audio)$/;
const OURS = /^(?:tools|functions|n_probs|timings_per_token|top_logprobs)$/;

/** The request that asks for token ids; undefined when it may not go on by them, is not streamed or is unreadable. */
export function askForTokens(body: Uint8Array): Buffer | undefined {
  const scan = scanBody(body, []);
  if ('problem' in scan) return undefined;
  const stream = scan.members.get('stream');
  if (!stream || textOf(body, stream) !== 'true') return undefined;
  for (const [name, range] of scan.members)
    if ((BINDING.test(name) || OURS.test(name)) && textOf(body, range) !== 'null') return undefined;
  const brace = body.indexOf(0x7b) + 1;
  const asking = Buffer.from('"n_probs":1,"timings_per_token":true,');
  return Buffer.concat([body.subarray(0, brace), asking, body.subarray(brace)]);
}
