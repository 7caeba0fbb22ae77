// What commands share: how they are declared, how results and failures are written, how a password is read.
// A password is never an argument: those are seen by everyone on the machine and stay in the shell's history
// (ASVS 13.3.1). Failures show no stack, and what is not known to be safe to show goes through the log's redaction.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { type Command, Option } from 'commander';
import { Problem } from '../lib/problems.ts';

/** What a command found or did. */
export interface Result {
  json: unknown;
  /** Lines for people. */
  text: string;
  exitCode?: 1;
}

/** The command was not asked for properly; exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Ctrl-C at a prompt; exit code 130, as shells know it. */
class Interrupted extends Error {}

/** Declares a command below `parent`; its action is made by `prints`. */
export const command = (parent: Command, usage: string, says: string): Command =>
  parent.command(usage).description(says).option('--json', 'print the result as JSON');

/** A command that only has commands. Alone it is a question. */
export const group = (parent: Command, name: string, says: string): Command =>
  parent.command(name).description(says);

/** May be given again and again. A list of values behind one flag would swallow the name that follows. */
export const several = (flag: string, says: string) =>
  new Option(flag, says).argParser((value: string, before: string[] = []) => [...before, value]);

/** The action of a command: prints what `work` returns. */
export function prints<A extends unknown[]>(work: (...args: A) => Promise<Result>) {
  return async function (this: Command, ...args: A): Promise<void> {
    const { json, text, exitCode } = await work(...args);
    process.stdout.write(this.opts().json ? `${JSON.stringify(json, null, 2)}\n` : `${text}\n`);
    if (exitCode) process.exitCode = exitCode;
  };
}

/** Without what a terminal would obey or reorder: names are chosen by people. */
const plain = (text: string) => text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '');

/** Rows under their headings, in columns. */
export function table(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  none: string,
): string {
  if (rows.length === 0) return none;
  const lines = [headings, ...rows.map((row) => row.map(plain))];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Names and values, one pair a line. */
export function facts(pairs: Readonly<Record<string, string>>): string {
  const wide = Math.max(...Object.keys(pairs).map((name) => name.length));
  return Object.entries(pairs)
    .map(([name, value]) => `${name.padEnd(wide)}  ${plain(value)}`.trimEnd())
    .join('\n');
}

/** `2026-11-20 13:45` in UTC; a dash where there is none. */
export const minute = (at: Date | null): string =>
  at === null ? '-' : at.toISOString().slice(0, 16).replace('T', ' ');

/** Settings as facts: lists in one line, what is not set as `default`. */
export const asFacts = (json: object): Record<string, string> =>
  Object.fromEntries(
    Object.entries(json).map(([name, value]) => [
      name,
      Array.isArray(value)
        ? value.join(' ') || '-'
        : value instanceof Date
          ? minute(value)
          : String(value ?? 'default'),
    ]),
  );

const SENTENCES: ReadonlySet<string> = new Set([
  'Problem',
  'SettingsError',
  'EmbeddedError',
  'DatabaseError',
  'SmtpError',
  'UsageError',
]);

/** As the log would write it, without credentials and bound values. */
async function redacted(error: unknown): Promise<{ type: string; message: string }> {
  const { createLog } = await import('../lib/log.ts');
  let line = '{}';
  const keep = (text: string) => {
    line = text;
  };
  createLog({ level: 'error', format: 'json' }, { write: keep }).error({
    err: error instanceof Error ? error : new Error(String(error)),
  });
  const { err } = JSON.parse(line) as { err?: { type?: string; message?: string } };
  return { type: err?.type ?? 'Error', message: err?.message ?? 'unknown fault' };
}

async function sentenceOf(error: unknown): Promise<string> {
  if (error instanceof Error && SENTENCES.has(error.name)) return error.message;
  const { faultCode, isUnavailable } = await import('../../drizzle/database.ts');
  const code = faultCode(error) ?? '';
  if (isUnavailable(error)) {
    return `The database is not available (${code}). Check that it runs and what DATABASE_URL says; gatehouse doctor looks closer.`;
  }
  const { type, message } = await redacted(error);
  if (/^[0-9A-Z]{5}$/.test(code)) return `The database refuses: ${message} (${code}).`;
  return type === 'Error' ? message : `${type}: ${message}`;
}

/** What to write to standard error: sentences, or with `json` one JSON value. */
export async function describeFailure(
  error: unknown,
  json: boolean,
): Promise<{ text: string; exitCode: number }> {
  if (error instanceof Interrupted) return { text: '', exitCode: 130 };
  const message = await sentenceOf(error);
  const { code, details } = error instanceof Problem ? error : { code: undefined, details: undefined };
  const exitCode = error instanceof UsageError ? 2 : 1;
  if (json) return { text: `${JSON.stringify({ error: { code, message, details } })}\n`, exitCode };
  const faults = Object.entries(details ?? {});
  // The sentence holds a single one already.
  const more = (faults.length > 1 ? faults : []).map(([name, fault]) => `  ${plain(name)} ${plain(fault)}\n`);
  return { text: `${message}\n${more.join('')}`, exitCode };
}

const LONGEST = 64 * 1024;

async function pipedInput(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > LONGEST) throw new Problem('password.tooLong');
  }
  return Buffer.concat(chunks);
}

async function typedUnseen(question: string): Promise<string> {
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
  process.stderr.write(question);
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once('close', () => reject(new Interrupted()));
      lines.question('', resolve);
    });
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}

function decoded(bytes: Buffer, from: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes).replace(/\r?\n$/, '');
  } catch {
    throw new UsageError(`The password from ${from} is not UTF-8 text.`);
  }
}

function passwordFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(`The password file ${path} cannot be read (${code}).`);
  }
}

/** From the file, else from standard input, at a terminal asked for twice and not shown. One line break at its end is not part of it. */
export async function readPassword(file: string | undefined): Promise<string> {
  if (file === undefined && process.stdin.isTTY) {
    const password = await typedUnseen('Password: ');
    if (password !== (await typedUnseen('Once more: '))) throw new Problem('password.mismatch');
    return password;
  }
  const password =
    file === undefined
      ? decoded(await pipedInput(), 'standard input')
      : decoded(passwordFile(file), `the file ${file}`);
  if (password === '') {
    throw new UsageError('There is no password: give --password-file, or write it to standard input.');
  }
  return password;
}
