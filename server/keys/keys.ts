// Signing keys: made, published, activated, replaced and removed (P8). A key's state follows from its times and
// the clock alone, so that all replicas agree without talking:
//
//   published ──activatesAt──▶ signs ──activatesAt of the next key of its alg──▶ retired ──removedAt──▶ removed
//
// No token is signed by a key that a client could not have fetched: a key is in every replica's JWKS (`settle`)
// before any of them signs with it, and a replaced one stays until no token it signed lives. Private parts are
// sealed by the key ring and destroyed on removal. RFC 7517, RFC 7638, ASVS 11.1.1; docs/decisions/0005.
import { createHash, generateKeyPair, type JsonWebKey, type KeyObject, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type { Config } from '../../config/options.ts';
import { type Database, inTransaction } from '../../drizzle/database.ts';
import { and, asc, eq, isNull, ne, sql } from '../../drizzle/orm.ts';
import { lastingSecrets, signingKeys } from '../../drizzle/schema/keys.ts';
import { entry, write } from '../audit/audit.ts';
import type { Log } from '../lib/log.ts';
import { type Op, systemOp } from '../lib/op.ts';
import type { KeyRing } from '../lib/seal.ts';

/** In the order of the JWKS. */
const ALGS = ['RS256', 'ES256', 'EdDSA'] as const;
export type Alg = (typeof ALGS)[number];

export interface KeySet {
  /** Private JWKs with kid, alg and use: the signing key of each alg first, then the next and the retired ones. */
  jwks: { keys: Record<string, unknown>[] };
  /** Changes when order or membership changes. */
  version: string;
  /** When the set next changes by the clock alone. */
  changesAt: Date | null;
}

type KeyState = 'next' | 'active' | 'retired' | 'removed';

interface KeyListing {
  kid: string;
  alg: Alg;
  state: KeyState;
  publishedAt: Date;
  activatesAt: Date;
  removedAt: Date | null;
}

interface RotateOptions {
  /** One algorithm only; all of them without it. */
  alg?: Alg;
  /** Signs as soon as every replica has it, not after `publishAhead`: apps must fetch the JWKS anew. */
  now?: boolean;
  /** Implies `now`. All older keys of the alg leave the JWKS in the moment the new one signs. */
  compromised?: boolean;
}

interface Rotated {
  kid: string;
  alg: Alg;
  activatesAt: Date;
}

export interface Keys {
  /** Makes first keys, due successors and due removals. Idempotent; safe on many replicas at once. */
  ensure(op: Op): Promise<void>;
  current(op: Op): Promise<KeySet>;
  /** Publishes successors. A successor that is already published is kept, or activated earlier by `now`. */
  rotate(op: Op, options?: RotateOptions): Promise<Rotated[]>;
  list(op: Op): Promise<KeyListing[]>;
  /** 32 random bytes, made at the first call and never replaced: the same on every replica. */
  lasting(op: Op, name: string): Promise<Buffer>;
  /**
   * Calls `apply` with the set there is, before it resolves, and then with every new one: told by NOTIFY, by the
   * clock at `changesAt`, and by looking every `refreshEvery`. Without a database it goes by the keys it knows.
   */
  watch(db: Database, apply: (set: KeySet) => Promise<void> | void): Promise<{ stop(): Promise<void> }>;
}

const CHANNEL = 'gatehouse_keys';
/** Names the advisory lock under which keys are written. */
const LOCK = 'gatehouse.signing_keys';

interface Times {
  kid: string;
  alg: Alg;
  publishedAt: Date;
  activatesAt: Date;
  removedAt: Date | null;
}
interface Row extends Times {
  privateSealed: Buffer;
}
interface OpenKey extends Times {
  jwk: Record<string, unknown>;
}
interface FreshKey {
  kid: string;
  alg: Alg;
  publicJwk: Record<string, unknown>;
  privateSealed: Buffer;
}

const generate = promisify(generateKeyPair);

function generatePair(alg: Alg): Promise<{ publicKey: KeyObject; privateKey: KeyObject }> {
  if (alg === 'RS256') return generate('rsa', { modulusLength: 3072 });
  if (alg === 'ES256') return generate('ec', { namedCurve: 'P-256' });
  return generate('ed25519');
}

/** RFC 7638: SHA-256 over the required members, in lexicographic order. */
export function thumbprint(jwk: JsonWebKey): string {
  const members = { RSA: ['e', 'kty', 'n'], EC: ['crv', 'kty', 'x', 'y'], OKP: ['crv', 'kty', 'x'] }[
    jwk.kty ?? ''
  ];
  if (!members) throw new Error(`no thumbprint for kty ${jwk.kty}`);
  const required = Object.fromEntries(members.map((name) => [name, jwk[name]]));
  return createHash('sha256').update(JSON.stringify(required)).digest('base64url');
}

const before = (a: Times, b: Times) =>
  a.activatesAt.getTime() - b.activatesAt.getTime() || (a.kid < b.kid ? -1 : 1);

const isRemoved = (key: Times, now: Date) => key.removedAt !== null && key.removedAt <= now;

/**
 * The key that signs, of keys of one alg. Should none be active (a replica whose clock is behind that of the one
 * that made the first keys), it is the one that is active first: the alternative is no signature at all.
 */
function signer<K extends Times>(keys: readonly K[], now: Date): K | undefined {
  const live = keys.filter((key) => !isRemoved(key, now)).sort(before);
  return live.findLast((key) => key.activatesAt <= now) ?? live[0];
}

const ofAlg = <K extends Times>(keys: readonly K[], alg: Alg) => keys.filter((key) => key.alg === alg);

function setAt(keys: readonly OpenKey[], now: Date): KeySet {
  const live = keys.filter((key) => !isRemoved(key, now)).sort(before);
  const first = ALGS.map((alg) => signer(ofAlg(live, alg), now)).filter((key) => key !== undefined);
  const ordered = [...first, ...live.filter((key) => !first.includes(key))];
  const changes = live
    .flatMap((key) => [key.activatesAt, key.removedAt])
    .filter((time) => time !== null)
    .map(Number)
    .filter((time) => time > now.getTime());
  return {
    jwks: { keys: ordered.map((key) => key.jwk) },
    version: createHash('sha256')
      .update(ordered.map((key) => key.kid).join())
      .digest('base64url'),
    changesAt: changes.length > 0 ? new Date(Math.min(...changes)) : null,
  };
}

export function createKeys(config: Config['keys'], { ring, log }: { ring: KeyRing; log: Log }): Keys {
  const seconds = (from: Date, add: number) => new Date(from.getTime() + add * 1000);
  /** Every replica has what was published this many seconds ago, even if it was not told and missed one look. */
  const settle = 3 * config.refreshEvery;
  const lead = Math.max(config.publishAhead, settle);
  const sealedAt = (kid: string) => ({ table: 'signing_keys', column: 'private_sealed', row: kid });

  const load = (op: Op): Promise<Row[]> =>
    op.db
      .select({
        kid: signingKeys.kid,
        alg: signingKeys.alg,
        privateSealed: signingKeys.privateSealed,
        publishedAt: signingKeys.publishedAt,
        activatesAt: signingKeys.activatesAt,
        removedAt: signingKeys.removedAt,
      })
      .from(signingKeys)
      .orderBy(asc(signingKeys.activatesAt));

  async function open(op: Op): Promise<OpenKey[]> {
    const rows = await load(op);
    return rows
      .filter((row) => row.privateSealed.length > 0)
      .map(({ privateSealed, ...times }) => ({
        ...times,
        jwk: JSON.parse(ring.open(privateSealed, sealedAt(times.kid)).toString('utf8')),
      }));
  }

  async function make(alg: Alg): Promise<FreshKey> {
    const { publicKey, privateKey } = await generatePair(alg);
    const publicJwk = publicKey.export({ format: 'jwk' });
    const kid = thumbprint(publicJwk);
    const marks = { kid, alg, use: 'sig' };
    const privateJwk = JSON.stringify({ ...privateKey.export({ format: 'jwk' }), ...marks });
    return {
      kid,
      alg,
      publicJwk: { ...publicJwk, ...marks },
      privateSealed: ring.seal(Buffer.from(privateJwk, 'utf8'), sealedAt(kid)),
    };
  }

  /** The newest key of an alg: the only one that is not replaced. */
  const newest = (rows: readonly Row[], alg: Alg) => ofAlg(rows, alg).find((row) => row.removedAt === null);

  /** What the schedule asks for: when a new key of each alg is to sign, and the keys whose time is over. */
  function due(rows: readonly Row[], now: Date) {
    const publish = new Map<Alg, Date>();
    for (const alg of ALGS) {
      const last = newest(rows, alg);
      if (!last) {
        publish.set(alg, rows.length === 0 ? now : seconds(now, settle));
        continue;
      }
      // One successor at a time: a short interval must not pile up keys that wait for `publishAhead`.
      if (last.activatesAt > now) continue;
      const planned = seconds(last.activatesAt, config.rotateEvery);
      if (seconds(planned, -lead) > now) continue;
      publish.set(alg, new Date(Math.max(planned.getTime(), seconds(now, lead).getTime())));
    }
    const destroy = rows.filter((row) => isRemoved(row, now) && row.privateSealed.length > 0);
    return { publish, destroy };
  }

  const lock = (op: Op) => op.db.$client`SELECT pg_advisory_xact_lock(hashtextextended(${LOCK}, 0))`;
  /** Delivered to every replica when the transaction commits. */
  const notify = (op: Op) => op.db.$client`SELECT pg_notify(${CHANNEL}, '')`;

  /** Gives every older key of the alg its end; ends only ever move closer. */
  const replace = (op: Op, by: { kid: string; alg: Alg }, end: Date) =>
    op.db
      .update(signingKeys)
      .set({ removedAt: sql`least(${signingKeys.removedAt}, ${end.toISOString()}::timestamptz)` })
      .where(and(eq(signingKeys.alg, by.alg), ne(signingKeys.kid, by.kid)));

  async function publish(op: Op, key: FreshKey, activatesAt: Date): Promise<Rotated> {
    await op.db.insert(signingKeys).values({ ...key, publishedAt: op.now, activatesAt, removedAt: null });
    await write(op, [
      entry('key.published', {}, { kid: key.kid, alg: key.alg, activatesAt: activatesAt.toISOString() }),
    ]);
    return { kid: key.kid, alg: key.alg, activatesAt };
  }

  async function ensure(op: Op): Promise<void> {
    const wanted = due(await load(op), op.now);
    if (wanted.publish.size === 0 && wanted.destroy.length === 0) return;
    // Made before the lock: a 3072-bit RSA key takes up to a second, and the loser's keys are thrown away.
    const fresh = await Promise.all([...wanted.publish.keys()].map(make));
    await inTransaction(op, async (op) => {
      await lock(op);
      const rows = await load(op);
      const still = due(rows, op.now);
      const plan = fresh.flatMap((key) => {
        const activatesAt = still.publish.get(key.alg);
        return activatesAt ? [{ key, activatesAt }] : [];
      });
      for (const { key, activatesAt } of plan) {
        await publish(op, key, activatesAt);
        await replace(op, key, seconds(activatesAt, config.keepAfter));
      }
      for (const row of still.destroy) {
        await op.db
          .update(signingKeys)
          .set({ privateSealed: Buffer.alloc(0) })
          .where(eq(signingKeys.kid, row.kid));
        // Of a compromised key this was recorded with the order to remove it: its end is its successor's start.
        const ordered = ofAlg(rows, row.alg).some((one) => Number(one.activatesAt) === Number(row.removedAt));
        if (!ordered) {
          await write(op, [entry('key.removed', {}, { kid: row.kid, alg: row.alg, reason: 'replaced' })]);
        }
      }
      if (plan.length > 0 || still.destroy.length > 0) await notify(op);
    });
  }

  async function rotate(op: Op, options: RotateOptions = {}): Promise<Rotated[]> {
    const algs = options.alg ? [options.alg] : ALGS;
    const fresh = await Promise.all(algs.map(make));
    return inTransaction(op, async (op) => {
      await lock(op);
      const rows = await load(op);
      const done: Rotated[] = [];
      for (const key of fresh) {
        const last = newest(rows, key.alg);
        if (options.compromised) {
          const rotated = await publish(op, key, seconds(op.now, settle));
          await replace(op, key, rotated.activatesAt);
          for (const old of ofAlg(rows, key.alg).filter((row) => !isRemoved(row, op.now))) {
            await write(op, [
              entry('key.removed', {}, { kid: old.kid, alg: old.alg, reason: 'compromised' }),
            ]);
          }
          done.push(rotated);
        } else if (last && last.activatesAt > op.now) {
          done.push(await hasten(op, last, options.now === true));
        } else {
          const activatesAt = last || rows.length > 0 ? seconds(op.now, options.now ? settle : lead) : op.now;
          const rotated = await publish(op, key, activatesAt);
          await replace(op, key, seconds(activatesAt, config.keepAfter));
          done.push(rotated);
        }
      }
      await notify(op);
      return done;
    });
  }

  /** A successor that is already published signs as soon as it has been so long enough. */
  async function hasten(op: Op, next: Row, now: boolean): Promise<Rotated> {
    const earliest = new Date(Math.max(Number(op.now), Number(seconds(next.publishedAt, settle))));
    const activatesAt = now && earliest < next.activatesAt ? earliest : next.activatesAt;
    if (activatesAt !== next.activatesAt) {
      await op.db
        .update(signingKeys)
        .set({ activatesAt })
        .where(and(eq(signingKeys.kid, next.kid), isNull(signingKeys.removedAt)));
      await replace(op, next, seconds(activatesAt, config.keepAfter));
      await write(op, [
        entry('key.published', {}, { kid: next.kid, alg: next.alg, activatesAt: activatesAt.toISOString() }),
      ]);
    }
    return { kid: next.kid, alg: next.alg, activatesAt };
  }

  async function list(op: Op): Promise<KeyListing[]> {
    const rows = await load(op);
    return rows.map(({ privateSealed: _, ...key }) => {
      const state = (): KeyState => {
        if (isRemoved(key, op.now)) return 'removed';
        if (signer(ofAlg(rows, key.alg), op.now)?.kid === key.kid) return 'active';
        return key.activatesAt > op.now ? 'next' : 'retired';
      };
      return { ...key, state: state() };
    });
  }

  async function lasting(op: Op, name: string): Promise<Buffer> {
    const place = { table: 'lasting_secrets', column: 'sealed', row: name };
    // Of replicas that make one at the same time, one does.
    await op.db
      .insert(lastingSecrets)
      .values({ name, sealed: ring.seal(randomBytes(32), place), createdAt: op.now })
      .onConflictDoNothing();
    const [row] = await op.db.select().from(lastingSecrets).where(eq(lastingSecrets.name, name));
    if (!row) throw new Error(`no secret ${name}`);
    return ring.open(row.sealed, place);
  }

  async function watch(db: Database, apply: (set: KeySet) => Promise<void> | void) {
    let known = await open(systemOp(db, 'keys'));
    let applied: string | undefined;
    let timer: NodeJS.Timeout | undefined;
    let stopped = false;
    let away = false;
    let round: Promise<void> = Promise.resolve();
    let unlisten: (() => Promise<unknown>) | undefined;

    async function applyKnown(): Promise<void> {
      const set = setAt(known, new Date());
      if (set.version !== applied) {
        await apply(set);
        applied = set.version;
      }
      clearTimeout(timer);
      if (stopped) return;
      const untilChange = set.changesAt ? set.changesAt.getTime() - Date.now() + 1 : Number.POSITIVE_INFINITY;
      timer = setTimeout(look, Math.max(1, Math.min(untilChange, config.refreshEvery * 1000)));
    }

    /** Queues a look behind the one under way, so that sets are applied one after the other. */
    function look(): void {
      round = round.then(lookOnce);
    }

    async function lookOnce(): Promise<void> {
      if (stopped) return;
      try {
        known = await open(systemOp(db, 'keys'));
        away = false;
      } catch (error) {
        if (!away) log.warn({ err: error }, 'signing keys could not be read; going by those known');
        away = true;
      }
      try {
        await applyKnown();
      } catch (error) {
        log.error({ err: error }, 'a new set of signing keys could not be put to use; trying again');
        clearTimeout(timer);
        if (!stopped) timer = setTimeout(look, config.refreshEvery * 1000);
      }
    }

    await applyKnown();
    try {
      // postgres.js connects and listens again by itself after a loss, and calls the second `look` each time.
      unlisten = (await db.$client.listen(CHANNEL, look, look)).unlisten;
    } catch (error) {
      // Not fatal: looking every few seconds suffices.
      log.warn({ err: error }, 'not told of new signing keys; looking for them instead');
    }
    return {
      async stop() {
        stopped = true;
        clearTimeout(timer);
        await round;
        await unlisten?.().catch(() => {});
      },
    };
  }

  return { ensure, current: async (op) => setAt(await open(op), op.now), rotate, list, lasting, watch };
}
