// Counts failed sign-ins, failed client authentications, wrong device codes and registrations without a token, and refuses
// while a limit is reached.
//
// A sign-in's failure is counted before the password is looked at and given back when it was right. So the number of
// guesses under way counts too, and N at once never get more answers than the limit (ATK-A101). Unknown names count
// like known ones (ATK-A094). A refused attempt neither counts nor prolongs. The counters commit on their own: no
// rolled back sign-in takes a failure back. Account limit: ATK-A100, A105; network limit: ATK-A104; clients: ATK-A055.
// Which clients are refused, replicas also know in memory (refused.ts).
import type { Config } from '../../config/options.ts';
import type { Database } from '../../drizzle/database.ts';
import { type Entry, entry, write } from '../audit/audit.ts';
import { networkKey } from '../lib/addresses.ts';
import { emailKey } from '../lib/email.ts';
import type { Log } from '../lib/log.ts';
import type { Op } from '../lib/op.ts';
import { sha256base64url } from '../lib/secrets.ts';
import { createRefused, REFUSED_CHANNEL } from './refused.ts';

/** What was typed as the e-mail address, and the client address it came from. */
interface SignInAttempt {
  identifier: string;
  address: string;
}

interface ClientAuthAttempt {
  clientId: string;
  address: string;
}

/** A counted attempt under way; ends in `giveBack` or `failed`. */
export interface Reservation {
  allowed: true;
  attempt: SignInAttempt;
  /** The limits that are reached should this attempt fail. */
  reaches: readonly ('account' | 'address')[];
}

export interface Refusal {
  allowed: false;
  by: 'account' | 'address';
  /** Seconds. */
  retryAfter: number;
}

export interface Lockouts {
  /**
   * Counts an attempt before its password is verified, on its own, so never call it inside a transaction.
   * Refused: verify nothing and answer as to a wrong password.
   */
  reserveSignIn(op: Op, attempt: SignInAttempt): Promise<Reservation | Refusal>;
  /**
   * The password was right: forgets the account's failures, and takes this one off the network's. Best outside a
   * transaction, since everybody in the network waits for that row.
   */
  giveBack(op: Op, reservation: Reservation): Promise<void>;
  /** The attempt was never decided (the queue was full): takes it off both counters. */
  cancel(op: Op, reservation: Reservation): Promise<void>;
  /** The password was wrong: it stays counted. Writes `lockout.started` when that reached a limit. */
  failed(op: Op, reservation: Reservation, accountId: string | null): Promise<void>;
  /** Null, or for how many seconds the client at this address, or the address, is refused. */
  clientAuthBlocked(op: Op, attempt: ClientAuthAttempt): Promise<{ retryAfter: number } | null>;
  /** On its own too. Writes `lockout.started` when it reached a limit, and tells every replica. */
  countClientAuthFailure(op: Op, attempt: ClientAuthAttempt): Promise<void>;
  /**
   * Counts a device's user code before it is looked up, on its own, by the address alone: new cookies do not help a
   * guesser (RFC 8628 5.1).
   */
  reserveUserCode(
    op: Op,
    address: string,
  ): Promise<{ allowed: true; reaches: boolean } | { allowed: false; retryAfter: number }>;
  /** There is such a code: takes it off again. */
  giveBackUserCode(op: Op, address: string): Promise<void>;
  /** There is none: it stays counted. Writes `lockout.started` when that reached the limit. */
  failedUserCode(op: Op, reservation: { reaches: boolean }): Promise<void>;
  /** Counts an app that wants to be registered without a token, by the address alone; at most so many in an hour. */
  reserveRegistration(
    op: Op,
    address: string,
    most: number,
  ): Promise<{ allowed: true } | { allowed: false; retryAfter: number }>;
  /** From here on `clientAuthBlocked` goes by memory where that is fresh; without it, it asks each time. */
  watch(db: Database, log: Log): Promise<{ stop(): Promise<void> }>;
}

/** So many times the limit of one client at an address refuses that address for every client. */
const CLIENTS_PER_ADDRESS = 5;

const ACCOUNT = 'sign_in.account';
const ADDRESS = 'sign_in.address';
const CLIENT = 'client_auth.client';
const CLIENT_ADDRESS = 'client_auth.address';
const USER_CODE = 'user_code.address';
const REGISTRATION = 'registration.address';
/** Seconds. */
const REGISTRATION_DURATION = 3600;

const later = (op: Op, seconds: number) => new Date(op.now.getTime() + seconds * 1000).toISOString();
const secondsUntil = (op: Op, moment: string) =>
  Math.max(1, Math.ceil((new Date(moment).getTime() - op.now.getTime()) / 1000));

function outsideTransaction(op: Op): void {
  if (op.db.inTransaction) throw new Error('failures are counted outside any transaction');
}

const keysOf = ({ identifier, address }: SignInAttempt) => ({
  account: sha256base64url(emailKey(identifier)),
  address: sha256base64url(networkKey(address)),
});
const clientKeysOf = ({ clientId, address }: ClientAuthAttempt) => ({
  client: sha256base64url(`${clientId}\0${networkKey(address)}`),
  address: sha256base64url(networkKey(address)),
});

export function createLockouts(config: Config['lockouts']): Lockouts {
  const clientAddressAttempts = CLIENTS_PER_ADDRESS * config.clientAuthAttempts;
  const refused = createRefused(
    { scope: CLIENT, attempts: config.clientAuthAttempts },
    { scope: CLIENT_ADDRESS, attempts: clientAddressAttempts },
  );

  async function refusal(op: Op, keys: { account: string; address: string }): Promise<Refusal> {
    const rows = await op.db.$client<{ scope: string; resets_at: string }[]>`
      SELECT scope, resets_at FROM failures
      WHERE ((scope = ${ACCOUNT} AND key = ${keys.account} AND count >= ${config.accountAttempts})
          OR (scope = ${ADDRESS} AND key = ${keys.address} AND count >= ${config.addressAttempts}))
        AND resets_at > ${op.now.toISOString()}::timestamptz
      ORDER BY resets_at DESC LIMIT 1`;
    const row = rows[0];
    return {
      allowed: false,
      by: row?.scope === ADDRESS ? 'address' : 'account',
      retryAfter: row ? secondsUntil(op, row.resets_at) : 1,
    };
  }

  async function takeOff(op: Op, scope: string, key: string): Promise<void> {
    await op.db
      .$client`UPDATE failures SET count = count - 1 WHERE scope = ${scope} AND key = ${key} AND count > 0`;
  }

  /** Counts one of an address, unless it has had `most` of them in `duration` seconds. */
  async function reserve(
    op: Op,
    scope: string,
    address: string,
    { most, duration }: { most: number; duration: number },
  ): Promise<{ allowed: true; count: number } | { allowed: false; retryAfter: number }> {
    outsideTransaction(op);
    const key = sha256base64url(networkKey(address));
    const now = op.now.toISOString();
    const [counted] = await op.db.$client<{ count: number }[]>`
      INSERT INTO failures AS f (scope, key, count, resets_at)
      VALUES (${scope}, ${key}, 1, ${later(op, duration)}::timestamptz)
      ON CONFLICT (scope, key) DO UPDATE
        SET count = CASE WHEN f.resets_at > ${now}::timestamptz THEN f.count + 1 ELSE 1 END,
            resets_at = CASE WHEN f.resets_at > ${now}::timestamptz AND f.count + 1 < ${most}
                             THEN f.resets_at ELSE excluded.resets_at END
        WHERE f.count < ${most} OR f.resets_at <= ${now}::timestamptz
      RETURNING count`;
    if (counted) return { allowed: true, count: counted.count };
    const [full] = await op.db.$client<{ resets_at: string }[]>`
      SELECT resets_at FROM failures WHERE scope = ${scope} AND key = ${key}`;
    return { allowed: false, retryAfter: full ? secondsUntil(op, full.resets_at) : 1 };
  }

  return {
    async reserveSignIn(op, attempt) {
      outsideTransaction(op);
      const keys = keysOf(attempt);
      const now = op.now.toISOString();
      const accountEnd = later(op, config.accountDuration);
      const addressEnd = later(op, config.addressDuration);
      // The account's row before the network's, everywhere: no two statements wait for each other. Every failure
      // keeps the account's count alive; the network's starts anew after its time, since many share it, but once
      // the limit is reached the refusal lasts the whole time.
      const [counted] = await op.db.$client<{ account: number | null; address: number | null }[]>`
        WITH account AS (
          INSERT INTO failures AS f (scope, key, count, resets_at)
          SELECT ${ACCOUNT}, ${keys.account}, 1, ${accountEnd}::timestamptz
          WHERE NOT EXISTS (SELECT FROM failures WHERE scope = ${ADDRESS} AND key = ${keys.address}
                            AND count >= ${config.addressAttempts} AND resets_at > ${now}::timestamptz)
          ON CONFLICT (scope, key) DO UPDATE
            SET count = CASE WHEN f.resets_at > ${now}::timestamptz THEN f.count + 1 ELSE 1 END,
                resets_at = excluded.resets_at
            WHERE f.count < ${config.accountAttempts} OR f.resets_at <= ${now}::timestamptz
          RETURNING count
        ), address AS (
          INSERT INTO failures AS f (scope, key, count, resets_at)
          SELECT ${ADDRESS}, ${keys.address}, 1, ${addressEnd}::timestamptz FROM account
          ON CONFLICT (scope, key) DO UPDATE
            SET count = CASE WHEN f.resets_at > ${now}::timestamptz THEN f.count + 1 ELSE 1 END,
                resets_at = CASE WHEN f.resets_at > ${now}::timestamptz AND f.count + 1 < ${config.addressAttempts}
                                 THEN f.resets_at ELSE excluded.resets_at END
            WHERE f.count < ${config.addressAttempts} OR f.resets_at <= ${now}::timestamptz
          RETURNING count
        )
        SELECT (SELECT count FROM account) AS account, (SELECT count FROM address) AS address`;
      const account = counted?.account ?? null;
      const address = counted?.address ?? null;
      if (account === null || address === null) {
        // The network's last place was taken by another attempt at the same moment.
        if (account !== null) await takeOff(op, ACCOUNT, keys.account);
        return refusal(op, keys);
      }
      return {
        allowed: true,
        attempt,
        reaches: [
          ...(account >= config.accountAttempts ? (['account'] as const) : []),
          ...(address >= config.addressAttempts ? (['address'] as const) : []),
        ],
      };
    },

    async giveBack(op, { attempt }) {
      const keys = keysOf(attempt);
      // Reading from `done` makes the account's row come first here too.
      await op.db.$client`
        WITH account AS (DELETE FROM failures WHERE scope = ${ACCOUNT} AND key = ${keys.account} RETURNING 1),
             done AS (SELECT count(*) AS n FROM account)
        UPDATE failures SET count = failures.count - 1 FROM done
        WHERE scope = ${ADDRESS} AND key = ${keys.address} AND failures.count > 0 AND done.n >= 0`;
    },

    async cancel(op, { attempt }) {
      const keys = keysOf(attempt);
      await takeOff(op, ACCOUNT, keys.account);
      await takeOff(op, ADDRESS, keys.address);
    },

    async failed(op, { reaches }, accountId) {
      await write(
        op,
        reaches.map((by) =>
          entry(
            'lockout.started',
            { subject: by === 'account' ? accountId : null },
            { by, seconds: by === 'account' ? config.accountDuration : config.addressDuration },
          ),
        ),
      );
    },

    async clientAuthBlocked(op, attempt) {
      const until = refused.until(() => {
        const { client, address } = clientKeysOf(attempt);
        return [
          { scope: CLIENT, key: client },
          { scope: CLIENT_ADDRESS, key: address },
        ];
      });
      if (until !== undefined) {
        const seconds = Math.ceil((until - op.now.getTime()) / 1000);
        return seconds > 0 ? { retryAfter: seconds } : null;
      }
      const keys = clientKeysOf(attempt);
      const [row] = await op.db.$client<{ resets_at: string }[]>`
        SELECT resets_at FROM failures
        WHERE ((scope = ${CLIENT} AND key = ${keys.client} AND count >= ${config.clientAuthAttempts})
            OR (scope = ${CLIENT_ADDRESS} AND key = ${keys.address} AND count >= ${clientAddressAttempts}))
          AND resets_at > ${op.now.toISOString()}::timestamptz
        ORDER BY resets_at DESC LIMIT 1`;
      return row ? { retryAfter: secondsUntil(op, row.resets_at) } : null;
    },

    async countClientAuthFailure(op, attempt) {
      outsideTransaction(op);
      const keys = clientKeysOf(attempt);
      const now = op.now.toISOString();
      const end = later(op, config.clientAuthDuration);
      // Telling is part of the count: delivered with it, or not at all.
      const rows = await op.db.$client<{ scope: string; count: number }[]>`
        WITH counted AS (
          INSERT INTO failures AS f (scope, key, count, resets_at)
          VALUES (${CLIENT}, ${keys.client}, 1, ${end}::timestamptz),
                 (${CLIENT_ADDRESS}, ${keys.address}, 1, ${end}::timestamptz)
          ON CONFLICT (scope, key) DO UPDATE
            SET count = CASE WHEN f.resets_at > ${now}::timestamptz THEN f.count + 1 ELSE 1 END,
                resets_at = CASE
                  WHEN f.resets_at > ${now}::timestamptz AND f.count + 1 <>
                    CASE f.scope WHEN ${CLIENT} THEN ${config.clientAuthAttempts}::integer
                                 ELSE ${clientAddressAttempts}::integer END
                  THEN f.resets_at ELSE excluded.resets_at END
          RETURNING scope, count,
            CASE f.scope WHEN ${CLIENT} THEN ${config.clientAuthAttempts}::integer
                         ELSE ${clientAddressAttempts}::integer END AS attempts
        )
        SELECT scope, count,
          CASE WHEN count = attempts THEN pg_notify(${REFUSED_CHANNEL}, '')::text END AS told
        FROM counted`;
      const reached: Entry[] = [];
      for (const { scope, count } of rows) {
        const limit = scope === CLIENT ? config.clientAuthAttempts : clientAddressAttempts;
        if (count !== limit) continue;
        refused.forget();
        const by = scope === CLIENT ? 'client' : 'address';
        reached.push(
          entry(
            'lockout.started',
            { client: scope === CLIENT ? attempt.clientId : null },
            { by, seconds: config.clientAuthDuration },
          ),
        );
      }
      await write(op, reached);
    },

    async reserveUserCode(op, address) {
      const most = config.userCodeAttempts;
      const counted = await reserve(op, USER_CODE, address, { most, duration: config.userCodeDuration });
      return counted.allowed ? { allowed: true, reaches: counted.count >= most } : counted;
    },

    reserveRegistration: (op, address, most) =>
      reserve(op, REGISTRATION, address, { most, duration: REGISTRATION_DURATION }),

    giveBackUserCode: (op, address) => takeOff(op, USER_CODE, sha256base64url(networkKey(address))),

    async failedUserCode(op, { reaches }) {
      if (!reaches) return;
      const seconds = config.userCodeDuration;
      await write(op, [entry('lockout.started', {}, { by: 'address', seconds })]);
    },

    watch: refused.watch,
  };
}

/** Removes at most `limit` counters whose time is over; returns how many. */
export async function purgeFailures(op: Op, limit: number): Promise<number> {
  const removed = await op.db.$client`
    DELETE FROM failures WHERE (scope, key) IN (
      SELECT scope, key FROM failures WHERE resets_at <= ${op.now.toISOString()}::timestamptz
      ORDER BY resets_at LIMIT ${limit} FOR UPDATE SKIP LOCKED)`;
  return removed.count;
}
