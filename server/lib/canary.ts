// Proves that this process holds the same key ring as the others on its database: one canary per key that ever
// sealed, each sealed by its key. A replica with other keys would write what the rest cannot read, so it is
// refused before it writes anything. Once everything is sealed anew (server/secrets), the canaries of keys that are
// no longer used are removed, and servers without those keys may start.
//
// A canary is looked at when a process starts. What processes that run already can open and seal by, they say in the
// name of their connections.
import { inTransaction } from '../../drizzle/database.ts';
import { inArray } from '../../drizzle/orm.ts';
import { canaries } from '../../drizzle/schema/keys.ts';
import type { Op } from './op.ts';
import { Problem } from './problems.ts';
import type { KeyRing } from './seal.ts';

const SONG = 'gatehouse';
const place = (name: string) => ({ table: 'canaries', column: 'sealed', row: name });
/** Until the transaction ends no other process gets past its canary: it starts before or after. */
export const holdStarts = (op: Op) =>
  op.db.$client`select pg_advisory_xact_lock(hashtextextended('gatehouse.canaries', 0))`;

/** PostgreSQL cuts the name of a connection at 63 characters. */
const MOST_NAMED = 4;

/** The name of a process' connections: its role and the ids of its keys, the one that seals first. */
export const connectionName = (role: 'server' | 'command', ring: KeyRing): string =>
  `gatehouse ${role}, keys ${ring.keyIds.slice(0, MOST_NAMED).join(' ')}`;

export interface Holder {
  role: string;
  /** The first seals; four at most. */
  keyIds: readonly string[];
}

/** The processes that are connected to this database, those with equal keys and role as one; the caller's own too. */
export async function holders(op: Op): Promise<Holder[]> {
  const rows = await op.db.$client<{ name: string }[]>`
    SELECT DISTINCT application_name AS name FROM pg_stat_activity
    WHERE datname = current_database() AND application_name ~ '^gatehouse (server|command), keys '`;
  return rows.map(({ name }) => {
    const [, role = '', , ...keyIds] = name.replace(',', '').split(' ');
    return { role, keyIds };
  });
}

/**
 * At every start, after the migrations. Throws `key.unknown` with a sentence for the operator when one of the
 * canaries cannot be opened; else leaves one for the newest key. Replicas that start at once take turns, so of
 * two with different keys the second is refused.
 */
export async function checkCanary(op: Op, ring: KeyRing): Promise<void> {
  await inTransaction(op, async (op) => {
    await holdStarts(op);
    const found = await op.db.select().from(canaries);
    for (const { name, sealed } of found) {
      try {
        ring.open(sealed, place(name));
      } catch (cause) {
        throw new Problem('key.unknown', {
          message: `The database holds secrets sealed with key ${name}, which is not in ENCRYPTION_KEYS (there: ${ring.keyIds.join(', ')}). Give every replica the same keys and keep the old ones; with the embedded database, restore encryption.keys from your backup.`,
          cause,
        });
      }
    }
    if (!found.some(({ name }) => name === ring.newestKeyId)) {
      await op.db
        .insert(canaries)
        .values({ name: ring.newestKeyId, sealed: ring.seal(SONG, place(ring.newestKeyId)) });
    }
  });
}

export const canaryKeys = async (op: Op): Promise<string[]> =>
  (await op.db.select({ name: canaries.name }).from(canaries)).map(({ name }) => name);

/**
 * Removes the canaries of keys by which nothing is sealed and nobody seals; says which. In a transaction. No process
 * starts meanwhile, so one that seals by a key is either connected, or has ended before `keysInUse` looks.
 */
export async function retireCanaries(
  op: Op,
  ring: KeyRing,
  keysInUse: (op: Op) => Promise<ReadonlySet<string>>,
): Promise<string[]> {
  await holdStarts(op);
  const sealing = new Set((await holders(op)).map(({ keyIds }) => keyIds[0]));
  const idle = (await canaryKeys(op)).filter((name) => name !== ring.newestKeyId && !sealing.has(name));
  if (idle.length === 0) return [];
  const used = await keysInUse(op);
  const retired = idle.filter((name) => !used.has(name));
  if (retired.length > 0) await op.db.delete(canaries).where(inArray(canaries.name, retired));
  return retired;
}
