// Proves that this process holds the same key ring as the others on its database: one canary per key that ever
// sealed, each sealed by its key. A replica with other keys would write what the rest cannot read, so it is
// refused before it writes anything. Whoever seals everything anew removes the canaries of keys no longer used.
import { inTransaction } from '../../drizzle/database.ts';
import { canaries } from '../../drizzle/schema/keys.ts';
import type { Op } from './op.ts';
import { Problem } from './problems.ts';
import type { KeyRing } from './seal.ts';

const SONG = 'gatehouse';
const place = (name: string) => ({ table: 'canaries', column: 'sealed', row: name });

/**
 * At every start, after the migrations. Throws `key.unknown` with a sentence for the operator when one of the
 * canaries cannot be opened; else leaves one for the newest key. Replicas that start at once take turns, so of
 * two with different keys the second is refused.
 */
export async function checkCanary(op: Op, ring: KeyRing): Promise<void> {
  await inTransaction(op, async (op) => {
    await op.db.$client`select pg_advisory_xact_lock(hashtextextended('gatehouse.canaries', 0))`;
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
