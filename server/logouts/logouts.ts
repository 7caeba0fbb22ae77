// What the apps of an ended session are told, and what became of it (P6, R52): one delivery per session and app, made
// with its job in the transaction that ends the session, sent by the queue until the app has answered.
//
//   pending ──2xx──▶ delivered
//     │ ▲ └──3xx, 4xx──▶ refused ──────────────────────────────┐
//     │ │ └──address not allowed, no URI, out of tries──▶ given_up
//     │ └──no answer, 5xx, 408, 425, 429: a pause             │
//     └◀───────────────retried by an operator─────────────────┘
//
// A try is claimed in the row before it is made, by a lease of a few seconds: no two workers send one delivery at the
// same time, and none is sent once it is settled. A worker that dies after sending leaves the outcome unknown: the next
// try says the same `jti`, by which an app knows what it has done already.

import { inTransaction } from '../../drizzle/database.ts';
import { eq } from '../../drizzle/orm.ts';
import { clients } from '../../drizzle/schema/clients.ts';
import { type Entry, entry, write } from '../audit/audit.ts';
import { type Egress, EgressError } from '../egress/egress.ts';
import { enqueue, type Queue } from '../jobs/jobs.ts';
import type { KeySet } from '../keys/keys.ts';
import type { Log } from '../lib/log.ts';
import type { Op } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';
import { sidOf, signLogoutToken } from './token.ts';

export { sidOf };

export const STATES = ['pending', 'delivered', 'refused', 'given_up'] as const;
type DeliveryState = (typeof STATES)[number];

/** Tries of one delivery. With the queue's pauses (1, 2, 4 … seconds, an hour at most) the last is about nine hours in. */
const TRIES = 20;
/** Seconds beyond the longest request in which a worker notes what came of it. */
const MARGIN = 10;
/** A delivery nobody has touched for so long has lost its job: longer than any pause between tries. */
const STRANDED = '2 hours';
const BATCH = 500;

interface Job {
  id: string;
}

/** Many at a time: they only wait, and some apps are slow. Spare tries are for workers that die. */
export const deliveries: Queue<Job> = { name: 'logouts.deliver', retries: TRIES + 10, concurrency: 20 };

const jobOf = (id: string) => ({ data: { id }, key: id });

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
  await enqueue(
    op,
    deliveries,
    made.map(({ id }) => jobOf(id)),
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
    await enqueue(op, deliveries, [jobOf(id)]);
    await write(op, [entry('logout.retried', aboutOf(row as unknown as AboutRow), {})]);
  });
}

interface AboutRow {
  session_uid: string;
  client_id: string;
  account_id: string;
}

const aboutOf = (row: AboutRow) => ({
  subject: row.account_id,
  client: row.client_id,
  session: row.session_uid,
});

/** Gives deliveries that have lost their job another one: a queue that was emptied or restored without them. */
export async function rescue(op: Op): Promise<void> {
  await inTransaction(op, async (op) => {
    const lost = await op.db.$client<Job[]>`
      SELECT id FROM logout_deliveries
      WHERE state = 'pending' AND greatest(created_at, last_attempt_at) < clock_timestamp() - ${STRANDED}::interval
      LIMIT ${BATCH} FOR UPDATE SKIP LOCKED`;
    await enqueue(
      op,
      deliveries,
      lost.map(({ id }) => jobOf(id)),
    );
  });
}

interface Claimed extends AboutRow {
  id: string;
  /** This try's number. */
  attempts: number;
  /** An earlier try ended without an answer: the app may have taken it. */
  unanswered: boolean;
}

/** What was sent may have arrived. */
const UNANSWERED = ['timeout', 'aborted', 'reset', 'protocol', 'too_large', 'encoded'];
/** Under way: tried, and nothing noted yet. */
const UNDER_WAY = 'l.last_attempt_at IS NOT NULL AND l.last_failure IS NULL';
const CLAIM = `UPDATE logout_deliveries l SET attempts = l.attempts + 1, last_attempt_at = clock_timestamp(), last_failure = NULL
  FROM (SELECT id, last_attempt_at, last_failure FROM logout_deliveries WHERE id = $1 FOR UPDATE) b
  WHERE l.id = b.id AND l.state = 'pending'
    AND NOT (${UNDER_WAY} AND l.last_attempt_at > clock_timestamp() - make_interval(secs => $2))
  RETURNING l.id, l.attempts, l.session_uid, l.client_id, l.account_id,
    b.last_attempt_at IS NOT NULL AND (b.last_failure IS NULL OR b.last_failure IN ('${UNANSWERED.join("', '")}')) AS unanswered`;

/** No later try would do better. */
const HOPELESS = new Set(['blocked_address', 'blocked_port', 'insecure', 'bad_url', 'bad_request']);
/** Of the 4xx, those that say "later". */
const LATER = new Set([408, 425, 429]);

type Outcome = { state: 'delivered' } | { state: 'refused' | 'given_up' | 'again'; failure: string };

function judge(status: number, unanswered: boolean): Outcome {
  if (status >= 200 && status < 300) return { state: 'delivered' };
  if (status >= 500 || LATER.has(status)) return { state: 'again', failure: `http_${status}` };
  // An app that had taken it when we lost its answer refuses the same jti; which of the two it was, only it knows.
  return { state: 'refused', failure: `http_${status}${unanswered ? '_repeated' : ''}` };
}

/** The try failed and the queue makes another. */
class Undelivered extends Error {
  override readonly name = 'Undelivered';
  readonly code: string;
  constructor(code: string) {
    super('the app has not taken its logout token');
    this.code = code;
  }
}

interface LogoutParts {
  issuer: string;
  /** Seconds a request may take. */
  timeout: number;
  egress: Pick<Egress, 'request'>;
  /** The `sub` an app knows an account by. */
  subjectOf(client: typeof clients.$inferSelect, accountId: string): string;
  log: Log;
}

export function createLogouts({ issuer, timeout, egress, subjectOf, log }: LogoutParts) {
  let keySet: KeySet | null = null;

  async function send(
    op: Op,
    { id, client_id, account_id, session_uid, unanswered }: Claimed,
  ): Promise<Outcome> {
    // Of disabled apps, too: they may still have the person signed in.
    const [client] = await op.db.select().from(clients).where(eq(clients.id, client_id));
    const uri = client?.backchannelLogoutUri;
    if (!client || !uri) return { state: 'given_up', failure: 'no_uri' };
    if (!keySet) return { state: 'again', failure: 'no_key' };
    const token = await signLogoutToken(keySet, {
      issuer,
      clientId: client.id,
      alg: client.idTokenSignedResponseAlg,
      subject: subjectOf(client, account_id),
      sid: client.backchannelLogoutSessionRequired ? sidOf(session_uid, client.id) : null,
      jti: id,
    });
    try {
      const { status } = await egress.request(uri, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: `logout_token=${token}`,
        timeout,
      });
      return judge(status, unanswered);
    } catch (error) {
      if (!(error instanceof EgressError)) throw error;
      return { state: HOPELESS.has(error.reason) ? 'given_up' : 'again', failure: error.reason };
    }
  }

  /** Settles the delivery, unless another worker has; of failures only while the try is still ours. */
  async function settle(
    op: Op,
    claimed: Claimed,
    outcome: Exclude<Outcome, { state: 'again' }>,
  ): Promise<void> {
    const { id, attempts } = claimed;
    const failure = outcome.state === 'delivered' ? null : outcome.failure;
    await inTransaction(op, async (op) => {
      const settled = await op.db.$client`
        UPDATE logout_deliveries SET state = ${outcome.state}, settled_at = clock_timestamp(), last_failure = ${failure}
        WHERE id = ${id} AND state = 'pending' AND (${failure}::text IS NULL OR attempts = ${attempts})`;
      if (settled.count === 0) return;
      await write(op, [eventOf(claimed, outcome)]);
    });
    if (failure !== null) {
      log.warn({ delivery: id, client: claimed.client_id, failure }, `a logout token was ${outcome.state}`);
    }
  }

  return {
    /** Takes over a set of signing keys. */
    use(set: KeySet): void {
      keySet = set;
    },

    /** One try. Throws when there shall be another. */
    async deliver(op: Op, { id }: Job): Promise<void> {
      const [claimed] = (await op.db.$client.unsafe(CLAIM, [id, timeout + MARGIN], {
        prepare: true,
      })) as unknown as Claimed[];
      if (!claimed) {
        const [row] = await op.db.$client`SELECT state FROM logout_deliveries WHERE id = ${id}`;
        if (row?.state === 'pending') throw new Undelivered('under_way');
        return;
      }
      const outcome = await send(op, claimed);
      if (outcome.state !== 'again') return settle(op, claimed, outcome);
      if (claimed.attempts >= TRIES) return settle(op, claimed, { ...outcome, state: 'given_up' });
      await op.db.$client`
        UPDATE logout_deliveries SET last_failure = ${outcome.failure}
        WHERE id = ${id} AND state = 'pending' AND attempts = ${claimed.attempts}`;
      throw new Undelivered(outcome.failure);
    },
  };
}

export type Logouts = ReturnType<typeof createLogouts>;

function eventOf(row: Claimed, outcome: Exclude<Outcome, { state: 'again' }>): Entry {
  const { attempts } = row;
  if (outcome.state === 'delivered') return entry('logout.delivered', aboutOf(row), { attempts });
  const { failure } = outcome;
  if (outcome.state === 'refused') return entry('logout.refused', aboutOf(row), { failure });
  return entry('logout.givenUp', aboutOf(row), { failure, attempts });
}
