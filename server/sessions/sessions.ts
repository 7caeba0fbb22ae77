// The endings of browser sessions and of what was granted in them: one path for all (P6, A13, R16, R36, R37).
//
// A session that ends becomes a tombstone: no request that was under way can bring it back, and everything
// bound to it is dead at the next read on every replica. What was granted with offline_access outlives its
// session (OIDC Core 11) and ends with the grant or the account.
import { inTransaction } from '../../drizzle/database.ts';
import { and, desc, eq, gt, inArray, isNull } from '../../drizzle/orm.ts';
import { grants, interactions, sessions } from '../../drizzle/schema/oidc.ts';
import { entry, write } from '../audit/audit.ts';
import type { Op } from '../lib/op.ts';

/**
 * Ends every session, grant and sign-in under way of an account, in the caller's transaction. The caller raises
 * the account's epoch in the same one, which kills what an unfinished request may still write.
 */
export async function endAllOfAccount(op: Op, accountId: string, reason: string): Promise<void> {
  await inTransaction(op, async (op) => {
    // In the order in which a sign-in under way takes these rows, so that neither waits for the other in a circle.
    await op.db
      .update(interactions)
      .set({ expiresAt: op.now })
      .where(and(eq(interactions.accountId, accountId), isNull(interactions.takenAt)));
    await op.db
      .update(grants)
      .set({ revokedAt: op.now, revokeReason: reason })
      .where(
        inArray(
          grants.id,
          // Whoever holds one may be waiting for the account's row, which is ours: its epoch has ended that grant too.
          op.db
            .select({ id: grants.id })
            .from(grants)
            .where(and(eq(grants.accountId, accountId), isNull(grants.revokedAt)))
            .for('update', { skipLocked: true }),
        ),
      );
    const ended = await op.db
      .update(sessions)
      .set({ endedAt: op.now, endReason: reason })
      .where(and(eq(sessions.accountId, accountId), isNull(sessions.endedAt)))
      .returning({ uid: sessions.uid });
    await write(
      op,
      ended.map(({ uid }) => entry('session.ended', { subject: accountId, session: uid }, { reason })),
    );
  });
}

/** Revokes what one client was granted by one account: its tokens are dead at the next read. */
export async function revokeGrants(
  op: Op,
  accountId: string,
  clientId: string,
  reason: string,
): Promise<number> {
  const revoked = await op.db
    .update(grants)
    .set({ revokedAt: op.now, revokeReason: reason })
    .where(and(eq(grants.accountId, accountId), eq(grants.clientId, clientId), isNull(grants.revokedAt)))
    .returning({ id: grants.id });
  return revoked.length;
}

/** An account's live sessions, the most recently used first. Public facts only: no handle that opens anything. */
export const listOf = (op: Op, accountId: string) =>
  op.db
    .select({
      uid: sessions.uid,
      loginAt: sessions.loginAt,
      createdAt: sessions.createdAt,
      lastSeenAt: sessions.lastSeenAt,
      address: sessions.address,
      userAgent: sessions.userAgent,
    })
    .from(sessions)
    .where(and(eq(sessions.accountId, accountId), isNull(sessions.endedAt), gt(sessions.expiresAt, op.now)))
    .orderBy(desc(sessions.lastSeenAt))
    .limit(100);
