// Every row against ours, the bound and the ceiling, in interleaved rounds (A B C, C B A, …), so that what else the
// machine does meets all three. What wanders with the neighbours is the rate; processor time and paired ratios hold.
import { median, type Sample } from './load.ts';
import { type Crew, hire, MIXED, type MixedSample } from './operations.ts';
import { residentOf } from './processes.ts';
import { type Machine, machineWords, number, type Ratio, ratio, ratioWords, say, table } from './report.ts';
import { type Name, startOurs, startReference } from './servers.ts';

export interface ThroughputOptions {
  rows: readonly string[];
  rounds: number;
  seconds: number;
  json: boolean;
}

interface Result {
  row: string;
  target: Name;
  rate: number;
  p50: number;
  p99: number;
  errors: number;
  firstError: string | null;
  /** Milliseconds of processor per operation. */
  server: number | null;
  database: number | null;
  driver: number;
  signIns: { rate: number; p50: number; p99: number; missed: number } | null;
}

interface Ratios {
  row: string;
  to: Name;
  rate: Ratio | null;
  /** Of processor time: server and database together. */
  processor: Ratio | null;
}

const known = (values: readonly (number | null)[]): number | null => {
  const numbers = values.filter((value) => value !== null);
  return numbers.length === 0 ? null : median(numbers);
};

function summary(row: string, target: Name, samples: readonly (Sample | MixedSample)[]): Result {
  const of = (pick: (sample: Sample) => number) => median(samples.map(pick));
  const signIns = samples.flatMap((sample) => ('signIns' in sample ? [sample.signIns] : []));
  return {
    row,
    target,
    rate: of(({ rate }) => rate),
    p50: of(({ p50 }) => p50),
    p99: of(({ p99 }) => p99),
    errors:
      samples.reduce((sum, { errors }) => sum + errors, 0) +
      signIns.reduce((sum, { errors }) => sum + errors, 0),
    firstError: samples.find(({ firstError }) => firstError !== null)?.firstError ?? null,
    server: known(samples.map(({ server }) => server)),
    database: known(samples.map(({ database }) => database)),
    driver: of(({ driver }) => driver),
    signIns:
      signIns.length === 0
        ? null
        : {
            rate: median(signIns.map(({ rate }) => rate)),
            p50: median(signIns.map(({ p50 }) => p50)),
            p99: median(signIns.map(({ p99 }) => p99)),
            missed: signIns.reduce((sum, { missed }) => sum + missed, 0),
          },
  };
}

const processor = ({ server, database }: Sample): number | null =>
  server === null ? null : server + (database ?? 0);

export async function throughput(machine: Machine, options: ThroughputOptions): Promise<void> {
  const { databases, processor: on, stops } = machine;
  const { rounds, seconds } = options;
  const crews: { name: Name; crew: Crew; idle: number | null }[] = [];
  for (const name of ['ours', 'bound', 'ceiling'] as const) {
    say(`starting ${name}`);
    const target =
      name === 'ours'
        ? await startOurs(databases, { processor: on })
        : await startReference(databases, name, on);
    stops.push(() => target.stop());
    const idle = residentOf(target.pid);
    const crew = await hire(target, databases.postmaster);
    stops.push(async () => crew.close());
    crews.push({ name, crew, idle });
  }
  const databaseIdle = residentOf(databases.postmaster);

  const results: Result[] = [];
  const ratios: Ratios[] = [];
  for (const row of options.rows) {
    const samples = new Map<Name, Sample[]>(crews.map(({ name }) => [name, []]));
    for (const { crew } of crews) await crew.run(row, Math.min(seconds, 2));
    for (let round = 0; round < rounds; round++) {
      for (const { name, crew } of round % 2 === 0 ? crews : crews.toReversed()) {
        await crew.run(row, Math.min(seconds / 4, 0.5));
        samples.get(name)?.push(await crew.run(row, seconds));
      }
    }
    for (const [name, all] of samples) results.push(summary(row, name, all));
    const ours = samples.get('ours') ?? [];
    for (const to of ['bound', 'ceiling'] as const) {
      const other = samples.get(to) ?? [];
      ratios.push({
        row,
        to,
        rate: ratio(
          ours.map(({ rate }) => rate),
          other.map(({ rate }) => rate),
        ),
        processor: ratio(ours.map(processor), other.map(processor)),
      });
    }
    const [one] = results.slice(-3);
    say(`${row}: ${number(one?.rate)}/s, ${ratioWords(ratios.at(-2)?.rate ?? null)} of the bound`);
  }

  const memory = crews.map(({ name, crew, idle }) => ({ name, idle, loaded: residentOf(crew.target.pid) }));
  const figures = {
    machine: machineWords(databases.version),
    pinned: on !== null,
    rounds,
    seconds,
    results,
    ratios,
    memory,
    database: { idle: databaseIdle, loaded: residentOf(databases.postmaster) },
    startup: crews.map(({ name, crew }) => ({ name, milliseconds: crew.target.startup })),
  };
  console.log(options.json ? JSON.stringify(figures, null, 2) : words(figures));
}

function words(figures: {
  machine: string;
  pinned: boolean;
  rounds: number;
  seconds: number;
  results: readonly Result[];
  ratios: readonly Ratios[];
  memory: readonly { name: string; idle: number | null; loaded: number | null }[];
  database: { idle: number | null; loaded: number | null };
}): string {
  const { results, ratios, memory, database } = figures;
  const of = (row: string, to: Name) => ratios.find((one) => one.row === row && one.to === to);
  const measured = [...new Set(results.map(({ row }) => row))];
  const errors = results.filter(({ firstError }) => firstError !== null);
  const mixed = results.filter(({ signIns }) => signIns !== null);
  return [
    `${figures.machine}; server and driver ${figures.pinned ? 'on a processor each' : 'not kept apart'}; ${figures.rounds} rounds of ${figures.seconds} s, medians`,
    '',
    table(
      [
        'row',
        'server',
        'per second',
        'p50 ms',
        'p99 ms',
        'errors',
        'CPU ms',
        'CPU ms database',
        'driver busy',
      ],
      results.map((one) => [
        one.row,
        one.target,
        number(one.rate),
        number(one.p50),
        number(one.p99),
        String(one.errors),
        number(one.server),
        number(one.database),
        `${Math.round(one.driver * 100)} %`,
      ]),
    ),
    '',
    'Ours over the other, paired by round: median (least–most)',
    '',
    table(
      ['row', 'rate / bound', 'rate / ceiling', 'CPU / bound', 'CPU / ceiling'],
      measured.map((row) => [
        row,
        ratioWords(of(row, 'bound')?.rate ?? null),
        ratioWords(of(row, 'ceiling')?.rate ?? null),
        ratioWords(of(row, 'bound')?.processor ?? null),
        ratioWords(of(row, 'ceiling')?.processor ?? null),
      ]),
    ),
    '',
    table(
      ['memory', 'MB idle', 'MB after load'],
      [
        ...memory.map(({ name, idle, loaded }) => [name, number(idle), number(loaded)]),
        ['PostgreSQL, all of it', number(database.idle), number(database.loaded)],
      ],
    ),
    ...(mixed.length === 0
      ? []
      : [
          '',
          `Sign-ins beside the traffic of the row ${MIXED} (machine)`,
          '',
          table(
            ['server', 'per second', 'p50 ms', 'p99 ms', 'not begun'],
            mixed.map(({ target, signIns }) => [
              target,
              number(signIns?.rate),
              number(signIns?.p50),
              number(signIns?.p99),
              String(signIns?.missed),
            ]),
          ),
        ]),
    ...errors.map(({ row, target, firstError }) => `\n${row}, ${target}: ${firstError}`),
  ].join('\n');
}
