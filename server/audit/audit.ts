// The audit trail. `write` adds events in the act's own transaction: an act and its record stand or fall together.
// Personal fields go to a side row; the event holds a salted commitment to them (drizzle/schema/audit.ts).
import { createHmac, randomBytes, randomUUIDv7 } from 'node:crypto';
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
  createHmac('sha256', salt)
    .update(personalBytes(address, device, data))
    .digest();

/** Writes events with `op`'s actor, request and time, on `op.db`'s connection, in one round trip. */
export async function write(op: Op, entries: readonly Entry[]): Promise<void> {
  if (entries.length === 0) return;
  const request = op.by.request;
  const address = request?.address ?? null;
  const device = request?.userAgent?.slice(0, DEVICE_LENGTH) ?? null;
  const at = op.now.toISOString();
  const rows = entries.map((one) => {
    const personal = (one.personal ?? {}) as Record<string, unknown>;
    const hasPersonal = address !== null || device !== null || Object.keys(personal).length > 0;
    const salt = randomBytes(16);
    return {
      event: {
        id: randomUUIDv7(),
        at,
        type: one.type,
        severity: events[one.type].severity,
        actor_kind: op.by.kind,
        actor_id: op.by.id,
        subject_id: one.about.subject ?? null,
        client_id: one.about.client ?? null,
        session_uid: one.about.session ?? null,
        grant_id: one.about.grant ?? null,
        request_id: request?.id ?? null,
        data: one.data,
        personal_commitment: hasPersonal
          ? `\\x${commitment(salt, address, device, personal).toString('hex')}`
          : null,
      },
      side: hasPersonal ? { salt: `\\x${salt.toString('hex')}`, address, device, data: personal } : null,
    };
  });
  // One parameter of JSON keeps the statement's text constant, so that it is prepared once.
  await op.db.$client`
    WITH input AS (SELECT * FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) AS r(event jsonb, side jsonb)),
    side AS (
      INSERT INTO audit_personal (event_id, at, subject_id, salt, address, device, data)
      SELECT (event->>'id')::uuid, (event->>'at')::timestamptz, (event->>'subject_id')::uuid, (side->>'salt')::bytea,
             (side->>'address')::inet, side->>'device', side->'data'
      FROM input WHERE jsonb_typeof(side) = 'object'
    )
    INSERT INTO audit_events (id, at, type, severity, actor_kind, actor_id, subject_id, client_id, session_uid,
                              grant_id, request_id, data, personal_commitment)
    SELECT e.id, e.at, e.type, e.severity, e.actor_kind, e.actor_id, e.subject_id, e.client_id, e.session_uid,
           e.grant_id, e.request_id, e.data, e.personal_commitment
    FROM input, jsonb_to_record(input.event) AS e(id uuid, at timestamptz, type text, severity text, actor_kind text,
      actor_id text, subject_id uuid, client_id text, session_uid text, grant_id text, request_id text, data jsonb,
      personal_commitment bytea)`;
}
