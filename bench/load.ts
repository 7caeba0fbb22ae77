// Runs lanes (one connection each) for a while, and says what that took.
import { processorOf } from './processes.ts';

/** One operation; rejects when the answer was not the right one. */
export type Lane = () => Promise<unknown>;

export interface Sample {
  operations: number;
  /** Per second. */
  rate: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  errors: number;
  /** Milliseconds of processor per operation; null where it cannot be read. */
  server: number | null;
  database: number | null;
  /** Share of its processor that the driver was busy: near 1 the driver is the limit. */
  driver: number;
  firstError: string | null;
}

export interface Watched {
  server: number | null;
  postmaster: number | null;
}

/** After so many failures in a row a lane is given up: something is broken, not slow. */
const HOPELESS = 20;

const rank = (sorted: Float64Array, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

const per = (before: number | null, after: number | null, operations: number): number | null =>
  before === null || after === null || operations === 0 ? null : (after - before) / operations;

export async function load(lanes: readonly Lane[], seconds: number, watched: Watched): Promise<Sample> {
  const times: number[] = [];
  let errors = 0;
  let firstError: string | null = null;
  const [server, database] = [processorOf(watched.server), processorOf(watched.postmaster)];
  const driver = process.cpuUsage();
  const begin = performance.now();
  const end = begin + seconds * 1000;

  async function drive(lane: Lane): Promise<void> {
    for (let inRow = 0, at = performance.now(); at < end && inRow < HOPELESS; ) {
      try {
        await lane();
        inRow = 0;
        const now = performance.now();
        times.push(now - at);
        at = now;
      } catch (error) {
        errors++;
        inRow++;
        firstError ??= (error as Error).message;
        at = performance.now();
      }
    }
  }
  await Promise.all(lanes.map(drive));

  const took = performance.now() - begin;
  const { user, system } = process.cpuUsage(driver);
  const sorted = Float64Array.from(times).sort();
  const operations = sorted.length;
  return {
    operations,
    rate: (operations * 1000) / took,
    p50: rank(sorted, 0.5),
    p99: rank(sorted, 0.99),
    errors,
    server: per(server, processorOf(watched.server), operations),
    database: per(database, processorOf(watched.postmaster), operations),
    driver: (user + system) / 1000 / took,
    firstError,
  };
}

/** Does something `rate` times per second whatever the answers take; a turn nobody is free for is missed. */
export async function pace(lanes: readonly Lane[], rate: number, seconds: number) {
  const times: number[] = [];
  const free = [...lanes];
  const running: Promise<void>[] = [];
  let missed = 0;
  let errors = 0;
  const begin = performance.now();
  for (let turn = 0; turn < rate * seconds; turn++) {
    const wait = begin + (turn * 1000) / rate - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const lane = free.pop();
    if (!lane) {
      missed++;
      continue;
    }
    const started = performance.now();
    running.push(
      lane().then(
        () => {
          times.push(performance.now() - started);
          free.push(lane);
        },
        () => {
          errors++;
          free.push(lane);
        },
      ),
    );
  }
  await Promise.all(running);
  const sorted = Float64Array.from(times).sort();
  const took = (performance.now() - begin) / 1000;
  return { rate: sorted.length / took, p50: rank(sorted, 0.5), p99: rank(sorted, 0.99), errors, missed };
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
};
