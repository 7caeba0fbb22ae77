// Removing what can no longer matter, in batches small enough that nobody waits for a lock. What a later request
// must still recognise is kept beyond its end: spent codes and refresh tokens (R14), tombstones of sessions (R16),
// interactions whose person may come back with an old tab.
import type { Jobs } from '../jobs/jobs.ts';
import type { Op } from '../lib/op.ts';
import { purgeFailures } from '../lockouts/lockouts.ts';
import { REFUSALS_KEPT } from '../refusals/refusals.ts';
import { removeUnused } from './registration.ts';
import { run } from './rows.ts';

const BATCH = 500;
/** Per table and run: a backlog is worked off over several runs. */
const ROUNDS = 100;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const expired = (table: string, key: string, column = 'expires_at') =>
  `DELETE FROM ${table} WHERE ${key} IN (SELECT ${key} FROM ${table} WHERE ${column} < $1::timestamptz LIMIT ${BATCH}
   FOR UPDATE SKIP LOCKED) RETURNING 1`;

const tasks: { text: string; keep: number }[] = [
  { text: expired('access_tokens', 'id_hash'), keep: HOUR },
  { text: expired('client_tokens', 'id_hash'), keep: HOUR },
  { text: expired('authorization_codes', 'id_hash'), keep: DAY },
  { text: expired('device_codes', 'id_hash'), keep: DAY },
  { text: expired('refresh_tokens', 'id_hash'), keep: DAY },
  // Those of a session say which apps are to be told of its end.
  {
    text: expired(
      'grants',
      'id',
      'NOT EXISTS (SELECT FROM sessions s WHERE s.uid = session_uid AND s.ended_at IS NULL) AND expires_at',
    ),
    keep: DAY,
  },
  // One that nobody has ended yet still has apps to tell (server/sessions).
  { text: expired('sessions', 'uid', 'ended_at IS NOT NULL AND expires_at'), keep: DAY },
  // Nobody's: there is nothing to recognise later.
  { text: expired('sessions', 'uid', 'account_id IS NULL AND expires_at'), keep: 0 },
  { text: expired('interactions', 'uid_hash'), keep: DAY },
  // A sign-in begun with one looks at it when it ends.
  { text: expired('pushed_requests', 'id_hash'), keep: 2 * DAY },
  { text: expired('replay_detections', 'id_hash'), keep: HOUR },
  { text: expired('logout_deliveries', 'id', 'created_at'), keep: 30 * DAY },
  { text: expired('refusals', 'id', 'last_at'), keep: REFUSALS_KEPT },
  {
    // P3: a successor is kept sealed for its window only.
    text: `UPDATE refresh_tokens SET successor_sealed = NULL WHERE id_hash IN (SELECT id_hash FROM refresh_tokens
      WHERE successor_sealed IS NOT NULL AND replay_until < $1::timestamptz LIMIT ${BATCH} FOR UPDATE SKIP LOCKED) RETURNING 1`,
    // This clock is not the one the window is measured by.
    keep: MINUTE,
  },
];

/** One pass over every table; answers how many rows it touched. */
export async function purge(op: Op): Promise<number> {
  let touched = 0;
  for (const { text, keep } of tasks) {
    const before = new Date(op.now.getTime() - keep).toISOString();
    for (let round = 0; round < ROUNDS; round++) {
      const rows = await run(op.db, text, [before]);
      touched += rows.length;
      if (rows.length < BATCH) break;
    }
  }
  return touched + (await purgeFailures(op, BATCH));
}

export function oidcJobs(jobs: Jobs, every: number): void {
  jobs.every('purge', every, async (op) => {
    await purge(op);
    await removeUnused(op);
  });
}
