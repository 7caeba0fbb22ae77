// Accounts from the command line: for the first ones, for scripts, and for when nobody can sign in any more.
import type { Command } from 'commander';
import { inTransaction } from '../../drizzle/database.ts';
import {
  type Account,
  create,
  disable,
  enable,
  find,
  findByEmail,
  list,
  setPassword,
  signOutEverywhere,
} from '../accounts/accounts.ts';
import { tellPasswordChanged, tellSignedOutEverywhere } from '../accounts/notices.ts';
import { checkEmail } from '../lib/email.ts';
import type { Op } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';
import { createPasswords, serviceWords } from '../passwords/passwords.ts';
import { grant, type Role, roles, rolesOf } from '../roles/roles.ts';
import type { Store } from '../store.ts';
import { mailOf, withStore } from './open.ts';
import { command, group, minute, prints, readPassword, table, UsageError } from './terminal.ts';

/** By address or id. Throws account.notFound. */
async function named(op: Op, who: string): Promise<Account> {
  const account = who.includes('@') ? await findByEmail(op, who) : await find(op, who);
  if (!account) throw new Problem('account.notFound');
  return account;
}

/** Never the hash. */
const shown = (account: Account, held: readonly Role[]) => ({
  id: account.id,
  email: account.email,
  emailVerified: account.emailVerifiedAt !== null,
  name: account.name,
  roles: held,
  disabled: account.disabledAt !== null,
  hasPassword: account.passwordHash !== null,
  createdAt: account.createdAt,
  lastSignInAt: account.lastSignInAt,
});

/** The rules first, then the hash. Throws password.… with what to change. */
async function hashOf({ config }: Store, password: string, whose: Pick<Account, 'email' | 'name'>) {
  const passwords = createPasswords(config.passwords, { words: serviceWords(config.server.issuer) });
  passwords.check(password, { ...whose, singleFactor: true });
  return passwords.hash(password);
}

interface CreateOptions {
  name?: string;
  role?: string;
  emailVerified?: true;
  passwordFile?: string;
}

async function createAccount(email: string, options: CreateOptions) {
  const role = roles.find((one) => one === options.role);
  if (options.role !== undefined && role === undefined) {
    throw new UsageError(`There is no role of that name; there are ${roles.join(', ')}.`);
  }
  checkEmail(email);
  const password = await readPassword(options.passwordFile);
  return withStore(async (op, store) => {
    const person = { email, name: options.name ?? null };
    const passwordHash = await hashOf(store, password, person);
    const account = await inTransaction(op, async (op) => {
      const made = await create(op, {
        ...person,
        passwordHash,
        emailVerified: options.emailVerified === true,
        by: 'cli',
      });
      if (role) await grant(op, made.id, role);
      return made;
    });
    return {
      json: shown(account, role ? [role] : []),
      text: `${account.email} can sign in now${role ? ` and is ${role}` : ''}. Its id is ${account.id}.`,
    };
  });
}

const listAccounts = (options: { search?: string; limit: string }) => {
  const limit = Number(options.limit);
  if (!/^\d{1,5}$/.test(options.limit) || limit < 1) throw new UsageError('--limit takes a number from 1.');
  return withStore(async (op) => {
    const accounts = await list(op, { ...(options.search ? { search: options.search } : {}), limit });
    const rows = await Promise.all(
      accounts.map(async (account) => shown(account, await rolesOf(op, account.id))),
    );
    return {
      json: rows,
      text: table(
        ['EMAIL', 'NAME', 'STATE', 'ROLES', 'LAST SIGN-IN', 'ID'],
        rows.map((row) => [
          row.email,
          row.name ?? '-',
          row.disabled ? 'disabled' : 'enabled',
          row.roles.join(', ') || '-',
          minute(row.lastSignInAt),
          row.id,
        ]),
        'There are no accounts.',
      ),
    };
  });
};

async function changePassword(who: string, options: { passwordFile?: string }) {
  const password = await readPassword(options.passwordFile);
  return withStore(async (op, store) => {
    const account = await named(op, who);
    const hash = await hashOf(store, password, account);
    await inTransaction(op, async (op) => {
      await setPassword(op, account.id, hash, 'cli');
      await tellPasswordChanged(op, mailOf(store), account.id, 'operator');
    });
    return {
      json: { id: account.id, email: account.email, passwordChanged: true },
      text: `The password of ${account.email} is changed; its sessions and tokens have ended.`,
    };
  });
}

const signOut = (who: string) =>
  withStore(async (op, store) => {
    const { id, email } = await named(op, who);
    await inTransaction(op, async (op) => {
      await signOutEverywhere(op, id, 'operator');
      await tellSignedOutEverywhere(op, mailOf(store), id);
    });
    return { json: { id, email, signedOut: true }, text: `The sessions and tokens of ${email} have ended.` };
  });

const switchTo = (disabled: boolean) => (who: string) =>
  withStore(async (op) => {
    const { id, email } = await named(op, who);
    await (disabled ? disable(op, id) : enable(op, id));
    return {
      json: { id, email, disabled },
      text: disabled
        ? `${email} is disabled; its sessions and tokens have ended.`
        : `${email} may sign in again.`,
    };
  });

const PASSWORD_FILE = [
  '--password-file <file>',
  'read the password from this file; else it is read from standard input, or asked for at a terminal',
] as const;

export function add(program: Command): void {
  const account = group(program, 'account', 'Makes, lists and changes accounts.');
  command(account, 'create <email>', 'Makes an account with a password.')
    .option('--name <name>', 'the name that apps and pages show')
    .option('--role <role>', 'give it a role; super_admin may do everything')
    .option('--email-verified', 'the address is known to be theirs')
    .option(...PASSWORD_FILE)
    .action(prints(createAccount));
  command(account, 'list', 'Lists accounts by their address.')
    .option('--search <text>', 'only those with this in their address or name')
    .option('--limit <number>', 'at most so many', '100')
    .action(prints(listAccounts));
  command(account, 'password <account>', 'Sets a new password and ends all sessions. Takes address or id.')
    .option(...PASSWORD_FILE)
    .action(prints(changePassword));
  command(account, 'sign-out <account>', 'Ends all sessions and tokens; it may sign in again.').action(
    prints(signOut),
  );
  command(account, 'disable <account>', 'Ends all sessions and lets it sign in no more.').action(
    prints(switchTo(true)),
  );
  command(account, 'enable <account>', 'Lets a disabled account sign in again.').action(
    prints(switchTo(false)),
  );
}
