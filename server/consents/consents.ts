// What people allowed which app, with its history (P9). A decision in force covers later sessions too; an app
// that asks for more, or that no longer looks like what was consented to, asks again (ASVS 10.7).
import { randomUUIDv7 } from 'node:crypto';
import { inTransaction } from '../../drizzle/database.ts';
import { and, desc, eq, isNull, sql } from '../../drizzle/orm.ts';
import { clients, consents } from '../../drizzle/schema/clients.ts';
import { entry, write } from '../audit/audit.ts';
import { type ClientRow, remove } from '../clients/clients.ts';
import type { Op } from '../lib/op.ts';
import { sha256base64url } from '../lib/secrets.ts';
import { revokeAllGrants, revokeGrants } from '../sessions/sessions.ts';

/** What a person sees of an app before consenting; a change of any of it asks again. */
const fingerprint = (client: Pick<ClientRow, 'name' | 'clientUri' | 'redirectUris'>): string =>
  sha256base64url(JSON.stringify([client.name, client.clientUri, [...client.redirectUris].sort()]));

/** What a grant remembers of the app's looks; null for the company's own apps, which ask nothing. */
export const lookOf = (client: ClientRow): string | null => (client.firstParty ? null : fingerprint(client));

/** What an app may have: of the account, and at APIs by their resource indicators. An API without scopes is one too. */
export interface Access {
  scopes: readonly string[];
  resources: Readonly<Record<string, readonly string[]>>;
}

const union = (a: readonly string[] = [], b: readonly string[] = []) => [...new Set([...a, ...b])];

/** Both together. */
export const joined = (a: Access, b: Access) => ({
  scopes: union(a.scopes, b.scopes),
  resources: Object.fromEntries(
    union(Object.keys(a.resources), Object.keys(b.resources)).map((id) => [
      id,
      union(a.resources[id], b.resources[id]),
    ]),
  ),
});

/** What is in `wanted` and not in `held`. An API of which nothing is held is there also without scopes. */
export const beyond = (wanted: Access, held: Access) => ({
  scopes: wanted.scopes.filter((scope) => !held.scopes.includes(scope)),
  resources: Object.fromEntries(
    Object.entries(wanted.resources)
      .map(([id, scopes]) => [id, scopes.filter((scope) => !held.resources[id]?.includes(scope))] as const)
      .filter(([id, scopes]) => scopes.length > 0 || held.resources[id] === undefined),
  ),
});

/** What is in both. */
export const common = (a: Access, b: Access) => ({
  scopes: a.scopes.filter((scope) => b.scopes.includes(scope)),
  resources: Object.fromEntries(
    Object.entries(a.resources)
      .filter(([id]) => b.resources[id] !== undefined)
      .map(([id, scopes]) => [id, scopes.filter((scope) => b.resources[id]?.includes(scope))]),
  ),
});

export const isNothing = ({ scopes, resources }: Access): boolean =>
  scopes.length === 0 && Object.keys(resources).length === 0;

export const NOTHING: Access = { scopes: [], resources: {} };

/** What is in force; nothing where there is none or the app has changed since. */
export async function consented(op: Op, accountId: string, client: ClientRow): Promise<Access> {
  const [row] = await op.db
    .select({
      scopes: consents.scopes,
      resources: consents.resourceScopes,
      fingerprint: consents.clientFingerprint,
    })
    .from(consents)
    .where(
      and(eq(consents.accountId, accountId), eq(consents.clientId, client.id), isNull(consents.endedAt)),
    );
  return row && row.fingerprint === fingerprint(client) ? row : NOTHING;
}

/**
 * Acts on the consent of one person to one app wait for one another, until the transaction ends: of two given at
 * once the second follows the first, and nothing is granted on one that is being withdrawn. Taken before grants.
 */
export async function lockConsent(op: Op, accountId: string, clientId: string): Promise<void> {
  if (!op.db.inTransaction) throw new Error('the lock on a consent needs a transaction');
  await op.db
    .$client`SELECT pg_advisory_xact_lock(hashtextextended(${`gatehouse.consent.${accountId}.${clientId}`}, 0))`;
}

/** Records what a person allowed now; what was in force before becomes history. In the caller's transaction. */
export async function record(op: Op, accountId: string, client: ClientRow, access: Access): Promise<void> {
  const mark = fingerprint(client);
  await inTransaction(op, async (op) => {
    await lockConsent(op, accountId, client.id);
    const [before] = await op.db
      .update(consents)
      .set({ endedAt: op.now, endReason: 'widened' })
      .where(
        and(eq(consents.accountId, accountId), eq(consents.clientId, client.id), isNull(consents.endedAt)),
      )
      .returning({
        id: consents.id,
        scopes: consents.scopes,
        resources: consents.resourceScopes,
        fingerprint: consents.clientFingerprint,
      });
    const { scopes, resources } = joined(before?.fingerprint === mark ? before : NOTHING, access);
    if (before && before.fingerprint !== mark) {
      await op.db.update(consents).set({ endReason: 'client_changed' }).where(eq(consents.id, before.id));
    }
    await op.db.insert(consents).values({
      id: randomUUIDv7(),
      accountId,
      clientId: client.id,
      scopes,
      resourceScopes: resources,
      clientFingerprint: mark,
      grantedAt: op.now,
    });
  });
}

/** Withdraws an app's access: the consent becomes history, every token of it is dead at the next read. */
export async function revoke(op: Op, accountId: string, clientId: string): Promise<boolean> {
  return inTransaction(op, async (op) => {
    await lockConsent(op, accountId, clientId);
    const [ended] = await op.db
      .update(consents)
      .set({ endedAt: op.now, endReason: 'revoked' })
      .where(
        and(eq(consents.accountId, accountId), eq(consents.clientId, clientId), isNull(consents.endedAt)),
      )
      .returning({ id: consents.id });
    const grants = await revokeGrants(op, accountId, clientId, 'person');
    if (!ended && grants === 0) return false;
    await write(op, [entry('consent.revoked', { subject: accountId, client: clientId }, {})]);
    return true;
  });
}

/** Apps with a consent in force, the newest first; `all` adds the history after them, in which `endedAt` is set. */
export const listOf = (op: Op, accountId: string, only: 'inForce' | 'all' = 'inForce') =>
  op.db
    .select({
      clientId: consents.clientId,
      name: clients.name,
      scopes: consents.scopes,
      resources: consents.resourceScopes,
      grantedAt: consents.grantedAt,
      endedAt: consents.endedAt,
      endReason: consents.endReason,
    })
    .from(consents)
    .leftJoin(clients, eq(clients.id, consents.clientId))
    .where(and(eq(consents.accountId, accountId), only === 'all' ? undefined : isNull(consents.endedAt)))
    .orderBy(sql`${consents.endedAt} IS NOT NULL`, desc(consents.grantedAt))
    .limit(200);

/**
 * The company's own apps that nobody had to consent to, and that can still get tokens without the person: `revoke`
 * ends these like the others (ASVS 10.4.9).
 */
export async function lastingWithoutConsent(
  op: Op,
  accountId: string,
): Promise<{ clientId: string; name: string; since: Date }[]> {
  const now = op.now.toISOString();
  const rows = await op.db.$client<{ id: string; name: string; since: number }[]>`
    SELECT c.id, c.name, extract(epoch FROM min(g.created_at))::float8 AS since
    FROM grants g
    JOIN accounts a ON a.id = g.account_id AND a.epoch = g.account_epoch
    JOIN clients c ON c.id = g.client_id AND c.disabled_at IS NULL
    WHERE g.account_id = ${accountId} AND g.revoked_at IS NULL AND g.expires_at > ${now}::timestamptz
      AND EXISTS (SELECT FROM refresh_tokens r WHERE r.grant_id = g.id AND r.consumed_at IS NULL
        AND NOT r.session_bound AND r.expires_at > ${now}::timestamptz)
      AND NOT EXISTS (SELECT FROM consents n WHERE n.account_id = g.account_id AND n.client_id = g.client_id
        AND n.ended_at IS NULL)
    GROUP BY c.id ORDER BY since DESC LIMIT 200`;
  return rows.map(({ id, name, since }) => ({ clientId: id, name, since: new Date(since * 1000) }));
}

/**
 * An app goes, and with it all that anybody allowed it: the consents become history, every token of it is dead at the next
 * read. Throws client.notFound.
 */
export async function endApp(op: Op, clientId: string, by: 'app' | 'cli' | 'unused'): Promise<void> {
  await inTransaction(op, async (op) => {
    await remove(op, clientId, by);
    await op.db
      .update(consents)
      .set({ endedAt: op.now, endReason: 'client_removed' })
      .where(and(eq(consents.clientId, clientId), isNull(consents.endedAt)));
    await revokeAllGrants(op, clientId, 'client_removed');
  });
}
