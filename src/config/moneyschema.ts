/** What of mezz.yaml says whose money or plan pays, what an account allows, and budgets. */
import { MONEY, SHARE } from './units.ts';

// Shorter than other ids: a START names all accounts above the one that pays.
const ACCOUNT = '^([a-z][a-z0-9._-]{0,31}|client:[a-z]{1,32}:[0-9a-f]{12})$';

interface Forms {
  text(title: string, example: string, more?: object): object;
  whole(minimum: number, maximum: number, example: number): object;
  choice(description: string, ...values: string[]): object;
  list(items: object, example: unknown[], description: string): object;
  object(description: string, properties: Record<string, object>, more?: object): object;
  named(title: string, description: string, value: object, names: object): object;
  rate(example: number, description: string): object;
  /** The pattern of an id. */
  readonly id: string;
}

const limitOf = ({ object, text, choice }: Forms): object =>
  object(
    'A budget: what a scope may use in a period.',
    {
      scope: text('account:<id>, agent:<pid> or owner:<id>', 'account:team', {
        pattern: '^(account:\\S{1,200}|agent:[1-9][0-9]{0,14}|owner:[^\\s:]{1,64})$',
      }),
      dimension: choice(
        "What is counted; share: percent of an account's plan window, as its provider reports it.",
        'usd',
        'tokens',
        'requests',
        'output',
        'share',
      ),
      period: choice(
        "After what time it starts anew: in UTC, or 5h and 7d after the first use or as the provider's own window.",
        'day',
        'month',
        'total',
        '5h',
        '7d',
      ),
      cap: {
        type: ['string', 'integer'],
        title: 'an amount such as 5usd (for usd), 80% (for share), or a whole number (for what is counted)',
        pattern: `${MONEY}|${SHARE}`,
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        examples: ['5usd'],
      },
      strict: {
        type: 'boolean',
        title: 'true or false',
        examples: [true],
        description: 'Refuse what cannot prove that it fits.',
      },
    },
    { required: ['scope', 'dimension', 'period', 'cap'] },
  );

export function moneySchema(forms: Forms): Record<string, object> {
  const { text, whole, list, object, named, rate, id: ID } = forms;
  return {
    accounts: named(
      'a mapping of account ids',
      'Accounts by id: whose money or plan.',
      object('An account. Its limits also bind the accounts below it.', {
        parent: text('the id of an account', 'company', { pattern: ID }),
        owner: text('the name of an owner', 'alice', {
          pattern: '^\\S{1,64}$',
          description: 'Who answers for it.',
        }),
        streams: {
          ...whole(1, 100_000, 8),
          description: 'Answers that may be open at once, whatever the model; more wait in the order of all.',
        },
        usdPerHour: rate(
          5,
          'What may be spent in an hour, saved up for an hour at most; what goes beyond it waits in the order of all.',
        ),
      }),
      { pattern: ACCOUNT, title: 'a lower-case name of at most 32 letters, or client:<provider>:<digest>' },
    ),
    limits: list(
      limitOf(forms),
      [{ scope: 'account:team', dimension: 'usd', period: 'day', cap: '5usd' }],
      'Budgets.',
    ),
  };
}
