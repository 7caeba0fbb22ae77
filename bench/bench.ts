// npm run bench: what this server takes and gives, beside the bare library, in the same run on the same machine.
// bench/README.md says how to read it. Everything it starts, it stops; databases and folders are its own.
import { parseArgs } from 'node:util';
import { openDatabases } from './databases.ts';
import { footprint } from './footprint.ts';
import { growth } from './growth.ts';
import { rows } from './operations.ts';
import { apart, pinMyself } from './processes.ts';
import { profile } from './profile.ts';
import { type Machine, say } from './report.ts';
import { soak } from './soak.ts';
import { throughput } from './throughput.ts';

const usage = `npm run bench                      every row against the bound and the ceiling
npm run bench -- refresh userinfo  only these rows: ${rows.join(', ')}
npm run bench -- footprint         starts, memory, packages
npm run bench -- soak              processor time per operation over many queries, memory under mixed load
npm run bench -- growth            the same operations with few rows and with many
npm run bench -- profile refresh   the functions one row spends its time in
  --rounds 3      of each row, interleaved            --seconds 4     of each measurement
  --queries 1e6   of soak                             --minutes 3     of soak's mixed load
  --accounts 1e5  of growth                           --json          the figures as JSON on standard output`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
    queries: { type: 'string', default: '1e6' },
    minutes: { type: 'string', default: '3' },
    accounts: { type: 'string', default: '1e5' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const number = (name: 'rounds' | 'seconds' | 'queries' | 'minutes' | 'accounts'): number => {
  const value = Number(values[name]);
  if (!(value > 0)) throw new Error(`--${name} is a number above 0`);
  return value;
};

async function main(): Promise<void> {
  if (values.help) return console.log(usage);
  const [command, ...rest] = positionals;
  const kind = ['footprint', 'soak', 'growth', 'profile'].includes(command ?? '') ? command : 'throughput';
  const wanted = kind === 'throughput' ? positionals : rest;
  const strange = wanted.find((row) => !rows.includes(row));
  if (strange !== undefined) throw new Error(`there is no row ${JSON.stringify(strange)}\n\n${usage}`);
  const seconds = number('seconds');

  if (kind === 'footprint') return footprint({ seconds, json: values.json });

  const databases = await openDatabases(process.env.TEST_DATABASE_URL);
  const stops: (() => Promise<void>)[] = [() => databases.close()];
  const close = async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void close().finally(() => process.exit(130)));
  }
  try {
    // Only now: PostgreSQL keeps the processors it was started on.
    const processors = apart();
    if (processors) pinMyself(processors.driver);
    else say('This system does not let server and driver be kept apart: the figures are rougher.');
    const machine: Machine = { databases, processor: processors?.server ?? null, stops };
    const shown = { json: values.json };
    const named = wanted.length > 0 ? wanted : undefined;
    if (kind === 'soak') {
      await soak(machine, { ...shown, queries: number('queries'), minutes: number('minutes') });
    } else if (kind === 'growth') {
      const chosen = named ?? ['introspection', 'userinfo', 'refresh', 'authorize'];
      await growth(machine, {
        ...shown,
        rows: chosen,
        accounts: number('accounts'),
        rounds: number('rounds'),
        seconds,
      });
    } else if (kind === 'profile') {
      await profile(machine, { rows: named ?? ['refresh', 'authorize'], seconds });
    } else {
      await throughput(machine, { ...shown, rows: named ?? rows, rounds: number('rounds'), seconds });
    }
  } finally {
    await close();
  }
}

try {
  await main();
} catch (error) {
  console.error((error as Error).stack ?? String(error));
  process.exitCode = 1;
}
