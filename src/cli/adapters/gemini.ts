import type { ClientAdapter } from './adapter.ts';

/**
 * Gemini CLI speaks generateContent alone, which mezz does not serve yet: started as an agent it would fail, or call
 * Google past the gate. It has hooks (BeforeTool, by settings.json alone); they are used once its model calls can be.
 */
export const gemini: ClientAdapter = {
  client: 'gemini',
  program: 'gemini',
  hooks: false,
  unserved: {
    message:
      'mezz does not serve Gemini CLI yet: it speaks generateContent, and its model calls would go to Google past the gate',
    remedy:
      'mezz run --client generic -- gemini runs it all the same, unseen: mezz then knows its process and nothing else of it',
  },
  prepare: (_launch, command) => ({ command, env: {}, files: [], notes: [] }),
};
