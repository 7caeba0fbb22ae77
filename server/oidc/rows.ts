// The adapter's statements. Each token read joins everything the token's life depends on, so that one round trip
// on the primary decides: the account stands in the same epoch, the grant stands, the session stands (R20, R33).
// Texts are constant, so postgres.js prepares each once per connection.
import type { Database } from '../../drizzle/database.ts';

export interface AccountRow {
  id: string;
  email: string;
  emailVerifiedAt: Date | null;
  name: string | null;
  claims: Record<string, unknown>;
  epoch: number;
  updatedAt: Date;
}

export type Parameter = string | number | boolean | null | Buffer;
export type Row = Record<string, unknown>;

/** What broke a transaction: to every later statement PostgreSQL only says that it is broken (25P02). */
const broken = new WeakMap<Database, unknown>();

/** Runs one of the constant texts of this room, prepared. A broken transaction rejects with what broke it. */
export async function run(db: Database, text: string, parameters: Parameter[]): Promise<Row[]> {
  try {
    return (await db.$client.unsafe(text, parameters, { prepare: true })) as unknown as Row[];
  } catch (error) {
    if (!db.inTransaction) throw error;
    if (!broken.has(db)) broken.set(db, error);
    throw broken.get(db);
  }
}

/** What broke this transaction, whoever caught it: its commit is a rollback, of which PostgreSQL says nothing. */
export const brokenBy = (db: Database): unknown => broken.get(db);

export const ACCOUNT_COLUMNS = `
  a.id AS a_id, a.email AS a_email, extract(epoch FROM a.email_verified_at)::float8 AS a_email_verified_at,
  a.name AS a_name, a.claims AS a_claims, a.epoch AS a_epoch, extract(epoch FROM a.updated_at)::float8 AS a_updated_at`;

/** From extract(epoch FROM …)::float8. */
export const momentOf = (value: unknown): Date | null =>
  value === null ? null : new Date((value as number) * 1000);

export const accountOf = (row: Row): AccountRow => ({
  id: row.a_id as string,
  email: row.a_email as string,
  emailVerifiedAt: momentOf(row.a_email_verified_at),
  name: row.a_name as string | null,
  claims: row.a_claims as Record<string, unknown>,
  epoch: row.a_epoch as number,
  updatedAt: momentOf(row.a_updated_at) as Date,
});

export const FIND_ACCOUNT = `SELECT ${ACCOUNT_COLUMNS} FROM accounts a WHERE a.id = $1 AND a.disabled_at IS NULL`;

const TOKEN_COLUMNS = `
  t.account_id, t.account_epoch, t.client_id, t.grant_id, t.session_uid, t.session_bound, t.payload,
  extract(epoch FROM t.created_at)::int AS iat, extract(epoch FROM t.expires_at)::int AS exp,
  g.payload AS g_payload, extract(epoch FROM g.created_at)::int AS g_iat, extract(epoch FROM g.expires_at)::int AS g_exp,
  g.client_id AS g_client_id, s.uid AS s_uid, s.payload->'authorizations' AS s_authorizations,
  extract(epoch FROM s.expires_at)::int AS s_exp, ${ACCOUNT_COLUMNS}`;

/**
 * Compared with IS NOT DISTINCT FROM, which no index serves: with `=` a plan made for small tables goes through all
 * sessions of the account, instead of to the one.
 */
const TOKEN_LIFE = `
  JOIN accounts a ON a.id = t.account_id AND a.epoch = t.account_epoch AND a.disabled_at IS NULL
  JOIN grants g ON g.id = t.grant_id AND g.account_id IS NOT DISTINCT FROM t.account_id AND g.revoked_at IS NULL
    AND g.account_epoch = a.epoch
  LEFT JOIN sessions s ON s.uid = t.session_uid AND s.account_id IS NOT DISTINCT FROM t.account_id AND s.ended_at IS NULL
    AND s.expires_at > $2::timestamptz
  WHERE t.id_hash = $1 AND (s.uid IS NOT NULL OR NOT t.session_bound)`;

/** The library gives its own tokens the clock tolerance it grants to those of others: they end on time here. */
export const FIND_ACCESS_TOKEN = `SELECT ${TOKEN_COLUMNS} FROM access_tokens t ${TOKEN_LIFE}
  AND t.expires_at > $2::timestamptz AND g.expires_at > $2::timestamptz`;
/**
 * Of a session that has ended, also a code for offline_access opens nothing: its app has been told of that end, and would
 * sign somebody in afterwards. A spent one is found, for its reuse is theft.
 */
export const FIND_CODE = `SELECT ${TOKEN_COLUMNS}, t.consumed_at IS NOT NULL AS consumed FROM authorization_codes t ${TOKEN_LIFE}
  AND (s.uid IS NOT NULL OR t.session_uid IS NULL OR t.consumed_at IS NOT NULL)`;
/** The same for a device; of one that nobody has answered, none of it can have ended. */
export const FIND_DEVICE_CODE = `SELECT ${TOKEN_COLUMNS}, t.consumed_at IS NOT NULL AS consumed, t.denied_at IS NOT NULL AS denied
  FROM device_codes t
  LEFT JOIN accounts a ON a.id = t.account_id AND a.epoch = t.account_epoch AND a.disabled_at IS NULL
  LEFT JOIN grants g ON g.id = t.grant_id AND g.account_id IS NOT DISTINCT FROM a.id AND g.revoked_at IS NULL
    AND g.account_epoch = a.epoch
  LEFT JOIN sessions s ON s.uid = t.session_uid AND s.account_id IS NOT DISTINCT FROM t.account_id AND s.ended_at IS NULL
    AND s.expires_at > $2::timestamptz
  WHERE t.id_hash = $1 AND (t.account_id IS NULL OR (g.id IS NOT NULL
    AND (s.uid IS NOT NULL OR (NOT t.session_bound AND t.consumed_at IS NOT NULL))))`;
export const FIND_REFRESH_TOKEN = `SELECT ${TOKEN_COLUMNS}, t.consumed_at IS NOT NULL AS consumed, t.successor_sealed,
  t.replay_until > clock_timestamp() AS in_window,
  (SELECT n.consumed_at IS NULL FROM refresh_tokens n WHERE n.id_hash = t.successor_hash) AS successor_fresh
  FROM refresh_tokens t ${TOKEN_LIFE}`;

const TOKEN_INSERT = `(id_hash, account_id, account_epoch, client_id, grant_id, session_uid, session_bound, created_at,
  expires_at, payload) VALUES ($1, $2, $3, $4, $5, $6, $7, to_timestamp($8), to_timestamp($9), $10::text::jsonb)`;

export const INSERT_CODE = `INSERT INTO authorization_codes ${TOKEN_INSERT}`;
export const INSERT_ACCESS_TOKEN = `INSERT INTO access_tokens ${TOKEN_INSERT}`;
export const INSERT_REFRESH_TOKEN = `INSERT INTO refresh_tokens ${TOKEN_INSERT}`;
/** The successor and its seal on the token it replaces, in one round trip. Its window is measured by one clock. */
export const INSERT_SUCCESSOR = `WITH successor AS (INSERT INTO refresh_tokens ${TOKEN_INSERT})
  UPDATE refresh_tokens SET successor_hash = $1, successor_sealed = $12::bytea,
    replay_until = CASE WHEN $12::bytea IS NULL THEN NULL ELSE clock_timestamp() + make_interval(secs => $13) END
  WHERE id_hash = $11`;

/**
 * Uses and revocations of one grant's tokens queue up at the grant's row, before any lock on a token: those who
 * lose a race revoke, and without one first lock for all they would wait for each other (40P01).
 */
const consume = (table: string) => `WITH g AS MATERIALIZED (
    SELECT id FROM grants WHERE id = $3 AND revoked_at IS NULL FOR UPDATE)
  UPDATE ${table} t SET consumed_at = $2::timestamptz FROM g
  WHERE t.id_hash = $1 AND t.grant_id = g.id AND t.consumed_at IS NULL RETURNING 1`;
export const CONSUME_CODE = consume('authorization_codes');
export const CONSUME_DEVICE_CODE = consume('device_codes');
export const CONSUME_REFRESH_TOKEN = consume('refresh_tokens');
export const DELETE_ACCESS_TOKEN = 'DELETE FROM access_tokens WHERE id_hash = $1';
export const DELETE_CODE = 'DELETE FROM authorization_codes WHERE id_hash = $1';
/** A spent token stays until its family is purged: without it a later reuse would look like a typing error. */
export const DELETE_REFRESH_TOKEN = 'DELETE FROM refresh_tokens WHERE id_hash = $1 AND consumed_at IS NULL';

export const LOCK_GRANT = 'SELECT 1 FROM grants WHERE id = $1 FOR UPDATE';
export const DELETE_TOKENS_OF_GRANT = `WITH a AS (DELETE FROM access_tokens WHERE grant_id = $1),
  c AS (DELETE FROM authorization_codes WHERE grant_id = $1),
  d AS (DELETE FROM device_codes WHERE grant_id = $1)
  DELETE FROM refresh_tokens WHERE grant_id = $1`;
export const REVOKE_GRANT = `UPDATE grants SET revoked_at = $2::timestamptz, revoke_reason = $3
  WHERE id = $1 AND revoked_at IS NULL`;

export const FIND_GRANT = `SELECT g.payload AS g_payload, extract(epoch FROM g.created_at)::int AS g_iat,
  extract(epoch FROM g.expires_at)::int AS g_exp, g.client_id AS g_client_id, g.account_id, ${ACCOUNT_COLUMNS}
  FROM grants g JOIN accounts a ON a.id = g.account_id AND a.epoch = g.account_epoch AND a.disabled_at IS NULL
  WHERE g.id = $1 AND g.revoked_at IS NULL`;

const SESSION_COLUMNS = `s.uid, s.account_id, s.payload, extract(epoch FROM s.login_at)::int AS login_ts,
  extract(epoch FROM s.created_at)::int AS iat, extract(epoch FROM s.expires_at)::int AS exp, ${ACCOUNT_COLUMNS}`;
const SESSION_LIFE = `LEFT JOIN accounts a ON a.id = s.account_id AND a.epoch = s.account_epoch AND a.disabled_at IS NULL
  WHERE s.ended_at IS NULL AND s.expires_at > $2::timestamptz AND (s.account_id IS NULL OR a.id IS NOT NULL)`;
export const FIND_SESSION = `SELECT ${SESSION_COLUMNS} FROM sessions s ${SESSION_LIFE} AND s.id_hash = $1`;
export const FIND_SESSION_BY_UID = `SELECT ${SESSION_COLUMNS} FROM sessions s ${SESSION_LIFE} AND s.uid = $1`;

/** Our own pages use a session, too: its idle limit begins anew, written now and then rather than at every look. */
export const TOUCH_SESSION = `UPDATE sessions SET last_seen_at = $2::timestamptz,
    expires_at = least($2::timestamptz + make_interval(secs => $3), login_at + make_interval(secs => $4))
  WHERE uid = $1 AND ended_at IS NULL AND expires_at > $2::timestamptz
    AND last_seen_at < $2::timestamptz - make_interval(secs => least(60, $3::float8 / 4))`;

/** A new session: nobody else knows its uid yet. */
export const INSERT_SESSION = `INSERT INTO sessions (uid, id_hash, account_id, account_epoch, login_at, created_at,
    last_seen_at, expires_at, address, user_agent, payload)
  VALUES ($1, $2, $3::uuid, $4::int, to_timestamp($5::float8), $6::timestamptz, $6::timestamptz, to_timestamp($7), $8::inet, $9,
    $10::text::jsonb)
  RETURNING true AS current`;
/**
 * Sessions are saved whole by the library, last write wins. Three things must not be lost that way: a tombstone
 * (an ended session stays ended, R16), apps another request of the same session has added meanwhile (R17), and
 * the identifier and sign-in another request has given it: only who took the old identifier ($12) sets a new one.
 * Not as the conflict branch of the insert: between parallel updates that can miss the row, and then fails on the
 * other unique column.
 */
export const SAVE_SESSION = `UPDATE sessions AS s SET id_hash = CASE WHEN $12::boolean THEN $2::bytea ELSE s.id_hash END,
    account_id = $3::uuid, account_epoch = $4::int, login_at = greatest(s.login_at, to_timestamp($5::float8)),
    last_seen_at = $6::timestamptz, expires_at = to_timestamp($7), address = $8::inet, user_agent = $9,
    ended_at = NULL, end_reason = NULL,
    payload = CASE WHEN $11::boolean THEN jsonb_set(
        CASE WHEN $12::boolean OR s.id_hash = $2::bytea THEN $10::text::jsonb ELSE s.payload END, '{authorizations}',
        coalesce(s.payload->'authorizations', '{}') || coalesce($10::text::jsonb->'authorizations', '{}'))
      ELSE $10::text::jsonb END
  WHERE s.uid = $1 AND (s.ended_at IS NULL OR $12::boolean) AND (s.account_id IS NULL OR s.account_id = $3::uuid)
  RETURNING id_hash = $2::bytea AS current`;
export const END_SESSION = `UPDATE sessions SET ended_at = $2::timestamptz, end_reason = 'logout'
  WHERE id_hash = $1 AND ended_at IS NULL RETURNING uid, account_id`;

/** Only for the browser that began: the resume cookie alone, which a sibling host could set, resumes nothing (R43). */
export const FIND_INTERACTION = `SELECT i.payload, i.account_id, extract(epoch FROM i.created_at)::int AS iat,
  extract(epoch FROM i.expires_at)::int AS exp, ${ACCOUNT_COLUMNS}
  FROM interactions i
  LEFT JOIN accounts a ON a.id = i.account_id AND a.epoch = i.account_epoch AND a.disabled_at IS NULL
  WHERE i.uid_hash = $1 AND i.taken_at IS NULL AND i.expires_at > $2::timestamptz AND i.browser_hash = $3`;
export const SAVE_INTERACTION = `INSERT INTO interactions AS i (uid_hash, client_id, browser_hash, prompt, payload,
    created_at, expires_at)
  VALUES ($1, $2, $3, $4, $5::text::jsonb, $6::timestamptz, to_timestamp($7))
  ON CONFLICT (uid_hash) DO UPDATE SET payload = excluded.payload WHERE i.taken_at IS NULL`;
export const TAKE_INTERACTION = `UPDATE interactions SET taken_at = $2::timestamptz
  WHERE uid_hash = $1 AND taken_at IS NULL RETURNING 1`;

export const SPEND_REPLAY = `INSERT INTO replay_detections (id_hash, expires_at) VALUES ($1, to_timestamp($2))
  ON CONFLICT (id_hash) DO NOTHING RETURNING 1`;
