import type { JsonRecord } from '../../base/json.ts';
import type { Usage } from '../../base/usage.ts';
import { count, record } from '../read.ts';

/**
 * OpenAI counts input that came from or went into a cache inside `input_tokens` (Responses) or `prompt_tokens` (Chat,
 * embeddings): taken out here.
 */
export function openaiUsage(usage: JsonRecord): Usage {
  const input = count(usage, 'input_tokens') || count(usage, 'prompt_tokens');
  const inputDetails = record(usage.input_tokens_details ?? usage.prompt_tokens_details);
  const outputDetails = record(usage.output_tokens_details ?? usage.completion_tokens_details);
  const cacheRead = Math.min(input, count(inputDetails, 'cached_tokens'));
  const cacheWrite = Math.min(input - cacheRead, count(inputDetails, 'cache_write_tokens'));
  return {
    input: input - cacheRead - cacheWrite,
    cacheRead,
    cacheWrite,
    output: count(usage, 'output_tokens') || count(usage, 'completion_tokens'),
    reasoning: count(outputDetails, 'reasoning_tokens'),
  };
}
