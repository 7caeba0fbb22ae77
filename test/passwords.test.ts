// What may be a password, and how it is hashed: pure rules by table, hashes by both libraries.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { type Config, options } from '../config/options.ts';
import { Problem } from '../server/lib/problems.ts';
import { type Argon2, implementations, loadArgon2 } from '../server/passwords/argon2.ts';
import { isListed, PREFIX_BYTES } from '../server/passwords/breached.ts';
import { createPasswords } from '../server/passwords/passwords.ts';

const defaults = Object.fromEntries(
  Object.entries(options.passwords).map(([name, option]) => [name, option.default]),
) as Config['passwords'];
/** Real argon2id at the least cost the settings allow. */
const cheap: Config['passwords'] = { ...defaults, hashMemory: 7168, hashPasses: 1 };
const context = { words: ['Gatehouse', 'id.harbour.example'] };
const passwords = createPasswords(cheap, context);
const jane = { email: 'jane.doe@acme.example', name: 'Jane Müller', singleFactor: true };

const refusal = (password: string, about = jane) => {
  try {
    passwords.check(password, about);
    return null;
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
};

t.test('A5: lengths are characters, and the minimum depends on the factors', async (t) => {
  const noise = 'x7!Kq ü✓9zR#mW2p';
  t.equal(refusal(noise.slice(0, 15)), null);
  t.equal(refusal(noise.slice(0, 14))?.code, 'password.tooShort');
  t.match(refusal(noise.slice(0, 14))?.message, /at least 15 characters \(this one has 14\)/);
  t.equal(refusal(noise.slice(0, 8), { ...jane, singleFactor: false }), null);
  t.equal(refusal(noise.slice(0, 7), { ...jane, singleFactor: false })?.code, 'password.tooShort');
  t.equal(refusal('😀😂🤣😃😄😅😆😉')?.code, 'password.tooShort', '8 characters in 16 units');
  t.equal(
    refusal('e\u0301a\u0308o\u0302u\u0300i\u0303n\u0303c\u0327')?.code,
    'password.tooShort',
    'NFC first',
  );
});

t.test('ATK-A109: 15, 64 and 256 characters are taken, more is refused before any work', async (t) => {
  const long = Array.from({ length: 70 }, (_, at) => `${(at * 7919).toString(36)}~`).join('');
  for (const length of [15, 64, 256]) t.equal(refusal(long.slice(0, length)), null, `${length}`);
  t.equal(refusal('ü✓K9'.normalize('NFD').repeat(15).concat(long).slice(0, 256)), null, 'decomposed');
  t.test('by hash, verify and check alike', async (t) => {
    for (const length of [257, 65_536, 1_048_576]) {
      const password = long.repeat(Math.ceil(length / long.length)).slice(0, length);
      const start = performance.now();
      t.equal(refusal(password)?.code, 'password.tooLong');
      await t.rejects(passwords.hash(password), { code: 'password.tooLong' });
      await t.rejects(passwords.verify(null, password), { code: 'password.tooLong' });
      t.ok(performance.now() - start < 200, 'a tenth of that is usual');
    }
    t.equal(passwords.stats().done, 0, 'nothing was hashed');
  });
});

t.test('ATK-A110: control characters and half surrogates are refused, spaces are kept', async (t) => {
  for (const bad of ['\u0000', '\u0007', '\n', '\u007f', '\u0085', '\ud800', '\udc00']) {
    t.equal(refusal(`Kwq 72 purple${bad}lanterns`)?.code, 'password.forbiddenCharacter', escape(bad));
  }
  const spaced = ' lead and trail, 7 swans ';
  t.equal(refusal(spaced), null);
  const phc = await passwords.hash(spaced);
  t.equal((await passwords.verify(phc, spaced)).ok, true);
  t.equal((await passwords.verify(phc, spaced.trim())).ok, false);
  const halved = await passwords.hash('pass\u0000word');
  t.equal((await passwords.verify(halved, 'pass')).ok, false);
});

t.test('ATK-A108: nothing is cut off', async (t) => {
  const phc = await passwords.hash(`${'a'.repeat(72)}b`);
  t.equal((await passwords.verify(phc, `${'a'.repeat(72)}c`)).ok, false);
  t.equal((await passwords.verify(phc, 'a'.repeat(72))).ok, false);
  t.equal((await passwords.verify(phc, `${'a'.repeat(72)}b`)).ok, true);
  const full = `${'q'.repeat(255)}1`;
  t.equal((await passwords.verify(await passwords.hash(full), `${'q'.repeat(255)}2`)).ok, false);
});

t.test('ATK-A113: known, guessable and personal passwords are refused with a reason', async (t) => {
  const eight = { ...jane, singleFactor: false };
  const table: [password: string, code: string | null, about?: typeof jane][] = [
    ['password', 'password.breached', eight],
    ['iloveyou', 'password.breached', eight],
    ['SunShine', 'password.breached', eight],
    ['ｐａｓｓｗｏｒｄ', 'password.breached', eight],
    ['PasswordPassword', 'password.breached'],
    ['qwertyuiop12345', 'password.breached'],
    ['        ', 'password.guessable', eight],
    ['ññññññññññññññññ', 'password.guessable'],
    ['bcdefghijklmnopqr', 'password.guessable'],
    ['8901234567890123', 'password.guessable'],
    ['9876543210987654', 'password.guessable'],
    ['password1234567', 'password.guessable'],
    ['iloveyou1234567!', 'password.guessable'],
    ['football-baseball', 'password.guessable'],
    ['letmein letmein letmein', 'password.guessable'],
    ['xK9#xK9#xK9#xK9#', 'password.guessable'],
    ['Sunshine2026!', 'password.guessable', eight],
    ['jane.doe@acme.example', 'password.contextual'],
    ['janedoe-2026-xyz', 'password.contextual'],
    ['müller7rwq!pz93k', 'password.contextual'],
    ['Gatehouse-login-26', 'password.contextual'],
    ['my harbour pw 4711', 'password.contextual'],
    ['correct horse battery staple', null],
    ['correcthorsebatterystaple', null],
    ['jane walks 7 llamas through Ghent', null],
    ['пять лиловых чаек', null],
    ['x7!Kq9zR', null, eight],
  ];
  for (const [password, code, about] of table) {
    t.equal(refusal(password, about)?.code ?? null, code, password);
  }
  t.match(refusal('Gatehouse-login-26')?.message, /“gatehouse”.*at least 15 other characters/);
});

t.test('A5: the bundled list is sorted, whole, small, and rarely wrong', async (t) => {
  const file = readFileSync(new URL('../server/passwords/breached.bin', import.meta.url));
  t.ok(file.length < 500_000);
  t.ok(file.length / PREFIX_BYTES > 60_000);
  let sorted = true;
  for (let at = PREFIX_BYTES; at < file.length; at += PREFIX_BYTES) {
    if (file.compare(file, at - PREFIX_BYTES, at, at, at + PREFIX_BYTES) <= 0) sorted = false;
  }
  t.ok(sorted);
  for (const known of ['123456', 'password', 'dragon', '1qaz2wsx', 'dimazarya']) t.ok(isListed(known), known);
  // As long as a password that stands alone must be (ASVS 6.2.4).
  for (const long of ['momsanaladventure', 'polniypizdec0211', '12345678900987654321', 'qazwsxedcrfvtgb']) {
    t.ok(isListed(long), long);
  }
  let wrong = 0;
  for (let at = 0; at < 20_000; at++) if (isListed(`no such password ${at}`)) wrong++;
  t.equal(wrong, 0);
});

t.test('A5: any text is answered by acceptance or a password problem, never by a fault', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.boolean(), (password, singleFactor) => {
      const problem = refusal(password, { ...jane, singleFactor });
      return problem === null || problem.code.startsWith('password.');
    }),
    { numRuns: 300 },
  );
});

t.test('A6: both libraries write and read the same strings', async (t) => {
  const all: Argon2[] = implementations.map((name) => loadArgon2(name));
  const parameters = { memory: 7168, passes: 2, lanes: 1 };
  for (const writer of all) {
    const phc = await writer.hash('Zwölf Boxkämpfer', parameters);
    t.match(
      phc,
      /^\$argon2id\$v=19\$m=7168,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/,
      writer.implementation,
    );
    const other = phc.replace('t=2,p=1', 'p=1,t=2');
    for (const reader of all) {
      const pair = `${writer.implementation} read by ${reader.implementation}`;
      t.equal(await reader.verify(phc, 'Zwölf Boxkämpfer'), true, pair);
      t.equal(await reader.verify(other, 'Zwölf Boxkämpfer'), true, `${pair}, in the order m,p,t`);
      t.equal(await reader.verify(phc, 'Zwölf Boxkampfer'), false, pair);
    }
  }
});

t.test('A6: a password is the same in every Unicode form', async (t) => {
  const phc = await passwords.hash('Crème brûlée à la carte');
  t.equal((await passwords.verify(phc, 'Crème brûlée à la carte'.normalize('NFD'))).ok, true);
  t.equal((await passwords.verify(phc, 'Creme brulee a la carte')).ok, false);
});

t.test('A6: hashes under other parameters, or in another order, are outdated', async (t) => {
  const old = createPasswords({ ...cheap, hashPasses: 2 }, context);
  const phc = await old.hash('seven swans swim');
  t.same(await old.verify(phc, 'seven swans swim'), { ok: true, outdated: false });
  t.same(await passwords.verify(phc, 'seven swans swim'), { ok: true, outdated: true });
  t.same(await passwords.verify(phc, 'seven swans sink'), { ok: false, outdated: true });
  t.same(await old.verify(phc.replace('t=2,p=1', 'p=1,t=2'), 'seven swans swim'), {
    ok: true,
    outdated: true,
  });
});

t.test('ATK-A095: nobody’s password costs a hash with today’s parameters, and is never right', async (t) => {
  const seen: string[] = [];
  const real = loadArgon2();
  const watched = createPasswords(cheap, context, {
    ...real,
    verify: (phc, password) => {
      seen.push(phc);
      return real.verify(phc, password);
    },
  });
  for (const phc of [null, '', '$1$abcdefgh$ijklmnopqrstuv', '!']) {
    t.same(await watched.verify(phc, ''), { ok: false, outdated: false });
  }
  t.equal(seen.length, 4);
  for (const phc of seen)
    t.match(phc, /^\$argon2id\$v=19\$m=7168,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
});

t.test('ATK-A112: the queue is bounded, refuses at once and drains', async (t) => {
  const narrow = createPasswords({ ...defaults, hashConcurrency: 1, hashQueue: 4 }, context);
  const phc = await narrow.hash('x');
  let longest = 0;
  let last = performance.now();
  const tick = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  const outcomes = await Promise.all(
    Array.from({ length: 60 }, () =>
      narrow.verify(phc, 'x').then(
        ({ ok }) => (ok ? 'right' : 'wrong'),
        (error: unknown) => error,
      ),
    ),
  );
  clearInterval(tick);
  t.equal(outcomes.filter((one) => one === 'right').length, 5, 'one at work and four waiting');
  const refused = outcomes.filter((one) => one instanceof Problem);
  t.equal(refused.length, 55);
  for (const one of refused) {
    t.equal(one.code, 'server.busy');
    t.equal(one.status, 503);
    t.ok(one.retryAfter !== undefined && one.retryAfter >= 1);
  }
  t.match(narrow.stats(), { running: 0, waiting: 0, done: 6, refused: 55 });
  t.ok(longest < 500, 'the event loop went on');
  t.same(await narrow.verify(phc, 'x'), { ok: true, outdated: false }, 'and works again');
});

t.test('A6: a hash that fails frees its place', async (t) => {
  const narrow = createPasswords({ ...cheap, hashConcurrency: 1, hashQueue: 1 }, context);
  for (let at = 0; at < 3; at++) await t.rejects(narrow.verify('$argon2id$broken', 'x'));
  t.match(narrow.stats(), { running: 0, waiting: 0 });
  t.ok(await narrow.hash('x'));
});
