// Random secrets and their hashes. 256 random bits need no slow hash: SHA-256 of them cannot be searched.
import { createHash, hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** 256 random bits, base64url (43 characters). */
export const newSecret = (): string => randomBytes(32).toString('base64url');

export const sha256 = (value: string): Buffer => createHash('sha256').update(value).digest();

export const sha256base64url = (value: string): string => hash('sha256', value, 'base64url');

/** Equality of two digests in constant time; different lengths are unequal. */
export const sameDigest = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b);
