export const LIMITS = {
  childrenPerKey: { value: 64, unit: 'agents', what: 'sub-agents that headers may open under one key' },
  agentDepth: { value: 8, unit: 'levels', what: 'length of a chain of parents' },
  nameLength: { value: 64, unit: 'characters', what: 'length of an agent name' },
  conversationsPerAgent: { value: 64, unit: 'heads', what: 'interleaved conversations remembered per agent' },
  openIntentsPerAgent: {
    value: 4096,
    unit: 'tool calls',
    what: 'tool calls without a result remembered per agent',
  },
} as const;
