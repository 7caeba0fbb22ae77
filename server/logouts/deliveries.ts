// The record of what apps are told of ended sessions: one delivery per session and app, made with its job in the
// transaction that ends the session (P6, R52). logouts.ts sends them.
//
//   pending ──2xx───────────────────────────────▶ delivered
//    ▲ │ ├────3xx, 4xx──────────────────────────▶ refused ───┐
//    │ │ └────address not allowed, out of tries─▶ given_up ──┤
//    │ └no answer, 5xx, 408, 425, 429: after a pause         │
//    └────────────────retried by an operator─────────────────┘
import { inTransaction } from '../../drizzle/database.ts';
import { entry, write } from '../audit/audit.ts';
import type { Queue } from '../jobs/jobs.ts';
import { createTries } from '../jobs/tries.ts';
import type { Op } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';

export const STATES = ['pending', 'delivered', 'refused', 'given_up'] as const;
type DeliveryState = (typeof STATES)[number];

/** Tries of one delivery. With the queue's pauses (1, 2, 4 … seconds, an hour at most) the last is about nine hours in. */
const TRIES = 20;

export interface Job {
  id: string;
}

/** Many at a time: they only wait, and some apps are slow. Spare tries are for workers that die. */
export const deliveries: Queue<Job> = { name: 'logouts.deliver', retries: TRIES + 10, concurrency: 20 };

export const tries = createTries<AboutRow, 'delivered' | 'refused' | 'given_up'>({
  table: 'logout_deliveries',
  columns: ['session_uid', 'client_id', 'account_id'],
  queue: deliveries,
  most: TRIES,
  // What was sent may have arrived.
  unanswered: ['timeout', 'aborted', 'reset', 'protocol', 'too_large', 'encoded'],
});

export interface EndedSession {
  uid: string;
  accountId: string;
  reason: string;
}

/**
 * The apps of a session are those it was granted to anything in, whatever has become of the grant: not those its payload
 * names, which parallel sign-ins overwrite (R17). In order, so that two transactions never wait in a circle.
 */
const TELL = `INSERT INTO logout_deliveries (id, session_uid, client_id, account_id, reason, created_at)
  SELECT gen_random_uuid(), s.uid, g.client_id, s.account_id, s.reason, $2::timestamptz
  FROM json_to_recordset($1::text::json) AS s (uid text, account_id uuid, reason text)
  JOIN grants g ON g.account_id = s.account_id AND g.session_uid = s.uid
  JOIN clients c ON c.id = g.client_id AND c.backchannel_logout_uri IS NOT NULL
  GROUP BY s.uid, g.client_id, s.account_id, s.reason ORDER BY s.uid, g.client_id
  ON CONFLICT (session_uid, client_id) DO NOTHING RETURNING id`;

/**
 * Makes the deliveries of ended sessions, in the caller's transaction. It has ended the sessions by a statement before:
 * a grant that a parallel request commits while that one waits for the session's row is seen here, and one that is
 * committed later meets an ended session (server/oidc/oidc.ts).
 */
export async function tell(op: Op, ended: readonly EndedSession[]): Promise<void> {
  if (ended.length === 0) return;
  const sessions = ended.map(({ uid, accountId, reason }) => ({ uid, account_id: accountId, reason }));
  const made = (await op.db.$client.unsafe(TELL, [JSON.stringify(sessions), op.now.toISOString()], {
    prepare: true,
  })) as unknown as Job[];
  await tries.enqueue(
    op,
    made.map(({ id }) => id),
  );
}

interface Delivery {
  id: string;
  sessionUid: string;
  clientId: string;
  accountId: string;
  reason: string;
  state: DeliveryState;
  attempts: number;
  lastFailure: string | null;
  createdAt: Date;
  lastAttemptAt: Date | null;
  settledAt: Date | null;
}

const moment = (text: string | null): Date | null => (text === null ? null : new Date(text));

/** The latest first. */
export async function list(
  op: Op,
  { client = null, state = null, limit }: { client?: string | null; state?: string | null; limit: number },
): Promise<Delivery[]> {
  const rows = await op.db.$client`
    SELECT id, session_uid, client_id, account_id, reason, state, attempts, last_failure, created_at, last_attempt_at,
           settled_at
    FROM logout_deliveries
    WHERE (${client}::text IS NULL OR client_id = ${client}) AND (${state}::text IS NULL OR state = ${state})
    ORDER BY created_at DESC LIMIT ${limit}`;
  return rows.map((row) => ({
    id: row.id,
    sessionUid: row.session_uid,
    clientId: row.client_id,
    accountId: row.account_id,
    reason: row.reason,
    state: row.state,
    attempts: row.attempts,
    lastFailure: row.last_failure,
    createdAt: new Date(row.created_at),
    lastAttemptAt: moment(row.last_attempt_at),
    settledAt: moment(row.settled_at),
  }));
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Tries once more, now. Throws logout.notFound, logout.delivered. */
export async function retry(op: Op, id: string): Promise<void> {
  if (!UUID.test(id)) throw new Problem('logout.notFound');
  await inTransaction(op, async (op) => {
    const [row] = await op.db.$client`
      SELECT state, session_uid, client_id, account_id FROM logout_deliveries WHERE id = ${id} FOR UPDATE`;
    if (!row) throw new Problem('logout.notFound');
    if (row.state === 'delivered') throw new Problem('logout.delivered');
    await op.db.$client`
      UPDATE logout_deliveries SET state = 'pending', settled_at = NULL WHERE id = ${id} AND state <> 'pending'`;
    await tries.enqueue(op, [id]);
    await write(op, [entry('logout.retried', aboutOf(row as unknown as AboutRow), {})]);
  });
}

export interface AboutRow {
  session_uid: string;
  client_id: string;
  account_id: string;
}

export const aboutOf = (row: AboutRow) => ({
  subject: row.account_id,
  client: row.client_id,
  session: row.session_uid,
});

/** Gives deliveries that have lost their job another one. */
export const rescue = tries.rescue;
