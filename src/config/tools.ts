/** The tool servers of mezz.yaml: a program that mezz starts, an address that it speaks to, or an HTTP service. */
import type { Issue, ToolConfig } from './config.ts';
import type { RawAuth, RawConfig } from './raw.ts';
import { parseDuration } from './units.ts';

export function buildTools(
  { tools = {} }: RawConfig,
  path: (text: string) => string,
  issues: Issue[],
): ToolConfig[] {
  return Object.entries(tools).map(([id, raw]) => {
    const {
      command = [],
      url,
      openapi,
      baseUrl,
      key,
      auth,
      env = {},
      cwd = '.',
      headers,
      protocol,
      manifest,
      trusted,
      calls,
      perMinute,
      resultCharacters,
      doubt,
      taskAfter,
      instance,
      idle,
      lease,
    } = raw;
    const at = ['tools', id];
    if (id === 'mezz')
      issues.push({ at, message: 'is the name of the tools of mezz itself', remedy: 'Give it another name' });
    if ([command.length > 0, url !== undefined, openapi !== undefined].filter(Boolean).length !== 1)
      issues.push({
        at,
        message: 'takes a command, a url or openapi, one of the three',
        remedy: 'Write command: [program, argument], url: https://host/mcp, or openapi: service.yaml',
      });
    if (url !== undefined && !/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
      issues.push({
        at: [...at, 'url'],
        message: `${url} is no http address`,
        remedy: 'Write url: https://host/mcp',
      });
    if (auth) issues.push(...authIssues(auth, [...at, 'auth'], url, headers));
    const { secret, privateKey, ...client } = auth ?? {};
    const keyFrom = key ?? privateKey ?? secret;
    return {
      ...{ id, command, env },
      cwd: path(cwd),
      ...(url === undefined ? {} : { url }),
      ...(headers === undefined ? {} : { headers }),
      ...(protocol === undefined ? {} : { protocol }),
      ...(openapi === undefined ? {} : { openapi: /^https?:/.test(openapi) ? openapi : path(openapi) }),
      ...(baseUrl === undefined ? {} : { baseUrl: baseUrl.replace(/\/+$/, '') }),
      ...(keyFrom === undefined ? {} : { key: 'file' in keyFrom ? { file: path(keyFrom.file) } : keyFrom }),
      ...(auth === undefined ? {} : { auth: client }),
      ...(manifest === undefined ? {} : { manifestFile: path(manifest) }),
      ...(trusted ? { trusted } : {}),
      ...(instance === undefined ? {} : { instance }),
      ...(doubt === undefined ? {} : { doubt }),
      ...msOf('idleMs', idle),
      ...msOf('leaseMs', lease),
      ...msOf('taskAfterMs', taskAfter),
      ...(calls === undefined ? {} : { calls }),
      ...(perMinute === undefined ? {} : { perMinute }),
      ...(resultCharacters === undefined ? {} : { resultCharacters }),
    };
  });
}

/** What of a client's credentials does not fit together. */
function authIssues(
  { grant, clientId, secret, privateKey, algorithm }: RawAuth,
  at: readonly string[],
  url: string | undefined,
  headers: Readonly<Record<string, string>> = {},
): Issue[] {
  const wrong = (message: string, remedy: string): Issue => ({ at, message, remedy });
  const named = Object.keys(headers).some((name) => name.toLowerCase() === 'authorization');
  return [
    ...(url === undefined
      ? [wrong('is for a server at a url', 'Write url: https://host/mcp beside it')]
      : []),
    ...(named ? [wrong('and a header authorization exclude each other', 'Take the header out')] : []),
    ...(secret && privateKey ? [wrong('takes a secret or a privateKey', 'Take one of them out')] : []),
    ...((privateKey === undefined) === (algorithm === undefined)
      ? []
      : [wrong('takes privateKey and algorithm together', 'Write algorithm: ES256 beside the privateKey')]),
    ...((secret ?? privateKey ?? grant) !== undefined && clientId === undefined
      ? [wrong('needs to say whose credentials these are', 'Write clientId: the name it is registered by')]
      : []),
    ...(grant === 'client_credentials' && !secret && !privateKey
      ? [wrong('has no credentials', 'Write secret: { env: NAME } or privateKey: { file: key.pem }')]
      : []),
  ];
}

/** The schema's pattern let it through. */
function msOf<N extends string>(name: N, text: string | undefined): { readonly [K in N]?: number } {
  const value = text === undefined ? undefined : parseDuration(text);
  return value === undefined ? {} : ({ [name]: value } as { readonly [K in N]?: number });
}
