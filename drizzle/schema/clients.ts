// Relying apps and their secrets; what people consented to. Client metadata names are those of
// OpenID Connect Dynamic Client Registration and RFC 7591.
import { pg, sql } from '../orm.ts';
import { accounts } from './accounts.ts';
import { bytea, moment, privacy } from './columns.ts';

export const clients = pg.pgTable('clients', {
  /** client_id */
  id: pg.text().primaryKey(),
  name: pg.text().notNull(),
  applicationType: pg.text().$type<'web' | 'native'>().notNull().default('web'),
  /** none: a public client. */
  tokenEndpointAuthMethod: pg
    .text()
    .$type<'none' | 'client_secret_basic' | 'client_secret_post'>()
    .notNull()
    .default('client_secret_basic'),
  grantTypes: pg.text().array().notNull(),
  redirectUris: pg.text().array().notNull(),
  postLogoutRedirectUris: pg.text().array().notNull(),
  /** Origins allowed to call the token, userinfo and revocation endpoints from a browser. */
  allowedOrigins: pg.text().array().notNull(),
  /** The scopes the client may ask for. */
  scopes: pg.text().array().notNull(),
  responseModes: pg.text().array().notNull(),
  idTokenSignedResponseAlg: pg.text().$type<'ES256' | 'RS256' | 'EdDSA'>().notNull().default('ES256'),
  requirePkce: pg.boolean().notNull().default(true),
  requireNonce: pg.boolean().notNull().default(true),
  /** Set by an administrator for the company's own apps: no consent page. */
  firstParty: pg.boolean().notNull().default(false),
  /** May introspect tokens (RFC 7662) issued to other apps, too. */
  resourceServer: pg.boolean().notNull().default(false),
  clientUri: pg.text(),
  initiateLoginUri: pg.text(),
  /** Seconds; null: the setting. An access token may only live shorter than the setting. */
  accessTokenTtl: pg.integer(),
  refreshTokenIdle: pg.integer(),
  /** Seconds in which a parallel use of one refresh token gets the same successor (P3); null: the setting. */
  refreshReplayWindow: pg.integer(),
  defaultMaxAge: pg.integer(),
  disabledAt: moment(),
  createdAt: moment().notNull(),
  updatedAt: moment().notNull(),
  version: pg.integer().notNull().default(0),
});

export const clientSecrets = pg.pgTable(
  'client_secrets',
  {
    id: pg.uuid().primaryKey(),
    clientId: pg
      .text()
      .notNull()
      .references(() => clients.id, { onDelete: 'cascade' }),
    /** SHA-256 of 256 random bits: nothing to guess, so no slow hash. */
    secretHash: bytea().notNull(),
    /** Last four characters, to tell two secrets apart. */
    hint: pg.text().notNull(),
    createdAt: moment().notNull(),
    expiresAt: moment(),
  },
  (t) => [pg.index().on(t.clientId)],
);

/** One row per decision: the history. At most one per account and client is in force (endedAt null). */
export const consents = pg.pgTable(
  'consents',
  {
    id: pg.uuid().primaryKey(),
    accountId: pg
      .uuid()
      .notNull()
      .references(() => accounts.id, { onDelete: 'cascade' }),
    clientId: pg.text().notNull(),
    scopes: pg.text().array().notNull(),
    /** What the person was shown of the client; another name or redirect URI asks again. */
    clientFingerprint: pg.text().notNull(),
    grantedAt: moment().notNull(),
    endedAt: moment(),
    endReason: pg.text().$type<'widened' | 'client_changed' | 'revoked' | 'account'>(),
  },
  (t) => [
    pg.uniqueIndex('consents_in_force').on(t.accountId, t.clientId).where(sql`ended_at IS NULL`),
    pg.index().on(t.clientId),
  ],
);

export const clientsPrivacy = [
  privacy(clients, {
    id: 'none',
    name: 'none',
    applicationType: 'none',
    tokenEndpointAuthMethod: 'none',
    grantTypes: 'none',
    redirectUris: 'none',
    postLogoutRedirectUris: 'none',
    allowedOrigins: 'none',
    scopes: 'none',
    responseModes: 'none',
    idTokenSignedResponseAlg: 'none',
    requirePkce: 'none',
    requireNonce: 'none',
    firstParty: 'none',
    resourceServer: 'none',
    clientUri: 'none',
    initiateLoginUri: 'none',
    accessTokenTtl: 'none',
    refreshTokenIdle: 'none',
    refreshReplayWindow: 'none',
    defaultMaxAge: 'none',
    disabledAt: 'none',
    createdAt: 'none',
    updatedAt: 'none',
    version: 'none',
  }),
  privacy(clientSecrets, {
    id: 'none',
    clientId: 'none',
    secretHash: 'secret',
    hint: 'secret',
    createdAt: 'none',
    expiresAt: 'none',
  }),
  privacy(consents, {
    id: 'none',
    accountId: 'pseudonym',
    clientId: 'personal',
    scopes: 'personal',
    clientFingerprint: 'none',
    grantedAt: 'personal',
    endedAt: 'personal',
    endReason: 'personal',
  }),
];
