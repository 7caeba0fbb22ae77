// Random secrets and their hashes. 256 random bits need no slow hash: SHA-256 of them cannot be searched.
import { createHmac, createSecretKey, hash, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';

/** 256 random bits, base64url (43 characters). */
export const newSecret = (): string => randomBytes(32).toString('base64url');

export const sha256 = (value: string): Buffer => hash('sha256', value, 'buffer');

export const sha256base64url = (value: string): string => hash('sha256', value, 'base64url');

/** Equality of two digests in constant time; different lengths are unequal. */
export const sameDigest = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b);

const macKeys = new Map<string, KeyObject>();

/** HMAC-SHA-256 under a configured key in base64 or base64url. `purpose` keeps what one key is used for apart. */
export function mac(key: string, purpose: string, data: string): Buffer {
  // Kept: Node takes a key it knows as one several times faster than the same bytes in a Buffer.
  const known = macKeys.get(key) ?? createSecretKey(key, 'base64');
  macKeys.set(key, known);
  return createHmac('sha256', known).update(`gatehouse ${purpose}\n${data}`).digest();
}
