// How the bench says what it found: tables for people on standard output, progress on standard error.
import { cpus, totalmem } from 'node:os';
import type { Databases } from './databases.ts';
import { median } from './load.ts';

/** What a measurement runs on. */
export interface Machine {
  databases: Databases;
  /** The one the server is kept on; null: any. */
  processor: number | null;
  /** Undone in reverse order when the bench ends. */
  stops: (() => Promise<void>)[];
}

export const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** The machine in general words. */
export const machineWords = (postgresql: string): string =>
  `${cpus().length} processors, ${Math.round(totalmem() / 2 ** 30)} GB, ${process.platform} ${process.arch}, Node ${process.versions.node}, PostgreSQL ${postgresql}`;

export function number(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  return value >= 10 ** (digits - 1) ? value.toFixed(0) : Number(value.toPrecision(digits)).toString();
}

/** A table in Markdown, numbers to the right. */
export function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  const widths = head.map((name, at) => Math.max(3, name.length, ...body.map((row) => row[at]?.length ?? 0)));
  const right = (at: number) => body.every((row) => !/^[A-Za-z]/.test(row[at] ?? ''));
  const line = (row: readonly string[]) =>
    `| ${widths.map((wide, at) => (right(at) ? (row[at] ?? '').padStart(wide) : (row[at] ?? '').padEnd(wide))).join(' | ')} |`;
  const rule = `|${widths.map((wide, at) => (right(at) ? `${'-'.repeat(wide + 1)}:` : '-'.repeat(wide + 2))).join('|')}|`;
  return [line(head), rule, ...body.map(line)].join('\n');
}

/** Median, least and most of paired ratios. */
export interface Ratio {
  median: number;
  least: number;
  most: number;
}

export function ratio(over: readonly (number | null)[], under: readonly (number | null)[]): Ratio | null {
  const pairs = over.flatMap((value, at) => {
    const below = under[at];
    return value === null || below === null || below === undefined || below === 0 ? [] : [value / below];
  });
  if (pairs.length === 0) return null;
  return { median: median(pairs), least: Math.min(...pairs), most: Math.max(...pairs) };
}

export const ratioWords = (one: Ratio | null): string =>
  one === null ? '–' : `${one.median.toFixed(2)} (${one.least.toFixed(2)}–${one.most.toFixed(2)})`;
