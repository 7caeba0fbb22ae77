// Signing in with a password, inside an interaction. Every way it can fail looks the same from outside: same
// sentence, same status, same work (ATK-A094, A095); which it was stands in the audit trail.
//
// Order matters: the attempt is counted before the hash is computed, so that parallel guesses are never evaluated
// beyond the limit (A11); the hash is computed outside any transaction; then one transaction notes it all.
import { type Account, findByEmail, rehash, signedIn } from '../accounts/accounts.ts';
import { entry, write } from '../audit/audit.ts';
import { actingAs, type Op } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';
import type { Lockouts } from '../lockouts/lockouts.ts';
import { locked, nextStep, proved } from '../oidc/interactions.ts';
import type { Passwords } from '../passwords/passwords.ts';

export interface LoginParts {
  lockouts: Lockouts;
  passwords: Passwords;
}

export interface PasswordTry {
  uid: string;
  browserHash: Buffer;
  email: string;
  password: string;
}

/** Longest identifier that is looked up; an e-mail address has at most 254 characters. */
const IDENTIFIER_LENGTH = 320;

/**
 * Tries a password in an interaction. Returns when it was right and is noted on the interaction (or when the
 * interaction has moved on in another tab). Throws signIn.failed for every wrong one, server.busy when the hash
 * queue is full, and InteractionOver.
 */
export async function withPassword(
  op: Op,
  { uid, browserHash, email, password }: PasswordTry,
  parts: LoginParts,
): Promise<void> {
  const { lockouts, passwords } = parts;
  // The cut may go through a character, and half of one cannot be stored.
  const identifier = email.slice(0, IDENTIFIER_LENGTH).toWellFormed();
  const address = op.by.request?.address ?? '';
  const reservation = await lockouts.reserveSignIn(op, { identifier, address });
  if (!reservation.allowed) {
    await write(op, [entry('signIn.throttled', {}, { by: reservation.by }, { identifier })]);
    throw new Problem('signIn.failed');
  }

  const account = await findByEmail(op, identifier);
  // Never decided (a full queue, an interaction that is over), so it is no failure either.
  const undecided = async (error: unknown): Promise<never> => {
    await lockouts.cancel(op, reservation);
    throw error;
  };
  const checked = await passwords.verify(account?.passwordHash ?? null, password).catch(undecided);
  const noted =
    account && checked.ok && account.disabledAt === null
      ? await note(op, uid, browserHash, account).catch(undecided)
      : false;
  if (!account || !noted) {
    const reason = reasonOf(account, checked.ok);
    await write(op, [entry('signIn.failed', { subject: account?.id }, { reason }, { identifier })]);
    await lockouts.failed(op, reservation, account?.id ?? null);
    throw new Problem('signIn.failed');
  }
  await lockouts.giveBack(op, reservation);
  if (checked.outdated && account.passwordHash !== null) {
    const fresh = await passwords.hash(password).catch(whenBusy);
    // The old one serves until the next sign-in.
    if (fresh === null) return;
    await rehash(actingAs(op, 'account', account.id), account.id, account.passwordHash, fresh);
  }
}

/** The person has signed in by now: a full queue is no reason to refuse them. */
function whenBusy(error: unknown): null {
  if (error instanceof Problem && error.code === 'server.busy') return null;
  throw error;
}

/** False: disabled, or the password changed, while the hash was computed. */
const note = (op: Op, uid: string, browserHash: Buffer, account: Account): Promise<boolean> =>
  locked(op, uid, browserHash, async (op, state) => {
    if (nextStep(state) !== 'password') return true;
    if (!(await signedIn(op, account))) return false;
    await proved(op, state, account);
    const about = { subject: account.id, client: state.clientId };
    await write(actingAs(op, 'account', account.id), [entry('signIn.succeeded', about, { amr: ['pwd'] })]);
    return true;
  });

function reasonOf(
  account: Account | undefined,
  ok: boolean,
): 'unknown' | 'disabled' | 'noPassword' | 'password' {
  if (!account) return 'unknown';
  if (account.disabledAt !== null || ok) return 'disabled';
  return account.passwordHash === null ? 'noPassword' : 'password';
}
