import type { JsonRecord } from '../../base/json.ts';
import type { Usage } from '../../base/usage.ts';
import { count, record } from '../read.ts';

/** Anthropic's `input_tokens` excludes cached input already. */
export function anthropicUsage(usage: JsonRecord): Usage {
  return {
    input: count(usage, 'input_tokens'),
    cacheRead: count(usage, 'cache_read_input_tokens'),
    cacheWrite: count(usage, 'cache_creation_input_tokens'),
    output: count(usage, 'output_tokens'),
    reasoning: count(record(usage.output_tokens_details), 'thinking_tokens'),
  };
}
