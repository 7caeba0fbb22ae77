// A process that works on the queue of a given database and writes what it does into the table `seen`.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, closeDatabase, openDatabase } from '../../drizzle/database.ts';
import { createJobs } from '../../server/jobs/jobs.ts';
import { createLog } from '../../server/lib/log.ts';

const connection = JSON.parse(process.env.WORKER_DATABASE ?? '') as Connection;
const db = openDatabase(connection, { poolSize: 5, statementTimeout: 10, lockTimeout: 5 }, 'worker');
const jobs = createJobs({ db, log: createLog({ level: 'silent', format: 'json' }) });
const note = (what: string) => db.$client`INSERT INTO seen (pid, what) VALUES (${process.pid}, ${what})`;

jobs.on<{ n: number }>({ name: 'test.slow' }, async (_op, { n }, { attempt }) => {
  await note(`slow ${n} begins ${attempt}`);
  await sleep(1500);
  await note(`slow ${n} ends ${attempt}`);
});
jobs.every('test.tick', 1, async () => {
  await note('tick begins');
  await sleep(300);
  await note('tick ends');
});
await jobs.start();
process.send?.('ready');
process.once('SIGTERM', async () => {
  await jobs.stop();
  await closeDatabase(db);
  process.disconnect?.();
});
