// Hashes that other systems made: read when accounts are imported, verified until the person's next sign-in replaces
// them. Each is stored in one form per algorithm, as a PHC-like string; argon2 is stored as it came and is argon2.ts's.
// A hash brings its own cost along, so what would cost more than a few seconds or 256 MiB is refused when it is read:
// else whoever knows such an account's address could keep the queue busy (ATK-A112). So is one of under 16 bytes, which
// could be met by chance.
import {
  createCipheriv,
  createHash,
  pbkdf2 as pbkdf2Callback,
  type ScryptOptions,
  scrypt as scryptCallback,
  timingSafeEqual,
} from 'node:crypto';
import { promisify } from 'node:util';
import library from 'bcrypt';
import { Problem } from '../lib/problems.ts';

// All of them compute on the thread pool.
const pbkdf2 = promisify(pbkdf2Callback);
const scrypt = promisify<Buffer, Buffer, number, ScryptOptions, Buffer>(scryptCallback);

const COST = { least: 4, most: 16 };
/** KiB of argon2, and KiB times passes. */
const ARGON2_MEMORY = 256 * 1024;
const ARGON2_WORK = 1024 * 1024;
/** N·r of 128 bytes each: 256 MiB; N·r·p; and p. */
const SCRYPT_MEMORY = 2 ** 21;
const SCRYPT_WORK = 2 ** 22;
const SCRYPT_LANES = 16;
/** Iterations times blocks of output. */
const PBKDF2_WORK = 4_000_000;
const HASH_BYTES = { least: 16, most: 64 };
const SALT_BYTES = 256;

const DIGESTS: Readonly<Record<string, number>> = { sha1: 20, sha256: 32, sha512: 64 };
/** bcrypt looks at no more of a password. */
const BCRYPT_BYTES = 72;

const tooCostly = (what: string) =>
  new Problem('password.hashTooCostly', {
    message: `The hash would cost too much at a sign-in: ${what}. Import the account without it, and let the person choose a new password.`,
  });
const malformed = () => new Problem('password.hashMalformed');

/** Standard or URL-safe base64, or passlib's with a dot; padded or not. Null when it is none, or not as an encoder writes it. */
function decoded(text: unknown): Buffer | null {
  if (typeof text !== 'string') return null;
  const plain = text
    .replace(/={1,2}$/, '')
    .replace(/[-.]/g, '+')
    .replaceAll('_', '/');
  if (!/^[A-Za-z0-9+/]+$/.test(plain)) return null;
  const bytes = Buffer.from(plain, 'base64');
  return encoded(bytes) === plain ? bytes : null;
}

const encoded = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');

function fits(salt: Buffer | null, hash: Buffer | null): asserts salt is Buffer {
  const long = hash?.length ?? 0;
  if (!salt || salt.length < 1 || salt.length > SALT_BYTES) throw malformed();
  if (long < HASH_BYTES.least || long > HASH_BYTES.most) throw malformed();
}

/** A number from 1. */
function count(value: unknown): number {
  const text = String(value);
  if (!/^[1-9]\d{0,14}$/.test(text)) throw malformed();
  return Number(text);
}

function bcrypt(text: string): string {
  const [, cost] = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(text) ?? [];
  if (cost === undefined) throw malformed();
  if (Number(cost) < COST.least) throw malformed();
  if (Number(cost) > COST.most) throw tooCostly(`bcrypt with a cost of ${cost}, over ${COST.most}`);
  return text;
}

/** The parameters in either order; a version of 16 is also that of a string without one. */
function argon2(text: string): string {
  const match =
    /^\$argon2(?:id|i|d)\$(?:v=(?:16|19)\$)?m=(\d+),(?:t=(\d+),p=(\d+)|p=(\d+),t=(\d+))\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(
      text,
    );
  if (!match) throw malformed();
  const [memory, passes, lanes] = [count(match[1]), count(match[2] ?? match[5]), count(match[3] ?? match[4])];
  const salt = decoded(match[6]);
  fits(salt, decoded(match[7]));
  if (salt.length < 8 || memory < 8 * lanes) throw malformed();
  if (memory > ARGON2_MEMORY) throw tooCostly(`argon2 with ${memory} KiB of memory, over ${ARGON2_MEMORY}`);
  if (memory * passes > ARGON2_WORK || lanes > 16) {
    throw tooCostly(`argon2 with ${memory} KiB, ${passes} passes and ${lanes} lanes`);
  }
  return text;
}

/** `n` is the cost itself, a power of two. */
function scryptOf(n: number, r: number, p: number, salt: Buffer | null, hash: Buffer | null): string {
  fits(salt, hash);
  const log = Math.log2(n);
  // RFC 7914, 2: N is below 2^(128·r/8).
  if (n < 2 || !Number.isInteger(log) || log >= 16 * r) throw malformed();
  if (n * r > SCRYPT_MEMORY || n * r * p > SCRYPT_WORK || p > SCRYPT_LANES)
    throw tooCostly(`scrypt with N=${n}, r=${r}, p=${p}`);
  return `$scrypt$ln=${log},r=${r},p=${p}$${encoded(salt)}$${encoded(hash as Buffer)}`;
}

function pbkdf2Of(digest: string, iterations: unknown, salt: Buffer | null, hash: Buffer | null): string {
  const size = Object.hasOwn(DIGESTS, digest) ? DIGESTS[digest] : undefined;
  if (size === undefined) throw new Problem('password.hashUnknown');
  fits(salt, hash);
  const rounds = count(iterations);
  if (rounds * Math.ceil((hash as Buffer).length / size) > PBKDF2_WORK) {
    throw tooCostly(`PBKDF2 with ${rounds} iterations, over ${PBKDF2_WORK} times the blocks it derives`);
  }
  return `$pbkdf2-${digest}$i=${rounds}$${encoded(salt)}$${encoded(hash as Buffer)}`;
}

/** What Django writes: the name of a hasher, then its own form. */
function django(hasher: string, rest: string): string {
  if (hasher === 'argon2') return argon2(`$${rest}`);
  if (hasher === 'bcrypt') return bcrypt(rest);
  if (hasher === 'bcrypt_sha256') return `$bcrypt-sha256hex${bcrypt(rest)}`;
  const parts = rest.split('$');
  if (hasher === 'scrypt') {
    const [n, salt = '', r, p, hash] = parts;
    if (parts.length !== 5) throw malformed();
    return scryptOf(count(n), count(r), count(p), Buffer.from(salt), decoded(hash));
  }
  const [iterations, salt = '', hash] = parts;
  if (parts.length !== 3) throw malformed();
  return pbkdf2Of(hasher.replace('pbkdf2_', ''), iterations, Buffer.from(salt), decoded(hash));
}

/** ASP.NET Core Identity version 3: a 1, then four bytes each for digest, iterations and length of the salt. */
function identity(bytes: Buffer): string {
  if (bytes.length < 13) throw malformed();
  const [digest, iterations, length] = [bytes.readUInt32BE(1), bytes.readUInt32BE(5), bytes.readUInt32BE(9)];
  const salt = bytes.subarray(13, 13 + length);
  const name = Object.keys(DIGESTS)[digest];
  if (name === undefined || salt.length !== length) throw malformed();
  return pbkdf2Of(name, iterations, salt, bytes.subarray(13 + length));
}

type Json = Readonly<Record<string, unknown>>;

function objectIn(value: unknown): Json {
  try {
    const parsed: unknown = typeof value === 'string' ? JSON.parse(value) : value;
    if (typeof parsed === 'object' && parsed !== null) return parsed as Json;
  } catch {}
  throw malformed();
}

/** A credential of Keycloak: as exported now, with two JSON texts inside, or all in one as before version 9. */
function keycloak(credential: Json): string {
  const data = 'credentialData' in credential ? objectIn(credential.credentialData) : credential;
  const secret = 'secretData' in credential ? objectIn(credential.secretData) : credential;
  const [salt, hash] = [decoded(secret.salt), decoded(secret.value)];
  const { algorithm, hashIterations } = data;
  if (algorithm === 'argon2') {
    const extra = objectIn(data.additionalParameters);
    const first = (name: string) => String([extra[name]].flat()[0]);
    const version = { '1.3': 19, '1.0': 16 }[first('version')];
    fits(salt, hash);
    const parameters = `m=${first('memory')},t=${hashIterations},p=${first('parallelism')}`;
    return argon2(
      `$argon2${first('type')}$v=${version}$${parameters}$${encoded(salt)}$${encoded(hash as Buffer)}`,
    );
  }
  const [, digest = 'sha1'] = /^pbkdf2(?:-(.+))?$/.exec(String(algorithm)) ?? [null, ''];
  return pbkdf2Of(digest, hashIterations, salt, hash);
}

/** A user's `passwordHash` and `salt` together with the project's hash parameters, by their names in the console. */
function firebase(user: Json): string {
  const [salt, hash] = [decoded(user.salt), decoded(user.passwordHash)];
  fits(salt, hash);
  const [separator, key] = [decoded(user.base64_salt_separator), decoded(user.base64_signer_key)];
  const [log, r] = [count(user.mem_cost), count(user.rounds)];
  if (!separator || separator.length > SALT_BYTES || key?.length !== (hash as Buffer).length || log >= 16 * r)
    throw malformed();
  if (2 ** log * r > SCRYPT_MEMORY) throw tooCostly(`scrypt with mem_cost=${log}, rounds=${r}`);
  const parameters = `ln=${log},r=${r},sep=${encoded(separator)},key=${encoded(key)}`;
  return `$firebase-scrypt$${parameters}$${encoded(salt)}$${encoded(hash as Buffer)}`;
}

/**
 * What to store for a hash of another system, a text or an object of it. Throws password.hashUnknown,
 * password.hashMalformed, password.hashTooCostly, none of which repeats it.
 */
export function readForeign(given: unknown): string {
  if (typeof given === 'object' && given !== null) {
    if ('base64_signer_key' in given) return firebase(given as Json);
    if ('credentialData' in given || 'hashIterations' in given) return keycloak(given as Json);
    throw new Problem('password.hashUnknown');
  }
  if (typeof given !== 'string') throw new Problem('password.hashUnknown');
  if (/^\$2[aby]\$/.test(given)) return bcrypt(given);
  if (/^\$argon2/.test(given)) return argon2(given);
  const passlibScrypt = /^\$scrypt\$ln=(\d{1,2}),r=(\d+),p=(\d+)\$([^$]+)\$([^$]+)$/.exec(given);
  if (passlibScrypt) {
    const [, log, r, p, salt, hash] = passlibScrypt;
    return scryptOf(2 ** Number(log), count(r), count(p), decoded(salt), decoded(hash));
  }
  const passlibPbkdf2 = /^\$pbkdf2(?:-(sha\d+))?\$(\d+)\$([^$]+)\$([^$]+)$/.exec(given);
  if (passlibPbkdf2) {
    const [, digest = 'sha1', rounds, salt, hash] = passlibPbkdf2;
    return pbkdf2Of(digest, rounds, decoded(salt), decoded(hash));
  }
  const named = /^(argon2|bcrypt|bcrypt_sha256|scrypt|pbkdf2_sha1|pbkdf2_sha256)\$(.+)$/.exec(given);
  if (named) return django(named[1] as string, named[2] as string);
  if (given.startsWith('AQAAAA')) return identity(decoded(given) ?? Buffer.alloc(0));
  throw new Problem('password.hashUnknown');
}

/** Made by none of our libraries: `verifyForeign` is to be asked. */
export const isForeign = (stored: string): boolean => /^\$(?:2|bcrypt|scrypt|pbkdf2|firebase)/.test(stored);

/** The library knows no `2y`, which PHP writes for what everybody else calls `2b`. */
const verifyBcrypt = (typed: Buffer | string, stored: string): Promise<boolean> =>
  library.compare(typed, stored.replace(/^\$2y\$/, '$2b$'));

/** `password` as it was typed: whoever made the hash did not normalise it. */
export async function verifyForeign(stored: string, password: string): Promise<boolean> {
  const typed = Buffer.from(password);
  if (stored.startsWith('$2')) {
    // bcrypt repeats a password with a zero byte between, so that `a` and `a␀a` have the same hash. Nobody types that.
    if (typed.includes(0)) return false;
    // Cut as the other system did: what came behind, the hash does not know.
    return verifyBcrypt(typed.subarray(0, BCRYPT_BYTES), stored);
  }
  const [, kind = '', ...parts] = stored.split('$');
  if (kind === 'bcrypt-sha256hex') {
    return verifyBcrypt(createHash('sha256').update(typed).digest('hex'), `$${parts.join('$')}`);
  }
  const [salt, hash] = [Buffer.from(parts[1] ?? '', 'base64'), Buffer.from(parts[2] ?? '', 'base64')];
  const parameters = new Map(
    (parts[0] ?? '').split(',').map((one) => one.split(/=(.*)/) as [string, string]),
  );
  const number = (name: string) => Number(parameters.get(name));
  const computed = await derived(kind, typed, salt, hash.length, number, (name) =>
    Buffer.from(parameters.get(name) ?? '', 'base64'),
  );
  return computed.length === hash.length && timingSafeEqual(computed, hash);
}

async function derived(
  kind: string,
  typed: Buffer,
  salt: Buffer,
  length: number,
  number: (name: string) => number,
  bytes: (name: string) => Buffer,
): Promise<Buffer> {
  if (kind.startsWith('pbkdf2-'))
    return pbkdf2(typed, salt, number('i'), length, kind.slice('pbkdf2-'.length));
  const [N, r] = [2 ** number('ln'), number('r')];
  // OpenSSL counts a little more than the table of 128·N·r bytes.
  const maxmem = 128 * r * (N + SCRYPT_LANES) + 2 ** 20;
  if (kind === 'scrypt') return scrypt(typed, salt, length, { N, r, p: number('p'), maxmem });
  // Firebase encrypts a key of the project under what scrypt derives; the ciphertext is the hash.
  const key = await scrypt(typed, Buffer.concat([salt, bytes('sep')]), 64, { N, r, p: 1, maxmem });
  const cipher = createCipheriv('aes-256-ctr', key.subarray(0, 32), Buffer.alloc(16));
  return Buffer.concat([cipher.update(bytes('key')), cipher.final()]);
}
