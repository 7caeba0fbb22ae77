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
  (t) => [pg.index().on(t.accountId), pg.index().on(t.expiresAt)],
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
];
