/**
 * Backends are tried once they are there: each of one's own that was not tried at its address, by three short answers of
 * an agent of its own in each of Chat and Messages that it speaks, decided, scheduled and recorded as all are. Never one
 * that charges for tokens, the lab, or one that does not answer: that is tried when it is met again.
 */
import type { BackendTrial, BackendView, PreemptionView } from '../../base/models.ts';
import type { ControlClient } from '../../sdk/client.ts';
import { LIMITS } from '../limits.ts';
import { tryBackend } from './trial.ts';

/** The first model by name that goes to this backend. */
export async function modelAt(control: ControlClient, id: string): Promise<string | undefined> {
  const { models } = await control.call('models', {});
  return models.find(({ name, backends }) => backends[0] === id && !name.includes('*'))?.name;
}

/** Tries one backend with this model and keeps what came of it; undefined where no agent may be opened. */
export async function probe(
  control: ControlClient,
  { id, dialects }: BackendView,
  model: string,
): Promise<{ readonly trial: BackendTrial; readonly preemption: PreemptionView } | undefined> {
  const opened = { name: 'trial', client: 'mezz', cwd: process.cwd(), hooks: false };
  const [launch] = (await control.call('agent.open', opened)).launches;
  if (!launch) return undefined;
  try {
    const url = `${launch.origin}/a/${launch.token}`;
    const messages = dialects.includes('anthropic') ? await tryBackend(url, model, 'anthropic') : undefined;
    // What speaks neither is asked in Chat, translated.
    const isOnlyMessages = messages && !dialects.includes('openai-chat');
    const chat = isOnlyMessages ? NOT_CHAT : await tryBackend(url, model, 'openai-chat');
    const trial: BackendTrial = { ...chat, ...(messages ? { messages } : {}) };
    return { trial, ...(await control.call('backend.tried', { backend: id, trial })) };
  } finally {
    await control.call('agent.exited', { agent: String(launch.pid), exitCode: 0, signal: null });
  }
}

const NOT_CHAT: BackendTrial = { outcome: 'no-answer', promptTokens: null, cachedTokens: null };

/** Tries what was not tried yet, one after the other; what is known of each that was. */
export async function probeNew(control: ControlClient): Promise<BackendView[]> {
  const { backends } = await control.call('backends', {});
  const tried: BackendView[] = [];
  for (const backend of backends) {
    const { credential, label, ready, preemption } = backend;
    if (credential !== 'local' || label !== null || !ready) continue;
    if (preemption.triedAt !== null || preemption.level === 'G5' || !(await answers(backend))) continue;
    const model = await modelAt(control, backend.id);
    const probed = model === undefined ? undefined : await probe(control, backend, model);
    if (probed) tried.push({ ...backend, preemption: probed.preemption });
  }
  return tried;
}

const answers = ({ url }: BackendView): Promise<boolean> =>
  fetch(`${url}/models`, { signal: AbortSignal.timeout(LIMITS.engineMs.value) }).then(
    async (response) => {
      await response.body?.cancel();
      return true;
    },
    () => false,
  );

export const levelText = ({ level, allows }: PreemptionView): string =>
  level === allows ? level : `${level} (allows ${allows})`;

/** What a trial came to, in a line. */
export const triedText = ({ id, preemption }: BackendView): string =>
  `${id} was tried: ${levelText(preemption)}: ${preemption.why}`;
