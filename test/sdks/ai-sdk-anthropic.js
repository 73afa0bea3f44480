import { anthropic } from '@ai-sdk/anthropic';
import { runAiSdk } from './ai-sdk.js';

await runAiSdk({ model: (name) => anthropic(name) });
