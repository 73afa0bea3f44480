export const LIMITS = {
  kernelStartMs: { value: 20_000, unit: 'ms', what: 'how long `mezz up` waits for the kernel to answer' },
  kernelPollMs: { value: 20, unit: 'ms', what: 'pause between two questions whether the kernel is up' },
  drainMs: { value: 10_000, unit: 'ms', what: 'how long running calls may finish when the kernel goes down' },
  familyLookMs: { value: 1000, unit: 'ms', what: 'pause between two looks at the processes below a program' },
  reapMs: { value: 3_000, unit: 'ms', what: 'time for processes an agent left behind to end by themselves' },
  watchSeconds: { value: 2, unit: 's', what: 'pause between two refreshes of --watch' },
  agentCount: { value: 64, unit: 'agents', what: 'the most agents one `mezz run --count` starts' },
  hookSeconds: {
    value: 600,
    unit: 's',
    what: "how long a client's hook waits for the gate: a paused agent waits at its next tool call",
  },
  hookAnswerMs: {
    value: 590_000,
    unit: 'ms',
    what: "how long mezz hook waits for the gate: less than the client's own bound, after which it would go on",
  },
  hookAnswerBytes: { value: 1024 * 1024, unit: 'bytes', what: 'the largest answer of the gate to a hook' },
  hookInputBytes: {
    value: 64 * 1024 * 1024,
    unit: 'bytes',
    what: 'the largest hook event read from a client',
  },
  engineMs: { value: 400, unit: 'ms', what: 'how long an engine on loopback may take to list its models' },
  engineListBytes: {
    value: 1024 * 1024,
    unit: 'bytes',
    what: 'the longest list of models read from an engine',
  },
  experimentMs: {
    value: 20_000,
    unit: 'ms',
    what: 'how long an experiment of the checklist waits for one thing',
  },
  trialMs: { value: 60_000, unit: 'ms', what: 'how long a client may take for the trial of its hooks' },
  trialVersionMs: { value: 15_000, unit: 'ms', what: 'how long a client may take to say its version' },
  trialOutputCharacters: {
    value: 4000,
    unit: 'characters',
    what: "the end of a client's output kept from its trial",
  },
  cellColumns: { value: 60, unit: 'columns', what: 'the widest cell of a table on a terminal' },
} as const;
