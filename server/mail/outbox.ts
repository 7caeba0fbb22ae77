// The record of mails to people: one row per mail, made with its job in the transaction of the act it tells of (A14,
// O10). mail.ts sends them.
//
//   pending ──the server took it──────────────────▶ sent (its content is erased)
//    ▲ │ ├────it refuses the recipient or the mail─▶ refused ───┐
//    │ │ └────out of tries─────────────────────────▶ given_up ──┤
//    │ └no answer, 4xx, refused as a whole: after a pause       │
//    └────────────────retried by an operator────────────────────┘
import { inTransaction } from '../../drizzle/database.ts';
import { entry, write } from '../audit/audit.ts';
import type { Queue } from '../jobs/jobs.ts';
import { createTries } from '../jobs/tries.ts';
import type { Op } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';

export const STATES = ['pending', 'sent', 'refused', 'given_up'] as const;
type MailState = (typeof STATES)[number];

/** Tries of one mail. With the queue's pauses (1, 2, 4 … seconds, an hour at most) the last is about a day in. */
const TRIES = 36;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Settled mails are kept for so long. */
const KEPT = 30 * DAY;
const BATCH = 500;

export interface Job {
  id: string;
}

/** As many at a time as there are connections to the mail server. Spare tries are for workers that die. */
export const outgoing: Queue<Job> = { name: 'mail.deliver', retries: TRIES + 10, concurrency: 3 };

export interface MailRow {
  kind: string;
  recipient: string;
  account_id: string | null;
  props_sealed: Buffer | null;
}

export const tries = createTries<MailRow, 'sent' | 'refused' | 'given_up'>({
  table: 'mails',
  columns: ['kind', 'recipient', 'account_id', 'props_sealed'],
  queue: outgoing,
  most: TRIES,
  settling: `props_sealed = CASE WHEN $2 = 'sent' THEN NULL ELSE props_sealed END`,
});

/** Addresses are the same mailbox in any spelling that accounts are the same person in. */
const SAME = 'lower(normalize($1::text, NFKC))';
const ALONE = `SELECT pg_advisory_xact_lock(hashtextextended('gatehouse.mail ' || $2::text || ' ' || ${SAME}, 0))`;
/** By the index over state and time: an hour's mails are few. */
const COUNT = `SELECT count(*)::int AS count FROM mails
  WHERE state IN ('${STATES.join("', '")}') AND created_at > $3::timestamptz AND kind = $2
    AND lower(normalize(recipient, NFKC)) = ${SAME}`;

interface NewMail {
  id: string;
  kind: string;
  recipient: string;
  accountId: string | null;
  propsSealed: Buffer;
}

/**
 * Makes a mail and its job in the caller's transaction, unless `limit` of its kind have gone to the recipient within an
 * hour: false then (ATK-A152). Mails of one kind to one recipient wait here for one another until the transaction ends,
 * so it is the last thing an act does.
 */
export function add(
  op: Op,
  { id, kind, recipient, accountId, propsSealed }: NewMail,
  limit: number,
): Promise<boolean> {
  return inTransaction(op, async (op) => {
    const client = op.db.$client;
    await client.unsafe(ALONE, [recipient, kind], { prepare: true });
    const since = new Date(op.now.getTime() - HOUR).toISOString();
    const [row] = await client.unsafe(COUNT, [recipient, kind, since], { prepare: true });
    const count = row?.count as number;
    if (count >= limit) return false;
    await client`
      INSERT INTO mails (id, kind, account_id, recipient, props_sealed, created_at)
      VALUES (${id}, ${kind}, ${accountId}, ${recipient}, ${propsSealed}, ${op.now.toISOString()}::timestamptz)`;
    await tries.enqueue(op, [id]);
    if (count + 1 === limit) {
      await write(op, [
        entry('mail.limitReached', { subject: accountId }, { kind, limit }, { to: recipient }),
      ]);
    }
    return true;
  });
}

interface Listed {
  id: string;
  kind: string;
  recipient: string;
  accountId: string | null;
  state: MailState;
  attempts: number;
  lastFailure: string | null;
  createdAt: Date;
  lastAttemptAt: Date | null;
  settledAt: Date | null;
}

const moment = (text: string | null): Date | null => (text === null ? null : new Date(text));

const columns = (op: Op) => op.db.$client`
  id, kind, recipient, account_id, state, attempts, last_failure, created_at, last_attempt_at, settled_at`;

interface ListedRow {
  id: string;
  kind: string;
  recipient: string;
  account_id: string | null;
  state: MailState;
  attempts: number;
  last_failure: string | null;
  created_at: string;
  last_attempt_at: string | null;
  settled_at: string | null;
}

const fromRow = (row: ListedRow): Listed => ({
  id: row.id,
  kind: row.kind,
  recipient: row.recipient,
  accountId: row.account_id,
  state: row.state,
  attempts: row.attempts,
  lastFailure: row.last_failure,
  createdAt: new Date(row.created_at),
  lastAttemptAt: moment(row.last_attempt_at),
  settledAt: moment(row.settled_at),
});

/** The latest first. */
export async function list(
  op: Op,
  { state = null, limit }: { state?: string | null; limit: number },
): Promise<Listed[]> {
  const rows = await op.db.$client<ListedRow[]>`
    SELECT ${columns(op)} FROM mails WHERE ${state}::text IS NULL OR state = ${state}
    ORDER BY created_at DESC LIMIT ${limit}`;
  return rows.map(fromRow);
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Throws mail.notFound. */
export async function find(op: Op, id: string): Promise<Listed & { propsSealed: Buffer | null }> {
  const [row] = UUID.test(id)
    ? await op.db.$client<
        (ListedRow & { props_sealed: Buffer | null })[]
      >`SELECT ${columns(op)}, props_sealed FROM mails WHERE id = ${id}`
    : [];
  if (!row) throw new Problem('mail.notFound');
  return { ...fromRow(row), propsSealed: row.props_sealed };
}

/** Tries once more, now. Throws mail.notFound, mail.sent. */
export async function retry(op: Op, id: string): Promise<void> {
  await inTransaction(op, async (op) => {
    const { state, kind, accountId, recipient } = await find(op, id);
    const [row] = await op.db.$client`
      UPDATE mails SET state = 'pending', settled_at = NULL, attempts = CASE WHEN state = 'pending' THEN attempts ELSE 0 END
      WHERE id = ${id} AND state <> 'sent' RETURNING id`;
    if (!row || state === 'sent') throw new Problem('mail.sent');
    await tries.enqueue(op, [id]);
    await write(op, [entry('mail.retried', { subject: accountId }, { kind }, { to: recipient })]);
  });
}

/** Removes what was settled long ago. */
export async function purge(op: Op): Promise<void> {
  const before = new Date(op.now.getTime() - KEPT).toISOString();
  for (let removed = BATCH; removed === BATCH; ) {
    const rows = await op.db.$client`
      DELETE FROM mails WHERE id IN (SELECT id FROM mails WHERE state <> 'pending' AND settled_at < ${before}::timestamptz
        LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)`;
    removed = rows.count;
  }
}

/** Gives mails that have lost their job another one, or were made when nobody could send them. */
export const rescue = tries.rescue;
