// A sign-in under way, between the app's request and the answer: a state machine in one row (R42, R43).
//
//   begun ──proved(password)──▶ proved ──finish──▶ finished ──resume──▶ taken
//     ├──────────consented────────────────finish──▶    │                  (once: compare-and-set)
//     └──────────abandoned────────────────finish──▶────┘
//
// Every step locks the row and reads the state from it: nothing that was posted decides who somebody is. A step
// is taken only by the browser that began (its cookie's hash is on the row), whatever other tabs it has open.
// `nextStep` is the one place that decides what comes next; only `finish` tells the library.
import { inTransaction } from '../../drizzle/database.ts';
import type { Op } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';
import { sameDigest, sha256 } from '../lib/secrets.ts';
import { DEVICE_PAGE } from './device.ts';
import { ACCOUNT_COLUMNS, type AccountRow, accountOf, momentOf, run } from './rows.ts';

type Params = Record<string, string | undefined>;

export interface Interaction {
  uid: string;
  prompt: string;
  clientId: string;
  /** A device waits for the answer; no app is behind this browser. */
  device: boolean;
  /** The authorization request's parameters, as the library accepted them. */
  params: Params;
  /** What the prompt is about: missing scopes and claims of a consent. */
  details: Record<string, unknown>;
  /** The browser session at the time of the request. */
  session: { uid: string; accountId: string } | null;
  /** Who proved to be here, in this interaction; null also when that account has since been disabled. */
  account: AccountRow | null;
  passwordAt: Date | null;
  finished: boolean;
  /** Where the library takes over again. */
  returnTo: string;
  /** A sign-in that an earlier prompt of this same request established (R44). */
  lastLogin: Record<string, unknown> | null;
}

export type Step = 'password' | 'consent' | 'finish' | 'resume';

/** What the person is asked next, from stored state alone. */
export function nextStep(state: Pick<Interaction, 'prompt' | 'finished' | 'account' | 'passwordAt'>): Step {
  if (state.finished) return 'resume';
  if (state.prompt === 'consent') return 'consent';
  return state.account && state.passwordAt ? 'finish' : 'password';
}

/** An interaction that cannot go on, and where its person can go instead. */
export class InteractionOver extends Problem {
  readonly kind: 'expired' | 'finished' | 'otherBrowser';
  readonly continueTo: { clientId: string; href: string } | null;
  constructor(kind: InteractionOver['kind'], continueTo: InteractionOver['continueTo']) {
    super(`interaction.${kind}`);
    this.kind = kind;
    this.continueTo = continueTo;
  }
}

const LOAD = `SELECT i.client_id, i.prompt, i.payload, i.browser_hash,
  i.taken_at IS NOT NULL AS taken, i.expires_at <= $2::timestamptz AS expired, i.finished_at IS NOT NULL AS finished,
  extract(epoch FROM i.password_at)::float8 AS password_at, ${ACCOUNT_COLUMNS}
  FROM interactions i LEFT JOIN accounts a ON a.id = i.account_id AND a.epoch = i.account_epoch AND a.disabled_at IS NULL
  WHERE i.uid_hash = $1`;
/**
 * A statement of its own, before the read: one that waits for the lock and joins in the same breath joins by what it saw
 * before it waited, and would not know the account another tab has proved meanwhile.
 */
const LOCK = 'SELECT 1 FROM interactions WHERE uid_hash = $1 FOR UPDATE';
const PROVE = `UPDATE interactions SET account_id = $2, account_epoch = $3, password_at = $4::timestamptz WHERE uid_hash = $1`;
const ASK_AGAIN = `UPDATE interactions SET prompt = 'login', account_id = NULL, account_epoch = NULL, password_at = NULL
  WHERE uid_hash = $1 AND finished_at IS NULL`;
const FINISH = `UPDATE interactions SET payload = jsonb_set(payload, '{result}', $2::text::jsonb), finished_at = $3::timestamptz
  WHERE uid_hash = $1`;
const SESSION_STANDS = `SELECT a.epoch FROM sessions s
  JOIN accounts a ON a.id = s.account_id AND a.epoch = s.account_epoch AND a.disabled_at IS NULL
  WHERE s.uid = $1 AND s.account_id = $2 AND s.ended_at IS NULL AND s.expires_at > $3::timestamptz`;

/** The authorization request anew: for a person who comes back to a page that is over. */
function restart(params: Params): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    // Of all parameters `resource` alone may come several times.
    for (const one of [value ?? []].flat()) query.append(name, String(one));
  }
  return `/oauth2/authorize?${query}`;
}

/**
 * Reads an interaction for the browser that began it. Throws InteractionOver: another browser (which learns
 * nothing), expired, or completed; the latter two say where to go on.
 */
export async function load(
  op: Op,
  uid: string,
  browserHash: Buffer | null,
  lock = false,
): Promise<Interaction> {
  const hash = sha256(uid);
  const locking = lock ? run(op.db, LOCK, [hash]) : null;
  const [[row]] = await Promise.all([run(op.db, LOAD, [hash, op.now.toISOString()]), locking]);
  if (!row) throw new InteractionOver('expired', null);
  const owner = row.browser_hash as Buffer | null;
  if (!owner || !browserHash || !sameDigest(owner, browserHash))
    throw new InteractionOver('otherBrowser', null);
  const payload = row.payload as {
    params?: Params;
    prompt?: { details?: Record<string, unknown> };
    session?: { uid?: string; accountId?: string };
    returnTo: string;
    deviceCode?: string;
    lastSubmission?: { login?: Record<string, unknown> };
  };
  const params = payload.params ?? {};
  const clientId = row.client_id as string;
  const device = payload.deviceCode !== undefined;
  const href = beginAgain({ params, device });
  if (row.taken) throw new InteractionOver('finished', { clientId, href });
  if (row.expired) throw new InteractionOver('expired', { clientId, href });
  const { session } = payload;
  return {
    uid,
    prompt: row.prompt as string,
    clientId,
    device,
    params,
    details: payload.prompt?.details ?? {},
    session: session?.uid && session.accountId ? { uid: session.uid, accountId: session.accountId } : null,
    account: row.a_id === null ? null : accountOf(row),
    passwordAt: momentOf(row.password_at),
    finished: row.finished as boolean,
    returnTo: payload.returnTo,
    lastLogin: payload.lastSubmission?.login ?? null,
  };
}

/** Runs `work` with the interaction locked, in one transaction. */
export const locked = <T>(
  op: Op,
  uid: string,
  browserHash: Buffer,
  work: (op: Op, state: Interaction) => Promise<T>,
): Promise<T> => inTransaction(op, async (op) => work(op, await load(op, uid, browserHash, true)));

/** The password of `account` was right at `op.now`. A second tab that was faster is no error. */
export async function proved(
  op: Op,
  state: Interaction,
  account: { id: string; epoch: number },
): Promise<void> {
  if (nextStep(state) !== 'password') return;
  await run(op.db, PROVE, [sha256(state.uid), account.id, account.epoch, op.now.toISOString()]);
}

export type Answer =
  | { kind: 'signedIn'; acr: string; amr: string[] }
  | { kind: 'consented'; grantId: string }
  | { kind: 'abandoned'; why: string };

/**
 * Completes an interaction and answers where the browser goes on. A second call finds it finished and answers
 * the same place: a double click is no error, and the resume itself is single-use.
 */
export async function finish(op: Op, state: Interaction, answer: Answer): Promise<string> {
  if (!state.finished) {
    await run(op.db, FINISH, [
      sha256(state.uid),
      JSON.stringify(resultOf(state, answer)),
      op.now.toISOString(),
    ]);
  }
  return state.returnTo;
}

function resultOf(state: Interaction, answer: Answer): object {
  if (answer.kind === 'abandoned') return { error: 'access_denied', error_description: answer.why };
  if (answer.kind === 'signedIn') {
    const { account, passwordAt } = state;
    if (!account || !passwordAt)
      throw new Error('an interaction without a proved account cannot finish as signed in');
    // ts is the time of the credential check: auth_time tells the truth (R44).
    const ts = Math.floor(passwordAt.getTime() / 1000);
    return { login: { accountId: account.id, acr: answer.acr, amr: answer.amr, ts, remember: false } };
  }
  // A sign-in earlier in this same request still satisfies prompt=login and max_age; nothing else carries over.
  const login =
    state.session && state.lastLogin?.accountId === state.session.accountId ? state.lastLogin : null;
  return { ...(login ? { login } : {}), consent: { grantId: answer.grantId } };
}

/** The epoch of the consenting session's account, or null when that session is over or somebody else's. */
export async function sessionEpoch(
  op: Op,
  session: { uid: string; accountId: string },
): Promise<number | null> {
  const [row] = await run(op.db, SESSION_STANDS, [session.uid, session.accountId, op.now.toISOString()]);
  return row ? (row.epoch as number) : null;
}

/** The same authorization request from its start. A device cannot be asked from here: its person enters its code anew. */
export const beginAgain = ({ params, device }: Pick<Interaction, 'params' | 'device'>): string =>
  device ? DEVICE_PAGE : restart(params);

/** Asks who signs in, in the middle of an interaction: what was pushed, signed or taken cannot begin again. */
export async function askAgain(op: Op, state: Interaction): Promise<void> {
  if (!state.finished) await run(op.db, ASK_AGAIN, [sha256(state.uid)]);
}
