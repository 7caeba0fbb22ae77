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
    .$type<'none' | 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt'>()
    .notNull()
    .default('client_secret_basic'),
  /** private_key_jwt: the one algorithm its assertions are signed with; null: any that its keys allow. */
  tokenEndpointAuthSigningAlg: pg.text(),
  /** Public keys of the client (RFC 7517), stored here or fetched from its own address; never both. */
  jwks: pg.jsonb().$type<{ keys: Record<string, unknown>[] }>(),
  jwksUri: pg.text(),
  grantTypes: pg.text().array().notNull(),
  redirectUris: pg.text().array().notNull(),
  postLogoutRedirectUris: pg.text().array().notNull(),
  /** Origins allowed to call the token, userinfo and revocation endpoints from a browser. */
  allowedOrigins: pg.text().array().notNull(),
  /** The scopes the client may ask for, those of its resources included. */
  scopes: pg.text().array().notNull(),
  /** The APIs (resource indicators) it may ask tokens for; none without being named here. */
  resources: pg.text().array().notNull().default([]),
  responseModes: pg.text().array().notNull(),
  idTokenSignedResponseAlg: pg.text().$type<'ES256' | 'RS256' | 'EdDSA'>().notNull().default('ES256'),
  requirePkce: pg.boolean().notNull().default(true),
  requireNonce: pg.boolean().notNull().default(true),
  /** Takes only tokens bound to a key of its own (RFC 9449). */
  dpopBoundAccessTokens: pg.boolean().notNull().default(false),
  requirePushedAuthorizationRequests: pg.boolean().notNull().default(false),
  /** Set: it may send signed request objects (RFC 9101), with this algorithm. */
  requestObjectSigningAlg: pg.text(),
  requireSignedRequestObject: pg.boolean().notNull().default(false),
  /** pairwise: no two sectors see the same `sub` of a person (OIDC Core 8.1). */
  subjectType: pg.text().$type<'public' | 'pairwise'>().notNull().default('public'),
  sectorIdentifierUri: pg.text(),
  backchannelLogoutUri: pg.text(),
  /** Its logout tokens carry `sid`. */
  backchannelLogoutSessionRequired: pg.boolean().notNull().default(true),
  /** Set by an administrator for the company's own apps: no consent page. */
  firstParty: pg.boolean().notNull().default(false),
  /** dynamic: registered itself (RFC 7591) and may change itself (RFC 7592). */
  registeredBy: pg.text().$type<'operator' | 'dynamic'>().notNull().default('operator'),
  clientUri: pg.text(),
  logoUri: pg.text(),
  policyUri: pg.text(),
  tosUri: pg.text(),
  contacts: pg.text().array().notNull().default([]),
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
    /** Scopes allowed at APIs, by resource indicator. */
    resourceScopes: pg.jsonb().$type<Record<string, string[]>>().notNull().default({}),
    /** What the person was shown of the client; another name or redirect URI asks again. */
    clientFingerprint: pg.text().notNull(),
    grantedAt: moment().notNull(),
    endedAt: moment(),
    endReason: pg.text().$type<'widened' | 'client_changed' | 'revoked' | 'account' | 'client_removed'>(),
  },
  (t) => [
    pg.uniqueIndex('consents_in_force').on(t.accountId, t.clientId).where(sql`ended_at IS NULL`),
    pg.index().on(t.clientId),
  ],
);

/** APIs that apps ask tokens for (RFC 8707): the indicator is the tokens' audience. */
export const resources = pg.pgTable('resources', {
  /** Resource indicator: an absolute URI. */
  id: pg.text().primaryKey(),
  name: pg.text().notNull(),
  scopes: pg.text().array().notNull(),
  /** jwt: RFC 9068. */
  accessTokenFormat: pg.text().$type<'opaque' | 'jwt'>().notNull().default('jwt'),
  /** For JWTs. */
  signingAlg: pg.text().$type<'ES256' | 'RS256' | 'EdDSA'>().notNull().default('ES256'),
  /** Seconds; null: the setting. */
  accessTokenTtl: pg.integer(),
  /** The client that this API authenticates as to introspect its tokens. */
  introspectionClientId: pg.text(),
  disabledAt: moment(),
  createdAt: moment().notNull(),
  updatedAt: moment().notNull(),
  version: pg.integer().notNull().default(0),
});

/** Tokens of dynamic registration: `initial` opens it (RFC 7591 3), `management` changes one client (RFC 7592). */
export const registrationTokens = pg.pgTable(
  'registration_tokens',
  {
    idHash: bytea().primaryKey(),
    kind: pg.text().$type<'initial' | 'management'>().notNull(),
    clientId: pg.text().references(() => clients.id, { onDelete: 'cascade' }),
    /** What an initial one is for, in its maker's words. */
    note: pg.text(),
    /** How many clients it may still register; null: any number until it expires. */
    usesLeft: pg.integer(),
    createdAt: moment().notNull(),
    expiresAt: moment(),
    payload: pg.jsonb().$type<Record<string, unknown>>().notNull(),
  },
  (t) => [pg.index().on(t.clientId), pg.index().on(t.expiresAt)],
);

/**
 * Why requests of an app were refused of late: for its developer. One row per kind of fault, so that neither a busy
 * app nor a stranger who sends its client_id can fill the table. Never holds a secret, a code or a token.
 */
export const refusals = pg.pgTable(
  'refusals',
  {
    id: pg.uuid().primaryKey(),
    clientId: pg
      .text()
      .notNull()
      .references(() => clients.id, { onDelete: 'cascade' }),
    /** authorization, token, pushed_authorization_request … */
    endpoint: pg.text().notNull(),
    /** The OAuth error code that was answered. */
    error: pg.text().notNull(),
    /** The request parameter or metadata field at fault; empty when it is none. */
    parameter: pg.text().notNull(),
    /** The library's reason. */
    why: pg.text().notNull(),
    /** What was registered and what came, where that tells; cut, and free of secrets. */
    registered: pg.text(),
    came: pg.text(),
    count: pg.integer().notNull().default(1),
    firstAt: moment().notNull(),
    lastAt: moment().notNull(),
    /** Of the latest one: finds the log line and the audit rows. */
    requestId: pg.text().notNull(),
  },
  (t) => [
    pg.uniqueIndex('refusals_of_client').on(t.clientId, t.endpoint, t.error, t.parameter),
    pg.index().on(t.lastAt),
  ],
);

export const clientsPrivacy = [
  privacy(clients, {
    id: 'none',
    name: 'none',
    applicationType: 'none',
    tokenEndpointAuthMethod: 'none',
    tokenEndpointAuthSigningAlg: 'none',
    jwks: 'none',
    jwksUri: 'none',
    grantTypes: 'none',
    redirectUris: 'none',
    postLogoutRedirectUris: 'none',
    allowedOrigins: 'none',
    scopes: 'none',
    resources: 'none',
    responseModes: 'none',
    idTokenSignedResponseAlg: 'none',
    requirePkce: 'none',
    requireNonce: 'none',
    dpopBoundAccessTokens: 'none',
    requirePushedAuthorizationRequests: 'none',
    requestObjectSigningAlg: 'none',
    requireSignedRequestObject: 'none',
    subjectType: 'none',
    sectorIdentifierUri: 'none',
    backchannelLogoutUri: 'none',
    backchannelLogoutSessionRequired: 'none',
    firstParty: 'none',
    registeredBy: 'none',
    clientUri: 'none',
    logoUri: 'none',
    policyUri: 'none',
    tosUri: 'none',
    contacts: 'personal',
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
    resourceScopes: 'personal',
    clientFingerprint: 'none',
    grantedAt: 'personal',
    endedAt: 'personal',
    endReason: 'personal',
  }),
  privacy(resources, {
    id: 'none',
    name: 'none',
    scopes: 'none',
    accessTokenFormat: 'none',
    signingAlg: 'none',
    accessTokenTtl: 'none',
    introspectionClientId: 'none',
    disabledAt: 'none',
    createdAt: 'none',
    updatedAt: 'none',
    version: 'none',
  }),
  privacy(registrationTokens, {
    idHash: 'secret',
    kind: 'none',
    clientId: 'none',
    note: 'none',
    usesLeft: 'none',
    createdAt: 'none',
    expiresAt: 'none',
    payload: 'secret',
  }),
  privacy(refusals, {
    id: 'none',
    clientId: 'none',
    endpoint: 'none',
    error: 'none',
    parameter: 'none',
    why: 'none',
    registered: 'none',
    came: 'personal',
    count: 'none',
    firstAt: 'none',
    lastAt: 'none',
    requestId: 'pseudonym',
  }),
];
