// What the protocol stores. Identifiers that are credentials are kept as SHA-256 only (R18); what is compared,
// joined or expired is a column (R19); `payload` holds the rest of the library's model, without its id.
//
// Everything issued in a person's name carries the account's epoch at the time of the sign-in it descends
// from. A row is alive only while its account has that epoch and is not disabled, its grant stands and, where
// it is bound to one, its session stands. The adapter's reads join all of that in one statement.
import { pg, sql } from '../orm.ts';
import { bytea, inet, moment, privacy } from './columns.ts';

type Payload = Record<string, unknown>;
const payload = () => pg.jsonb().$type<Payload>().notNull();

/** Browser sessions. An ended one stays as a tombstone until nothing issued in it can live any more (R16). */
export const sessions = pg.pgTable(
  'sessions',
  {
    /** The library's session uid: a name, not a credential. */
    uid: pg.text().primaryKey(),
    idHash: bytea().notNull().unique(),
    /** Null: nobody is signed in (the library keeps state for logout forms). */
    accountId: pg.uuid(),
    accountEpoch: pg.integer(),
    /** Time of the last credential check: auth_time. The absolute limit counts from here. */
    loginAt: moment(),
    createdAt: moment().notNull(),
    lastSeenAt: moment().notNull(),
    /** The earlier of idle and absolute limit. */
    expiresAt: moment().notNull(),
    endedAt: moment(),
    endReason: pg.text(),
    address: inet(),
    userAgent: pg.text(),
    payload: payload(),
  },
  (t) => [
    pg.index().on(t.accountId),
    pg.index().on(t.expiresAt),
    // What is looked through every half minute for sessions that have just ended.
    pg.index('sessions_alive').on(t.expiresAt).where(sql`ended_at IS NULL AND account_id IS NOT NULL`),
  ],
);

/**
 * A sign-in under way. The library writes `payload`; the rest is our state machine (server/oidc/interactions.ts).
 * Taken once: the resume deletes nothing but sets `takenAt` by compare-and-set, so that a late tab can be helped.
 */
export const interactions = pg.pgTable(
  'interactions',
  {
    uidHash: bytea().primaryKey(),
    clientId: pg.text(),
    /** SHA-256 of the browser cookie that started it; steps are refused to any other browser. */
    browserHash: bytea(),
    prompt: pg.text().notNull(),
    payload: payload(),
    createdAt: moment().notNull(),
    expiresAt: moment().notNull(),
    takenAt: moment(),
    /** Who proved to be here in this interaction, and under which epoch; null before the first factor. */
    accountId: pg.uuid(),
    accountEpoch: pg.integer(),
    passwordAt: moment(),
    /** Set when the person answered: the state is complete and only waits for the resume. */
    finishedAt: moment(),
  },
  (t) => [pg.index().on(t.expiresAt), pg.index().on(t.accountId)],
);

/** What one client may have of one account. Every token hangs on it; revoking it kills them all at once (R20). */
export const grants = pg.pgTable(
  'grants',
  {
    id: pg.text().primaryKey(),
    accountId: pg.uuid().notNull(),
    accountEpoch: pg.integer().notNull(),
    clientId: pg.text().notNull(),
    sessionUid: pg.text(),
    createdAt: moment().notNull(),
    expiresAt: moment().notNull(),
    revokedAt: moment(),
    revokeReason: pg.text(),
    payload: payload(),
  },
  (t) => [
    // One live grant per session and client: parallel requests share it, and the library ties tokens to it.
    pg.uniqueIndex('grants_of_session').on(t.sessionUid, t.clientId).where(sql`revoked_at IS NULL`),
    pg.index().on(t.accountId),
    pg.index().on(t.clientId),
    pg.index().on(t.expiresAt),
  ],
);

const token = () => ({
  idHash: bytea().primaryKey(),
  accountId: pg.uuid().notNull(),
  accountEpoch: pg.integer().notNull(),
  clientId: pg.text().notNull(),
  grantId: pg.text().notNull(),
  sessionUid: pg.text(),
  /** Dies with the session (anything without offline_access). */
  sessionBound: pg.boolean().notNull(),
  createdAt: moment().notNull(),
  expiresAt: moment().notNull(),
  payload: payload(),
});

export const authorizationCodes = pg.pgTable(
  'authorization_codes',
  { ...token(), consumedAt: moment() },
  (t) => [
    pg.index().on(t.grantId),
    pg.index().on(t.accountId),
    pg.index().on(t.sessionUid),
    pg.index().on(t.expiresAt),
  ],
);

export const accessTokens = pg.pgTable('access_tokens', token(), (t) => [
  pg.index().on(t.grantId),
  pg.index().on(t.accountId),
  pg.index().on(t.sessionUid),
  pg.index().on(t.expiresAt),
]);

export const refreshTokens = pg.pgTable(
  'refresh_tokens',
  {
    ...token(),
    consumedAt: moment(),
    /** The one token that replaced this one. */
    successorHash: bytea(),
    /** Its value, sealed under a key only the old token's value yields; erased with the window (P3). */
    successorSealed: bytea(),
    replayUntil: moment(),
  },
  (t) => [
    pg.index().on(t.grantId),
    pg.index().on(t.accountId),
    pg.index().on(t.sessionUid),
    pg.index().on(t.expiresAt),
    // What the purge erases when the window is over.
    pg.index('refresh_tokens_sealed').on(t.replayUntil).where(sql`successor_sealed IS NOT NULL`),
  ],
);

/** Access tokens an app holds in its own name (client_credentials): no person, no grant, no session. */
export const clientTokens = pg.pgTable(
  'client_tokens',
  {
    idHash: bytea().primaryKey(),
    clientId: pg.text().notNull(),
    createdAt: moment().notNull(),
    expiresAt: moment().notNull(),
    payload: payload(),
  },
  (t) => [pg.index().on(t.clientId), pg.index().on(t.expiresAt)],
);

/**
 * Devices that wait for a person (RFC 8628); server/oidc/device.ts moves them.
 *
 *   waiting ──code confirmed──▶ taken (inFlightAt) ──signed in, allowed──▶ answered (accountId) ──polled──▶ consumed
 *      └────────────────────────────┴──refused──▶ refused (deniedAt)
 */
export const deviceCodes = pg.pgTable(
  'device_codes',
  {
    idHash: bytea().primaryKey(),
    /** SHA-256 of the normalised code that a person types: twenty letters to the eighth, short-lived. */
    userCodeHash: bytea().notNull().unique('device_codes_user_code'),
    clientId: pg.text().notNull(),
    accountId: pg.uuid(),
    accountEpoch: pg.integer(),
    grantId: pg.text(),
    sessionUid: pg.text(),
    sessionBound: pg.boolean().notNull().default(false),
    createdAt: moment().notNull(),
    expiresAt: moment().notNull(),
    inFlightAt: moment(),
    deniedAt: moment(),
    consumedAt: moment(),
    polledAt: moment(),
    /** Seconds the device has to wait between two polls; grows when it does not (RFC 8628 3.5). */
    pollInterval: pg.integer().notNull(),
    payload: payload(),
  },
  (t) => [pg.index().on(t.grantId), pg.index().on(t.accountId), pg.index().on(t.expiresAt)],
);

/** Pushed authorization requests (RFC 9126): each is used once. */
export const pushedRequests = pg.pgTable(
  'pushed_requests',
  {
    idHash: bytea().primaryKey(),
    clientId: pg.text(),
    createdAt: moment().notNull(),
    expiresAt: moment().notNull(),
    consumedAt: moment(),
    payload: payload(),
  },
  (t) => [pg.index().on(t.expiresAt)],
);

/**
 * What each app of an ended session was told (OIDC Back-Channel Logout 1.0): one row per session and app, made in the
 * transaction that ended the session. The row's id is the logout token's `jti`, so that a delivery repeated after a
 * crash is recognised as the same one.
 */
export const logoutDeliveries = pg.pgTable(
  'logout_deliveries',
  {
    id: pg.uuid().primaryKey(),
    sessionUid: pg.text().notNull(),
    clientId: pg.text().notNull(),
    accountId: pg.uuid().notNull(),
    /** Why the session ended. */
    reason: pg.text().notNull(),
    /** pending: will be tried (again). refused: the app answered 4xx. given_up: out of tries, or not deliverable. */
    state: pg.text().$type<'pending' | 'delivered' | 'refused' | 'given_up'>().notNull().default('pending'),
    attempts: pg.integer().notNull().default(0),
    createdAt: moment().notNull(),
    lastAttemptAt: moment(),
    settledAt: moment(),
    /** Status code or reason of the last failure; no text of the other side. */
    lastFailure: pg.text(),
  },
  (t) => [
    pg.uniqueIndex('logout_deliveries_once').on(t.sessionUid, t.clientId),
    pg.index().on(t.clientId, t.createdAt),
    pg.index().on(t.createdAt),
  ],
);

/** Spent one-time identifiers of others (assertion and proof `jti`): the unique insert is the check (R13). */
export const replayDetections = pg.pgTable(
  'replay_detections',
  { idHash: bytea().primaryKey(), expiresAt: moment().notNull() },
  (t) => [pg.index().on(t.expiresAt)],
);

const tokenClasses = {
  idHash: 'secret',
  accountId: 'pseudonym',
  accountEpoch: 'none',
  clientId: 'personal',
  grantId: 'pseudonym',
  sessionUid: 'pseudonym',
  sessionBound: 'none',
  createdAt: 'personal',
  expiresAt: 'none',
  payload: 'secret',
} as const;

export const oidcPrivacy = [
  privacy(sessions, {
    uid: 'pseudonym',
    idHash: 'secret',
    accountId: 'pseudonym',
    accountEpoch: 'none',
    loginAt: 'personal',
    createdAt: 'personal',
    lastSeenAt: 'personal',
    expiresAt: 'none',
    endedAt: 'personal',
    endReason: 'personal',
    address: 'personal',
    userAgent: 'personal',
    payload: 'secret',
  }),
  privacy(interactions, {
    uidHash: 'secret',
    clientId: 'personal',
    browserHash: 'secret',
    prompt: 'none',
    payload: 'secret',
    createdAt: 'none',
    expiresAt: 'none',
    takenAt: 'none',
    accountId: 'pseudonym',
    accountEpoch: 'none',
    passwordAt: 'none',
    finishedAt: 'none',
  }),
  privacy(grants, {
    id: 'pseudonym',
    accountId: 'pseudonym',
    accountEpoch: 'none',
    clientId: 'personal',
    sessionUid: 'pseudonym',
    createdAt: 'personal',
    expiresAt: 'none',
    revokedAt: 'personal',
    revokeReason: 'personal',
    payload: 'personal',
  }),
  privacy(authorizationCodes, { ...tokenClasses, consumedAt: 'none' }),
  privacy(accessTokens, tokenClasses),
  privacy(refreshTokens, {
    ...tokenClasses,
    consumedAt: 'none',
    successorHash: 'secret',
    successorSealed: 'secret',
    replayUntil: 'none',
  }),
  privacy(replayDetections, { idHash: 'none', expiresAt: 'none' }),
  privacy(clientTokens, {
    idHash: 'secret',
    clientId: 'none',
    createdAt: 'none',
    expiresAt: 'none',
    payload: 'secret',
  }),
  privacy(deviceCodes, {
    idHash: 'secret',
    userCodeHash: 'secret',
    clientId: 'personal',
    accountId: 'pseudonym',
    accountEpoch: 'none',
    grantId: 'pseudonym',
    sessionUid: 'pseudonym',
    sessionBound: 'none',
    createdAt: 'personal',
    expiresAt: 'none',
    inFlightAt: 'personal',
    deniedAt: 'personal',
    consumedAt: 'none',
    polledAt: 'none',
    pollInterval: 'none',
    payload: 'secret',
  }),
  privacy(pushedRequests, {
    idHash: 'secret',
    clientId: 'none',
    createdAt: 'none',
    expiresAt: 'none',
    consumedAt: 'none',
    payload: 'secret',
  }),
  privacy(logoutDeliveries, {
    id: 'none',
    sessionUid: 'pseudonym',
    clientId: 'personal',
    accountId: 'pseudonym',
    reason: 'personal',
    state: 'none',
    attempts: 'none',
    createdAt: 'personal',
    lastAttemptAt: 'none',
    settledAt: 'none',
    lastFailure: 'none',
  }),
];
