// Real server processes on one database, and the people and apps that use them: what races, replicas and faults
// are played with. Requests go to the process that is named, with the cookies of one browser.
import { randomBytes } from 'node:crypto';
import type { Test } from 'tap';
import type { Database } from '../../drizzle/database.ts';
import { create as createAccount } from '../../server/accounts/accounts.ts';
import { create as createClient, type NewClient } from '../../server/clients/clients.ts';
import { type Op, systemOp } from '../../server/lib/op.ts';
import { createPasswords } from '../../server/passwords/passwords.ts';
import { authorizePath, complete, PASSWORD, pkce, type TestClient } from './app.ts';
import { type Visitor, visitor } from './browser.ts';
import { freshDatabase, openPool, type TestDatabase } from './database.ts';
import { type Answer, type ServerProcess, startReplicas } from './server.ts';

interface Person {
  id: string;
  email: string;
}

export interface TokenAnswer {
  status: number;
  body: Record<string, string>;
}

export interface Code {
  code: string;
  verifier: string;
}

/** What is the same whatever runs the processes: accounts and apps in the database, and what they ask. */
export interface Cast {
  op(): Op;
  person(email?: string): Promise<Person>;
  client(more?: Partial<NewClient>): Promise<TestClient>;
}

export interface Fleet extends Cast {
  database: TestDatabase;
  db: Database;
  servers: ServerProcess[];
  /** One of them, by turns. */
  at(turn: number): ServerProcess;
  browser(): Visitor;
}

/** Cheap hashes: what is measured here is never the password. */
export const CHEAP = { ARGON2_MEMORY: '7168', ARGON2_PASSES: '1' };

export function castOn(db: Database): Cast {
  const passwords = createPasswords(
    {
      minLength: 8,
      minLengthSingleFactor: 15,
      hashMemory: 7168,
      hashPasses: 1,
      hashParallelism: 1,
      hashConcurrency: 1,
      hashQueue: 10,
    },
    { words: [] },
  );
  const op = () => systemOp(db, 'test');
  let hash: Promise<string> | null = null;
  return {
    op,
    async person(email = `person-${randomBytes(4).toString('hex')}@example.org`) {
      hash ??= passwords.hash(PASSWORD);
      const account = { email, name: 'Pat Person', passwordHash: await hash, by: 'cli' as const };
      return { id: (await createAccount(op(), account)).id, email };
    },
    async client(more = {}) {
      const redirectUri = more.redirectUris?.[0] ?? 'https://rp.test/cb';
      const described = { name: 'Test App', redirectUris: [redirectUri], ...more };
      const { client, secret } = await createClient(op(), described, 'cli');
      return { row: client, id: client.id, secret, redirectUri };
    },
  };
}

export async function startFleet(
  t: Test,
  { count = 2, env = {} }: { count?: number; env?: Record<string, string> } = {},
): Promise<Fleet> {
  const database = await freshDatabase(t);
  const servers = await startReplicas(t, count, {
    database,
    env: { ...CHEAP, PAGE_RATE_LIMIT: '0', ...env },
  });
  const db = openPool(t, database.app, 4);
  return {
    ...castOn(db),
    database,
    db,
    servers,
    at: (turn) => servers[turn % servers.length] as ServerProcess,
    browser: () => visitor(servers[0]?.issuer ?? ''),
  };
}

const authorization = ({ id, secret }: Pick<TestClient, 'id' | 'secret'>): Record<string, string> =>
  secret
    ? { authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${secret}`).toString('base64')}` }
    : {};

/** An app's request to an endpoint it authenticates at. */
export const appAsks = (
  server: ServerProcess,
  client: Pick<TestClient, 'id' | 'secret'>,
  path: string,
  form: Record<string, string>,
  timeout?: number,
): Promise<Answer> =>
  server.ask(path, {
    headers: authorization(client),
    body: client.secret ? form : { client_id: client.id, ...form },
    ...(timeout === undefined ? {} : { timeout }),
  });

const read = ({ status, body }: Answer): TokenAnswer => ({
  status,
  body: /^\s*\{/.test(body) ? JSON.parse(body) : { unreadable: body.slice(0, 300) },
});

export const redeem = async (
  server: ServerProcess,
  client: TestClient,
  { code, verifier }: Code,
): Promise<TokenAnswer> =>
  read(
    await appAsks(server, client, '/oauth2/token', {
      grant_type: 'authorization_code',
      code,
      redirect_uri: client.redirectUri,
      code_verifier: verifier,
    }),
  );

export const refresh = async (
  server: ServerProcess,
  client: TestClient,
  token: string,
): Promise<TokenAnswer> =>
  read(await appAsks(server, client, '/oauth2/token', { grant_type: 'refresh_token', refresh_token: token }));

/** 200 as long as the access token lives. */
export const userinfo = async (server: ServerProcess, accessToken: string): Promise<number> =>
  (await server.ask('/oauth2/userinfo', { headers: { authorization: `Bearer ${accessToken}` } })).status;

/** A code, by whatever pages stand before it: in a live session that has consented, none. */
export async function codeFor(
  browser: Visitor,
  client: TestClient,
  person: { email: string },
  more: Record<string, string> = {},
): Promise<Code> {
  const proof = pkce();
  const first = await browser.get(authorizePath(client, proof, more));
  const { page, params } = await complete(browser, first, person);
  const code = params.get('code');
  if (!code) throw new Error(`no code: ${page.status} ${page.location ?? page.body.slice(0, 500)}`);
  return { code, verifier: proof.verifier };
}

export const OFFLINE = { scope: 'openid offline_access', prompt: 'consent' };

/** Tokens with a refresh token: the first of a family. */
export async function newFamily(
  server: ServerProcess,
  browser: Visitor,
  client: TestClient,
  person: { email: string },
): Promise<Record<string, string>> {
  const { status, body } = await redeem(server, client, await codeFor(browser, client, person, OFFLINE));
  if (status !== 200 || !body.refresh_token) throw new Error(`no tokens: ${status} ${JSON.stringify(body)}`);
  return body;
}

/** The Cookie header a browser sends to this path. */
export const cookieHeader = (browser: Visitor, path: string): string =>
  browser
    .cookies()
    .filter((cookie) => path === cookie.path || path.startsWith(cookie.path.replace(/\/?$/, '/')))
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ');

/** How often each status was answered: `200×1 400×49`. */
export const tally = (statuses: readonly number[]): string => {
  const counts = new Map<number, number>();
  for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts]
    .sort(([a], [b]) => a - b)
    .map(([status, count]) => `${status}×${count}`)
    .join(' ');
};

/** `count` of them at once. */
export const atOnce = <T>(count: number, work: (turn: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, turn) => work(turn)));
