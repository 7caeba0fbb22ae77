// Tells the apps of ended sessions that they have ended (OpenID Connect Back-Channel Logout 1.0): one logout token per
// delivery, sent by the queue until the app has answered (P6, R52).
//
// No two workers send one delivery at the same time, and none is sent once it is settled (server/jobs/tries.ts). A worker
// that dies after sending leaves the outcome unknown: the next try says the same `jti`, by which an app knows what it
// has done already.
import { eq } from '../../drizzle/orm.ts';
import { clients } from '../../drizzle/schema/clients.ts';
import { type Entry, entry, write } from '../audit/audit.ts';
import { type Egress, EgressError } from '../egress/egress.ts';
import type { Outcome, Settled, Try } from '../jobs/tries.ts';
import type { KeySet } from '../keys/keys.ts';
import type { Log } from '../lib/log.ts';
import type { Op } from '../lib/op.ts';
import { type AboutRow, aboutOf, type Job, tries } from './deliveries.ts';
import { sidOf, signLogoutToken } from './token.ts';

export { deliveries, type EndedSession, list, rescue, retry, STATES, tell } from './deliveries.ts';
export { sidOf };

/** Seconds beyond the longest request in which a worker notes what came of it. */
const MARGIN = 10;

type Claimed = AboutRow & Try;
type Outcomes = 'delivered' | 'refused' | 'given_up';

/** No later try would do better. */
const HOPELESS = new Set(['blocked_address', 'blocked_port', 'insecure', 'bad_url', 'bad_request']);
/** Of the 4xx, those that say "later". */
const LATER = new Set([408, 425, 429]);

function judge(status: number, unanswered: boolean): Outcome<Outcomes> {
  if (status >= 200 && status < 300) return { state: 'delivered', failure: null };
  if (status >= 500 || LATER.has(status)) return { state: 'again', failure: `http_${status}` };
  // An app that had taken it when we lost its answer refuses the same jti; which of the two it was, only it knows.
  return { state: 'refused', failure: `http_${status}${unanswered ? '_repeated' : ''}` };
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
  ): Promise<Outcome<Outcomes>> {
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

  return {
    /** Takes over a set of signing keys. */
    use(set: KeySet): void {
      keySet = set;
    },

    /** One try. Throws when there shall be another. */
    async deliver(op: Op, { id }: Job): Promise<void> {
      const done = await tries.work(op, id, {
        seconds: timeout + MARGIN,
        attempt: (row) => send(op, row),
        noted: (op, row, settled) => write(op, [eventOf(row, settled)]),
      });
      if (!done || done.settled.failure === null) return;
      const { failure, state } = done.settled;
      log.warn({ delivery: id, client: done.client_id, failure }, `a logout token was ${state}`);
    },
  };
}

export type Logouts = ReturnType<typeof createLogouts>;

function eventOf(row: Claimed, { state, failure }: Settled<Outcomes>): Entry {
  const { attempts } = row;
  if (failure === null) return entry('logout.delivered', aboutOf(row), { attempts });
  if (state === 'refused') return entry('logout.refused', aboutOf(row), { failure });
  return entry('logout.givenUp', aboutOf(row), { failure, attempts });
}
