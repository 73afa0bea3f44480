/**
 * sdk/ owns how a program talks to the kernel: where its socket is and how a verb travels.
 * Invariant: it imports the protocol (base/) and Node, nothing of the kernel, so that clients start fast.
 * It must not know: what a verb's answer looks like on a screen, or how the kernel is started.
 */
import type { VerbName, VerbRequest, VerbResponse } from '../base/control.ts';
import { refusal } from '../base/errors.ts';
import { isRecord, parseJson } from '../base/json.ts';
import { ControlFailure, kernelUnreachable } from './failure.ts';
import { controlSocketPath, stateDirectory } from './home.ts';
import { LIMITS } from './limits.ts';

// Not imported: an ES import of node:http reads all it exports, and one of them loads a second HTTP client (45 ms).
const { request: httpRequest } = process.getBuiltinModule('node:http');

/** An answer as it came: the verb's response and the name of its shape (`mezz.ps/1`). */
export type Answer<V extends VerbName> = VerbResponse<V> & { readonly schema: string };

export interface CallOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const LONG_VERBS: ReadonlySet<VerbName> = new Set<VerbName>([
  'audit.verify',
  'backup',
  'doctor',
  'du',
  'export',
  'forget',
  'fsck',
  'gc',
  'policy.test',
]);

export class ControlClient {
  readonly stateDir: string;
  readonly socketPath: string;

  constructor(stateDir: string = stateDirectory()) {
    this.stateDir = stateDir;
    this.socketPath = controlSocketPath(stateDir);
  }

  /**
   * Asks the kernel to do one verb. Throws `ControlFailure` when it refuses (with its rule and remedy) or when no
   * kernel answers (exit code 7).
   */
  async call<V extends VerbName>(
    verb: V,
    request: VerbRequest<V>,
    options: CallOptions = {},
  ): Promise<Answer<V>> {
    const limit = LONG_VERBS.has(verb) ? LIMITS.controlLongTimeoutMs : LIMITS.controlTimeoutMs;
    const { status, text } = await this.#exchange(verb, JSON.stringify(request), {
      timeoutMs: limit.value,
      ...options,
    });
    const answer = parseJson(text);
    if (status === 200 && isRecord(answer)) return answer as unknown as Answer<V>;
    const error = isRecord(answer) && isRecord(answer.error) ? answer.error : undefined;
    if (error && typeof error.code === 'string' && typeof error.message === 'string')
      throw new ControlFailure(error as unknown as ControlFailure['refusal']);
    throw new ControlFailure(
      refusal('upstream_malformed', `The kernel's answer to ${verb} cannot be read (status ${status}).`, {
        remedy: 'mezz version: the command line and the running kernel may differ; mezz down, then mezz up',
      }),
    );
  }

  /** Does a kernel answer on this socket? */
  async isUp(timeoutMs = 1000): Promise<boolean> {
    try {
      await this.call('status', {}, { timeoutMs });
      return true;
    } catch {
      return false;
    }
  }

  #exchange(verb: string, body: string, options: CallOptions): Promise<{ status: number; text: string }> {
    if (Buffer.byteLength(this.socketPath) > LIMITS.socketPathBytes.value)
      return Promise.reject(
        kernelUnreachable(
          `The path of the control socket is longer than a unix socket allows: ${this.socketPath}`,
          'set MEZZ_HOME to a directory with a shorter path',
        ),
      );
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        {
          socketPath: this.socketPath,
          method: 'POST',
          path: `/v1/${verb}`,
          headers: {
            host: 'localhost',
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
            connection: 'close',
          },
          agent: false,
          ...(options.signal ? { signal: options.signal } : {}),
        },
        (response) => {
          const chunks: Buffer[] = [];
          let bytes = 0;
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length;
            if (bytes > LIMITS.controlResponseBytes.value)
              request.destroy(
                new Error(`the answer is larger than ${LIMITS.controlResponseBytes.value} bytes`),
              );
            else chunks.push(chunk);
          });
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
          );
          response.on('error', (error) => reject(this.#unanswered(error)));
        },
      );
      request.setTimeout(options.timeoutMs ?? 0, () =>
        request.destroy(new Error(`no answer in ${(options.timeoutMs ?? 0) / 1000} s`)),
      );
      request.on('error', (error) => reject(this.#unanswered(error)));
      request.end(body);
    });
  }

  #unanswered(error: NodeJS.ErrnoException): ControlFailure {
    if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED')
      return kernelUnreachable(`No kernel is running (state directory ${this.stateDir}).`);
    if (error.code === 'EACCES' || error.code === 'EPERM')
      return kernelUnreachable(
        `The control socket belongs to another user: ${this.socketPath}`,
        'set MEZZ_HOME to a directory of your own, or ask its owner',
      );
    return kernelUnreachable(`The kernel did not answer: ${error.message}`, 'mezz status');
  }
}
