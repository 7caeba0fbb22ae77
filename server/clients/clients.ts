// Relying apps: their settings, their secrets, and what they are allowed to be. What is stored here is what the
// protocol library is told at every request, so it is validated when written (rules.ts).
import { randomUUIDv7 } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type Database, inTransaction, isUniqueViolation } from '../../drizzle/database.ts';
import { and, asc, eq, gt, isNull, or, sql } from '../../drizzle/orm.ts';
import { clientSecrets, clients } from '../../drizzle/schema/clients.ts';
import { entry, write } from '../audit/audit.ts';
import { createKnown, type Known } from '../lib/known.ts';
import type { Op } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';
import { SCOPES } from '../lib/scopes.ts';
import { newSecret, sha256 } from '../lib/secrets.ts';
import { named } from '../resources/resources.ts';
import { checked, type NewClient, quoted, refuse } from './rules.ts';

export { type Advice, adviceOn } from './advice.ts';
export {
  AUTH_METHODS,
  CLIENT_SIGNING_ALGS,
  DEVICE_CODE,
  RESPONSE_MODES,
  SIGNING_ALGS,
  uriFault,
} from './rules.ts';
export { checkSector } from './sector.ts';
export type { NewClient };
export { checked };
export type ClientRow = typeof clients.$inferSelect;

/** The account pages are an app of their own: signing in there is the same flow as anywhere. */
export const OWN_CLIENT = 'gatehouse-account';
/** The built-in demo app. */
export const DEMO_CLIENT = 'gatehouse-demo';

const LIVE_SECRETS = 2;

/** Tells every replica that a client's row or secrets changed; delivered with the commit. */
const announce = (op: Op, id: string) => op.db.execute(sql`SELECT pg_notify('gatehouse_clients', ${id})`);

/**
 * Registers an app. Returns its secret in clear, the only time it can be read; null for a public client.
 * Throws client.invalid with a sentence per field, or client.exists.
 */
export async function create(
  op: Op,
  input: NewClient,
  by: 'setup' | 'cli' | 'system' | 'registration',
): Promise<{ client: ClientRow; secret: string | null }> {
  const row = checked(input);
  try {
    return await inTransaction(op, async (op) => {
      await checkResources(op, row);
      const [client] = await op.db
        .insert(clients)
        .values({ ...row, createdAt: op.now, updatedAt: op.now })
        .returning();
      if (!client) throw new Error('insert returned no row');
      const secret = ownsSecret(client) ? await insertSecret(op, client.id) : null;
      await write(op, [entry('client.created', { client: client.id }, { by })]);
      await announce(op, client.id);
      return { client, secret };
    });
  } catch (error) {
    if (isUniqueViolation(error)) throw new Problem('client.exists');
    throw error;
  }
}

/** It proves itself by a secret that both sides know. */
export const ownsSecret = ({ tokenEndpointAuthMethod: method }: ClientRow): boolean =>
  method === 'client_secret_basic' || method === 'client_secret_post';

/** Its APIs exist, and every scope beyond the standard ones is one of theirs. */
async function checkResources(
  op: Op,
  { resources = [], scopes }: Pick<typeof clients.$inferInsert, 'resources' | 'scopes'>,
): Promise<void> {
  const details: Record<string, string> = {};
  const there = (await named(op, resources)).filter(({ disabledAt }) => disabledAt === null);
  const missing = resources.find((id) => !there.some((one) => one.id === id));
  if (missing !== undefined)
    details.resources = `${quoted(missing)} is not an API that is registered here, or it is disabled`;
  const known: readonly string[] = [...SCOPES, ...there.flatMap((one) => one.scopes)];
  const strange = scopes.find((scope) => !known.includes(scope));
  if (strange !== undefined && missing === undefined)
    details.scopes = `${quoted(strange)} is a scope of none of its APIs`;
  refuse(details);
}

/**
 * Lets an app ask tokens for an API with these of its scopes, in place of those it had there; null: none any more.
 * Tokens that are out live to their end.
 */
export async function setResource(
  op: Op,
  clientId: string,
  resource: string,
  scopes: readonly string[] | null,
): Promise<ClientRow> {
  return inTransaction(op, async (op) => {
    const before = await locked(op, clientId);
    if (scopes === null && !before.resources.includes(resource)) throw new Problem('resource.notFound');
    if (scopes !== null) await checkResources(op, { resources: [resource], scopes: [...scopes] });
    const others = before.resources.filter((id) => id !== resource);
    const elsewhere: string[] = [...SCOPES, ...(await named(op, others)).flatMap((one) => one.scopes)];
    const kept = before.scopes.filter((scope) => elsewhere.includes(scope));
    const [row] = await op.db
      .update(clients)
      .set({
        resources: scopes === null ? others : [...others, resource],
        scopes: [...new Set([...kept, ...(scopes ?? [])])],
        updatedAt: op.now,
        version: sql`version + 1`,
      })
      .where(eq(clients.id, clientId))
      .returning();
    if (!row) throw new Error('update returned no row');
    await write(op, [entry('client.changed', { client: clientId }, { fields: ['resources', 'scopes'] })]);
    await announce(op, clientId);
    return row;
  });
}

/** An app of this id, whose row waits for nobody else until the transaction ends. Throws client.notFound. */
async function locked(op: Op, id: string): Promise<ClientRow> {
  const [row] = await op.db.select().from(clients).where(eq(clients.id, id)).for('update');
  if (!row) throw new Problem('client.notFound');
  return row;
}

/** `redirectUris` is `redirect_uris` to whoever reads the trail. */
const fieldOf = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/**
 * Puts other settings in the place of an app's. Its secret is returned where it now needs one and had none; where it
 * needs none any more, all are removed. Throws client.notFound, client.invalid.
 */
export async function change(
  op: Op,
  id: string,
  next: (before: ClientRow) => NewClient | Promise<NewClient>,
): Promise<{ client: ClientRow; secret: string | null }> {
  return inTransaction(op, async (op) => {
    const before = await locked(op, id);
    const row = { ...checked({ ...(await next(before)), id }), updatedAt: op.now };
    await checkResources(op, row);
    const fields = Object.keys(row)
      .filter((key) => key !== 'updatedAt')
      .filter((key) => !isDeepStrictEqual(row[key as keyof typeof row], before[key as keyof ClientRow]))
      .map(fieldOf);
    const [client] = await op.db
      .update(clients)
      .set({ ...row, version: sql`version + 1` })
      .where(eq(clients.id, id))
      .returning();
    if (!client) throw new Error('update returned no row');
    let secret: string | null = null;
    if (!ownsSecret(client)) await op.db.delete(clientSecrets).where(eq(clientSecrets.clientId, id));
    else if ((await secretsOf(op, id)).length === 0) secret = await insertSecret(op, id);
    if (fields.length > 0) await write(op, [entry('client.changed', { client: id }, { fields })]);
    await announce(op, id);
    return { client, secret };
  });
}

/**
 * Removes an app with its secrets; what people allowed it, and its tokens, end with it in server/consents. Throws
 * client.notFound, client.invalid.
 */
export async function remove(op: Op, id: string, by: 'app' | 'cli' | 'unused'): Promise<void> {
  if (id === OWN_CLIENT)
    throw new Problem('client.invalid', { message: 'The account pages are this app: it stays.' });
  // The account pages could sign nobody in until the next start.
  if (id === OWN_CLIENT) {
    throw new Problem('client.invalid', { message: 'The app of the account pages cannot be removed.' });
  }
  await inTransaction(op, async (op) => {
    const gone = await op.db.delete(clients).where(eq(clients.id, id)).returning({ id: clients.id });
    if (gone.length === 0) throw new Problem('client.notFound');
    await write(op, [entry('client.removed', { client: id }, { by })]);
    await announce(op, id);
  });
}

/** What a new issuer or release may change in them. */
const OWN_FIELDS = [
  ['redirectUris', 'redirect_uris'],
  ['postLogoutRedirectUris', 'post_logout_redirect_uris'],
  ['grantTypes', 'grant_types'],
] as const;

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
    const changed = OWN_FIELDS.filter(([key]) => String(before[key]) !== String(row[key]));
    if (changed.length === 0) return;
    await op.db
      .update(clients)
      .set({
        ...Object.fromEntries(changed.map(([key]) => [key, row[key]])),
        updatedAt: op.now,
        version: sql`version + 1`,
      })
      .where(eq(clients.id, own.id));
    const fields = changed.map(([, field]) => field);
    await write(op, [entry('client.changed', { client: own.id }, { fields })]);
    await announce(op, own.id);
  });
}

/** Whether any app has named this origin of a browser. */
export async function isAllowedOrigin(op: Op, origin: string): Promise<boolean> {
  const [row] = await op.db
    .select({ id: clients.id })
    .from(clients)
    .where(and(sql`${origin} = ANY(${clients.allowedOrigins})`, isNull(clients.disabledAt)))
    .limit(1);
  return row !== undefined;
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

/** The secrets of a client, expired ones too, oldest first: never the secret itself, only its last four characters. */
export const allSecretsOf = (op: Op, clientId: string) =>
  op.db
    .select({
      id: clientSecrets.id,
      hint: clientSecrets.hint,
      createdAt: clientSecrets.createdAt,
      expiresAt: clientSecrets.expiresAt,
    })
    .from(clientSecrets)
    .where(eq(clientSecrets.clientId, clientId))
    .orderBy(asc(clientSecrets.createdAt));

/** Those that are valid. */
export async function secretsOf(op: Op, clientId: string) {
  const all = await allSecretsOf(op, clientId);
  return all.filter(({ expiresAt }) => expiresAt === null || expiresAt > op.now);
}

/** Whether this is one of its secrets. */
export async function hasSecret(op: Op, clientId: string, value: unknown): Promise<boolean> {
  if (typeof value !== 'string') return false;
  const [row] = await op.db
    .select({ id: clientSecrets.id })
    .from(clientSecrets)
    .where(
      and(
        eq(clientSecrets.clientId, clientId),
        eq(clientSecrets.secretHash, sha256(value)),
        or(isNull(clientSecrets.expiresAt), gt(clientSecrets.expiresAt, op.now)),
      ),
    );
  return row !== undefined;
}

/** A second secret beside the first, so that an app can change over without an outage. Two at most. */
export async function addSecret(op: Op, clientId: string): Promise<string> {
  return inTransaction(op, async (op) => {
    if (!ownsSecret(await locked(op, clientId))) {
      throw new Problem('client.invalid', { message: 'The app does not prove itself by a secret.' });
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

/** Apps that are not disabled, with their live secrets, in memory. */
export const createKnownClients = (db: Database): KnownClients =>
  createKnown(db, 'gatehouse_clients', async (on, id) => {
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
  });

export type KnownClients = Known<KnownClient>;
