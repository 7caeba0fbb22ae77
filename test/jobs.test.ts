// The job queue on a real database, as the role that owns no table, with worker processes that are killed.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { getConstructionPlans } from 'pg-boss';
import t, { type Test } from 'tap';
import { type Database, inTransaction } from '../drizzle/database.ts';
import { partitionsAhead } from '../server/audit/jobs.ts';
import { createJobs, enqueue, type Jobs, type Queue } from '../server/jobs/jobs.ts';
import { createLog } from '../server/lib/log.ts';
import { systemOp } from '../server/lib/op.ts';
import { freshDatabase, openPool, type TestDatabase } from './harness/database.ts';

const log = createLog({ level: 'silent', format: 'json' });
const workerFile = fileURLToPath(new URL('./harness/jobs-worker.ts', import.meta.url));

t.setTimeout(180_000);

async function startWorker(t: Test, database: TestDatabase): Promise<ChildProcess> {
  const child = spawn(process.execPath, [workerFile], {
    env: { PATH: process.env.PATH, WORKER_DATABASE: JSON.stringify(database.app) },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'message');
  return child;
}

async function until(what: string, holds: () => boolean | Promise<boolean>, seconds = 10): Promise<void> {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(25)) if (await holds()) return;
  throw new Error(`not within ${seconds} s: ${what}`);
}

interface Seen {
  pid: number;
  what: string;
  at: number;
}

const seenBy = async (db: Database): Promise<Seen[]> =>
  (
    await db.$client<Seen[]>`SELECT pid, what, extract(epoch FROM at)::float8 AS at FROM seen ORDER BY id`
  ).map((row) => ({ ...row }));

/** A database with the table the handlers of these tests write to. */
async function prepared(t: Test): Promise<{ database: TestDatabase; db: Database }> {
  const database = await freshDatabase(t);
  const owner = openPool(t, database.owner, 1);
  await owner.$client.unsafe(`
    CREATE TABLE seen (id bigserial, pid int, what text, at timestamptz DEFAULT clock_timestamp());
    GRANT ALL ON seen TO ${database.app.user}; GRANT ALL ON SEQUENCE seen_id_seq TO ${database.app.user}`);
  return { database, db: openPool(t, database.app, 5) };
}

function create(t: Test, db: Database): Jobs {
  const jobs = createJobs({ db, log });
  t.teardown(() => jobs.stop());
  return jobs;
}

t.test('O10: the migration makes exactly what this version of the queue plans', async (t) => {
  const sql = readFileSync(new URL('../drizzle/migrations/0001_jobs.sql', import.meta.url), 'utf8');
  const plain = (text: string) => text.replace(/\s+/g, ' ').trim();
  const plan = getConstructionPlans('pgboss')
    .replace(/^\s*BEGIN;.*?(?=CREATE SCHEMA)/s, '')
    .replace(/\n {4}DO \$\$\n.*?\$\$\n {2};\n/s, '\n')
    .replace(/COMMIT;\s*$/, '');
  t.ok(plan.includes('create_queue'));
  t.equal(plain(sql.slice(sql.indexOf('CREATE SCHEMA'))), plain(plan));
});

t.test('O10: a job exists if and only if its transaction commits', async (t) => {
  const { db } = await prepared(t);
  const jobs = create(t, db);
  const ran: { n: number; by: string | null; attempt: number }[] = [];
  const text = 'Ünïcode "quoted" \\ $1 {}';
  const act: Queue<{ n: number; text: string; when: string | null }> = { name: 'test.act' };
  jobs.on(act, async (op, data, { attempt }) => {
    t.equal(data.text, text);
    ran.push({ n: data.n, by: op.by.id, attempt });
  });
  await jobs.start();
  const one = (n: number) => [{ data: { n, text, when: null } }];
  const op = systemOp(db, 'test');
  await t.rejects(
    inTransaction(op, async (op) => {
      await enqueue(op, act, one(1));
      throw new Error('rolled back');
    }),
    { message: 'rolled back' },
  );
  let release: (() => void) | undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const open = inTransaction(op, async (op) => {
    await enqueue(op, act, one(2));
    await held;
  });
  await sleep(2500);
  t.same(ran, [], 'neither the one rolled back nor the one not committed has run');
  const committed = Date.now();
  release?.();
  await open;
  await until('the committed one runs', () => ran.length > 0, 3);
  t.ok(Date.now() - committed < 1000, 'workers are told of it');
  t.same(ran, [{ n: 2, by: 'jobs.test.act', attempt: 1 }]);
  await enqueue(op, act, one(3));
  await until('outside a transaction at once', () => ran.some(({ n }) => n === 3), 3);
  t.throws(() => jobs.on(act, async () => {}), /two handlers/);
});

t.test('O10: delayed jobs, and keys', async (t) => {
  const { db } = await prepared(t);
  const jobs = create(t, db);
  const ran: string[] = [];
  const keyed: Queue<{ what: string }> = { name: 'test.keyed' };
  jobs.on(keyed, async (_op, { what }) => {
    ran.push(what);
  });
  const op = systemOp(db, 'test');
  // Before any server has run: the command line enqueues, too.
  for (const what of ['a', 'b']) await enqueue(op, keyed, [{ data: { what }, key: 'same' }]);
  await enqueue(op, keyed, [{ data: { what: 'c' } }, { data: { what: 'd' } }]);
  await enqueue(op, keyed, []);
  const startAfter = new Date(Date.now() + 6000);
  await enqueue(op, keyed, [{ data: { what: 'later' }, startAfter }]);
  await jobs.start();
  await until('all but the delayed one', () => ran.length === 3, 20);
  t.same([...ran].sort(), ['a', 'c', 'd'], 'of two waiting with one key the first is kept');
  await until('the delayed one', () => ran.includes('later'), 15);
  t.ok(Date.now() >= startAfter.getTime());
  await enqueue(op, keyed, [{ data: { what: 'again' }, key: 'same' }]);
  await until('a key is free again once its job has begun', () => ran.includes('again'), 3);
});

t.test('O10: several at a time; each succeeds or fails for itself', async (t) => {
  const { db } = await prepared(t);
  const jobs = create(t, db);
  const many: Queue<{ n: number }> = { name: 'test.many', concurrency: 5 };
  let atOnce = 0;
  let most = 0;
  const ran: number[] = [];
  jobs.on(many, async (_op, { n }, { attempt }) => {
    most = Math.max(most, ++atOnce);
    await sleep(50);
    atOnce--;
    ran.push(n);
    if (n % 4 === 0 && attempt === 1) throw new Error('the first time');
  });
  await enqueue(
    systemOp(db, 'test'),
    many,
    Array.from({ length: 40 }, (_, n) => ({ data: { n } })),
  );
  const began = Date.now();
  await jobs.start();
  await until('all have run once', () => new Set(ran).size === 40, 10);
  t.ok(Date.now() - began < 5000, `a backlog is worked off without pauses (${Date.now() - began} ms)`);
  await until('and ten of them again', () => ran.length === 50, 20);
  await sleep(500);
  t.equal(ran.length, 50, 'none more often');
  t.equal(most, 5);
});

t.test('O10: failures are tried again with growing pauses, then kept as failed', async (t) => {
  const { db } = await prepared(t);
  const jobs = create(t, db);
  const tries: number[] = [];
  const gaveUp: number[] = [];
  let endless = 0;
  const flaky: Queue<object> = { name: 'test.flaky' };
  const hopeless: Queue<object> = { name: 'test.hopeless', retries: 1, backoff: false };
  const slow: Queue<object> = { name: 'test.endless', expireIn: 1 };
  jobs.on(flaky, async (_op, _data, { attempt }) => {
    tries.push(Date.now());
    if (attempt < 3) throw new Error('no luck for bob@example.com');
  });
  jobs.on(hopeless, async (_op, _data, { attempt }) => {
    gaveUp.push(attempt);
    throw new Error('never for bob@example.com');
  });
  jobs.on(slow, async (_op, _data, { attempt }) => {
    endless = attempt;
    if (attempt === 1) await sleep(60_000, undefined, { ref: false });
  });
  await jobs.start();
  const op = systemOp(db, 'test');
  for (const queue of [flaky, hopeless, slow]) await enqueue(op, queue, [{ data: {} }]);
  await until('third time lucky', () => tries.length === 3, 30);
  await until('a try that takes too long is ended and repeated', () => endless === 2, 20);
  const [first = 0, second = 0, third = 0] = tries;
  t.ok(second - first >= 900, `first pause ${second - first} ms`);
  t.ok(third - second >= 1000, `second pause ${third - second} ms`);
  await until('given up', async () => {
    const [row] = await db.$client<{ state: string }[]>`
        SELECT state::text FROM pgboss.job WHERE name = 'test.hopeless'`;
    return row?.state === 'failed';
  });
  t.same(gaveUp, [1, 2]);
  const kept = await db.$client<{ output: string }[]>`
      SELECT output::text FROM pgboss.job WHERE output IS NOT NULL`;
  t.ok(kept.length > 0);
  t.notMatch(JSON.stringify(kept), /bob@example/, 'messages of failures are not kept in the queue');
});

t.test('O10: jobs of a killed process run again; schedules move to the other one', async (t) => {
  const { database, db } = await prepared(t);
  const first = await startWorker(t, database);
  for (const n of [1, 2, 3]) {
    await enqueue(systemOp(db, 'test'), { name: 'test.slow' } as Queue<{ n: number }>, [{ data: { n } }]);
  }
  const seen = async (holds: (one: Seen) => boolean) => (await seenBy(db)).some(holds);
  await until('first job begun', () => seen(({ what }) => what === 'slow 1 begins 1'));
  await until('a tick', () => seen(({ pid, what }) => pid === first.pid && what === 'tick begins'));
  first.kill('SIGKILL');
  const killed = Date.now() / 1000;
  const second = await startWorker(t, database);
  await until('the other one ticks', () =>
    seen(({ pid, what, at }) => pid === second.pid && what === 'tick begins' && at > killed),
  );
  await until(
    'all three jobs have ended',
    async () => {
      const ended = (await seenBy(db)).map(({ what }) => /^slow (\d) ends/.exec(what)?.[1]);
      return ['1', '2', '3'].every((n) => ended.includes(n));
    },
    60,
  );
  t.ok(
    await seen(({ pid, what }) => pid === second.pid && /^slow \d begins 2$/.test(what)),
    'the interrupted job was tried again, by the other process',
  );
  second.kill('SIGTERM');
  const [code] = await once(second, 'exit');
  t.equal(code, 0, 'and it stops when told to');
});

t.test('O10: a schedule runs on one of three processes at a time, every second', async (t) => {
  const { database, db } = await prepared(t);
  const workers = await Promise.all([1, 2, 3].map(() => startWorker(t, database)));
  const ended = async () => (await seenBy(db)).filter(({ what }) => what === 'tick ends').length;
  await until('eight ticks', async () => (await ended()) >= 8, 30);
  await Promise.all(
    workers.map((child) => {
      child.kill('SIGTERM');
      return once(child, 'exit');
    }),
  );
  const ticks = (await seenBy(db)).filter(({ what }) => what.startsWith('tick'));
  t.same(
    ticks.map(({ what }) => what),
    ticks.map((_, i) => (i % 2 ? 'tick ends' : 'tick begins')),
    'never two at a time',
  );
  const begins = ticks.filter(({ what }) => what === 'tick begins').map(({ at }) => at);
  for (const [i, at] of begins.entries()) {
    if (i > 0) t.ok(at - Number(begins[i - 1]) >= 1, 'not too often');
  }
  const rows = await db.$client`SELECT holder, failures FROM schedules WHERE name = 'test.tick'`;
  t.same(
    rows.map((row) => ({ ...row })),
    [{ holder: null, failures: 0 }],
    'the lease is given back',
  );
});

t.test('O10: a failing schedule goes on, and a shorter period counts at once', async (t) => {
  const { db } = await prepared(t);
  const before = create(t, db);
  before.every('test.period', 86_400, async () => {});
  await before.start();
  await sleep(300);
  await before.stop();
  const jobs = create(t, db);
  let runs = 0;
  jobs.every('test.period', 1, async (op) => {
    t.same(op.by, { kind: 'system', id: 'jobs.test.period' });
    runs++;
    if (runs < 3) throw new Error('not today');
  });
  t.throws(() => jobs.every('test.period', 1, async () => {}), /two schedules/);
  await jobs.start();
  await until('three runs', () => runs >= 3, 8);
  await until('the count of failures is back at 0', async () => {
    const [row] = await db.$client<{ failures: number }[]>`
        SELECT failures FROM schedules WHERE name = 'test.period'`;
    return row?.failures === 0;
  });
});

t.test('O10: a lost database does not end the process; jobs go on when it is back', async (t) => {
  const { database, db } = await prepared(t);
  const superuser = openPool(t, { ...database.superuser, database: 'postgres' }, 1);
  const faults: unknown[] = [];
  const onFault = (error: unknown) => faults.push(error);
  process.on('unhandledRejection', onFault);
  t.teardown(() => process.off('unhandledRejection', onFault));
  const jobs = create(t, db);
  let ticks = 0;
  let ran = 0;
  jobs.every('test.tick', 1, async () => {
    ticks++;
  });
  const after: Queue<object> = { name: 'test.after' };
  jobs.on(after, async () => {
    ran++;
  });
  await jobs.start();
  await until('it runs', () => ticks > 0);
  await superuser.$client.unsafe(`ALTER DATABASE ${database.name} ALLOW_CONNECTIONS false`);
  await superuser.$client`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${database.name}`;
  await t.rejects(enqueue(systemOp(db, 'test'), after, [{ data: {} }]));
  await sleep(4000);
  const during = ticks;
  await superuser.$client.unsafe(`ALTER DATABASE ${database.name} ALLOW_CONNECTIONS true`);
  await until('schedules go on', () => ticks > during, 15);
  await enqueue(systemOp(db, 'test'), after, [{ data: {} }]);
  await until('jobs go on', () => ran === 1, 10);
  t.same(faults, []);
});

t.test('O10: the job of the audit trail makes the months ahead', async (t) => {
  const { db } = await prepared(t);
  const op = systemOp(db, 'test');
  await partitionsAhead(op);
  await partitionsAhead(op);
  const [row] = await db.$client<{ events: number; personal: number }[]>`
      SELECT count(*) FILTER (WHERE inhparent = 'audit_events'::regclass)::int AS events,
             count(*) FILTER (WHERE inhparent = 'audit_personal'::regclass)::int AS personal FROM pg_inherits`;
  t.ok(Number(row?.events) >= 4);
  t.equal(row?.events, row?.personal);
});
