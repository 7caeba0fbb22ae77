// The one queue (O10): pg-boss in our PostgreSQL. A job is enqueued in the act's own transaction, so it exists if
// and only if the act does; it runs at least once, is tried again with growing pauses, and is taken over from a
// process that died. Jobs by schedule are held by one replica at a time (leases.ts). docs/decisions/0006.
//
// Handlers must be idempotent. A job's data are ids, never personal values or secrets: they stay in the queue's
// tables for days and are shown to operators.
import { randomUUID } from 'node:crypto';
import type { JobResult, PgBoss } from 'pg-boss';
import { type Database, faultCode, isUnavailable } from '../../drizzle/database.ts';
import type { Log } from '../lib/log.ts';
import { type Op, systemOp } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';
import { connectionOf } from './connection.ts';
import { createLeases } from './leases.ts';

interface Attempt {
  id: string;
  /** 1 at the first try. */
  attempt: number;
}

interface QueueSettings {
  /** Further tries after the first; 5 without it. */
  retries?: number;
  /** Pauses of 1, 2, 4, … seconds, up to an hour; else 1 second. On without it. */
  backoff?: boolean;
  /** Seconds after which a try counts as failed; 900 without it. */
  expireIn?: number;
  /** Jobs at a time in this process; 1 without it. */
  concurrency?: number;
}

/** What jobs of one name carry and how they are tried: declared once, by the room that owns them. */
export interface Queue<D extends object> extends QueueSettings {
  name: string;
  /** Type only, never set. */
  data?: D;
}

interface NewJob<D extends object> {
  data: D;
  startAfter?: Date;
  /** At most one job with this key waits in the queue; a further one is not added. */
  key?: string;
}

export interface Jobs {
  /** Runs every `seconds` (after the end of the last run), on one replica at a time, and on another after a death. */
  every(name: string, seconds: number, run: (op: Op) => Promise<void>): void;
  /** What the jobs of a queue do. Names are those of rooms: `mail.send`. */
  on<D extends object>(queue: Queue<D>, run: (op: Op, data: D, job: Attempt) => Promise<void>): void;
  start(): Promise<void>;
  /** Lets jobs under way finish for some seconds; what does not is run again elsewhere. */
  stop(): Promise<void>;
}

interface Handled {
  queue: Queue<object>;
  run: (op: Op, data: object, job: Attempt) => Promise<void>;
}

const SCHEMA = 'pgboss';
/** Seconds between two looks at jobs whose worker died or took too long; by one replica for all. */
const SUPERVISE_EVERY = 10;
/** A worker says every half of this that it lives (PostgreSQL's clock; ten at least). */
const HEARTBEAT = 20;
/** Seconds between looks into an idle queue. NOTIFY wakes workers at once; this finds delayed and retried jobs. */
const POLL = 2;
const RETRY_PAUSE_MAX = 3600;
const DAY = 86_400;
const STOP_GRACE = 10_000;
/** Milliseconds in which an error of the queue itself is not logged again. */
const QUIET = 60_000;

const settingsOf = ({ retries = 5, backoff = true, expireIn = 900 }: QueueSettings) => ({
  // At most one waiting job per key.
  policy: 'short' as const,
  retryLimit: retries,
  retryDelay: 1,
  retryBackoff: backoff,
  ...(backoff ? { retryDelayMax: RETRY_PAUSE_MAX } : {}),
  expireInSeconds: expireIn,
  heartbeatSeconds: HEARTBEAT,
  retentionSeconds: 14 * DAY,
  deleteAfterSeconds: DAY,
  notify: true,
});

/** What the queue keeps of a failure. Messages of other systems may name people, so they are in the log only. */
function kept(error: unknown): Error {
  if (error instanceof Problem) return new Error(error.code);
  const name = error instanceof Error ? error.name : 'Error';
  const code = faultCode(error);
  const bare = new Error(code ? `${name} ${code}` : name);
  delete bare.stack;
  return bare;
}

/** What every use of pg-boss says. Loaded when needed: the command line can do without, and it costs memory. */
async function bossOn(db: Database): Promise<PgBoss> {
  const { PgBoss } = await import('pg-boss');
  return new PgBoss({
    db: connectionOf(db),
    schema: SCHEMA,
    // Our migrations make its tables: the server's role may not. start() checks their version.
    migrate: false,
    createSchema: false,
    // Schedules and supervision go by our leases, so that one replica does them.
    schedule: false,
    supervise: false,
    monitorIntervalSeconds: SUPERVISE_EVERY,
    maintenanceIntervalSeconds: 3600,
    useListenNotify: true,
    reindex: false,
    monitorVacuum: false,
  });
}

/**
 * Adds jobs on op.db's connection: inside a transaction they exist only if it commits. Needs nothing that runs, so
 * that rooms and the command line do it alike, and makes the queue where no server has made it yet.
 */
export async function enqueue<D extends object>(
  op: Op,
  queue: Queue<D>,
  jobs: readonly NewJob<D>[],
): Promise<void> {
  if (jobs.length === 0) return;
  const boss = await bossOn(op.db);
  const { name } = queue;
  if (!(await boss.getQueue(name))) {
    // Not by createQueue: that is a transaction of its own. The queue stands or falls with its first job.
    await op.db
      .$client`SELECT pgboss.create_queue(${name}, ${JSON.stringify(settingsOf(queue))}::text::jsonb)`;
  }
  await boss.insert(
    name,
    jobs.map(({ data, startAfter, key = randomUUID() }) => ({
      name,
      data,
      // Without a key of its own every job is a different one.
      singletonKey: key,
      ...(startAfter ? { startAfter } : {}),
    })),
  );
}

export function createJobs({ db, log }: { db: Database; log: Log }): Jobs {
  const handled: Handled[] = [];
  const leases = createLeases({ db, log });
  let boss: Promise<PgBoss> | undefined;
  let quietUntil = 0;

  function report(error: Error): void {
    if (isUnavailable(error)) {
      if (Date.now() < quietUntil) return;
      quietUntil = Date.now() + QUIET;
      log.warn({ err: error }, 'the job queue has no database; it goes on when it is back');
    } else log.error({ err: error }, 'the job queue met an error');
  }

  async function open(): Promise<PgBoss> {
    const opened = await bossOn(db);
    opened.on('error', report);
    opened.on('warning', (warning) => log.warn({ warning: warning.message }, 'the job queue warns'));
    await opened.start();
    await makeQueues(opened);
    return opened;
  }

  async function makeQueues(opened: PgBoss): Promise<void> {
    const existing = new Map((await opened.getQueues()).map((queue) => [queue.name, queue]));
    for (const { queue } of handled) {
      const { policy, ...wanted } = settingsOf(queue);
      const found = existing.get(queue.name);
      if (!found) await opened.createQueue(queue.name, { ...wanted, policy });
      else if (Object.entries(wanted).some(([key, value]) => found[key as keyof typeof wanted] !== value)) {
        await opened.updateQueue(queue.name, wanted);
      }
    }
  }

  /** Opened once; again after a failure. */
  function opened(): Promise<PgBoss> {
    boss ??= open().catch((error) => {
      boss = undefined;
      throw error;
    });
    return boss;
  }

  async function attempt({ queue, run }: Handled, data: object, job: Attempt): Promise<JobResult> {
    const { id } = job;
    try {
      await run(systemOp(db, `jobs.${queue.name}`), data, job);
      return { id, status: 'completed' };
    } catch (error) {
      log.warn({ err: error, job: queue.name, id, attempt: job.attempt }, 'a job failed');
      return { id, status: 'failed', output: kept(error) };
    }
  }

  leases.add({
    name: 'jobs.supervise',
    seconds: SUPERVISE_EVERY,
    run: async () => (await opened()).supervise(),
  });

  return {
    every: (name, seconds, run) => leases.add({ name, seconds, run }),

    on(queue, run) {
      if (handled.some((one) => one.queue.name === queue.name))
        throw new Error(`two handlers of jobs named ${queue.name}`);
      handled.push({ queue, run: run as Handled['run'] });
    },

    async start() {
      const started = await opened();
      for (const one of handled) {
        await started.work<object>(
          one.queue.name,
          {
            includeMetadata: true,
            perJobResults: true,
            // One look for all of them; as long as each finds as many as it may take, without a pause.
            batchSize: one.queue.concurrency ?? 1,
            burstWhenBatchFull: true,
            pollingIntervalSeconds: POLL,
            notifyPollingIntervalSeconds: POLL,
          },
          (batch) =>
            Promise.all(
              batch.map((job) => attempt(one, job.data, { id: job.id, attempt: job.retryCount + 1 })),
            ),
        );
      }
      await leases.start();
    },

    async stop() {
      await leases.stop();
      const started = await boss?.catch(() => undefined);
      boss = undefined;
      await started?.stop({ graceful: true, close: false, timeout: STOP_GRACE });
    },
  };
}
