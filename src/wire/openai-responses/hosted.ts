/** Which tools of an OpenAI request run at the provider. A typed tool mezz does not know counts as one that acts. */
import { isRecord, type Json } from '../../base/json.ts';
import type { HostedTool } from '../../base/model.ts';
import { hostedTool, text } from '../read.ts';

const CLIENT_TOOLS = new Set([
  'function',
  'custom',
  'local_shell',
  'apply_patch',
  'computer',
  'computer_use_preview',
  'computer-preview',
]);
const READ_ONLY_HOSTED = /^(web_search(_preview)?(_\d{4}_\d{2}_\d{2})?|file_search|tool_search)$/;

/** `tools` of a request, the tools inside `namespace` tools, and those that an input item adds. */
export function hostedTools(tools: Json | undefined): HostedTool[] {
  const found: HostedTool[] = [];
  for (const tool of Array.isArray(tools) ? tools : []) {
    if (!isRecord(tool)) continue;
    const type = text(tool, 'type');
    if (type === 'namespace') found.push(...hostedTools(tool.tools));
    else if (type === 'shell') {
      // Without a hosted container the client runs the commands itself.
      const environment = isRecord(tool.environment) ? text(tool.environment, 'type') : '';
      if (environment.startsWith('container')) found.push(hostedTool(type, true));
    } else if (type === 'tool_search' && tool.execution === 'client') continue;
    else if (!CLIENT_TOOLS.has(type) && type !== '')
      found.push(hostedTool(type, !READ_ONLY_HOSTED.test(type)));
  }
  return found;
}
