// From settings to an open, migrated database and its keys: what the server and every command begin with.
import { loadConfig, withKeyFiles } from '../config/load.ts';
import type { Config } from '../config/options.ts';
import {
  type Connection,
  clockAhead,
  closeDatabase,
  type Database,
  openDatabase,
  parseConnection,
} from '../drizzle/database.ts';
import { hasDatabase, openEmbedded } from '../drizzle/embedded.ts';
import { migrate } from '../drizzle/migrate.ts';
import { unusable } from '../drizzle/unusable.ts';
import { checkCanary, connectionName, holders } from './lib/canary.ts';
import { createLog, type Log } from './lib/log.ts';
import { type Op, systemOp } from './lib/op.ts';
import { createKeyRing, type KeyRing } from './lib/seal.ts';

export interface Store {
  config: Config;
  db: Database;
  ring: KeyRing;
  log: Log;
  /** What to call the database in a sentence: never its password. */
  databaseName: string;
  /** The tables' owner is another role than the one that runs: the trail cannot be altered by the server. */
  twoRoles: boolean;
  /** Migrations that opening it applied. */
  migrated: number;
  close(): Promise<void>;
}

export interface StoreInput {
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** `server` holds the data folder; `command` uses the running server's database, else starts it briefly. */
  role: 'server' | 'command';
}

interface Place {
  owner: Connection;
  app: Connection;
  name: string;
  stop(): Promise<void>;
}

async function placeOf(config: Config, role: StoreInput['role'], log: Log): Promise<Place> {
  const { url, ownerUrl } = config.database;
  if (url !== null) {
    const app = parseConnection(url);
    const name = `${app.host}:${app.port}/${app.database}`;
    return { owner: ownerUrl === null ? app : parseConnection(ownerUrl), app, name, stop: async () => {} };
  }
  const embedded = await openEmbedded({
    dataDir: config.server.dataDir,
    role,
    log: (line) => log.warn(line),
  });
  const name = `embedded PostgreSQL ${embedded.version} in ${embedded.dataDir}`;
  return { owner: embedded.owner, app: embedded.app, name, stop: () => embedded.stop() };
}

/** Seconds. Less is tolerated in tokens' times; much more and servers refuse what the others have just issued. */
const CLOCK_TOLERANCE = 5;

/** Expiry goes by each server's clock, so that one that is off ends or prolongs what the others issue. */
async function warnOfClock(db: Database, log: Log): Promise<void> {
  const ahead = await clockAhead(db);
  if (Math.abs(ahead) <= CLOCK_TOLERANCE) return;
  log.error(
    `The clock of this machine is ${Math.abs(ahead).toFixed(0)} seconds ${ahead > 0 ? 'ahead of' : 'behind'} the database's. Synchronise both with a time server: sign-ins, sessions and lockouts end too early or too late until then.`,
  );
}

/** Keys changed in one step while replicas run: what this server seals, the others cannot read until they have them too. */
async function warnOfKeys(op: Op, ring: KeyRing, log: Log): Promise<void> {
  const without = (await holders(op)).filter(({ keyIds }) => !keyIds.includes(ring.newestKeyId));
  if (without.length === 0) return;
  log.warn(
    `Servers that run cannot read what this one seals: they lack its newest key ${ring.newestKeyId} of ENCRYPTION_KEYS. Restart them with it soon; next time add a new key at the end everywhere first.`,
  );
}

/**
 * Opens everything, migrated and proven to hold the right keys. Throws SettingsError, EmbeddedError, DatabaseError or
 * Problem, each with a sentence for the operator; nothing stays open then.
 */
export async function openStore({ env, cwd, role }: StoreInput): Promise<Store> {
  const loaded = loadConfig({ env, cwd });
  const databaseExists = hasDatabase(loaded.config.server.dataDir);
  const { config, created, warnings } = withKeyFiles(loaded.config, { databaseExists });
  // A command's own answer goes to standard output, and may be JSON.
  const log =
    role === 'command' ? createLog({ ...config.log, level: 'error' }, process.stderr) : createLog(config.log);
  for (const warning of [...loaded.warnings, ...warnings]) log.warn(warning);
  for (const path of created) log.info(`made ${path}`);

  const place = await placeOf(config, role, log);
  try {
    const ownerSetting = config.database.ownerUrl === null ? 'DATABASE_URL' : 'DATABASE_OWNER_URL';
    const { applied } = await migrate(place.owner, place.app.user).catch((error) => {
      throw unusable(error, place.owner, ownerSetting);
    });
    if (applied > 0) log.info({ applied }, 'migrated');
    const ring = createKeyRing(config.secrets.encryptionKeys);
    const db = openDatabase(place.app, config.database, connectionName(role, ring));
    try {
      await checkCanary(systemOp(db, 'start'), ring).catch((error) => {
        throw unusable(error, place.app, 'DATABASE_URL');
      });
      if (role === 'server') {
        await warnOfClock(db, log);
        await warnOfKeys(systemOp(db, 'start'), ring, log);
      }
      return {
        config,
        db,
        ring,
        log,
        databaseName: place.name,
        twoRoles: place.owner.user !== place.app.user,
        migrated: applied,
        async close() {
          await closeDatabase(db);
          await place.stop();
        },
      };
    } catch (error) {
      await closeDatabase(db);
      throw error;
    }
  } catch (error) {
    await place.stop();
    throw error;
  }
}
