// One database per test file, cloned from a migrated template, on the test server: TEST_DATABASE_URL (a role
// that may create databases and roles), else an embedded PostgreSQL that all test processes of this checkout
// share: the first starts it, the last one out stops it.
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Sql } from 'postgres';
import type { Test } from 'tap';
import {
  type Connection,
  closeDatabase,
  type Database,
  faultCode,
  openDatabase,
  parseConnection,
} from '../../drizzle/database.ts';
import { openEmbedded } from '../../drizzle/embedded.ts';
import { migrate, migrationsFolder } from '../../drizzle/migrate.ts';
import { postgres } from '../../drizzle/postgres.ts';

export interface TestDatabase {
  owner: Connection;
  app: Connection;
  /** Rights over the whole test server: to stop connections, look into the catalogue. */
  superuser: Connection;
  name: string;
}

interface TestServer {
  admin: Sql;
  superuser: Connection;
  role(role: 'owner' | 'app', database: string): Connection;
  close(): Promise<void>;
}

/** Serialises what PostgreSQL does not allow in parallel: making roles and the template. */
const PREPARE = 74_018;

const adminOn = (connection: Connection): Sql => postgres({ ...connection, max: 1, onnotice: () => {} });

async function given(url: string): Promise<TestServer> {
  const superuser = parseConnection(url);
  const admin = adminOn(superuser);
  await admin.begin(async (tx) => {
    await tx`SELECT pg_advisory_xact_lock(${PREPARE}::bigint)`;
    for (const name of ['gatehouse_test_owner', 'gatehouse_test_app']) {
      const [found] = await tx`SELECT FROM pg_roles WHERE rolname = ${name}`;
      if (found) continue;
      await tx`CREATE ROLE ${tx(name)} LOGIN`;
      if (superuser.password) {
        await tx.unsafe(`ALTER ROLE ${name} PASSWORD '${superuser.password.replaceAll("'", "''")}'`);
      }
    }
  });
  return {
    admin,
    superuser,
    role: (role, database) => ({ ...superuser, user: `gatehouse_test_${role}`, database }),
    close: () => admin.end({ timeout: 5 }),
  };
}

async function shared(): Promise<TestServer> {
  const dataDir = fileURLToPath(new URL('../../node_modules/.cache/gatehouse-test', import.meta.url));
  mkdirSync(dataDir, { recursive: true });
  const embedded = await openEmbedded({ dataDir, role: 'command', settings: { max_connections: '300' } });
  const admin = adminOn(embedded.superuser);
  return {
    admin,
    superuser: embedded.superuser,
    role: (role, database) => ({ ...embedded[role], database }),
    async close() {
      await admin.end({ timeout: 5 });
      await embedded.stop();
    },
  };
}

let server: Promise<TestServer> | undefined;
let users = 0;

/** The test server for the time of `t`, and a moment longer: the next test of this process wants it too. */
async function use(t: Test): Promise<TestServer> {
  users++;
  const url = process.env.TEST_DATABASE_URL;
  server ??= url ? given(url) : shared();
  t.teardown(() => {
    users--;
    setTimeout(closeUnused, 100);
  });
  return server;
}

async function closeUnused(): Promise<void> {
  if (users > 0 || !server) return;
  const closing = server;
  server = undefined;
  await (await closing).close();
}

/** 55006: somebody is still connected; a closed connection takes PostgreSQL a moment. */
async function whenUnused<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (faultCode(error) !== '55006' || tries > 100) throw error;
      await sleep(20);
    }
  }
}

function templateName(): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(migrationsFolder, { recursive: true, encoding: 'utf8' }).sort()) {
    if (/\.(sql|json)$/.test(name)) hash.update(name).update(readFileSync(join(migrationsFolder, name)));
  }
  hash.update(readFileSync(fileURLToPath(new URL('../../drizzle/migrate.ts', import.meta.url))));
  return `gatehouse_template_${hash.digest('hex').slice(0, 12)}`;
}

async function template({ admin, role }: TestServer): Promise<string> {
  const name = templateName();
  const exists = async () => (await admin`SELECT FROM pg_database WHERE datname = ${name}`).length > 0;
  if (await exists()) return name;
  await admin`SELECT pg_advisory_lock(${PREPARE}::bigint)`;
  try {
    if (await exists()) return name;
    const fresh = `${name}_new`;
    await admin`DROP DATABASE IF EXISTS ${admin(fresh)} WITH (FORCE)`;
    await admin`CREATE DATABASE ${admin(fresh)} OWNER ${admin(role('owner', '').user)} TEMPLATE template0`;
    await migrate(role('owner', fresh), role('app', fresh).user);
    await whenUnused(() => admin`ALTER DATABASE ${admin(fresh)} RENAME TO ${admin(name)}`);
    return name;
  } finally {
    await admin`SELECT pg_advisory_unlock(${PREPARE}::bigint)`;
  }
}

async function create(t: Test, migrated: boolean): Promise<TestDatabase> {
  const on = await use(t);
  const name = `gatehouse_test_${process.pid}_${randomBytes(4).toString('hex')}`;
  const from = migrated ? await template(on) : 'template0';
  const { admin, role, superuser } = on;
  await whenUnused(
    () =>
      admin`CREATE DATABASE ${admin(name)} OWNER ${admin(role('owner', name).user)} TEMPLATE ${admin(from)}`,
  );
  t.teardown(async () => {
    await admin`DROP DATABASE IF EXISTS ${admin(name)} WITH (FORCE)`;
  });
  return {
    owner: role('owner', name),
    app: role('app', name),
    superuser: { ...superuser, database: name },
    name,
  };
}

/** A migrated database of its own, dropped when `t` ends. */
export const freshDatabase = (t: Test): Promise<TestDatabase> => create(t, true);

/** A database without a table. */
export const emptyDatabase = (t: Test): Promise<TestDatabase> => create(t, false);

/** A pool on a database, closed when `t` ends. */
export function openPool(t: Test, connection: Connection, poolSize = 10): Database {
  const db = openDatabase(connection, { poolSize, statementTimeout: 30, lockTimeout: 20 }, 'test');
  t.teardown(() => closeDatabase(db));
  return db;
}

/** The connection as a URL for DATABASE_URL. */
export function urlOf(connection: Connection): string {
  const { host, port, user, password, database } = connection;
  const query = new URLSearchParams({ host, port: String(port), user, ...(password ? { password } : {}) });
  return `postgres:///${encodeURIComponent(database)}?${query}`;
}
