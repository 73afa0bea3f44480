/**
 * Tools that mezz offers are asked about twice by a client with hooks: by the hook, and by the call itself. Here the second
 * finds the first, so that they are one in the books.
 */
import { sha256Hex } from '../base/hash.ts';
import type { CallId } from '../base/ids.ts';
import { canonicalJson, type JsonRecord } from '../base/json.ts';
import { Recent } from '../base/recent.ts';
import type { ToolCall } from '../base/syscall.ts';
import { LIMITS } from './limits.ts';

/** As Claude Code and Codex name them. */
const OFFERED = /^mcp__mezz__(.+)$/;

interface Noted {
  readonly call: CallId;
  /** The second has come. */
  isTaken: boolean;
}

export class AskedAbout {
  readonly #named = new Recent<string, Noted>(LIMITS.heldMemo.value);
  /** Keys under which anything was noted: most clients have no hooks. */
  readonly #keys = new Recent<string, true>(LIMITS.heldMemo.value);
  /** Of clients that do not say in a call which use of the tool it is: the latest equal one that nothing followed. */
  readonly #equal = new Recent<string, Noted>(LIMITS.heldMemo.value);

  /** A hook let a call go. */
  note(key: string, { tool, toolUseId, input }: ToolCall, call: CallId): void {
    const name = OFFERED.exec(tool)?.[1];
    if (name === undefined) return;
    const noted = { call, isTaken: false };
    this.#keys.set(key, true);
    this.#named.set(`${key}/${toolUseId}`, noted);
    this.#equal.set(equalOf(key, name, input), noted);
  }

  /** The hook's call that this one is the act of. */
  take(key: string, name: string, input: JsonRecord, use: string | undefined): CallId | undefined {
    if (!this.#keys.has(key)) return undefined;
    const noted =
      (use === undefined ? undefined : this.#named.get(`${key}/${use}`)) ??
      this.#equal.get(equalOf(key, name, input));
    if (!noted || noted.isTaken) return undefined;
    noted.isTaken = true;
    return noted.call;
  }
}

const equalOf = (key: string, name: string, input: JsonRecord): string =>
  `${key}/${sha256Hex(canonicalJson({ name, input }))}`;
