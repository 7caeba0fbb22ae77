// Mails that tell people what was done to their account (A14). Whoever acts calls the one that belongs to it, in the
// transaction of the act and after it: no act without its mail, and no mail without the act.
import { inTransaction } from '../../drizzle/database.ts';
import type { Op } from '../lib/op.ts';
import type { Mail } from '../mail/mail.ts';
import { type Account, find } from './accounts.ts';

type Sender = Pick<Mail, 'send'>;

/** Nothing is sent for an account that is not there. */
const toOwner = (op: Op, id: string, send: (op: Op, account: Account) => Promise<unknown>): Promise<void> =>
  inTransaction(op, async (op) => {
    const account = await find(op, id);
    if (account) await send(op, account);
  });

const addressed = ({ id, email, name }: Account) => ({ to: email, accountId: id, name });

export const tellPasswordChanged = (
  op: Op,
  mail: Sender,
  id: string,
  by: 'person' | 'operator',
): Promise<void> =>
  toOwner(op, id, (op, account) => {
    const { name, ...to } = addressed(account);
    return mail.send(op, { kind: 'passwordChanged', ...to, props: { name, at: op.now.toISOString(), by } });
  });

/** By an administrator. */
export const tellSignedOutEverywhere = (op: Op, mail: Sender, id: string): Promise<void> =>
  toOwner(op, id, (op, account) => {
    const { name, ...to } = addressed(account);
    return mail.send(op, { kind: 'signedOutEverywhere', ...to, props: { name, at: op.now.toISOString() } });
  });

export const tellTokenReused = (
  op: Op,
  mail: Sender,
  id: string,
  what: { app: string | null; ended: 'family' | 'account' },
): Promise<void> =>
  toOwner(op, id, (op, account) => {
    const { name, ...to } = addressed(account);
    return mail.send(op, { kind: 'tokenReused', ...to, props: { name, at: op.now.toISOString(), ...what } });
  });
