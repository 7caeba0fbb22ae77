// Replicas: processes that know of each other by the database alone. They start together on an empty one, change
// signing keys under load without a token that cannot be verified, and what ends on one is dead on the other.
import { createPublicKey, type JsonWebKey, verify } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import t from 'tap';
import { disable } from '../server/accounts/accounts.ts';
import { addSecret, removeSecret, SIGNING_ALGS } from '../server/clients/clients.ts';
import { createKeys } from '../server/keys/keys.ts';
import { systemOp } from '../server/lib/op.ts';
import { createKeyRing } from '../server/lib/seal.ts';
import { authorizePath, PASSWORD, pkce } from './harness/app.ts';
import { emptyDatabase, openPool } from './harness/database.ts';
import {
  CHEAP,
  codeFor,
  cookieHeader,
  type Fleet,
  newFamily,
  redeem,
  refresh,
  startFleet,
  userinfo,
} from './harness/fleet.ts';
import { type ServerProcess, startReplicas } from './harness/server.ts';

const LONG = Boolean(process.env.LONG);
t.setTimeout(LONG ? 1_800_000 : 180_000);

const faultsOf = (servers: readonly ServerProcess[]) =>
  servers
    .flatMap((server) => server.logs())
    .filter(({ level }) => Number(level) >= 40 || /^(warn|error|fatal)$/.test(String(level)));

t.test('O1: two replicas started at the same moment on an empty database make everything once', async (t) => {
  for (let round = 0; round < (LONG ? 20 : 2); round++) {
    await t.test(`round ${round}`, async (t) => {
      const database = await emptyDatabase(t);
      const servers = await startReplicas(t, 2, {
        database,
        env: { ...CHEAP, BOOTSTRAP_ADMIN_EMAIL: 'ada@example.org', BOOTSTRAP_ADMIN_PASSWORD: PASSWORD },
      });
      const db = openPool(t, database.app, 2);
      const [made] = await db.$client`
        SELECT (SELECT count(*)::int FROM signing_keys) AS keys,
          (SELECT count(*)::int FROM audit_events WHERE type = 'key.published') AS published,
          (SELECT count(*)::int FROM accounts) AS accounts,
          (SELECT count(*)::int FROM audit_events WHERE type = 'setup.completed') AS completed,
          (SELECT count(*)::int FROM clients) AS clients,
          (SELECT count(*)::int FROM audit_events WHERE type = 'client.created') AS created,
          (SELECT count(*)::int FROM canaries) AS canaries`;
      t.same(made, { keys: 3, published: 3, accounts: 1, completed: 1, clients: 2, created: 2, canaries: 1 });
      const jwks = await Promise.all(servers.map((server) => server.ask('/oauth2/jwks')));
      t.equal(jwks[0]?.body, jwks[1]?.body, 'both publish the same keys');
      t.same(faultsOf(servers), []);
      for (const server of servers) t.equal(await server.stop(), 0);
    });
  }
});

const jwksOf = async (server: ServerProcess): Promise<(JsonWebKey & { kid: string })[]> =>
  JSON.parse((await server.ask('/oauth2/jwks')).body).keys;

/** Whether the ID token is signed by one of these keys. */
function verified(idToken: string, keys: readonly (JsonWebKey & { kid: string })[]): boolean {
  const [head = '', body = '', signature = ''] = idToken.split('.');
  const { kid, alg } = JSON.parse(Buffer.from(head, 'base64url').toString());
  const jwk = keys.find((key) => key.kid === kid);
  if (!jwk) return false;
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  return verify(
    alg === 'EdDSA' ? null : 'sha256',
    Buffer.from(`${head}.${body}`),
    alg === 'ES256' ? { key, dsaEncoding: 'ieee-p1363' } : key,
    Buffer.from(signature, 'base64url'),
  );
}

const kidOf = (idToken: string): string =>
  JSON.parse(Buffer.from(idToken.split('.')[0] ?? '', 'base64url').toString()).kid;

t.test('P8: keys change under load, by schedule and by command, and no verification fails', async (t) => {
  const times = { rotateEvery: 6, publishAhead: 2, keepAfter: 10, refreshEvery: 1 };
  const fleet = await startFleet(t, {
    env: {
      KEY_ROTATION_INTERVAL: String(times.rotateEvery),
      KEY_PUBLISH_AHEAD: String(times.publishAhead),
      KEY_KEEP_AFTER: String(times.keepAfter),
      KEY_REFRESH_INTERVAL: String(times.refreshEvery),
      ID_TOKEN_TTL: '5',
      ACCESS_TOKEN_TTL: '5',
    },
  });
  const person = await fleet.person();
  const until = Date.now() + (LONG ? 120_000 : 16_000);
  const signedBy = new Map<string, Set<string>>();
  let tokens = 0;
  const refused: string[] = [];

  /** An app that knows the JWKS of one replica from before, and gets its token from the other. */
  async function app(alg: (typeof SIGNING_ALGS)[number], turn: number): Promise<void> {
    const client = await fleet.client({ idTokenSignedResponseAlg: alg });
    let token = (await newFamily(fleet.at(turn), fleet.browser(), client, person)).refresh_token ?? '';
    for (let round = turn; Date.now() < until; round++) {
      const [here, there] = [fleet.at(round), fleet.at(round + 1)];
      const before = await jwksOf(there);
      const { status, body } = await refresh(here, client, token);
      const after = await jwksOf(there);
      if (status !== 200) refused.push(`${status} ${JSON.stringify(body)}`);
      if (status !== 200) return;
      token = body.refresh_token ?? '';
      tokens++;
      const idToken = body.id_token ?? '';
      if (!verified(idToken, before)) refused.push(`${alg} ${kidOf(idToken)}: not in a JWKS fetched before`);
      if (!verified(idToken, after)) refused.push(`${alg} ${kidOf(idToken)}: not in a JWKS fetched after`);
      signedBy.set(alg, (signedBy.get(alg) ?? new Set()).add(kidOf(idToken)));
      await sleep(20);
    }
  }

  const ring = createKeyRing([fleet.at(0).env.ENCRYPTION_KEYS ?? '']);
  const keys = createKeys(times, { ring, log: pino({ level: 'silent' }) });
  const apps = SIGNING_ALGS.flatMap((alg) => [app(alg, 0), app(alg, 1)]);
  await sleep(3000);
  const ordered = await keys.rotate(fleet.op(), { now: true });
  await Promise.all(apps);

  t.same(refused, [], `${tokens} tokens`);
  t.ok(tokens > 50, `${tokens} tokens were verified`);
  for (const alg of SIGNING_ALGS) {
    const used = signedBy.get(alg) ?? new Set();
    t.ok(used.size >= 3, `${alg}: signed by ${used.size} keys`);
    t.ok(
      ordered.some((key) => key.alg === alg && used.has(key.kid)),
      `${alg}: also by the one that was ordered`,
    );
  }
  t.same(faultsOf(fleet.servers), []);
});

t.test('what one replica is told, the other knows', async (t) => {
  const fleet = await startFleet(t);
  const { servers } = fleet;
  const person = await fleet.person();

  const codeIn = (fleet: Fleet, client: Awaited<ReturnType<Fleet['client']>>) =>
    codeFor(fleet.browser(), client, person);

  await t.test('O1: a new app and its secrets', async (t) => {
    const client = await fleet.client();
    const known = await Promise.all(
      servers.map((server) =>
        server.ask(authorizePath(client, pkce()), { headers: { accept: 'text/html' } }),
      ),
    );
    t.same(
      known.map(({ status }) => status),
      [303, 303],
      'known to both at once',
    );
    for (const server of servers)
      t.equal((await redeem(server, client, await codeIn(fleet, client))).status, 200);
    const second = await addSecret(fleet.op(), client.id);
    await removeSecret(fleet.op(), client.id, client.secret?.slice(-4) ?? '');
    await sleep(1000);
    for (const server of servers) {
      t.equal(
        (await redeem(server, client, await codeIn(fleet, client))).status,
        401,
        'the removed secret is dead',
      );
      const renewed = { ...client, secret: second };
      t.equal((await redeem(server, renewed, await codeIn(fleet, client))).status, 200, 'the new one works');
    }
  });

  await t.test('A13: a session ended on one is dead on the other at once', async (t) => {
    const client = await fleet.client();
    for (let round = 0; round < (LONG ? 50 : 5); round++) {
      const browser = fleet.browser();
      const { status, body } = await redeem(fleet.at(round), client, await codeFor(browser, client, person));
      t.equal(status, 200);
      const elsewhere = browser.clone();
      for (const server of servers) t.equal(await userinfo(server, body.access_token ?? ''), 200);
      const page = await browser.get('/oauth2/logout');
      const done = await browser.submit(page, /\/logout\/confirm$/, { logout: 'yes' });
      t.ok(done.status < 400, `signed out: ${done.status}`);
      const path = authorizePath(client, pkce(), { prompt: 'none' });
      for (const server of servers) {
        t.equal(await userinfo(server, body.access_token ?? ''), 401, 'its token is dead');
        const cookie = cookieHeader(elsewhere, '/oauth2/authorize');
        const again = await server.ask(path, { headers: { accept: 'text/html', cookie } });
        t.match(again.headers.location, /error=login_required/, 'its cookie opens nothing');
      }
    }
  });

  await t.test('A13: a disabled account is dead on both at once', async (t) => {
    const client = await fleet.client();
    for (let round = 0; round < (LONG ? 50 : 5); round++) {
      const one = await fleet.person();
      const browser = fleet.browser();
      const family = await newFamily(fleet.at(round), browser, client, one);
      for (const server of servers) t.equal(await userinfo(server, family.access_token ?? ''), 200);
      await disable(systemOp(fleet.db, 'cli'), one.id);
      for (const server of servers) {
        t.equal(await userinfo(server, family.access_token ?? ''), 401, 'access token');
        t.equal((await refresh(server, client, family.refresh_token ?? '')).body.error, 'invalid_grant');
      }
    }
  });

  t.same(faultsOf(servers), []);
});
