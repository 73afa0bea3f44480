import { isRecord, type JsonRecord } from '../../base/json.ts';
import type { ResponseFacts, ToolIntent } from '../../base/model.ts';
import { record, text } from '../read.ts';
import { openaiUsage } from './usage.ts';

/** Facts of a response object, whole or inside a terminal event. */
export function factsOf(response: JsonRecord): ResponseFacts {
  const output = Array.isArray(response.output) ? response.output.filter(isRecord) : [];
  const id = text(response, 'id');
  const conversation = text(record(response.conversation), 'id');
  return {
    ...(isRecord(response.usage) ? { usage: openaiUsage(response.usage) } : {}),
    responseId: id,
    model: text(response, 'model'),
    stopReason: text(response, 'status'),
    intents: output.flatMap(intentOf),
    objects: [id, conversation].filter((object) => object !== ''),
  };
}

/** The tool call in an output item, if it is one that the client makes. */
export function intentOf(item: JsonRecord): ToolIntent[] {
  const id = text(item, 'call_id');
  if (id === '') return [];
  switch (item.type) {
    case 'function_call':
      return [{ id, name: text(item, 'name'), argumentsText: text(item, 'arguments') }];
    case 'custom_tool_call':
      return [{ id, name: text(item, 'name'), argumentsText: text(item, 'input') }];
    case 'local_shell_call':
    case 'shell_call':
    case 'apply_patch_call':
    case 'computer_call':
      return [
        {
          id,
          name: text(item, 'type').replace(/_call$/, ''),
          argumentsText: JSON.stringify(item.action ?? item.operation ?? {}),
        },
      ];
    default:
      return [];
  }
}
