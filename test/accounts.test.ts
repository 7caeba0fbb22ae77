// Accounts, roles and the first administrator on a real database, as the role that runs the server.
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { type Config, options } from '../config/options.ts';
import { type Database, inTransaction } from '../drizzle/database.ts';
import {
  create,
  disable,
  enable,
  find,
  findByEmail,
  list,
  rehash,
  setPassword,
  signedIn,
} from '../server/accounts/accounts.ts';
import { allClaimsOf, claimsByScope, claimsOf } from '../server/accounts/claims.ts';
import { checkEmail, emailKey } from '../server/lib/email.ts';
import { type Op, systemOp } from '../server/lib/op.ts';
import { Problem } from '../server/lib/problems.ts';
import { createPasswords } from '../server/passwords/passwords.ts';
import { administratorExists, grant, rolesOf } from '../server/roles/roles.ts';
import { bootstrapAdmin, completeSetup, makeLink, tokenState } from '../server/setup/setup.ts';
import { freshDatabase, openPool } from './harness/database.ts';

const ISSUER = 'http://localhost:3000';
const HASH =
  '$argon2id$v=19$m=7168,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
const ABSENT = '01990000-0000-7000-8000-000000000000';

async function open(t: Test, pools = 1): Promise<Op[]> {
  const { app } = await freshDatabase(t);
  return Array.from({ length: pools }, () => systemOp(openPool(t, app, 25), 'test'));
}

const person = (email: string) => ({ email, name: null, passwordHash: HASH, by: 'cli' as const });

/** What became of each: the value, or the code of the problem; anything else fails the test. */
const outcomes = async <T>(work: Promise<T>[]): Promise<(T | string)[]> =>
  Promise.all(
    work.map((one) =>
      one.catch((error: unknown) => {
        if (error instanceof Problem) return error.code as string;
        throw error;
      }),
    ),
  );

const eventsOf = async (db: Database, type?: string) => {
  const rows = await db.$client<{ type: string; subject_id: string | null; data: string }[]>`
    SELECT type, subject_id, data::text AS data FROM audit_events
    WHERE ${type ?? null}::text IS NULL OR type = ${type ?? null} ORDER BY at, id`;
  return rows.map((row) => ({ ...row, data: JSON.parse(row.data) as Record<string, unknown> }));
};

/** A live session and grant, as the protocol rooms would have written them. */
async function somethingOpen(op: Op, accountId: string, epoch: number): Promise<string> {
  const uid = randomBytes(8).toString('hex');
  const now = op.now.toISOString();
  const end = new Date(op.now.getTime() + 3_600_000).toISOString();
  await op.db.$client`
    INSERT INTO sessions (uid, id_hash, account_id, account_epoch, login_at, created_at, last_seen_at, expires_at, payload)
    VALUES (${uid}, ${randomBytes(32)}, ${accountId}, ${epoch}, ${now}::timestamptz, ${now}::timestamptz,
            ${now}::timestamptz, ${end}::timestamptz, '{}')`;
  await op.db.$client`
    INSERT INTO grants (id, account_id, account_epoch, client_id, session_uid, created_at, expires_at, payload)
    VALUES (${uid}, ${accountId}, ${epoch}, 'app', ${uid}, ${now}::timestamptz, ${end}::timestamptz, '{}')`;
  return uid;
}

const stillOpen = async (op: Op, uid: string) => {
  const [row] = await op.db.$client<{ session: boolean; granted: boolean }[]>`
    SELECT (SELECT ended_at IS NULL FROM sessions WHERE uid = ${uid}) AS session,
           (SELECT revoked_at IS NULL FROM grants WHERE id = ${uid}) AS granted`;
  return row;
};

t.test('A6: an account is found by any spelling of its address', async (t) => {
  const [op] = (await open(t)) as [Op];
  const account = await create(op, { ...person('  Jane.Doe@Acme.example '), name: '  Jane\n\tDoe ' });
  t.match(account, { email: 'Jane.Doe@Acme.example', name: 'Jane Doe', epoch: 0, disabledAt: null });
  t.same(account.createdAt, op.now);
  t.same(await find(op, account.id), account);
  for (const spelling of ['jane.doe@acme.example', 'JANE.DOE@ACME.EXAMPLE ', 'ｊane.doe@acme.example']) {
    t.same(await findByEmail(op, spelling), account, spelling);
  }
  t.equal(await findByEmail(op, 'jane.doe@acme.example.'), undefined);
  t.equal(await find(op, ABSENT), undefined);
  t.equal(await find(op, "' OR 1=1 --"), undefined);
  await t.rejects(create(op, person('JANE.DOE@acme.example')), { code: 'account.emailTaken' });

  const [event, ...more] = await eventsOf(op.db, 'account.created');
  t.equal(more.length, 0, 'a refused one is no account');
  t.match(event, { subject_id: account.id, data: { by: 'cli' } });
  t.notMatch(JSON.stringify(event), /jane/i, 'names stand in the side row only');

  await create(op, person('a_b%c@acme.example'));
  t.same(
    (await list(op, { search: '_b%', limit: 10 })).map((one) => one.email),
    ['a_b%c@acme.example'],
  );
  t.same(
    (await list(op, { search: 'jane d', limit: 10 })).map((one) => one.id),
    [account.id],
    'by name',
  );
  t.equal((await list(op, { limit: 10 })).length, 2);
  t.equal((await list(op, { limit: 1 })).length, 1);
});

t.test('A6: what is no address is refused', async (t) => {
  const good = [
    'a@b.co',
    'root@localhost',
    'first+tag@sub.example.org',
    'jörg@münchen.example',
    "o'neil@ex-ample.org",
    `${'a'.repeat(64)}@example.org`,
    'x@1and1.example',
    '用户@例子.广告',
  ];
  const bad = [
    '',
    '@',
    'a',
    'a@',
    '@b.co',
    'a@b',
    'a b@c.de',
    'a@b@c.de',
    'a@b..de',
    'a@.de',
    'a@-b.de',
    'a@b-.de',
    'a\u0000@b.de',
    'a\n@b.de',
    'a@b.de\u0007x',
    'a\u202e@b.de',
    '"a"@b.de',
    'a@[127.0.0.1]',
    'a,b@c.de',
    '<a@b.de>',
    `${'a'.repeat(65)}@example.org`,
    `a@${'b'.repeat(64)}.de`,
    `a@${'b.'.repeat(130)}de`,
    'a＠b@c.de',
    'a\ud800@b.de',
    '=?utf-8?q?x?=@b.de',
  ];
  for (const email of good) t.equal(checkEmail(` ${email}`), email, email);
  for (const email of bad) t.throws(() => checkEmail(email), { code: 'account.emailInvalid' }, escape(email));
  const start = performance.now();
  for (const hostile of [`${'a.'.repeat(50_000)}@`, `a@${'b-'.repeat(50_000)}`, '@'.repeat(100_000)]) {
    t.throws(() => checkEmail(hostile), { code: 'account.emailInvalid' });
  }
  t.ok(performance.now() - start < 500);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => emailKey(emailKey(text)) === emailKey(text)),
  );
  for (const odd of ['\u03aa\u0301', '\u03ab\u0301', '\u03d4\u0301', '\u1fbc\u0301']) {
    t.equal(emailKey(emailKey(`a${odd}b`)), emailKey(`a${odd}b`), escape(odd));
  }
});

t.test('A6: of 50 makers of one address in several spellings, one succeeds', async (t) => {
  const ops = await open(t, 2);
  const [op] = ops as [Op];
  const spellings = [
    'race@example.org',
    'RACE@example.org',
    'Race@Example.ORG',
    'race@EXAMPLE.org',
    'ｒace@example.org',
  ];
  for (let round = 0; round < 4; round++) {
    const all = await outcomes(
      Array.from({ length: 50 }, (_, at) =>
        create(ops[at % 2] as Op, person(`${round}${spellings[at % 5] as string}`)),
      ),
    );
    t.equal(all.filter((one) => typeof one !== 'string').length, 1);
    t.equal(all.filter((one) => one === 'account.emailTaken').length, 49);
  }
  t.equal((await eventsOf(op.db, 'account.created')).length, 4);
});

t.test('A6: a new password ends everything and raises the epoch, in one transaction', async (t) => {
  const [op] = (await open(t)) as [Op];
  const account = await create(op, person('p@example.org'));
  const other = await create(op, person('q@example.org'));
  const mine = await somethingOpen(op, account.id, 0);
  const others = await somethingOpen(op, other.id, 0);

  await t.rejects(
    inTransaction(op, async (op) => {
      await setPassword(op, account.id, 'new', 'person');
      throw new Error('later in the same act');
    }),
    /later/,
  );
  t.match(await stillOpen(op, mine), { session: true, granted: true }, 'all or nothing');

  await setPassword(op, account.id, 'new', 'person');
  t.match(await find(op, account.id), {
    passwordHash: 'new',
    epoch: 1,
    version: 1,
    passwordChangedAt: op.now,
  });
  t.match(await stillOpen(op, mine), { session: false, granted: false });
  t.match(await stillOpen(op, others), { session: true, granted: true });
  t.match(await eventsOf(op.db, 'account.passwordChanged'), [
    { subject_id: account.id, data: { by: 'person' } },
  ]);
  t.equal(await signedIn(op, account), false, 'a sign-in checked against the old password is too late');
  t.equal(await signedIn(op, { id: account.id, epoch: 1 }), true);
  await t.rejects(setPassword(op, ABSENT, 'new', 'cli'), { code: 'account.notFound' });
});

t.test('A6: an upgraded hash never overwrites a changed password', async (t) => {
  const ops = await open(t, 2);
  const [op, elsewhere] = ops as [Op, Op];
  const account = await create(op, person('r@example.org'));
  t.equal(await rehash(op, account.id, HASH, 'upgraded'), true);
  t.equal(await rehash(op, account.id, HASH, 'late'), false);
  t.match(await find(op, account.id), { passwordHash: 'upgraded', epoch: 0 }, 'and nobody is signed out');
  for (let round = 0; round < 10; round++) {
    await setPassword(op, account.id, 'old', 'person');
    await Promise.all([
      setPassword(op, account.id, 'changed', 'person'),
      ...Array.from({ length: 5 }, () => rehash(elsewhere, account.id, 'old', 'upgraded')),
    ]);
    t.equal((await find(op, account.id))?.passwordHash, 'changed');
  }
});

t.test('A6: a disabled account ends everything, once, and comes back without it', async (t) => {
  const [op] = (await open(t)) as [Op];
  const account = await create(op, person('s@example.org'));
  const mine = await somethingOpen(op, account.id, 0);
  await disable(op, account.id);
  await disable(op, account.id);
  t.match(await find(op, account.id), { disabledAt: op.now, epoch: 1 });
  t.match(await stillOpen(op, mine), { session: false, granted: false });
  t.equal(await signedIn(op, { id: account.id, epoch: 1 }), false);
  t.equal((await eventsOf(op.db, 'account.disabled')).length, 1);
  await enable(op, account.id);
  await enable(op, account.id);
  t.match(await find(op, account.id), { disabledAt: null, epoch: 1 });
  t.match(await stillOpen(op, mine), { session: false, granted: false });
  t.equal((await eventsOf(op.db, 'account.enabled')).length, 1);
  await t.rejects(disable(op, ABSENT), { code: 'account.notFound' });
  await t.rejects(enable(op, ABSENT), { code: 'account.notFound' });
});

t.test('A6: one super administrator always remains, however many are disabled at once', async (t) => {
  const ops = await open(t, 2);
  const [op] = ops as [Op];
  const admins = await Promise.all(
    Array.from({ length: 10 }, (_, at) => create(op, person(`admin${at}@example.org`))),
  );
  for (const admin of admins) await grant(op, admin.id, 'super_admin');
  const other = await create(op, person('auditor@example.org'));
  await grant(op, other.id, 'auditor');
  await grant(op, other.id, 'auditor');
  t.same(await rolesOf(op, other.id), ['auditor']);
  t.equal((await eventsOf(op.db, 'role.granted')).length, 11, 'granting twice is one grant');

  const all = await outcomes(
    Array.from({ length: 50 }, (_, at) => disable(ops[at % 2] as Op, (admins[at % 10] as { id: string }).id)),
  );
  t.ok(all.includes('account.lastAdministrator'));
  const left = (await list(op, { search: 'admin', limit: 100 })).filter((one) => one.disabledAt === null);
  t.equal(left.length, 1);
  t.equal(await administratorExists(op), true);
  await disable(op, other.id);
});

t.test('A6: claims are the standard ones of the scopes, typed, and nothing else', async (t) => {
  const [op] = (await open(t)) as [Op];
  const { id } = await create(op, { ...person('Claims@Example.org'), name: 'Cla Ims', emailVerified: true });
  const stored = {
    given_name: 'Cla',
    locale: 'de-AT',
    zoneinfo: 7,
    website: '',
    phone_number: '+43 1',
    sub: 'forged',
    email_verified: false,
    role: 'super_admin',
    password_hash: 'x',
    address: { country: 'AT', planet: 'Earth' },
  };
  await op.db.$client`UPDATE accounts SET claims = ${JSON.stringify(stored)}::text::jsonb WHERE id = ${id}`;
  const account = await find(op, id);
  if (!account) throw new Error('the account is gone');
  t.strictSame(allClaimsOf(account), {
    sub: id,
    email: 'Claims@Example.org',
    email_verified: true,
    updated_at: Math.floor(op.now.getTime() / 1000),
    name: 'Cla Ims',
    given_name: 'Cla',
    locale: 'de-AT',
    phone_number: '+43 1',
    phone_number_verified: false,
    address: { country: 'AT' },
  });
  t.strictSame(claimsOf(account, ['openid', 'constructor', 'admin']), { sub: id });
  t.strictSame(claimsOf(account, ['openid', 'email']), {
    sub: id,
    email: 'Claims@Example.org',
    email_verified: true,
  });
  t.same(Object.keys(claimsOf(account, ['address', 'phone'])).sort(), [
    'address',
    'phone_number',
    'phone_number_verified',
    'sub',
  ]);
  const nameless = await create(op, person('n@example.org'));
  t.same(Object.keys(claimsOf(nameless, Object.keys(claimsByScope))).sort(), [
    'email',
    'email_verified',
    'sub',
    'updated_at',
  ]);
});

t.test('A6: a setup link works once, for its time, and says no on record', async (t) => {
  const [op] = (await open(t)) as [Op];
  const admin = { email: 'first@example.org', name: 'First', passwordHash: HASH };
  t.equal(await administratorExists(op), false);
  const { url, expiresAt } = await makeLink(op, { issuer: ISSUER, ttl: 3600 });
  t.match(url, /^http:\/\/localhost:3000\/setup\/[A-Za-z0-9_-]{43}$/);
  t.equal(expiresAt.getTime() - op.now.getTime(), 3_600_000);
  const token = url.split('/').at(-1) as string;
  const second = (await makeLink(op, { issuer: ISSUER, ttl: 3600 })).url.split('/').at(-1) as string;
  const stored = await op.db.$client`SELECT token_hash FROM setup_tokens`;
  t.notOk(JSON.stringify(stored).includes(token), 'only its hash is kept');

  t.equal(await tokenState(op, token), 'valid');
  t.equal(await tokenState(op, `${token}A`), 'invalid');
  t.equal(await tokenState({ ...op, now: expiresAt }, token), 'invalid');
  await t.rejects(completeSetup({ ...op, now: expiresAt }, { ...admin, token }), {
    code: 'setup.linkInvalid',
  });
  await t.rejects(completeSetup(op, { ...admin, token: '' }), { code: 'setup.linkInvalid' });
  t.equal((await eventsOf(op.db, 'setup.linkRefused')).length, 2, 'refusals are committed');
  t.equal((await list(op, { limit: 10 })).length, 0);

  await t.rejects(completeSetup(op, { ...admin, email: 'no address', token }), {
    code: 'account.emailInvalid',
  });
  t.equal(await tokenState(op, token), 'valid', 'a slip does not spend the link');
  const account = await completeSetup(op, { ...admin, token });
  t.same(await rolesOf(op, account.id), ['super_admin']);
  t.equal(await tokenState(op, second), 'done');
  await t.rejects(completeSetup(op, { ...admin, email: 'b@example.org', token: second }), {
    code: 'setup.done',
  });
  await t.rejects(completeSetup(op, { ...admin, email: 'b@example.org', token }), { code: 'setup.done' });
  await t.rejects(makeLink(op, { issuer: ISSUER, ttl: 3600 }), { code: 'setup.done' });
  t.match(await eventsOf(op.db, 'setup.completed'), [{ subject_id: account.id }]);
  t.match(await eventsOf(op.db, 'account.created'), [{ data: { by: 'setup' } }]);

  const [unused] = await op.db.$client<
    { n: number }[]
  >`SELECT count(*)::int AS n FROM setup_tokens WHERE used_at IS NULL`;
  t.equal(unused?.n, 0, 'other links are void');
});

t.test(
  'A6: of 50 uses of one setup link or of several, on two pools, one makes the administrator',
  async (t) => {
    for (const links of [1, 10]) {
      const ops = await open(t, 2);
      const [op] = ops as [Op];
      const tokens: string[] = [];
      for (let at = 0; at < links; at++) {
        tokens.push((await makeLink(op, { issuer: ISSUER, ttl: 60 })).url.split('/').at(-1) as string);
      }
      const all = await outcomes(
        Array.from({ length: 50 }, (_, at) =>
          completeSetup(ops[at % 2] as Op, {
            token: tokens[at % links] as string,
            email: `admin${at}@example.org`,
            name: null,
            passwordHash: HASH,
          }),
        ),
      );
      t.equal(all.filter((one) => typeof one !== 'string').length, 1, `${links} links`);
      t.equal(all.filter((one) => one === 'setup.done').length, 49);
      t.equal((await list(op, { limit: 100 })).length, 1, 'no half made account is left');
      t.equal((await eventsOf(op.db, 'setup.linkRefused')).length, 49);
    }
  },
);

t.test(
  'A6: replicas that start together bootstrap one administrator, under the password rules',
  async (t) => {
    const ops = await open(t, 2);
    const [op] = ops as [Op];
    const settings = Object.fromEntries(
      Object.entries(options.passwords).map(([name, option]) => [name, option.default]),
    ) as Config['passwords'];
    const passwords = createPasswords(
      { ...settings, hashMemory: 7168, hashPasses: 1 },
      { words: ['gatehouse'] },
    );
    const email = 'boss@example.org';
    const weak: [string, string][] = [
      ['short', 'password.tooShort'],
      ['password1234567', 'password.guessable'],
      ['boss@example.org', 'password.contextual'],
    ];
    for (const [password, code] of weak) {
      await t.rejects(bootstrapAdmin(op, passwords, { email, password }), { code });
    }
    const password = 'nine purple lanterns';
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        bootstrapAdmin(ops[at % 2] as Op, passwords, { email, password }),
      ),
    );
    const made = all.filter((one) => one !== null);
    t.equal(made.length, 1);
    const account = await findByEmail(op, email);
    t.equal((await passwords.verify(account?.passwordHash ?? null, password)).ok, true);
    t.same(await rolesOf(op, account?.id ?? ABSENT), ['super_admin']);
    t.equal(
      await bootstrapAdmin(op, passwords, { email: 'two@example.org', password: 'short' }),
      null,
      'no second one',
    );
  },
);
