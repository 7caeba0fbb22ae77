// Encryption keys are replaced while servers run: nothing sealed is lost, nothing written meanwhile is undone, and no
// key is given up that is still needed. Real processes on one database.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import pino from 'pino';
import t, { type Test } from 'tap';
import { type Database, inTransaction } from '../drizzle/database.ts';
import { orm, pg } from '../drizzle/orm.ts';
import { allPrivacy } from '../drizzle/schema/index.ts';
import { createKeys } from '../server/keys/keys.ts';
import { checkCanary, connectionName } from '../server/lib/canary.ts';
import { type Op, systemOp } from '../server/lib/op.ts';
import { createKeyRing, type KeyRing, type Place } from '../server/lib/seal.ts';
import { keyAdvice, overview, rotate, SEALED } from '../server/secrets/secrets.ts';
import { freshDatabase, openPool, type TestDatabase, urlOf } from './harness/database.ts';
import { type Fleet, newFamily, refresh, startFleet, userinfo } from './harness/fleet.ts';
import { temporaryFolder } from './harness/folders.ts';
import { newKey, type ServerProcess, startServer } from './harness/server.ts';

t.setTimeout(180_000);

const project = fileURLToPath(new URL('..', import.meta.url));
const TIMES = { rotateEvery: 86_400, publishAhead: 60, keepAfter: 60, refreshEvery: 5 };
const log = pino({ level: 'silent' });
const idOf = (key: string) => createKeyRing([key]).newestKeyId;

interface Ran {
  code: number | null;
  out: string;
  err: string;
  // biome-ignore lint/suspicious/noExplicitAny: a command's answer, which each test describes by what it expects
  json(): any;
}

type Env = Readonly<Record<string, string>>;

function command(env: Env, ...args: string[]): { child: ChildProcess; ended: Promise<Ran> } {
  const { PATH = '', HOME = '', TMPDIR } = process.env;
  const child = spawn(process.execPath, ['server/cli.ts', ...args], {
    cwd: project,
    env: { PATH, HOME, ...(TMPDIR ? { TMPDIR } : {}), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const ended = new Promise<Ran>((resolve) => {
    child.on('close', (code) => resolve({ code, out, err, json: () => JSON.parse(out) }));
  });
  return { child, ended };
}

const cli = (env: Env, ...args: string[]): Promise<Ran> => command(env, ...args).ended;

const settingsFor = ({ app, owner }: Pick<TestDatabase, 'app' | 'owner'>, ...keys: string[]): Env => ({
  DATABASE_URL: urlOf(app),
  DATABASE_OWNER_URL: urlOf(owner),
  ENCRYPTION_KEYS: keys.join(),
  COOKIE_KEYS: newKey(),
});

/** Secrets sealed by the ring as the server makes them; `name` with a number. Returns what is in them. */
async function make(op: Op, ring: KeyRing, name: string, count: number): Promise<Map<string, string>> {
  const keys = createKeys(TIMES, { ring, log });
  const made = new Map<string, string>();
  for (let at = 0; at < count; at++) {
    made.set(`${name}-${at}`, (await keys.lasting(op, `${name}-${at}`)).toString('hex'));
  }
  return made;
}

const lastingPlace = (row: string): Place => ({ table: 'lasting_secrets', column: 'sealed', row });

const sealedRows = (db: Database) => db.$client<{ name: string; sealed: Buffer }[]>`
  SELECT name, sealed FROM lasting_secrets ORDER BY name`;

/** What is sealed in `lasting_secrets` now, opened by this ring. */
const contents = async (db: Database, ring: KeyRing) =>
  new Map(
    (await sealedRows(db)).map(({ name, sealed }) => [
      name,
      ring.open(sealed, lastingPlace(name)).toString('hex'),
    ]),
  );

/** How many values the audit trail says were sealed anew. */
async function recorded(db: Database): Promise<number> {
  const [row] = await db.$client<{ sum: number }[]>`
    SELECT coalesce(sum((data->>'values')::int), 0)::int AS sum FROM audit_events WHERE type = 'secrets.rotated'`;
  return row?.sum ?? 0;
}

const oldLeft = async (db: Database, key: string): Promise<number> => {
  const rows = await sealedRows(db);
  return rows.filter(({ sealed }) => sealed.subarray(1, 5).toString('hex') === idOf(key)).length;
};

const startWith = (op: Op, ...keys: string[]) => checkCanary(op, createKeyRing(keys));

t.test('O6: every sealed column is on the list of what is sealed anew', async (t) => {
  const others: Record<string, string> = {
    'canaries.sealed': 'proves one key each, and goes when the key does',
    'refresh_tokens.successor_sealed': 'sealed under the token before it, for seconds',
  };
  const found: string[] = [];
  for (const { table, classes } of allPrivacy) {
    const known = table as Parameters<typeof pg.getTableConfig>[0];
    const { name } = pg.getTableConfig(known);
    for (const [key, column] of Object.entries(orm.getTableColumns(known))) {
      if (column.getSQLType() !== 'bytea' || !/sealed$/i.test(key)) continue;
      found.push(`${name}.${key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`);
      t.equal(classes[key], 'secret', `${found.at(-1)} is a secret`);
    }
  }
  const listed = SEALED.map(({ table, column }) => `${table}.${column}`);
  t.same(found.toSorted(), [...listed, ...Object.keys(others)].toSorted());

  const db = openPool(t, (await freshDatabase(t)).app, 1);
  for (const { table, row, type } of SEALED) {
    const keys = await db.$client<{ name: string; type: string }[]>`
      SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type FROM pg_index i
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
      WHERE i.indrelid = ${table}::regclass AND i.indisprimary`;
    t.strictSame([...keys], [{ name: row, type }], `${table} is known by its primary key`);
  }
});

t.test('O6: a value opens in its table, column and row and under its key, and nowhere else', async () => {
  const rings = [createKeyRing([newKey()]), createKeyRing([newKey()])] as const;
  const word = fc.string({ unit: 'binary', maxLength: 12 });
  const opens = (ring: KeyRing, sealed: Buffer, place: Place) => {
    try {
      return ring.open(sealed, place).toString();
    } catch {
      return null;
    }
  };
  fc.assert(
    fc.property(word, word, word, word, (table, column, row, other) => {
      const sealed = rings[0].seal('content', { table, column, row });
      return (
        opens(rings[0], sealed, { table, column, row }) === 'content' &&
        (other === table || opens(rings[0], sealed, { table: other, column, row }) === null) &&
        (other === column || opens(rings[0], sealed, { table, column: other, row }) === null) &&
        (other === row || opens(rings[0], sealed, { table, column, row: other }) === null) &&
        opens(rings[1], sealed, { table, column, row }) === null
      );
    }),
  );
});

t.test('O6: what cannot be opened stops nothing else, and is named', async (t) => {
  const database = await freshDatabase(t);
  const db = openPool(t, database.app, 2);
  const op = systemOp(db, 'test');
  const [old, fresh, foreign] = [newKey(), newKey(), newKey()];
  await startWith(op, old);
  const ring = createKeyRing([old]);
  const made = await make(op, ring, 'good', 20);
  await make(op, ring, 'bad', 4);
  const mail = '0195f3a0-0000-7000-8000-000000000001';
  const mailPlace = { table: 'mails', column: 'props_sealed', row: mail };
  await db.$client`
    INSERT INTO mails (id, kind, recipient, props_sealed, state, created_at)
    VALUES (${mail}, 'test', 'ada@example.org', ${ring.seal('link', mailPlace)}, 'refused', now())`;
  await db.$client`
    INSERT INTO mails (id, kind, recipient, state, created_at) VALUES (gen_random_uuid(), 'test', 'x', 'sent', now())`;

  const rows = new Map((await sealedRows(db)).map(({ name, sealed }) => [name, sealed]));
  const put = (name: string, sealed: Buffer) =>
    db.$client`UPDATE lasting_secrets SET sealed = ${sealed} WHERE name = ${name}`;
  const sealedOf = (name: string) => rows.get(name) as Buffer;
  // Two rows change places; one bit flips; one comes from elsewhere.
  await put('bad-0', sealedOf('bad-1'));
  await put('bad-1', sealedOf('bad-0'));
  const flipped = Buffer.from(sealedOf('bad-2'));
  flipped[30] = (flipped[30] as number) ^ 1;
  await put('bad-2', flipped);
  await put('bad-3', createKeyRing([foreign]).seal('x', lastingPlace('bad-3')));

  const env = settingsFor(database, fresh, old);
  const before = await cli(env, 'secrets', 'status', '--json');
  t.equal(before.code, 1, 'a key is missing');
  t.match(before.json(), {
    columns: [
      { table: 'signing_keys', values: {} },
      { table: 'lasting_secrets', column: 'sealed', values: { [idOf(old)]: 23, [idOf(foreign)]: 1 } },
      { table: 'mails', column: 'props_sealed', values: { [idOf(old)]: 1 } },
    ],
    advice: [
      { key: idOf(fresh), state: 'newest' },
      { key: idOf(old), state: 'needed' },
      { key: idOf(foreign), state: 'missing' },
    ],
  });

  const ran = await cli(env, 'secrets', 'rotate', '--batch', '3', '--json');
  t.equal(ran.code, 1);
  t.match(ran.json(), { key: idOf(fresh), resealed: 21, busy: 0, retired: [] });
  const at = { table: 'lasting_secrets', column: 'sealed' };
  t.same(ran.json().unreadable, [
    { ...at, row: 'bad-0', why: 'changed' },
    { ...at, row: 'bad-1', why: 'changed' },
    { ...at, row: 'bad-2', why: 'changed' },
    { ...at, row: 'bad-3', why: 'key' },
  ]);
  t.equal(await recorded(db), 21);
  const said = await cli(env, 'secrets', 'rotate');
  t.equal(said.code, 1);
  t.match(said.out, /^0 sealed anew/);
  t.match(said.out, /Not readable: lasting_secrets\.sealed of row bad-2: changed/);
  t.match(said.out, /Not readable: lasting_secrets\.sealed of row bad-3: sealed by a key that is not in/);
  t.match(said.out, new RegExp(`Key ${idOf(old)} is still needed: 3 values`));
  t.notMatch(said.out + said.err, new RegExp([old, fresh, foreign].join('|')), 'no key is shown');

  const only = createKeyRing([fresh]);
  for (const [name, value] of made) {
    const [row] = (await sealedRows(db)).filter((one) => one.name === name);
    t.equal(only.open(row?.sealed as Buffer, lastingPlace(name)).toString('hex'), value);
  }
  const [{ sealed } = {}] = await db.$client<{ sealed: Buffer }[]>`
    SELECT props_sealed AS sealed FROM mails WHERE id = ${mail}`;
  t.equal(only.open(sealed as Buffer, mailPlace).toString(), 'link');
  t.same(
    [...(await sealedRows(db))].find(({ name }) => name === 'bad-2')?.sealed,
    flipped,
    'what could not be opened is as it was',
  );
  await t.rejects(startWith(op, fresh), { code: 'key.unknown' }, 'the old key is not given up');

  const health = (await cli(env, 'doctor', '--json')).json();
  t.match(
    health.findings.filter((one: { check: string }) => one.check === 'sealed secrets'),
    [
      { state: 'warning', says: /still needed: 3 values/ },
      { state: 'fault', says: new RegExp(`Key ${idOf(foreign)} is missing`) },
    ],
  );
});

t.test('O6: what is written or erased while everything is sealed anew stays as it was written', async (t) => {
  const database = await freshDatabase(t);
  const db = openPool(t, database.app, 8);
  const op = systemOp(db, 'test');
  const [old, fresh] = [newKey(), newKey()];
  await startWith(op, old);
  const before = createKeyRing([old]);
  const after = createKeyRing([fresh, old]);
  await startWith(op, fresh, old);
  const expected = await make(op, before, 'busy', 60);

  let over = false;
  let writes = 0;
  // Servers that have either key first write new contents all the time, one row in a transaction that takes a while.
  const writer = async (ring: KeyRing, turn: number) => {
    while (!over) {
      const name = `busy-${Math.floor(Math.random() * 20) * 3 + turn}`;
      const content = randomBytes(32);
      await inTransaction(op, async (op) => {
        await op.db.$client`
          UPDATE lasting_secrets SET sealed = ${ring.seal(content, lastingPlace(name))} WHERE name = ${name}`;
        await sleep(Math.random() * 4);
      });
      expected.set(name, content.toString('hex'));
      writes++;
    }
  };
  const writers = [writer(before, 0), writer(after, 1), writer(before, 2)];
  for (let round = 0; round < 40 && writes < 300; round++) await rotate(op, after, { batch: 7 });
  over = true;
  await Promise.all(writers);
  t.ok(writes > 100, `${writes} writes`);
  t.same(await contents(db, after), expected, 'the last content of every row');
  t.ok((await recorded(db)) > 60, 'rows were sealed anew again and again');

  const held = Promise.withResolvers<void>();
  const holding = inTransaction(op, async (op) => {
    await op.db.$client`
      UPDATE lasting_secrets SET sealed = ${before.seal('held', lastingPlace('busy-1'))} WHERE name = 'busy-1'`;
    await held.promise;
  });
  await sleep(50);
  setTimeout(held.resolve, 600);
  const { busy } = await rotate(op, after, { batch: 100 });
  await holding;
  t.equal(busy, 0, 'a row in use is waited for');
  await rotate(op, after, { batch: 100 });
  t.equal((await contents(db, createKeyRing([fresh]))).get('busy-1'), Buffer.from('held').toString('hex'));

  await db.$client`UPDATE lasting_secrets SET sealed = ''::bytea WHERE name = 'busy-2'`;
  t.match(
    await rotate(op, after, { batch: 5 }),
    { resealed: 0, unreadable: [] },
    'what is erased is no value',
  );
});

t.test('O6: killed in the middle and run again, it goes on; two at once share the work', async (t) => {
  const database = await freshDatabase(t);
  const db = openPool(t, database.app, 4);
  const op = systemOp(db, 'test');
  const [old, fresh, third] = [newKey(), newKey(), newKey()];
  await startWith(op, old);
  const made = await make(op, createKeyRing([old]), 'many', 400);

  const env = settingsFor(database, fresh, old);
  const first = command(env, 'secrets', 'rotate', '--batch', '1', '--json');
  for (const deadline = Date.now() + 30_000; (await oldLeft(db, old)) > 380 && Date.now() < deadline; ) {
    await sleep(2);
  }
  first.child.kill('SIGKILL');
  await first.ended;
  const left = await oldLeft(db, old);
  t.ok(left > 0 && left < 400, `killed with ${left} of 400 left`);
  t.equal(await recorded(db), 400 - left, 'what was done is on record');
  t.same(await contents(db, createKeyRing([fresh, old])), made, 'nothing is lost in between');

  const again = await cli(env, 'secrets', 'rotate', '--json');
  t.equal(again.code, 0, again.err);
  t.match(again.json(), { resealed: left, unreadable: [], busy: 0, retired: [idOf(old)] });
  t.equal(await recorded(db), 400);
  t.same(await contents(db, createKeyRing([fresh])), made);

  const next = settingsFor(database, third, fresh);
  const both = await Promise.all([
    cli(next, 'secrets', 'rotate', '--batch', '10', '--json'),
    cli(next, 'secrets', 'rotate', '--batch', '10', '--json'),
  ]);
  t.same(
    both.map(({ code }) => code),
    [0, 0],
    both.map(({ err }) => err).join(),
  );
  const [a = 0, b = 0] = both.map((ran) => ran.json().resealed as number);
  t.equal(a + b, 400, `${a} and ${b}: each value by one of them`);
  t.equal(await recorded(db), 800);
  t.same(await contents(db, createKeyRing([third])), made);
  const kept = await db.$client<{ key: string }[]>`
    SELECT data->>'key' AS key FROM audit_events WHERE type = 'secrets.keyRetired' ORDER BY at`;
  t.same(
    kept.map(({ key }) => key),
    [idOf(old), idOf(fresh)],
    'each key is given up once',
  );
});

t.test(
  'O6: a key by which a process seals is not given up, and one that lacks the newest is waited for',
  async (t) => {
    const database = await freshDatabase(t);
    const db = openPool(t, database.app, 2);
    const op = systemOp(db, 'test');
    const [old, fresh] = [newKey(), newKey()];
    await startWith(op, old);
    await make(op, createKeyRing([old]), 'some', 3);
    const server = await startServer(t, {
      database,
      env: { ENCRYPTION_KEYS: old, COOKIE_KEYS: newKey() },
    });

    // With one that the server has made.
    const sealed = await oldLeft(db, old);
    const env = settingsFor(database, fresh, old);
    const early = await cli(env, 'secrets', 'rotate');
    t.equal(early.code, 1);
    t.match(
      early.err,
      new RegExp(`could not read .* newest key ${idOf(fresh)}: a server has ${idOf(old)}\\.`),
    );
    t.equal(await oldLeft(db, old), sealed, 'nothing was sealed anew');
    t.equal((await cli(env, 'secrets', 'rotate', '--json')).code, 1);
    t.equal(await server.stop(), 0);

    const ordered = await startServer(t, {
      database,
      env: { ENCRYPTION_KEYS: `${old},${fresh}`, COOKIE_KEYS: newKey() },
    });
    const sealing = await cli(env, 'secrets', 'rotate', '--json');
    t.equal(sealing.code, 0, sealing.err);
    t.match(sealing.json(), {
      retired: [],
      advice: [{ state: 'newest' }, { key: idOf(old), state: 'sealing' }],
    });
    t.equal(await oldLeft(db, old), 0);
    await t.rejects(
      startWith(op, fresh),
      { code: 'key.unknown' },
      'a server without the old key is refused still',
    );
    t.equal(await ordered.stop(), 0);

    const after = await cli(env, 'secrets', 'status', '--json');
    t.equal(after.json().advice[1].state, 'required');
    const done = await cli(env, 'secrets', 'rotate', '--json');
    t.match(done.json(), {
      resealed: 0,
      retired: [idOf(old)],
      advice: [{ state: 'newest' }, { state: 'spare' }],
    });
    const doctor = (await cli(env, 'doctor', '--json')).json();
    t.match(
      doctor.findings.filter((one: { check: string }) => one.check === 'sealed secrets'),
      [{ state: 'warning', says: new RegExp(`Key ${idOf(old)} is not needed: remove it`) }],
    );
    const clean = (await cli(settingsFor(database, fresh), 'doctor', '--json')).json();
    t.match(
      clean.findings.filter((one: { check: string }) => one.check === 'sealed secrets'),
      [{ state: 'ok', says: `All are sealed by key ${idOf(fresh)}.` }],
    );
  },
);

/** Stops the servers one after the other and starts each again with these keys, as an operator does. */
async function restartAll(t: Test, fleet: Fleet, keys: string): Promise<void> {
  for (const [at, before] of fleet.servers.entries()) {
    await before.stop();
    const env = { ...before.env, ENCRYPTION_KEYS: keys };
    fleet.servers[at] = await startServer(t, { database: fleet.database, port: before.port, env });
  }
}

const jwksOf = async (server: ServerProcess): Promise<JSONWebKeySet> =>
  JSON.parse((await server.ask('/oauth2/jwks')).body);

t.test(
  'O6: keys are replaced under load without a failure, and the old one is of no use afterwards',
  async (t) => {
    const [old, fresh] = [newKey(), newKey()];
    const fleet = await startFleet(t, { env: { ENCRYPTION_KEYS: old } });
    const person = await fleet.person();
    const client = await fleet.client();
    await make(fleet.op(), createKeyRing([old]), 'load', 300);
    await restartAll(t, fleet, `${old},${fresh}`);
    await restartAll(t, fleet, `${fresh},${old}`);

    const { ENCRYPTION_KEYS: _, ...shared } = fleet.at(0).env;
    const env = { ...shared, ENCRYPTION_KEYS: `${fresh},${old}` };
    const issuer = fleet.at(0).issuer;
    const refused: string[] = [];
    let tokens = 0;
    let over = false;
    const last: string[] = [];
    const app = async (turn: number) => {
      let { refresh_token: token = '' } = await newFamily(fleet.at(turn), fleet.browser(), client, person);
      for (let round = turn; !over; round++) {
        const { status, body } = await refresh(fleet.at(round), client, token);
        if (status !== 200) {
          refused.push(`${status} ${JSON.stringify(body)}`);
          return;
        }
        token = body.refresh_token ?? '';
        const keys = createLocalJWKSet(await jwksOf(fleet.at(round + 1)));
        await jwtVerify(body.id_token ?? '', keys, { issuer }).catch((error) => refused.push(String(error)));
        last[turn] = body.id_token ?? '';
        tokens++;
      }
    };
    const apps = [app(0), app(1)];
    while (tokens < 10 && refused.length === 0) await sleep(20);
    const before = tokens;
    const ran = await cli(env, 'secrets', 'rotate', '--batch', '2', '--json');
    const during = tokens - before;
    // Signing keys that are made now are sealed by the newest, and taken over by both.
    t.equal((await cli(env, 'keys', 'rotate', '--now', '--json')).code, 0);
    await sleep(300);
    over = true;
    await Promise.all(apps);
    t.equal(ran.code, 0, ran.err);
    t.ok(ran.json().resealed >= 303, 'signing keys and lasting secrets');
    t.same(ran.json().retired, [idOf(old)]);
    t.same(refused, [], `${tokens} tokens`);
    t.ok(during > 0, `${during} tokens were signed meanwhile`);
    for (const server of fleet.servers) {
      t.same(
        server.logs().filter(({ level }) => /^(warn|error|fatal)$/.test(String(level))),
        [],
      );
    }

    await t.test('a replica with the old key alone is refused, in words', async (t) => {
      const refusedOne = await startServer(t, {
        database: fleet.database,
        env: { ...shared, ENCRYPTION_KEYS: old },
        ready: 0,
      });
      t.equal(await refusedOne.exited, 1);
      const told = refusedOne.lines.filter((line) => !line.startsWith('{')).join('\n');
      t.match(told, new RegExp(`sealed with key ${idOf(fresh)}, which is not in ENCRYPTION_KEYS`));
      t.notMatch(refusedOne.lines.join('\n'), /^\s+at /m);
    });

    await t.test(
      'replicas with the new key alone start, verify what was signed before, and sign',
      async (t) => {
        await restartAll(t, fleet, fresh);
        const keys = createLocalJWKSet(await jwksOf(fleet.at(0)));
        for (const token of last) await t.resolves(jwtVerify(token, keys, { issuer }));
        const family = await newFamily(fleet.at(1), fleet.browser(), client, person);
        await t.resolves(jwtVerify(family.id_token ?? '', keys, { issuer }));
        t.equal(await userinfo(fleet.at(0), family.access_token ?? ''), 200);
        const found = keyAdvice(await overview(fleet.op(), createKeyRing([fresh])), createKeyRing([fresh]));
        t.match(found, [{ key: idOf(fresh), state: 'newest' }]);
        t.equal(found.length, 1);
      },
    );
  },
);

t.test('O6: a server whose newest key the others lack says so when it starts', async (t) => {
  const database = await freshDatabase(t);
  const [old, fresh] = [newKey(), newKey()];
  const shared = { COOKIE_KEYS: newKey() };
  await startServer(t, { database, env: { ...shared, ENCRYPTION_KEYS: old } });
  const hasty = await startServer(t, { database, env: { ...shared, ENCRYPTION_KEYS: `${fresh},${old}` } });
  t.match(
    hasty.logs().filter(({ level }) => level === 'warn'),
    [{ msg: new RegExp(`lack its newest key ${idOf(fresh)}`) }],
  );
});

t.test('O6: the embedded database gets a new key in its file, and is sealed anew', async (t) => {
  const data = temporaryFolder(t);
  const file = join(data, 'encryption.keys');
  const keysIn = () => readFileSync(file, 'utf8').split('\n').filter(Boolean);
  const server = await startServer(t, { env: { DATA_DIR: data } });
  const { env } = server;
  const [old = ''] = keysIn();

  const busy = await cli(env, 'secrets', 'new-key');
  t.equal(busy.code, 1);
  t.match(busy.err, /A server runs on this database.*Stop it/);
  t.same(keysIn(), [old]);
  t.equal(await server.stop(), 0);

  const made = await cli(env, 'secrets', 'new-key', '--json');
  t.equal(made.code, 0, made.err);
  const [fresh = '', ...kept] = keysIn();
  t.same(kept, [old]);
  t.match(made.json(), { file, key: idOf(fresh), before: [idOf(old)] });
  t.notMatch(made.out + made.err, new RegExp(`${old}|${fresh}`), 'no key is shown');
  t.equal(statSync(file).mode & 0o777, 0o600);

  const again = await startServer(t, { port: server.port, env: { ...env } });
  const ran = await cli(env, 'secrets', 'rotate', '--json');
  t.match(ran.json(), { key: idOf(fresh), unreadable: [], retired: [idOf(old)] });
  t.equal(await again.stop(), 0);
  writeFileSync(file, `${fresh}\n`, { mode: 0o600 });
  const last = await startServer(t, { port: server.port, env: { ...env } });
  t.equal((await jwksOf(last)).keys.length, 3);
  t.equal(await last.stop(), 0);

  const both = await Promise.all([cli(env, 'secrets', 'new-key'), cli(env, 'secrets', 'new-key')]);
  const won = both.filter(({ code }) => code === 0).length;
  t.ok(won >= 1, both.map(({ err }) => err).join());
  t.equal(keysIn().length, 1 + won, 'of two at once none loses its key');
  t.equal(keysIn().at(-1), fresh);
  const keys = keysIn();

  const given = await cli({ ...env, ENCRYPTION_KEYS: keys.join() }, 'secrets', 'new-key');
  t.equal(given.code, 1);
  t.match(given.err, /The keys are in ENCRYPTION_KEYS/);
  t.same(keysIn(), keys);
});

t.test('O6: a connection says which keys its process has, within the length PostgreSQL keeps', async (t) => {
  const keys = Array.from({ length: 6 }, newKey);
  const name = connectionName('command', createKeyRing(keys));
  t.ok(name.length <= 63, name);
  t.equal(name, `gatehouse command, keys ${keys.slice(0, 4).map(idOf).join(' ')}`);
  for (const batch of ['0', '-1', 'x', '10001']) {
    t.equal((await cli({}, 'secrets', 'rotate', '--batch', batch)).code, 2, batch);
  }
});
