/**
 * Loaded before everything else in a process: its clock and its timers run MEZZ_BENCH_SCALE times as fast, so that all
 * of a kernel's settings and limits mean what they say in the time of the benchmark.
 */
const scale = Number(process.env.MEZZ_BENCH_SCALE ?? 1);
const startedAt = Date.now();
const from = performance.now();
Date.now = () => Math.round(startedAt + (performance.now() - from) * scale);

const { setTimeout: wait, setInterval: repeat } = globalThis;
const faster = (timer: (task: () => void, delayMs: number) => NodeJS.Timeout) =>
  ((task: (...args: unknown[]) => void, delayMs = 0, ...args: unknown[]) =>
    timer(() => task(...args), delayMs / scale)) as unknown;
globalThis.setTimeout = Object.assign(faster(wait) as typeof setTimeout, wait);
globalThis.setInterval = faster(repeat) as typeof setInterval;
