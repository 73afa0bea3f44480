/**
 * Ends what mezz started when mezz itself is gone, however it ended: a small shell in a group of its own reads a pipe whose
 * other end only mezz has. Invariant: no process group that it watches outlives the kernel by more than a moment.
 */
import { type ChildProcess, spawn } from 'node:child_process';

/** Reads `+ID` and `-ID`; at the end of its input it ends every group that is left. */
const SCRIPT = `
set --
while read -r line; do
  id="\${line#?}"
  case "$line" in
    +*) set -- "$@" "$id" ;;
    -*) for one do shift; [ "$one" = "$id" ] || set -- "$@" "$one"; done ;;
  esac
done
for one do kill -s KILL -- "-$one" 2>/dev/null; done
`;

export class Guard {
  #shell: ChildProcess | undefined;

  /** From now on the process group with this leader ends with mezz. */
  watch(group: number): void {
    this.#shell ??= this.#start();
    this.#shell.stdin?.write(`+${group}\n`);
  }

  /** The leader has ended: what it left behind ends now. */
  ended(group: number | undefined): void {
    if (group === undefined) return;
    this.kill(group);
    this.#shell?.stdin?.write(`-${group}\n`);
  }

  kill(group: number | undefined): void {
    try {
      if (group !== undefined) process.kill(-group, 'SIGKILL');
    } catch {
      // Nothing of it is left.
    }
  }

  close(): void {
    this.#shell?.stdin?.end();
    this.#shell = undefined;
  }

  #start(): ChildProcess {
    const shell = spawn('/bin/sh', ['-c', SCRIPT], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: {},
    });
    // Without a shell servers still end with their standard input; it must not keep mezz running, either.
    shell.on('error', () => {});
    shell.stdin?.on('error', () => {});
    shell.unref();
    return shell;
  }
}
