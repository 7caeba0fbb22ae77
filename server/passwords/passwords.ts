// Passwords: what may be one, and their argon2id hashes, computed in a bounded queue of their own.
// Rules of NIST SP 800-63B-4 §3.1.1 and ASVS 6.2: length, known and guessable ones, nothing about character classes;
// never cut or trimmed, compared in NFC. A name nobody has costs a hash too, so that times tell nothing (ATK-A095);
// a full queue refuses at once (ATK-A112); too long a password is refused before any work (ATK-A109).
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import type { Config } from '../../config/options.ts';
import { Problem } from '../lib/problems.ts';
import { type Argon2, type Implementation, loadArgon2 } from './argon2.ts';
import { fold, isListed } from './breached.ts';
import { isForeign, verifyForeign } from './foreign.ts';
import { contextWords, isGuessable, without } from './guessable.ts';

export { readForeign } from './foreign.ts';

/** In characters (code points), after NFC. Everyone may use this many, and nobody more. */
const MAX_LENGTH = 256;

/** Whose password it is: their name and address must not carry it. */
interface AboutPerson {
  email?: string | undefined;
  name?: string | null | undefined;
  /** No second factor protects the account: the longer minimum applies. */
  singleFactor: boolean;
}

interface QueueStats {
  running: number;
  waiting: number;
  /** Since the start. */
  done: number;
  refused: number;
  /** Of late, without the wait. */
  milliseconds: number;
}

export interface Passwords {
  /** The library in use, for `doctor` and the metrics. */
  implementation: Implementation;
  /** PHC string. Throws password.tooLong, and server.busy when the queue is full. */
  hash(password: string): Promise<string>;
  /**
   * Null (no such account, or one without a password) costs the same and is never ok. `outdated`: the password should
   * be hashed anew with today's parameters. A wrong one against an outdated hash costs a hash of today beside, so that
   * it is never answered sooner than for a name nobody has. Throws password.tooLong, and server.busy when the queue is
   * full.
   */
  verify(stored: string | null, password: string): Promise<{ ok: boolean; outdated: boolean }>;
  /** Throws a Problem `password.…` that says what to change. */
  check(password: string, about: AboutPerson): void;
  stats(): QueueStats;
}

const characters = (text: string): number => {
  let count = 0;
  for (const _ of text) count++;
  return count;
};

/** The password as it is hashed: NFC. Throws password.tooLong, before anything that costs. */
function admit(password: string): string {
  // NFC may shorten a string to a third of its units at most; a code point has at most two of them.
  if (password.length > 3 * 2 * MAX_LENGTH) throw new Problem('password.tooLong');
  const normal = password.normalize('NFC');
  if (characters(normal) > MAX_LENGTH) throw new Problem('password.tooLong');
  return normal;
}

const PHC = /^\$argon2(?:id|i|d)\$/;

export function createPasswords(
  config: Config['passwords'],
  context: { words: readonly string[] },
  argon2: Argon2 = loadArgon2(),
): Passwords {
  const parameters = {
    memory: config.hashMemory,
    passes: config.hashPasses,
    lanes: config.hashParallelism,
  };
  const current = `$argon2id$v=19$m=${parameters.memory},t=${parameters.passes},p=${parameters.lanes}$`;
  const unpadded = (bytes: number) => randomBytes(bytes).toString('base64').replace(/=+$/, '');
  const nobodys = `${current}${unpadded(16)}$${unpadded(32)}`;
  const queue = createQueue(
    config.hashConcurrency || Math.max(1, availableParallelism() - 1),
    config.hashQueue,
  );

  return {
    implementation: argon2.implementation,
    stats: queue.stats,

    async hash(password) {
      const normal = admit(password);
      return queue.run(() => argon2.hash(normal, parameters));
    },

    async verify(stored, password) {
      const normal = admit(password);
      const foreign = stored !== null && isForeign(stored);
      const usable = stored !== null && (foreign || PHC.test(stored));
      const outdated = usable && !stored.startsWith(current);
      const ok = await queue.run(async () => {
        if (!outdated) return argon2.verify(usable ? stored : nobodys, normal);
        const right = await (foreign ? verifyForeign(stored, password) : argon2.verify(stored, normal));
        if (!right) await argon2.verify(nobodys, normal);
        return right;
      });
      return { ok: usable && ok, outdated };
    },

    check(password, about) {
      const normal = admit(password);
      const min = about.singleFactor ? config.minLengthSingleFactor : config.minLength;
      const length = characters(normal);
      if (/[\p{Cc}\p{Cs}]/u.test(normal)) throw new Problem('password.forbiddenCharacter');
      if (length < min) {
        throw new Problem('password.tooShort', {
          message: `The password is too short: use at least ${min} characters (this one has ${length}).`,
        });
      }
      const folded = fold(normal);
      if (isListed(folded)) throw new Problem('password.breached');
      if (isGuessable(folded, min)) throw new Problem('password.guessable');
      const { word, rest } = without(folded, contextWords(context.words, about));
      if (word !== null && (characters(rest) < min || isListed(rest) || isGuessable(rest, min))) {
        throw new Problem('password.contextual', {
          message: `The password contains “${word}”: leave out your name, your e-mail address and the name of this service, or add at least ${min} other characters.`,
        });
      }
    },
  };
}

/** At most `width` tasks at once and `depth` waiting, first come first served; one more throws server.busy. */
function createQueue(width: number, depth: number) {
  const waiting: Array<() => void> = [];
  let running = 0;
  let done = 0;
  let refused = 0;
  let milliseconds = 0;

  return {
    stats: (): QueueStats => ({ running, waiting: waiting.length, done, refused, milliseconds }),

    async run<T>(task: () => Promise<T>): Promise<T> {
      if (running >= width) {
        if (waiting.length >= depth) {
          refused++;
          const seconds = Math.ceil((waiting.length * milliseconds) / width / 1000);
          throw new Problem('server.busy', { retryAfter: Math.max(1, seconds) });
        }
        // The one that ends hands its place over, so `running` stays as it is.
        await new Promise<void>((resume) => waiting.push(resume));
      } else running++;
      const start = performance.now();
      try {
        return await task();
      } finally {
        done++;
        const took = performance.now() - start;
        milliseconds = milliseconds === 0 ? took : milliseconds * 0.9 + took * 0.1;
        const next = waiting.shift();
        if (next) next();
        else running--;
      }
    },
  };
}

/** Words of an address that say nothing about a service. */
const COMMON_LABELS = new Set([
  'auth',
  'login',
  'home',
  'localhost',
  'account',
  'accounts',
  'test',
  'example',
  'local',
]);

/** What a password may not be built from here: the product's name and the labels of the issuer's host (ASVS 6.1.2). */
export const serviceWords = (issuer: string): string[] => [
  'gatehouse',
  ...new URL(issuer).hostname
    .split('.')
    .slice(0, -1)
    .filter((label) => label.length >= 4 && !COMMON_LABELS.has(label)),
];
