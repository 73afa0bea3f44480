import type { CacheView } from '../base/models.ts';
import { formatUsd, type NanoUsd, type Usage } from '../base/usage.ts';
import { UsageFailure } from './exit.ts';

/** "3s", "12m", "5h", "3d": the largest unit alone. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (ms < 1000) return `${Math.max(0, Math.round(ms))}ms`;
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** "2m ago", or "-" for never. */
export const formatAge = (atMs: number | null, nowMs: number): string =>
  atMs === null ? '-' : `${formatDuration(nowMs - atMs)} ago`;

/** Local time of day, and the date when it is not today's. */
export function formatTime(atMs: number, nowMs: number): string {
  const pad = (value: number) => String(value).padStart(2, '0');
  const at = new Date(atMs);
  const day = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
  return new Date(nowMs).toDateString() === at.toDateString() ? time : `${day} ${time}`;
}

/** "950", "12.3k", "4.6M". */
export function formatCount(count: number): string {
  if (count < 1000) return String(count);
  if (count < 999_950) return `${(count / 1000).toFixed(1)}k`;
  return `${(count / 1e6).toFixed(1)}M`;
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** "in/out" tokens; cached input counts as input here. */
export const formatUsage = (usage: Usage | null): string =>
  usage === null
    ? '-'
    : `${formatCount(usage.input + usage.cacheRead + usage.cacheWrite)}/${formatCount(usage.output)}`;

export const formatMoney = (nano: NanoUsd | null): string => (nano === null ? '-' : formatUsd(nano));

/** An amount of what a limit counts. */
export const formatAmount = (dimension: string, amount: number): string =>
  dimension === 'usd' ? formatMoney(amount) : dimension === 'share' ? `${amount} %` : formatCount(amount);

/** "5", "5usd", "$5", "0.50 usd" -> nano-dollars. */
export function parseMoney(text: string): NanoUsd {
  const match = /^\$?\s*(\d+(?:\.\d{1,9})?)\s*(?:usd|\$)?$/i.exec(text.trim());
  if (!match) throw new UsageFailure(`"${text}" is not an amount of money`, 'write it as 5usd, $5 or 0.50');
  return Math.round(Number(match[1]) * 1e9);
}

/** "500", "20k", "1.5M" -> a whole number. */
export function parseCount(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]?)$/i.exec(text.trim());
  if (!match) throw new UsageFailure(`"${text}" is not a count`, 'write it as 500, 20k or 1.5M');
  const factor = { '': 1, k: 1e3, m: 1e6, g: 1e9 }[(match[2] ?? '').toLowerCase()] ?? 1;
  return Math.round(Number(match[1]) * factor);
}

/** "500ms", "90s", "15m", "2h", "7d" -> ms. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/.exec(text.trim());
  if (!match) throw new UsageFailure(`"${text}" is not a duration`, 'write it as 90s, 15m, 2h or 7d');
  const unit = { ms: 1, s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7, w: 6.048e8 }[match[2] as 'ms'];
  return Number(match[1]) * unit;
}

/** "2h" ago, "today", or a date -> ms since 1970. */
export function parseSince(text: string, nowMs: number): number {
  if (text === 'today') return new Date(nowMs).setHours(0, 0, 0, 0);
  if (/^\d+(?:\.\d+)?(ms|s|m|h|d|w)$/.test(text)) return nowMs - parseDuration(text);
  const at = Date.parse(text);
  if (Number.isNaN(at))
    throw new UsageFailure(`"${text}" is not a time`, 'write it as 2h, today, or 2026-11-24T10:00');
  return at;
}

/** "10GB", "500 MB", "1kB" -> bytes. */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)b?$/i.exec(text.trim());
  if (!match) throw new UsageFailure(`"${text}" is not a size`, 'write it as 500MB or 10GB');
  const factor = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 }[(match[2] ?? '').toLowerCase()] ?? 1;
  return Math.round(Number(match[1]) * factor);
}

/** A whole number between two bounds. */
export const parseInteger = (lowest: number, highest: number) => (text: string) => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < lowest || value > highest)
    throw new UsageFailure(`"${text}" is not a whole number from ${lowest} to ${highest}`);
  return value;
};

/** What a backend's cache of prefixes holds and who wants it, in a line. */
export function cacheText({ windowTokens, learned, turns, tokens, found }: CacheView): string {
  const wants = `${turns} open ${turns === 1 ? 'turn wants' : 'turns want'} ${formatCount(tokens)} tokens`;
  const holds =
    windowTokens === null
      ? 'it lost nothing that mattered yet'
      : `it should hold ${formatCount(windowTokens)}${learned ? ' (learned)' : ''}`;
  return `${wants}, ${holds}${found === null ? '' : `; ${Math.round(100 * found)} % of prefixes found lately`}`;
}
