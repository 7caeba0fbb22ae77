// Jobs by schedule: each of them on exactly one replica at a time, which holds a lease on its row in `schedules`
// and renews it while the job runs. A replica that dies loses the lease by its end, and another goes on.
// All times are the database's. One short statement per job, period and replica is all that idling costs.
//
//   due ──claimed──▶ held ──done or failed──▶ due again `seconds` later
//                     └──heldUntil passes──▶ due (another replica claims it)
//
// A process that hangs for longer than its lease may still be at work when another one starts: jobs must be
// idempotent, and what may happen only once is decided by a row lock of its own.
import { randomUUID } from 'node:crypto';
import { type Database, isUnavailable } from '../../drizzle/database.ts';
import type { Log } from '../lib/log.ts';
import { type Op, systemOp } from '../lib/op.ts';

interface Schedule {
  name: string;
  seconds: number;
  run: (op: Op) => Promise<void>;
}

const LONGEST_LEASE = 30;
const SHORTEST_LEASE = 5;
/** Seconds between two looks at most, also when the database is away. */
const LONGEST_WAIT = 3600;
const AWAY_WAIT = 5;

export function createLeases({ db, log }: { db: Database; log: Log }) {
  const holder = randomUUID();
  const schedules: Schedule[] = [];
  const timers = new Map<string, NodeJS.Timeout>();
  const running = new Set<Promise<void>>();
  let stopped = true;
  let away = false;

  const leaseOf = (job: Schedule) => Math.min(LONGEST_LEASE, Math.max(SHORTEST_LEASE, job.seconds));

  /** Makes the rows, and brings a job forward whose period has become shorter. */
  async function prepare(): Promise<void> {
    for (const job of schedules) {
      await db.$client`
        INSERT INTO schedules (name, due_at) VALUES (${job.name}, now())
        ON CONFLICT (name) DO UPDATE SET due_at = now() + ${job.seconds} * interval '1 second'
          WHERE schedules.due_at > now() + ${job.seconds} * interval '1 second'`;
    }
  }

  /** Takes the lease if the job is due; else says in how many seconds to try again. */
  async function claim(job: Schedule): Promise<{ mine: boolean; wait: number }> {
    const [row] = await db.$client<{ mine: boolean; wait: number }[]>`
      WITH claimed AS (
        UPDATE schedules
        SET holder = ${holder}, held_until = now() + ${leaseOf(job)} * interval '1 second', started_at = now()
        WHERE name = ${job.name} AND due_at <= now() AND (held_until IS NULL OR held_until <= now())
        RETURNING true)
      SELECT EXISTS (SELECT FROM claimed) AS mine,
             extract(epoch FROM greatest(due_at, held_until) - now())::float8 AS wait
      FROM schedules WHERE name = ${job.name}`;
    return row ?? { mine: false, wait: job.seconds };
  }

  const renew = (job: Schedule) => db.$client`
    UPDATE schedules SET held_until = now() + ${leaseOf(job)} * interval '1 second'
    WHERE name = ${job.name} AND holder = ${holder} AND held_until IS NOT NULL`;

  const release = (job: Schedule, failed: boolean) => db.$client`
    UPDATE schedules
    SET holder = NULL, held_until = NULL, finished_at = now(), due_at = now() + ${job.seconds} * interval '1 second',
        failures = CASE WHEN ${failed} THEN failures + 1 ELSE 0 END
    WHERE name = ${job.name} AND holder = ${holder}`;

  async function hold(job: Schedule): Promise<void> {
    const renewal = setInterval(
      // If it cannot be renewed the lease ends, as it should.
      () => void renew(job).catch(() => {}),
      (leaseOf(job) * 1000) / 3,
    );
    let failed = false;
    try {
      await job.run(systemOp(db, `jobs.${job.name}`));
    } catch (error) {
      failed = true;
      if (!isUnavailable(error)) log.error({ err: error, job: job.name }, 'a job by schedule failed');
    } finally {
      clearInterval(renewal);
    }
    await release(job, failed);
  }

  async function turn(job: Schedule): Promise<void> {
    let wait = job.seconds;
    try {
      const claimed = await claim(job);
      if (claimed.mine) await hold(job);
      else wait = claimed.wait;
      away = false;
    } catch (error) {
      if (!away) log.warn({ err: error, job: job.name }, 'the schedule of jobs could not be read');
      away = isUnavailable(error);
      wait = Math.min(wait, AWAY_WAIT);
    }
    if (stopped) return;
    // Behind a moment that has just passed another replica is claiming: look again soon, but do not spin.
    timers.set(
      job.name,
      setTimeout(() => begin(job), Math.max(200, Math.min(wait, LONGEST_WAIT) * 1000)),
    );
  }

  function begin(job: Schedule): void {
    const round = turn(job).finally(() => running.delete(round));
    running.add(round);
  }

  return {
    add(job: Schedule): void {
      if (schedules.some((one) => one.name === job.name)) throw new Error(`two schedules named ${job.name}`);
      schedules.push(job);
    },
    async start(): Promise<void> {
      stopped = false;
      await prepare();
      for (const job of schedules) begin(job);
    },
    /** Lets jobs under way finish. */
    async stop(): Promise<void> {
      stopped = true;
      for (const timer of timers.values()) clearTimeout(timer);
      await Promise.all(running);
    },
  };
}
