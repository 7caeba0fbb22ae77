// Import of accounts as an operator runs it: the command as a process of its own, on files good, bad and hostile.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import type { Database } from '../drizzle/database.ts';
import { importAccounts, type Outcome } from '../server/accounts/import.ts';
import { systemOp } from '../server/lib/op.ts';
import { freshDatabase, openPool, urlOf } from './harness/database.ts';
import { temporaryFolder } from './harness/folders.ts';
import { newKey } from './harness/server.ts';

t.setTimeout(180_000);

const project = fileURLToPath(new URL('..', import.meta.url));
const HASH = '$2b$05$iC5oBTzNfgoPuLoGGzpdOebikUSi3dTh2rlRB6qRsMZ7DZ4FbqU/O';

interface Ran {
  code: number | null;
  out: string;
  err: string;
}

interface Bench {
  db: Database;
  folder: string;
  file(name: string, content: string | Buffer): string;
  start(...args: string[]): { child: ChildProcess; ended: Promise<Ran> };
  /** `import` with these arguments; `input` is written to its standard input. */
  run(args: readonly string[], input?: string): Promise<Ran>;
  count(): Promise<number>;
  events(type: string): Promise<Record<string, unknown>[]>;
}

async function bench(t: Test): Promise<Bench> {
  const database = await freshDatabase(t);
  const db = openPool(t, database.app, 2);
  const folder = temporaryFolder(t);
  const { PATH = '', HOME = '', TMPDIR } = process.env;
  const env = {
    PATH,
    HOME,
    ...(TMPDIR ? { TMPDIR } : {}),
    DATABASE_URL: urlOf(database.app),
    DATABASE_OWNER_URL: urlOf(database.owner),
    ENCRYPTION_KEYS: newKey(),
    COOKIE_KEYS: newKey(),
  };
  function start(...args: string[]) {
    const child = spawn(process.execPath, ['server/cli.ts', 'import', ...args], { cwd: project, env });
    const ran: Ran = { code: null, out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      ran.out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      ran.err += text;
    });
    child.stdin.on('error', () => {});
    const ended = new Promise<Ran>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve({ ...ran, code }));
    });
    return { child, ended };
  }
  return {
    db,
    folder,
    start,
    file(name, content) {
      const path = join(folder, name);
      writeFileSync(path, content);
      return path;
    },
    run(args, input = '') {
      const { child, ended } = start(...args);
      child.stdin?.end(input);
      return ended;
    },
    async count() {
      const [row] = await db.$client<{ count: number }[]>`SELECT count(*)::int AS count FROM accounts`;
      return row?.count ?? -1;
    },
    async events(type) {
      const rows = await db.$client<{ data: string; actor: string }[]>`
        SELECT data::text AS data, actor_kind || ' ' || actor_id AS actor FROM audit_events WHERE type = ${type} ORDER BY id`;
      return rows.map(({ data, actor }) => ({ ...(JSON.parse(data) as object), actor }));
    },
  };
}

const reportIn = (path: string) =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Outcome);

async function* chunksOf(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const lines = (...rows: unknown[]) =>
  rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n');

t.test('D4, X9: every field of a row arrives, the id as sub too, and each act is on record', async (t) => {
  const { db, file, run, folder, events } = await bench(t);
  const id = randomUUID();
  const source = file(
    'people.ndjson',
    lines(
      {
        id: id.toUpperCase(),
        email: ' Ada@Example.org ',
        email_verified: true,
        name: 'Ada\tLovelace',
        claims: {
          given_name: 'Ada',
          locale: 'en-GB',
          address: { country: 'GB' },
          website: 'https://ada.example',
        },
        password_hash: HASH,
        disabled: true,
        created_at: '2020-01-02T03:04:05Z',
      },
      { email: 'grace@example.org', name: null, password_hash: null },
    ),
  );
  const report = join(folder, 'report');
  const ran = await run([source, '--report', report, '--json']);
  t.same([ran.code, ran.err], [0, '']);
  t.same(JSON.parse(ran.out), { created: 2, exists: 0, refused: 0, dryRun: false, refusedRows: [] });
  t.equal(statSync(report).mode & 0o777, 0o600);
  const [first, second] = reportIn(report);
  t.same(first, { line: 1, status: 'created', id });
  t.match(second, { line: 2, status: 'created', id: /^[0-9a-f-]{36}$/ });

  const rows = await db.$client<Record<string, unknown>[]>`
    SELECT id, email, email_key, email_verified_at IS NOT NULL AS verified, name, claims::text AS claims,
           password_hash, password_changed_at IS NOT NULL AS dated, disabled_at IS NOT NULL AS disabled, created_at
    FROM accounts ORDER BY email_key`;
  t.match(rows[0], {
    id,
    email: 'Ada@Example.org',
    email_key: 'ada@example.org',
    verified: true,
    name: 'Ada Lovelace',
    password_hash: HASH,
    dated: true,
    disabled: true,
    created_at: '2020-01-02 03:04:05+00',
  });
  t.same(JSON.parse(String(rows[0]?.claims)).address, { country: 'GB' });
  t.match(rows[1], { verified: false, name: null, password_hash: null, dated: false, disabled: false });

  t.same(await events('account.created'), [
    { by: 'import', actor: 'system cli' },
    { by: 'import', actor: 'system cli' },
  ]);
  t.same(await events('accounts.imported'), [{ created: 2, exists: 0, refused: 0, actor: 'system cli' }]);
  t.notMatch(ran.out + readFileSync(report, 'utf8'), /\$2b|iC5oBT/);
});

t.test('D4: CSV with BOM, CRLF, quotes, line breaks and JSON in its cells', async (t) => {
  const { db, file, run } = await bench(t);
  const source = file(
    'people.csv',
    [
      '\uFEFF"email",name,email_verified,claims,password_hash,disabled',
      `ada@example.org,"Countess ""Ada"", of\r\nLovelace",TRUE,"{""given_name"":""Ada""}",${HASH},false`,
      '',
      'grace@example.org,=1+1,false,,,',
      'müller@example.org,,,,"{""hashIterations"":27500,""algorithm"":""pbkdf2-sha256"",""salt"":""x/bm4Y3DcuV9eU97ervkPA=="",""value"":""1u7BLvfSPxQFpwc5jpGSA+88EGl9pZYKhaZ8YPIu9N4=""}",',
    ].join('\r\n'),
  );
  const ran = await run([source]);
  t.same([ran.code, ran.err, ran.out], [0, '', 'Created: 3. There already: 0. Refused: 0.\n']);
  const rows = await db.$client<{ email: string; name: string; claims: string; password_hash: string }[]>`
    SELECT email, name, claims::text AS claims, password_hash FROM accounts ORDER BY email_key`;
  t.match(rows[0], {
    name: 'Countess "Ada", of Lovelace',
    claims: '{"given_name": "Ada"}',
    password_hash: HASH,
  });
  t.match(rows[1], { name: '=1+1', password_hash: null });
  t.match(rows[2], { email: 'müller@example.org', password_hash: /^\$pbkdf2-sha256\$i=27500\$/ });
});

t.test('D4: each bad row is refused with its line and reason, and the others are made', async (t) => {
  const { file, run, folder, count } = await bench(t);
  const row = (more: object) => ({ email: 'x@example.org', ...more });
  const table: [given: unknown, code: string, says: RegExp][] = [
    ['{"email": ', 'import.rowMalformed', /no JSON/],
    ['[1]', 'import.rowMalformed', /no JSON object/],
    ['null', 'import.rowMalformed', /no JSON object/],
    ['['.repeat(30_000), 'import.rowMalformed', /no JSON/],
    [row({ name: 'x'.repeat(1_048_576) }), 'import.rowMalformed', /longer than 64 KiB/],
    [{}, 'import.fieldInvalid', /email is missing/],
    [row({ email: 'nobody' }), 'account.emailInvalid', /e-mail/],
    [row({ email: ['x@example.org'] }), 'import.fieldInvalid', /email is no text/],
    [row({ email: 'a\u0000@example.org' }), 'request.forbiddenCharacter', /U\+0000/],
    [row({ name: 'half \ud800' }), 'request.forbiddenCharacter', /surrogate/],
    [row({ claims: { given_name: 'a\u0000' } }), 'request.forbiddenCharacter', /U\+0000/],
    ['{"email":"x@example.org","claims":{"__proto__":{"a":1}}}', 'request.invalid', /./],
    ['{"__proto__":{"a":1},"email":"x@example.org"}', 'import.fieldUnknown', /__proto__/],
    [row({ constructor: 1 }), 'import.fieldUnknown', /“constructor” is no field/],
    [row({ emailVerified: true }), 'import.fieldUnknown', /write `email_verified`/],
    [row({ 'Created At': 1 }), 'import.fieldUnknown', /write `created_at`/],
    [row({ given_name: 'Ada' }), 'import.fieldUnknown', /belongs into `claims`/],
    [row({ password: 'secret words' }), 'import.fieldUnknown', /only their hashes/],
    [
      row({ totp_secret: 'JBSWY3DPEHPK3PXP' }),
      'import.fieldUnknown',
      /second factors cannot be imported yet/,
    ],
    [row({ '\u001b[2Jx': 1 }), 'import.fieldUnknown', /“�\[2Jx” is no field/],
    [row({ id: '42' }), 'import.fieldInvalid', /id is no UUID/],
    [row({ email_verified: 'yes' }), 'import.fieldInvalid', /neither true nor false/],
    [row({ disabled: 1 }), 'import.fieldInvalid', /neither true nor false/],
    [row({ created_at: '01/02/2020' }), 'import.fieldInvalid', /no moment/],
    [row({ created_at: '2020-13-45' }), 'import.fieldInvalid', /no moment/],
    [row({ created_at: '2999-01-01' }), 'import.fieldInvalid', /future/],
    [row({ claims: [] }), 'import.fieldInvalid', /no object/],
    [row({ claims: { sub: 'x' } }), 'import.fieldInvalid', /and nothing else/],
    [row({ claims: { picture: 'javascript:alert(1)' } }), 'import.fieldInvalid', /picture of another form/],
    [row({ claims: { given_name: 7 } }), 'import.fieldInvalid', /no text/],
    [row({ claims: { address: { planet: 'Earth' } } }), 'import.fieldInvalid', /address/],
    [row({ password_hash: '5f4dcc3b5aa765d61d8327deb882cf99' }), 'password.hashUnknown', /no format/],
    [row({ password_hash: HASH.replace('$05$', '$20$') }), 'password.hashTooCostly', /over 16/],
  ];
  const source = file(
    'bad.ndjson',
    `${lines(...table.map(([given]) => given))}\n\n${lines({ email: 'good@example.org' })}`,
  );
  const report = join(folder, 'report');
  const ran = await run([source, '--report', report, '--batch', '7']);
  t.equal(ran.code, 1, ran.err);
  t.match(ran.out, /^Created: 1\. There already: 0\. Refused: 33\.\n {2}line 1: /);
  t.match(ran.out, /\n {2}and 13 more\n$/);
  const outcomes = reportIn(report);
  t.equal(outcomes.length, table.length + 1);
  for (const [at, [given, code, says]] of table.entries()) {
    const name = JSON.stringify(given).slice(0, 60);
    t.match(outcomes[at], { line: at + 1, status: 'refused', code, message: says }, name);
  }
  t.match(outcomes.at(-1), { line: table.length + 2, status: 'created' });
  t.notMatch(
    ran.out + readFileSync(report, 'utf8'),
    /secret words|5f4dcc3b|iC5oBT|JBSWY3/,
    'no secret is repeated',
  );
  t.equal(await count(), 1);
});

t.test('D4: bytes that are no UTF-8 and rows of CSV that are no rows', async (t) => {
  const { db, file, run, folder } = await bench(t);
  const latin = file(
    'latin.ndjson',
    Buffer.from('{"email":"a@example.org","name":"M\xfcller"}\n{"email":"b@example.org"}', 'latin1'),
  );
  t.match(await run([latin]), { code: 1, out: /Created: 1\..*\n {2}line 1: The row is not UTF-8 text\./ });

  const wide = file('wide.csv', Buffer.from('\uFEFFemail\r\na@example.org', 'utf16le'));
  t.match(await run([wide]), { code: 1, err: 'The file is UTF-16. Save it as UTF-8.\n' });

  // Somebody's name in the other system: it must not become a row, however far its quote reaches.
  const long = `x\n${'evil@example.org,Evil\n'.repeat(10_000)}`;
  const report = join(folder, 'csv-report');
  const csv = file(
    'rows.csv',
    [
      'email,name',
      'c@example.org,one,two',
      'd@example.org,a "quoted" word',
      'e@example.org,"closed" and on',
      `f@example.org,"${long}"`,
      'g@example.org,Gerd',
      'h@example.org,"never closed',
      'evil@example.org,Evil',
    ].join('\n'),
  );
  t.match(await run([csv, '--report', report]), { code: 1, err: '' });
  t.match(
    reportIn(report).map(({ line, status, message }) => `${line} ${status} ${message ?? ''}`),
    [
      /^2 refused The row has 3 cells, and the first line names 2/,
      /^3 refused The row’s quotes are wrong/,
      /^4 refused The row’s quotes are wrong/,
      /^5 refused The row is longer than 64 KiB/,
      /^10007 created/,
      /^10008 refused The row’s quotes are wrong/,
    ],
  );
  const rows = await db.$client<{ email: string }[]>`SELECT email FROM accounts ORDER BY email`;
  t.same(
    rows.map(({ email }) => email),
    ['b@example.org', 'g@example.org'],
  );
});

t.test('D4: a file that is none, and a question that is none, is a sentence', async (t) => {
  const { db, folder, file, run, count } = await bench(t);
  const good = file('good.ndjson', '{"email":"a@example.org"}');
  const table: [args: string[], code: number, says: RegExp][] = [
    [[join(folder, 'none.csv')], 2, /cannot be read \(ENOENT\)/],
    [[folder, '--format', 'csv'], 2, /cannot be read \(EISDIR\)/],
    [['-'], 2, /give --format/],
    [[file('people', '')], 2, /give --format/],
    [[good, '--batch', '0'], 2, /--batch takes a number from 1 to 1000/],
    [[good, '--format', 'xlsx'], 2, /xlsx/],
    [[good, '--report', good], 2, /is there already/],
    [[file('semicolon.csv', 'email;name\na@example.org;A')], 1, /commas, not by semicolons/],
  ];
  for (const [args, code, says] of table) {
    const ran = await run(args);
    t.equal(ran.code, code, ran.err);
    t.match(ran.err, says);
    t.notMatch(ran.err, /\n\s+at |\.ts[:)]/, 'no stack');
  }
  const headers: [header: string, says: RegExp][] = [
    ['email,Password', /“Password” is no field: passwords are not imported/],
    ['email,email', /names a field twice/],
    ['email,"name', /first line cannot be read/],
    ['email\tname', /commas, not by semicolons or tabulators/],
  ];
  for (const [header, says] of headers) {
    const input = chunksOf(Buffer.from(`${header}\na@example.org,A`), 1000);
    await t.rejects(
      importAccounts(systemOp(db, 'test'), input, {
        format: 'csv',
        batch: 10,
        dryRun: false,
        report: () => {},
      }),
      { code: 'import.headerInvalid', message: says },
    );
  }
  t.equal(await count(), 0);
  t.match(await run(['-', '--format', 'ndjson'], '{"email":"a@example.org"}\n'), {
    code: 0,
    out: /Created: 1\./,
  });
  t.match(await run([file('empty.csv', '')]), { code: 0, out: /Created: 0\./ });
});

t.test(
  'D4: an address in any spelling, and an id, is one account; a dry run says so and writes nothing',
  async (t) => {
    const { db, file, run, folder, count, events } = await bench(t);
    const id = randomUUID();
    t.equal(
      (await run([file('first.ndjson', lines({ id, email: 'there@example.org', password_hash: HASH }))]))
        .code,
      0,
    );
    const source = file(
      'again.ndjson',
      lines(
        { email: 'THERE@example.org', password_hash: null },
        { id, email: 'moved@example.org' },
        { id: randomUUID(), email: 'there@example.org' },
        { email: 'Ada@example.org', name: 'First' },
        { email: 'bad' },
        { email: 'ＡＤＡ@example.org', name: 'Second' },
        { email: 'ada@EXAMPLE.org', name: 'Third' },
      ),
    );
    const wanted = [
      { line: 1, status: 'exists', code: 'account.emailTaken' },
      { line: 2, status: 'exists', code: 'account.idTaken' },
      { line: 3, status: 'exists', code: 'account.emailTaken', message: /apps do not see the `sub`/ },
      { line: 4, status: 'created' },
      { line: 5, status: 'refused' },
      { line: 6, status: 'exists', code: 'account.emailTaken' },
      { line: 7, status: 'exists', code: 'account.emailTaken' },
    ];
    for (const batch of ['1', '3', '200']) {
      const report = join(folder, `dry-${batch}`);
      const dry = await run([source, '--dry-run', '--report', report, '--batch', batch]);
      t.match(dry, {
        code: 1,
        out: /^Nothing was written\. Would be created: 1\. There already: 5\. Refused: 1\./,
      });
      t.match(reportIn(report), wanted, `in batches of ${batch}`);
    }
    t.equal(await count(), 1);
    t.equal((await events('accounts.imported')).length, 1);
    t.equal((await events('account.created')).length, 1);

    const report = join(folder, 'wet');
    t.match(await run([source, '--report', report]), {
      code: 1,
      out: /^Created: 1\. There already: 5\. Refused: 1\./,
    });
    t.match(reportIn(report), wanted);
    const rows = await db.$client<{ name: string | null; hash: string | null }[]>`
    SELECT name, password_hash AS hash FROM accounts ORDER BY email_key`;
    t.same(
      [...rows],
      [
        { name: 'First', hash: null },
        { name: null, hash: HASH },
      ],
      'what is there stays as it is',
    );
  },
);

t.test('D4: two imports of one file at once make each account once', async (t) => {
  const { file, run, count, events } = await bench(t);
  const people = Array.from({ length: 600 }, (_, at) => ({ email: `person-${at}@example.org` }));
  const files = [file('up.ndjson', lines(...people)), file('down.ndjson', lines(...people.toReversed()))];
  const ran = await Promise.all(files.map((one) => run([one, '--json'])));
  const counts = ran.map(({ code, out, err }) => {
    t.equal(code, 0, err);
    return JSON.parse(out) as { created: number; exists: number };
  });
  t.equal((counts[0]?.created ?? 0) + (counts[1]?.created ?? 0), 600);
  t.equal(await count(), 600);
  t.equal((await events('account.created')).length, 600);
});

const PEOPLE = 20_000;
/** Bytes; 300 MiB were seen in a run over 150,000 rows. */
const MOST_MEMORY = 600 * 2 ** 20;

t.test(
  'D4, X9: 20,000 rows in constant memory; killed in the middle, run again, nothing is lost or doubled',
  async (t) => {
    const { db, file, start, run, folder, count, events } = await bench(t);
    const source = file(
      'many.ndjson',
      lines(
        ...Array.from({ length: PEOPLE }, (_, at) => ({
          email: `person-${at}@example.org`,
          name: `Person ${at}`,
          password_hash: HASH,
          claims: { given_name: `Given ${at}` },
        })),
      ),
    );
    const { child, ended } = start(source);
    while ((await count()) < 1000) await sleep(20);
    child.kill('SIGKILL');
    t.equal((await ended).code, null);
    // What was sent before the kill may be committed after it.
    let there = -1;
    for (let seen = await count(); seen !== there; seen = await count()) {
      there = seen;
      await sleep(500);
    }
    t.ok(there >= 1000 && there < PEOPLE, `${there} were made`);
    t.equal(there % 200, 0, 'whole batches');
    t.equal((await events('account.created')).length, there, 'each on record');
    t.equal((await events('accounts.imported')).length, 0);

    const report = join(folder, 'report');
    const second = start(source, '--report', report);
    let most = 0;
    const watch = setInterval(() => {
      const status = `/proc/${second.child.pid}/status`;
      const [, kib] = (existsSync(status) && /VmRSS:\s+(\d+)/.exec(readFileSync(status, 'utf8'))) || [];
      most = Math.max(most, Number(kib || 0) * 1024);
    }, 25);
    const ran = await second.ended;
    clearInterval(watch);
    t.equal(ran.code, 0, ran.err);
    t.equal(ran.out, `Created: ${PEOPLE - there}. There already: ${there}. Refused: 0.\n`);
    t.comment(`${Math.round(most / 2 ** 20)} MiB`);
    t.ok(most > 0 && most < MOST_MEMORY, 'memory stays small');
    const outcomes = reportIn(report);
    t.same(
      outcomes.map(({ line }) => line),
      Array.from({ length: PEOPLE }, (_, at) => at + 1),
    );
    t.equal(outcomes.filter(({ status }) => status === 'exists').length, there);
    t.equal(await count(), PEOPLE);
    t.equal((await events('account.created')).length, PEOPLE);
    const [same] = await db.$client<{ count: number }[]>`
    SELECT count(*)::int AS count FROM accounts WHERE password_hash = ${HASH}`;
    t.equal(same?.count, PEOPLE);
    t.match(await run([source, '--dry-run']), { code: 0, out: /There already: 20000\./ });
  },
);

t.test('D4: no more is read than a batch ahead of what is settled', async (t) => {
  const { db } = await bench(t);
  const [batch, perChunk] = [50, 20];
  let read = 0;
  let settled = 0;
  let ahead = 0;
  async function* input() {
    for (let chunk = 0; chunk < 100; chunk++) {
      ahead = Math.max(ahead, read - settled);
      const people = Array.from({ length: perChunk }, () => ({ email: `person-${read++}@example.org` }));
      yield Buffer.from(`${lines(...people)}\n`);
    }
  }
  const report = () => void settled++;
  await importAccounts(systemOp(db, 'test'), input(), { format: 'ndjson', batch, dryRun: false, report });
  t.equal(settled, 2000);
  t.ok(ahead <= batch + perChunk, `${ahead} rows were held at most`);
});

t.test('D4: any bytes in any chunks are answered row by row, never by a fault', async (t) => {
  const { db, count } = await bench(t);
  const op = systemOp(db, 'test');
  const field = fc.constantFrom(
    'id',
    'email',
    'name',
    'claims',
    'password_hash',
    'disabled',
    'created_at',
    'x',
  );
  const row = fc.oneof(
    fc.dictionary(field, fc.jsonValue({ maxDepth: 3 })).map((value) => JSON.stringify(value)),
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc.constantFrom('"', ',', '"a","b', '\r', '{"email":"fuzz@example.org"}'),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('ndjson' as const, 'csv' as const),
      fc.array(row, { maxLength: 8 }),
      fc.integer({ min: 1, max: 40 }),
      async (format, rows, size) => {
        const bytes = Buffer.from(`${format === 'csv' ? 'email,name,claims\n' : ''}${rows.join('\n')}`);
        const outcomes: Outcome[] = [];
        const report = (one: Outcome) => void outcomes.push(one);
        const counts = await importAccounts(op, chunksOf(bytes, size), {
          format,
          batch: 3,
          dryRun: false,
          report,
        });
        const sorted = outcomes.every(({ line }, at) => at === 0 || line > (outcomes[at - 1]?.line ?? 0));
        return sorted && counts.created + counts.exists + counts.refused === outcomes.length;
      },
    ),
    { numRuns: 150 },
  );
  t.ok((await count()) >= 1);
});

t.test('D4, X9: the examples of docs/migrate.md are taken as they stand', async (t) => {
  const { file, run } = await bench(t);
  const guide = readFileSync(join(project, 'docs', 'migrate.md'), 'utf8');
  const examples = [...guide.matchAll(/^```(ndjson|csv)\n(.*?)^```$/gms)];
  t.equal(examples.length, 4);
  for (const [, format = '', content = ''] of examples) {
    const ran = await run([file(`example.${format}`, content), '--dry-run']);
    t.match(ran, { code: 0, out: /Would be created: 1\./ });
  }
});
