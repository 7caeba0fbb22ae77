// The endings of browser sessions and of what was granted in them: one path for all (P6, A13, R16, R36, R37).
//
// A session that ends becomes a tombstone: no request that was under way can bring it back, and everything
// bound to it is dead at the next read on every replica. What was granted with offline_access outlives its
// session (OIDC Core 11) and ends with the grant or the account. Every ending is in the audit trail and is told to the
// session's apps (server/logouts), in the same transaction.
//
// Locks are taken in the order account, interactions, grants, tokens, sessions, deliveries, by endings as by the requests
// that are under way.
import { inTransaction } from '../../drizzle/database.ts';
import { and, desc, eq, gt, inArray, isNotNull, isNull } from '../../drizzle/orm.ts';
import { grants, interactions, sessions } from '../../drizzle/schema/oidc.ts';
import { entry, write } from '../audit/audit.ts';
import type { Op } from '../lib/op.ts';
import { type EndedSession, tell } from '../logouts/logouts.ts';

/**
 * What every ending writes, in the transaction that made tombstones of these sessions and after it did. `client`: the
 * app that asked for it.
 */
export async function noteEnded(
  op: Op,
  ended: readonly EndedSession[],
  client: string | null = null,
): Promise<void> {
  await write(
    op,
    ended.map(({ uid, accountId, reason }) =>
      entry('session.ended', { subject: accountId, session: uid, client }, { reason }),
    ),
  );
  await tell(op, ended);
}

/**
 * For a request that granted something in a session which another one was ending: that one has not seen the grant.
 * Whoever has been told is not told again.
 */
export async function tellOfEnded(op: Op, uid: string): Promise<void> {
  const [row] = await op.db
    .select({ uid: sessions.uid, accountId: sessions.accountId, reason: sessions.endReason })
    .from(sessions)
    .where(and(eq(sessions.uid, uid), isNotNull(sessions.endedAt)));
  const { accountId, reason } = row ?? {};
  if (accountId && reason) await tell(op, [{ uid, accountId, reason }]);
}

const BATCH = 100;

/** Both limits are in the one column: which of them it was, to the second in which the library writes it. */
const EXPIRE = `UPDATE sessions SET ended_at = $1::timestamptz,
    end_reason = CASE WHEN expires_at >= login_at + make_interval(secs => $2 - 1) THEN 'max_age' ELSE 'idle' END
  WHERE uid IN (SELECT uid FROM sessions WHERE expires_at <= $1::timestamptz AND ended_at IS NULL AND account_id IS NOT NULL
    ORDER BY expires_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)
  RETURNING uid, account_id, end_reason`;

/** Ends the sessions that are past a limit, in small transactions; one that is being used waits for the next time. */
export async function expire(op: Op, maxAge: number): Promise<void> {
  for (let found = BATCH; found === BATCH; ) {
    found = await inTransaction(op, async (op) => {
      const rows = await op.db.$client.unsafe(EXPIRE, [op.now.toISOString(), maxAge], { prepare: true });
      const ended = rows.map((row) => ({ uid: row.uid, accountId: row.account_id, reason: row.end_reason }));
      await noteEnded(op, ended);
      return ended.length;
    });
  }
}

/**
 * Ends every session, grant and sign-in under way of an account, in the caller's transaction. The caller raises
 * the account's epoch in the same one, which kills what an unfinished request may still write.
 */
export async function endAllOfAccount(op: Op, accountId: string, reason: string): Promise<void> {
  await inTransaction(op, async (op) => {
    // A sign-in or a grant that a request under way holds is left to it: it may be waiting for the account's row, which is
    // ours, and the epoch has ended both.
    await op.db
      .update(interactions)
      .set({ expiresAt: op.now })
      .where(
        inArray(
          interactions.uidHash,
          op.db
            .select({ uidHash: interactions.uidHash })
            .from(interactions)
            .where(and(eq(interactions.accountId, accountId), isNull(interactions.takenAt)))
            .for('update', { skipLocked: true }),
        ),
      );
    await op.db
      .update(grants)
      .set({ revokedAt: op.now, revokeReason: reason })
      .where(
        inArray(
          grants.id,
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
    await noteEnded(
      op,
      ended.map(({ uid }) => ({ uid, accountId, reason })),
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

/** The same for everybody who granted it anything. */
export async function revokeAllGrants(op: Op, clientId: string, reason: string): Promise<void> {
  await op.db
    .update(grants)
    .set({ revokedAt: op.now, revokeReason: reason })
    .where(and(eq(grants.clientId, clientId), isNull(grants.revokedAt)));
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
