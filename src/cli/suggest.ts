/** Words of docker, kubectl, systemd and Unix, and what mezz calls the same thing. */
const FOREIGN: Readonly<Record<string, string>> = {
  list: 'ps',
  ls: 'ps',
  get: 'ps',
  stop: 'kill',
  rm: 'kill',
  terminate: 'kill',
  unpause: 'resume',
  continue: 'resume',
  cont: 'resume',
  suspend: 'pause',
  exec: 'run',
  launch: 'run',
  spawn: 'run',
  describe: 'agent show',
  inspect: 'agent show',
  show: 'agent show',
  info: 'status',
  init: 'start',
  serve: 'up',
  daemon: 'up',
  shutdown: 'down',
  quit: 'down',
  log: 'logs',
  history: 'logs',
  events: 'logs',
  stats: 'top',
  watch: 'top',
  explain: 'why',
  cost: 'bill',
  costs: 'bill',
  usage: 'bill',
  spend: 'bill',
  quota: 'limit',
  limits: 'limit',
  renice: 'nice',
  priority: 'nice',
  keys: 'key',
  token: 'key',
  login: 'key',
  models: 'model',
  backends: 'backend',
  provider: 'backend',
  approvals: 'inbox',
  pending: 'inbox',
  allow: 'approve',
  reject: 'deny',
  refuse: 'deny',
  policies: 'policy',
  auth: 'can',
  unfreeze: 'thaw',
  verify: 'audit verify',
  check: 'doctor',
  dump: 'export',
  save: 'backup',
  prune: 'gc',
  df: 'du',
  store: 'du',
  delete: 'forget',
  erase: 'forget',
  agents: 'ps',
};

/** What they mean where nothing follows them. */
const ALONE: Readonly<Record<string, string>> = { stop: 'down' };

/** Edits (insert, delete, replace, swap neighbours) between two words: Damerau-Levenshtein, restricted. */
export function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (rows[i - 1]?.[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min((rows[i - 1]?.[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (rows[i - 2]?.[j - 2] ?? 0) + 1);
      row.push(least);
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? 0;
}

/** The command that someone who typed `word`, and `more` words behind it, most likely meant, or undefined. */
export function suggestCommand(word: string, commands: readonly string[], more = 0): string | undefined {
  const typed = word.toLowerCase();
  if (more === 0 && Object.hasOwn(ALONE, typed)) return ALONE[typed];
  if (Object.hasOwn(FOREIGN, typed)) return FOREIGN[typed];
  const longer = commands.filter((command) => typed.length >= 2 && command.startsWith(typed));
  if (longer.length === 1) return longer[0];
  const words = [...commands, ...Object.keys(FOREIGN)];
  const near = words
    .map((command) => ({ command, distance: editDistance(typed, command) }))
    .filter(
      ({ command, distance }) =>
        distance <= Math.max(1, Math.floor(Math.min(typed.length, command.length) / 3)),
    )
    .sort((a, b) => a.distance - b.distance);
  const best = near[0]?.command;
  return best === undefined ? longer[0] : (FOREIGN[best] ?? best);
}
