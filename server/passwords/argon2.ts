// argon2id in two implementations that write and read the same PHC strings. `@node-rs/argon2` takes little more than
// half the processor time where its binary loads; `argon2` is the portable baseline (docs/decisions/0004).
// Stored strings have their parameters in the order m,t,p, which is the one other implementations read.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

interface Argon2Parameters {
  /** KiB. */
  memory: number;
  passes: number;
  lanes: number;
}

export const implementations = ['@node-rs/argon2', 'argon2'] as const;
export type Implementation = (typeof implementations)[number];

/** Both functions compute on the thread pool, never on the event loop. */
export interface Argon2 {
  implementation: Implementation;
  hash(password: string, parameters: Argon2Parameters): Promise<string>;
  /** Throws on a string that is not an argon2 PHC string. */
  verify(phc: string, password: string): Promise<boolean>;
}

const inOrder = (phc: string): string =>
  phc.replace(
    /\$m=(\d+),p=(\d+),t=(\d+)\$/,
    (_, m: string, p: string, t: string) => `$m=${m},t=${t},p=${p}$`,
  );

function fast(): Argon2 {
  const library = require('@node-rs/argon2') as typeof import('@node-rs/argon2');
  return {
    implementation: '@node-rs/argon2',
    hash: async (password, { memory, passes, lanes }) =>
      inOrder(
        await library.hash(password, {
          memoryCost: memory,
          timeCost: passes,
          parallelism: lanes,
          outputLen: 32,
        }),
      ),
    verify: (phc, password) => library.verify(inOrder(phc), password),
  };
}

function portable(): Argon2 {
  const library = require('argon2') as typeof import('argon2');
  return {
    implementation: 'argon2',
    hash: async (password, { memory, passes, lanes }) =>
      inOrder(
        await library.hash(password, {
          type: library.argon2id,
          memoryCost: memory,
          timeCost: passes,
          parallelism: lanes,
          hashLength: 32,
        }),
      ),
    verify: (phc, password) => library.verify(phc, password),
  };
}

/** The named implementation, or the fastest whose binary loads here. Throws when none does. */
export function loadArgon2(wanted?: Implementation): Argon2 {
  if (wanted === 'argon2') return portable();
  try {
    return fast();
  } catch (error) {
    if (wanted) throw error;
    return portable();
  }
}
