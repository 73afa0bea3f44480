import type { Question } from './condition.ts';

const BROKER = 'the tool broker: hooked tool calls are decided and recorded, but not ordered among agents';

export const TOOLS: Question = {
  number: 3,
  text: 'Two agents call one tool with conflicting demands: what resolves it?',
  conditions: [
    { id: '3a', text: 'something resolves it', missing: BROKER },
    { id: '3b', text: 'each caller is told how', missing: BROKER },
    { id: '3c', text: 'a write round the mediator is noticed', missing: BROKER },
  ],
};
