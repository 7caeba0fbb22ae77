// The PostgreSQL of a run, and fresh databases on it: an embedded one in a temporary folder, or TEST_DATABASE_URL
// (a role that may create databases and roles).
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Sql } from 'postgres';
import { type Connection, parseConnection } from '../drizzle/database.ts';
import { type Embedded, openEmbedded } from '../drizzle/embedded.ts';
import { postgres } from '../drizzle/postgres.ts';
import { postmasterOf } from './processes.ts';

export interface Fresh {
  owner: Connection;
  app: Connection;
  superuser: Connection;
}

export interface Databases {
  version: string;
  /** Null where PostgreSQL runs elsewhere: its processor time is not known then. */
  postmaster: number | null;
  fresh(name: string): Promise<Fresh>;
  close(): Promise<void>;
}

export const open = (connection: Connection, max = 1): Sql =>
  postgres({ ...connection, max, onnotice: () => {} });

/** A new folder, and what removes it: only ever what was made here. */
export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export async function openDatabases(url: string | undefined): Promise<Databases> {
  const folder = temporaryFolder();
  let embedded: Embedded | null = null;
  if (!url) embedded = await openEmbedded({ dataDir: folder.path, role: 'command' });
  const superuser = embedded?.superuser ?? parseConnection(url as string);
  const admin = open(superuser);
  const roles = { owner: 'gatehouse_bench_owner', app: 'gatehouse_bench_app' };
  for (const name of Object.values(roles)) {
    const [found] = await admin`SELECT FROM pg_roles WHERE rolname = ${name}`;
    if (!found) await admin`CREATE ROLE ${admin(name)} LOGIN`;
    if (superuser.password) {
      await admin.unsafe(`ALTER ROLE ${name} PASSWORD '${superuser.password.replaceAll("'", "''")}'`);
    }
  }
  const [about] = await admin<{ version: string; backend: number }[]>`
    SELECT split_part(current_setting('server_version'), ' ', 1) AS version, pg_backend_pid() AS backend`;
  const made: string[] = [];
  return {
    version: about?.version ?? '',
    postmaster: postmasterOf(about?.backend ?? 0),
    async fresh(name) {
      const database = `gatehouse_bench_${process.pid}_${name}`;
      await admin`CREATE DATABASE ${admin(database)} OWNER ${admin(roles.owner)} TEMPLATE template0`;
      made.push(database);
      return {
        owner: { ...superuser, user: roles.owner, database },
        app: { ...superuser, user: roles.app, database },
        superuser: { ...superuser, database },
      };
    },
    async close() {
      for (const name of made) await admin`DROP DATABASE IF EXISTS ${admin(name)} WITH (FORCE)`;
      await admin.end({ timeout: 5 });
      await embedded?.stop();
      folder.remove();
    },
  };
}
