// How refused requests are kept for the developer of an app: without secrets, in few writes, added up over processes, and
// never at the cost of the request.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import t from 'tap';
import type { Database } from '../drizzle/database.ts';
import { purge } from '../server/oidc/jobs.ts';
import { lastOf, type Refusal } from '../server/refusals/refusals.ts';
import { authorizePath, pkce, type Running, startApp, type TestClient } from './harness/app.ts';
import { openPool, urlOf } from './harness/database.ts';
import { startFleet } from './harness/fleet.ts';
import { newKey } from './harness/server.ts';

t.setTimeout(300_000);

const project = fileURLToPath(new URL('..', import.meta.url));
const WRONG = 'https://rp.test/elsewhere';

async function until<T>(look: () => Promise<T | null | undefined | false>, what: string): Promise<T> {
  for (const deadline = Date.now() + 15_000; ; await sleep(50)) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`${what} did not come`);
  }
}

const rowsOf = (app: Running, { id }: TestClient): Promise<Refusal[]> => lastOf(app.op(), id, 200);

const wrong = (issuer: string, client: TestClient) =>
  fetch(`${issuer}${authorizePath(client, pkce(), { redirect_uri: WRONG })}`, { redirect: 'manual' });

/** So many at once, until all are answered. */
async function together(count: number, wide: number, work: () => Promise<unknown>): Promise<void> {
  let left = count;
  await Promise.all(
    Array.from({ length: wide }, async () => {
      while (left-- > 0) await work();
    }),
  );
}

/** Every row of every table, as text. */
async function everything(db: Database): Promise<string> {
  const tables = await db.$client<{ name: string }[]>`
    SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`;
  const parts = [];
  for (const { name } of tables) {
    for (const { row } of await db.$client.unsafe(`SELECT t::text AS row FROM ${name} t`)) parts.push(row);
  }
  return parts.join('\n');
}

t.test('X4 ATK-A197: no secret of a refused request is kept, in no table and not in the log', async (t) => {
  const app = await startApp(t, { CLIENT_AUTH_LOCKOUT_ATTEMPTS: '1000' });
  const client = await app.client();
  const open = await app.client({ public: true });
  const keys = await generateKeyPair('ES256', { extractable: true });
  const signing = await app.client({
    tokenEndpointAuthMethod: 'private_key_jwt',
    jwks: { keys: [{ ...(await exportJWK(keys.publicKey)) }] },
    requestObjectSigningAlg: 'ES256',
  });

  // Short: a parser quotes ten characters of what it cannot read.
  const mark = `Q${randomBytes(3).toString('hex')}Z`;
  let marks = 0;
  const secret = () => `${mark}-${marks++}-${'x'.repeat(40)}`;
  const jwt = async (claims: Record<string, unknown>) =>
    new SignJWT({ ...claims, jti: secret(), nonce: secret(), secret: secret() })
      .setProtectedHeader({ alg: 'ES256' })
      .sign(keys.privateKey);
  /** Broken where a parser would quote it. */
  const broken = (text: string) => `${Buffer.from(`{"alg":${text}`).toString('base64url')}.e30.e30`;
  const post = async (path: string, body: Record<string, string>, headers: Record<string, string> = {}) => {
    const response = await fetch(`${app.issuer}${path}`, {
      method: 'POST',
      body: new URLSearchParams(body),
      headers,
      redirect: 'manual',
    });
    t.not(response.status, 500);
    await response.text();
  };

  const asked = () => ({
    state: secret(),
    nonce: secret(),
    login_hint: secret(),
    id_token_hint: secret(),
    acr_values: secret(),
    ui_locales: secret(),
    claims: `{"id_token": ${secret()}`,
    code_challenge: secret(),
    password: secret(),
    dpop_jkt: secret(),
    [`x_${secret()}`]: secret(),
  });
  const queries: Record<string, string | undefined>[] = [
    { redirect_uri: `https://user:${secret()}@rp.test/cb?token=${secret()}&${secret()}#${secret()}` },
    { redirect_uri: encodeURIComponent(`https://u:${secret()}@rp.test/cb?token=${secret()}`) },
    { redirect_uri: encodeURIComponent(encodeURIComponent(`https://rp.test/cb?token=${secret()}`)) },
    { redirect_uri: `data:text/html,${secret()}` },
    { redirect_uri: `//u:${secret()}@rp.test/cb` },
    { response_type: 'token' },
    { code_challenge_method: 'plain' },
    { resource: `https://u:${secret()}@api.test/?key=${secret()}` },
    { request: await jwt({}) },
    { request: broken(secret()) },
    { request_uri: `urn:ietf:params:oauth:request_uri:${secret()}` },
    {},
  ];
  for (const query of queries) {
    for (const one of [client, open, signing]) {
      const page = await app.visitor().get(authorizePath(one, pkce(), { ...asked(), ...query }));
      t.ok(page.status === 400 || page.location?.includes('error='), 'is refused');
    }
  }
  // What is in no parser's way but wrong.
  await app
    .visitor()
    .get(authorizePath(client, pkce(), { nonce: undefined, state: secret(), login_hint: secret() }));

  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
  const grants = () => [
    {
      grant_type: 'authorization_code',
      code: secret(),
      code_verifier: secret(),
      redirect_uri: `https://rp.test/?a=${secret()}`,
    },
    { grant_type: 'refresh_token', refresh_token: secret() },
    { grant_type: 'password', username: secret(), password: secret() },
    { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: secret() },
    { grant_type: 'client_credentials', resource: `https://api.test/?key=${secret()}` },
    { token: secret(), token_type_hint: 'access_token' },
    { ...asked(), response_type: 'code', redirect_uri: `https://rp.test/?a=${secret()}` },
  ];
  const paths = ['token', 'introspect', 'revoke', 'par', 'device_authorization'].map(
    (one) => `/oauth2/${one}`,
  );
  for (const path of paths) {
    for (const form of grants()) {
      await post(path, form, basic(`${client.id}:${secret()}`));
      await post(path, form, { ...basic(`${client.id}:${client.secret}`), origin: `https://${mark}.test` });
      await post(path, { ...form, client_id: client.id }, { authorization: `Bearer ${secret()}` });
      await post(path, { ...form, client_id: client.id, client_secret: secret() });
      await post(
        path,
        { ...form, client_id: client.id, client_secret: secret() },
        basic(`${client.id}:${secret()}`),
      );
      await post(path, { ...form, client_id: open.id }, { dpop: await jwt({}) });
      await post(path, { ...form, client_id: open.id }, { dpop: broken(secret()) });
      for (const assertion of [await jwt({ iss: signing.id, sub: signing.id }), secret(), broken(secret())]) {
        await post(path, {
          ...form,
          client_id: signing.id,
          client_assertion: assertion,
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        });
      }
    }
  }
  for (const hint of [secret(), await jwt({ aud: client.id }), broken(secret())]) {
    const query = new URLSearchParams({
      client_id: client.id,
      id_token_hint: hint,
      state: secret(),
      logout_hint: secret(),
      post_logout_redirect_uri: `https://rp.test/?a=${secret()}`,
    });
    await fetch(`${app.issuer}/oauth2/logout?${query}`, { redirect: 'manual' });
    query.delete('id_token_hint');
    await fetch(`${app.issuer}/oauth2/logout?${query}`, { redirect: 'manual' });
  }

  const endpoints = [
    'authorization',
    'device_authorization',
    'end_session',
    'introspection',
    'pushed_authorization_request',
    'revocation',
    'token',
  ];
  await until(async () => {
    const rows = (await Promise.all([client, open, signing].map((one) => rowsOf(app, one)))).flat();
    return endpoints.every((endpoint) => rows.some((one) => one.endpoint === endpoint));
  }, 'every endpoint');
  // The last of them.
  await sleep(2500);
  t.ok(marks > 400, `${marks} secrets were sent`);
  const all = await everything(openPool(t, app.database.owner, 1));
  // The one place where it may stand: an origin is quoted, and says nothing that its page does not.
  const found = all
    .replaceAll(`https://${mark}.test`, '')
    .split('\n')
    .filter((line) => line.includes(mark));
  t.same(found, [], 'no row of any table');
  t.same(
    app.lines.filter((line) => line.includes(mark)),
    [],
    'no line of the log',
  );
  const base64 = Buffer.from(mark).toString('base64url').slice(0, 10);
  t.notOk(all.includes(base64), 'not encoded either');
});

t.test('X4: a flood of refusals is counted right in few writes', async (t) => {
  const app = await startApp(t);
  const client = await app.client();
  const owner = openPool(t, app.database.owner, 1);
  // Counts statements, whoever writes.
  await owner.$client.unsafe(`
    CREATE TABLE writes (at timestamptz NOT NULL DEFAULT clock_timestamp());
    CREATE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
      'BEGIN INSERT INTO public.writes DEFAULT VALUES; RETURN NULL; END';
    CREATE TRIGGER count_writes AFTER INSERT ON refusals FOR EACH STATEMENT EXECUTE FUNCTION count_write();`);
  const COUNT = 5000;
  const begun = Date.now();
  await together(COUNT, 40, async () => {
    const response = await wrong(app.issuer, client);
    await response.arrayBuffer();
    if (response.status !== 400) t.fail(`answered ${response.status}`);
  });
  const took = Date.now() - begun;
  const [row] = await until(async () => {
    const rows = await rowsOf(app, client);
    return (rows[0]?.count ?? 0) >= COUNT && rows;
  }, 'the last of them');
  t.equal(row?.count, COUNT);
  t.equal((await rowsOf(app, client)).length, 1, 'one row');
  t.ok((row?.firstAt.getTime() ?? 0) <= begun + 5000 && row && row.lastAt > row.firstAt, 'first and last');
  const [writes] = await owner.$client<{ count: number }[]>`SELECT count(*)::int AS count FROM writes`;
  t.ok((writes?.count ?? COUNT) <= took / 1000 + 3, `${writes?.count} writes in ${took} ms`);
});

t.test('X4: two processes add up, and one that is stopped writes what it holds', async (t) => {
  const fleet = await startFleet(t, { count: 2 });
  const client = await fleet.client();
  const path = authorizePath(client, pkce(), { redirect_uri: WRONG });
  await Promise.all(
    fleet.servers.map((server) =>
      together(150, 5, async () => {
        const { status } = await server.ask(path);
        if (status !== 400) t.fail(`answered ${status}`);
      }),
    ),
  );
  t.same(await Promise.all(fleet.servers.map((server) => server.stop())), [0, 0]);
  const rows = await lastOf(fleet.op(), client.id, 10);
  t.match(rows, [{ count: 300, came: WRONG, endpoint: 'authorization', parameter: 'redirect_uri' }]);
  t.equal(rows.length, 1);
});

t.test('X4: what cannot be noted fails nobody', async (t) => {
  const app = await startApp(t);
  const client = await app.client();
  const owner = openPool(t, app.database.owner, 1);
  await owner.$client.unsafe('ALTER TABLE refusals RENAME TO refusals_away');
  for (let turn = 0; turn < 3; turn++) {
    const response = await wrong(app.issuer, client);
    t.equal(response.status, 400);
    t.match(await response.text(), /did not match any of the client/, 'refused for the same reason');
    await sleep(500);
  }
  await until(async () => app.lines.some((line) => line.includes('could not be noted')), 'a line in the log');
  const good = await app.visitor().get(authorizePath(client, pkce()));
  t.equal(good.status, 303, 'the app’s people go on');
  await owner.$client.unsafe('ALTER TABLE refusals_away RENAME TO refusals');
  const [row] = await until(async () => {
    const rows = await rowsOf(app, client);
    return rows.length > 0 && rows;
  }, 'the row');
  t.equal(row?.count, 3, 'nothing is lost meanwhile');

  await t.test('X4: an app that is gone takes its refusals along', async (t) => {
    const gone = await app.client();
    await wrong(app.issuer, gone);
    await app.db.$client`DELETE FROM client_secrets WHERE client_id = ${gone.id}`;
    await app.db.$client`DELETE FROM clients WHERE id = ${gone.id}`;
    await wrong(app.issuer, client);
    await until(async () => (await rowsOf(app, client))[0]?.count === 4, 'the next write');
    t.same(await rowsOf(app, gone), []);
  });

  await t.test('X4: who is not registered has no rows', async (t) => {
    const before = await app.db.$client`SELECT count(*)::int AS count FROM refusals`;
    const nobody = { ...client, id: 'nobody-knows-this' };
    t.equal((await wrong(app.issuer, nobody)).status, 400);
    await fetch(`${app.issuer}/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: nobody.id, grant_type: 'refresh_token', refresh_token: 'x' }),
    });
    await sleep(1500);
    t.same(await app.db.$client`SELECT count(*)::int AS count FROM refusals`, before);
    t.ok(
      app.lines.some((line) => line.includes(nobody.id)),
      'but a line in the log',
    );
  });

  await t.test('X4: the later fault of a kind is the one that is told', async (t) => {
    const other = await app.client();
    for (const uri of ['https://rp.test/first', 'https://rp.test/second\u001b[31m\u202e']) {
      await app.visitor().get(authorizePath(other, pkce(), { redirect_uri: uri }));
      await until(
        async () => (await rowsOf(app, other)).some((one) => one.came?.startsWith(uri.slice(0, 20))),
        uri,
      );
    }
    const rows = await rowsOf(app, other);
    t.match(rows, [{ count: 2, came: 'https://rp.test/second[31m' }]);
    t.equal(rows.length, 1);
  });

  await t.test('X4 O10: they are kept for 30 days', async (t) => {
    const at = (days: number) => ({ ...app.op(), now: new Date(Date.now() + days * 86_400_000) });
    await purge(at(29));
    t.equal((await rowsOf(app, client)).length, 1);
    await purge(at(31));
    t.equal((await rowsOf(app, client)).length, 0);
  });
});

t.test('X4: what is held while nothing can be written is bounded', async (t) => {
  const app = await startApp(t);
  const clients: TestClient[] = [];
  for (let made = 0; made < 220; made++) clients.push(await app.client());
  const faults: Record<string, string | undefined>[] = [
    { redirect_uri: WRONG },
    { nonce: undefined },
    { code_challenge: undefined, code_challenge_method: undefined },
    { code_challenge_method: 'plain' },
    { max_age: 'long' },
  ];
  const owner = openPool(t, app.database.owner, 1);
  await owner.$client.unsafe('ALTER TABLE refusals RENAME TO refusals_away');
  const requests = clients.flatMap((client) => faults.map((fault) => authorizePath(client, pkce(), fault)));
  await together(requests.length, 20, async () => {
    const response = await fetch(`${app.issuer}${requests.pop()}`, { redirect: 'manual' });
    await response.arrayBuffer();
  });
  await owner.$client.unsafe('ALTER TABLE refusals_away RENAME TO refusals');
  const [row] = await until(async () => {
    const rows = await app.db.$client<{ count: number }[]>`SELECT count(*)::int AS count FROM refusals`;
    return rows[0]?.count !== 0 && rows;
  }, 'the rows');
  t.equal(row?.count, 1000);
  const left = app.lines.map((line) => Number(/"left":(\d+)/.exec(line)?.[1] ?? 0));
  t.equal(
    left.reduce((sum, one) => sum + one, 0),
    100,
    'and the log says how many more there were',
  );
});

t.test('X4: gatehouse client why', async (t) => {
  const keys = { ENCRYPTION_KEYS: newKey(), COOKIE_KEYS: newKey() };
  const app = await startApp(t, keys);
  const client = await app.client();
  const { PATH = '', HOME = '' } = process.env;
  const env = {
    PATH,
    HOME,
    ...keys,
    DATABASE_URL: urlOf(app.database.app),
    DATABASE_OWNER_URL: urlOf(app.database.owner),
  };
  const run = (...args: string[]) =>
    new Promise<{ code: number; out: string; err: string }>((resolve) => {
      execFile(
        process.execPath,
        ['server/cli.ts', 'client', ...args],
        { cwd: project, env },
        (fault, out, err) => resolve({ code: fault ? Number(fault.code) : 0, out, err }),
      );
    });

  t.match(await run('why', client.id), { code: 0, out: /^No request of this app was refused/ });
  await wrong(app.issuer, client);
  await wrong(app.issuer, client);
  await sleep(10);
  await app.visitor().get(authorizePath(client, pkce(), { nonce: undefined }));
  await until(async () => (await rowsOf(app, client)).length === 2, 'both');

  const { out, code } = await run('why', client.id);
  t.equal(code, 0);
  t.match(out, /authorization: invalid_redirect_uri \(2 times since \d{4}-/);
  t.match(
    out,
    /parameter +redirect_uri\nregistered +https:\/\/rp\.test\/cb\ncame +https:\/\/rp\.test\/elsewhere\n/,
  );
  t.match(out, /the path: \/elsewhere instead of \/cb\./);
  t.match(out, /mend +Let the app send https:\/\/rp\.test\/cb/);
  t.ok(out.indexOf('nonce') < out.indexOf('redirect_uri'), 'newest first');
  const json = JSON.parse((await run('why', client.id, '--json', '--last', '1')).out);
  t.match(json, {
    client_id: client.id,
    refusals: [{ endpoint: 'authorization', error: 'invalid_request', parameter: 'nonce', count: 1 }],
  });
  t.equal(json.refusals.length, 1);
  t.match(await run('why', 'nobody-knows-this'), { code: 1, err: /./ });
  t.match(await run('why', client.id, '--last', 'all'), { code: 2, err: /--last is a number/ });
  await app.db.$client`UPDATE clients SET disabled_at = now() WHERE id = ${client.id}`;
  t.match((await run('why', client.id)).out, /^The app is disabled since/);
});
