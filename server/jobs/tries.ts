// Rows that jobs work off one try at a time until they are settled: logout tokens, mails. The room that owns the table
// says what a try is; here it is decided whose turn it is and what is written.
//
// A try is claimed in the row before it is made, by a lease of a few seconds: no two workers make one at the same time,
// and none is made once the row is settled. A worker that dies in between leaves the outcome unknown, and there is
// another try: whoever is told twice must be able to see that it is the same.
//
//   pending ──tried──▶ settled: done, refused, or given up after the last try
//    ▲ └─failed─┘  │
//    └─────────────┘ retried by an operator
import { inTransaction } from '../../drizzle/database.ts';
import type { Op } from '../lib/op.ts';
import { enqueue, type Queue } from './jobs.ts';

export interface Try {
  id: string;
  /** This try's number. */
  attempts: number;
  /** An earlier try may have succeeded: nobody knows. */
  unanswered: boolean;
}

/** `again`: the try failed, and a later one may do better. */
export type Outcome<S extends string> =
  | { state: S; failure: string | null }
  | { state: 'again'; failure: string };
export type Settled<S extends string> = { state: S | 'given_up'; failure: string | null };

/** The try failed and the queue makes another. */
class TryAgain extends Error {
  override readonly name = 'TryAgain';
  readonly code: string;
  constructor(table: string, code: string) {
    super(`a row of ${table} waits for another try`);
    this.code = code;
  }
}

/** A row nobody has touched for so long has lost its job: longer than any pause between tries. */
const STRANDED = '2 hours';
const BATCH = 500;
const UNDER_WAY = 'l.last_attempt_at IS NOT NULL AND l.last_failure IS NULL';

interface TriesOf {
  /** Has id, state, attempts, created_at, last_attempt_at, last_failure, settled_at. */
  table: string;
  /** Further columns a try needs. */
  columns: readonly string[];
  queue: Queue<{ id: string }>;
  /** Tries of one row. */
  most: number;
  /** Failures after which an earlier try may have succeeded all the same. */
  unanswered?: readonly string[];
  /** Further assignments when a row is settled; `$2` is the state. */
  settling?: string;
}

/** `Row`: the further columns. Texts are constant, names come from code alone. */
export function createTries<Row extends object, S extends string>(of: TriesOf) {
  const { table, columns, queue, most, unanswered = [], settling } = of;
  const claimText = `UPDATE ${table} l SET attempts = l.attempts + 1, last_attempt_at = clock_timestamp(), last_failure = NULL
    FROM (SELECT id, last_attempt_at, last_failure FROM ${table} WHERE id = $1 FOR UPDATE) b
    WHERE l.id = b.id AND l.state = 'pending'
      AND NOT (${UNDER_WAY} AND l.last_attempt_at > clock_timestamp() - make_interval(secs => $2))
    RETURNING ${['id', 'attempts', ...columns].map((name) => `l.${name}`).join(', ')},
      b.last_attempt_at IS NOT NULL
        AND (b.last_failure IS NULL OR b.last_failure IN ('${unanswered.join("', '")}')) AS unanswered`;
  const settleText = `UPDATE ${table} SET state = $2, settled_at = clock_timestamp(), last_failure = $3${settling ? `, ${settling}` : ''}
    WHERE id = $1 AND state = 'pending' AND ($3::text IS NULL OR attempts = $4)`;
  const failedText = `UPDATE ${table} SET last_failure = $2 WHERE id = $1 AND state = 'pending' AND attempts = $3`;
  const stateText = `SELECT state FROM ${table} WHERE id = $1`;
  const lostText = `SELECT id FROM ${table}
    WHERE state = 'pending' AND greatest(created_at, last_attempt_at) < clock_timestamp() - '${STRANDED}'::interval
    LIMIT ${BATCH} FOR UPDATE SKIP LOCKED`;
  const run = (op: Op, text: string, parameters: (string | number | null)[]) =>
    op.db.$client.unsafe(text, parameters, { prepare: true });

  return {
    /**
     * One try, if it is anybody's turn. Answers what settled the row, null where nothing did; throws when there shall be
     * another try. `seconds`: by then a try and the noting of it are over. `noted` writes with it, in its transaction.
     */
    async work(
      op: Op,
      id: string,
      {
        seconds,
        attempt,
        noted,
      }: {
        seconds: number;
        attempt: (row: Row & Try) => Promise<Outcome<S>>;
        noted: (op: Op, row: Row & Try, settled: Settled<S>) => Promise<void>;
      },
    ): Promise<((Row & Try) & { settled: Settled<S> }) | null> {
      const [row] = (await run(op, claimText, [id, seconds])) as unknown as (Row & Try)[];
      if (!row) {
        const [found] = await run(op, stateText, [id]);
        if (found?.state === 'pending') throw new TryAgain(table, 'under_way');
        return null;
      }
      const outcome = await attempt(row);
      if (outcome.state === 'again' && row.attempts < most) {
        await run(op, failedText, [id, outcome.failure, row.attempts]);
        throw new TryAgain(table, outcome.failure as string);
      }
      const settled = (outcome.state === 'again' ? { ...outcome, state: 'given_up' } : outcome) as Settled<S>;
      // Of failures only while the try is still ours.
      const ours = await inTransaction(op, async (op) => {
        const { count } = await run(op, settleText, [id, settled.state, settled.failure, row.attempts]);
        if (count > 0) await noted(op, row, settled);
        return count > 0;
      });
      return ours ? { ...row, settled } : null;
    },

    /** Jobs for rows, on op.db's connection. */
    enqueue: (op: Op, ids: readonly string[]) =>
      enqueue(
        op,
        queue,
        ids.map((id) => ({ data: { id }, key: id })),
      ),

    /** Gives rows that have lost their job another one: a queue that was emptied or restored without them. */
    rescue: (op: Op): Promise<void> =>
      inTransaction(op, async (op) => {
        const lost = await run(op, lostText, []);
        await enqueue(
          op,
          queue,
          lost.map(({ id }) => ({ data: { id }, key: id })),
        );
      }),
  };
}
