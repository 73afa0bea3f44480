/**
 * tour/ owns the story that the first start tells: the checklist's experiments, tried while it is told.
 * Invariant: what it shows has just happened on this machine, with the calls that show it, and what is not built it
 * calls not built; any key ends it, and so does its time. It must not know: how an experiment is made.
 */
import type { Evidence } from '../checklist/condition.ts';
import type { Room } from '../checklist/room.ts';
import { tryEngine } from './engine.ts';

/** One trouble of somebody who runs agents, and the conditions of the checklist that show what mezz does about it. */
export interface Chapter {
  readonly trouble: string;
  readonly scenes: readonly Scene[];
}
export interface Scene {
  /** The condition of the checklist that is tried, or a name for what the tour alone tries. */
  readonly id: string;
  readonly experiment?: (room: Room) => Promise<Evidence>;
  /** What is about to happen. */
  readonly told: string;
}

export const STORY: readonly Chapter[] = [
  {
    trouble: 'One agent floods the model, and the other stands still.',
    scenes: [
      { id: '1a', told: 'Two agents ask at once; there is one slot.' },
      { id: '1c', told: 'Again, and while one waits it is asked why:' },
      { id: '1b', told: 'The same calls under two policies, changed while mezz runs:' },
    ],
  },
  {
    trouble: 'A crash in the middle, and the work of an hour is gone.',
    scenes: [{ id: '2b', told: 'An agent is paused. Then its client is killed, and the kernel too:' }],
  },
  {
    trouble: 'Two agents write one file, and one of them loses.',
    scenes: [
      { id: '3a', told: 'Two agents edit one file at once:' },
      { id: '3b', told: 'Both have read a file, one replaces it, and then the other means to:' },
    ],
  },
  {
    trouble: 'An agent does what nobody wanted, and there is no brake.',
    scenes: [
      { id: '4a', told: 'A command is asked about before it runs; the kernel is killed behind its answer:' },
      {
        id: '4b',
        told: 'An agent is told to run rm -rf /, first plainly, then with a prompt that lifts all rules:',
      },
      { id: '4c', told: 'And does everything an agent does pass the gate? Two agents, counted:' },
    ],
  },
  {
    trouble: 'No key, no agent, nothing downloaded: nothing to begin with.',
    scenes: [
      {
        id: 'engine',
        told: 'A model of random weights is made, and run by the engine in mezz:',
        experiment: tryEngine,
      },
    ],
  },
  {
    trouble: 'What mezz is not.',
    scenes: [{ id: '5a', told: 'Nobody asked, but:' }],
  },
];
