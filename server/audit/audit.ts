// The audit trail. `write` adds events in the act's own transaction: an act and its record stand or fall together.
// Personal fields go to a side row; the event holds a salted commitment to them (drizzle/schema/audit.ts).
import { createHmac, createSecretKey, randomBytes, randomUUIDv7 } from 'node:crypto';
import { inTransaction } from '../../drizzle/database.ts';
import type { Op } from '../lib/op.ts';
import { type DataOf, type EventType, events, type PersonalOf } from './events.ts';

export interface About {
  /** The account it happened to. */
  subject?: string | null | undefined;
  client?: string | null | undefined;
  /** Session uid. */
  session?: string | null | undefined;
  grant?: string | null | undefined;
}

export interface Entry<T extends EventType = EventType> {
  type: T;
  about: About;
  data: DataOf<T>;
  personal: PersonalOf<T> | undefined;
}

/** One event, typed by the catalogue. `personal` is required where the event has personal fields. */
export function entry<T extends EventType>(
  type: T,
  about: About,
  data: DataOf<T>,
  ...personal: keyof PersonalOf<T> extends never ? [] : [PersonalOf<T>]
): Entry {
  return { type, about, data, personal: personal[0] } as unknown as Entry;
}

const DEVICE_LENGTH = 400;

/** The exact bytes a commitment is made over: fixed order, so that they can be rebuilt from the side row. */
function personalBytes(address: string | null, device: string | null, data: object): string {
  const sorted = Object.fromEntries(Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1)));
  return JSON.stringify([address, device, sorted]);
}

export const commitment = (
  salt: Buffer,
  address: string | null,
  device: string | null,
  data: object,
): Buffer =>
  // Node takes a key it knows as one several times faster than the same bytes in a Buffer.
  createHmac('sha256', createSecretKey(salt))
    .update(personalBytes(address, device, data))
    .digest();

/** PostgreSQL takes 65,535 parameters in one statement. */
const MOST_ROWS = 1000;
/** Statements of up to so many rows are prepared, once per connection; one for each shape below. */
const MOST_PREPARED = 8;

const EVENT_COLUMNS = `id, at, type, severity, actor_kind, actor_id, subject_id, client_id, session_uid, grant_id, request_id,
  data, personal_commitment`;
const SIDE_COLUMNS = 'event_id, at, subject_id, salt, address, device, data';

/** One statement for these events; says of each whether it has a side row. The parameters are those of `write`. */
function textFor(sided: readonly boolean[]): string {
  let last = sided.includes(true) ? 6 : 4;
  const next = () => `$${++last}`;
  const events: string[] = [];
  const sides: string[] = [];
  for (const hasSide of sided) {
    const [id, subject] = [`${next()}::uuid`, `${next()}::uuid`];
    const [type, severity, client, session, grant] = Array.from({ length: 5 }, () => `${next()}::text`);
    const data = `${next()}::text::jsonb`;
    const mark = hasSide ? `${next()}::bytea` : 'NULL';
    events.push(
      `(${id}, $1::timestamptz, ${type}, ${severity}, $2::text, $3::text, ${subject}, ${client}, ${session}, ${grant}, $4::text,
        ${data}, ${mark})`,
    );
    if (!hasSide) continue;
    sides.push(
      `(${id}, $1::timestamptz, ${subject}, ${next()}::bytea, $5::inet, $6::text, ${next()}::text::jsonb)`,
    );
  }
  const insert = `INSERT INTO audit_events (${EVENT_COLUMNS}) VALUES ${events.join()}`;
  if (sides.length === 0) return insert;
  return `WITH side AS (INSERT INTO audit_personal (${SIDE_COLUMNS}) VALUES ${sides.join()}) ${insert}`;
}

const texts = new Map<string, string>();

function preparedText(sided: readonly boolean[]): string {
  const shape = sided.join();
  const text = texts.get(shape) ?? textFor(sided);
  texts.set(shape, text);
  return text;
}

export interface Insert {
  text: string;
  parameters: (string | Buffer | null)[];
  prepare: boolean;
}

/** The statement `write` sends, for who sends statements of its own: events with `op`'s actor, request and time. */
export function insertOf(op: Op, entries: readonly Entry[]): Insert {
  if (entries.length === 0 || entries.length > MOST_ROWS) {
    throw new Error(`one statement writes 1 to ${MOST_ROWS} events, not ${entries.length}`);
  }
  const request = op.by.request;
  const address = request?.address ?? null;
  const device = request?.userAgent?.slice(0, DEVICE_LENGTH) ?? null;
  const sided = entries.map(
    ({ personal }) => address !== null || device !== null || Object.keys(personal ?? {}).length > 0,
  );
  const shared = [op.now.toISOString(), op.by.kind, op.by.id, request?.id ?? null];
  const parameters: Insert['parameters'] = sided.includes(true) ? [...shared, address, device] : shared;
  // Random within a millisecond: sorted, the events of one call stand in their order.
  const ids = entries.map(() => randomUUIDv7()).sort();
  entries.forEach(({ type, about, data, personal = {} }, at) => {
    parameters.push(
      ids[at] as string,
      about.subject ?? null,
      type,
      events[type].severity,
      about.client ?? null,
      about.session ?? null,
      about.grant ?? null,
      JSON.stringify(data),
    );
    if (!sided[at]) return;
    const salt = randomBytes(16);
    parameters.push(commitment(salt, address, device, personal), salt, JSON.stringify(personal));
  });
  const prepare = entries.length <= MOST_PREPARED;
  return { text: prepare ? preparedText(sided) : textFor(sided), parameters, prepare };
}

/** Writes events with `op`'s actor, request and time, on `op.db`'s connection, in one round trip. */
export async function write(op: Op, entries: readonly Entry[]): Promise<void> {
  if (entries.length === 0) return;
  if (entries.length > MOST_ROWS) {
    await inTransaction(op, async (op) => {
      for (let at = 0; at < entries.length; at += MOST_ROWS) {
        await write(op, entries.slice(at, at + MOST_ROWS));
      }
    });
    return;
  }
  const { text, parameters, prepare } = insertOf(op, entries);
  await op.db.$client.unsafe(text, parameters, { prepare });
}
