// What is happening now: the first argument of every function that touches rows.
import type { Database } from '../../drizzle/database.ts';

/** Who acts. `anonymous` is a browser or app that has proved nothing yet. */
export type ActorKind = 'account' | 'client' | 'apikey' | 'system' | 'anonymous';

export interface By {
  kind: ActorKind;
  /** Account id, client_id, key id, or the system part's name (`cli`, `setup`, `jobs.purge`). */
  id: string | null;
  request?: RequestFacts;
}

/** What is known of the HTTP request an act came by. */
export interface RequestFacts {
  /** Found in the log line, the audit rows and every error answer. */
  id: string;
  /** Canonical client address (server/lib/addresses.ts). */
  address: string;
  userAgent: string | null;
}

export interface Op {
  db: Database;
  now: Date;
  by: By;
}

export const systemOp = (db: Database, part: string): Op => ({
  db,
  now: new Date(),
  by: { kind: 'system', id: part },
});

export const actingAs = (op: Op, kind: ActorKind, id: string): Op => ({ ...op, by: { ...op.by, kind, id } });
