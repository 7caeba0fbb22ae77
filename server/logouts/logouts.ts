// Tells the apps of ended sessions that they have ended (OpenID Connect Back-Channel Logout 1.0): one logout token per
// delivery, sent by the queue until the app has answered (P6, R52).
//
// A try is claimed in the row before it is made, by a lease of a few seconds: no two workers send one delivery at the
// same time, and none is sent once it is settled. A worker that dies after sending leaves the outcome unknown: the next
// try says the same `jti`, by which an app knows what it has done already.
import { inTransaction } from '../../drizzle/database.ts';
import { eq } from '../../drizzle/orm.ts';
import { clients } from '../../drizzle/schema/clients.ts';
import { type Entry, entry, write } from '../audit/audit.ts';
import { type Egress, EgressError } from '../egress/egress.ts';
import type { KeySet } from '../keys/keys.ts';
import type { Log } from '../lib/log.ts';
import type { Op } from '../lib/op.ts';
import { type AboutRow, aboutOf, type Job, TRIES } from './deliveries.ts';
import { sidOf, signLogoutToken } from './token.ts';

export { deliveries, type EndedSession, list, rescue, retry, STATES, tell } from './deliveries.ts';
export { sidOf };

/** Seconds beyond the longest request in which a worker notes what came of it. */
const MARGIN = 10;

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
