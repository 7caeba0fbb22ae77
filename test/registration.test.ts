// Apps that register themselves: by openid-client 6 and by strangers who want more than they may have. Then the tokens
// that let them in, fifty times at once on two processes. LONG=1: 200 rounds.
import { strict as assert } from 'node:assert';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { exportJWK, generateKeyPair } from 'jose';
import * as oidc from 'openid-client';
import t, { type Test } from 'tap';
import { checked, checkSector, create, find, secretsOf } from '../server/clients/clients.ts';
import { createToken, listTokens, revokeToken } from '../server/clients/registration.ts';
import { createEgress } from '../server/egress/egress.ts';
import { routesOf } from '../server/http/failures.ts';
import { createLog } from '../server/lib/log.ts';
import { removeUnused } from '../server/oidc/registration.ts';
import {
  authorizePath,
  complete,
  pkce,
  type Running,
  startApp,
  tokenRequest,
  tokens,
} from './harness/app.ts';
import { atOnce, startFleet, tally } from './harness/fleet.ts';

const LONG = Boolean(process.env.LONG);
const ROUNDS = LONG ? 200 : 20;
const PARALLEL = 50;
t.setTimeout(LONG ? 3_600_000 : 180_000);

const CALLBACK = 'https://rp.test/cb';
const hour = { uses: 1, ttl: 3600, note: null };

interface Answer {
  status: number;
  body: Record<string, unknown>;
  headers: Headers;
}

async function send(url: string, method: string, token: string | null, body?: unknown): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    headers: response.headers,
  };
}

const register = (app: { issuer: string }, metadata: unknown, token: string | null = null) =>
  send(`${app.issuer}/oauth2/register`, 'POST', token, metadata);

const uriOf = ({ body }: Answer) => String(body.registration_client_uri);
const tokenOf = ({ body }: Answer) => String(body.registration_access_token);

/** What an answer says of the app, as it would be sent back in a PUT. */
function resent({ body }: Answer): Record<string, unknown> {
  const {
    registration_access_token,
    registration_client_uri,
    client_secret_expires_at,
    client_id_issued_at,
    ...rest
  } = body;
  return rest;
}

const initial = async (app: Running, more: Partial<typeof hour> = {}) =>
  (await createToken(app.op(), { ...hour, ...more })).value;

/** A document at an address of its own. */
async function served(t: Test, answer: () => [status: number, body: string]): Promise<string> {
  const server = createServer((_request, response) => {
    const [status, body] = answer();
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.teardown(() => void server.close());
  return `http://localhost:${(server.address() as AddressInfo).port}/sector.json`;
}

t.test('ATK-A064: P5: without the setting nobody registers', async (t) => {
  const app = await startApp(t);
  for (const path of ['/oauth2/register', '/oauth2/register/x', '/reg', '/register']) {
    t.equal((await send(app.issuer + path, 'POST', null, { redirect_uris: [CALLBACK] })).status, 404, path);
  }
  const discovery = await send(`${app.issuer}/.well-known/openid-configuration`, 'GET', null);
  t.notOk('registration_endpoint' in discovery.body);
});

t.test('with a token of the operator', async (t) => {
  const app = await startApp(t, { DYNAMIC_REGISTRATION: 'token' });
  const person = await app.person();

  await t.test('R25: discovery says where, and nothing else changes', async (t) => {
    const without = await startApp(t);
    const read = async (one: Running) => {
      const { body } = await send(`${one.issuer}/.well-known/openid-configuration`, 'GET', null);
      return JSON.parse(JSON.stringify(body).replaceAll(one.issuer, 'https://id.test'));
    };
    const { registration_endpoint, ...rest } = await read(app);
    t.equal(registration_endpoint, 'https://id.test/oauth2/register');
    t.strictSame(rest, await read(without));
    const paths = (one: Running) =>
      routesOf(one.app.http).map(({ url, methods }) => `${[...methods].sort()} ${url}`);
    const known = new Set(paths(without));
    t.same(
      paths(app)
        .filter((path) => !known.has(path))
        .sort(),
      ['DELETE,GET,HEAD,PUT /oauth2/register/:clientId', 'POST /oauth2/register'],
    );
  });

  await t.test('P5: openid-client registers, signs somebody in, and manages itself', async (t) => {
    const config = await oidc.dynamicClientRegistration(
      new URL(app.issuer),
      {
        redirect_uris: [CALLBACK],
        client_name: 'Registered App',
        grant_types: ['authorization_code', 'refresh_token'],
      },
      oidc.ClientSecretBasic(),
      { execute: [oidc.allowInsecureRequests], initialAccessToken: await initial(app) },
    );
    const client = config.clientMetadata();
    t.match(client.client_id, /^[0-9a-f-]{36}$/);
    t.match(client.client_secret, /^[\w-]{43}$/);
    t.equal(client.client_secret_expires_at, 0);
    t.equal(client.id_token_signed_response_alg, 'RS256', 'the default of the norm');
    t.equal(config.serverMetadata().registration_endpoint, `${app.issuer}/oauth2/register`);

    const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
    const expectedNonce = oidc.randomNonce();
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope: 'openid email offline_access',
      prompt: 'consent',
      nonce: expectedNonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    });
    const browser = app.visitor();
    const form = await browser.follow(await browser.get(url.href));
    const { page } = await complete(browser, form, person);
    const answer = await oidc.authorizationCodeGrant(config, new URL(page.location ?? ''), {
      pkceCodeVerifier,
      expectedNonce,
    });
    t.equal(answer.claims()?.sub, person.id);
    const again = await oidc.refreshTokenGrant(config, answer.refresh_token ?? '');
    t.ok(again.refresh_token);

    const uri = String(client.registration_client_uri);
    const read = await send(uri, 'GET', String(client.registration_access_token));
    t.equal(read.status, 200);
    t.equal(read.body.client_name, 'Registered App');
    t.notOk('client_secret' in read.body, 'the secret is shown once');
    t.notMatch(JSON.stringify(read.body), /sha256/);
    t.equal(read.body.registration_access_token, client.registration_access_token);
    t.equal(read.headers.get('cache-control'), 'no-store');

    const changed = await send(uri, 'PUT', tokenOf(read), { ...resent(read), client_name: 'Renamed' });
    t.equal(changed.status, 200, JSON.stringify(changed.body));
    t.equal(changed.body.client_name, 'Renamed');
    t.notOk('client_secret' in changed.body, 'it keeps its secret');
    t.not(tokenOf(changed), tokenOf(read), 'another token');
    const old = await send(uri, 'GET', tokenOf(read));
    t.equal(old.status, 401, 'the old one is dead');
    t.equal(old.body.error, 'invalid_token');
    t.match(old.headers.get('www-authenticate'), /^Bearer realm=".+", error="invalid_token"$/);

    const asked = await browser.follow(await browser.get(url.href));
    t.match(asked.body, /Renamed/, 'another name asks again');
    t.match(asked.body, /Nobody here has checked this app/);

    const clientId = client.client_id;
    const removed = await send(uri, 'DELETE', tokenOf(changed));
    t.equal(removed.status, 204);
    t.equal(await find(app.op(), clientId), null);
    t.equal((await send(uri, 'GET', tokenOf(changed))).status, 401);
    const dead = await tokenRequest(
      app.issuer,
      { id: clientId, secret: String(client.client_secret) },
      { grant_type: 'refresh_token', refresh_token: again.refresh_token ?? '' },
    );
    t.equal(dead.status, 401, 'its tokens went with it');
    const info = await fetch(`${app.issuer}/oauth2/userinfo`, {
      headers: { authorization: `Bearer ${again.access_token}` },
    });
    t.equal(info.status, 401);
    const left = await app.db.$client`
      SELECT (SELECT count(*)::int FROM grants WHERE client_id = ${clientId} AND revoked_at IS NULL) AS grants,
             (SELECT count(*)::int FROM consents WHERE client_id = ${clientId} AND ended_at IS NULL) AS consents,
             (SELECT count(*)::int FROM registration_tokens WHERE client_id = ${clientId}) AS tokens,
             (SELECT count(*)::int FROM client_secrets WHERE client_id = ${clientId}) AS secrets`;
    t.same(left[0], { grants: 0, consents: 0, tokens: 0, secrets: 0 });
    const account = await browser.follow(await browser.get('/account'));
    t.equal(account.status, 200);
    t.match(account.body, /the app was removed/, 'the person sees what became of it');
    const leaving = await browser.get('/oauth2/logout');
    const signedOut = await browser.follow(
      await browser.submit(leaving, /logout\/confirm/, { logout: 'yes' }),
    );
    t.equal(signedOut.status, 200, 'its session ends like any other');
    const trail = await app.db.$client`
      SELECT type, actor_kind, actor_id FROM audit_events WHERE client_id = ${clientId} AND type LIKE 'client.%' ORDER BY id`;
    t.same(
      trail.map((row) => [row.type, row.actor_kind]),
      [
        ['client.created', 'anonymous'],
        ['client.registered', 'anonymous'],
        ['client.changed', 'client'],
        ['client.removed', 'client'],
      ],
    );
  });

  await t.test('P5: a token lets in as many as it says, until it expires or is revoked', async (t) => {
    const two = await initial(app, { uses: 2 });
    const wanted = { redirect_uris: [CALLBACK] };
    t.equal((await register(app, wanted, two)).status, 201);
    t.equal((await register(app, { redirect_uris: ['http://rp.test/cb'] }, two)).status, 400);
    t.equal((await register(app, wanted, two)).status, 201, 'what was refused cost no use');
    t.equal((await register(app, wanted, two)).status, 401);

    const past = await createToken({ ...app.op(), now: new Date(Date.now() - 7200_000) }, hour);
    const gone = await createToken(app.op(), hour);
    await revokeToken(app.op(), gone.name);
    await t.rejects(revokeToken(app.op(), gone.name), { code: 'registrationToken.notFound' });
    await t.rejects(revokeToken(app.op(), '%'), { code: 'registrationToken.notFound' });
    const made = await register(app, wanted, await initial(app));
    for (const [label, token] of Object.entries({
      none: null,
      unknown: 'unknown',
      expired: past.value,
      revoked: gone.value,
      management: tokenOf(made),
    })) {
      const refused = await register(app, wanted, token);
      t.equal(refused.status, 401, label);
      t.equal(refused.body.error, 'invalid_token', label);
      t.match(refused.headers.get('www-authenticate'), /^Bearer realm=/);
    }
    t.equal(
      (await send(uriOf(made), 'GET', await initial(app))).status,
      401,
      'an initial token manages nothing',
    );
    const other = await register(app, wanted, await initial(app));
    t.equal((await send(uriOf(made), 'GET', tokenOf(other))).status, 401, 'nor does that of another app');
    t.equal((await send(uriOf(other), 'GET', tokenOf(other))).status, 200, 'which is none the worse for it');

    const open = await createToken(app.op(), { uses: null, ttl: 60, note: 'any' });
    const names = (await listTokens(app.op())).map(({ name }) => name);
    t.ok(names.includes(open.name));
    t.notOk(names.includes(past.name) || names.includes(gone.name));
    const stored = JSON.stringify(
      await app.db.$client`SELECT encode(id_hash, 'hex') AS id, payload FROM registration_tokens`,
    );
    t.notMatch(stored, new RegExp(`${open.value}|${tokenOf(other)}`), 'only hashes are kept');
  });

  await t.test('P5: what is wrong is said field by field, in the words of RFC 7591', async (t) => {
    const key = await exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey);
    const { d, ...jwk } = key;
    const cases: [unknown, string, RegExp][] = [
      [{ redirect_uris: ['http://rp.test/cb'] }, 'invalid_redirect_uri', /only https/],
      [{ redirect_uris: ['https://*.rp.test/cb'] }, 'invalid_redirect_uri', /wildcard/],
      [{ redirect_uris: ['javascript:alert(1)'] }, 'invalid_redirect_uri', /only https/],
      [{ redirect_uris: ['https://user@rp.test/'] }, 'invalid_redirect_uri', /user name/],
      [{ redirect_uris: 'https://rp.test/cb' }, 'invalid_redirect_uri', /array of strings/],
      [{}, 'invalid_redirect_uri', /at least one/],
      [
        { redirect_uris: [CALLBACK], response_types: ['code', 'token'] },
        'invalid_client_metadata',
        /only be code/,
      ],
      [{ redirect_uris: [CALLBACK], grant_types: ['implicit'] }, 'invalid_client_metadata', /implicit/],
      [{ redirect_uris: [CALLBACK], grant_types: ['password'] }, 'invalid_client_metadata', /password/],
      [
        { redirect_uris: [CALLBACK], token_endpoint_auth_method: 'client_secret_jwt' },
        'invalid_client_metadata',
        /client_secret_jwt/,
      ],
      [
        { redirect_uris: [CALLBACK], token_endpoint_auth_method: 'private_key_jwt' },
        'invalid_client_metadata',
        /jwks/,
      ],
      [
        {
          redirect_uris: [CALLBACK],
          token_endpoint_auth_method: 'private_key_jwt',
          jwks: { keys: [{ ...jwk, d }] },
        },
        'invalid_client_metadata',
        /private/,
      ],
      [
        { redirect_uris: [CALLBACK], jwks_uri: 'http://169.254.169.254/' },
        'invalid_client_metadata',
        /jwks_uri/,
      ],
      [
        { redirect_uris: [CALLBACK], id_token_signed_response_alg: 'none' },
        'invalid_client_metadata',
        /none/,
      ],
      [
        { redirect_uris: [CALLBACK], id_token_signed_response_alg: 'HS256' },
        'invalid_client_metadata',
        /HS256/,
      ],
      [{ redirect_uris: [CALLBACK], scope: 'openid admin' }, 'invalid_client_metadata', /admin/],
      [{ redirect_uris: [CALLBACK], client_name: 7 }, 'invalid_client_metadata', /string/],
      [{ redirect_uris: [CALLBACK], client_name: 'x'.repeat(101) }, 'invalid_client_metadata', /100/],
      [{ redirect_uris: [CALLBACK], client_name: 'a\u0000b' }, 'invalid_request', /U\+0000/],
      [{ redirect_uris: [CALLBACK], logo_uri: 'javascript:alert(1)' }, 'invalid_client_metadata', /logo_uri/],
      [[], 'invalid_request', /not valid/],
      ['{"redirect_uris": [', 'invalid_request', /could not be read/],
      [
        '{"__proto__": {"first_party": true}, "redirect_uris": ["https://rp.test/cb"]}',
        'invalid_request',
        /could not/,
      ],
    ];
    const token = await initial(app, { uses: 1 });
    for (const [metadata, error, says] of cases) {
      const { status, body } = await register(app, metadata, token);
      const label = JSON.stringify(metadata).slice(0, 100);
      t.equal(status, 400, label);
      t.equal(body.error, error, `${label}: ${body.error_description}`);
      t.match(body.error_description, says);
    }
    const form = await fetch(`${app.issuer}/oauth2/register`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: new URLSearchParams({ redirect_uris: CALLBACK }),
    });
    t.equal(form.status, 415);
    t.equal(
      (await register(app, { redirect_uris: [CALLBACK] }, token)).status,
      201,
      'none of it cost the use',
    );
  });

  await t.test('ATK-A020: P5: whatever is said of an app, the answer is never a fault', async (t) => {
    const { value } = await createToken(app.op(), { ...hour, uses: null });
    const made = await register(app, { redirect_uris: [CALLBACK] }, value);
    const names = [...Object.keys(resent(made)), 'jwks', 'jwks_uri', 'contacts', 'scope', 'response_types'];
    const words = [
      'openid',
      'ES256',
      'pairwise',
      'private_key_jwt',
      'none',
      'native',
      'client_credentials',
      CALLBACK,
      'http://[::1',
    ];
    const leaf = fc.oneof(
      fc.constantFrom(...words),
      fc.string({ unit: 'binary' }),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
    );
    const anything = fc.oneof(leaf, fc.array(leaf, { maxLength: 3 }), fc.jsonValue({ maxDepth: 3 }));
    const metadata = fc.dictionary(fc.constantFrom(...names), anything, { maxKeys: 6 });
    let token = tokenOf(made);
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(metadata, fc.boolean(), async (said, whole) => {
        const body = { ...(whole ? { redirect_uris: [CALLBACK] } : {}), ...said };
        const created = await register(app, body, value);
        assert.ok([201, 400].includes(created.status), `${created.status} ${JSON.stringify(created.body)}`);
        assert.equal(typeof (created.body.error ?? created.body.client_id), 'string');
        const changed = await send(uriOf(made), 'PUT', token, { ...body, client_id: made.body.client_id });
        assert.ok([200, 400].includes(changed.status), `${changed.status} ${JSON.stringify(changed.body)}`);
        if (changed.status === 200) token = tokenOf(changed);
        // What was taken, the library takes too: the app can begin a sign-in, or is told why not.
        if (created.status !== 201) return;
        taken++;
        const query = new URLSearchParams({
          client_id: String(created.body.client_id),
          response_type: 'code',
          scope: 'openid',
        });
        const { status } = await app.visitor().get(`/oauth2/authorize?${query}`);
        assert.ok(status < 500, `an app that was taken fails: ${status}`);
      }),
      { numRuns: LONG ? 2000 : 200 },
    );
    t.ok(taken > 0, `${taken} were taken`);
  });

  await t.test('P5: R22: nothing an operator decides is for the app to say, now or later', async (t) => {
    const wish = {
      first_party: true,
      firstParty: true,
      require_pkce: false,
      require_nonce: false,
      allowed_origins: ['https://evil.test'],
      resources: ['https://api.rp.test/'],
      api_scopes: ['all'],
      access_token_ttl: 86_400,
      registered_by: 'operator',
      client_id: 'gatehouse-account',
      client_secret: 'chosen by me',
      disabled_at: null,
      'client_name#de': 'App',
      software_statement: 'x.y.z',
    };
    const made = await register(app, { ...wish, redirect_uris: [CALLBACK] }, await initial(app));
    t.equal(made.status, 201, JSON.stringify(made.body));
    t.not(made.body.client_secret, wish.client_secret);
    const strict = {
      firstParty: false,
      requirePkce: true,
      requireNonce: true,
      allowedOrigins: [],
      resources: [],
      accessTokenTtl: null,
      registeredBy: 'dynamic',
      scopes: ['openid', 'offline_access', 'profile', 'email', 'address', 'phone'],
      grantTypes: ['authorization_code'],
    };
    const id = String(made.body.client_id);
    t.match(await find(app.op(), id), strict);
    t.notOk('first_party' in made.body || 'resources' in made.body);
    const { client_id, client_secret, ...rest } = wish;
    const changed = await send(uriOf(made), 'PUT', tokenOf(made), {
      ...rest,
      client_id: id,
      redirect_uris: [CALLBACK],
    });
    t.equal(changed.status, 200, JSON.stringify(changed.body));
    t.match(await find(app.op(), id), strict);

    for (const [body, says] of [
      [{ client_id: 'another' }, /client_id/],
      [{ client_id: id, client_secret: 'wrong' }, /client_secret/],
      [{ client_id: id, registration_access_token: tokenOf(changed) }, /registration_access_token/],
      [{ client_id: id, client_id_issued_at: 1 }, /client_id_issued_at/],
    ] as const) {
      const refused = await send(uriOf(made), 'PUT', tokenOf(changed), {
        redirect_uris: [CALLBACK],
        ...body,
      });
      t.equal(refused.status, 400);
      t.match(refused.body.error_description, says);
    }
    const right = { client_id: id, client_secret: made.body.client_secret, redirect_uris: [CALLBACK] };
    const last = await send(uriOf(made), 'PUT', tokenOf(changed), right);
    t.equal(last.status, 200, 'a refused change cost no token');

    // An operator vouches for it: from here on it is the operator who changes it.
    await app.db.$client`UPDATE clients SET first_party = true WHERE id = ${id}`;
    const managed = await send(uriOf(made), 'PUT', tokenOf(last), right);
    t.equal(managed.status, 403);
    t.equal(managed.body.error, 'access_denied');
    t.equal((await send(uriOf(made), 'DELETE', tokenOf(last))).status, 403);
    await app.db.$client`UPDATE clients SET disabled_at = now(), first_party = false WHERE id = ${id}`;
    t.equal(
      (await send(uriOf(made), 'GET', tokenOf(last))).status,
      401,
      'nor does a disabled one manage itself',
    );
  });

  await t.test(
    'P5: its ways to prove itself: each kind registers, and what it no longer needs is gone',
    async (t) => {
      const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
      const jwk = { ...(await exportJWK(publicKey)), kid: randomUUID(), alg: 'ES256' };
      const metadata = {
        redirect_uris: [CALLBACK],
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [jwk] },
      };
      const config = await oidc.dynamicClientRegistration(
        new URL(app.issuer),
        { ...metadata, grant_types: ['client_credentials'], redirect_uris: [] },
        oidc.PrivateKeyJwt(privateKey),
        { execute: [oidc.allowInsecureRequests], initialAccessToken: await initial(app) },
      );
      t.equal(config.clientMetadata().client_secret, undefined);
      t.ok(
        (await oidc.clientCredentialsGrant(config)).access_token,
        'a token of the operator lets it act in its own name',
      );

      const made = await register(app, { redirect_uris: [CALLBACK] }, await initial(app));
      const id = String(made.body.client_id);
      const keyed = await send(uriOf(made), 'PUT', tokenOf(made), { ...metadata, client_id: id });
      t.equal(keyed.status, 200, JSON.stringify(keyed.body));
      t.same(await secretsOf(app.op(), id), [], 'it has no secret any more');
      const open = await send(uriOf(made), 'PUT', tokenOf(keyed), {
        client_id: id,
        redirect_uris: [CALLBACK],
        token_endpoint_auth_method: 'none',
      });
      t.equal(open.body.token_endpoint_auth_method, 'none');
      t.notOk('client_secret' in open.body || 'jwks' in open.body);
      const secret = await send(uriOf(made), 'PUT', tokenOf(open), {
        client_id: id,
        redirect_uris: [CALLBACK],
      });
      t.match(secret.body.client_secret, /^[\w-]{43}$/, 'a new one is shown once');
      t.equal((await secretsOf(app.op(), id)).length, 1);
    },
  );

  await t.test('P5: R54: a sector is one only of apps that its document names', async (t) => {
    let document: [number, string] = [200, ''];
    const uri = await served(t, () => document);
    const egress = createEgress(
      { privateNetworks: [], timeout: 5, maxBytes: 65_536 },
      { log: createLog({ level: 'silent', format: 'json' }, { write: () => {} }), loopback: true },
    );
    const redirectUris = [CALLBACK, 'https://other.test/cb'];
    // On plain http, which no app could be registered with: what is looked at is the document.
    const row = {
      ...checked({
        name: 'App',
        redirectUris,
        subjectType: 'pairwise',
        sectorIdentifierUri: 'https://rp.test/s',
      }),
      sectorIdentifierUri: uri,
    };
    for (const [answer, says] of [
      [[200, JSON.stringify([CALLBACK])], /does not name https:\/\/other\.test\/cb/],
      [[404, '[]'], /404/],
      [[302, '[]'], /302/],
      [[200, '{"keys":[]}'], /array/],
      [[200, `[${'"x",'.repeat(20_000)}"x"]`], /longer than what is read/],
      [[200, 'not JSON'], /array/],
    ] as [[number, string], RegExp][]) {
      document = answer;
      await t.rejects(checkSector(egress, row), { code: 'client.invalid', message: says });
    }
    document = [200, JSON.stringify([...redirectUris, 'https://third.test/cb'])];
    await checkSector(egress, row);

    const token = await initial(app);
    const wanted = { redirect_uris: redirectUris, subject_type: 'pairwise' };
    const over = await register(
      app,
      { ...wanted, sector_identifier_uri: uri.replace('http:', 'https:') },
      token,
    );
    t.equal(over.status, 400);
    t.match(over.body.error_description, /could not be fetched: There is no trusted TLS connection/);
    const inside = await register(app, { ...wanted, sector_identifier_uri: 'https://10.0.0.1/s' }, token);
    t.match(inside.body.error_description, /not on the public Internet/);
    t.match((await register(app, wanted, token)).body.error_description, /pairwise subjects are per host/);
    const made = await register(app, { ...wanted, redirect_uris: [CALLBACK] }, token);
    t.equal(made.status, 201, JSON.stringify(made.body));
    const pairwise = {
      id: String(made.body.client_id),
      secret: String(made.body.client_secret),
      redirectUri: CALLBACK,
      row: null as never,
    };
    const { body } = await tokens(app, pairwise, person, { scope: 'openid' });
    const { sub } = JSON.parse(
      Buffer.from(String(body.id_token).split('.')[1] ?? '', 'base64url').toString(),
    );
    t.match(sub, /^[\w-]{43}$/, 'nobody’s account id');
  });
});

t.test('open to anybody', async (t) => {
  const app = await startApp(t, {
    DYNAMIC_REGISTRATION: 'open',
    DYNAMIC_REGISTRATION_LIMIT: '30',
    DYNAMIC_REGISTRATION_UNUSED: '4',
  });
  const person = await app.person();

  await t.test('P5: openid-client registers without a token, as a public app', async (t) => {
    const config = await oidc.dynamicClientRegistration(
      new URL(app.issuer),
      {
        application_type: 'native',
        redirect_uris: ['http://127.0.0.1/cb'],
        token_endpoint_auth_method: 'none',
        client_name: 'Stranger',
      },
      oidc.None(),
      { execute: [oidc.allowInsecureRequests] },
    );
    const id = config.clientMetadata().client_id;
    const row = await find(app.op(), id);
    const browser = app.visitor();
    const client = { id, redirectUri: 'http://127.0.0.1/cb', secret: null, row: row as never };
    const bare = await browser.get(
      authorizePath(client, pkce(), { code_challenge: undefined, code_challenge_method: undefined }),
    );
    t.match(bare.location, /error=invalid_request/, 'PKCE is a must');
    const bold = await browser.get(authorizePath(client, pkce(), { nonce: undefined }));
    t.match(bold.location, /error=invalid_request/, 'and a nonce');
    const { body } = await tokens(app, client, person, { scope: 'openid', browser });
    t.ok(body.access_token);
  });

  await t.test('P5: a stranger gets nothing in its own name, and no devices', async (t) => {
    for (const grant of ['client_credentials', 'urn:ietf:params:oauth:grant-type:device_code']) {
      const refused = await register(app, {
        redirect_uris: [CALLBACK],
        grant_types: ['authorization_code', grant],
      });
      t.equal(refused.status, 400);
      t.match(refused.body.error_description, /token of the operator/);
    }
    const made = await register(app, { redirect_uris: [CALLBACK] });
    const later = await send(uriOf(made), 'PUT', tokenOf(made), {
      client_id: made.body.client_id,
      redirect_uris: [CALLBACK],
      grant_types: ['authorization_code', 'client_credentials'],
    });
    t.equal(later.status, 400, 'nor later');
    const vouched = { redirect_uris: [CALLBACK], grant_types: ['authorization_code', 'client_credentials'] };
    t.equal((await register(app, vouched, await initial(app))).status, 201, 'with a token it does');
    t.equal((await register(app, vouched, 'unknown')).status, 401, 'a wrong token is no missing one');
  });

  await t.test('P5: apps nobody uses are limited in number, and removed after a week', async (t) => {
    const wanted = { redirect_uris: [CALLBACK] };
    for (let number = 0; number < 3; number++) t.equal((await register(app, wanted)).status, 201);
    const full = await register(app, wanted);
    t.equal(full.status, 503, JSON.stringify(full.body));
    t.equal(full.body.error, 'temporarily_unavailable');
    t.equal((await register(app, wanted, await initial(app))).status, 201, 'not those that were let in');
    const kept = await create(app.op(), { name: 'By hand', redirectUris: [CALLBACK] }, 'cli');
    const count = async () =>
      Number(
        (await app.db.$client`SELECT count(*)::int AS n FROM clients WHERE registered_by = 'dynamic'`)[0]?.n,
      );
    const before = await count();
    await removeUnused(app.op());
    t.equal(await count(), before, 'not before');
    await removeUnused({ ...app.op(), now: new Date(Date.now() + 8 * 86_400_000) });
    t.equal(await count(), before - 4, 'the used one and those with a token stay');
    t.ok(await find(app.op(), kept.client.id));
    t.equal((await app.events('client.removed')).filter(({ data }) => data.by === 'unused').length, 4);
    t.equal((await register(app, wanted)).status, 201, 'there is room again');
  });

  await t.test('P5: an address is slowed down', async (t) => {
    let last: Answer | null = null;
    for (let number = 0; number < 30 && last?.status !== 429; number++) last = await register(app, {});
    t.equal(last?.status, 429);
    t.ok(Number(last?.headers.get('retry-after')) > 0);
    t.equal(
      (await register(app, { redirect_uris: [CALLBACK] }, await initial(app))).status,
      201,
      'a token is not counted',
    );
  });

  await t.test('ATK-A062: no other site registers apps by somebody’s browser', async (t) => {
    const response = await fetch(`${app.issuer}/oauth2/register`, {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.test', 'access-control-request-method': 'POST' },
    });
    t.equal(response.headers.get('access-control-allow-origin'), null);
    t.ok(routesOf(app.app.http).some(({ url }) => url === '/oauth2/register/:clientId'));
  });
});

t.test('one database, two processes', async (t) => {
  const fleet = await startFleet(t, {
    env: {
      DYNAMIC_REGISTRATION: 'open',
      DYNAMIC_REGISTRATION_LIMIT: '100000',
      DYNAMIC_REGISTRATION_UNUSED: '5',
    },
  });
  const json = (body: unknown, token: string | null = null) => ({
    headers: {
      'content-type': 'application/json',
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    },
    body: Buffer.from(JSON.stringify(body)),
  });
  const wanted = { redirect_uris: [CALLBACK] };

  await t.test('P4: P5: a token of three uses lets three in, of fifty at once', async (t) => {
    for (let round = 0; round < ROUNDS; round++) {
      const { value } = await createToken(fleet.op(), { ...hour, uses: 3 });
      const answers = await atOnce(PARALLEL, (turn) =>
        fleet.at(turn).ask('/oauth2/register', json(wanted, value)),
      );
      t.equal(tally(answers.map(({ status }) => status)), '201×3 401×47', `round ${round}`);
    }
    const [made] = await fleet.db
      .$client`SELECT count(*)::int AS n FROM clients WHERE registered_by = 'dynamic'`;
    t.equal(made?.n, 3 * ROUNDS);
  });

  await t.test('P4: P5: of fifty changes or endings by one token at once there is one', async (t) => {
    for (let round = 0; round < ROUNDS; round++) {
      const { value } = await createToken(fleet.op(), hour);
      const made = JSON.parse((await fleet.at(round).ask('/oauth2/register', json(wanted, value))).body);
      const path = new URL(made.registration_client_uri).pathname;
      const answers = await atOnce(PARALLEL, (turn) => {
        const change = json({ ...wanted, client_id: made.client_id }, made.registration_access_token);
        return turn % 2 === 0
          ? fleet.at(turn >> 1).ask(path, { ...change, method: 'PUT' })
          : fleet.at(turn >> 1).ask(path, { headers: change.headers, method: 'DELETE' });
      });
      const statuses = answers.map(({ status }) => status);
      t.equal(statuses.filter((one) => one < 300).length, 1, `round ${round}: ${tally(statuses)}`);
      t.equal(statuses.filter((one) => one === 401).length, PARALLEL - 1, tally(statuses));
    }
  });

  await t.test('P4: P5: fifty strangers at once do not pass the limit', async (t) => {
    const answers = await atOnce(PARALLEL, (turn) => fleet.at(turn).ask('/oauth2/register', json(wanted)));
    t.equal(tally(answers.map(({ status }) => status)), '201×5 503×45');
  });
});
