// Hashes of other systems: each of them signs its person in, over HTTP, and is replaced by ours.
import { hashSync } from 'bcrypt';
import t, { type Test } from 'tap';
import { type Config, options } from '../config/options.ts';
import { importAccounts } from '../server/accounts/import.ts';
import { Problem } from '../server/lib/problems.ts';
import { type Argon2, loadArgon2 } from '../server/passwords/argon2.ts';
import { createPasswords, readForeign } from '../server/passwords/passwords.ts';
import { authorizePath, pkce, type Running, startApp, type TestClient } from './harness/app.ts';
import type { Page } from './harness/browser.ts';
import { FOREIGN_PASSWORD, foreignHashes } from './harness/foreign-hashes.ts';

t.setTimeout(180_000);

const CHEAP = { ARGON2_MEMORY: '7168', ARGON2_PASSES: '1' };
const CURRENT = /^\$argon2id\$v=19\$m=7168,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/;
const defaults = Object.fromEntries(
  Object.entries(options.passwords).map(([name, option]) => [name, option.default]),
) as Config['passwords'];
const cheap: Config['passwords'] = { ...defaults, hashMemory: 7168, hashPasses: 1 };

/** One account by the import itself. */
async function imported({ op }: Running, email: string, hash: unknown): Promise<void> {
  const row = Buffer.from(JSON.stringify({ email, password_hash: hash }));
  const outcomes: unknown[] = [];
  const counts = await importAccounts(
    op(),
    (async function* () {
      yield row;
    })(),
    { format: 'ndjson', batch: 10, dryRun: false, report: (one) => outcomes.push(one) },
  );
  if (counts.created !== 1) throw new Error(JSON.stringify(outcomes));
}

/** The page that answers the password. */
async function signIn(running: Running, client: TestClient, email: string, password: string): Promise<Page> {
  const browser = running.visitor();
  const page = await browser.follow(await browser.get(authorizePath(client, pkce())));
  return browser.submit(page, /\/password$/, { email, password });
}

async function hashOf({ db }: Running, email: string): Promise<string> {
  const [row] = await db.$client<{ hash: string }[]>`
    SELECT password_hash AS hash FROM accounts WHERE email = ${email}`;
  return row?.hash ?? '';
}

async function start(t: Test, env: Record<string, string> = {}) {
  const running = await startApp(t, { ...CHEAP, ...env });
  return { running, client: await running.client({ firstParty: true }) };
}

t.test(
  'A6, D4: each foreign format signs in with its old password and is upgraded to argon2id',
  async (t) => {
    const { running, client } = await start(t);
    let rehashed = 0;
    for (const [at, { from, hash, password = FOREIGN_PASSWORD }] of foreignHashes.entries()) {
      const email = `number-${at}@example.org`;
      await imported(running, email, hash);
      const before = await hashOf(running, email);

      const wrong = await signIn(running, client, email, `${password}!`);
      t.equal(wrong.status, 401, `${from}: a wrong password is refused`);
      t.equal(await hashOf(running, email), before, 'and changes nothing');

      const right = await signIn(running, client, email, password);
      t.equal(right.status, 303, `${from}: the old password signs in`);
      const after = await hashOf(running, email);
      t.match(after, CURRENT, from);
      t.equal((await running.events('account.passwordRehashed')).length, ++rehashed);

      t.equal((await signIn(running, client, email, password)).status, 303, 'also under the new hash');
      t.equal(await hashOf(running, email), after, 'which is argon2id alone, and stays');
      t.equal((await running.events('account.passwordRehashed')).length, rehashed);
    }
    const refused = await running.events('signIn.failed');
    t.equal(refused.length, foreignHashes.length, 'each wrong one is on record');
    for (const { data } of refused) t.match(data, { reason: 'password' });
  },
);

t.test('A6, A11: wrong passwords against an imported hash count towards the lockout', async (t) => {
  const { running, client } = await start(t, { ACCOUNT_LOCKOUT_ATTEMPTS: '3' });
  await imported(running, 'ada@example.org', hashSync('old and short', 4));
  for (let at = 0; at < 3; at++) await signIn(running, client, 'ada@example.org', `wrong ${at}`);
  t.equal((await signIn(running, client, 'ada@example.org', 'old and short')).status, 401);
  t.equal((await running.events('lockout.started')).length, 1);
  t.match(await hashOf(running, 'ada@example.org'), /^\$2b\$04\$/);
});

t.test('A6, A5: an old password signs in although it would not be taken today', async (t) => {
  const { running, client } = await start(t);
  await imported(running, 'ada@example.org', hashSync('123456', 4));
  t.equal((await signIn(running, client, 'ada@example.org', '123456')).status, 303);
  t.match(await hashOf(running, 'ada@example.org'), CURRENT);
});

t.test('A6: parallel sign-ins of one imported account all succeed, and upgrade it once', async (t) => {
  const { running, client } = await start(t);
  for (let round = 0; round < 3; round++) {
    const email = `round-${round}@example.org`;
    await imported(running, email, hashSync(FOREIGN_PASSWORD, 6));
    const pages = await Promise.all(
      Array.from({ length: 5 }, () => signIn(running, client, email, FOREIGN_PASSWORD)),
    );
    t.same(
      pages.map(({ status }) => status),
      [303, 303, 303, 303, 303],
    );
    t.equal((await running.events('account.passwordRehashed')).length, round + 1);
    t.equal((await signIn(running, client, email, FOREIGN_PASSWORD)).status, 303);
  }
});

t.test(
  'A6, ATK-A112: dear foreign hashes go through the bounded queue; who got in is not refused for the upgrade',
  async (t) => {
    const { running, client } = await start(t, {
      HASH_CONCURRENCY: '1',
      HASH_QUEUE: '2',
      ACCOUNT_LOCKOUT_ATTEMPTS: '100',
    });
    await imported(running, 'ada@example.org', hashSync(FOREIGN_PASSWORD, 10));
    const pages = await Promise.all(
      Array.from({ length: 16 }, () => signIn(running, client, 'ada@example.org', FOREIGN_PASSWORD)),
    );
    const statuses = pages.map(({ status }) => status);
    t.same([...new Set(statuses)].sort(), [303, 503], 'in, or told to come again');
    const succeeded = await running.events('signIn.succeeded');
    t.equal(
      succeeded.length,
      statuses.filter((status) => status === 303).length,
      'nobody got in behind a 503',
    );
    t.equal((await signIn(running, client, 'ada@example.org', FOREIGN_PASSWORD)).status, 303);
    t.match(await hashOf(running, 'ada@example.org'), CURRENT, 'upgraded in the end');
    t.equal((await running.events('account.passwordRehashed')).length, 1);
  },
);

t.test('ATK-A108: what bcrypt cut off is kept from the first sign-in on', async (t) => {
  const { running, client } = await start(t);
  // Made by libxcrypt from 72 × a and a b.
  const hash = '$2b$04$TxnJqT.IdL4Q.5voqENOZuSsydQZyhVOAaakkasp2adraV1m0bmi6';
  const full = `${'a'.repeat(72)}b`;
  await imported(running, 'ada@example.org', hash);
  t.equal((await signIn(running, client, 'ada@example.org', 'a'.repeat(71))).status, 401);
  t.equal((await signIn(running, client, 'ada@example.org', full)).status, 303);
  t.match(await hashOf(running, 'ada@example.org'), CURRENT);
  for (const near of [`${'a'.repeat(72)}c`, 'a'.repeat(72), `${full}b`]) {
    t.equal((await signIn(running, client, 'ada@example.org', near)).status, 401, `not with ${near.length}`);
  }
  t.equal((await signIn(running, client, 'ada@example.org', full)).status, 303);
});

t.test('ATK-A108: a password that bcrypt only takes for another one is refused', async (t) => {
  const passwords = createPasswords(cheap, { words: [] });
  const hash = hashSync('a', 4);
  t.same(await passwords.verify(hash, 'a'), { ok: true, outdated: true });
  t.same(await passwords.verify(hash, 'a\0a'), { ok: false, outdated: true });
  t.same(await passwords.verify(hash, 'a\0'), { ok: false, outdated: true });
});

t.test('A6: foreign hashes take the password as it was typed, and the new one its normal form', async (t) => {
  const { running, client } = await start(t);
  const decomposed = 'Zwölf Boxkämpfer'.normalize('NFD');
  await imported(running, 'ada@example.org', hashSync(decomposed, 4));
  t.equal((await signIn(running, client, 'ada@example.org', decomposed)).status, 303);
  t.equal((await signIn(running, client, 'ada@example.org', decomposed.normalize('NFC'))).status, 303);
});

t.test('ATK-A095: a wrong password is never answered sooner than for a name nobody has', async (t) => {
  const seen: string[] = [];
  const real = loadArgon2();
  const watched: Argon2 = {
    ...real,
    verify: (phc, password) => {
      seen.push(phc);
      return real.verify(phc, password);
    },
  };
  const passwords = createPasswords(cheap, { words: [] }, watched);
  for (const { from, hash, password = FOREIGN_PASSWORD } of foreignHashes) {
    seen.length = 0;
    const stored = readForeign(hash);
    t.equal((await passwords.verify(stored, `${password}!`)).ok, false);
    t.match(seen.at(-1), CURRENT, `${from}: a hash of today beside`);
  }
});

t.test(
  'ATK-A112: a hash that would cost too much, or proves too little, is refused without being repeated',
  async (t) => {
    const tail = 'abcdefghijklmnopqrstuuPp7HPfoAs8I2dCQCQ/fW7zEJv8I8C8e';
    const [salt, hash] = ['c29tZXNhbHRzb21lc2FsdA', 'Q7wB3l2tS7wB3l2tS7wB3l2tS7wB3l2tS7wB3l2tS7w'];
    const table: [given: unknown, code: string][] = [
      [`$2b$17$${tail}`, 'password.hashTooCostly'],
      [`$2b$31$${tail}`, 'password.hashTooCostly'],
      [`$2b$03$${tail}`, 'password.hashMalformed'],
      [`$2x$10$${tail}`, 'password.hashUnknown'],
      [`$2b$10$${tail.slice(1)}`, 'password.hashMalformed'],
      [`$2b$10$${tail}\0`, 'password.hashMalformed'],
      [`$argon2id$v=19$m=1048576,t=1,p=1$${salt}$${hash}`, 'password.hashTooCostly'],
      [`$argon2id$v=19$m=262144,t=5,p=1$${salt}$${hash}`, 'password.hashTooCostly'],
      [`$argon2id$v=19$m=19456,t=99999999999,p=1$${salt}$${hash}`, 'password.hashTooCostly'],
      [`$argon2id$v=19$m=19456,t=2,p=17$${salt}$${hash}`, 'password.hashTooCostly'],
      [`$argon2id$v=19$m=19456,t=0,p=1$${salt}$${hash}`, 'password.hashMalformed'],
      [`$argon2id$v=18$m=19456,t=2,p=1$${salt}$${hash}`, 'password.hashMalformed'],
      [`$argon2id$v=19$m=19456,t=2,p=1,keyid=QQ$${salt}$${hash}`, 'password.hashMalformed'],
      ['$argon2id$broken', 'password.hashMalformed'],
      [`$argon2id$v=19$m=19456,t=2,p=1$${salt}$QQ`, 'password.hashMalformed'],
      [`$scrypt$ln=20,r=8,p=1$${salt}$${hash}`, 'password.hashTooCostly'],
      [`$scrypt$ln=99,r=8,p=1$${salt}$${hash}`, 'password.hashTooCostly'],
      [`$scrypt$ln=14,r=8,p=9999$${salt}$${hash}`, 'password.hashTooCostly'],
      [`$scrypt$ln=17,r=1,p=1$${salt}$${hash}`, 'password.hashMalformed'],
      [`$scrypt$ln=14,r=0,p=1$${salt}$${hash}`, 'password.hashMalformed'],
      ['scrypt$16383$salt$8$1$QUJDREVGR0hJSktMTU5PUA==', 'password.hashMalformed'],
      [`$pbkdf2-sha256$50000000$${salt}$${hash}`, 'password.hashTooCostly'],
      [`$pbkdf2-sha256$99999999999999999999$${salt}$${hash}`, 'password.hashMalformed'],
      [`$pbkdf2-sha256$29000$${salt}$QUJDRA`, 'password.hashMalformed'],
      [`$pbkdf2-sha256$29000$${salt}$${'QUJD'.repeat(40)}`, 'password.hashMalformed'],
      [`pbkdf2_sha256$0$salt$${hash}=`, 'password.hashMalformed'],
      [`pbkdf2_sha256$10$${'s'.repeat(300)}$${hash}=`, 'password.hashMalformed'],
      [`AQAAAAEAA9CQ${'A'.repeat(20)}`, 'password.hashMalformed'],
      [`AQAAAAk${'A'.repeat(57)}`, 'password.hashMalformed'],
      ['md5$salt$5f4dcc3b5aa765d61d8327deb882cf99', 'password.hashUnknown'],
      ['5f4dcc3b5aa765d61d8327deb882cf99', 'password.hashUnknown'],
      ['', 'password.hashUnknown'],
      [42, 'password.hashUnknown'],
      [null, 'password.hashUnknown'],
      [{}, 'password.hashUnknown'],
      [[], 'password.hashUnknown'],
      [{ credentialData: 'no JSON', secretData: '{}' }, 'password.hashMalformed'],
      [{ credentialData: '{"algorithm":"constructor"}', secretData: '{}' }, 'password.hashUnknown'],
      [{ credentialData: '{"algorithm":"argon2"}', secretData: '{}' }, 'password.hashMalformed'],
      [{ base64_signer_key: 'QQ==', passwordHash: 'QQ==', salt: 'QQ==' }, 'password.hashMalformed'],
    ];
    for (const [given, code] of table) {
      const name = JSON.stringify(given).slice(0, 60);
      try {
        readForeign(given);
        t.fail(`${name} is taken`);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        t.equal(error.code, code, name);
        t.notMatch(error.message, /c29tZXNhbHR|Q7wB3l2t|abcdefghij|5f4dcc3b/, 'and not repeated');
      }
    }
  },
);
