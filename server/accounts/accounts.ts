// People: their address, name, claims, password hash and whether they may sign in.
// One e-mail address in any spelling is one account, also when several are made at once. A new password and a disabling
// raise the account's epoch and end its sessions, grants and tokens in the same transaction (R33, R36). The last
// enabled super administrator cannot be disabled, however many try at once.
import { randomUUIDv7 } from 'node:crypto';
import { inTransaction } from '../../drizzle/database.ts';
import { entry, write } from '../audit/audit.ts';
import type { DataOf } from '../audit/events.ts';
import { checkEmail, emailKey } from '../lib/email.ts';
import type { Op } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';
import { endAllOfAccount } from '../sessions/sessions.ts';

export interface Account {
  id: string;
  /** As it was typed. */
  email: string;
  emailVerifiedAt: Date | null;
  name: string | null;
  /** Further OIDC standard claims by their names. */
  claims: Readonly<Record<string, unknown>>;
  /** PHC string; null: no sign-in by password. */
  passwordHash: string | null;
  passwordChangedAt: Date | null;
  epoch: number;
  disabledAt: Date | null;
  lastSignInAt: Date | null;
  createdAt: Date;
  updatedAt: Date;
  version: number;
}

/** The role that must never be without an enabled holder; roles.ts has the others. */
export const SUPER_ADMIN = 'super_admin';

const NAME_LENGTH = 200;

/** Null when nothing is left of it. Control characters become spaces; longer ones are cut, for they are only shown. */
export const tidyName = (name: string | null): string | null =>
  [
    ...(name ?? '')
      .normalize('NFC')
      .replace(/[\p{Cc}\p{Cs}\s]+/gu, ' ')
      .trim(),
  ]
    .slice(0, NAME_LENGTH)
    .join('') || null;

interface AccountRow {
  id: string;
  email: string;
  email_verified_at: string | null;
  name: string | null;
  claims: string;
  password_hash: string | null;
  password_changed_at: string | null;
  epoch: number;
  disabled_at: string | null;
  last_sign_in_at: string | null;
  created_at: string;
  updated_at: string;
  version: number;
}

const moment = (text: string | null): Date | null => (text === null ? null : new Date(text));

const fromRow = (row: AccountRow): Account => ({
  id: row.id,
  email: row.email,
  emailVerifiedAt: moment(row.email_verified_at),
  name: row.name,
  claims: JSON.parse(row.claims) as Record<string, unknown>,
  passwordHash: row.password_hash,
  passwordChangedAt: moment(row.password_changed_at),
  epoch: row.epoch,
  disabledAt: moment(row.disabled_at),
  lastSignInAt: moment(row.last_sign_in_at),
  createdAt: new Date(row.created_at),
  updatedAt: new Date(row.updated_at),
  version: row.version,
});

const columns = (op: Op) => op.db.$client`
  id, email, email_verified_at, name, claims::text AS claims, password_hash, password_changed_at, epoch, disabled_at,
  last_sign_in_at, created_at, updated_at, version`;

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Undefined for unknown ids, and for texts that are none. */
export async function find(op: Op, id: string): Promise<Account | undefined> {
  if (!UUID.test(id)) return undefined;
  const [row] = await op.db.$client<AccountRow[]>`SELECT ${columns(op)} FROM accounts WHERE id = ${id}`;
  return row && fromRow(row);
}

export async function findByEmail(op: Op, email: string): Promise<Account | undefined> {
  const [row] = await op.db.$client<
    AccountRow[]
  >`SELECT ${columns(op)} FROM accounts WHERE email_key = ${emailKey(email)}`;
  return row && fromRow(row);
}

/** By address, at most `limit`; `search` is a part of the address or name. */
export async function list(
  op: Op,
  { search, limit }: { search?: string; limit: number },
): Promise<Account[]> {
  const like = `%${emailKey(search ?? '').replace(/[\\%_]/g, '\\$&')}%`;
  const rows = await op.db.$client<AccountRow[]>`
    SELECT ${columns(op)} FROM accounts WHERE email_key LIKE ${like} OR lower(name) LIKE ${like}
    ORDER BY email_key LIMIT ${limit}`;
  return rows.map(fromRow);
}

export interface NewAccount {
  email: string;
  name: string | null;
  passwordHash: string | null;
  emailVerified?: boolean;
  by: DataOf<'account.created'>['by'];
}

/** Throws account.emailInvalid, account.emailTaken. */
export function create(op: Op, account: NewAccount): Promise<Account> {
  const email = checkEmail(account.email);
  return inTransaction(op, async (op) => {
    const now = op.now.toISOString();
    const id = randomUUIDv7();
    const [row] = await op.db.$client<AccountRow[]>`
      INSERT INTO accounts (id, email, email_key, email_verified_at, name, password_hash, password_changed_at,
                            created_at, updated_at)
      VALUES (${id}, ${email}, ${emailKey(email)}, ${account.emailVerified ? now : null}::timestamptz,
              ${tidyName(account.name)}, ${account.passwordHash},
              ${account.passwordHash === null ? null : now}::timestamptz, ${now}::timestamptz, ${now}::timestamptz)
      ON CONFLICT (email_key) DO NOTHING
      RETURNING ${columns(op)}`;
    if (!row) throw new Problem('account.emailTaken');
    await write(op, [entry('account.created', { subject: id }, { by: account.by }, { email })]);
    return fromRow(row);
  });
}

/** Sets the hash of a new password and ends everything the account has open. Throws account.notFound. */
export function setPassword(
  op: Op,
  id: string,
  phc: string,
  by: DataOf<'account.passwordChanged'>['by'],
): Promise<void> {
  return inTransaction(op, async (op) => {
    const changed = await op.db.$client`
      UPDATE accounts SET password_hash = ${phc}, password_changed_at = ${op.now.toISOString()}::timestamptz,
        epoch = epoch + 1, version = version + 1, updated_at = ${op.now.toISOString()}::timestamptz
      WHERE id = ${id}`;
    if (changed.count === 0) throw new Problem('account.notFound');
    await endAllOfAccount(op, id, 'password');
    await write(op, [entry('account.passwordChanged', { subject: id }, { by })]);
  });
}

/** The same password hashed anew. False, and nothing written, when the password was changed meanwhile. */
export function rehash(op: Op, id: string, oldPhc: string, newPhc: string): Promise<boolean> {
  return inTransaction(op, async (op) => {
    const changed = await op.db.$client`
      UPDATE accounts SET password_hash = ${newPhc} WHERE id = ${id} AND password_hash = ${oldPhc}`;
    if (changed.count === 0) return false;
    await write(op, [entry('account.passwordRehashed', { subject: id }, {})]);
    return true;
  });
}

/** Makes acts that decide by how many administrators there are wait for one another, until the transaction ends. */
export async function lockAdministrators(op: Op): Promise<void> {
  if (!op.db.inTransaction) throw new Error('the lock on the administrators needs a transaction');
  await op.db.$client`SELECT pg_advisory_xact_lock(hashtext('gatehouse.administrators'))`;
}

/** Ends everything the account has open and lets it sign in no more; nothing happens to a disabled one. Throws account.notFound, account.lastAdministrator. */
export function disable(op: Op, id: string): Promise<void> {
  return inTransaction(op, async (op) => {
    await lockAdministrators(op);
    const [state] = await op.db.$client<{ disabled: boolean; last: boolean }[]>`
      SELECT a.disabled_at IS NOT NULL AS disabled,
             EXISTS (SELECT FROM account_roles r WHERE r.account_id = a.id AND r.role = ${SUPER_ADMIN})
             AND NOT EXISTS (SELECT FROM account_roles r JOIN accounts o ON o.id = r.account_id
                             WHERE r.role = ${SUPER_ADMIN} AND o.id <> a.id AND o.disabled_at IS NULL) AS last
      FROM accounts a WHERE a.id = ${id} FOR NO KEY UPDATE OF a`;
    if (!state) throw new Problem('account.notFound');
    if (state.disabled) return;
    if (state.last) throw new Problem('account.lastAdministrator');
    await op.db.$client`
      UPDATE accounts SET disabled_at = ${op.now.toISOString()}::timestamptz, epoch = epoch + 1, version = version + 1,
        updated_at = ${op.now.toISOString()}::timestamptz
      WHERE id = ${id}`;
    await endAllOfAccount(op, id, 'disabled');
    await write(op, [entry('account.disabled', { subject: id }, {})]);
  });
}

/** Ends every session and token of an account: whatever was issued so far is dead (R33). */
export function signOutEverywhere(op: Op, id: string, reason: string): Promise<void> {
  return inTransaction(op, async (op) => {
    const changed = await op.db.$client`
      UPDATE accounts SET epoch = epoch + 1, version = version + 1 WHERE id = ${id}`;
    if (changed.count === 0) return;
    await endAllOfAccount(op, id, reason);
    await write(op, [entry('account.signedOutEverywhere', { subject: id }, { reason })]);
  });
}

/** Nothing happens to an enabled one. Throws account.notFound. */
export function enable(op: Op, id: string): Promise<void> {
  return inTransaction(op, async (op) => {
    const changed = await op.db.$client`
      UPDATE accounts SET disabled_at = NULL, version = version + 1, updated_at = ${op.now.toISOString()}::timestamptz
      WHERE id = ${id} AND disabled_at IS NOT NULL`;
    if (changed.count > 0) await write(op, [entry('account.enabled', { subject: id }, {})]);
    else if (!(await find(op, id))) throw new Problem('account.notFound');
  });
}

/**
 * Notes a sign-in that was checked against `account` as it was read. False: it was disabled, or its password changed,
 * while the hash was computed, and the sign-in must be refused. The event is the caller's (`signIn.succeeded`).
 */
export async function signedIn(op: Op, account: Pick<Account, 'id' | 'epoch'>): Promise<boolean> {
  const changed = await op.db.$client`
    UPDATE accounts SET last_sign_in_at = ${op.now.toISOString()}::timestamptz
    WHERE id = ${account.id} AND epoch = ${account.epoch} AND disabled_at IS NULL`;
  return changed.count > 0;
}
