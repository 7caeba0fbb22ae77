// Opening PostgreSQL, transactions, and what its faults mean. Both postgres.js (`db.$client`) and Drizzle speak
// on the same connection; on the shared client Drizzle leaves timestamps and JSON as text, so raw statements
// write JSON as text with a cast and read moments through extract(epoch from …).
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';
import type { Sql } from 'postgres';
import { pg } from './orm.ts';
import { driver, postgres } from './postgres.ts';

/** A pool, or inside a transaction its one connection. `$client` is postgres.js on the same. */
export type Database = PgDatabase<PgQueryResultHKT, Record<string, never>> & {
  $client: Sql;
  inTransaction: boolean;
};

export interface Connection {
  /** A folder (Unix socket) or a host name. */
  host: string;
  port: number;
  user: string;
  password?: string;
  database: string;
  ssl?: 'require' | 'verify-full' | 'prefer' | false;
}

export interface PoolSettings {
  poolSize: number;
  statementTimeout: number;
  lockTimeout: number;
}

const dialect = new pg.PgDialect({ casing: 'snake_case' });

function attach(client: Sql, inTransaction: boolean): Database {
  const session = new driver.PostgresJsSession(client, dialect, undefined, {});
  const db = new pg.PgDatabase(dialect, session, undefined);
  return Object.assign(db, { $client: client, inTransaction }) as unknown as Database;
}

export function openDatabase(connection: Connection, settings: PoolSettings, name = 'gatehouse'): Database {
  const client = postgres({
    host: connection.host,
    port: connection.port,
    user: connection.user,
    database: connection.database,
    ...(connection.password === undefined ? {} : { password: connection.password }),
    ...(connection.ssl === undefined ? {} : { ssl: connection.ssl }),
    max: settings.poolSize,
    connect_timeout: 5,
    // The default waits up to 20 s between attempts and lets requests wait with it: an outage would answer nobody, and
    // outlast the database's return. Seconds.
    backoff: () => 0.1,
    idle_timeout: 300,
    max_lifetime: 3600,
    onnotice: () => {},
    connection: {
      application_name: name,
      TimeZone: 'UTC',
      statement_timeout: settings.statementTimeout * 1000,
      lock_timeout: settings.lockTimeout * 1000,
      // A process that hangs inside a transaction must not keep its rows from the others.
      idle_in_transaction_session_timeout: 15_000,
    },
  });
  // Sets the parsers and serialisers Drizzle's column types expect, on this client.
  driver.drizzle(client);
  return attach(client, false);
}

export const closeDatabase = (db: Database): Promise<void> => db.$client.end({ timeout: 5 });

/**
 * Runs `work` in one transaction, in which `op.db` is that connection; inside a transaction it joins it.
 * Rows only in there: no hashing, mail or fetch. A failure that must be counted is committed first, then raised.
 */
export async function inTransaction<O extends { db: Database }, T>(
  op: O,
  work: (op: O) => Promise<T>,
): Promise<T> {
  if (op.db.inTransaction) return work(op);
  return (await op.db.$client.begin((tx) => work({ ...op, db: attach(tx as unknown as Sql, true) }))) as T;
}

export interface OpenTransaction {
  db: Database;
  /** Resolves when PostgreSQL has acknowledged the commit; rejects when it has not. */
  commit(): Promise<void>;
  /** `why`: the fault that leads to it. Answers the one behind it where that says no more than "aborted" (25P02). */
  rollback(why?: unknown): Promise<unknown>;
}

/**
 * A transaction whose end is decided elsewhere than where it began (one per protocol request, server/oidc/unit.ts).
 * Whoever opens it must end it on every path; a connection that dies in between rejects every use and the commit.
 */
export async function openTransaction(db: Database): Promise<OpenTransaction> {
  const ending = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<Database>();
  const done = db.$client.begin((tx) => {
    opened.resolve(attach(tx as unknown as Sql, true));
    return ending.promise;
  });
  // A begin that fails, or a connection that dies, ends `done` first.
  done.catch((error) => opened.reject(error));
  return {
    db: await opened.promise,
    commit: async () => {
      ending.resolve();
      await done;
    },
    rollback: async (why) => {
      // Made here: an error takes its stack along, which is dear for something every transaction would have and few need.
      const late = faultCode(why) === '25P02';
      const abandoned = late ? why : new Error('rolled back');
      ending.reject(abandoned);
      // Of an aborted transaction postgres.js answers what aborted it; without a connection nothing is left to roll back.
      return done.then(
        () => why,
        (error) => {
          if (error === abandoned) return why;
          if (!late && !isUnavailable(error)) throw error;
          return late ? error : why;
        },
      );
    },
  };
}

/**
 * Seconds by which this machine's clock is ahead of the database's, negative when it is behind. Within the time the
 * question took nothing can be said: 0.
 */
export async function clockAhead(db: Database): Promise<number> {
  const before = Date.now();
  const [row] = await db.$client<{ now: number }[]>`
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now`;
  const after = Date.now();
  if (!row) throw new Error('the database gave no answer');
  return (Math.max(before - row.now, 0) - Math.max(row.now - after, 0)) / 1000;
}

interface PostgresFault {
  code?: unknown;
  cause?: unknown;
}

/** SQLSTATE or postgres.js' code of a database error, also through Drizzle's wrapping; undefined for other errors. */
export function faultCode(error: unknown): string | undefined {
  for (
    let at = error as PostgresFault | undefined, deep = 0;
    at && typeof at === 'object' && deep < 5;
    deep++
  ) {
    if (typeof at.code === 'string') return at.code;
    at = at.cause as PostgresFault | undefined;
  }
  return undefined;
}

export const isUniqueViolation = (error: unknown): boolean => faultCode(error) === '23505';

const UNAVAILABLE =
  /^(08...|28000|28P01|3D000|53...|55000|57P..|57014|40001|40P01|55P03|25006|25P03|CONNECTION_(CLOSED|ENDED|DESTROYED)|CONNECT_TIMEOUT|ECONNREFUSED|ECONNRESET|ENOENT|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)$/;

/** The database is away, busy, read-only or gave up on a lock: nothing was written, try again later (503). */
export function isUnavailable(error: unknown): boolean {
  const code = faultCode(error);
  return code !== undefined && UNAVAILABLE.test(code);
}

/**
 * A libpq connection URL, socket folders included (`postgres:///gatehouse?host=/run/postgresql`,
 * `postgres://user@%2Frun%2Fpostgresql/gatehouse`), which postgres.js does not read.
 * Throws Error with a sentence that does not repeat the password.
 */
export function parseConnection(url: string): Connection {
  const fault = (why: string) =>
    new Error(`not a PostgreSQL URL (${why}); expected postgres://user:password@host:5432/database`);
  const match =
    /^postgres(?:ql)?:\/\/(?:([^:@/?]*)(?::([^@/?]*))?@)?(\[[^\]]+\]|[^:/?]*)(?::(\d{1,5}))?(?:\/([^?]*))?(?:\?(.*))?$/.exec(
      url,
    );
  if (!match) throw fault('form');
  const query = new URLSearchParams(match[6] ?? '');
  const decode = (part: string | undefined) => {
    try {
      return part ? decodeURIComponent(part) : '';
    } catch {
      throw fault('bad % encoding');
    }
  };
  const user = decode(match[1]) || query.get('user') || 'postgres';
  const password = decode(match[2]) || query.get('password');
  const mode = query.get('sslmode');
  const modes: Record<string, NonNullable<Connection['ssl']>> = {
    disable: false,
    allow: 'prefer',
    prefer: 'prefer',
    require: 'require',
    'verify-ca': 'verify-full',
    'verify-full': 'verify-full',
  };
  if (mode !== null && !(mode in modes)) throw fault(`sslmode=${mode}`);
  return {
    host: decode(match[3]).replace(/^\[|\]$/g, '') || query.get('host') || 'localhost',
    port: Number(match[4] ?? query.get('port') ?? 5432),
    user,
    ...(password ? { password } : {}),
    database: decode(match[5]) || query.get('dbname') || user,
    ...(mode === null ? {} : { ssl: modes[mode] as NonNullable<Connection['ssl']> }),
  };
}
