// The limits on guessing, on a real database: counted before a password is looked at, shared by all replicas.
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import t, { type Test } from 'tap';
import { type Config, options } from '../config/options.ts';
import { closeDatabase, type Database, inTransaction } from '../drizzle/database.ts';
import { type Op, systemOp } from '../server/lib/op.ts';
import {
  createLockouts,
  purgeFailures,
  type Refusal,
  type Reservation,
} from '../server/lockouts/lockouts.ts';
import { freshDatabase, openPool } from './harness/database.ts';

const defaults = Object.fromEntries(
  Object.entries(options.lockouts).map(([name, option]) => [name, option.default]),
) as Config['lockouts'];
const lockouts = createLockouts(defaults);

async function open(t: Test, pools = 1): Promise<Op[]> {
  const { app } = await freshDatabase(t);
  return Array.from({ length: pools }, () => systemOp(openPool(t, app, 25), 'test'));
}

const after = (op: Op, seconds: number): Op => ({ ...op, now: new Date(op.now.getTime() + seconds * 1000) });
const attempt = (identifier: string, address = '203.0.113.7') => ({ identifier, address });
const isAllowed = (one: Reservation | Refusal): one is Reservation => one.allowed;

async function wrong(op: Op, identifier: string, address?: string): Promise<Reservation | Refusal> {
  const reservation = await lockouts.reserveSignIn(op, attempt(identifier, address));
  if (reservation.allowed) await lockouts.failed(op, reservation, null);
  return reservation;
}

const lockoutEvents = async (op: Op) => {
  const rows = await op.db.$client<{ data: string }[]>`
    SELECT data::text AS data FROM audit_events WHERE type = 'lockout.started' ORDER BY at, id`;
  return rows.map((row) => JSON.parse(row.data) as { by: string; seconds: number });
};
const counts = async (op: Op) =>
  op.db.$client<{ scope: string; count: number }[]>`SELECT scope, count FROM failures ORDER BY scope, count`;

t.test(
  'ATK-A100: after the limit the right password is not looked at either, until the time is over',
  async (t) => {
    const [op] = (await open(t)) as [Op];
    for (let at = 0; at < 5; at++) t.equal((await wrong(op, 'jane@example.org')).allowed, true);
    const refused = await lockouts.reserveSignIn(after(op, 10), attempt(' JANE@example.org'));
    t.same(refused, { allowed: false, by: 'account', retryAfter: 1790 });
    t.same(await lockoutEvents(op), [{ by: 'account', seconds: 1800 }], 'on record once');
    t.equal(
      (await lockouts.reserveSignIn(op, attempt('else@example.org'))).allowed,
      true,
      'others are not touched',
    );

    // A refused attempt neither counts nor prolongs.
    for (let at = 0; at < 20; at++) await wrong(after(op, 1700), 'jane@example.org');
    t.same(await lockouts.reserveSignIn(after(op, 1799), attempt('jane@example.org')), {
      allowed: false,
      by: 'account',
      retryAfter: 1,
    });
    const again = await lockouts.reserveSignIn(after(op, 1800), attempt('jane@example.org'));
    t.match(again, { allowed: true, reaches: [] }, 'ends by itself, and counts from one');
    t.match(await counts(op), [
      { scope: 'sign_in.account', count: 1 },
      { count: 1 },
      { scope: 'sign_in.address' },
    ]);
  },
);

t.test('A6: slow guessing adds up, a right password forgets', async (t) => {
  const [op] = (await open(t)) as [Op];
  for (let at = 0; at < 4; at++) await wrong(after(op, at * 1700), 'slow@example.org');
  const right = await lockouts.reserveSignIn(after(op, 5200), attempt('slow@example.org'));
  if (!isAllowed(right)) throw new Error('the fifth attempt was refused');
  t.same(right.reaches, ['account']);
  await lockouts.giveBack(op, right);
  t.same(await lockoutEvents(op), [], 'nothing was locked, so nothing is on record');
  for (let at = 0; at < 4; at++) t.equal((await wrong(after(op, 5300), 'slow@example.org')).allowed, true);

  const [address] = (await counts(op)).filter((row) => row.scope === 'sign_in.address');
  t.ok((address?.count ?? 0) > 0, 'somebody’s right password does not clear the network’s count');
});

t.test('A6: an undecided attempt can be taken back', async (t) => {
  const [op] = (await open(t)) as [Op];
  for (let at = 0; at < 20; at++) {
    const reservation = await lockouts.reserveSignIn(op, attempt('busy@example.org'));
    if (!isAllowed(reservation)) throw new Error(`refused at ${at}`);
    await lockouts.cancel(op, reservation);
  }
  t.match(await counts(op), [{ count: 0 }, { count: 0 }]);
});

t.test('ATK-A101: of 80 parallel guesses no more than the limit are evaluated', async (t) => {
  const ops = await open(t, 2);
  const [op] = ops as [Op];
  for (let round = 0; round < 5; round++) {
    const all = await Promise.all(
      Array.from({ length: 80 }, (_, at) =>
        lockouts.reserveSignIn(ops[at % 2] as Op, attempt(`race${round}@example.org`, `203.0.113.${at}`)),
      ),
    );
    const evaluated = all.filter(isAllowed);
    t.equal(evaluated.length, 5);
    await Promise.all(evaluated.map((one) => lockouts.failed(op, one, null)));
    for (const one of all) if (!one.allowed) t.ok(one.by === 'account' && one.retryAfter > 1700);
  }
  t.equal((await lockoutEvents(op)).length, 5, 'each lockout is on record once');
});

t.test(
  'ATK-A104: one network’s guesses over many accounts stop at its limit, also in parallel',
  async (t) => {
    const ops = await open(t, 2);
    const [op] = ops as [Op];
    const v4 = await Promise.all(
      Array.from({ length: 120 }, (_, at) => wrong(ops[at % 2] as Op, `user${at}@example.org`)),
    );
    t.equal(v4.filter(isAllowed).length, 50);
    t.match(
      v4.find((one) => !one.allowed),
      { by: 'address' },
    );
    const [refusedToo] = await op.db.$client<{ n: number }[]>`
    SELECT count(*)::int AS n FROM failures WHERE scope = 'sign_in.account' AND count > 0`;
    t.equal(refusedToo?.n, 50, 'a refused attempt leaves no mark on the account');
    t.same(await lockoutEvents(op), [{ by: 'address', seconds: 900 }]);

    const v6 = await Promise.all(
      Array.from({ length: 120 }, (_, at) =>
        wrong(op, `user6${at}@example.org`, `2001:db8:7:7::${at.toString(16)}`),
      ),
    );
    t.equal(v6.filter(isAllowed).length, 50, 'a /64 is one network');
    t.equal(
      (await wrong(op, 'user@example.org', '2001:db8:7:8::1')).allowed,
      true,
      'the next one is another',
    );
    t.equal((await wrong(after(op, 899), 'late@example.org')).allowed, false);
    t.equal((await wrong(after(op, 901), 'late@example.org')).allowed, true);
  },
);

t.test('ATK-A105: one account guessed from 200 addresses stops at its limit', async (t) => {
  const [op] = (await open(t)) as [Op];
  const all = await Promise.all(
    Array.from({ length: 200 }, (_, at) => wrong(op, 'victim@example.org', `198.51.${at}.1`)),
  );
  t.equal(all.filter(isAllowed).length, 5);
});

t.test('ATK-A094: names nobody has count and are refused like others, and are not kept', async (t) => {
  const [op] = (await open(t)) as [Op];
  for (let at = 0; at < 5; at++) await wrong(op, 'nobody-at-all');
  t.match(await lockouts.reserveSignIn(op, attempt('nobody-at-all')), {
    allowed: false,
    by: 'account',
    retryAfter: 1800,
  });
  const rows = await op.db.$client`SELECT * FROM failures`;
  t.notMatch(JSON.stringify(rows), /nobody|203\.0\.113/);
});

t.test('A6: failures cannot be counted where a rollback takes them back', async (t) => {
  const [op] = (await open(t)) as [Op];
  await t.rejects(
    inTransaction(op, (op) => lockouts.reserveSignIn(op, attempt('x'))),
    /outside any transaction/,
  );
  await t.rejects(
    inTransaction(op, (op) => lockouts.countClientAuthFailure(op, { clientId: 'x', address: '203.0.113.7' })),
    /outside any transaction/,
  );
});

t.test(
  'A6: right sign-ins in parallel from one network leave nothing behind and nobody waits for ever',
  async (t) => {
    const ops = await open(t, 2);
    const [op] = ops as [Op];
    const all = await Promise.all(
      Array.from({ length: 50 }, async (_, at) => {
        const own = ops[at % 2] as Op;
        const reservation = await lockouts.reserveSignIn(own, attempt(`user${at}@example.org`));
        if (!isAllowed(reservation)) return false;
        await lockouts.giveBack(own, reservation);
        return true;
      }),
    );
    t.notOk(all.includes(false));
    t.match(await counts(op), [{ scope: 'sign_in.address', count: 0 }]);
  },
);

t.test('ATK-A055: a guessed client is refused at that address only', async (t) => {
  const [op] = (await open(t)) as [Op];
  const evil = { clientId: 'app', address: '203.0.113.66' };
  for (let at = 0; at < 19; at++) await lockouts.countClientAuthFailure(op, evil);
  t.equal(await lockouts.clientAuthBlocked(op, evil), null);
  await lockouts.countClientAuthFailure(after(op, 30), evil);
  t.same(await lockouts.clientAuthBlocked(after(op, 30), evil), { retryAfter: 300 });
  t.equal(
    await lockouts.clientAuthBlocked(op, { ...evil, address: '203.0.113.67' }),
    null,
    'the honest client works',
  );
  t.equal(await lockouts.clientAuthBlocked(op, { ...evil, clientId: 'other' }), null);
  t.same(await lockoutEvents(op), [{ by: 'client', seconds: 300 }]);

  // Requests under way when the limit was reached still count, without prolonging it.
  await Promise.all(Array.from({ length: 30 }, () => lockouts.countClientAuthFailure(after(op, 60), evil)));
  t.same(await lockouts.clientAuthBlocked(after(op, 60), evil), { retryAfter: 270 });
  t.equal((await lockoutEvents(op)).length, 1);

  for (let at = 0; at < 50; at++) {
    await lockouts.countClientAuthFailure(op, { clientId: `app${at}`, address: evil.address });
  }
  t.match(await lockouts.clientAuthBlocked(op, { clientId: 'fresh', address: evil.address }), {
    retryAfter: 300,
  });
  t.equal(await lockouts.clientAuthBlocked(after(op, 301), { ...evil, clientId: 'fresh' }), null);
  t.same((await lockoutEvents(op)).map((one) => one.by).sort(), ['address', 'client']);
});

interface Replica {
  lockouts: ReturnType<typeof createLockouts>;
  /** What it is told of refusals on. */
  watched: Database;
  op(): Op;
  /** Its pool is closed: whoever asks the database gets nothing but an error. */
  mute(): Op;
}

const here = (clientId: string) => ({ clientId, address: '203.0.113.66' });
const blocked = ({ lockouts, op }: Replica, clientId: string) =>
  lockouts.clientAuthBlocked(op(), here(clientId));
const remembered = ({ lockouts, mute }: Replica, clientId: string) =>
  lockouts.clientAuthBlocked(mute(), here(clientId));

async function guess({ lockouts, op }: Replica, clientId: string): Promise<void> {
  for (let at = 0; at < 3; at++) await lockouts.countClientAuthFailure(op(), here(clientId));
}

/** Milliseconds until it is refused there. */
async function untilBlocked(replica: Replica, clientId: string): Promise<number> {
  const begun = performance.now();
  while ((await blocked(replica, clientId)) === null) {
    if (performance.now() - begun > 10_000) return Number.POSITIVE_INFINITY;
    await sleep(10);
  }
  return performance.now() - begun;
}

t.test('ATK-A055: a client refused on one replica is refused on all of them', async (t) => {
  const { app, superuser } = await freshDatabase(t);
  const closed = openPool(t, app, 1);
  await closeDatabase(closed);
  const replica = async (name: string): Promise<Replica> => {
    const [requests, watched] = [openPool(t, app, 4), openPool(t, app, 4)];
    const lockouts = createLockouts({ ...defaults, clientAuthAttempts: 3 });
    const watch = await lockouts.watch(watched, pino({ level: 'silent' }));
    t.teardown(() => watch.stop());
    const on = (db: Database) => () => systemOp(db, name);
    return { lockouts, watched, op: on(requests), mute: on(closed) };
  };
  const [one, two] = await Promise.all([replica('one'), replica('two')]);

  await t.test('nobody is refused, and the database is not asked', async (t) => {
    t.equal(await remembered(two, 'app'), null);
  });

  await t.test('told at once', async (t) => {
    await guess(one, 'app');
    t.match(await blocked(one, 'app'), { retryAfter: 300 }, 'here with the count that reached the limit');
    t.ok((await untilBlocked(two, 'app')) < 2000, 'there within two seconds');
    await sleep(500);
    for (const replica of [one, two]) {
      t.match(await remembered(replica, 'app'), { retryAfter: Number });
      t.equal(await remembered(replica, 'other'), null, 'another app at the same address');
    }
    const later = after(two.mute(), 301);
    t.equal(await two.lockouts.clientAuthBlocked(later, here('app')), null, 'until the time is over');
  });

  await t.test('what was not told is found at the next look', async (t) => {
    await one.lockouts.countClientAuthFailure(one.op(), here('silent'));
    await one.op().db.$client`UPDATE failures SET count = 3 WHERE scope = 'client_auth.client' AND count = 1`;
    t.ok((await untilBlocked(two, 'silent')) < 2500);
  });

  await t.test('with every listening connection cut', async (t) => {
    const admin = openPool(t, { ...superuser, database: app.database }, 1);
    const cut = await admin.$client`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = ${app.database} AND query ILIKE 'listen%'`;
    t.equal(cut.length, 2);
    await guess(one, 'cut');
    t.ok((await untilBlocked(two, 'cut')) < 2500);
  });

  await t.test('without any news: the database is asked at each request', async (t) => {
    await closeDatabase(two.watched);
    await guess(one, 'lost');
    t.ok((await untilBlocked(two, 'lost')) < 4500);
    await t.rejects(remembered(two, 'app'), 'memory says nothing any more');
    await guess(one, 'late');
    t.ok(await blocked(two, 'late'), 'so it is refused at once');
    t.equal(await blocked(two, 'other'), null);
  });
});

t.test('A6: counters whose time is over are removed in batches', async (t) => {
  const [op] = (await open(t)) as [Op];
  await Promise.all(
    Array.from({ length: 30 }, (_, at) => wrong(op, `gone${at}@example.org`, `198.51.100.${at}`)),
  );
  t.equal(await purgeFailures(op, 100), 0);
  t.equal(await purgeFailures(after(op, 901), 20), 20);
  t.equal(await purgeFailures(after(op, 901), 20), 10, 'the networks’');
  t.equal(await purgeFailures(after(op, 1801), 100), 30, 'the accounts’');
  t.same(await counts(op), []);
});
