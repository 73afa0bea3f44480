/** Asking the engine in every dialect, and without mezz. */
import assert from 'node:assert/strict';
import { isRecord, type Json, type JsonRecord, parseJson } from '../../src/base/json.ts';
import type { NeutralDialect } from '../../src/base/model.ts';
import { collectAnswer } from '../../src/wire/collect.ts';
import type { NeutralAnswer } from '../../src/wire/neutral.ts';
import { DIALECTS } from '../../src/wire/registry.ts';
import { SseSplitter } from '../../src/wire/sse.ts';
import { CODECS } from '../../src/wire/translate.ts';
import type { Reply } from '../kernel.ts';

export const PATHS: Readonly<Record<NeutralDialect, string>> = {
  anthropic: '/v1/messages',
  'openai-chat': '/v1/chat/completions',
  'openai-responses': '/v1/responses',
};
export const SPOKEN = Object.keys(PATHS) as NeutralDialect[];

/** One question in each dialect, answered greedily in at most `most` tokens. */
export function asking(
  dialect: NeutralDialect,
  text: string,
  most: number,
  more: JsonRecord = {},
): JsonRecord {
  const user = [{ role: 'user', content: text }];
  const shared = { temperature: 0, ...more };
  if (dialect === 'anthropic') return { ...shared, max_tokens: most, messages: user };
  if (dialect === 'openai-chat') return { ...shared, max_completion_tokens: most, messages: user };
  return { ...shared, max_output_tokens: most, input: user };
}

/** A tool that must be called, as each dialect says it. */
export function callable(dialect: NeutralDialect, name: string, schema: Json): JsonRecord {
  if (dialect === 'anthropic')
    return { tools: [{ name, input_schema: schema }], tool_choice: { type: 'any' } };
  if (dialect === 'openai-chat')
    return { tools: [{ type: 'function', function: { name, parameters: schema } }], tool_choice: 'required' };
  return { tools: [{ type: 'function', name, parameters: schema }], tool_choice: 'required' };
}

/** The answer as it reached the client, whole or from a stream that kept its dialect's rules. */
export function answerOf(dialect: NeutralDialect, { status, body }: Reply, stream: boolean): NeutralAnswer {
  assert.equal(status, 200, body.toString());
  if (!stream) {
    const answer = CODECS[dialect].decodeAnswer(parseJson(body.toString()) as JsonRecord);
    assert.ok(answer, body.toString());
    return answer;
  }
  const machine = DIALECTS[dialect].newStream();
  machine.push(body);
  assert.equal(machine.finish().kind, 'complete', body.toString());
  const decoder = CODECS[dialect].newDecoder();
  return collectAnswer(new SseSplitter().push(body).flatMap((event) => decoder.event(event)));
}

export const textOf = ({ parts }: NeutralAnswer): string =>
  parts.map((part) => (part.kind === 'text' ? part.text : '')).join('');
export const errorOf = ({ body }: Reply): string => {
  const answer = parseJson(body.toString());
  assert.ok(isRecord(answer) && isRecord(answer.error), body.toString());
  return String(answer.error.message);
};

/** What the engine says by itself, asked in this process without mezz. */
export async function withoutMezz(
  path: string,
  windowTokens: number,
  questions: readonly string[],
  most: number,
): Promise<string[]> {
  const { getLlama, LlamaChat, LlamaLogLevel } = await import('node-llama-cpp');
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    progressLogs: false,
    maxThreads: 1,
    logLevel: LlamaLogLevel.error,
  });
  const model = await llama.loadModel({ modelPath: path });
  const context = await model.createContext({ contextSize: windowTokens, threads: 1 });
  const chat = new LlamaChat({ contextSequence: context.getSequence() });
  const answers: string[] = [];
  for (const question of questions) {
    const asked = { type: 'user', text: question } as const;
    const { response } = await chat.generateResponse([asked, { type: 'model', response: [] }], {
      temperature: 0,
      maxTokens: most,
      repeatPenalty: false,
    });
    answers.push(response);
  }
  await llama.dispose();
  return answers;
}

/** Chat reports no usage of a stream unless it is asked. */
export const usageAsked = (dialect: NeutralDialect, stream: boolean): JsonRecord =>
  dialect === 'openai-chat' && stream ? { stream_options: { include_usage: true } } : {};
