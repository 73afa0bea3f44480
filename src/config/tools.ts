/** The tool servers of mezz.yaml: a program that mezz starts, an address that it speaks to, or an HTTP service. */
import type { Issue, KeySource, ToolConfig, ToolSecret } from './config.ts';
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
    issues.push(...shapeIssues(id, raw, at));
    if (auth) issues.push(...authIssues(auth, [...at, 'auth'], url, headers));
    const { secret, privateKey, ...client } = auth ?? {};
    const placeOf = (from: KeySource) => ('file' in from ? { file: path(from.file) } : from);
    const keyFrom = key ?? privateKey ?? secret;
    const secrets = [...secretsOf('env', env), ...secretsOf('headers', headers)];
    return {
      ...{ id, command, env: textsOf(env) },
      cwd: path(cwd),
      ...(url === undefined ? {} : { url }),
      ...(headers === undefined ? {} : { headers: textsOf(headers) }),
      ...(secrets.length === 0
        ? {}
        : { secrets: secrets.map(({ from, ...rest }) => ({ ...rest, from: placeOf(from) })) }),
      ...(protocol === undefined ? {} : { protocol }),
      ...(openapi === undefined ? {} : { openapi: /^https?:/.test(openapi) ? openapi : path(openapi) }),
      ...(baseUrl === undefined ? {} : { baseUrl: baseUrl.replace(/\/+$/, '') }),
      ...(keyFrom === undefined ? {} : { key: placeOf(keyFrom) }),
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

type RawTool = NonNullable<RawConfig['tools']>[string];

/** What of a server is no server. */
function shapeIssues(id: string, raw: RawTool, at: readonly string[]): Issue[] {
  const { command = [], url, openapi } = raw;
  const issues: Issue[] = [];
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
  return issues;
}

type Values = Readonly<Record<string, string | KeySource>>;

const textsOf = (values: Values): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
  );

const secretsOf = (of: ToolSecret['of'], values: Values = {}): ToolSecret[] =>
  Object.entries(values).flatMap(([name, from]) => (typeof from === 'string' ? [] : [{ of, name, from }]));

/** What of a client's credentials does not fit together. */
function authIssues(
  { grant, clientId, secret, privateKey, algorithm }: RawAuth,
  at: readonly string[],
  url: string | undefined,
  headers: Values = {},
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
