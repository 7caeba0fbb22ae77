// Why requests of apps were refused, for their developers: one row per app, endpoint, error and parameter, with a count.
// Secrets are never among it (quotes.ts); apps that are not registered have no rows.
//
// Rows are not written in the request's transaction. A stranger may send a known client_id with a wrong redirect_uri as
// often as he likes: most refusals open no transaction, and all of one kind would wait for the lock of one row, the app's
// own requests among them. So they are added up in memory, in bounded space, and written together once a second on the
// pool. Nothing fails or waits because of it; a process that is killed loses a second of counts.
import { randomUUIDv7 } from 'node:crypto';
import type { Database } from '../../drizzle/database.ts';
import { desc, eq, sql } from '../../drizzle/orm.ts';
import { refusals } from '../../drizzle/schema/clients.ts';
import type { ClientRow } from '../clients/clients.ts';
import type { Log } from '../lib/log.ts';
import type { Op } from '../lib/op.ts';
import { diagnose } from './explain.ts';
import { clean, quotesOf, type Received } from './quotes.ts';

export { type Explanation, explain } from './explain.ts';
export { withoutValues } from './quotes.ts';
export { nearest } from './uris.ts';
export type Refusal = typeof refusals.$inferSelect;

/** Milliseconds; counted from the last of a kind. */
export const REFUSALS_KEPT = 30 * 24 * 3_600_000;

/** Milliseconds between two writes. */
const PAUSE = 1000;
/** After a write that failed: the database is away or busy. */
const PAUSE_AFTER_FAULT = 5000;
/** Kinds of refusals held at once. */
const MOST = 1000;

export interface Seen {
  endpoint: string;
  /** The OAuth error that was answered. */
  error: string;
  /** The internal reason. */
  why: string;
  received: Received;
  requestId: string;
  at: Date;
}

interface Pending {
  client_id: string;
  endpoint: string;
  error: string;
  parameter: string;
  why: string;
  registered: string | null;
  came: string | null;
  count: number;
  first_at: string;
  last_at: string;
  request_id: string;
}

export function createRefusals({ db, log }: { db: Database; log: Log }) {
  let pending = new Map<string, Pending>();
  let left = 0;
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  let under: Promise<void> | null = null;

  /** One write at a time: a database that hangs must not have the pool's connections one after the other. */
  const schedule = (pause: number) => {
    if (timer || under || stopped) return;
    timer = setTimeout(() => {
      timer = null;
      under = write().then((ok) => {
        under = null;
        if (pending.size > 0) schedule(ok ? PAUSE : PAUSE_AFTER_FAULT);
      });
    }, pause).unref();
  };

  /** Adds to what is held of the same kind; the later one says what was at fault. */
  function hold(one: Pending): void {
    const key = JSON.stringify([one.client_id, one.endpoint, one.error, one.parameter]);
    const before = pending.get(key);
    if (!before && pending.size >= MOST) {
      left += one.count;
      return;
    }
    const [older, newer] = before && before.last_at > one.last_at ? [one, before] : [before, one];
    pending.set(key, {
      ...newer,
      count: newer.count + (older?.count ?? 0),
      first_at: older && older.first_at < newer.first_at ? older.first_at : newer.first_at,
    });
  }

  /** Whether it is written; never rejects. */
  async function write(): Promise<boolean> {
    if (pending.size === 0) return true;
    const batch = [...pending.values()];
    pending = new Map();
    if (left > 0) log.warn({ left }, 'more kinds of refused requests than are kept');
    left = 0;
    try {
      await db.execute(upsertOf(batch));
      return true;
    } catch (error) {
      for (const one of batch) hold(one);
      log.warn({ err: error }, 'refused requests could not be noted for their apps; tried again');
      return false;
    }
  }

  return {
    /** Notes a refused request of this app; returns at once and never throws for what came. */
    note(client: ClientRow, { endpoint, error, why, received, requestId, at }: Seen): void {
      const said = { error: clean(error), why: clean(why) };
      const { parameter, registered, came } = diagnose(said, quotesOf(received), client);
      hold({
        client_id: client.id,
        endpoint,
        ...said,
        parameter,
        registered: registered === null ? null : clean(registered),
        came,
        count: 1,
        first_at: at.toISOString(),
        last_at: at.toISOString(),
        request_id: requestId,
      });
      schedule(PAUSE);
    },

    /** Writes what is held. Fails nobody: what could not be written is in the log, and lost. */
    async stop(): Promise<void> {
      stopped = true;
      if (timer) clearTimeout(timer);
      timer = null;
      await under;
      await write();
    },
  };
}

export type Refusals = ReturnType<typeof createRefusals>;

/** In one order, so that two processes that write the same kinds wait for one another and not crosswise. */
const upsertOf = (batch: readonly Pending[]) => sql`
  INSERT INTO refusals (id, client_id, endpoint, error, parameter, why, registered, came, count, first_at, last_at, request_id)
  SELECT r.id, r.client_id, r.endpoint, r.error, r.parameter, r.why, r.registered, r.came, r.count, r.first_at, r.last_at,
         r.request_id
  FROM jsonb_to_recordset(${JSON.stringify(batch.map((one) => ({ id: randomUUIDv7(), ...one })))}::text::jsonb)
    AS r(id uuid, client_id text, endpoint text, error text, parameter text, why text, registered text, came text,
         count integer, first_at timestamptz, last_at timestamptz, request_id text)
  JOIN clients c ON c.id = r.client_id
  ORDER BY r.client_id, r.endpoint, r.error, r.parameter
  FOR KEY SHARE OF c
  ON CONFLICT (client_id, endpoint, error, parameter) DO UPDATE SET
    count = LEAST(refusals.count::bigint + excluded.count, 2147483647)::integer,
    first_at = LEAST(refusals.first_at, excluded.first_at),
    last_at = GREATEST(refusals.last_at, excluded.last_at),
    (why, registered, came, request_id) = (SELECT n.why, n.registered, n.came, n.request_id FROM (VALUES
      (refusals.last_at, refusals.why, refusals.registered, refusals.came, refusals.request_id),
      (excluded.last_at, excluded.why, excluded.registered, excluded.came, excluded.request_id)
    ) AS n(last_at, why, registered, came, request_id) ORDER BY n.last_at DESC LIMIT 1)`;

/** Of an app, newest first. */
export const lastOf = (op: Op, clientId: string, most: number): Promise<Refusal[]> =>
  op.db
    .select()
    .from(refusals)
    .where(eq(refusals.clientId, clientId))
    .orderBy(desc(refusals.lastAt))
    .limit(most);
