import { Command } from 'commander';
import type { CommandEntry } from '../entry.ts';
import { UsageFailure } from '../exit.ts';
import type { Session } from '../session.ts';

/** Each script hands the words typed so far to `mezz __complete`, the last of them still open. */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_mezz() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(mezz __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _mezz mezz`,
  zsh: `#compdef mezz
_mezz() {
  local -a words_found
  words_found=(\${(f)"$(mezz __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  compadd -a words_found || _files
}
compdef _mezz mezz`,
  fish: `function __mezz_complete
  set -l typed (commandline -opc)
  mezz __complete $typed[2..] (commandline -ct) 2>/dev/null
end
complete -c mezz -f -a '(__mezz_complete)'`,
};
/** Where to put them. */
const PLACES: Readonly<Record<string, string>> = {
  bash: 'eval "$(mezz completion bash)"   in ~/.bashrc',
  zsh: 'eval "$(mezz completion zsh)"    in ~/.zshrc, after compinit',
  fish: 'mezz completion fish | source    in ~/.config/fish/config.fish',
};
const COMPLETION_WAIT_MS = 300;

async function agentNames(session: Session): Promise<string[]> {
  try {
    const { agents } = await session.control.call('ps', { all: true }, { timeoutMs: COMPLETION_WAIT_MS });
    // One that has exited still has its name while its worktree is there.
    const named = agents.filter((agent) => agent.state !== 'exited' || agent.worktree !== null);
    return named.map((agent) => agent.name);
  } catch {
    return [];
  }
}

/** The words that may stand in place of the last, open word. */
export async function listCandidates(
  words: readonly string[],
  session: Session,
  commands: readonly CommandEntry[],
): Promise<string[]> {
  const open = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const names = commands.map((entry) => entry.name);
  if (before.length === 0) return [...names, 'help', 'version'].filter((name) => name.startsWith(open));
  if (before[0] === 'help')
    return [...names, 'exit-codes', 'environment'].filter((name) => name.startsWith(open));
  const entry = commands.find(({ name }) => name === before[0]);
  if (!entry || before.includes('--')) return [];
  const program = new Command().enablePositionalOptions();
  (await entry.load()).define(program, session);
  let command = program.commands.find((one) => one.name() === entry.name);
  command = command?.commands.find((one) => one.name() === before[1]) ?? command;
  if (!command) return [];
  const options = command.options.flatMap((option) => option.long ?? []);
  const takesAgent = command.registeredArguments.some((argument) => /agent/.test(argument.name()));
  const found = open.startsWith('-')
    ? options
    : [...command.commands.map((one) => one.name()), ...(takesAgent ? await agentNames(session) : [])];
  return found.filter((word) => word.startsWith(open));
}

export async function printCandidates(
  words: readonly string[],
  session: Session,
  commands: readonly CommandEntry[],
): Promise<void> {
  session.terminal.print(...(await listCandidates(words, session, commands)));
}

export function define(program: Command, session: Session): void {
  program
    .command('completion')
    .description('print completion for a shell')
    .argument('<shell>', Object.keys(SCRIPTS).join(', '))
    .action((shell: string) => {
      const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
      if (script === undefined)
        throw new UsageFailure(
          `mezz has no completion for "${shell}"`,
          `one of: ${Object.keys(SCRIPTS).join(', ')}`,
        );
      session.terminal.print(script);
      if (session.terminal.interactive) session.terminal.note(`Next: ${PLACES[shell]}`);
    });
}
