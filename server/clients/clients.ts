// Relying apps: their settings, their secrets, and what they are allowed to be. What is stored here is what the
// protocol library is told at every request, so it is validated when written (R22, R29): exact https redirect
// URIs, no wildcard, no fragment, no userinfo, no script scheme (RFC 9700 2.1, RFC 8252 7).
import { randomUUIDv7 } from 'node:crypto';
import { type Database, inTransaction, isUniqueViolation } from '../../drizzle/database.ts';
import { and, asc, eq, gt, isNull, or, sql } from '../../drizzle/orm.ts';
import { clientSecrets, clients } from '../../drizzle/schema/clients.ts';
import { entry, write } from '../audit/audit.ts';
import type { Op } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';
import { newSecret, sha256 } from '../lib/secrets.ts';

export type ClientRow = typeof clients.$inferSelect;

/** What a new app is described by; everything else has its default. */
export interface NewClient {
  /** Generated when absent. */
  id?: string;
  name: string;
  /** A public client keeps no secret: single-page, mobile and desktop apps. */
  public?: boolean;
  applicationType?: ClientRow['applicationType'];
  tokenEndpointAuthMethod?: ClientRow['tokenEndpointAuthMethod'];
  grantTypes?: string[];
  redirectUris: string[];
  postLogoutRedirectUris?: string[];
  allowedOrigins?: string[];
  scopes?: string[];
  responseModes?: string[];
  idTokenSignedResponseAlg?: ClientRow['idTokenSignedResponseAlg'];
  requirePkce?: boolean;
  requireNonce?: boolean;
  firstParty?: boolean;
  resourceServer?: boolean;
  clientUri?: string | null;
  initiateLoginUri?: string | null;
  accessTokenTtl?: number | null;
  refreshTokenIdle?: number | null;
  refreshReplayWindow?: number | null;
  defaultMaxAge?: number | null;
}

export const SCOPES = ['openid', 'offline_access', 'profile', 'email', 'address', 'phone'] as const;
const GRANT_TYPES = ['authorization_code', 'refresh_token'] as const;
export const RESPONSE_MODES = ['query', 'form_post', 'fragment'] as const;
export const SIGNING_ALGS = ['ES256', 'RS256', 'EdDSA'] as const;
const AUTH_METHODS = ['none', 'client_secret_basic', 'client_secret_post'] as const;

/** The account pages are an app of their own: signing in there is the same flow as anywhere. */
export const OWN_CLIENT = 'gatehouse-account';
/** The built-in demo app. */
export const DEMO_CLIENT = 'gatehouse-demo';

const LIVE_SECRETS = 2;
const CONTROL = /[\p{Cc}\p{Cs}]/u;

/**
 * What is wrong with a URI an app wants registered, in a developer's words; null when nothing is.
 * `web`: https, or http on a loopback host while developing. `native`: also private-use schemes with a dot
 * (RFC 8252 7.1) and loopback IP addresses, whose port is free at use (7.3).
 */
export function uriFault(
  uri: string,
  kind: 'web' | 'native',
  role: 'redirect' | 'link' = 'redirect',
): string | null {
  if (uri.length > 2000) return 'is longer than 2000 characters';
  if (/[^\x21-\x7e]/.test(uri))
    return 'contains spaces, control or non-ASCII characters; encode them (hosts as punycode)';
  if (uri.includes('*')) return 'contains a wildcard; register each URI in full';
  if (uri.includes('\\')) return 'contains a backslash';
  if (uri.includes('#')) return 'has a fragment (#…), which is never sent to a server';
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(uri)?.[1];
  if (!scheme) return 'is not absolute; begin with https://';
  const url = URL.parse(uri);
  if (!url) return 'is not a URI';
  if (scheme === 'https' || scheme === 'http') {
    if (!uri.startsWith(`${scheme}://`)) return `is not a URI; write ${scheme}://host/path`;
    if (url.username || url.password || /^[a-z]+:\/\/[^/?]*@/.test(uri))
      return 'carries a user name or password';
    if (uri !== url.href && `${uri}/` !== url.href)
      return `is not in its canonical form; register ${url.href}`;
    const loopback = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
    if (scheme === 'http' && !loopback) return 'uses http; only https is allowed except on localhost';
    return null;
  }
  if (role === 'redirect' && kind === 'native' && scheme === scheme.toLowerCase() && scheme.includes('.'))
    return null;
  return kind === 'native'
    ? `uses the scheme ${scheme}:; a native app’s own scheme is a reversed domain name such as com.example.app:`
    : `uses the scheme ${scheme}:; only https is allowed`;
}

const quoted = (text: string) => JSON.stringify(text.slice(0, 200));

/** The row of a new app with its defaults. Throws client.invalid with what is wrong, field by field. */
function checked(input: NewClient): Omit<typeof clients.$inferInsert, 'createdAt' | 'updatedAt'> {
  const details: Record<string, string> = {};
  const row = {
    id: input.id ?? randomUUIDv7(),
    name: input.name.trim(),
    applicationType: input.applicationType ?? ('web' as const),
    tokenEndpointAuthMethod: input.public
      ? ('none' as const)
      : (input.tokenEndpointAuthMethod ?? 'client_secret_basic'),
    grantTypes: input.grantTypes ?? [...GRANT_TYPES],
    redirectUris: input.redirectUris,
    postLogoutRedirectUris: input.postLogoutRedirectUris ?? [],
    allowedOrigins: input.allowedOrigins ?? [],
    scopes: input.scopes ?? [...SCOPES],
    responseModes: input.responseModes ?? ['query', 'form_post'],
    idTokenSignedResponseAlg: input.idTokenSignedResponseAlg ?? ('ES256' as const),
    requirePkce: input.requirePkce ?? true,
    requireNonce: input.requireNonce ?? true,
    firstParty: input.firstParty ?? false,
    resourceServer: input.resourceServer ?? false,
    clientUri: input.clientUri ?? null,
    initiateLoginUri: input.initiateLoginUri ?? null,
    accessTokenTtl: input.accessTokenTtl ?? null,
    refreshTokenIdle: input.refreshTokenIdle ?? null,
    refreshReplayWindow: input.refreshReplayWindow ?? null,
    defaultMaxAge: input.defaultMaxAge ?? null,
  };

  if (row.name.length === 0 || row.name.length > 100 || CONTROL.test(row.name))
    details.name = 'needs 1 to 100 characters';
  if (!/^[A-Za-z0-9._~-]{3,100}$/.test(row.id))
    details.client_id = 'may have letters, digits and . _ ~ - (3 to 100 of them)';

  const everyUri = (field: string, uris: readonly string[], role: 'redirect' | 'link') => {
    if (uris.length > 100) details[field] = 'has more than 100 URIs';
    if (new Set(uris).size !== uris.length) details[field] = 'has the same URI twice';
    for (const uri of uris) {
      const fault = uriFault(uri, row.applicationType, role);
      if (fault) details[field] = `${quoted(uri)} ${fault}`;
    }
  };
  everyUri('redirect_uris', row.redirectUris, 'redirect');
  everyUri('post_logout_redirect_uris', row.postLogoutRedirectUris, 'redirect');
  if (row.clientUri !== null) everyUri('client_uri', [row.clientUri], 'link');
  if (row.initiateLoginUri !== null) everyUri('initiate_login_uri', [row.initiateLoginUri], 'link');
  for (const origin of row.allowedOrigins) {
    const fault =
      uriFault(origin, 'web', 'link') ?? (URL.parse(origin)?.origin === origin ? null : 'is not an origin');
    if (fault) details.allowed_origins = `${quoted(origin)} ${fault}; write https://app.example.com`;
  }
  if (row.grantTypes.includes('authorization_code') && row.redirectUris.length === 0) {
    details.redirect_uris = 'needs at least one URI for the authorization code flow';
  }

  const only = (field: string, values: readonly string[], allowed: readonly string[]) => {
    const strange = values.find((value) => !allowed.includes(value));
    if (strange !== undefined) details[field] = `${quoted(strange)} is not one of ${allowed.join(', ')}`;
  };
  only('application_type', [row.applicationType], ['web', 'native']);
  only('token_endpoint_auth_method', [row.tokenEndpointAuthMethod], AUTH_METHODS);
  only('id_token_signed_response_alg', [row.idTokenSignedResponseAlg], SIGNING_ALGS);
  only('grant_types', row.grantTypes, GRANT_TYPES);
  only('scopes', row.scopes, SCOPES);
  only('response_modes', row.responseModes, RESPONSE_MODES);
  if (!row.scopes.includes('openid')) details.scopes = 'openid is missing';
  if (!row.grantTypes.includes('authorization_code')) details.grant_types = 'authorization_code is missing';
  if (row.responseModes.length === 0) details.response_modes = 'needs at least one';

  if (row.tokenEndpointAuthMethod === 'none') {
    if (!row.requirePkce) details.require_pkce = 'cannot be off: a public client cannot do without PKCE';
    if (!row.requireNonce) details.require_nonce = 'can only be off for a confidential client';
    if (row.resourceServer)
      details.resource_server = 'needs a confidential client: introspection is authenticated';
  }
  const bounded = (field: string, value: number | null, min: number, max: number) => {
    if (value !== null && (!Number.isInteger(value) || value < min || value > max)) {
      details[field] = `is a whole number of seconds from ${min} to ${max}`;
    }
  };
  bounded('access_token_ttl', row.accessTokenTtl, 1, 86_400);
  bounded('refresh_token_idle', row.refreshTokenIdle, 1, 31_536_000);
  bounded('refresh_replay_window', row.refreshReplayWindow, 0, 60);
  bounded('default_max_age', row.defaultMaxAge, 0, 31_536_000);

  const [first] = Object.entries(details);
  if (first) {
    throw new Problem('client.invalid', {
      details,
      message: `The app’s settings are not valid: ${first[0]} ${first[1]}.`,
    });
  }
  return row;
}

/** Tells every replica that a client's row or secrets changed; delivered with the commit. */
const announce = (op: Op, id: string) => op.db.execute(sql`SELECT pg_notify('gatehouse_clients', ${id})`);

/**
 * Registers an app. Returns its secret in clear, the only time it can be read; null for a public client.
 * Throws client.invalid with a sentence per field, or client.exists.
 */
export async function create(
  op: Op,
  input: NewClient,
  by: 'setup' | 'cli' | 'system',
): Promise<{ client: ClientRow; secret: string | null }> {
  const row = checked(input);
  try {
    return await inTransaction(op, async (op) => {
      const [client] = await op.db
        .insert(clients)
        .values({ ...row, createdAt: op.now, updatedAt: op.now })
        .returning();
      if (!client) throw new Error('insert returned no row');
      const secret = client.tokenEndpointAuthMethod === 'none' ? null : await insertSecret(op, client.id);
      await write(op, [entry('client.created', { client: client.id }, { by })]);
      await announce(op, client.id);
      return { client, secret };
    });
  } catch (error) {
    if (isUniqueViolation(error)) throw new Problem('client.exists');
    throw error;
  }
}

/** Makes or brings up to date an app of the server's own (account pages, demo): a public first-party client. */
export async function ensureOwn(op: Op, own: NewClient & { id: string }): Promise<void> {
  const row = checked(own);
  await inTransaction(op, async (op) => {
    await op.db.execute(sql`SELECT pg_advisory_xact_lock(hashtext(${`gatehouse.client.${own.id}`}))`);
    const before = await find(op, own.id);
    if (!before) {
      await create(op, own, 'system');
      return;
    }
    const same = (['redirectUris', 'postLogoutRedirectUris'] as const).every(
      (key) => String(before[key]) === String(row[key]),
    );
    if (same) return;
    await op.db
      .update(clients)
      .set({
        redirectUris: row.redirectUris,
        postLogoutRedirectUris: row.postLogoutRedirectUris ?? [],
        updatedAt: op.now,
        version: sql`version + 1`,
      })
      .where(eq(clients.id, own.id));
    await write(op, [
      entry('client.changed', { client: own.id }, { fields: ['redirect_uris', 'post_logout_redirect_uris'] }),
    ]);
    await announce(op, own.id);
  });
}

export async function find(op: Op, id: string): Promise<ClientRow | null> {
  const [row] = await op.db.select().from(clients).where(eq(clients.id, id)).limit(1);
  return row ?? null;
}

export const list = (op: Op): Promise<ClientRow[]> =>
  op.db.select().from(clients).orderBy(asc(clients.createdAt)).limit(1000);

async function insertSecret(op: Op, clientId: string): Promise<string> {
  const secret = newSecret();
  await op.db.insert(clientSecrets).values({
    id: randomUUIDv7(),
    clientId,
    secretHash: sha256(secret),
    hint: secret.slice(-4),
    createdAt: op.now,
  });
  return secret;
}

/** The live secrets of a client, oldest first: never the secret itself, only its last four characters. */
export const secretsOf = (op: Op, clientId: string) =>
  op.db
    .select({
      id: clientSecrets.id,
      hint: clientSecrets.hint,
      createdAt: clientSecrets.createdAt,
      expiresAt: clientSecrets.expiresAt,
    })
    .from(clientSecrets)
    .where(
      and(
        eq(clientSecrets.clientId, clientId),
        or(isNull(clientSecrets.expiresAt), gt(clientSecrets.expiresAt, op.now)),
      ),
    )
    .orderBy(asc(clientSecrets.createdAt));

/** A second secret beside the first, so that an app can change over without an outage. Two at most. */
export async function addSecret(op: Op, clientId: string): Promise<string> {
  return inTransaction(op, async (op) => {
    const [client] = await op.db.select().from(clients).where(eq(clients.id, clientId)).for('update');
    if (!client) throw new Problem('client.notFound');
    if (client.tokenEndpointAuthMethod === 'none') {
      throw new Problem('client.invalid', { message: 'A public client has no secret.' });
    }
    if ((await secretsOf(op, clientId)).length >= LIVE_SECRETS) throw new Problem('client.twoSecrets');
    const secret = await insertSecret(op, clientId);
    await write(op, [entry('client.secretAdded', { client: clientId }, {})]);
    await announce(op, clientId);
    return secret;
  });
}

/** Removes the secret that ends in `hint`, or the older one; dead on every replica with the notification. */
export async function removeSecret(op: Op, clientId: string, hint: string | null): Promise<{ hint: string }> {
  return inTransaction(op, async (op) => {
    await op.db.select({ id: clients.id }).from(clients).where(eq(clients.id, clientId)).for('update');
    const live = await secretsOf(op, clientId);
    const doomed = hint === null ? live[0] : live.find((secret) => secret.hint === hint);
    if (!doomed) throw new Problem('client.notFound', { message: 'The app has no such secret.' });
    await op.db.delete(clientSecrets).where(eq(clientSecrets.id, doomed.id));
    await write(op, [entry('client.secretRemoved', { client: clientId }, {})]);
    await announce(op, clientId);
    return { hint: doomed.hint };
  });
}

/** What the protocol asks of a client at every request. */
export interface KnownClient {
  row: ClientRow;
  /** SHA-256 of each live secret, with its end in epoch milliseconds (Infinity: none). */
  secrets: { hash: Buffer; until: number }[];
}

/** Longest time a change may go unseen should a notification be lost, in milliseconds. */
const STALE_AFTER = 5000;
const KEPT = 5000;

/**
 * Clients in memory, dropped by NOTIFY the moment they change, and read anew after five seconds in any case: what a
 * broken connection keeps from us is not older than that. Unknown ids are not kept: they are the caller's to invent.
 */
export function createKnownClients(db: Database) {
  const known = new Map<string, { client: KnownClient; at: number }>();
  let listening = false;
  let generation = 0;
  let unlisten: (() => Promise<void>) | null = null;

  const forget = (id?: string) => {
    generation++;
    if (id) known.delete(id);
    else known.clear();
  };

  async function load(on: Database, id: string): Promise<KnownClient | null> {
    const rows = await on
      .select({ client: clients, hash: clientSecrets.secretHash, until: clientSecrets.expiresAt })
      .from(clients)
      .leftJoin(clientSecrets, eq(clientSecrets.clientId, clients.id))
      .where(and(eq(clients.id, id), isNull(clients.disabledAt)));
    const row = rows[0]?.client;
    if (!row) return null;
    return {
      row,
      secrets: rows.flatMap(({ hash, until }) =>
        hash ? [{ hash, until: until?.getTime() ?? Number.POSITIVE_INFINITY }] : [],
      ),
    };
  }

  return {
    async start(): Promise<void> {
      const subscription = await db.$client.listen(
        'gatehouse_clients',
        (id) => forget(id),
        // Called again after every reconnect: what was missed in between is unknown.
        () => {
          forget();
          listening = true;
        },
      );
      unlisten = () => subscription.unlisten();
    },
    async stop(): Promise<void> {
      listening = false;
      await unlisten?.().catch(() => {});
    },
    /**
     * `on`: the caller's transaction, if it is in one. A second connection taken while holding the first is how
     * a pool of requests comes to wait for itself.
     */
    async find(id: string, on: Database = db): Promise<KnownClient | null> {
      const kept = known.get(id);
      if (kept && listening && Date.now() - kept.at < STALE_AFTER) return kept.client;
      const begun = generation;
      const client = await load(on, id);
      if (client && begun === generation) {
        if (known.size >= KEPT) known.clear();
        known.set(id, { client, at: Date.now() });
      }
      return client;
    },
  };
}

export type KnownClients = ReturnType<typeof createKnownClients>;
