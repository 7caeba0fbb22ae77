// The clients and addresses that are refused at this moment, in memory of each replica: almost always none, and asked
// for at every client authentication. Counting stays in the database (lockouts.ts). Told by NOTIFY with the count that
// reaches a limit, and read anew every two seconds, so that what a lost connection or a pooler keeps from us is not
// older than that. Memory that was told of a change, could not be read or is older than two looks says nothing, and
// then the database is asked: what is not known is never taken for allowed (ATK-A055).
import type { Database } from '../../drizzle/database.ts';
import type { Log } from '../lib/log.ts';

/** Counters of one kind that have reached this count refuse. */
export interface Limit {
  scope: string;
  attempts: number;
}

export interface Refused {
  /** Epoch milliseconds until which one of these counters refuses, 0: none does; undefined: ask the database. */
  until(counters: () => readonly { scope: string; key: string }[]): number | undefined;
  /** Something changed: memory says nothing until it has been read anew. */
  forget(): void;
  watch(db: Database, log: Log): Promise<{ stop(): Promise<void> }>;
}

export const REFUSED_CHANNEL = 'gatehouse_refused';

/** Milliseconds. */
const LOOK_EVERY = 2000;
const BELIEVED = 2 * LOOK_EVERY;
/** Between being told and looking: an attack that reaches limits all the time must not read all the time. */
const SETTLE = 50;
/** With more of them than this the database is asked each time. */
const MOST = 10_000;

const nameOf = ({ scope, key }: { scope: string; key: string }) => `${scope} ${key}`;

export function createRefused(client: Limit, address: Limit): Refused {
  let known: ReadonlyMap<string, number> | null = null;
  /** When the look that `known` comes from began. */
  let at = 0;
  let changes = 0;
  let again: () => void = () => {};

  const read = (db: Database) => db.$client<{ scope: string; key: string; resets_at: string }[]>`
    SELECT scope, key, resets_at FROM failures
    WHERE ((scope = ${client.scope} AND count >= ${client.attempts})
        OR (scope = ${address.scope} AND count >= ${address.attempts}))
      AND resets_at > ${new Date().toISOString()}::timestamptz
    LIMIT ${MOST + 1}`;

  function forget(): void {
    changes++;
    known = null;
    again();
  }

  return {
    until(counters) {
      if (known === null || performance.now() - at > BELIEVED) return undefined;
      if (known.size === 0) return 0;
      return Math.max(...counters().map((counter) => known?.get(nameOf(counter)) ?? 0));
    },

    forget,

    async watch(db, log) {
      let timer: NodeJS.Timeout | undefined;
      let looking: Promise<void> | null = null;
      let stopped = false;
      let away = false;

      function plan(delay: number): void {
        clearTimeout(timer);
        if (stopped || looking) return;
        timer = setTimeout(() => void look(), delay);
      }

      async function lookOnce(): Promise<void> {
        const [begun, seen] = [performance.now(), changes];
        try {
          const rows = await read(db);
          away = false;
          // Told of a change meanwhile: these rows may be from before it.
          if (stopped || seen !== changes) return;
          at = begun;
          known =
            rows.length > MOST
              ? null
              : new Map(rows.map((row) => [nameOf(row), new Date(row.resets_at).getTime()]));
        } catch (error) {
          known = null;
          if (!away) log.warn({ err: error }, 'refused clients could not be read; asking at each request');
          away = true;
        }
      }

      async function look(): Promise<void> {
        const seen = changes;
        looking = lookOnce();
        await looking;
        looking = null;
        plan(seen === changes ? LOOK_EVERY : SETTLE);
      }

      again = () => plan(SETTLE);
      let unlisten: (() => Promise<unknown>) | undefined;
      try {
        // postgres.js connects and listens again by itself after a loss, and calls the second `forget` each time.
        unlisten = (await db.$client.listen(REFUSED_CHANNEL, forget, forget)).unlisten;
      } catch (error) {
        log.warn({ err: error }, 'not told of refused clients; looking for them instead');
      }
      await look();
      return {
        async stop() {
          stopped = true;
          again = () => {};
          clearTimeout(timer);
          await looking;
          known = null;
          await unlisten?.().catch(() => {});
        },
      };
    },
  };
}
