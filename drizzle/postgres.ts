// The one door to postgres.js, as CommonJS, with its queue replaced before the first require: the queue of 3.4.x grows
// by one element per query once a burst has been served and scans all of them on every move, so a server gets slower
// with every query it answers (docs/decisions/0003).
//
// Some of its lines are changed on the way in. As they are, a transaction or reserved connection that breaks goes on
// talking to whatever its connection becomes next: its statements run outside of any transaction, and its rollback ends
// somebody else's. Statements waiting in it are never answered, one more of them ends the process, and what was not yet
// sent is sent to the next connection, or keeps it from ever starting. A connection that breaks in its own first query
// ends the process, too.
import { createRequire, registerHooks } from 'node:module';

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

/** By file: what stands there, and what shall. */
const REPAIRS: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  '/postgres/cjs/src/index.js': [
    [
      '    c.reserved.release = true\n',
      `    c.reserved.release = true
    let lost = null
    c.onclose = e => {
      lost = e
      while (queue.length) queue.shift().reject(e)
    }
`,
    ],
    [
      '    sql.release = () => {\n      c.reserved = null\n',
      '    sql.release = () => {\n      if (lost) return\n      c.reserved = c.onclose = null\n',
    ],
    [
      '    function handler(q) {\n      c.queue === full\n        ? queue.push(q)',
      '    function handler(q) {\n      if (lost) return q.reject(lost)\n      c.queue === full\n        ? queue.push(q)',
    ],
    [
      'new Promise((_, reject) => connection.onclose = reject)',
      `new Promise((_, reject) => connection.onclose = e => {
          lost = e
          while (queries.length) queries.shift().reject(e)
          reject(e)
        })`,
    ],
    [
      '      , connection\n      , prepare = null',
      '      , connection\n      , lost = null\n      , prepare = null',
    ],
    [
      'q.catch(e => uncaughtError || (uncaughtError = e))\n',
      'q.catch(e => uncaughtError || (uncaughtError = e))\n        if (lost) return q.reject(lost)\n',
    ],
  ],
  '/postgres/cjs/src/connection.js': [
    ['        return fetchArrayTypes()\n', '        return fetchArrayTypes().catch(() => {})\n'],
    [
      'incomings = null\n    clearImmediate(nextWriteTimer)\n',
      'incomings = null\n    clearImmediate(nextWriteTimer)\n    nextWriteTimer = chunk = null\n',
    ],
    // Its last statement is kept beyond its end: a server that then refuses the next connection is taken to have answered
    // that one, and the one that waits for the connection waits for ever.
    [
      '    closedTime = performance.now()\n',
      '    query = results = errorResponse = null\n    result = new Result()\n    closedTime = performance.now()\n',
    ],
    [
      '    if (stream)\n      return queryError(q, Errors.generic',
      `    if (!socket) {
      queryError(q, Errors.connection('CONNECTION_CLOSED', options))
      return true
    }

    if (stream)\n      return queryError(q, Errors.generic`,
    ],
  ],
};

/** Runs `load` with the repairs in place; throws when one of them has nothing to repair. */
function repaired<T>(load: () => T): T {
  const open = new Set(Object.keys(REPAIRS));
  const hooks = registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      const file = [...open].find((name) => url.endsWith(name));
      if (!file) return loaded;
      let source = String(loaded.source);
      for (const [from, to] of REPAIRS[file] ?? []) {
        if (source.split(from).length !== 2) throw new Error(`nothing to repair in ${url}: ${from}`);
        source = source.replace(from, () => to);
      }
      open.delete(file);
      return { ...loaded, source };
    },
  });
  try {
    const result = load();
    if (open.size > 0) throw new Error(`not repaired: ${[...open].join(', ')}`);
    return result;
  } finally {
    hooks.deregister();
  }
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
  return repaired(() => require('postgres') as typeof import('postgres'));
}

export const postgres = loadPostgres();
/** Drizzle's driver requires postgres.js itself: here it gets the repaired one. */
export const driver = require('drizzle-orm/postgres-js') as typeof import('drizzle-orm/postgres-js');
