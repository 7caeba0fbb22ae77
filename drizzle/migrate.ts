// Brings the tables to what this code expects, and gives the application's role its rights.
//
// drizzle's migrator is not safe when replicas start together, so it runs under an advisory lock, on the one
// connection that holds it. A database newer than the code is refused: an old replica would not know what
// it leaves out. The application owns nothing: it may not change or remove audit rows (D9), and partitions
// are reached through their parent only, so they carry no rights of their own.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { type Connection, closeDatabase, type Database, faultCode, openDatabase } from './database.ts';
import { DatabaseError } from './unusable.ts';

export const migrationsFolder = fileURLToPath(new URL('./migrations', import.meta.url));

/** Advisory lock of migrations; any number that nothing else uses. */
const MIGRATIONS = 74_017;

const APPEND_ONLY = ['audit_events', 'audit_personal'];

interface Entry {
  when: number;
  tag: string;
}

/** The newest migration this code brings. */
function newestKnown(): Entry {
  const journal = JSON.parse(readFileSync(`${migrationsFolder}/meta/_journal.json`, 'utf8')) as {
    entries: Entry[];
  };
  const newest = journal.entries.at(-1);
  if (!newest) throw new Error(`there are no migrations in ${migrationsFolder}`);
  return newest;
}

/** Milliseconds that name the newest migration applied, and how many were; 0 in an empty database. */
async function applied(db: Database): Promise<{ newest: number; count: number }> {
  try {
    const [row] = await db.$client<{ newest: string | null; count: number }[]>`
      SELECT max(created_at)::text AS newest, count(*)::int AS count FROM drizzle.__drizzle_migrations`;
    return { newest: Number(row?.newest ?? 0), count: row?.count ?? 0 };
  } catch (error) {
    // 42P01, 3F000: no such table, no such schema.
    if (faultCode(error) === '42P01' || faultCode(error) === '3F000') return { newest: 0, count: 0 };
    throw error;
  }
}

/** Whether the database has every migration of this code; a newer one has (readiness during an upgrade). */
export async function schemaCurrent(db: Database): Promise<boolean> {
  return (await applied(db)).newest >= newestKnown().when;
}

/** Whether `role` lacks a right it should have, or an audit table is more open to it than it should be. */
async function needsGrants(db: Database, role: string): Promise<boolean> {
  const [row] = await db.$client<{ needs: boolean }[]>`
    SELECT coalesce(bool_or(
      CASE WHEN c.relispartition AND n.nspname = 'public'
           THEN has_table_privilege(${role}::text, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
           WHEN n.nspname = 'public' AND c.relname = ANY (${APPEND_ONLY}::text[])
           THEN NOT (has_table_privilege(${role}::text, c.oid, 'SELECT')
                     AND has_table_privilege(${role}::text, c.oid, 'INSERT'))
                OR has_table_privilege(${role}::text, c.oid, 'UPDATE, DELETE, TRUNCATE')
           WHEN n.nspname = 'drizzle'
           THEN NOT (has_schema_privilege(${role}::text, n.oid, 'USAGE')
                     AND has_table_privilege(${role}::text, c.oid, 'SELECT'))
           ELSE NOT (has_schema_privilege(${role}::text, n.oid, 'USAGE')
                     AND has_table_privilege(${role}::text, c.oid, 'SELECT')
                     AND has_table_privilege(${role}::text, c.oid, 'INSERT')
                     AND has_table_privilege(${role}::text, c.oid, 'UPDATE')
                     AND has_table_privilege(${role}::text, c.oid, 'DELETE')) END), false) AS needs
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('public', 'drizzle', 'pgboss') AND c.relkind IN ('r', 'p')
      AND pg_catalog.pg_get_userbyid(c.relowner) = current_user`;
  return row?.needs === true;
}

async function grant(db: Database, role: string): Promise<void> {
  await db.$client.begin(async (tx) => {
    const who = tx(role);
    const schemas = await tx<{ name: string }[]>`
      SELECT nspname AS name FROM pg_namespace WHERE nspname IN ('public', 'pgboss')`;
    for (const schema of schemas.map(({ name }) => tx(name))) {
      await tx`GRANT USAGE ON SCHEMA ${schema} TO ${who}`;
      await tx`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${who}`;
      await tx`GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA ${schema} TO ${who}`;
      await tx`GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ${schema} TO ${who}`;
    }
    await tx`GRANT USAGE ON SCHEMA drizzle TO ${who}`;
    await tx`GRANT SELECT ON drizzle.__drizzle_migrations TO ${who}`;
    const closed = await tx<{ name: string; partition: boolean }[]>`
      SELECT relname AS name, relispartition AS partition
      FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
        AND (relispartition OR relname = ANY (${APPEND_ONLY}::text[]))`;
    for (const { name, partition } of closed) {
      await tx`REVOKE ALL ON ${tx(name)} FROM ${who}`;
      if (!partition) await tx`GRANT SELECT, INSERT ON ${tx(name)} TO ${who}`;
    }
  });
}

/**
 * Applies what is missing, as the owner; safe from many processes at once, and cheap when nothing is missing.
 * `appRole` is the role the server runs as; the same as the owner's needs no rights.
 * Throws DatabaseError when the database is newer than this code.
 */
export async function migrate(owner: Connection, appRole: string): Promise<{ applied: number }> {
  const settings = { poolSize: 1, statementTimeout: 0, lockTimeout: 0 };
  const db = openDatabase(owner, settings, 'gatehouse migrate');
  try {
    const known = newestKnown();
    const grants = async () => {
      if (appRole !== owner.user && (await needsGrants(db, appRole))) await grant(db, appRole);
    };
    const pending = async () => {
      const { newest } = await applied(db);
      if (newest > known.when) {
        throw new DatabaseError(
          `The database was migrated by a newer Gatehouse (${new Date(newest).toISOString()}) than this one (${known.tag}, ${new Date(known.when).toISOString()}). Start the newer version, or restore the backup made before the upgrade.`,
        );
      }
      return newest < known.when;
    };
    if (!(await pending())) {
      // Never two at the same rights: PostgreSQL answers that with "tuple concurrently updated".
      if (appRole === owner.user || !(await needsGrants(db, appRole))) return { applied: 0 };
    }
    await db.$client`SELECT pg_advisory_lock(${MIGRATIONS}::bigint)`;
    const before = await applied(db);
    if (await pending()) {
      const migrator = createRequire(import.meta.url)(
        'drizzle-orm/postgres-js/migrator',
      ) as typeof import('drizzle-orm/postgres-js/migrator');
      // The migrator's type asks for a client of its own kind and uses dialect and session alone.
      await migrator.migrate(db as unknown as Parameters<typeof migrator.migrate>[0], { migrationsFolder });
    }
    await grants();
    return { applied: (await applied(db)).count - before.count };
  } finally {
    await closeDatabase(db);
  }
}
