// What the migrations make: the same whoever comes first, the rights of the application's role, and a privacy
// class for every column there is (O1, D9).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import tap from 'tap';
import { migrate, schemaCurrent } from '../drizzle/migrate.ts';
import { orm, pg } from '../drizzle/orm.ts';
import { allPrivacy } from '../drizzle/schema/index.ts';
import { emptyDatabase, freshDatabase, openPool } from './harness/database.ts';

tap.test('O1: two processes that migrate an empty database at the same moment both succeed', async (t) => {
  const database = await emptyDatabase(t);
  const module = new URL('../drizzle/migrate.ts', import.meta.url).href;
  const script = `
    const { migrate } = await import(${JSON.stringify(module)});
    const [owner, role] = JSON.parse(process.env.MIGRATE);
    console.log(JSON.stringify(await migrate(owner, role)));`;
  const outcomes = await Promise.all(
    [1, 2].map(async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        cwd: fileURLToPath(new URL('..', import.meta.url)),
        env: { MIGRATE: JSON.stringify([database.owner, database.app.user]) },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let said = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          said += text;
        });
      }
      const [code] = (await once(child, 'close')) as [number];
      t.equal(code, 0, said);
      return (JSON.parse(said) as { applied: number }).applied;
    }),
  );
  const app = openPool(t, database.app, 2);
  const [row] = await app.$client<{ count: number }[]>`
    SELECT count(*)::int AS count FROM drizzle.__drizzle_migrations`;
  t.ok(row && row.count > 0);
  t.same(outcomes.toSorted(), [0, row?.count].toSorted(), 'one applied all, the other none');
  t.equal(await schemaCurrent(app), true);
  t.same(await migrate(database.owner, database.app.user), { applied: 0 }, 'and a third finds nothing to do');
});

tap.test('O1: an unmigrated database is not current, one migrated by newer code is refused', async (t) => {
  const empty = await emptyDatabase(t);
  t.equal(await schemaCurrent(openPool(t, empty.owner, 1)), false);

  const database = await freshDatabase(t);
  const owner = openPool(t, database.owner, 1);
  await owner.$client`INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('later', 4102444800000)`;
  await t.rejects(migrate(database.owner, database.app.user), {
    message: /newer Gatehouse \(2100-01-01.*Start the newer version, or restore the backup/,
  });
  t.equal(await schemaCurrent(owner), true, 'an old replica stays ready while it is replaced');
});

tap.test('D9: the application adds to the audit trail and changes nothing in it', async (t) => {
  const database = await freshDatabase(t);
  const owner = openPool(t, database.owner, 1).$client;
  const app = openPool(t, database.app, 1).$client;
  const insert = async (at: string) => {
    await app`INSERT INTO audit_events (id, at, type, severity, actor_kind, data)
              VALUES (gen_random_uuid(), ${at}::timestamptz, 'test.happened', 'info', 'system', '{}'::jsonb)`;
    await app`INSERT INTO audit_personal (event_id, at, salt, data)
              VALUES (gen_random_uuid(), ${at}::timestamptz, '\\x00'::bytea, '{}'::jsonb)`;
  };
  await insert(new Date().toISOString());
  await insert('2001-02-03T00:00:00Z');
  await insert('2999-02-03T00:00:00Z');
  t.match(
    await app`SELECT count(*)::int AS n FROM audit_events`,
    [{ n: 3 }],
    'months without a partition too',
  );

  await app`SELECT gatehouse_make_audit_partitions(5)`;
  const tables = await owner<{ name: string; partition: boolean }[]>`
    SELECT relname AS name, relispartition AS partition FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname ~ '^audit_' ORDER BY 1`;
  t.ok(tables.filter(({ partition }) => partition).length >= 14, 'the partitions just made are among them');
  for (const { name, partition } of tables) {
    for (const statement of [
      `UPDATE ${name} SET data = '{"forged":true}'`,
      `DELETE FROM ${name}`,
      `TRUNCATE ${name}`,
      `DROP TABLE ${name}`,
      ...(partition ? [`INSERT INTO ${name} SELECT * FROM ${name} LIMIT 0`] : []),
    ]) {
      await t.rejects(app.unsafe(statement), { code: '42501' }, statement);
    }
  }
  // The second line, for a server where one role does both.
  for (const statement of [
    `UPDATE audit_events SET type = 'forged'`,
    'DELETE FROM audit_events',
    'TRUNCATE audit_events',
  ]) {
    await t.rejects(owner.unsafe(statement), { code: '42501' }, `${statement} as the owner`);
  }
});

tap.test('D9: the application has what it needs of every other table, and owns none', async (t) => {
  const database = await freshDatabase(t);
  const app = openPool(t, database.app, 1).$client;
  const rows = await app<{ name: string; all: boolean; owned: boolean }[]>`
    SELECT relname AS name, relowner = current_user::regrole AS owned,
           has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
           AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE') AS all
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname !~ '^audit_'`;
  t.ok(rows.length > 10);
  for (const { name, all, owned } of rows) t.same({ all, owned }, { all: true, owned: false }, name);
});

tap.test(
  'D9: a right that went missing, or was given by mistake, is put right by the next start',
  async (t) => {
    const database = await freshDatabase(t);
    const owner = openPool(t, database.owner, 1).$client;
    const app = openPool(t, database.app, 1).$client;
    await owner`REVOKE DELETE ON accounts FROM ${owner(database.app.user)}`;
    await owner`GRANT DELETE ON audit_personal TO ${owner(database.app.user)}`;
    await app`DELETE FROM audit_personal`;
    await migrate(database.owner, database.app.user);
    await app`DELETE FROM accounts`;
    await t.rejects(app`DELETE FROM audit_personal`.execute(), { code: '42501' });
  },
);

tap.test('D9: every column of every table has a privacy class, and every class a column', async (t) => {
  const database = await freshDatabase(t);
  const owner = openPool(t, database.owner, 1).$client;
  const found = await owner<{ name: string }[]>`
    SELECT c.relname || '.' || a.attname AS name
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND a.attnum > 0 AND NOT a.attisdropped`;
  const classes: Record<string, string> = {};
  for (const entry of allPrivacy) {
    const table = entry.table as Parameters<typeof pg.getTableConfig>[0];
    const { name } = pg.getTableConfig(table);
    for (const key of Object.keys(orm.getTableColumns(table))) {
      const column = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      classes[`${name}.${column}`] = entry.classes[key] ?? 'missing';
    }
  }
  t.same(
    found.map(({ name }) => name).toSorted(),
    Object.keys(classes).toSorted(),
    'the migrated database and the classes name the same columns',
  );
  for (const [column, privacyClass] of Object.entries(classes)) {
    t.match(privacyClass, /^(none|pseudonym|personal|secret)$/, column);
  }
});
