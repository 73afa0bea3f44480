import { createHash } from 'node:crypto';
import { type LabReply, type LabRequest, labAnswer, lastWords, openScripted } from '../lab.ts';

/** A model call as it reached the model: the upstream's own view of what a product lets through, and when. */
export interface Arrival {
  /** SHA-256 of its body. */
  readonly digest: string;
  /** What its user said last. */
  readonly text: string;
  /** On the clock of this process. */
  readonly atMs: number;
}

/** The model behind every product that is tried: the lab, which keeps what arrived and answers when it is let. */
export interface Upstream {
  readonly origin: string;
  /** In order. */
  readonly arrivals: readonly Arrival[];
  /** From now on no answer leaves, until what is returned is called. */
  hold(): () => void;
  close(): Promise<void>;
}

/** What a model says to a request instead of the lab's own; undefined leaves it to the lab. */
export type Model = (request: LabRequest) => LabReply | undefined;

export async function openUpstream(model?: Model): Promise<Upstream> {
  const arrivals: Arrival[] = [];
  let held: Promise<void> | undefined;
  const lab = await openScripted((request) => {
    if (request.dialect === undefined) return undefined;
    const reply = model?.(request);
    if (reply) return reply;
    const digest = createHash('sha256').update(request.body).digest('hex');
    const place = arrivals.push({ digest, text: lastWords(request), atMs: performance.now() });
    return { ...labAnswer(request, `lab_${place}`), ...(held ? { hold: held } : {}) };
  });
  return {
    origin: lab.origin,
    arrivals,
    hold() {
      let release = () => {};
      held = new Promise((resolve) => {
        release = () => {
          held = undefined;
          resolve();
        };
      });
      return release;
    },
    close: () => lab.close(),
  };
}
