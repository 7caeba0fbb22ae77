// The first administrator: made once, by a one-time link or by settings, never by who comes first.
// A link works once and for a limited time; of any number of people with valid links, and of any number of replicas
// with the settings, exactly one makes the administrator. Refusals are on record.
import { inTransaction } from '../../drizzle/database.ts';
import { type Account, create, lockAdministrators, SUPER_ADMIN } from '../accounts/accounts.ts';
import { entry, write } from '../audit/audit.ts';
import { actingAs, type Op } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';
import { newSecret, sha256base64url } from '../lib/secrets.ts';
import type { Passwords } from '../passwords/passwords.ts';
import { administratorExists, grant } from '../roles/roles.ts';

const DAY = 86_400_000;

/** A new link; earlier ones go on working. `ttl` in seconds. Throws setup.done. */
export function makeLink(
  op: Op,
  { issuer, ttl }: { issuer: string; ttl: number },
): Promise<{ url: string; expiresAt: Date }> {
  return inTransaction(op, async (op) => {
    if (await administratorExists(op)) throw new Problem('setup.done');
    const token = newSecret();
    const expiresAt = new Date(op.now.getTime() + ttl * 1000);
    await op.db.$client`
      DELETE FROM setup_tokens WHERE expires_at < ${new Date(op.now.getTime() - DAY).toISOString()}::timestamptz`;
    await op.db.$client`
      INSERT INTO setup_tokens (token_hash, created_at, expires_at)
      VALUES (${sha256base64url(token)}, ${op.now.toISOString()}::timestamptz, ${expiresAt.toISOString()}::timestamptz)`;
    await write(op, [entry('setup.linkMade', {}, {})]);
    return { url: `${issuer}/setup/${token}`, expiresAt };
  });
}

/** What a link's page should show; spends nothing. */
export async function tokenState(op: Op, token: string): Promise<'valid' | 'invalid' | 'done'> {
  if (await administratorExists(op)) return 'done';
  const rows = await op.db.$client`
    SELECT FROM setup_tokens WHERE token_hash = ${sha256base64url(token)} AND used_at IS NULL
      AND expires_at > ${op.now.toISOString()}::timestamptz`;
  return rows.length > 0 ? 'valid' : 'invalid';
}

/**
 * Spends the link and makes the administrator. The password has been checked and hashed by the caller.
 * Throws setup.linkInvalid and setup.done (both on record), account.emailInvalid, account.emailTaken (the link is unspent).
 */
export async function completeSetup(
  op: Op,
  person: { token: string; email: string; name: string | null; passwordHash: string },
): Promise<Account> {
  const asSetup = actingAs(op, 'system', 'setup');
  const outcome = await inTransaction(asSetup, async (op): Promise<Account | Problem> => {
    await lockAdministrators(op);
    const refuse = async (code: 'setup.done' | 'setup.linkInvalid') => {
      await write(op, [entry('setup.linkRefused', {}, {})]);
      return new Problem(code);
    };
    if (await administratorExists(op)) return refuse('setup.done');
    const now = op.now.toISOString();
    const spent = await op.db.$client`
      UPDATE setup_tokens SET used_at = ${now}::timestamptz
      WHERE token_hash = ${sha256base64url(person.token)} AND used_at IS NULL AND expires_at > ${now}::timestamptz
      RETURNING token_hash`;
    if (spent.length === 0) return refuse('setup.linkInvalid');
    return makeAdministrator(op, { ...person, by: 'setup' });
  });
  if (outcome instanceof Problem) throw outcome;
  return outcome;
}

/**
 * BOOTSTRAP_ADMIN_EMAIL: makes the administrator unless there is one; null then. Any number of replicas may call it at
 * once. The password rules apply (password.…); throws account.emailTaken when the address belongs to somebody already.
 */
export async function bootstrapAdmin(
  op: Op,
  passwords: Pick<Passwords, 'check' | 'hash'>,
  { email, password }: { email: string; password: string },
): Promise<Account | null> {
  if (await administratorExists(op)) return null;
  passwords.check(password, { email, singleFactor: true });
  const passwordHash = await passwords.hash(password);
  return inTransaction(actingAs(op, 'system', 'bootstrap'), async (op) => {
    await lockAdministrators(op);
    if (await administratorExists(op)) return null;
    return makeAdministrator(op, { email, name: null, passwordHash, by: 'bootstrap' });
  });
}

/** Under the lock on the administrators. No link outlives it. */
async function makeAdministrator(
  op: Op,
  person: { email: string; name: string | null; passwordHash: string; by: 'setup' | 'bootstrap' },
): Promise<Account> {
  const { email, name, passwordHash, by } = person;
  const account = await create(op, { email, name, passwordHash, by });
  await grant(op, account.id, SUPER_ADMIN);
  await op.db
    .$client`UPDATE setup_tokens SET used_at = ${op.now.toISOString()}::timestamptz WHERE used_at IS NULL`;
  await write(op, [entry('setup.completed', { subject: account.id }, {})]);
  return account;
}
