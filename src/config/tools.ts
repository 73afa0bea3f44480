/** The tool servers of mezz.yaml: a program that mezz starts, or an address that it speaks to. */
import type { Issue, ToolConfig } from './config.ts';
import type { RawConfig } from './raw.ts';

export function buildTools(
  { tools = {} }: RawConfig,
  path: (text: string) => string,
  issues: Issue[],
): ToolConfig[] {
  return Object.entries(tools).map(([id, raw]) => {
    const {
      command = [],
      url,
      env = {},
      cwd = '.',
      headers,
      protocol,
      manifest,
      trusted,
      calls,
      perMinute,
    } = raw;
    const at = ['tools', id];
    if (command.length > 0 === (url !== undefined))
      issues.push({
        at,
        message: 'takes a command or a url, one of the two',
        remedy: 'Write command: [program, argument] or url: https://host/mcp',
      });
    if (url !== undefined && !/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
      issues.push({
        at: [...at, 'url'],
        message: `${url} is no http address`,
        remedy: 'Write url: https://host/mcp',
      });
    return {
      ...{ id, command, env },
      cwd: path(cwd),
      ...(url === undefined ? {} : { url }),
      ...(headers === undefined ? {} : { headers }),
      ...(protocol === undefined ? {} : { protocol }),
      ...(manifest === undefined ? {} : { manifestFile: path(manifest) }),
      ...(trusted ? { trusted } : {}),
      ...(calls === undefined ? {} : { calls }),
      ...(perMinute === undefined ? {} : { perMinute }),
    };
  });
}
