// Rows that the protocol asks for at every request and that seldom change, kept in memory: dropped by NOTIFY the moment
// they change, and read anew after five seconds in any case: what a broken connection keeps from us is not older than
// that. Unknown ids are not kept: they are the caller's to invent.
import type { Database } from '../../drizzle/database.ts';

export interface Known<T> {
  start(): Promise<void>;
  stop(): Promise<void>;
  /**
   * `on`: the caller's transaction, if it is in one. A second connection taken while holding the first is how
   * a pool of requests comes to wait for itself.
   */
  find(id: string, on?: Database): Promise<T | null>;
}

/** Longest time a change may go unseen should a notification be lost, in milliseconds. */
const STALE_AFTER = 5000;
const KEPT = 5000;

/** `channel`: who changes a row notifies it with the row's id. */
export function createKnown<T>(
  db: Database,
  channel: string,
  load: (on: Database, id: string) => Promise<T | null>,
): Known<T> {
  const known = new Map<string, { value: T; at: number }>();
  let listening = false;
  let generation = 0;
  let unlisten: (() => Promise<void>) | null = null;

  const forget = (id?: string) => {
    generation++;
    if (id) known.delete(id);
    else known.clear();
  };

  return {
    async start() {
      const subscription = await db.$client.listen(
        channel,
        (id) => forget(id),
        // Called again after every reconnect: what was missed in between is unknown.
        () => {
          forget();
          listening = true;
        },
      );
      unlisten = () => subscription.unlisten();
    },
    async stop() {
      listening = false;
      await unlisten?.().catch(() => {});
    },
    async find(id, on = db) {
      const kept = known.get(id);
      if (kept && listening && Date.now() - kept.at < STALE_AFTER) return kept.value;
      const begun = generation;
      const value = await load(on, id);
      if (value !== null && begun === generation) {
        if (known.size >= KEPT) known.clear();
        known.set(id, { value, at: Date.now() });
      }
      return value;
    },
  };
}
