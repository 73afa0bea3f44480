/**
 * Sealed thoughts of one provider on their way through a client of another dialect: they travel in the member where
 * that dialect keeps a seal of its own, and go back with the client's next request. A client may write anything there:
 * only an item that is a thought is ever taken out.
 */
import { isRecord, type JsonRecord, parseJson } from '../base/json.ts';
import type { Sealed } from './neutral.ts';

/**
 * What begins so is no signature and no ciphertext of any provider. Its first byte is one that hardly occurs: every
 * request is searched for it.
 */
export const SEAL_MARK = '~mezz-seal:';

export const seal = (sealed: Sealed): string =>
  `${SEAL_MARK}${Buffer.from(JSON.stringify(sealed)).toString('base64')}`;

export const isSeal = (text: string): boolean => text.startsWith(SEAL_MARK);

/** undefined where there is none, or none that may be believed. */
export function openSeal(text: string): Sealed | undefined {
  if (!isSeal(text)) return undefined;
  const value = parseJson(Buffer.from(text.slice(SEAL_MARK.length), 'base64').toString('utf8'));
  if (!isRecord(value) || !isRecord(value.item)) return undefined;
  const { dialect, item } = value;
  switch (dialect) {
    case 'openai-responses':
      return isReasoning(item) ? { dialect, item } : undefined;
    case 'anthropic':
      return item.type === 'thinking' || item.type === 'redacted_thinking' ? { dialect, item } : undefined;
    case 'openai-chat':
      return THOUGHT_MEMBERS.some((name) => item.member === name) ? { dialect, item } : undefined;
    default:
      return undefined;
  }
}

const isReasoning = (item: JsonRecord): boolean =>
  item.type === 'reasoning' && typeof item.encrypted_content === 'string';

/** Engines that show their thoughts in Chat put them beside the content, under one of these names. */
export const THOUGHT_MEMBERS = ['reasoning_content', 'reasoning'] as const;
