// Accounts from a file of another system. Running it again after it was cut short does the rest.
import { closeSync, createReadStream, openSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { extname } from 'node:path';
import { type Command, Option } from 'commander';
import { FORMATS, type Format, importAccounts, MOST_ROWS, type Outcome } from '../accounts/import.ts';
import { withStore } from './open.ts';
import { command, prints, type Result, UsageError } from './terminal.ts';

interface ImportCommand {
  format?: Format;
  dryRun?: true;
  report?: string;
  batch: string;
}

const ENDINGS: Readonly<Record<string, Format>> = { '.csv': 'csv', '.ndjson': 'ndjson', '.jsonl': 'ndjson' };

function formatOf(file: string, given: Format | undefined): Format {
  const format = given ?? ENDINGS[extname(file).toLowerCase()];
  if (!format)
    throw new UsageError('The name does not say what it is: give --format ndjson or --format csv.');
  return format;
}

async function inputOf(file: string): Promise<AsyncIterable<Buffer>> {
  if (file === '-') return process.stdin;
  try {
    const handle = await open(file);
    if ((await handle.stat()).isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    return createReadStream('', { fd: handle });
  } catch (error) {
    throw new UsageError(`The file ${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

/** Lines of JSON in a file of its own, which nobody else may read. An older report is not written over. */
function reportTo(path: string | undefined): { write(outcome: Outcome): void; close(): void } {
  if (path === undefined) return { write: () => {}, close: () => {} };
  try {
    const file = openSync(path, 'wx', 0o600);
    return {
      write: (outcome) => void writeSync(file, `${JSON.stringify(outcome)}\n`),
      close: () => closeSync(file),
    };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(
      code === 'EEXIST'
        ? `The report ${path} is there already: name another file.`
        : `The report ${path} cannot be written (${code}).`,
    );
  }
}

/** So many refused rows are shown; the report has all of them. */
const SHOWN = 20;

async function importFile(file: string, options: ImportCommand): Promise<Result> {
  const batch = Number(options.batch);
  if (!/^\d{1,4}$/.test(options.batch) || batch < 1 || batch > MOST_ROWS) {
    throw new UsageError(`--batch takes a number from 1 to ${MOST_ROWS}.`);
  }
  const format = formatOf(file, options.format);
  const input = await inputOf(file);
  const report = reportTo(options.report);
  const dryRun = options.dryRun === true;
  const refused: Outcome[] = [];
  const note = (outcome: Outcome) => {
    report.write(outcome);
    if (outcome.status === 'refused' && refused.length < SHOWN) refused.push(outcome);
  };
  try {
    const counts = await withStore((op) =>
      importAccounts(op, input, { format, batch, dryRun, report: note }),
    );
    const more = counts.refused - refused.length;
    return {
      json: { ...counts, dryRun, refusedRows: refused },
      text: [
        `${dryRun ? 'Nothing was written. Would be created' : 'Created'}: ${counts.created}. There already: ${counts.exists}. Refused: ${counts.refused}.`,
        ...refused.map(({ line, code, message }) => `  line ${line}: ${message} (${code})`),
        ...(more > 0
          ? [`  and ${more} more${options.report ? '' : '; give --report <file> to have them all'}`]
          : []),
      ].join('\n'),
      ...(counts.refused > 0 ? { exitCode: 1 as const } : {}),
    };
  } finally {
    report.close();
  }
}

export function add(program: Command): void {
  command(
    program,
    'import <file>',
    'Makes accounts from a file of another system, with the hashes of their passwords (docs/migrate.md); `-` is standard input. Accounts that are there already stay as they are, so it can be run again. Exit code 1: rows were refused.',
  )
    .addOption(new Option('--format <format>', 'else the name’s ending says it').choices(FORMATS))
    .option('--dry-run', 'judge every row and write nothing')
    .option(
      '--report <file>',
      'write what became of each row as lines of JSON: line, status (created, exists, refused), id, code, message',
    )
    .option('--batch <rows>', 'rows in one transaction', '200')
    .action(prints(importFile));
}
