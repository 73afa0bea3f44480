export const LIMITS = {
  memo: { value: 4096, unit: 'decisions', what: 'decisions remembered within one policy epoch' },
  slices: {
    value: 256,
    unit: 'policy sets',
    what: 'parsed slices kept; further resources use the whole set',
  },
  sliceNames: { value: 2048, unit: 'resources', what: 'resources whose slice is remembered' },
  policies: { value: 10_000, unit: 'policies', what: 'access policies in one text' },
  argsDepth: { value: 16, unit: 'levels', what: 'nesting of arguments that a policy may read' },
  argsMembers: { value: 4096, unit: 'values', what: 'values in arguments that a policy may read' },
  argsText: { value: 1_048_576, unit: 'characters', what: 'text in arguments that a policy may read' },
  fieldText: {
    value: 262_144,
    unit: 'characters',
    what: 'length of a command, path or URL a policy may read',
  },
  approvalsOpen: {
    value: 1000,
    unit: 'approvals',
    what: 'open or unused approvals; then the oldest expires',
  },
  approvalsClosed: { value: 1000, unit: 'approvals', what: 'closed approvals kept in memory for listing' },
  approvalText: { value: 2000, unit: 'characters', what: 'length of one argument shown in an approval' },
  approvalArgs: { value: 16_384, unit: 'characters', what: 'arguments shown in an approval, as JSON' },
  loopCalls: { value: 4096, unit: 'calls', what: 'distinct recent calls the loop guard remembers' },
  paceTrees: { value: 4096, unit: 'trees', what: 'trees of agents whose spending the loop guard remembers' },
  page: { value: 1000, unit: 'rows', what: 'rows read at once when the tables are opened' },
} as const;
