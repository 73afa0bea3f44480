/**
 * The schema of mezz.yaml (JSON Schema 2020-12), the one source of schema/mezz.schema.json, of the validator and of
 * what a mistake is told. `title` completes "must be ..."; the first example is what to type.
 */
import { EARLIER, MODERN } from '../base/mcp.ts';
import { HINTS } from '../base/model.ts';
import { POLICIES } from '../scheduler/policies/all.ts';
import { authSchema } from './authschema.ts';
import { boundsSchema } from './boundsschema.ts';
import { moneySchema } from './moneyschema.ts';
import { DURATION, SIZE } from './units.ts';

/** What a setting is that takes no key itself. */
export const PLACE_OF_KEY = 'the place of a key';

const ID = '^[a-z][a-z0-9._-]{0,63}$';

const text = (title: string, example: string, more: object = {}) => ({
  type: 'string',
  title,
  examples: [example],
  ...more,
});
const whole = (minimum: number, maximum: number, example: number) => ({
  type: 'integer',
  title: `a whole number from ${minimum} to ${maximum}`,
  minimum,
  maximum,
  examples: [example],
});
const choice = (description: string, ...values: string[]) => ({
  enum: values,
  title: `one of ${values.join(', ')}`,
  examples: [values[0]],
  description,
});
const list = (items: object, example: unknown[], description: string) => ({
  type: 'array',
  title: 'a list',
  items,
  uniqueItems: true,
  examples: [example],
  description,
});
const object = (description: string, properties: Record<string, object>, more: object = {}) => ({
  type: 'object',
  title: 'a group of settings',
  additionalProperties: false,
  properties,
  description,
  ...more,
});
const named = (title: string, description: string, value: object, names: object) => ({
  type: 'object',
  title,
  propertyNames: names,
  additionalProperties: value,
  description,
});
const duration = (example: string, description: string) =>
  text('a duration such as 30s, 10m, 1.5h or 7d', example, { pattern: DURATION, description });
const perMillion = {
  type: 'number',
  title: 'a price in USD per million tokens',
  minimum: 0,
  maximum: 1e6,
  examples: [3],
};

const key = object(
  'Where the kernel finds the key: an environment variable or a file (0600). Never the key itself.',
  {
    env: text('the name of an environment variable', 'ANTHROPIC_API_KEY', {
      pattern: '^[A-Z_][A-Z0-9_]{0,127}$',
    }),
    file: text('the path of a file that holds only the key', '~/.config/mezz/anthropic.key', {
      minLength: 1,
    }),
  },
  {
    title: PLACE_OF_KEY,
    minProperties: 1,
    maxProperties: 1,
    examples: [{ env: 'ANTHROPIC_API_KEY' }],
  },
);

/** A text, or where the kernel finds one that is a secret. */
const valueOrKey = {
  ...key,
  type: ['string', 'object'],
  title: 'a text or the place of a key',
  examples: ['value', { env: 'GITHUB_TOKEN' }],
};

const rate = (example: number, description: string) => ({
  type: 'number',
  title: 'a number above 0',
  exclusiveMinimum: 0,
  maximum: 1e9,
  examples: [example],
  description,
});
const share = (description: string) => ({
  type: 'number',
  title: 'a share from 0 to 1',
  minimum: 0,
  maximum: 1,
  examples: [0.1],
  description,
});
const lab = object(
  'mezz itself as a model server that is no model: deterministic, free, always labelled lab. In place of url.',
  {
    seed: { ...whole(0, 4_294_967_295, 1), description: 'Same seed, same failures.' },
    prefillRate: rate(4000, 'Prompt tokens read a second.'),
    decodeRate: rate(80, 'Tokens written a second.'),
    slots: { ...whole(1, 10_000, 2), description: 'Answers written at once.' },
    whenBusy: choice('What happens to one more.', 'queue', 'reject'),
    cacheTokens: { ...whole(0, 1_000_000_000, 200_000), description: 'Tokens of the prefix cache.' },
    requestsPerMinute: { ...whole(1, 1_000_000_000, 60), description: 'Rate limit: 429 beyond it.' },
    inputPerMinute: {
      ...whole(1, 1_000_000_000, 40_000),
      description: 'Rate limit on input that is not cached, as Anthropic counts.',
    },
    outputPerMinute: {
      ...whole(1, 1_000_000_000, 8_000),
      description: 'Rate limit on answers as they are written, as Anthropic counts.',
    },
    tokensPerMinute: {
      ...whole(1, 1_000_000_000, 90_000),
      description: 'Rate limit on input and the most an answer may have, as OpenAI counts.',
    },
    fail: object('How requests fail, by share.', {
      status: object(
        'Turned away before the first byte.',
        { code: whole(400, 599, 503), share: share('Of all requests.') },
        { required: ['code', 'share'] },
      ),
      cut: share('The connection is cut in the middle of the answer.'),
      malformed: share('One event is not JSON.'),
    }),
  },
);

const engine = object(
  'The embedded engine: models that mezz itself runs in child processes (mezz model). In place of url.',
  {
    threads: {
      ...whole(1, 512, 4),
      description: 'Threads of one model; by default one less than the machine gives this process.',
    },
    sequences: { ...whole(1, 64, 2), description: 'Answers of one model written at once.' },
    kept: {
      ...whole(0, 64, 1),
      description:
        'Answers that stand still for others or for a pause, kept beside those; 0: none ever does.',
    },
    window: {
      ...whole(256, 1_048_576, 8192),
      description:
        'Tokens of the longest conversation; each answer, kept ones too, takes memory for all of them.',
    },
  },
);

const backend = object(
  'Somewhere a model runs. A shipped backend (anthropic, openai, chatgpt) keeps every setting that is not given here.',
  {
    url: text('an http or https URL', 'https://api.anthropic.com/v1', { pattern: '^https?://[^\\s?#]+$' }),
    dialects: list(
      choice(
        'An API this backend speaks.',
        'anthropic',
        'openai-responses',
        'openai-chat',
        'openai-embeddings',
      ),
      ['openai-chat'],
      'The APIs this backend speaks.',
    ),
    credential: choice(
      "auto: the client's own login where it brings one, else the kernel's key. kernel, client: that one only. local: none.",
      'auto',
      'kernel',
      'client',
      'local',
    ),
    provider: text('the name of a provider', 'anthropic', {
      pattern: ID,
      description:
        "Whose logins belong here: a client's login goes to no other provider. By default the backend's id.",
    }),
    key,
    account: text('the id of an account', 'team', {
      pattern: ID,
      description: "By default the backend's id.",
    }),
    slots: { ...whole(1, 10_000, 8), description: 'Calls that may run at once.' },
    cacheTokens: {
      ...whole(1, 1_000_000_000, 500_000),
      description: 'Tokens that its cache of prefixes holds. Known, it decides who may push out whom.',
    },
    continues: {
      enum: [true, false, 'tokens'],
      description:
        'It goes on with an answer that was broken off: a running Chat stream may then stop for another call, or with its paused agent. true: from its last words (continue_final_message of vLLM and llama-server; mezz backend try finds out). tokens: from the ids of its tokens, where the request has no tools (llama-server).',
    },
    prefills: {
      type: 'boolean',
      title: 'true or false',
      examples: [true],
      description:
        'The same for streams of Messages: it goes on from a last message of the assistant (llama-server; mezz backend try finds out).',
    },
    hints: list(
      choice('Something that engines of its kind understand.', ...HINTS),
      ['priority'],
      'What it is told of a call: priority (vLLM with --scheduling-policy priority), dynamo and llm-d (headers), prompt-cache-key (OpenAI), cache-1h (Anthropic: prefixes stay an hour, and cost more to write). Nothing by default, and nothing that the client says itself.',
    ),
    idleTimeout: duration('10m', 'Silence after which the upstream counts as dead.'),
    lab,
    engine,
  },
);

const price = {
  title: 'free, or prices in USD per million tokens',
  description:
    'What the model costs. Without it the shipped price list decides; a model it does not know is refused.',
  examples: [{ input: 3, output: 15, cacheRead: 0.3, cacheWrite: 3.75 }],
  oneOf: [
    { const: 'free' },
    object(
      'USD per million tokens; the cache prices are the input price by default.',
      { input: perMillion, output: perMillion, cacheRead: perMillion, cacheWrite: perMillion },
      { required: ['input', 'output'] },
    ),
  ],
};

const model = object(
  'Which backends serve a model name, and at what price.',
  {
    backends: {
      ...list({ type: 'string', title: 'the id of a backend' }, ['anthropic'], 'Backends, best first.'),
      minItems: 1,
    },
    alias: text("the model's name at the backend", 'claude-haiku-4-5', { minLength: 1 }),
    price,
    window: {
      ...whole(256, 100_000_000, 32_768),
      description: 'Tokens of context it has there, prompt and answer together.',
    },
  },
  { required: ['backends'] },
);

export const SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'https://mezz.invalid/schema/mezz.schema.json',
  ...object(
    'Settings of the mezz kernel. Every setting has a default: no file at all works.',
    {
      port: { ...whole(0, 65_535, 7717), description: "The agents' port on 127.0.0.1; 0 takes a free one." },
      backends: named(
        'a mapping of backend ids',
        'Backends by id; null removes a shipped one.',
        nullable(backend),
        {
          pattern: ID,
          title: 'a lower-case name without spaces',
        },
      ),
      models: named(
        'a mapping of model names',
        'Models by name or glob (gpt-*); null removes a shipped row.',
        nullable(model),
        {
          minLength: 1,
          maxLength: 128,
          title: 'a name or glob of at most 128 characters',
        },
      ),
      ...moneySchema({ text, whole, choice, list, object, named, rate, id: ID }),
      access: object('Who may do what.', {
        profile: choice(
          'default: the shipped access policies decide. observe: nothing is refused.',
          'default',
          'observe',
        ),
        files: list(
          text('a path', 'policies/team.cedar'),
          ['policies/team.cedar'],
          'Cedar files, loaded beside the profile.',
        ),
      }),
      scheduling: object('In what order calls are served when a backend is full.', {
        policy: choice('The scheduling policy; mezz sched policies tells them apart.', ...POLICIES.keys()),
        maxWait: duration(
          '10m',
          'A call that waited this long, and was passed by 40 for each that waited when it came, is served next, whatever the policy says.',
        ),
        queue: { ...whole(1, 100_000, 1000), description: 'Calls that may wait; more are refused as busy.' },
        weights: named(
          'owners and their weights',
          'Shares of owners, for the policies mezz and fair. An owner that is not named has 1.',
          rate(2, 'The share.'),
          { minLength: 1, maxLength: 64 },
        ),
      }),
      journal: object('What the journal keeps.', {
        bodies: choice(
          'keep: bodies of requests and answers. digest: their commitments. off: neither.',
          'keep',
          'digest',
          'off',
        ),
        keepDays: { ...whole(1, 36_500, 30), description: 'Days after which bodies go.' },
        keepBytes: text('a size such as 500MB or 10GB', '10GB', {
          pattern: SIZE,
          description: 'The oldest bodies beyond this go.',
        }),
        entriesDays: {
          ...whole(1, 36_500, 365),
          description:
            'Days after which entries go: what happened can then no longer be shown, only proven whole.',
        },
      }),
      ask: object('Questions to a person.', {
        hold: duration('10m', 'How long the call itself is held open for the answer.'),
        expires: duration('24h', 'When an unanswered question counts as denied.'),
      }),
      loop: object('The loop guard: what looks like a runaway agent becomes a question.', {
        repeats: {
          ...whole(2, 100_000, 20),
          description: 'Calls with the same arguments within the window.',
        },
        window: duration('10m', 'The window in which repeats are counted.'),
        usdPerHour: {
          type: 'number',
          title: 'an amount in USD',
          exclusiveMinimum: 0,
          maximum: 1e6,
          examples: [50],
          description: 'Spending faster than this.',
        },
      }),
      rateLimit: object("What happens to a call that a provider's rate limit refuses.", {
        on: choice(
          "wait: it waits here, is sent again when the provider takes calls again, and its agent never hears of it. sleep: the same, and where the provider takes none for longer than that its agent is paused until it does. fail: the provider's answer passes.",
          'wait',
          'sleep',
          'fail',
        ),
        maxHold: duration('10m', "How long it waits at most; never beyond its client's own timeout."),
      }),
      hold: choice(
        "Whose answers wait at the gate until each tool call in them is decided. none: no agent's, except those of mezz run --hold and mezz agent hold.",
        'none',
        'all',
      ),
      tools: named(
        'a mapping of tool servers',
        'Tool servers: programs that mezz starts or addresses, by MCP, and HTTP services by their OpenAPI documents; agents call their tools by name__tool. From the next start on.',
        object('A tool server.', {
          command: {
            ...list(
              text('a program or an argument', 'npx'),
              ['npx', 'server'],
              'The program and its arguments.',
            ),
            uniqueItems: false,
            minItems: 1,
          },
          env: {
            type: 'object',
            title: 'a mapping of variables',
            additionalProperties: valueOrKey,
            description:
              'Variables beside PATH, HOME, LANG, TMPDIR and USER: a text, or the place of a secret, { env: NAME } or { file: PATH }.',
          },
          cwd: text('a path', '.', { description: 'Its directory; that of mezz.yaml by default.' }),
          url: text('an http address', 'https://tools.example/mcp', {
            description: 'Where it speaks MCP over streamable HTTP, instead of a command.',
          }),
          headers: {
            type: 'object',
            title: 'a mapping of headers',
            additionalProperties: valueOrKey,
            description:
              'Sent with every request to its address: a text, or the place of a secret, { env: NAME } or { file: PATH }.',
          },
          auth: object(
            'Its login (OAuth), where mezz tool login alone does not do: who mezz is there.',
            authSchema(key),
          ),
          protocol: choice(
            'The one version of MCP to speak with it; found out by default.',
            ...[MODERN, ...EARLIER],
          ),
          openapi: text('a path or an address', 'service.yaml', {
            description:
              'In place of a command: the OpenAPI document of an HTTP service, whose operations become tools. Methods say what they do, the path what they touch, ETags which version an agent has seen.',
          }),
          baseUrl: text('an address', 'http://127.0.0.1:8080/v1', {
            pattern: '^https?://[^\\s]+$',
            description: 'Where the service is, if not where its document says.',
          }),
          key,
          manifest: text('a path', 'box.manifest.yaml', {
            description:
              'What its tools do to what (schema/manifest.schema.json); mezz tool learn drafts one. It goes before what mezz knows.',
          }),
          instance: choice(
            'Who has a process of it to itself; by default what its manifest says, else nobody.',
            'shared',
            'per-agent',
            'leased',
          ),
          idle: duration('15m', 'How long a process stays that nobody calls.'),
          lease: duration('2m', 'How long an agent keeps a leased one after its last call.'),
          ...boundsSchema({ whole, duration, choice }),
          trusted: {
            type: 'boolean',
            title: 'true or false',
            examples: [true],
            description:
              'What it says of its tools itself (readOnlyHint, idempotentHint) is believed where nothing else is known.',
          },
        }),
        { pattern: '^[a-z][a-z0-9-]{0,31}$', title: 'a lower-case name of at most 32 letters' },
      ),
      hostedTools: list(
        text('the type of a hosted tool', 'code_interpreter'),
        ['code_interpreter'],
        "Provider-hosted tools that act behind the gate's back and are permitted all the same, by type.",
      ),
    },
    { title: 'mezz.yaml: settings by name' },
  ),
} as const;

function nullable<S extends { readonly type: string }>(
  schema: S,
): Omit<S, 'type'> & { readonly type: readonly string[] } {
  return { ...schema, type: [schema.type, 'null'] };
}

/** The published file's text: what `schema/mezz.schema.json` must hold. */
export const schemaText = (): string => `${JSON.stringify(SCHEMA, null, 2)}\n`;
