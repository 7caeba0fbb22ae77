// The whole server in this process, on a fresh database, listening on a port of its own: rooms, routes, jobs.
// And the people and apps of a test.
import { createHash, randomBytes } from 'node:crypto';
import type { Test } from 'tap';
import { loadConfig } from '../../config/load.ts';
import { closeDatabase, type Database, openDatabase } from '../../drizzle/database.ts';
import { create as createAccount } from '../../server/accounts/accounts.ts';
import { type App, createApp } from '../../server/app.ts';
import { type ClientRow, create as createClient, type NewClient } from '../../server/clients/clients.ts';
import { checkCanary } from '../../server/lib/canary.ts';
import { createLog } from '../../server/lib/log.ts';
import { type Op, systemOp } from '../../server/lib/op.ts';
import { createKeyRing } from '../../server/lib/seal.ts';
import { createPasswords } from '../../server/passwords/passwords.ts';
import { formsOf, type Page, type Visitor, visitor } from './browser.ts';
import { freshDatabase, type TestDatabase, urlOf } from './database.ts';
import { freePort, newKey } from './server.ts';

export const PASSWORD = 'correct horse battery staple 9';

export interface Running {
  issuer: string;
  db: Database;
  database: TestDatabase;
  app: App;
  lines: string[];
  op(): Op;
  /** A person with PASSWORD. */
  person(email?: string): Promise<{ id: string; email: string }>;
  client(more?: Partial<NewClient>): Promise<TestClient>;
  visitor(): Visitor;
  /** Rows of the audit trail of one type, oldest first. */
  events(
    type: string,
  ): Promise<
    { type: string; data: Record<string, unknown>; subject_id: string | null; client_id: string | null }[]
  >;
}

export interface TestClient {
  row: ClientRow;
  id: string;
  secret: string | null;
  redirectUri: string;
}

/** `env`: settings beside the ones a test server needs. */
export async function startApp(t: Test, env: Record<string, string> = {}): Promise<Running> {
  const database = await freshDatabase(t);
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const { config } = loadConfig({
    cwd: process.cwd(),
    env: {
      ISSUER: issuer,
      PORT: String(port),
      HOST: '127.0.0.1',
      DATABASE_URL: urlOf(database.app),
      DATABASE_OWNER_URL: urlOf(database.owner),
      ENCRYPTION_KEYS: newKey(),
      COOKIE_KEYS: newKey(),
      LOG_LEVEL: 'info',
      LOG_FORMAT: 'json',
      ...env,
    },
  });
  const lines: string[] = [];
  const log = createLog(config.log, { write: (line: string) => void lines.push(line) });
  const db = openDatabase(database.app, config.database, 'test app');
  const ring = createKeyRing(config.secrets.encryptionKeys);
  await checkCanary(systemOp(db, 'test'), ring);
  const app = createApp({
    config,
    db,
    ring,
    log,
    databaseName: database.name,
    twoRoles: true,
    migrated: 0,
    close: async () => {},
  });
  await app.start();
  await app.http.listen({ host: '127.0.0.1', port });
  t.teardown(async () => {
    await app.stop();
    await closeDatabase(db);
  });

  const op = () => systemOp(db, 'test');
  const passwords = createPasswords(config.passwords, { words: [] });
  let hash: Promise<string> | null = null;
  return {
    issuer,
    db,
    database,
    app,
    lines,
    op,
    async person(email = `person-${randomBytes(4).toString('hex')}@example.org`) {
      hash ??= passwords.hash(PASSWORD);
      const { id } = await createAccount(op(), {
        email,
        name: 'Pat Person',
        passwordHash: await hash,
        by: 'cli',
      });
      return { id, email };
    },
    async client(more = {}) {
      const redirectUri = more.redirectUris?.[0] ?? 'https://rp.test/cb';
      const { client, secret } = await createClient(
        op(),
        { name: 'Test App', redirectUris: [redirectUri], ...more },
        'cli',
      );
      return { row: client, id: client.id, secret, redirectUri };
    },
    visitor: () => visitor(issuer),
    events: async (type) =>
      (await db.$client`SELECT type, data, subject_id, client_id FROM audit_events WHERE type = ${type} ORDER BY id`) as never,
  };
}

export interface Verifier {
  verifier: string;
  challenge: string;
}

export function pkce(): Verifier {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

/** The path of an authorization request with everything that is demanded; `more` overrides, undefined removes. */
export function authorizePath(
  client: Pick<TestClient, 'id' | 'redirectUri'>,
  proof: Verifier,
  more: Record<string, string | undefined> = {},
): string {
  const query = new URLSearchParams();
  const all: Record<string, string | undefined> = {
    client_id: client.id,
    redirect_uri: client.redirectUri,
    response_type: 'code',
    scope: 'openid',
    state: 'the state',
    nonce: 'the nonce',
    code_challenge: proof.challenge,
    code_challenge_method: 'S256',
    ...more,
  };
  for (const [name, value] of Object.entries(all)) if (value !== undefined) query.set(name, value);
  return `/oauth2/authorize?${query}`;
}

/**
 * Goes through whatever pages an authorization request leads to: signs in, consents, and answers the redirect to
 * the app as its parameters. A page that is neither is answered as it is.
 */
export async function complete(
  browser: Visitor,
  first: Page,
  person: { email: string; password?: string },
): Promise<{ page: Page; params: URLSearchParams }> {
  let page = await browser.follow(first);
  for (let step = 0; step < 6 && page.location === null; step++) {
    const forms = formsOf(page.body);
    if (forms.some((form) => /^\/login\/[^/]+\/password$/.test(form.action))) {
      const fields = { email: person.email, password: person.password ?? PASSWORD };
      page = await browser.follow(await browser.submit(page, /\/password$/, fields));
    } else if (forms.some((form) => /^\/consent\/[^/]+$/.test(form.action))) {
      page = await browser.follow(await browser.submit(page, /^\/consent\/[^/]+$/, { decision: 'allow' }));
    } else break;
  }
  const query = page.location ? new URL(page.location, page.url).searchParams : new URLSearchParams();
  return { page, params: query };
}

/** A token request as an app sends it, with the client's own authentication. */
export async function tokenRequest(
  issuer: string,
  client: Pick<TestClient, 'id' | 'secret'>,
  form: Record<string, string>,
): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }> {
  const response = await fetch(`${issuer}/oauth2/token`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...(client.secret
        ? {
            authorization: `Basic ${Buffer.from(`${encodeURIComponent(client.id)}:${client.secret}`).toString('base64')}`,
          }
        : {}),
    },
    body: new URLSearchParams(client.secret ? form : { client_id: client.id, ...form }).toString(),
  });
  const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  return { status: response.status, body, headers: response.headers };
}

/** From nothing to tokens: signs in, consents, redeems the code. */
export async function tokens(
  running: Running,
  client: TestClient,
  person: { email: string },
  {
    browser = running.visitor(),
    scope = 'openid offline_access',
    ...more
  }: { browser?: Visitor; scope?: string } & Record<string, unknown> = {},
): Promise<{ body: Record<string, string>; browser: Visitor; code: string }> {
  const proof = pkce();
  const params = {
    scope,
    ...(scope.includes('offline_access') ? { prompt: 'consent' } : {}),
    ...(more as Record<string, string>),
  };
  const first = await browser.get(authorizePath(client, proof, params));
  const { page, params: answer } = await complete(browser, first, person);
  const code = answer.get('code');
  if (!code) throw new Error(`no code: ${page.status} ${page.location ?? page.body.slice(0, 500)}`);
  const { status, body } = await tokenRequest(running.issuer, client, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: client.redirectUri,
    code_verifier: proof.verifier,
  });
  if (status !== 200) throw new Error(`no tokens: ${status} ${JSON.stringify(body)}`);
  return { body: body as Record<string, string>, browser, code };
}
