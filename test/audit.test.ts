// The trail: written with its act, provable, and able to forget a person.
import t from 'tap';
import { closeDatabase, inTransaction, openDatabase } from '../drizzle/database.ts';
import { commitment, entry, write } from '../server/audit/audit.ts';
import { events } from '../server/audit/events.ts';
import { partitionsAhead } from '../server/audit/jobs.ts';
import { type Op, systemOp } from '../server/lib/op.ts';
import { freshDatabase } from './harness/database.ts';

t.setTimeout(120_000);

t.test('D9', async (t) => {
  const database = await freshDatabase(t);
  const settings = { poolSize: 3, statementTimeout: 10, lockTimeout: 5 };
  const db = openDatabase(database.app, settings);
  const owner = openDatabase(database.owner, settings);
  t.teardown(() => Promise.all([closeDatabase(db), closeDatabase(owner)]));
  const subject = '01890000-0000-7000-8000-000000000001';
  const op = (): Op => ({
    ...systemOp(db, 'test'),
    by: {
      kind: 'account',
      id: subject,
      request: { id: 'request-1', address: '2001:db8::1', userAgent: 'Browser/1' },
    },
  });

  await t.test(
    'D9: an event and its personal side row, tied by a commitment that can be rebuilt',
    async (t) => {
      const strange = 'a"b\\c \u{1F600} \u2028 </script>';
      await write(op(), [
        entry('signIn.failed', { subject }, { reason: 'password' }, { identifier: strange }),
        entry(
          'token.issued',
          { subject, client: 'c', session: 's', grant: 'g' },
          { grantType: 'x', scope: 'openid', refreshToken: true },
        ),
      ]);
      const rows = await db.$client`
      SELECT e.type, e.severity, e.actor_kind, e.actor_id, e.request_id, e.data, e.client_id, e.session_uid, e.grant_id,
             e.personal_commitment, p.salt, host(p.address) AS address, p.device, p.data AS personal, p.subject_id
      FROM audit_events e JOIN audit_personal p ON p.event_id = e.id AND p.at = e.at ORDER BY e.id`;
      t.equal(rows.length, 2);
      t.match(rows[0], {
        type: 'signIn.failed',
        severity: events['signIn.failed'].severity,
        actor_kind: 'account',
        actor_id: subject,
        request_id: 'request-1',
        data: { reason: 'password' },
        personal: { identifier: strange },
        address: '2001:db8::1',
        device: 'Browser/1',
        subject_id: subject,
      });
      t.match(rows[1], { client_id: 'c', session_uid: 's', grant_id: 'g', data: { refreshToken: true } });
      for (const row of rows) {
        const rebuilt = commitment(row.salt, row.address, row.device, row.personal);
        t.ok(rebuilt.equals(row.personal_commitment), row.type);
        const altered = commitment(row.salt, row.address, row.device, { ...row.personal, identifier: 'x' });
        t.notOk(altered.equals(row.personal_commitment));
      }
      t.notMatch(
        JSON.stringify(rows.map(({ data }) => data)),
        /2001:db8|Browser|script/,
        'nothing personal in the event itself',
      );
    },
  );

  await t.test('D9: many events at once, with and without a personal part', async (t) => {
    const by = { kind: 'system' as const, id: 'test many' };
    for (const count of [3, 9, 2500]) {
      const first = new Date();
      const entries = Array.from({ length: count }, (_, at) =>
        at % 3 === 1
          ? entry('signIn.failed', {}, { reason: 'password' }, { identifier: `person ${at}` })
          : entry('key.removed', {}, { kid: `${at}`, alg: 'ES256', reason: 'replaced' }),
      );
      await write({ ...op(), by, now: first }, entries);
      const rows = await db.$client`
        SELECT e.type, e.data, e.personal_commitment, p.salt, p.address, p.device, p.data AS personal
        FROM audit_events e LEFT JOIN audit_personal p ON p.event_id = e.id AND p.at = e.at
        WHERE e.actor_id = ${by.id} AND e.at = ${first.toISOString()}::timestamptz ORDER BY e.id`;
      const wrong = rows.flatMap((row, at) => {
        if (at % 3 !== 1) return row.data.kid === `${at}` && row.personal_commitment === null ? [] : [at];
        const rebuilt = commitment(row.salt, row.address, row.device, row.personal);
        const tied = rebuilt.equals(row.personal_commitment);
        return tied && row.personal.identifier === `person ${at}` ? [] : [at];
      });
      t.same([rows.length, wrong], [count, []], `${count} in their order, each with what belongs to it`);
    }
    await t.rejects(
      write({ ...op(), by: { ...by, id: 'test halves' } }, [
        ...Array.from({ length: 1500 }, () => entry('consent.refused', { subject }, {})),
        entry('consent.refused', { subject: 'no uuid' }, {}),
      ]),
    );
    t.same(
      [...(await db.$client`SELECT 1 FROM audit_events WHERE actor_id = 'test halves'`)],
      [],
      'all or none',
    );
  });

  await t.test(
    'D9: an act that is rolled back leaves no record, and a record that fails takes its act with it',
    async (t) => {
      const count = async () =>
        (await db.$client`SELECT count(*)::int AS n FROM audit_events`)[0]?.n as number;
      const before = await count();
      await t.rejects(
        inTransaction(op(), async (op) => {
          await write(op, [entry('consent.refused', { subject }, {})]);
          throw new Error('undone');
        }),
      );
      t.equal(await count(), before);
      await t.rejects(
        inTransaction(op(), async (op) => {
          await op.db.$client`INSERT INTO canaries (name, sealed) VALUES ('act', '')`;
          await write(op, [entry('consent.refused', { subject: 'no uuid' }, {})]);
        }),
      );
      t.same([...(await db.$client`SELECT 1 FROM canaries WHERE name = 'act'`)], []);
    },
  );

  await t.test(
    'ATK-A195: the server’s role adds and reads, and changes nothing; nor does the owner by mistake',
    async (t) => {
      for (const table of ['audit_events', 'audit_personal']) {
        await t.rejects(db.$client.unsafe(`UPDATE ${table} SET data = '{}'`), { code: '42501' }, table);
        await t.rejects(db.$client.unsafe(`DELETE FROM ${table}`), { code: '42501' }, table);
        await t.rejects(db.$client.unsafe(`TRUNCATE ${table}`), { code: '42501' }, table);
      }
      await t.rejects(owner.$client.unsafe(`UPDATE audit_events SET data = '{}'`), { code: '42501' });
      await t.rejects(owner.$client.unsafe('DELETE FROM audit_events'), { code: '42501' });
      await t.rejects(owner.$client.unsafe('TRUNCATE audit_events'), { code: '42501' });
    },
  );

  await t.test('X2: a person can be forgotten and the event stays as it was', async (t) => {
    const before = await db.$client`SELECT * FROM audit_events ORDER BY id`;
    await owner.$client`DELETE FROM audit_personal WHERE subject_id = ${subject}`;
    t.same([...(await db.$client`SELECT * FROM audit_events ORDER BY id`)], [...before]);
  });

  await t.test('D9: months ahead have their partitions, asked for twice or at once', async (t) => {
    await Promise.all([partitionsAhead(op()), partitionsAhead(op())]);
    const partitions =
      await db.$client`SELECT relname FROM pg_class WHERE relispartition AND relname ~ '^audit_(events|personal)_\\d'`;
    t.ok(partitions.length >= 8);
    const [strays] = await owner.$client`SELECT count(*)::int AS n FROM audit_events_default`;
    t.equal(strays?.n, 0, 'today’s events are in their month');
  });
});
