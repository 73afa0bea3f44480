/** The form of manifests (JSON Schema 2020-12), the one source of schema/manifest.schema.json and of the validator. */

const KEY = {
  type: 'string',
  title: 'a key such as file:{path}',
  pattern: '^(?:(?:file|tree|port|pkg|server|url):.+|git:(?:index|head|tip|refs):.+)$',
  maxLength: 1000,
  examples: ['file:{path}'],
  description:
    'file: a file or directory; tree: the checkout that a directory is in; git:index:, git:head:, git:tip:, git:refs: of the checkout at a directory; port:; pkg: the installed packages of a directory; server: a part of the server, server:{server}/part; url:. {argument} stands for its value, {list.*.name} for one of each element, {argument|default} for a default, {flag?text} for the text where the flag is true.',
};

const ACCESS = {
  enum: ['read', 'append', 'external', 'delta', 'replace'],
  title: 'one of read, append, external, delta, replace',
  examples: ['read'],
  description:
    'append commutes with itself; external leaves the machine and cannot be taken back; delta changes what is there; replace puts something in its place, and is refused where its agent has not seen what that is.',
};

const closed = (description: string, properties: Record<string, object>, required: readonly string[]) => ({
  type: 'object',
  title: 'a group of settings',
  additionalProperties: false,
  required,
  properties,
  description,
});

const text = (title: string, example: string, description: string) => ({
  type: 'string',
  title,
  maxLength: 2000,
  examples: [example],
  description,
});

const TOOL = {
  ...closed(
    'What a tool does.',
    {
      resources: {
        type: 'array',
        title: 'a list of keys with their access',
        maxItems: 32,
        examples: [[{ key: 'file:{path}', access: 'read' }]],
        description: 'What it touches; an empty list says nothing that another agent could touch.',
        items: closed('One of them.', { key: KEY, access: ACCESS }, ['key', 'access']),
      },
      shell: text(
        'a command line, or {argument}',
        'git -C {path} status',
        'It touches what this command line touches.',
      ),
      dir: text('an argument', 'workdir', 'The argument that says where a command line runs.'),
      patch: {
        type: 'array',
        title: 'a list of arguments',
        items: { type: 'string', title: 'an argument', examples: ['patch'] },
        examples: [['patch']],
        description: 'It touches the files of the patch that one of these arguments holds.',
      },
      retry: {
        enum: ['pure', 'idempotent', 'keyed', 'checkable', 'unsafe'],
        title: 'one of pure, idempotent, keyed, checkable, unsafe',
        examples: ['idempotent'],
        description:
          'What making the same call once more would do: nothing; no more than the first; its server knows a repetition by its key; its server can be asked; the effect twice (the default).',
      },
      doubt: {
        enum: ['ask', 'retry', 'done', 'abandon'],
        title: 'one of ask, retry, done, abandon',
        examples: ['retry'],
        description:
          'What is done about a call that may or may not have taken effect: a person is asked (the default), it is made once more, or it counts as done, or as given up.',
      },
      check: closed(
        'How the server is asked whether a checkable call took effect.',
        {
          tool: text('a tool of the same server', 'get', 'The tool that tells.'),
          input: {
            type: 'object',
            title: 'arguments',
            additionalProperties: { type: 'string', title: 'a template', examples: ['{id}'] },
            examples: [{ id: '{id}' }],
          },
          done: text('a template', '{id}', 'It took effect exactly when the answer holds this.'),
        },
        ['tool', 'input', 'done'],
      ),
      undo: closed(
        'A call that takes it back.',
        {
          tool: text('a tool of the same server', 'delete', 'The tool that takes it back.'),
          input: {
            type: 'object',
            title: 'arguments',
            examples: [{ id: '{result.id}' }],
            description:
              'Its arguments: templates over the arguments, and over the answer by {result...}; a text that is one placeholder is the value itself.',
          },
          compensates: {
            type: 'boolean',
            title: 'true or false',
            examples: [true],
            description: 'It makes up for what was done, which the world has seen.',
          },
        },
        ['tool', 'input'],
      ),
      costUsd: {
        type: 'number',
        title: 'a price in USD from 0 to 1000',
        minimum: 0,
        maximum: 1000,
        examples: [0.01],
        description: 'What each sending of a call costs; it counts against budgets and is in the bill.',
      },
      timeoutMs: {
        type: 'integer',
        title: 'a whole number from 1 to 3600000',
        minimum: 1,
        maximum: 3_600_000,
        examples: [30_000],
        description: 'How long a call may run.',
      },
    },
    [],
  ),
  anyOf: [{ required: ['resources'] }, { required: ['shell'] }, { required: ['patch'] }],
};

export const MANIFEST_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  ...closed(
    'What the tools of one server, or of one client, do to what.',
    {
      $schema: { type: 'string', title: 'the address of this schema', examples: ['manifest.schema.json'] },
      about: text('a sentence', 'A server.', 'For people.'),
      software: {
        type: 'array',
        title: 'a list of names',
        items: { type: 'string', title: 'a name', examples: ['memory-server'] },
        examples: [['memory-server']],
        description: 'The names that the described server gives itself.',
      },
      client: text('the name of a client', 'claude-code', 'The client whose own tools these are.'),
      tested: text(
        'a package with its version',
        'package@1.0.0',
        'The package whose definitions this was compared with.',
      ),
      instance: {
        enum: ['shared', 'per-agent', 'leased'],
        title: 'one of shared, per-agent, leased',
        examples: ['shared'],
        description: 'Who has an instance of the server to itself: nobody, each agent, one agent at a time.',
      },
      tools: {
        type: 'object',
        title: 'a mapping of tools',
        additionalProperties: TOOL,
        examples: [{ read: { resources: [] } }],
        description: 'By their names. A tool that is not here may write anything of its server.',
      },
      flow: {
        type: 'object',
        title: 'a group of settings',
        examples: [{}],
        description: 'Reserved: what flows where is said by access control.',
      },
    },
    ['tools'],
  ),
  title: 'a manifest: what tools do to what',
} as const;

/** The published file's text: what `schema/manifest.schema.json` must hold. */
export const manifestSchemaText = (): string => `${JSON.stringify(MANIFEST_SCHEMA, null, 2)}\n`;
