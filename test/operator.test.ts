// What whoever runs the server is told when it cannot start: a sentence, never a stack, never a credential.
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { freshDatabase, urlOf } from './harness/database.ts';
import { temporaryFolder } from './harness/folders.ts';
import { freePort, newKey, startServer } from './harness/server.ts';

t.setTimeout(120_000);

t.test('O1 O3: a server that cannot start says why and what to look at', async (t) => {
  const database = await freshDatabase(t);
  const { owner, app } = database;
  const secret = 'not-to-be-seen';
  const keys = { ENCRYPTION_KEYS: newKey(), COOKIE_KEYS: newKey() };
  const url = (connection: typeof owner) => urlOf({ ...connection, password: secret });
  const closed = { ...owner, host: '127.0.0.1', port: await freePort() };
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const { port } = taken.address() as { port: number };

  const rows: [string, Record<string, string>, RegExp][] = [
    ['nobody listens there', { DATABASE_URL: url(closed) }, /cannot be reached.*ECONNREFUSED.*DATABASE_URL/],
    [
      'no such role',
      { DATABASE_URL: url(app), DATABASE_OWNER_URL: url({ ...owner, user: 'nobody_at_all' }) },
      /does not let nobody_at_all in.*28000.*DATABASE_OWNER_URL|does not let nobody_at_all in.*28P01/,
    ],
    [
      'no such database',
      { DATABASE_URL: url({ ...owner, database: 'nowhere' }) },
      /no such database.*nowhere/,
    ],
    [
      'a role without rights',
      { DATABASE_URL: url({ ...app, database: 'postgres' }) },
      /lacks a right in the database postgres.*permission denied.*DATABASE_OWNER_URL/,
    ],
    [
      'an embedded one, but the port is taken',
      { DATA_DIR: temporaryFolder(t), PORT: String(port) },
      /PORT is taken.*127\.0\.0\.1/,
    ],
    [
      'an address of another machine',
      { ...keys, DATABASE_URL: urlOf(owner), HOST: '192.0.2.1' },
      /HOST is not an address of this machine/,
    ],
    [
      'a data folder where none can be made',
      { DATA_DIR: '/etc/passwd', ENCRYPTION_KEYS: '', COOKIE_KEYS: '' },
      /DATA_DIR: \/etc\/passwd cannot be written: it is not a folder/,
    ],
    ['the same with keys of its own', { DATA_DIR: '/etc/passwd' }, /data folder \/etc\/passwd.*EEXIST/],
    [
      'a certificate that is none',
      {
        DATABASE_URL: urlOf(owner),
        TLS_CERT: '/etc/passwd',
        TLS_KEY: '/etc/passwd',
        ISSUER: 'https://localhost',
      },
      /TLS_CERT and TLS_KEY must be PEM files/,
    ],
  ];
  for (const [name, env, says] of rows) {
    await t.test(name, async (t) => {
      const server = await startServer(t, { env: { ...keys, ...env }, ready: 0 });
      t.equal(await server.exited, 1);
      const told = server.lines.filter((line) => !line.startsWith('{')).join('\n');
      t.match(told, says);
      t.notMatch(server.lines.join('\n'), /^\s+at /m, 'no stack');
      t.notMatch(server.lines.join('\n'), secret);
    });
  }
});

t.test('O1: a server whose clock is not the database’s says so', async (t) => {
  const day = 'data:text/javascript,const%20now=Date.now;Date.now=()=>now()-864e5';
  const server = await startServer(t, {
    database: await freshDatabase(t),
    env: { NODE_OPTIONS: `--import=${day}` },
  });
  const [line] = server.logs().filter(({ level }) => level === 'error');
  t.match(line?.msg, /86\d{3} seconds behind the database's/);
});

t.test('R57: why an app was refused is in the log, without what it sent', async (t) => {
  const server = await startServer(t, { database: await freshDatabase(t) });
  const secret = 'a-secret-put-in-the-wrong-place';
  await server.ask('/oauth2/authorize?response_type=code&client_id=wikki');
  await server.ask('/oauth2/token', {
    headers: { authorization: `Basic ${Buffer.from(`wikki:${secret}`).toString('base64')}` },
    body: { grant_type: 'authorization_code', code: secret },
  });
  const lines = server.logs().filter(({ msg }) => msg === 'protocol request refused');
  t.match(lines, [
    { level: 'info', requestId: /-/, client: 'wikki', error: 'invalid_client', why: /./ },
    { level: 'info', requestId: /-/, error: 'invalid_client', why: /./ },
  ]);
  t.notMatch(server.lines.join('\n'), secret);
});

t.test(
  'O1: a stop signal that arrives twice, as to a process group, is one; a later one means now',
  async (t) => {
    const data = temporaryFolder(t);
    const env = { DATA_DIR: data, SHUTDOWN_GRACE: '30' };
    const twice = await startServer(t, { env });
    process.kill(twice.pid, 'SIGINT');
    process.kill(twice.pid, 'SIGTERM');
    t.equal(await twice.exited, 0);
    t.notOk(existsSync(join(data, 'postgres', 'postmaster.pid')), 'PostgreSQL was stopped');

    const held = await startServer(t, { env });
    // A request that does not end keeps the server from stopping.
    const half = connect(held.port, '127.0.0.1');
    half.on('error', () => {});
    t.teardown(() => half.destroy());
    half.write(
      `POST /oauth2/token HTTP/1.1\r\nHost: localhost:${held.port}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\n`,
    );
    await sleep(200);
    const since = performance.now();
    process.kill(held.pid, 'SIGTERM');
    await sleep(2500);
    process.kill(held.pid, 'SIGTERM');
    t.equal(await held.exited, 1);
    t.ok(performance.now() - since < 10_000, 'not the 30 s of SHUTDOWN_GRACE');
  },
);
