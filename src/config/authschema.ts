/** The part of the schema of mezz.yaml that says who mezz is at a remote tool server. */

const text = (title: string, example: string, description: string, more: object = {}) => ({
  ...{ type: 'string', title, minLength: 1, maxLength: 2048 },
  ...{ examples: [example], description, ...more },
});
const https = { pattern: '^https://[^\\s]+$' };

/** `key`: where a secret is. */
export const authSchema = (key: object): Record<string, object> => ({
  clientId: text(
    'a client id',
    'mezz-prod',
    'As which client mezz is registered there; by default it registers itself.',
  ),
  secret: { ...key, description: "Where the client's secret is. Never the secret itself." },
  privateKey: { ...key, description: 'Where the private key (PEM) is that the client signs with.' },
  algorithm: {
    enum: ['ES256', 'RS256', 'PS256'],
    title: 'one of ES256, RS256, PS256',
    examples: ['ES256'],
    description: 'How it signs.',
  },
  clientMetadata: text(
    'an https address',
    'https://host.example/mezz.json',
    "Where the client's metadata document is; its address is the client's id, where the server takes that.",
    https,
  ),
  issuer: text(
    'the address of an authorization server',
    'https://login.example',
    "The one that may see the client's secret; by default the one that the first login finds.",
    { pattern: '^https?://[^\\s]+$' },
  ),
  scope: text('names of rights', 'files:read', 'What to ask for beside what the server names.'),
  grant: {
    enum: ['login', 'client_credentials'],
    title: 'one of login, client_credentials',
    examples: ['client_credentials'],
    description:
      'login: a person, by mezz tool login; client_credentials: nobody, the client itself is trusted.',
  },
});
