// Migrations apart from a start: for a deployment that runs them once, before the replicas.
import type { Command } from 'commander';
import { withStore } from './open.ts';
import { command, prints } from './terminal.ts';

/** Opening the store migrates, under the lock that replicas and commands share. */
const migrateNow = () =>
  withStore(async (op, { databaseName, migrated }) => {
    const [row] = await op.db.$client<{ count: number }[]>`
      SELECT count(*)::int AS count FROM drizzle.__drizzle_migrations`;
    const migrations = row?.count ?? 0;
    return {
      json: { database: databaseName, migrations, applied: migrated },
      text: `The database (${databaseName}) has all ${migrations} migrations; ${migrated} of them applied now.`,
    };
  });

export function add(program: Command): void {
  command(
    program,
    'migrate',
    'Brings the database up to date. The server does so at every start as well.',
  ).action(prints(migrateNow));
}
