// Signing keys on a real database, as the role that owns no table. Times are data where the rule is asked
// (`op.now`), real seconds where replicas watch.
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { Config } from '../config/options.ts';
import type { Database } from '../drizzle/database.ts';
import { createKeys, type KeySet, type Keys, thumbprint } from '../server/keys/keys.ts';
import { createLog } from '../server/lib/log.ts';
import { type Op, systemOp } from '../server/lib/op.ts';
import { createKeyRing } from '../server/lib/seal.ts';
import { freshDatabase, openPool } from './harness/database.ts';
import { newKey } from './harness/server.ts';

t.setTimeout(180_000);

const DAY = 86_400;
const standard: Config['keys'] = {
  rotateEvery: 90 * DAY,
  publishAhead: DAY,
  keepAfter: DAY,
  refreshEvery: 5,
};
const quick: Config['keys'] = { rotateEvery: 1, publishAhead: 1, keepAfter: 2, refreshEvery: 1 };
const log = createLog({ level: 'silent', format: 'json' });

type Replica = { db: Database; keys: Keys };

async function replicas(t: Test, settings: Config['keys'], count = 1): Promise<Replica[]> {
  const database = await freshDatabase(t);
  const ring = createKeyRing([newKey()]);
  return Array.from({ length: count }, () => ({
    db: openPool(t, database.app, 4),
    keys: createKeys(settings, { ring, log }),
  }));
}

async function one(t: Test, settings: Config['keys']): Promise<Replica> {
  const [replica] = await replicas(t, settings);
  if (!replica) throw new Error('no replica');
  return replica;
}

const at = (db: Database, now: Date): Op => ({ ...systemOp(db, 'test'), now });
const later = (from: Date, seconds: number) => new Date(from.getTime() + seconds * 1000);
const kids = (set: KeySet) => set.jwks.keys.map((key) => String(key.kid));

/** The key the provider library signs with: the first of the alg. */
function signing(set: KeySet, alg: string): string {
  return String(set.jwks.keys.find((key) => key.alg === alg)?.kid);
}

async function until(what: string, holds: () => boolean | Promise<boolean>, seconds = 10): Promise<void> {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(20)) if (await holds()) return;
  throw new Error(`not within ${seconds} s: ${what}`);
}

const auditTypes = async (db: Database) =>
  (
    await db.$client<
      { type: string; kid: string; reason: string | null }[]
    >`SELECT type, data->>'kid' AS kid, data->>'reason' AS reason FROM audit_events ORDER BY at, id`
  ).map((row) => ({ ...row }));

t.test('P8: two replicas that start together on an empty database make one set of keys', async (t) => {
  const [a, b] = await replicas(t, standard, 2);
  if (!a || !b) throw new Error('no replicas');
  await Promise.all([a, a, b, b].map(({ db, keys }) => keys.ensure(systemOp(db, 'test'))));
  const first = await a.keys.current(systemOp(a.db, 'test'));
  t.same(
    first.jwks.keys.map((key) => key.alg),
    ['RS256', 'ES256', 'EdDSA'],
  );
  t.same(first, await b.keys.current(systemOp(b.db, 'test')));
  t.same(
    (await a.keys.list(systemOp(a.db, 'test'))).map(({ state }) => state),
    ['active', 'active', 'active'],
    'the very first keys sign at once',
  );
  t.equal((await auditTypes(a.db)).filter(({ type }) => type === 'key.published').length, 3);

  const behind = await a.keys.current(at(a.db, later(new Date(), -60)));
  t.same(kids(behind), kids(first), 'a replica whose clock is a minute behind can sign too');
});

t.test('ATK-A065: the published set is clean, private parts are sealed', async (t) => {
  const { db, keys } = await one(t, standard);
  const now = new Date();
  await keys.ensure(at(db, now));
  await keys.ensure(at(db, later(now, 89 * DAY)));
  const set = await keys.current(at(db, later(now, 89 * DAY)));
  t.equal(set.jwks.keys.length, 6, 'the next key of each alg is published beside the signing one');
  t.equal(new Set(kids(set)).size, 6, 'unique kid');
  for (const key of set.jwks.keys) {
    t.equal(key.use, 'sig');
    t.match(key.alg, /^(RS256|ES256|EdDSA)$/);
    const usable = createPrivateKey({ key: key as never, format: 'jwk' });
    const publicKey = createPublicKey(usable);
    t.equal(key.kid, thumbprint(publicKey.export({ format: 'jwk' })), 'kid is the RFC 7638 thumbprint');
    if (key.alg === 'RS256') t.equal(usable.asymmetricKeyDetails?.modulusLength, 3072);
    const digest = key.alg === 'EdDSA' ? null : 'sha256';
    t.ok(verify(digest, Buffer.from('x'), publicKey, sign(digest, Buffer.from('x'), usable)));
  }
  const rows = await db.$client<{ kid: string; publicJwk: string; sealed: Buffer }[]>`
    SELECT kid, public_jwk::text AS "publicJwk", private_sealed AS sealed FROM signing_keys`;
  for (const row of rows) {
    const published = JSON.parse(row.publicJwk);
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']) t.notOk(member in published);
    t.same([published.use, published.kid], ['sig', row.kid]);
    const own = set.jwks.keys.find((key) => key.kid === row.kid);
    t.notOk(row.sealed.includes(String(own?.d)), 'the private part is not in the row in clear');
    t.notOk(row.sealed.includes('"kty"'));
  }
});

t.test('P8: RFC 7638 thumbprint of the example in the RFC', async (t) => {
  const n =
    '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw';
  t.equal(
    thumbprint({ kty: 'RSA', n, e: 'AQAB', alg: 'RS256', kid: '2011-04-29' }),
    'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs',
  );
});

t.test(
  'P8: the schedule publishes, activates, retires and removes; nothing signs before its time',
  async (t) => {
    const { db, keys } = await one(t, standard);
    const start = new Date();
    await keys.ensure(at(db, start));
    const first = signing(await keys.current(at(db, start)), 'ES256');

    await keys.ensure(at(db, later(start, 88 * DAY)));
    t.equal((await keys.list(at(db, start))).length, 3, 'not due yet');

    const due = later(start, 89 * DAY);
    await keys.ensure(at(db, due));
    await keys.ensure(at(db, due));
    const listed = await keys.list(at(db, due));
    t.equal(listed.length, 6, 'one successor per alg, however often it is asked');
    const next = listed.find((key) => key.alg === 'ES256' && key.state === 'next');
    t.equal(Number(next?.activatesAt), Number(later(start, 90 * DAY)));

    for (const [moment, expected] of [
      [due, first],
      [later(start, 90 * DAY - 0.001), first],
      [later(start, 90 * DAY), next?.kid],
    ] as const) {
      const set = await keys.current(at(db, moment));
      t.equal(signing(set, 'ES256'), expected);
      t.ok(kids(set).includes(first) && kids(set).includes(String(next?.kid)), 'both are published');
    }
    t.equal(Number((await keys.current(at(db, due))).changesAt), Number(next?.activatesAt));

    const beforeEnd = await keys.current(at(db, later(start, 91 * DAY - 0.001)));
    t.ok(kids(beforeEnd).includes(first), 'kept for as long as its tokens may live');
    const end = later(start, 91 * DAY);
    const after = await keys.current(at(db, end));
    t.notOk(kids(after).includes(first));
    t.not(after.version, beforeEnd.version);
    await keys.ensure(at(db, end));
    await keys.ensure(at(db, end));
    const [row] = await db.$client<{ length: number }[]>`
    SELECT octet_length(private_sealed) AS length FROM signing_keys WHERE kid = ${first}`;
    t.equal(row?.length, 0, 'the private part is destroyed');
    const removed = (await auditTypes(db)).filter(({ type, kid }) => type === 'key.removed' && kid === first);
    t.same(removed, [{ type: 'key.removed', kid: first, reason: 'replaced' }], 'recorded once');
    t.equal((await keys.list(at(db, end))).find(({ kid }) => kid === first)?.state, 'removed');
  },
);

t.test('P8: a short interval does not pile up keys that wait', async (t) => {
  const { db, keys } = await one(t, { ...standard, rotateEvery: 60 });
  const start = new Date();
  for (let minute = 0; minute < 10; minute++) await keys.ensure(at(db, later(start, minute * 60)));
  t.equal((await keys.list(at(db, later(start, 600)))).length, 6);
});

t.test('P8: rotation by command', async (t) => {
  const { db, keys } = await one(t, standard);
  const start = new Date();
  await keys.ensure(at(db, start));
  const old = await keys.current(at(db, start));

  const planned = await keys.rotate(at(db, start), { alg: 'RS256' });
  t.equal(planned.length, 1);
  t.equal(Number(planned[0]?.activatesAt), Number(later(start, DAY)), 'published ahead');
  t.same(await keys.rotate(at(db, start), { alg: 'RS256' }), planned, 'a second order changes nothing');

  const soon = later(start, 100);
  const [hastened] = await keys.rotate(at(db, soon), { alg: 'RS256', now: true });
  t.equal(hastened?.kid, planned[0]?.kid, 'the published one is activated, not another one made');
  t.equal(Number(hastened?.activatesAt), Number(soon), 'every replica has had it for long enough');
  t.equal(signing(await keys.current(at(db, soon)), 'RS256'), hastened?.kid);

  const [fresh] = await keys.rotate(at(db, soon), { alg: 'ES256', now: true });
  t.equal(Number(fresh?.activatesAt), Number(later(soon, 15)), 'three refreshes of every replica, no less');
  t.equal(signing(await keys.current(at(db, later(soon, 14))), 'ES256'), signing(old, 'ES256'));
  t.equal(signing(await keys.current(at(db, later(soon, 15))), 'ES256'), fresh?.kid);
  t.ok(kids(await keys.current(at(db, later(soon, 15)))).includes(signing(old, 'ES256')), 'still verifiable');
});

t.test('P8: a compromised key leaves in the moment its successor signs', async (t) => {
  const { db, keys } = await one(t, standard);
  const start = new Date();
  await keys.ensure(at(db, start));
  await keys.rotate(at(db, start), { alg: 'ES256' });
  const before = await keys.list(at(db, start));
  const [fresh] = await keys.rotate(at(db, start), { alg: 'ES256', compromised: true });
  const moment = later(start, 15);
  const during = await keys.current(at(db, later(start, 14.9)));
  t.not(signing(during, 'ES256'), fresh?.kid);
  t.ok(kids(during).includes(String(fresh?.kid)));
  const after = await keys.current(at(db, moment));
  t.same(
    after.jwks.keys.filter(({ alg }) => alg === 'ES256').map(({ kid }) => kid),
    [fresh?.kid],
    'the active and the waiting one are gone',
  );
  t.equal(after.jwks.keys.length, 3, 'other algorithms are untouched');
  await keys.ensure(at(db, moment));
  const removed = (await auditTypes(db)).filter(({ type }) => type === 'key.removed');
  t.same(
    removed.map(({ kid, reason }) => [kid, reason]).sort(),
    before
      .filter(({ alg }) => alg === 'ES256')
      .map(({ kid }) => [kid, 'compromised'])
      .sort(),
    'each recorded once, with the reason',
  );
});

t.test('P8: 20 orders to rotate at once on two replicas leave one successor per alg', async (t) => {
  const [a, b] = await replicas(t, standard, 2);
  if (!a || !b) throw new Error('no replicas');
  await a.keys.ensure(systemOp(a.db, 'test'));
  const orders = Array.from({ length: 20 }, (_, i) => (i % 2 ? a : b));
  await Promise.all(
    orders.map(({ db, keys }, i) =>
      i % 4 < 2 ? keys.rotate(systemOp(db, 'test'), { alg: 'EdDSA' }) : keys.ensure(systemOp(db, 'test')),
    ),
  );
  const listed = (await a.keys.list(systemOp(a.db, 'test'))).filter(({ alg }) => alg === 'EdDSA');
  t.same(listed.map(({ state }) => state).sort(), ['active', 'next']);
});

t.test('P8: replicas take over new keys at once, by the clock, and after a lost connection', async (t) => {
  const database = await freshDatabase(t);
  const ring = createKeyRing([newKey()]);
  const superuser = openPool(t, { ...database.superuser, database: 'postgres' }, 2);
  const settings = { ...quick, rotateEvery: DAY, refreshEvery: 2 };
  const [a, b] = [0, 1].map(() => ({
    db: openPool(t, database.app, 4),
    keys: createKeys(settings, { ring, log }),
  }));
  if (!a || !b) throw new Error('no replicas');
  await a.keys.ensure(systemOp(a.db, 'test'));
  const seen: { set: KeySet; at: number }[] = [];
  const watching = await b.keys.watch(b.db, (set) => {
    seen.push({ set, at: Date.now() });
  });
  t.teardown(() => watching.stop());
  t.equal(seen.length, 1, 'the set there is, before watch resolves');
  const has = (kid: string) => kids(seen.at(-1)?.set as KeySet).includes(kid);
  const signs = (kid: string) => signing(seen.at(-1)?.set as KeySet, 'ES256') === kid;

  const [first] = await a.keys.rotate(systemOp(a.db, 'test'), { alg: 'ES256', now: true });
  if (!first) throw new Error('no key');
  await until('told by NOTIFY', () => has(first.kid), 1);
  t.notOk(signs(first.kid), 'published, not signing');
  await until('active by the clock', () => signs(first.kid), 8);
  t.ok(Number(seen.at(-1)?.at) >= first.activatesAt.getTime(), 'not a millisecond early');
  t.ok(Number(seen.at(-1)?.at) < first.activatesAt.getTime() + 1000);

  const cut = () => superuser.$client`
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = ${database.name} AND pid <> pg_backend_pid()`;
  const rotateUntilItWorks = async () => {
    for (;;) {
      try {
        const [key] = await a.keys.rotate(systemOp(a.db, 'test'), { alg: 'ES256', now: true });
        if (key) return key;
      } catch {
        await sleep(100);
      }
    }
  };
  await cut();
  const second = await rotateUntilItWorks();
  await until('found after a cut connection', () => has(second.kid), 5);

  // The database is away altogether: the known keys go by the clock, the watch goes on afterwards.
  await superuser.$client.unsafe(`ALTER DATABASE ${database.name} ALLOW_CONNECTIONS false`);
  await cut();
  await until('active without a database', () => signs(second.kid), 10);
  t.notOk(await a.keys.list(systemOp(a.db, 'test')).then(Boolean, () => false), 'it was away');
  await superuser.$client.unsafe(`ALTER DATABASE ${database.name} ALLOW_CONNECTIONS true`);
  const third = await rotateUntilItWorks();
  await until('found when it is back', () => has(third.kid), 10);
});

t.test('P8: rotation every second on two replicas: what one signs the other can verify', async (t) => {
  const [a, b] = await replicas(t, quick, 2);
  if (!a || !b) throw new Error('no replicas');
  await Promise.all([a, b].map(({ db, keys }) => keys.ensure(systemOp(db, 'test'))));
  const sets = new Map<Replica, KeySet>();
  for (const replica of [a, b]) {
    const watching = await replica.keys.watch(replica.db, (set) => void sets.set(replica, set));
    t.teardown(() => watching.stop());
  }
  const signers = new Set<string>();
  let misses = 0;
  for (const end = Date.now() + 12_000; Date.now() < end; await sleep(50)) {
    const by = Math.random() < 0.5 ? a : b;
    await by.keys.ensure(systemOp(by.db, 'test'));
    for (const [own, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const kid = signing(sets.get(own) as KeySet, 'ES256');
      signers.add(kid);
      if (!kids(sets.get(other) as KeySet).includes(kid)) misses++;
    }
  }
  t.equal(misses, 0);
  t.ok(signers.size >= 3, `${signers.size} keys signed`);
});
