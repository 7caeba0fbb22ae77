// pg-boss speaks to PostgreSQL through our pool, so that a job is enqueued in the act's own transaction.
// What it expects of a driver (the `pg` package) and what ours does differ in three ways, all evened out here:
// scripts with their own BEGIN need a connection of their own, JSON and moments are text on our client
// (drizzle/database.ts), and a script answers with the rows of all its statements.
import type { Db } from 'pg-boss';
import type { ReservedSql, Row, RowList, Sql } from 'postgres';
import type { Database } from '../../drizzle/database.ts';

type Rows = { rows: Record<string, unknown>[] };
type Answer = RowList<Row[]> | RowList<Row[]>[];

/** PostgreSQL's type numbers: json, jsonb; timestamp, timestamptz. */
const JSON_TYPES = [114, 3802];
const MOMENT_TYPES = [1114, 1184];

function parsed(value: unknown, type: number): unknown {
  if (typeof value !== 'string') return value;
  if (JSON_TYPES.includes(type)) return JSON.parse(value);
  if (MOMENT_TYPES.includes(type)) return new Date(value);
  return value;
}

function rowsOf(result: RowList<Row[]>): Record<string, unknown>[] {
  const columns = result.columns ?? [];
  return result.map((row) =>
    Object.fromEntries(columns.map(({ name, type }) => [name, parsed(row[name], type)])),
  );
}

function answer(result: Answer): Rows {
  // A script's answer is an array of results, each of which has its columns; a single one is an array of rows.
  const results = 'columns' in result || 'command' in result ? [result as RowList<Row[]>] : result;
  return { rows: (results as RowList<Row[]>[]).flatMap(rowsOf) };
}

const isPlain = (value: unknown) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

/** `pg` writes objects as JSON and moments as text; our client leaves both to the caller. */
function written(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  return isPlain(value) && !Buffer.isBuffer(value) ? JSON.stringify(value) : value;
}

async function run(client: Sql | ReservedSql, text: string, values: readonly unknown[] = []): Promise<Rows> {
  const parameters = values.map(written) as Parameters<Sql['unsafe']>[1];
  return answer((await client.unsafe(text, parameters)) as unknown as Answer);
}

async function script(client: Sql, text: string): Promise<Rows> {
  const reserved = await client.reserve();
  try {
    return await run(reserved, text);
  } catch (error) {
    // The connection is still in the failed transaction; if it is gone, so is the transaction.
    await reserved.unsafe('ROLLBACK').catch(() => {});
    throw error;
  } finally {
    reserved.release();
  }
}

const OWN_TRANSACTION = /^\s*BEGIN\b/i;

/** On `db`'s connection: the pool, or inside a transaction the transaction's. */
export function connectionOf(db: Database): Db {
  const client = db.$client;
  return {
    executeSql: (text, values) =>
      OWN_TRANSACTION.test(text) ? script(client, text) : run(client, text, values),
    async listen(channel, heard, listening) {
      // postgres.js connects and listens again by itself, and calls `listening` each time.
      const { unlisten } = await client.listen(channel, heard, listening);
      return { close: unlisten };
    },
  };
}
