// Rows of a file of accounts, NDJSON or CSV (RFC 4180), one after the other in constant memory. What cannot be read is
// one bad row, never the end of the file.
// A row of CSV ends where its quotes say, however long it is: looking for the next line inside an open quote would let
// somebody who once chose a name with line breaks in the other system write rows of his own.
import { Problem } from '../lib/problems.ts';

export const FORMATS = ['ndjson', 'csv'] as const;
export type Format = (typeof FORMATS)[number];

export interface FileRow {
  /** Where it begins, from 1. */
  line: number;
  fields: Readonly<Record<string, unknown>> | Problem;
}

/** Bytes of one row. */
const LONGEST = 64 * 1024;
const [NEWLINE, QUOTE, COMMA] = [0x0a, 0x22, 0x2c];

interface Piece {
  line: number;
  /** Null where it is longer than a row may be. */
  bytes: Buffer | null;
}

/** Finds the line break that ends a row of CSV, over as many chunks as it takes; -1: not in this one. */
function endOfCsv(): (chunk: Buffer, from: number) => number {
  let state: 'start' | 'plain' | 'quoted' | 'quote' = 'start';
  return (chunk, from) => {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at];
      if (state === 'quoted') {
        if (byte === QUOTE) state = 'quote';
      } else if (byte === NEWLINE) {
        state = 'start';
        return at;
      } else if (byte === COMMA) state = 'start';
      else if (byte === QUOTE && state !== 'plain') state = 'quoted';
      else state = 'plain';
    }
    return -1;
  };
}

async function* pieces(input: AsyncIterable<Buffer>, format: Format): AsyncGenerator<Piece> {
  const endIn = format === 'csv' ? endOfCsv() : (chunk: Buffer, from: number) => chunk.indexOf(NEWLINE, from);
  let parts: Buffer[] = [];
  let length = 0;
  let [line, began] = [1, 1];
  const taken = (): Piece => ({ line: began, bytes: length > LONGEST ? null : Buffer.concat(parts, length) });
  for await (const chunk of input) {
    for (let from = 0; from < chunk.length; ) {
      const end = endIn(chunk, from);
      const part = chunk.subarray(from, end === -1 ? chunk.length : end);
      length += part.length;
      if (length > LONGEST) parts = [];
      else parts.push(part);
      for (let at = part.indexOf(NEWLINE); at !== -1; at = part.indexOf(NEWLINE, at + 1)) line++;
      if (end === -1) break;
      yield taken();
      line++;
      [parts, length, began, from] = [[], 0, line, end + 1];
    }
  }
  if (length > 0) yield taken();
}

const malformed = (message: string) => new Problem('import.rowMalformed', { message });
const TOO_LONG = malformed(
  `The row is longer than ${LONGEST / 1024} KiB. In CSV a quote that is never closed makes one row of all that follows.`,
);

/** UTF-8 without the line break's other half; null where it is none. */
function textOf(bytes: Buffer): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.endsWith('\r') ? text.slice(0, -1) : text;
  } catch {
    return null;
  }
}

/** The cells of one row. Null: a quote in an unquoted cell, or something behind a closing one. */
function cellsOf(text: string): string[] | null {
  const cells: string[] = [];
  for (let at = 0; ; ) {
    if (text[at] === '"') {
      let cell = '';
      for (at++; ; at += 2) {
        const quote = text.indexOf('"', at);
        if (quote === -1) return null;
        cell += text.slice(at, quote);
        at = quote;
        if (text[at + 1] !== '"') break;
        cell += '"';
      }
      cells.push(cell);
      at++;
    } else {
      const end = text.indexOf(',', at);
      const cell = text.slice(at, end === -1 ? text.length : end);
      if (cell.includes('"')) return null;
      cells.push(cell);
      at += cell.length;
    }
    if (at === text.length) return cells;
    if (text[at] !== ',') return null;
    at++;
  }
}

function jsonRow(text: string): FileRow['fields'] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return malformed('The row is no JSON. One object stands on each line.');
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : malformed('The row is no JSON object. One object stands on each line.');
}

function csvRow(text: string, header: readonly string[]): FileRow['fields'] {
  const cells = cellsOf(text);
  if (!cells) {
    return malformed(
      'The row’s quotes are wrong: a cell with a quote, comma or line break stands in quotes, the quotes in it doubled.',
    );
  }
  if (cells.length !== header.length) {
    return malformed(`The row has ${cells.length} cells, and the first line names ${header.length}.`);
  }
  // An empty cell is a field that was not given.
  return Object.fromEntries(header.map((name, at) => [name, cells[at]]).filter(([, cell]) => cell !== ''));
}

function headerOf(text: string | null, isField: (name: string) => string | null): string[] {
  const fault = (message: string) => new Problem('import.headerInvalid', { message });
  const names = text === null ? null : cellsOf(text)?.map((name) => name.trim());
  if (!names) throw fault('The first line cannot be read. It names the fields, with commas between.');
  if (names.length === 1 && /[;\t]/.test(names[0] as string)) {
    throw fault(
      'The first line has no comma. Fields are separated by commas, not by semicolons or tabulators.',
    );
  }
  for (const name of names) {
    const wrong = isField(name);
    if (wrong !== null) throw fault(`The first line: ${wrong}`);
  }
  if (new Set(names).size < names.length) throw fault('The first line names a field twice.');
  return names;
}

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * `isField` says what is wrong with the name of a column. Blank lines are left out. Throws import.headerInvalid and,
 * for a file in UTF-16, import.encodingUnknown.
 */
export async function* rowsOf(
  input: AsyncIterable<Buffer>,
  format: Format,
  isField: (name: string) => string | null,
): AsyncGenerator<FileRow> {
  let header: string[] | null = null;
  for await (const { line, bytes } of pieces(input, format)) {
    if (line === 1 && bytes && /^(?:\xff\xfe|\xfe\xff)/.test(bytes.toString('latin1', 0, 2))) {
      throw new Problem('import.encodingUnknown', { message: 'The file is UTF-16. Save it as UTF-8.' });
    }
    const marked = line === 1 && bytes?.subarray(0, 3).equals(BOM);
    const text = bytes && textOf(marked ? bytes.subarray(3) : bytes);
    if (text?.trim() === '') continue;
    if (format === 'csv' && header === null) {
      header = headerOf(text, isField);
      continue;
    }
    let fields: FileRow['fields'];
    if (bytes === null) fields = TOO_LONG;
    else if (text === null) fields = malformed('The row is not UTF-8 text.');
    else fields = header ? csvRow(text, header) : jsonRow(text);
    yield { line, fields };
  }
}
