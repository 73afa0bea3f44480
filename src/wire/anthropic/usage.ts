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

/** Usage of a `message_delta` is cumulative: it replaces the counts it names. */
export function mergeUsage(known: Usage, usage: JsonRecord): Usage {
  const later = anthropicUsage(usage);
  const names = (member: string): boolean => member in usage && usage[member] !== null;
  return {
    input: names('input_tokens') ? later.input : known.input,
    cacheRead: names('cache_read_input_tokens') ? later.cacheRead : known.cacheRead,
    cacheWrite: names('cache_creation_input_tokens') ? later.cacheWrite : known.cacheWrite,
    output: 'output_tokens' in usage ? later.output : known.output,
    reasoning: 'output_tokens_details' in usage ? later.reasoning : known.reasoning,
  };
}
