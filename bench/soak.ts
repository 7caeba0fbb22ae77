// Whether ours grows slower or larger with time. First one cheap operation, many times, after a burst that opened
// every connection of the pool: a queue that grows with each query (docs/decisions/0003) shows here. Then mixed load
// for minutes, with the slope of the resident memory.
import { closeDatabase, type Database, openDatabase } from '../drizzle/database.ts';
import type { Sample } from './load.ts';
import { type Crew, hire, LANES } from './operations.ts';
import { residentOf } from './processes.ts';
import { type Machine, machineWords, number, say, table } from './report.ts';
import { startOurs, type Target } from './servers.ts';

export interface SoakOptions {
  queries: number;
  minutes: number;
  json: boolean;
}

/** Fewer than the pool has connections: the callers the burst leaves behind. */
const CALLERS = 3;
const WINDOW = 50_000;
const OPERATION = 'userinfo';

async function queriesSoFar(db: Database, database: string): Promise<number> {
  const [row] = await db.$client<{ count: string }[]>`
    SELECT xact_commit::text AS count FROM pg_stat_database WHERE datname = ${database}`;
  return Number(row?.count);
}

/** Runs until about `queries` more have been made; processor milliseconds per operation over all of it. */
async function until(crew: Crew, db: Database, database: string, queries: number) {
  const begin = await queriesSoFar(db, database);
  const samples: Sample[] = [];
  let done = 0;
  while (done < queries) {
    samples.push(await crew.run(OPERATION, 2, CALLERS));
    done = (await queriesSoFar(db, database)) - begin;
    const failed = samples.at(-1);
    if (failed?.operations === 0) throw new Error(failed.firstError ?? 'nothing is answered any more');
  }
  const operations = samples.reduce((sum, one) => sum + one.operations, 0);
  const milliseconds = samples.reduce((sum, one) => sum + (one.server ?? Number.NaN) * one.operations, 0);
  return { queries: done, operations, server: milliseconds / operations };
}

/** Of a straight line through the points. */
function slope(points: readonly { at: number; value: number }[]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(points.map(({ at }) => at)), mean(points.map(({ value }) => value))];
  const over = points.reduce((sum, { at, value }) => sum + (at - x) * (value - y), 0);
  return over / points.reduce((sum, { at }) => sum + (at - x) ** 2, 0);
}

async function mixedLoad(crew: Crew, target: Target, minutes: number) {
  const points: { at: number; value: number }[] = [];
  let errors = 0;
  const begin = performance.now();
  const turns = ['refresh', 'authorize', 'introspection', 'userinfo', 'password', 'discovery'];
  for (let turn = 0; performance.now() - begin < minutes * 60_000; turn++) {
    const { errors: failed } = await crew.run(turns[turn % turns.length] as string, 2, LANES);
    errors += failed;
    const value = residentOf(target.pid);
    if (value !== null) points.push({ at: (performance.now() - begin) / 60_000, value });
  }
  // The first third fills caches and pools.
  const settled = points.filter(({ at }) => at > minutes / 3);
  return {
    minutes,
    errors,
    first: points[0]?.value ?? null,
    last: points.at(-1)?.value ?? null,
    most: points.length > 0 ? Math.max(...points.map(({ value }) => value)) : null,
    perMinute: settled.length > 2 ? slope(settled) : null,
  };
}

export async function soak(
  { databases, processor, stops }: Machine,
  { queries, minutes, json }: SoakOptions,
): Promise<void> {
  const watched: { db?: Database; name?: string } = {};
  const target = await startOurs(databases, {
    processor,
    async prepare({ superuser }) {
      const settings = { poolSize: 2, statementTimeout: 30, lockTimeout: 20 };
      watched.db = openDatabase(superuser, settings, 'bench');
      watched.name = superuser.database;
    },
  });
  stops.push(() => target.stop());
  const { db, name } = watched;
  if (!db || !name) throw new Error('there is no database');
  stops.push(() => closeDatabase(db));
  const crew = await hire(target, databases.postmaster);
  stops.push(async () => crew.close());

  say('a burst over all connections, then three callers');
  await crew.run(OPERATION, 5);
  await crew.run('authorize', 2);
  const first = await until(crew, db, name, Math.min(WINDOW, queries / 4));
  say(`${number(first.server)} ms per operation over the first ${first.queries} queries`);
  await until(crew, db, name, Math.max(0, queries - first.queries));
  const last = await until(crew, db, name, Math.min(WINDOW, queries / 4));
  say(`${number(last.server)} ms per operation after ${number(queries)} queries`);
  const mixed = await mixedLoad(crew, target, minutes);

  const figures = {
    machine: machineWords(databases.version),
    queries,
    first,
    last,
    ratio: last.server / first.server,
    mixed,
  };
  if (json) return console.log(JSON.stringify(figures, null, 2));
  console.log(
    [
      figures.machine,
      '',
      table(
        ['', 'figure'],
        [
          [`CPU ms per operation (${OPERATION}), first ${first.queries} queries`, number(first.server)],
          [`CPU ms per operation, after ${number(queries)} queries`, number(last.server)],
          ['ratio', figures.ratio.toFixed(2)],
          [`mixed load, minutes`, number(minutes)],
          ['errors', String(mixed.errors)],
          ['resident MB, first', number(mixed.first)],
          ['resident MB, last', number(mixed.last)],
          ['resident MB, most', number(mixed.most)],
          [
            'MB per minute after the first third',
            mixed.perMinute === null ? '–' : mixed.perMinute.toFixed(2),
          ],
        ],
      ),
    ].join('\n'),
  );
}
