// The servers under test, as processes of their own on fresh databases: ours, the bound and the ceiling.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { options } from '../config/options.ts';
import { type Connection, closeDatabase, openDatabase } from '../drizzle/database.ts';
import { migrate } from '../drizzle/migrate.ts';
import { create as createAccount } from '../server/accounts/accounts.ts';
import { create as createClient } from '../server/clients/clients.ts';
import { systemOp } from '../server/lib/op.ts';
import { loadArgon2 } from '../server/passwords/argon2.ts';
import { create as createResource } from '../server/resources/resources.ts';
import { urlOf } from '../test/harness/database.ts';
import { freePort, newKey } from '../test/harness/server.ts';
import type { Databases, Fresh } from './databases.ts';
import { API, type App, CLIENT, emailOf, getRequest, PASSWORD, REDIRECT_URI } from './visitor.ts';
import { openWire } from './wire.ts';

export type Name = 'ours' | 'bound' | 'ceiling';

export interface Target extends App {
  name: string;
  pid: number;
  port: number;
  /** Milliseconds from the start of the process to its first answer. */
  startup: number;
  stop(): Promise<void>;
}

export const PEOPLE = 64;

const project = fileURLToPath(new URL('..', import.meta.url));

interface Start {
  name: string;
  args: readonly string[];
  env: Record<string, string>;
  port: number;
  secret: string;
  /** A path that answers 200 when the server is ready. */
  ready: string;
  processor: number | null;
}

/** Runs a program on one processor, or on any. Its output is shown only if it fails. */
export function spawnOn(processor: number | null, args: readonly string[], env: Record<string, string>) {
  const { PATH = '', HOME = '', TMPDIR, NODE_OPTIONS, NODE_COMPILE_CACHE } = process.env;
  const kept = Object.entries({
    PATH,
    HOME,
    TMPDIR,
    NODE_OPTIONS,
    NODE_COMPILE_CACHE,
    NODE_ENV: 'production',
  });
  const command = [
    ...(processor === null ? [] : ['taskset', '-c', String(processor)]),
    process.execPath,
    ...args,
  ];
  const child = spawn(command[0] as string, command.slice(1), {
    cwd: project,
    env: { ...Object.fromEntries(kept.filter(([, value]) => value !== undefined)), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      lines.push(text);
      if (lines.length > 500) lines.shift();
    });
  }
  const exited = once(child, 'exit');
  exited.catch(() => {});
  return { child, lines, stop: () => stop(child, exited) };
}

async function stop(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await exited;
  clearTimeout(late);
}

/** Asks until the answer is 200; throws with the server's output when it exits or takes too long. */
export async function untilReady(child: ChildProcess, lines: readonly string[], port: number, path: string) {
  const wire = openWire(port);
  const deadline = Date.now() + 60_000;
  for (;;) {
    const answer = await wire.ask(getRequest(`localhost:${port}`, path)).catch(() => null);
    if (answer?.status === 200) break;
    if (child.exitCode !== null || Date.now() > deadline) {
      throw new Error(`the server does not start:\n${lines.join('')}`);
    }
    await sleep(10);
  }
  wire.close();
}

async function start({ name, args, env, port, secret, ready, processor }: Start): Promise<Target> {
  const begin = performance.now();
  const { child, lines, stop } = spawnOn(processor, args, { PORT: String(port), ...env });
  try {
    await untilReady(child, lines, port, ready);
  } catch (error) {
    await stop();
    throw error;
  }
  const host = `localhost:${port}`;
  const startup = performance.now() - begin;
  return { name, pid: child.pid ?? 0, port, host, origin: `http://${host}`, secret, startup, stop };
}

let hash: Promise<string> | null = null;

function passwordHash(): Promise<string> {
  const { hashMemory, hashPasses, hashParallelism } = options.passwords;
  hash ??= loadArgon2().hash(PASSWORD, {
    memory: hashMemory.default,
    passes: hashPasses.default,
    lanes: hashParallelism.default,
  });
  return hash;
}

/** The people and the app of the bench, in a migrated database; answers the app's secret. */
export async function seed(connection: Connection): Promise<string> {
  const db = openDatabase(connection, { poolSize: 4, statementTimeout: 30, lockTimeout: 20 }, 'bench');
  try {
    const op = systemOp(db, 'bench');
    const phc = await passwordHash();
    for (let at = 0; at < PEOPLE; at++) {
      await createAccount(op, { email: emailOf(at), name: 'Pat Person', passwordHash: phc, by: 'cli' });
    }
    await createResource(op, { id: API, name: 'Bench API' });
    const { secret } = await createClient(
      op,
      {
        id: CLIENT,
        name: 'Bench',
        redirectUris: [REDIRECT_URI],
        firstParty: true,
        grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
        resources: [API],
      },
      'cli',
    );
    return secret ?? '';
  } finally {
    await closeDatabase(db);
  }
}

/** What the bench asks of ours beside the defaults: no ceiling that its one address would reach, tokens for the run. */
export const SETTINGS = {
  HOST: '127.0.0.1',
  LOG_LEVEL: 'warn',
  LOG_FORMAT: 'json',
  PAGE_RATE_LIMIT: '0',
  ACCOUNT_LOCKOUT_ATTEMPTS: '100',
  ADDRESS_LOCKOUT_ATTEMPTS: '100000',
  HASH_QUEUE: '1000',
  ACCESS_TOKEN_TTL: '86400',
  SESSION_IDLE: '86400',
} as const;

export interface OursOptions {
  processor: number | null;
  name?: string;
  /** For node itself. */
  flags?: readonly string[];
  env?: Record<string, string>;
  /** Before the server starts, with the tables there. */
  prepare?(database: Fresh): Promise<void>;
}

export async function startOurs(databases: Databases, more: OursOptions): Promise<Target> {
  const { name = 'ours', processor, flags = [], env = {} } = more;
  const database = await databases.fresh(name.replaceAll(/\W+/g, '_'));
  await migrate(database.owner, database.app.user);
  const secret = await seed(database.app);
  await more.prepare?.(database);
  const port = await freePort();
  return start({
    name,
    // As `npm start` does.
    args: ['--max-semi-space-size=32', ...flags, 'server/main.ts'],
    env: {
      ...SETTINGS,
      ISSUER: `http://localhost:${port}`,
      DATABASE_URL: urlOf(database.app),
      DATABASE_OWNER_URL: urlOf(database.owner),
      ENCRYPTION_KEYS: newKey(),
      COOKIE_KEYS: newKey(),
      ...env,
    },
    port,
    secret,
    ready: '/readyz',
    processor,
  });
}

export async function startReference(
  databases: Databases,
  name: 'bound' | 'ceiling',
  processor: number | null,
): Promise<Target> {
  const secret = randomBytes(32).toString('base64url');
  const database = name === 'bound' ? await databases.fresh(name) : null;
  return start({
    name,
    args: [`bench/${name}.ts`],
    env: {
      BENCH_SECRET: secret,
      BENCH_PEOPLE: String(PEOPLE),
      BENCH_HASH: await passwordHash(),
      ...(database ? { DATABASE_URL: urlOf(database.owner) } : {}),
    },
    port: await freePort(),
    secret,
    ready: '/.well-known/openid-configuration',
    processor,
  });
}
