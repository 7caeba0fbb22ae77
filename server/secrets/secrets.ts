// Seals stored secrets anew under the newest key of the key ring while servers run, and says which keys are still
// needed (O6). Owns the list of columns that the ring seals. A value is replaced only while it is the one that was
// read: what a server writes or erases meanwhile is never undone. A run that is killed has done what it has done;
// the next one goes on, and several at once do not harm one another.
//
//   sealed by an old key ──rotate──▶ sealed by the newest ──nothing left, nobody seals by the old──▶ its canary removed
import { inTransaction } from '../../drizzle/database.ts';
import { entry, write } from '../audit/audit.ts';
import { canaryKeys, holders, retireCanaries } from '../lib/canary.ts';
import type { Op } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';
import { type KeyRing, keyIdInSql } from '../lib/seal.ts';

interface SealedColumn {
  table: string;
  column: string;
  /** The primary key: `row` of the place a value is bound to. */
  row: string;
  type: 'text' | 'uuid';
}

/** Every column that the key ring seals, other than the canaries: those prove a key, and go when it does. */
export const SEALED: readonly SealedColumn[] = [
  { table: 'signing_keys', column: 'private_sealed', row: 'kid', type: 'text' },
  { table: 'lasting_secrets', column: 'sealed', row: 'name', type: 'text' },
  { table: 'mails', column: 'props_sealed', row: 'id', type: 'uuid' },
];

/** Before the first row, in the order of the type. */
const START = { text: '', uuid: '00000000-0000-0000-0000-000000000000' };

interface Unreadable {
  table: string;
  column: string;
  row: string;
  /** `key`: sealed by a key that is not in the ring; `changed`: tampered with, or moved here from another row. */
  why: 'key' | 'changed';
}

interface ColumnState {
  table: string;
  column: string;
  /** Values by the id of the key they say they are sealed by; `none`: of no known form. */
  values: Readonly<Record<string, number>>;
}

interface KeyState {
  id: string;
  /** In the order of the setting from 1; null: not in it. */
  position: number | null;
  values: number;
  /** Servers and commands seal by it now. */
  sealing: boolean;
  /** A server without it is refused. */
  required: boolean;
}

export interface Overview {
  columns: ColumnState[];
  keys: KeyState[];
}

async function columnsOf(op: Op): Promise<ColumnState[]> {
  const states: ColumnState[] = [];
  for (const { table, column } of SEALED) {
    const rows = await op.db.$client.unsafe<{ key: string; count: number }[]>(
      `SELECT key, count(*)::float8 AS count FROM (SELECT ${keyIdInSql(column)} AS key FROM ${table}) AS sealed
       WHERE key IS NOT NULL GROUP BY key ORDER BY key`,
    );
    states.push({
      table,
      column,
      values: Object.fromEntries(rows.map(({ key, count }) => [key, count])),
    });
  }
  return states;
}

/** How much is sealed by which key, and which keys are needed. Opens nothing. */
export async function overview(op: Op, ring: KeyRing): Promise<Overview> {
  const columns = await columnsOf(op);
  const required = new Set(await canaryKeys(op));
  const sealing = new Set((await holders(op)).map(({ keyIds }) => keyIds[0]));
  const found = columns.flatMap(({ values }) => Object.keys(values)).filter((key) => key !== 'none');
  const ids = new Set([...ring.keyIds, ...found]);
  return {
    columns,
    keys: [...ids].map((id) => ({
      id,
      position: ring.keyIds.includes(id) ? ring.keyIds.indexOf(id) + 1 : null,
      values: columns.reduce((sum, { values }) => sum + (values[id] ?? 0), 0),
      sealing: sealing.has(id),
      required: required.has(id),
    })),
  };
}

export interface Advice {
  key: string;
  /**
   * `newest`: seals; `needed`: values are sealed by it; `sealing`: a process that runs seals by it; `required`: nothing
   * is left, which a rotation must confirm; `spare`: not needed; `missing`: needed and not there; `damaged`: no value.
   */
  state: 'newest' | 'needed' | 'sealing' | 'required' | 'spare' | 'missing' | 'damaged';
  says: string;
}

const some = (values: number) => (values === 1 ? '1 value is' : `${values} values are`);

/** What is to be said about each key, in the order of the setting. */
export function keyAdvice({ columns, keys }: Overview, ring: KeyRing): Advice[] {
  const advice = keys.map(({ id, position, values, sealing, required }): Advice => {
    if (position === null) {
      return {
        key: id,
        state: 'missing',
        says: `Key ${id} is missing: ${some(values)} sealed by it. Add it to ENCRYPTION_KEYS again, at the end.`,
      };
    }
    if (id === ring.newestKeyId) {
      return { key: id, state: 'newest', says: `Key ${id} is the newest: ${some(values)} sealed by it.` };
    }
    if (values > 0) {
      return {
        key: id,
        state: 'needed',
        says: `Key ${id} is still needed: ${some(values)} sealed by it. Seal them anew: gatehouse secrets rotate`,
      };
    }
    if (sealing) {
      return {
        key: id,
        state: 'sealing',
        says: `Key ${id} is still needed: a server that runs seals by it. Put ${ring.newestKeyId} first in its ENCRYPTION_KEYS, restart it, and rotate then.`,
      };
    }
    if (required) {
      return {
        key: id,
        state: 'required',
        says: `Nothing is sealed by key ${id} any more; before it is removed run: gatehouse secrets rotate`,
      };
    }
    return {
      key: id,
      state: 'spare',
      says: `Key ${id} is not needed: remove it from ENCRYPTION_KEYS, or put it first where it is the next one.`,
    };
  });
  const damaged = columns.reduce((sum, { values }) => sum + (values.none ?? 0), 0);
  if (damaged > 0) {
    advice.push({ key: 'none', state: 'damaged', says: `${some(damaged)} damaged: of no known form.` });
  }
  return advice;
}

interface Candidate {
  row: string;
  sealed: Buffer;
}

/** Up to `batch` values after the row `after` that say they are sealed by another key, in the order of their rows. */
const candidates = (op: Op, ring: KeyRing, at: SealedColumn, after: string, batch: number) =>
  op.db.$client.unsafe<Candidate[]>(
    `SELECT ${at.row}::text AS row, ${at.column} AS sealed FROM ${at.table}
     WHERE ${at.row} > $1::${at.type} AND ${keyIdInSql(at.column)} <> $2::text ORDER BY ${at.row} LIMIT $3::int`,
    [after, ring.newestKeyId, batch],
  );

/**
 * Replaces values that are still what was read, in one statement; says how many. A row that somebody else has locked
 * is left for later: who waits for no one while holding rows cannot be part of a deadlock.
 */
async function replace(
  op: Op,
  { table, column, row, type }: SealedColumn,
  values: readonly { row: string; old: Buffer; fresh: Buffer }[],
): Promise<number> {
  const hex = (bytes: Buffer) => bytes.toString('hex');
  const done = await op.db.$client.unsafe(
    `WITH given AS (
       SELECT (v->>0)::${type} AS row, decode(v->>1, 'hex') AS old, decode(v->>2, 'hex') AS fresh
       FROM jsonb_array_elements($1::text::jsonb) AS v),
     free AS (
       SELECT ${row} AS row FROM ${table} WHERE ${row} IN (SELECT given.row FROM given)
       ORDER BY ${row} FOR UPDATE SKIP LOCKED)
     UPDATE ${table} AS t SET ${column} = given.fresh FROM given JOIN free USING (row)
     WHERE t.${row} = given.row AND t.${column} = given.old RETURNING 1`,
    [JSON.stringify(values.map(({ row, old, fresh }) => [row, hex(old), hex(fresh)]))],
  );
  return done.length;
}

export interface Rotated {
  /** Values sealed anew by this run. */
  resealed: number;
  unreadable: Unreadable[];
  /** Values that others held on to all the time: the next run has them. */
  busy: number;
  /** Keys that servers need no more. */
  retired: string[];
}

export interface RotateOptions {
  batch: number;
  /** Told after each batch. */
  progress?: (done: { table: string; column: string; resealed: number }) => void;
}

/** How often rows that others hold are tried again, and the pause before in milliseconds. */
const ROUNDS = 20;
const PAUSE = 250;

function opened(
  ring: KeyRing,
  at: SealedColumn,
  { row, sealed }: Candidate,
): { row: string; old: Buffer; fresh: Buffer } | Unreadable {
  const place = { table: at.table, column: at.column, row };
  try {
    return { row, old: sealed, fresh: ring.seal(ring.open(sealed, place), place) };
  } catch (error) {
    return { ...place, why: error instanceof Problem && error.code === 'key.unknown' ? 'key' : 'changed' };
  }
}

/** One walk through a column in short transactions, each with its row in the audit trail. */
async function walk(
  op: Op,
  ring: KeyRing,
  at: SealedColumn,
  { batch, progress }: RotateOptions,
): Promise<Pick<Rotated, 'resealed' | 'unreadable' | 'busy'>> {
  const found = { resealed: 0, unreadable: [] as Unreadable[], busy: 0 };
  let after = START[at.type];
  for (;;) {
    const read = await candidates(op, ring, at, after, batch);
    const last = read.at(-1);
    if (!last) return found;
    after = last.row;
    const results = read.map((value) => opened(ring, at, value));
    found.unreadable.push(...results.filter((one) => 'why' in one));
    const values = results.filter((one) => 'fresh' in one);
    const { table, column } = at;
    const done = await inTransaction({ ...op, now: new Date() }, async (op) => {
      const count = values.length === 0 ? 0 : await replace(op, at, values);
      const data = { table, column, key: ring.newestKeyId, values: count };
      if (count > 0) await write(op, [entry('secrets.rotated', {}, data)]);
      return count;
    });
    found.resealed += done;
    found.busy += values.length - done;
    if (done > 0) progress?.({ table, column, resealed: found.resealed });
  }
}

/** Servers that could not read what is sealed anew. */
async function refuseWhileUnread(op: Op, ring: KeyRing): Promise<void> {
  const without = (await holders(op)).filter(({ keyIds }) => !keyIds.includes(ring.newestKeyId));
  if (without.length === 0) return;
  const have = without.map(({ role, keyIds }) => `a ${role} has ${keyIds.join(', ')}`).join('; ');
  throw new Problem('key.notEverywhere', {
    message: `Running servers could not read what is sealed by the newest key ${ring.newestKeyId}: ${have}. Give every server the key, restart it, and rotate then.`,
  });
}

/**
 * Seals everything anew that is not under the newest key. What cannot be opened is left as it is and told. Throws
 * `key.notEverywhere` when a process that runs lacks the newest key.
 */
export async function rotate(op: Op, ring: KeyRing, options: RotateOptions): Promise<Rotated> {
  await refuseWhileUnread(op, ring);
  const total = { resealed: 0, unreadable: [] as Unreadable[], busy: 0 };
  for (const at of SEALED) {
    for (let round = 0; ; round++) {
      const { resealed, unreadable, busy } = await walk(op, ring, at, options);
      total.resealed += resealed;
      // Rows that were replaced or erased meanwhile are not there in the next walk; those that are held are.
      if (busy > 0 && round < ROUNDS) {
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
        continue;
      }
      total.unreadable.push(...unreadable);
      total.busy += busy;
      break;
    }
  }
  const retired = await inTransaction({ ...op, now: new Date() }, async (op) => {
    const keys = await retireCanaries(op, ring, async (op) => {
      const columns = await columnsOf(op);
      return new Set(columns.flatMap(({ values }) => Object.keys(values)));
    });
    await write(
      op,
      keys.map((key) => entry('secrets.keyRetired', {}, { key })),
    );
    return keys;
  });
  return { ...total, retired };
}
