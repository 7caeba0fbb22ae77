// The one door to drizzle-orm and postgres.js.
//
// Drizzle is loaded as CommonJS: its ES module graph costs half a second and over 100 MB on Node 24
// (nodejs/node#58126). postgres.js is loaded as CommonJS too, with its queue replaced before the first
// require: the queue of 3.4.x grows by one element per query once a burst has been served and scans all of
// them on every move, so a server gets slower with every query it answers (docs/decisions/0003).
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** The version whose internals the replaced queue was written against; a start with another one fails. */
const POSTGRES_VERSION = '3.4.9';

interface Queue<T> {
  readonly length: number;
  push(x: T): T;
  shift(): T | undefined;
  remove(x: T): T | null;
}

/** postgres.js' queue contract over a plain array: lengths here are tens, where shift() is as fast as it gets. */
function plainQueue<T>(initial: readonly T[] = []): Queue<T> {
  const items = [...initial];
  return {
    get length() {
      return items.length;
    },
    push(x) {
      items.push(x);
      return x;
    },
    shift: () => items.shift(),
    remove(x) {
      const at = items.indexOf(x);
      if (at === -1) return null;
      items.splice(at, 1);
      return x;
    },
  };
}

function loadPostgres(): typeof import('postgres') {
  const entry = require.resolve('postgres');
  const { version } = require(entry.replace(/cjs.src.index\.js$/, 'package.json')) as { version: string };
  const queuePath = entry.replace(/index\.js$/, 'queue.js');
  const original = require(queuePath) as (() => object) | undefined;
  const shape = typeof original === 'function' ? Object.keys(original()).sort().join() : 'missing';
  if (version !== POSTGRES_VERSION || shape !== 'length,push,remove,shift') {
    throw new Error(
      `postgres.js ${version} (queue: ${shape}) is not the ${POSTGRES_VERSION} its replaced queue was written for; see docs/decisions/0003`,
    );
  }
  const cached = require.cache[queuePath];
  if (!cached) throw new Error('postgres.js queue module is not in the require cache');
  cached.exports = plainQueue;
  return require('postgres') as typeof import('postgres');
}

export const postgres = loadPostgres();
export const orm = require('drizzle-orm') as typeof import('drizzle-orm');
export const pg = require('drizzle-orm/pg-core') as typeof import('drizzle-orm/pg-core');
export const driver = require('drizzle-orm/postgres-js') as typeof import('drizzle-orm/postgres-js');

export const { sql, eq, ne, and, or, gt, inArray, isNull, desc, asc } = orm;
