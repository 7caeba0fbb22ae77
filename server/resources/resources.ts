// APIs that apps ask tokens for (RFC 8707). An API's indicator is the audience of its tokens, so it is compared as it is
// written: absolute, without a fragment, in one spelling. It never equals a client_id, which has no colon: no token for
// an API passes as an ID token for an app.
import { type Database, inTransaction, isUniqueViolation } from '../../drizzle/database.ts';
import { and, asc, eq, inArray, isNull, sql } from '../../drizzle/orm.ts';
import { clients, resources } from '../../drizzle/schema/clients.ts';
import { entry, write } from '../audit/audit.ts';
import { createKnown, type Known } from '../lib/known.ts';
import type { Op } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';
import { isScope, isStandard } from '../lib/scopes.ts';
import { isName } from '../lib/text.ts';

export type ResourceRow = typeof resources.$inferSelect;

/** What an API may change about itself later; everything has a default but the name. */
export interface ResourceSettings {
  /** People see it when an app asks for access. */
  name: string;
  scopes?: string[];
  /** jwt (RFC 9068) is checked by the API itself; opaque is asked about, and so can be withdrawn at once. */
  accessTokenFormat?: ResourceRow['accessTokenFormat'];
  signingAlg?: ResourceRow['signingAlg'];
  /** Seconds; never longer than the setting, nor than the app's. */
  accessTokenTtl?: number | null;
  /** The confidential client that this API asks about its tokens as. */
  introspectionClientId?: string | null;
}

export interface NewResource extends ResourceSettings {
  /** The resource indicator. */
  id: string;
}

/** Seconds. Nobody can withdraw a JWT, so it is short-lived whatever is set (R32). */
export const LONGEST_JWT = 900;
const LONGEST_OPAQUE = 86_400;
const FORMATS = ['jwt', 'opaque'] as const;
export const RESOURCE_ALGS = ['ES256', 'RS256', 'EdDSA'] as const;

const quoted = (text: string) => JSON.stringify(text.slice(0, 200));

/** What is wrong with a resource indicator, in a developer's words; null when nothing is. */
export function indicatorFault(uri: string): string | null {
  if (uri.length > 500) return 'is longer than 500 characters';
  if (/[^\x21-\x7e]/.test(uri))
    return 'contains spaces, control or non-ASCII characters; encode them (hosts as punycode)';
  if (uri.includes('#')) return 'has a fragment (#…), which a resource indicator cannot have (RFC 8707 2)';
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(uri)?.[1];
  const url = URL.parse(uri);
  if (!scheme || !url) return 'is not an absolute URI; write https://api.example.com or urn:example:api';
  if (['javascript', 'data', 'blob', 'vbscript', 'file'].includes(scheme.toLowerCase()))
    return `uses the scheme ${scheme}:, which names no API`;
  if (/[<>"{}|\\^`*]/.test(uri)) return 'contains a character that must be encoded, or a wildcard';
  if (url.username || url.password) return 'carries a user name or password';
  // An origin is written without a slash as often as with one; each is an indicator of its own.
  if (uri !== url.href && `${uri}/` !== url.href) return `is not in its canonical form; register ${url.href}`;
  return null;
}

function checked(input: NewResource) {
  const details: Record<string, string> = {};
  const row = {
    id: input.id,
    name: input.name.trim(),
    scopes: input.scopes ?? [],
    accessTokenFormat: input.accessTokenFormat ?? ('jwt' as const),
    signingAlg: input.signingAlg ?? ('ES256' as const),
    accessTokenTtl: input.accessTokenTtl ?? null,
    introspectionClientId: input.introspectionClientId ?? null,
  };
  const fault = indicatorFault(row.id);
  if (fault) details.resource = `${quoted(row.id)} ${fault}`;
  if (row.name.length > 100 || !isName(row.name))
    details.name = 'needs 1 to 100 characters, none of which is a control character or turns text round';
  if (row.scopes.length > 100) details.scopes = 'has more than 100';
  if (new Set(row.scopes).size !== row.scopes.length) details.scopes = 'has the same one twice';
  for (const scope of row.scopes) {
    if (!isScope(scope)) details.scopes = `${quoted(scope)} is not a scope (RFC 6749 3.3)`;
    else if (isStandard(scope))
      details.scopes = `${scope} is a scope of the server itself; choose another name, such as orders:${scope}`;
  }
  const { accessTokenFormat: format, accessTokenTtl: ttl } = row;
  if (!FORMATS.includes(format)) details.access_token_format = `is one of ${FORMATS.join(', ')}`;
  if (!RESOURCE_ALGS.includes(row.signingAlg)) details.signing_alg = `is one of ${RESOURCE_ALGS.join(', ')}`;
  const longest = format === 'jwt' ? LONGEST_JWT : LONGEST_OPAQUE;
  if (ttl !== null && (!Number.isInteger(ttl) || ttl < 1 || ttl > longest)) {
    const why = format === 'jwt' ? ' for JWTs, which cannot be withdrawn' : '';
    details.access_token_ttl = `is a whole number of seconds from 1 to ${longest}${why}`;
  }
  refuse(details);
  return row;
}

function refuse(details: Record<string, string>): void {
  const [first] = Object.entries(details);
  if (!first) return;
  const message = `The API’s settings are not valid: ${first[0]} ${first[1]}.`;
  throw new Problem('resource.invalid', { details, message });
}

/** It authenticates with what it knows: a public client would let anybody ask. */
async function checkIntrospectionClient(op: Op, id: string | null): Promise<void> {
  if (id === null) return;
  const [client] = await op.db
    .select({ method: clients.tokenEndpointAuthMethod })
    .from(clients)
    .where(and(eq(clients.id, id), isNull(clients.disabledAt)));
  if (!client) refuse({ introspection_client: `${quoted(id)} is not the client_id of an app` });
  if (client?.method === 'none')
    refuse({ introspection_client: `${quoted(id)} is a public client, which cannot prove who it is` });
}

/** Tells every replica that a row changed; delivered with the commit. */
const announce = (op: Op, id: string) => op.db.execute(sql`SELECT pg_notify('gatehouse_resources', ${id})`);

/** Throws resource.invalid with a sentence per field, or resource.exists. */
export async function create(op: Op, input: NewResource): Promise<ResourceRow> {
  const row = checked(input);
  try {
    return await inTransaction(op, async (op) => {
      await checkIntrospectionClient(op, row.introspectionClientId);
      const [made] = await op.db
        .insert(resources)
        .values({ ...row, createdAt: op.now, updatedAt: op.now })
        .returning();
      if (!made) throw new Error('insert returned no row');
      await write(op, [entry('resource.created', {}, { resource: made.id })]);
      await announce(op, made.id);
      return made;
    });
  } catch (error) {
    if (isUniqueViolation(error)) throw new Problem('resource.exists');
    throw error;
  }
}

/**
 * Changes what is given. A disabled API gets no more tokens, and answers about its opaque ones are `active: false`;
 * JWTs that are out live to their end.
 */
export async function change(
  op: Op,
  id: string,
  { disabled, ...settings }: Partial<ResourceSettings> & { disabled?: boolean },
): Promise<ResourceRow> {
  return inTransaction(op, async (op) => {
    const [before] = await op.db.select().from(resources).where(eq(resources.id, id)).for('update');
    if (!before) throw new Problem('resource.notFound');
    const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
    const row = checked({ ...before, ...given });
    const disabledAt =
      disabled === undefined ? before.disabledAt : disabled ? (before.disabledAt ?? op.now) : null;
    const after = { ...before, ...row, disabledAt };
    const fields = (Object.keys(after) as (keyof ResourceRow)[]).filter(
      (key) => String(after[key]) !== String(before[key]),
    );
    if (fields.length === 0) return before;
    if (fields.includes('introspectionClientId'))
      await checkIntrospectionClient(op, row.introspectionClientId);
    const [changed] = await op.db
      .update(resources)
      .set({ ...row, disabledAt, updatedAt: op.now, version: sql`version + 1` })
      .where(eq(resources.id, id))
      .returning();
    if (!changed) throw new Error('update returned no row');
    await write(op, [entry('resource.changed', {}, { resource: id, fields })]);
    await announce(op, id);
    return changed;
  });
}

export async function find(op: Op, id: string): Promise<ResourceRow | null> {
  const [row] = await op.db.select().from(resources).where(eq(resources.id, id)).limit(1);
  return row ?? null;
}

export const list = (op: Op): Promise<ResourceRow[]> =>
  op.db.select().from(resources).orderBy(asc(resources.createdAt)).limit(1000);

/** Those of the named APIs that exist, disabled ones too. */
export const named = (op: Op, ids: readonly string[]): Promise<ResourceRow[]> =>
  op.db
    .select()
    .from(resources)
    .where(inArray(resources.id, [...ids]));

/** Of the scopes an app may ask for, those of this API. */
export const scopesAt = (api: Pick<ResourceRow, 'scopes'>, allowed: readonly string[]): string[] =>
  api.scopes.filter((scope) => allowed.includes(scope));

export type KnownResources = Known<ResourceRow>;

/** APIs that are not disabled, in memory. */
export const createKnownResources = (db: Database): KnownResources =>
  createKnown(db, 'gatehouse_resources', async (on, id) => {
    const [row] = await on
      .select()
      .from(resources)
      .where(and(eq(resources.id, id), isNull(resources.disabledAt)));
    return row ?? null;
  });
