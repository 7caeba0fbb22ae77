// Apps that register themselves (RFC 7591) and manage what they registered (RFC 7592), and the tokens that let them.
//
// An initial token lets so many apps in: each use is counted off in the transaction that makes the app, so that many at
// once never make more of them than it allows, and a registration that fails costs none. A management token is of one
// app; every change replaces it, by compare-and-set. Both are stored as SHA-256 only, and shown once.
//
// Apps that came without a token and that nobody has let in are counted and, after a week, removed: a stranger can fill
// neither the table nor the list that an operator reads.
import { inTransaction } from '../../drizzle/database.ts';
import { and, desc, eq, gt, isNull, lt, or, sql } from '../../drizzle/orm.ts';
import { clients, registrationTokens } from '../../drizzle/schema/clients.ts';
import { entry, write } from '../audit/audit.ts';
import type { Op } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';
import { newSecret, sha256 } from '../lib/secrets.ts';
import { type ClientRow, change, create, type NewClient } from './clients.ts';

/** By what right an app came: a token of the operator, or none. */
export type Right = 'token' | 'open';

/** The public name of a token: the beginning of its hash, from which nothing follows. */
const NAME_LENGTH = 12;
const nameOf = (hash: Buffer): string => hash.toString('hex').slice(0, NAME_LENGTH);

const live = (op: Op) => or(isNull(registrationTokens.expiresAt), gt(registrationTokens.expiresAt, op.now));

interface InitialToken {
  name: string;
  note: string | null;
  usesLeft: number | null;
  createdAt: Date;
  expiresAt: Date | null;
}

/** Makes an initial token; its value can be read here alone. `uses` null: any number until it expires; `ttl` in seconds. */
export async function createToken(
  op: Op,
  { uses, ttl, note }: { uses: number | null; ttl: number; note: string | null },
): Promise<InitialToken & { value: string }> {
  const value = newSecret();
  const idHash = sha256(value);
  const row = {
    note,
    usesLeft: uses,
    createdAt: op.now,
    expiresAt: new Date(op.now.getTime() + ttl * 1000),
  };
  await inTransaction(op, async (op) => {
    await op.db.insert(registrationTokens).values({ ...row, idHash, kind: 'initial', payload: {} });
    await write(op, [entry('registrationToken.created', {}, { token: nameOf(idHash), uses })]);
  });
  return { ...row, name: nameOf(idHash), value };
}

/** Those that still let apps in, the newest first. */
export async function listTokens(op: Op): Promise<InitialToken[]> {
  const rows = await op.db
    .select()
    .from(registrationTokens)
    .where(
      and(
        eq(registrationTokens.kind, 'initial'),
        live(op),
        or(isNull(registrationTokens.usesLeft), gt(registrationTokens.usesLeft, 0)),
      ),
    )
    .orderBy(desc(registrationTokens.createdAt))
    .limit(1000);
  return rows.map(({ idHash, note, usesLeft, createdAt, expiresAt }) => ({
    name: nameOf(idHash),
    note,
    usesLeft,
    createdAt,
    expiresAt,
  }));
}

/** It lets nobody in any more; apps it has let in stay. Throws registrationToken.notFound. */
export async function revokeToken(op: Op, name: string): Promise<void> {
  if (!new RegExp(`^[0-9a-f]{${NAME_LENGTH}}$`).test(name)) throw new Problem('registrationToken.notFound');
  await inTransaction(op, async (op) => {
    const gone = await op.db.$client`
      DELETE FROM registration_tokens WHERE kind = 'initial' AND encode(id_hash, 'hex') LIKE ${`${name}%`}`;
    if (gone.count === 0) throw new Problem('registrationToken.notFound');
    await write(op, [entry('registrationToken.revoked', {}, { token: name })]);
  });
}

const refused = () => new Problem('registrationToken.invalid');

/** Before anything of the request is looked at. Throws registrationToken.invalid. */
export async function checkInitial(op: Op, value: string): Promise<void> {
  const [row] = await op.db
    .select({ usesLeft: registrationTokens.usesLeft })
    .from(registrationTokens)
    .where(
      and(eq(registrationTokens.idHash, sha256(value)), eq(registrationTokens.kind, 'initial'), live(op)),
    );
  if (!row || row.usesLeft === 0) throw refused();
}

/** Nobody has ever let it in: then nobody's tokens, sessions or decisions hang on it. */
const UNUSED = sql`EXISTS (SELECT FROM registration_tokens t WHERE t.client_id = ${clients.id} AND t.kind = 'management'
    AND t.payload->>'right' = 'open')
  AND NOT EXISTS (SELECT FROM consents n WHERE n.client_id = ${clients.id})
  AND NOT EXISTS (SELECT FROM grants g WHERE g.client_id = ${clients.id})`;

/** One after the other, so that many at once do not pass a limit that one of them reaches. */
async function checkRoom(op: Op, most: number): Promise<void> {
  await op.db.execute(sql`SELECT pg_advisory_xact_lock(hashtext('gatehouse.registration'))`);
  const [unused] = await op.db.select({ count: sql<number>`count(*)::int` }).from(clients).where(UNUSED);
  if ((unused?.count ?? 0) >= most) throw new Problem('registration.full');
}

async function insertManagement(op: Op, clientId: string, right: Right): Promise<string> {
  const value = newSecret();
  await op.db.insert(registrationTokens).values({
    idHash: sha256(value),
    kind: 'management',
    clientId,
    createdAt: op.now,
    payload: { right },
  });
  return value;
}

export interface Registered {
  client: ClientRow;
  /** In clear, the only time it can be read; null: it has none, or keeps the one it has. */
  secret: string | null;
  /** In clear too: what it manages itself with from here on. */
  token: string;
}

/**
 * Registers an app by the right of `initial`, or without one (null) while fewer than `most` such apps wait for their first
 * person. Throws client.invalid, registrationToken.invalid, registration.full.
 */
export async function register(
  op: Op,
  input: NewClient,
  { initial, most }: { initial: string | null; most: number },
): Promise<Registered> {
  return inTransaction(op, async (op) => {
    const idHash = initial === null ? null : sha256(initial);
    if (idHash === null) await checkRoom(op, most);
    else {
      const used = await op.db.$client`
        UPDATE registration_tokens SET uses_left = uses_left - 1
        WHERE id_hash = ${idHash} AND kind = 'initial' AND (uses_left IS NULL OR uses_left > 0)
          AND (expires_at IS NULL OR expires_at > ${op.now.toISOString()}::timestamptz)`;
      if (used.count === 0) throw refused();
    }
    const { client, secret } = await create(op, { ...input, registeredBy: 'dynamic' }, 'registration');
    const right = idHash === null ? 'open' : 'token';
    await write(op, [
      entry(
        'client.registered',
        { client: client.id },
        { right, token: idHash === null ? null : nameOf(idHash) },
      ),
    ]);
    return { client, secret, token: await insertManagement(op, client.id, right) };
  });
}

interface Managed {
  client: ClientRow;
  right: Right;
}

/** The app a management token is of. Throws registrationToken.invalid, also where it is of another app. */
export async function managed(op: Op, clientId: string, value: string): Promise<Managed> {
  const [row] = await op.db
    .select({ client: clients, payload: registrationTokens.payload })
    .from(registrationTokens)
    .innerJoin(clients, eq(clients.id, registrationTokens.clientId))
    .where(
      and(
        eq(registrationTokens.idHash, sha256(value)),
        eq(registrationTokens.kind, 'management'),
        eq(registrationTokens.clientId, clientId),
        isNull(clients.disabledAt),
      ),
    );
  if (!row) throw refused();
  return { client: row.client, right: row.payload.right === 'token' ? 'token' : 'open' };
}

/**
 * Spends a management token, in the caller's transaction: of many uses at once one goes on. Behind the app's own row, which
 * whoever removes it takes first. Throws client.managed, registrationToken.invalid.
 */
export async function spend(op: Op, clientId: string, value: string): Promise<void> {
  const [app] = await op.db
    .select({ firstParty: clients.firstParty })
    .from(clients)
    .where(eq(clients.id, clientId))
    .for('update');
  // The company's own are changed by the company: another redirect URI of theirs would be trusted unasked.
  if (app?.firstParty) throw new Problem('client.managed');
  const spent = await op.db.$client`
    DELETE FROM registration_tokens WHERE id_hash = ${sha256(value)} AND kind = 'management' AND client_id = ${clientId}`;
  if (spent.count === 0) throw refused();
}

/** Replaces what an app registered. Throws client.invalid, client.managed, registrationToken.invalid. */
export async function reregister(
  op: Op,
  { client: { id }, right }: Managed,
  value: string,
  next: (before: ClientRow) => NewClient,
): Promise<Registered> {
  return inTransaction(op, async (op) => {
    await spend(op, id, value);
    const { client, secret } = await change(op, id, next);
    return { client, secret, token: await insertManagement(op, id, right) };
  });
}

/** Apps that came without a token before `before` and that nobody has ever let in, at most so many. */
export async function unused(op: Op, before: Date, limit: number): Promise<string[]> {
  const rows = await op.db
    .select({ id: clients.id })
    .from(clients)
    .where(and(lt(clients.createdAt, before), UNUSED))
    .limit(limit);
  return rows.map(({ id }) => id);
}
