// Seals secrets that must be read again: AES-256-GCM under a key ring, bound to the table, column and row they
// stand in, so that a value copied to another place is refused (ASVS 11.3.2, 11.3.4). The nonce is random; one
// key is good for 2^32 values.
//
//   version (1) | key id (4) | nonce (12) | ciphertext | tag (16)
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { Problem } from './problems.ts';

const VERSION = 1;
const KEY_ID = 4;
const NONCE = 12;
const TAG = 16;

/** Where a sealed value stands. */
export interface Place {
  table: string;
  column: string;
  /** The row's primary key; several columns joined so that no two rows read the same. */
  row: string;
}

export interface KeyRing {
  /** Eight hex digits of the key that seals. */
  readonly newestKeyId: string;
  /** Eight hex digits of every key, newest first. */
  readonly keyIds: readonly string[];
  seal(plain: Buffer | string, where: Place): Buffer;
  /** Throws `key.unknown` for a key that is not in the ring, Error for a value changed or moved to another place. */
  open(sealed: Buffer, where: Place): Buffer;
}

/** JSON keeps the parts apart whatever they contain: `["a","b:c"]` is not `["a:b","c"]`. */
const placeBytes = (where: Place) => Buffer.from(JSON.stringify([where.table, where.column, where.row]));

function encrypt(key: KeyObject, header: Buffer, context: Buffer, plain: Buffer): Buffer {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG });
  cipher.setAAD(Buffer.concat([header, context]));
  return Buffer.concat([header, nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** The content of a value with a header of `headerLength` bytes; undefined if the tag does not fit. */
function decrypt(key: KeyObject, headerLength: number, context: Buffer, sealed: Buffer): Buffer | undefined {
  const body = headerLength + NONCE;
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(headerLength, body), {
    authTagLength: TAG,
  });
  decipher.setAAD(Buffer.concat([sealed.subarray(0, headerLength), context]));
  decipher.setAuthTag(sealed.subarray(-TAG));
  const start = decipher.update(sealed.subarray(body, -TAG));
  try {
    return Buffer.concat([start, decipher.final()]);
  } catch {
    return undefined;
  }
}

/**
 * An SQL expression: eight hex digits of the key that sealed what stands in `column`; null where nothing is sealed (null
 * or erased), `none` where that has no known form. Says what the value says of itself: only opening it proves it.
 */
export const keyIdInSql = (column: string): string =>
  `CASE WHEN ${column} IS NULL OR length(${column}) = 0 THEN NULL
        WHEN length(${column}) < ${1 + KEY_ID + NONCE + TAG} OR get_byte(${column}, 0) <> ${VERSION} THEN 'none'
        ELSE encode(substring(${column} FROM 2 FOR ${KEY_ID}), 'hex') END`;

const intact = (sealed: Buffer, headerLength: number) =>
  sealed.length >= headerLength + NONCE + TAG && sealed[0] === VERSION;

/** `keys`: 32 bytes each in base64 or base64url, newest first. The first seals, all of them open. */
export function createKeyRing(keys: readonly string[]): KeyRing {
  const ring = new Map<string, KeyObject>();
  for (const [index, text] of keys.entries()) {
    const bytes = Buffer.from(text, 'base64');
    if (bytes.length !== 32) throw new Error(`Key ${index + 1} of the key ring is not 32 bytes.`);
    const id = createHash('sha256').update(bytes).digest().subarray(0, KEY_ID).toString('hex');
    if (ring.has(id)) {
      throw new Error(`Key ${index + 1} of the key ring is there twice, or has the id of another one.`);
    }
    ring.set(id, createSecretKey(bytes));
  }
  const keyIds = [...ring.keys()];
  const newestKeyId = keyIds[0];
  const newest = newestKeyId === undefined ? undefined : ring.get(newestKeyId);
  if (newestKeyId === undefined || newest === undefined) throw new Error('The key ring has no key.');
  const header = Buffer.concat([Buffer.from([VERSION]), Buffer.from(newestKeyId, 'hex')]);
  const idOf = (sealed: Buffer) => sealed.subarray(1, 1 + KEY_ID).toString('hex');

  return {
    newestKeyId,
    keyIds,
    seal: (plain, where) =>
      encrypt(newest, header, placeBytes(where), typeof plain === 'string' ? Buffer.from(plain) : plain),
    open(sealed, where) {
      const at = `${where.table}.${where.column}`;
      if (!intact(sealed, header.length)) throw new Error(`The sealed value in ${at} has no known form.`);
      const key = ring.get(idOf(sealed));
      if (!key) throw new Problem('key.unknown', { cause: `${at} was sealed with key ${idOf(sealed)}` });
      const plain = decrypt(key, header.length, placeBytes(where), sealed);
      if (!plain) throw new Error(`The sealed value in ${at} was changed, or belongs to another row.`);
      return plain;
    },
  };
}

/** HKDF's first step alone (RFC 5869 2.2), the purpose as its salt: one key is derived, so there is nothing to expand. */
const keyUnder = (secret: string, purpose: string) =>
  createSecretKey(createHmac('sha256', `gatehouse seal:${purpose}`).update(secret).digest());
const UNDER = Buffer.from([VERSION]);

/**
 * Seals under a secret that only its holder has: for who shows a refresh token to get its successor again, while
 * the database alone opens nothing. `secret` must have 256 random bits (nothing here slows down guessing). Nothing it
 * seals is meant to last: another derivation, in another version, makes older values unreadable.
 */
export const sealUnder = (secret: string, purpose: string, plain: string): Buffer =>
  encrypt(keyUnder(secret, purpose), UNDER, Buffer.from(purpose), Buffer.from(plain));

/** null: another secret or purpose, or a value that was changed. */
export function openUnder(secret: string, purpose: string, sealed: Buffer): string | null {
  if (!intact(sealed, UNDER.length)) return null;
  return decrypt(keyUnder(secret, purpose), UNDER.length, Buffer.from(purpose), sealed)?.toString() ?? null;
}
