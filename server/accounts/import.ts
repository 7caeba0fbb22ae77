// Accounts from another system, with the hashes of their passwords, so that people sign in as they did
// (docs/migrate.md). Rows are judged one by one, and what is right is made in transactions of some hundred. An address
// or id that is there already stays as it is and is reported, so a run that was cut short is simply run again. Nothing of a hash is
// ever repeated, and a password itself is not taken.
import { hash, randomUUIDv7 } from 'node:crypto';
import { inTransaction } from '../../drizzle/database.ts';
import { entry, write } from '../audit/audit.ts';
import { checkEmail, emailKey } from '../lib/email.ts';
import type { Op } from '../lib/op.ts';
import { Problem, type ProblemCode, problems } from '../lib/problems.ts';
import { rejectText } from '../lib/text.ts';
import { readForeign } from '../passwords/passwords.ts';
import { tidyName, UUID } from './accounts.ts';
import { checkClaims } from './claims.ts';
import { type FileRow, type Format, rowsOf } from './rows.ts';

export { FORMATS, type Format } from './rows.ts';

export interface Outcome {
  line: number;
  status: 'created' | 'exists' | 'refused';
  /** The account's, where one was made. Not in a dry run. */
  id?: string;
  code?: ProblemCode;
  message?: string;
}

export interface Counts {
  created: number;
  exists: number;
  refused: number;
}

interface ImportOptions {
  format: Format;
  /** Rows in one transaction, at most MOST_ROWS. */
  batch: number;
  /** Everything is judged and nothing written. */
  dryRun: boolean;
  /** Told in the order of the lines, after the transaction. */
  report(outcome: Outcome): void;
}

/** The audit trail takes so many events in one statement. */
export const MOST_ROWS = 1000;

interface ImportedAccount {
  line: number;
  id: string;
  givenId: boolean;
  email: string;
  email_key: string;
  email_verified: boolean;
  name: string | null;
  claims: Record<string, unknown>;
  password_hash: string | null;
  disabled: boolean;
  created_at: string;
}

const invalid = (field: string, says: string) =>
  new Problem('import.fieldInvalid', { message: `${field} ${says}.`, details: { [field]: says } });

function textIn(field: string, value: unknown): string {
  if (typeof value !== 'string') throw invalid(field, 'is no text');
  return value;
}

/** In CSV, a word. */
function booleanIn(field: string, value: unknown): boolean {
  const text = typeof value === 'string' ? value.trim().toLowerCase() : value;
  if (text === true || text === 'true') return true;
  if (text === false || text === 'false') return false;
  throw invalid(field, 'is neither true nor false');
}

function idIn(value: unknown): string {
  if (!UUID.test(textIn('id', value))) {
    throw invalid('id', 'is no UUID; leave it out, and apps see a new `sub`');
  }
  return (value as string).toLowerCase();
}

const MOMENT = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?$/;

function momentIn(value: unknown, now: Date): string {
  const text = textIn('created_at', value);
  const at = MOMENT.test(text) ? new Date(text) : null;
  if (!at || Number.isNaN(at.getTime())) throw invalid('created_at', 'is no moment as 2024-05-17T08:30:00Z');
  if (at > now) throw invalid('created_at', 'is in the future');
  if (at.getTime() < 0) throw invalid('created_at', 'is before 1970');
  return at.toISOString();
}

/** In CSV an object is JSON in its cell. */
function objectIn(field: string, value: unknown): unknown {
  if (typeof value !== 'string' || !value.trimStart().startsWith('{')) return value;
  try {
    return JSON.parse(value);
  } catch {
    throw invalid(field, 'is no JSON');
  }
}

const FIELDS = [
  'id',
  'email',
  'email_verified',
  'name',
  'claims',
  'password_hash',
  'disabled',
  'created_at',
] as const;
type Field = (typeof FIELDS)[number];

/** What files have under other names, in lower case without underlines, and what to do about it. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  password: 'passwords are not imported, only their hashes: `password_hash`',
  passwordhash: 'write `password_hash`',
  hash: 'write `password_hash`',
  emailverified: 'write `email_verified`',
  createdat: 'write `created_at`',
  username: 'people sign in with their e-mail address; a name for apps is `preferred_username` in `claims`',
  mail: 'write `email`',
  emailaddress: 'write `email`',
  sub: 'write `id`',
  userid: 'write `id`',
  enabled: 'write `disabled`, the other way round',
  blocked: 'write `disabled`',
  displayname: 'write `name`',
  totp: 'second factors cannot be imported yet; leave it out',
  totpsecret: 'second factors cannot be imported yet; leave it out',
  otp: 'second factors cannot be imported yet; leave it out',
  otpsecret: 'second factors cannot be imported yet; leave it out',
  mfa: 'second factors cannot be imported yet; leave it out',
  roles: 'roles are granted here, not imported',
  groups: 'groups are not imported',
};
const CLAIM =
  /^(?:given|family|middle)_?name$|^(?:nickname|profile|picture|website|gender|birthdate|zoneinfo|locale|address|preferred_username|phone_number(?:_verified)?)$/i;

/** Names come from the file: they are cut, and shown without what a terminal would obey. */
const shown = (name: string) => name.replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '�').slice(0, 60);

function faultOfField(name: string): string | null {
  if ((FIELDS as readonly string[]).includes(name)) return null;
  const bare = name.toLowerCase().replace(/[_\s-]/g, '');
  const near = FIELDS.find((field) => field.replace('_', '') === bare || field === name.trim());
  const advice = Object.hasOwn(ELSEWHERE, bare)
    ? ELSEWHERE[bare]
    : near
      ? `write \`${near}\``
      : CLAIM.test(name)
        ? 'it belongs into `claims`'
        : `there are ${FIELDS.join(', ')}`;
  return `“${shown(name)}” is no field: ${advice}.`;
}

/** Throws a Problem whose sentence names the field. */
function accountIn(row: Readonly<Record<string, unknown>>, line: number, now: Date): ImportedAccount {
  for (const name of Object.keys(row)) {
    const fault = faultOfField(name);
    if (fault !== null) throw new Problem('import.fieldUnknown', { message: fault });
  }
  const given = row as Readonly<Partial<Record<Field, unknown>>>;
  const claims = objectIn('claims', given.claims);
  const password = objectIn('password_hash', given.password_hash);
  // Also what was JSON inside a cell of CSV.
  rejectText({ ...given, claims, password_hash: password });
  const has = (field: Field) => given[field] !== undefined && given[field] !== null;
  if (!has('email')) throw invalid('email', 'is missing');
  const email = checkEmail(textIn('email', given.email));
  const wrong = has('claims') ? checkClaims(claims) : null;
  if (wrong !== null) throw invalid('claims', wrong);
  return {
    line,
    id: has('id') ? idIn(given.id) : randomUUIDv7(),
    givenId: has('id'),
    email,
    email_key: emailKey(email),
    email_verified: has('email_verified') && booleanIn('email_verified', given.email_verified),
    name: has('name') ? tidyName(textIn('name', given.name)) : null,
    claims: has('claims') ? (claims as Record<string, unknown>) : {},
    password_hash: has('password_hash') ? readForeign(password) : null,
    disabled: has('disabled') && booleanIn('disabled', given.disabled),
    created_at: has('created_at') ? momentIn(given.created_at, now) : now.toISOString(),
  };
}

function judged({ line, fields }: FileRow, now: Date): ImportedAccount | Outcome {
  try {
    if (fields instanceof Problem) throw fields;
    return accountIn(fields, line, now);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { line, status: 'refused', code: error.code, message: error.message };
  }
}

const isOutcome = (one: ImportedAccount | Outcome): one is Outcome => 'status' in one;

interface Known {
  id: string;
  email_key: string;
}

const known = (op: Op, accounts: readonly ImportedAccount[]): Promise<Known[]> =>
  op.db.$client<Known[]>`
    SELECT id, email_key FROM accounts
    WHERE email_key IN (SELECT jsonb_array_elements_text(${JSON.stringify(accounts.map((one) => one.email_key))}::text::jsonb))
       OR id IN (SELECT jsonb_array_elements_text(${JSON.stringify(accounts.map((one) => one.id))}::text::jsonb)::uuid)`;

/** Why a row was not made into an account: whose address or id it has. */
function existing(account: ImportedAccount, there: readonly Known[]): Outcome {
  const { line, id, givenId } = account;
  const same = there.find((one) => one.email_key === account.email_key);
  const code = same ? 'account.emailTaken' : 'account.idTaken';
  const message =
    same && givenId && same.id !== id
      ? `${problems[code].message} Its id is another one: apps do not see the \`sub\` of this row.`
      : problems[code].message;
  return { line, status: 'exists', code, message };
}

/** Rows only. An address or id that is there, or came earlier in the batch, is left out. */
async function insert(op: Op, accounts: readonly ImportedAccount[]): Promise<Known[]> {
  const now = op.now.toISOString();
  // In one order, so that two runs at once wait for one another instead of each for the other.
  const sorted = accounts.toSorted(
    (a, b) => Number(a.email_key > b.email_key) || -(a.email_key < b.email_key),
  );
  return op.db.$client<Known[]>`
    INSERT INTO accounts (id, email, email_key, email_verified_at, name, claims, password_hash, password_changed_at,
                          disabled_at, created_at, updated_at)
    SELECT id, email, email_key, CASE WHEN email_verified THEN ${now}::timestamptz END, name, claims, password_hash,
           CASE WHEN password_hash IS NOT NULL THEN ${now}::timestamptz END,
           CASE WHEN disabled THEN ${now}::timestamptz END, created_at, ${now}::timestamptz
    FROM jsonb_to_recordset(${JSON.stringify(sorted)}::text::jsonb)
      AS r (id uuid, email text, email_key text, email_verified boolean, name text, claims jsonb, password_hash text,
            disabled boolean, created_at timestamptz)
    ON CONFLICT DO NOTHING RETURNING id, email_key`;
}

const keyOf = ({ id, email_key }: Known) => `${id} ${email_key}`;

function make(op: Op, accounts: readonly ImportedAccount[]): Promise<Outcome[]> {
  return inTransaction(op, async (op) => {
    const made = new Set((await insert(op, accounts)).map(keyOf));
    const there = made.size < accounts.length ? await known(op, accounts) : [];
    const outcomes = accounts.map((account): Outcome => {
      // Two rows that are the same in both: the first one was it.
      if (!made.delete(keyOf(account))) return existing(account, there);
      return { line: account.line, status: 'created', id: account.id };
    });
    const created = accounts.filter((_, at) => outcomes[at]?.status === 'created');
    await write(
      op,
      created.map(({ id, email }) => entry('account.created', { subject: id }, { by: 'import' }, { email })),
    );
    return outcomes;
  });
}

/** What `make` would do. Remembers addresses and ids of the file as numbers: 40 MB for a million. */
function rehearsal(): (op: Op, accounts: readonly ImportedAccount[]) => Promise<Outcome[]> {
  const seen = new Set<number>();
  const marks = ({ id, email_key, givenId }: ImportedAccount) =>
    (givenId ? [email_key, id] : [email_key]).map((key) => hash('sha256', key, 'buffer').readUIntBE(0, 6));
  return async (op, accounts) => {
    const there = await known(op, accounts);
    return accounts.map((account): Outcome => {
      const taken = there.some((one) => one.email_key === account.email_key || one.id === account.id);
      const [email, id] = marks(account);
      if (taken) return existing(account, there);
      if (email !== undefined && seen.has(email)) return existing(account, [account]);
      if (id !== undefined && seen.has(id)) return existing(account, []);
      for (const mark of [email, id]) if (mark !== undefined) seen.add(mark);
      return { line: account.line, status: 'created' };
    });
  };
}

/**
 * Reads the whole input. Throws import.headerInvalid and import.encodingUnknown, where nothing of the file can be
 * read; all else is said of its row.
 */
export async function importAccounts(
  op: Op,
  input: AsyncIterable<Buffer>,
  { format, batch, dryRun, report }: ImportOptions,
): Promise<Counts> {
  const counts: Counts = { created: 0, exists: 0, refused: 0 };
  const settle = dryRun ? rehearsal() : make;
  const settled = async (rows: readonly (ImportedAccount | Outcome)[]) => {
    const accounts = rows.filter((row): row is ImportedAccount => !isOutcome(row));
    const made = accounts.length > 0 ? await settle({ ...op, now: new Date() }, accounts) : [];
    const outcomes = [...made, ...rows.filter(isOutcome)].sort((a, b) => a.line - b.line);
    for (const outcome of outcomes) {
      counts[outcome.status]++;
      report(outcome);
    }
  };
  let waiting: (ImportedAccount | Outcome)[] = [];
  for await (const row of rowsOf(input, format, faultOfField)) {
    waiting.push(judged(row, op.now));
    if (waiting.length < batch) continue;
    await settled(waiting);
    waiting = [];
  }
  await settled(waiting);
  if (!dryRun) await write(op, [entry('accounts.imported', {}, { ...counts })]);
  return counts;
}
