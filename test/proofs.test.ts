// What apps sign, as openid-client 6 signs it and as attackers do: client assertions, DPoP proofs, request objects; pushed
// requests; and pairwise subjects. Then each single-use thing fifty times at once on two processes. LONG=1: 200 rounds.
import { createHash, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
  UnsecuredJWT,
} from 'jose';
import * as oidc from 'openid-client';
import t, { type Test } from 'tap';
import type { NewClient } from '../server/clients/clients.ts';
import { create as createResource } from '../server/resources/resources.ts';
import {
  authorizePath,
  complete,
  PASSWORD,
  pkce,
  type Running,
  startApp,
  type TestClient,
  tokens,
} from './harness/app.ts';
import { atOnce, codeFor, cookieHeader, type Fleet, redeem, startFleet, tally } from './harness/fleet.ts';

const LONG = Boolean(process.env.LONG);
const ROUNDS = LONG ? 200 : 20;
const PARALLEL = 50;
t.setTimeout(LONG ? 3_600_000 : 180_000);

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const now = () => Math.floor(Date.now() / 1000);

interface Pair {
  privateKey: CryptoKey;
  publicKey: CryptoKey;
  jwk: Record<string, unknown>;
}

async function pair(alg = 'ES256', kid = randomUUID()): Promise<Pair> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return {
    privateKey,
    publicKey, // Ed25519 has two names, the older of which means it alone here: the key says neither.
    jwk: { ...(await exportJWK(publicKey)), kid, use: 'sig', ...(/^Ed/.test(alg) ? {} : { alg }) },
  };
}

const machine = (key: Pair, more: Partial<NewClient> = {}): Partial<NewClient> => ({
  tokenEndpointAuthMethod: 'private_key_jwt',
  jwks: { keys: [key.jwk] },
  grantTypes: ['client_credentials'],
  redirectUris: [],
  ...more,
});

function assertion(
  issuer: string,
  clientId: string,
  key: Pair,
  claims: JWTPayload = {},
  header: Partial<JWTHeaderParameters> = {},
): Promise<string> {
  const all = {
    iss: clientId,
    sub: clientId,
    aud: issuer,
    jti: randomUUID(),
    iat: now(),
    exp: now() + 60,
    ...claims,
  };
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return new SignJWT(given as JWTPayload)
    .setProtectedHeader({ alg: 'ES256', kid: key.jwk.kid as string, ...header })
    .sign(key.privateKey);
}

interface Answer {
  status: number;
  body: Record<string, string>;
  headers: Headers;
}

async function post(
  issuer: string,
  path: string,
  form: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(issuer + path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(form).toString(),
  });
  const body = (await response.json().catch(() => ({}))) as Record<string, string>;
  return { status: response.status, body, headers: response.headers };
}

const withAssertion = (client_assertion: string, form: Record<string, string> = {}) => ({
  grant_type: 'client_credentials',
  client_assertion_type: ASSERTION_TYPE,
  client_assertion,
  ...form,
});

const basic = ({ id, secret }: TestClient) => ({
  authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
});

const configured = (app: { issuer: string }, client: TestClient, auth: oidc.ClientAuth) =>
  oidc.discovery(
    new URL(app.issuer),
    client.id,
    { id_token_signed_response_alg: client.row.idTokenSignedResponseAlg },
    auth,
    { execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks] },
  );

const refusal = (call: Promise<unknown>): Promise<string> =>
  call.then(
    (value) => `no error: ${JSON.stringify(value)}`,
    (error) => (error as { error?: string }).error ?? String(error),
  );

/** A code by openid-client, whatever way the request goes. */
async function signIn(
  app: Running,
  config: oidc.Configuration,
  person: { email: string },
  begin: (params: Record<string, string>) => Promise<URL>,
  { dpop, scope = 'openid' }: { dpop?: oidc.DPoPHandle; scope?: string } = {},
) {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
  const expectedNonce = oidc.randomNonce();
  const expectedState = oidc.randomState();
  const url = await begin({
    redirect_uri: 'https://rp.test/cb',
    scope,
    ...(scope.includes('offline_access') ? { prompt: 'consent' } : {}),
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    nonce: expectedNonce,
    state: expectedState,
  });
  const browser = app.visitor();
  const { page } = await complete(browser, await browser.get(url.href), person);
  if (!page.location) throw new Error(`no way back: ${page.status} ${page.body.slice(0, 500)}`);
  const checks = { pkceCodeVerifier, expectedNonce, expectedState };
  const answer = await oidc.authorizationCodeGrant(
    config,
    new URL(page.location),
    checks,
    undefined,
    dpop ? { DPoP: dpop } : {},
  );
  return { answer, browser, url };
}

t.test('client assertions', async (t) => {
  const app = await startApp(t, { CLIENT_AUTH_LOCKOUT_ATTEMPTS: '100' });
  const key = await pair();

  await t.test('P5: private_key_jwt by openid-client, in every algorithm apps may sign with', async (t) => {
    for (const alg of ['ES256', 'RS256', 'PS256', 'EdDSA', 'Ed25519']) {
      const one = await pair(alg);
      const client = await app.client(machine(one));
      const auth = oidc.PrivateKeyJwt({ key: one.privateKey, kid: one.jwk.kid as string });
      const config = await configured(app, client, auth);
      const { access_token } = await oidc.clientCredentialsGrant(config);
      t.equal((await oidc.tokenIntrospection(config, access_token)).active, true, alg);
    }
  });

  await t.test(
    'P5: keys at the app’s own address, fetched once and anew for a key that is not known',
    async (t) => {
      const next = await pair();
      let keys = [key.jwk];
      let asked = 0;
      const server = createServer((_request, response) => {
        asked++;
        response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys }));
      }).listen(0, '127.0.0.1');
      t.teardown(() => server.close());
      await new Promise((resolve) => server.once('listening', resolve));
      const jwksUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
      const client = await app.client({ ...machine(key), jwks: null, jwksUri });
      const ask = async (with_: Pair) =>
        (
          await post(
            app.issuer,
            '/oauth2/token',
            withAssertion(await assertion(app.issuer, client.id, with_)),
          )
        ).status;
      t.equal(await ask(key), 200);
      t.equal(await ask(key), 200);
      t.equal(asked, 1);
      keys = [key.jwk, next.jwk];
      t.equal(
        await ask(next),
        401,
        'not before the fetched set is a minute old: a stranger’s kid fetches nothing',
      );
      t.equal(asked, 1);
    },
  );

  await t.test(
    'P5: an address of keys that hangs or cannot be reached is the app’s fault, and holds nobody',
    async (t) => {
      const server = createServer(() => {}).listen(0, '127.0.0.1');
      t.teardown(() => {
        server.closeAllConnections();
        server.close();
      });
      await new Promise((resolve) => server.once('listening', resolve));
      const jwksUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
      const client = await app.client({ ...machine(key), jwks: null, jwksUri });
      const other = await app.client(machine(key));
      const hanging = Promise.all(
        Array.from({ length: 15 }, async () =>
          post(app.issuer, '/oauth2/token', withAssertion(await assertion(app.issuer, client.id, key))),
        ),
      );
      const [row] = await app.db.$client`
      SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'`;
      t.equal(row?.n, 0, 'no transaction waits for it');
      t.equal(
        (await post(app.issuer, '/oauth2/token', withAssertion(await assertion(app.issuer, other.id, key))))
          .status,
        200,
      );
      for (const { status } of await hanging) t.ok(status >= 400 && status < 500, String(status));
    },
  );

  await t.test('ATK-A050: R28: what no assertion may be', async (t) => {
    const client = await app.client(machine(key));
    const stranger = await pair();
    const id = client.id;
    const own = { iss: id, sub: id, aud: app.issuer, jti: randomUUID(), iat: now(), exp: now() + 60 };
    const hmac = new SignJWT(own)
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(await exportSPKI(key.publicKey)));
    const bad: Record<string, Promise<string> | string> = {
      'alg none': new UnsecuredJWT(own).encode(),
      'HS256 under the public key': hmac,
      'another key': assertion(app.issuer, id, stranger),
      'another key by its own header': assertion(
        app.issuer,
        id,
        stranger,
        {},
        { jwk: stranger.jwk as never },
      ),
      'a key at an address': assertion(app.issuer, id, stranger, {}, {
        jku: 'http://127.0.0.1:9/jwks',
      } as never),
      'kid of a file': assertion(app.issuer, id, stranger, {}, { kid: '../../dev/null' }),
      'no exp': assertion(app.issuer, id, key, { exp: undefined as never }),
      'no jti': assertion(app.issuer, id, key, { jti: undefined as never }),
      'long jti': assertion(app.issuer, id, key, { jti: 'x'.repeat(301) }),
      'ten years': assertion(app.issuer, id, key, { exp: now() + 315_360_000 }),
      'six minutes': assertion(app.issuer, id, key, { exp: now() + 360 }),
      'long over': assertion(app.issuer, id, key, { exp: now() - 60, iat: now() - 120 }),
      'from the future': assertion(app.issuer, id, key, { iat: now() + 60, exp: now() + 120 }),
      'not before tomorrow': assertion(app.issuer, id, key, { nbf: now() + 86_400 }),
      'iss is not sub': assertion(app.issuer, id, key, { iss: 'somebody' }),
      'for the token endpoint': assertion(app.issuer, id, key, { aud: `${app.issuer}/oauth2/token` }),
      'for another server': assertion(app.issuer, id, key, { aud: 'https://other.test' }),
      'for several servers': assertion(app.issuer, id, key, { aud: [app.issuer, 'https://other.test'] }),
      'for a list of one': assertion(app.issuer, id, key, { aud: [app.issuer] }),
      'for the issuer with a slash': assertion(app.issuer, id, key, { aud: `${app.issuer}/` }),
    };
    for (const [name, one] of Object.entries(bad)) {
      const answer = await post(app.issuer, '/oauth2/token', withAssertion(await one));
      t.equal(answer.status, 401, name);
      t.equal(answer.body.error, 'invalid_client', name);
      t.equal(answer.body.error_description, 'client authentication failed', `${name}: says no more`);
    }
    const failed = await app.events('client.authenticationFailed');
    t.equal(
      failed.filter((one) => one.client_id === id).length,
      Object.keys(bad).length,
      'each is in the trail',
    );
    for (const garbage of ['', 'x', 'a.b.c', 'e30.e30.e30']) {
      const { status } = await post(app.issuer, '/oauth2/token', withAssertion(garbage));
      t.ok(status === 400 || status === 401, `${garbage}: ${status}`);
    }
    const right = await post(
      app.issuer,
      '/oauth2/token',
      withAssertion(await assertion(app.issuer, id, key)),
    );
    t.equal(right.status, 200);
  });

  await t.test('ATK-A054: a client authenticates by its own method alone', async (t) => {
    const withKey = await app.client({ ...machine(key), tokenEndpointAuthSigningAlg: 'RS256' });
    const other = await post(
      app.issuer,
      '/oauth2/token',
      withAssertion(await assertion(app.issuer, withKey.id, key)),
    );
    t.equal(other.status, 401, 'an algorithm that is not the registered one');
    const withSecret = await app.client({ grantTypes: ['client_credentials'], redirectUris: [] });
    const signed = await post(
      app.issuer,
      '/oauth2/token',
      withAssertion(await assertion(app.issuer, withSecret.id, key)),
    );
    t.equal(signed.status, 401);
    const client = await app.client(machine(key));
    const named = await post(app.issuer, '/oauth2/token', {
      grant_type: 'client_credentials',
      client_id: client.id,
    });
    t.equal(named.status, 401, 'its name alone');
    const both = await post(
      app.issuer,
      '/oauth2/token',
      withAssertion(await assertion(app.issuer, client.id, key)),
      basic(withSecret),
    );
    t.equal(both.status, 400, 'two ways at once');
  });

  await t.test('ATK-A051: R13: an assertion is good once, whatever became of its request', async (t) => {
    const client = await app.client(machine(key));
    const one = await assertion(app.issuer, client.id, key);
    t.equal((await post(app.issuer, '/oauth2/token', withAssertion(one))).status, 200);
    t.equal((await post(app.issuer, '/oauth2/token', withAssertion(one))).body.error, 'invalid_client');
    const refused = await assertion(app.issuer, client.id, key);
    t.equal(
      (await post(app.issuer, '/oauth2/token', withAssertion(refused, { scope: 'nothing' }))).body.error,
      'invalid_scope',
    );
    t.equal(
      (await post(app.issuer, '/oauth2/introspect', withAssertion(refused, { token: 'x' }))).status,
      401,
    );
  });

  await t.test('ATK-A055: a blocked address does not get in by an assertion either', async (t) => {
    const strict = await startApp(t, { CLIENT_AUTH_LOCKOUT_ATTEMPTS: '3' });
    const client = await strict.client(machine(key));
    const stranger = await pair();
    for (let n = 0; n < 3; n++) {
      await post(
        strict.issuer,
        '/oauth2/token',
        withAssertion(await assertion(strict.issuer, client.id, stranger)),
      );
    }
    const right = await post(
      strict.issuer,
      '/oauth2/token',
      withAssertion(await assertion(strict.issuer, client.id, key)),
    );
    t.equal(right.status, 429);
    t.ok(Number(right.headers.get('retry-after')) > 0);
  });
});

t.test('DPoP', async (t) => {
  const app = await startApp(t);
  const person = await app.person();

  interface Proof {
    key: Pair;
    method?: string;
    url: string;
    claims?: JWTPayload;
    token?: string;
    header?: Record<string, unknown>;
  }
  const prove = async ({ key, method = 'POST', url, claims = {}, token, header = {} }: Proof) =>
    new SignJWT({
      jti: randomUUID(),
      iat: now(),
      htm: method,
      htu: url,
      ...(token ? { ath: createHash('sha256').update(token).digest('base64url') } : {}),
      ...claims,
    })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(key.publicKey), ...header })
      .sign(key.privateKey);

  await t.test(
    'P5: by openid-client with this server’s nonces: tokens bound to a key, refreshed and used with it',
    async (t) => {
      const client = await app.client({ public: true, dpopBoundAccessTokens: true });
      const config = await configured(app, client, oidc.None());
      const { privateKey, publicKey } = await oidc.randomDPoPKeyPair('ES256');
      const dpop = oidc.getDPoPHandle(config, { privateKey, publicKey });
      const { answer } = await signIn(
        app,
        config,
        person,
        async (p) => oidc.buildAuthorizationUrl(config, p),
        {
          dpop,
          scope: 'openid offline_access',
        },
      );
      t.equal(answer.token_type, 'dpop');
      const info = await oidc.fetchUserInfo(config, answer.access_token, person.id, { DPoP: dpop });
      t.equal(info.sub, person.id);
      const jkt = await calculateJwkThumbprint(await exportJWK(publicKey));
      const renewed = await oidc.refreshTokenGrant(config, answer.refresh_token as string, undefined, {
        DPoP: dpop,
      });
      t.equal(renewed.token_type, 'dpop');

      const thief = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256'));
      t.equal(
        await refusal(
          oidc.refreshTokenGrant(config, renewed.refresh_token as string, undefined, { DPoP: thief }),
        ),
        'invalid_grant',
        'a public client’s refresh token is of no use without its key',
      );
      const bearer = await fetch(`${app.issuer}/oauth2/userinfo`, {
        headers: { authorization: `Bearer ${renewed.access_token}` },
      });
      t.equal(bearer.status, 401, 'nor is its access token as a bearer');
      t.equal(
        await refusal(oidc.refreshTokenGrant(config, renewed.refresh_token as string)),
        'invalid_grant',
      );
      t.ok(jkt);
      const still = await oidc.refreshTokenGrant(config, renewed.refresh_token as string, undefined, {
        DPoP: dpop,
      });
      t.equal(still.token_type, 'dpop', 'a wrong key spends nothing');
      t.equal(
        (await app.events('token.refused')).filter(({ data }) => data.error === 'use_dpop_nonce').length,
        0,
        'to be told a nonce is no refusal',
      );
    },
  );

  await t.test('P4: R13: a proof is good once, and only as it was signed', async (t) => {
    const client = await app.client({ grantTypes: ['client_credentials'], redirectUris: [] });
    const key = await pair();
    const other = await pair();
    const url = `${app.issuer}/oauth2/token`;
    const form = { grant_type: 'client_credentials' };
    const send = (proof: string) =>
      post(app.issuer, '/oauth2/token', form, { ...basic(client), dpop: proof });
    const first = await send(await prove({ key, url }));
    t.equal(first.body.error, 'use_dpop_nonce');
    const nonce = first.headers.get('dpop-nonce') as string;
    t.ok(nonce);
    const good = await prove({ key, url, claims: { nonce } });
    const answer = await send(good);
    t.equal(answer.status, 200);
    t.equal(answer.body.token_type, 'DPoP');
    const again = await send(good);
    t.equal(again.status, 400);
    t.equal(again.body.error, 'invalid_dpop_proof');
    const claims = { nonce };
    const bad: Record<string, Promise<string>> = {
      'another method': prove({ key, url, method: 'GET', claims }),
      'another address': prove({ key, url: `${app.issuer}/oauth2/par`, claims }),
      'another host': prove({ key, url: 'https://other.test/oauth2/token', claims }),
      'no jti': prove({ key, url, claims: { ...claims, jti: undefined as never } }),
      'no iat': prove({ key, url, claims: { ...claims, iat: undefined as never } }),
      'a made-up nonce': prove({ key, url, claims: { nonce: 'A'.repeat(43) } }),
      'another type': prove({ key, url, claims, header: { typ: 'JWT' } }),
      'a key that did not sign': prove({ key, url, claims, header: { jwk: other.jwk } }),
      'a private key shown': exportJWK(key.privateKey).then((jwk) =>
        prove({ key, url, claims, header: { jwk } }),
      ),
    };
    for (const [name, proof] of Object.entries(bad)) {
      const { status, body } = await send(await proof);
      t.equal(status, 400, name);
      t.match(body.error, /^(invalid_dpop_proof|use_dpop_nonce)$/, name);
      t.equal(body.access_token, undefined, name);
    }
    // At the resource: bound to the token as well.
    const info = `${app.issuer}/oauth2/userinfo`;
    const elsewhere = await prove({ key, url: info, method: 'GET', claims, token: 'another token' });
    const refused = await fetch(info, {
      headers: { authorization: `DPoP ${answer.body.access_token}`, dpop: elsewhere },
    });
    t.equal(refused.status, 401);
  });

  await t.test(
    'P5: an app that takes bound tokens alone gets no others; nonces can be switched off',
    async (t) => {
      const lax = await startApp(t, { DPOP_REQUIRE_NONCE: 'false' });
      const client = await lax.client({
        grantTypes: ['client_credentials'],
        redirectUris: [],
        dpopBoundAccessTokens: true,
      });
      const form = { grant_type: 'client_credentials' };
      const bare = await post(lax.issuer, '/oauth2/token', form, basic(client));
      t.equal(bare.status, 400);
      t.equal(bare.body.access_token, undefined);
      const key = await pair();
      const url = `${lax.issuer}/oauth2/token`;
      const send = async (claims: JWTPayload) =>
        post(lax.issuer, '/oauth2/token', form, {
          ...basic(client),
          dpop: await prove({ key, url, claims }),
        });
      t.equal((await send({})).body.token_type, 'DPoP');
      t.not((await send({ iat: now() - 600 })).status, 200, 'an old proof without a nonce');
      t.not((await send({ iat: now() + 600 })).status, 200, 'one from the future');
    },
  );

  await t.test('P5: a JWT for an API says which key it is bound to', async (t) => {
    const api = 'https://api.rp.test/dpop';
    await createResource(app.op(), { id: api, name: 'Bound', scopes: ['read'] });
    const client = await app.client({
      grantTypes: ['client_credentials'],
      redirectUris: [],
      resources: [api],
      scopes: ['read'],
    });
    const config = await configured(app, client, oidc.ClientSecretBasic(client.secret as string));
    const { privateKey, publicKey } = await oidc.randomDPoPKeyPair('ES256');
    const dpop = oidc.getDPoPHandle(config, { privateKey, publicKey });
    const { access_token, token_type } = await oidc.clientCredentialsGrant(
      config,
      { resource: api, scope: 'read' },
      { DPoP: dpop },
    );
    t.equal(token_type, 'dpop');
    const claims = JSON.parse(Buffer.from(access_token.split('.')[1] as string, 'base64url').toString());
    t.same(claims.cnf, { jkt: await calculateJwkThumbprint(await exportJWK(publicKey)) });
  });
});

t.test('pushed requests and request objects', async (t) => {
  const app = await startApp(t);
  const person = await app.person();
  const key = await pair();

  await t.test(
    'P5: a pushed request by openid-client, with a secret, an assertion and as a public client',
    async (t) => {
      const kinds: [Partial<NewClient>, (client: TestClient) => oidc.ClientAuth][] = [
        [{}, ({ secret }) => oidc.ClientSecretBasic(secret as string)],
        [
          { tokenEndpointAuthMethod: 'private_key_jwt', jwks: { keys: [key.jwk] } },
          () => oidc.PrivateKeyJwt({ key: key.privateKey, kid: key.jwk.kid as string }),
        ],
        [{ public: true }, () => oidc.None()],
      ];
      for (const [more, auth] of kinds) {
        const client = await app.client({ ...more, requirePushedAuthorizationRequests: true });
        const config = await configured(app, client, auth(client));
        const { answer, url } = await signIn(app, config, person, (p) =>
          oidc.buildAuthorizationUrlWithPAR(config, p),
        );
        t.equal(answer.claims()?.sub, person.id);
        t.strictSame([...url.searchParams.keys()].sort(), ['client_id', 'request_uri']);
        const browser = app.visitor();
        const again = await complete(browser, await browser.get(url.href), person);
        t.equal(again.params.get('code'), null, 'a request_uri gives one code');
        const direct = await browser.get(authorizePath(client, pkce()));
        t.equal(
          new URL(direct.location ?? '').searchParams.get('error'),
          'invalid_request',
          'only pushed ones',
        );
      }
    },
  );

  await t.test(
    'P4: ATK-A038: what was pushed by one app is of no use to another, nor later, nor changed',
    async (t) => {
      const client = await app.client();
      const other = await app.client();
      const params = Object.fromEntries(new URL(authorizePath(client, pkce()), app.issuer).searchParams);
      const pushed = await post(app.issuer, '/oauth2/par', params, basic(client));
      t.equal(pushed.status, 201);
      t.equal(pushed.headers.get('cache-control'), 'no-store');
      t.match(pushed.body, { request_uri: /^urn:ietf:params:oauth:request_uri:/, expires_in: 60 });
      const uri = pushed.body.request_uri as string;
      const [row] = await app.db
        .$client`SELECT count(*)::int AS n FROM pushed_requests p WHERE p::text LIKE ${`%${uri.slice(-20)}%`}`;
      t.equal(row?.n, 0, 'its name is stored as a hash');
      const go = (id: string, request_uri: string, more: Record<string, string> = {}) =>
        app
          .visitor()
          .get(`/oauth2/authorize?${new URLSearchParams({ client_id: id, request_uri, ...more })}`);
      for (const page of [
        await go(other.id, uri),
        await go(client.id, `${uri}x`),
        await go(client.id, 'https://rp.test/request.jwt'),
        await go(client.id, `${uri}\u0000`).catch(() => ({ status: 400, location: null })),
      ]) {
        t.equal(page.location?.includes('code=') ?? false, false);
        t.ok(page.status >= 300 && page.status < 500, String(page.status));
      }
      const widened = await go(client.id, uri, {
        scope: 'openid profile email',
        redirect_uri: 'https://evil.test/',
      });
      const asked = new URL(widened.location ?? '', app.issuer);
      t.match(asked.pathname, /^\/interaction\//, 'what stands beside it counts for nothing');
      await app.db.$client`UPDATE pushed_requests SET expires_at = now() - interval '1 second'`;
      t.match((await go(client.id, uri)).body, /request_uri is invalid, expired/i);
      for (const [form, error] of [
        [{ ...params, redirect_uri: 'https://evil.test/cb' }, 'invalid_request'],
        [{ ...params, request_uri: uri }, 'request_uri_not_supported'],
        [{ ...params, response_type: 'token' }, 'invalid_request'],
      ] as const) {
        const answer = await post(app.issuer, '/oauth2/par', form, basic(client));
        t.equal(answer.status, 400);
        t.equal(answer.body.error, error);
      }
      const wrong = await post(app.issuer, '/oauth2/par', params, basic({ ...client, secret: 'wrong' }));
      t.equal(wrong.status, 401, 'whoever pushes is authenticated');
    },
  );

  await t.test('P5: request objects of apps that are registered for them, and of no others', async (t) => {
    const client = await app.client({
      jwks: { keys: [key.jwk] },
      requestObjectSigningAlg: 'ES256',
      requireSignedRequestObject: true,
    });
    const config = await configured(app, client, oidc.ClientSecretBasic(client.secret as string));
    const signing = { key: key.privateKey, kid: key.jwk.kid as string };
    const { answer } = await signIn(app, config, person, (p) =>
      oidc.buildAuthorizationUrlWithJAR(config, p, signing),
    );
    t.equal(answer.claims()?.sub, person.id);
    const both = await signIn(app, config, person, async (p) => {
      const url = await oidc.buildAuthorizationUrlWithJAR(config, p, signing);
      return oidc.buildAuthorizationUrlWithPAR(config, url.searchParams);
    });
    t.equal(both.answer.claims()?.sub, person.id, 'pushed, too');

    const params = Object.fromEntries(new URL(authorizePath(client, pkce()), app.issuer).searchParams);
    const object = (claims: JWTPayload = {}, with_ = key, header: Record<string, unknown> = {}) => {
      const all = { ...params, iss: client.id, aud: app.issuer, iat: now(), exp: now() + 60, ...claims };
      const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
      return new SignJWT(given as JWTPayload)
        .setProtectedHeader({ alg: 'ES256', kid: key.jwk.kid as string, ...header })
        .sign(with_.privateKey);
    };
    const bad: Record<string, Promise<string> | string> = {
      unsigned: new UnsecuredJWT({ ...params, iss: client.id, aud: app.issuer, exp: now() + 60 }).encode(),
      'another key': object({}, await pair()),
      'no exp': object({ exp: undefined as never }),
      'a day': object({ exp: now() + 86_400 }),
      'long over': object({ exp: now() - 60 }),
      'for another server': object({ aud: 'https://other.test' }),
      'of another app': object({ iss: 'somebody' }),
      'for another app': object({ client_id: 'somebody' }),
      'a redirect URI that is not registered': object({ redirect_uri: 'https://evil.test/cb' }),
      'one in another': object({ request: 'x' }),
      'text that cannot be stored': object({ state: 'a\0b' }),
      'half a character': object({ nonce: 'a\ud800b' }),
      'the same in its claims': object({ claims: { userinfo: { email: { value: '\0' } } } }),
    };
    for (const [name, request] of Object.entries(bad)) {
      const query = new URLSearchParams({ ...params, request: await request });
      const page = await app.visitor().get(`/oauth2/authorize?${query}`);
      const where = page.location ? new URL(page.location, app.issuer) : null;
      t.equal(where?.pathname.startsWith('/interaction/') ?? false, false, name);
      t.not(where?.host, 'evil.test', name);
      t.ok(page.status < 500, `${name} ${page.status}`);
    }
    const once = new URLSearchParams({ client_id: client.id, request: await object({ jti: randomUUID() }) });
    const mine = app.visitor();
    const begin = (of = app.visitor()) => of.get(`/oauth2/authorize?${once}`);
    t.match((await begin(mine)).location, /^\/interaction\//);
    t.match((await begin(mine)).location, /^\/interaction\//, 'its page may be loaded again');
    for (let turn = 0; turn < 2; turn++) {
      const replayed = await begin();
      t.match(replayed.location ?? replayed.body, /invalid_request_object/, 'in no other browser');
    }
    const repeated = await post(app.issuer, '/oauth2/par', Object.fromEntries(once), basic(client));
    t.equal(repeated.body.error, 'invalid_request_object', 'nor pushed');
    const push = { client_id: client.id, request: await object({ jti: randomUUID() }) };
    t.equal((await post(app.issuer, '/oauth2/par', push, basic(client))).status, 201);
    t.equal((await post(app.issuer, '/oauth2/par', push, basic(client))).status, 400, 'pushed once');
    const forged = await object({ jti: 'known to a stranger' }, await pair());
    await app
      .visitor()
      .get(`/oauth2/authorize?${new URLSearchParams({ client_id: client.id, request: forged })}`);
    const honest = await object({ jti: 'known to a stranger' });
    const unspent = await app
      .visitor()
      .get(`/oauth2/authorize?${new URLSearchParams({ client_id: client.id, request: honest })}`);
    t.match(unspent.location, /^\/interaction\//, 'a forged one spends nothing');
    const bare = await app.visitor().get(authorizePath(client, pkce()));
    t.equal(new URL(bare.location ?? '').searchParams.get('error'), 'invalid_request', 'only signed ones');

    const plain = await app.client({ jwks: { keys: [key.jwk] } });
    const own = await new SignJWT({
      ...params,
      client_id: plain.id,
      iss: plain.id,
      aud: app.issuer,
      exp: now() + 60,
    })
      .setProtectedHeader({ alg: 'ES256', kid: key.jwk.kid as string })
      .sign(key.privateKey);
    const page = await app
      .visitor()
      .get(`/oauth2/authorize?${new URLSearchParams({ ...params, client_id: plain.id, request: own })}`);
    t.equal(new URL(page.location ?? '').searchParams.get('error'), 'request_not_supported');
  });
});

t.test(
  'P5: R54: pairwise subjects: the same for a sector, another for each, in every kind of token',
  async (t) => {
    const app = await startApp(t);
    const person = await app.person();
    const api = 'https://api.rp.test/pairwise';
    const at = (host: string, more: Partial<NewClient> = {}) =>
      app.client({ subjectType: 'pairwise', redirectUris: [`https://${host}/cb`], ...more });
    const asks = await app.client({ grantTypes: ['client_credentials'], redirectUris: [] });
    await createResource(app.op(), {
      id: api,
      name: 'API',
      scopes: ['read'],
      accessTokenFormat: 'opaque',
      introspectionClientId: asks.id,
    });
    const subOf = async (client: TestClient) => {
      const { body } = await tokens(app, client, person);
      const claims = JSON.parse(
        Buffer.from((body.id_token as string).split('.')[1] as string, 'base64url').toString(),
      );
      const info = await fetch(`${app.issuer}/oauth2/userinfo`, {
        headers: { authorization: `Bearer ${body.access_token}` },
      });
      t.equal(((await info.json()) as { sub: string }).sub, claims.sub);
      const own = await post(
        app.issuer,
        '/oauth2/introspect',
        { token: body.access_token as string },
        basic(client),
      );
      t.equal(own.body.sub, claims.sub);
      return claims.sub as string;
    };
    const one = await at('one.test');
    const sub = await subOf(one);
    t.not(sub, person.id);
    t.match(sub, /^[\w-]{43}$/);
    t.equal(await subOf(one), sub, 'always the same');
    t.equal(await subOf(await at('one.test')), sub, 'for apps of one sector');
    t.not(await subOf(await at('two.test')), sub);
    t.equal(await subOf(await app.client()), person.id, 'others know the account itself');
    const other = await app.person();
    const { body } = await tokens(app, one, other);
    t.not(
      JSON.parse(Buffer.from((body.id_token as string).split('.')[1] as string, 'base64url').toString()).sub,
      sub,
    );

    const withApi = await at('one.test', { resources: [api], scopes: ['openid', 'offline_access', 'read'] });
    const { body: bound } = await tokens(app, withApi, person, { scope: 'openid read', resource: api });
    const seen = await post(
      app.issuer,
      '/oauth2/introspect',
      { token: bound.access_token as string },
      basic(asks),
    );
    t.equal(seen.body.sub, sub, 'an API is told the subject of the app that came');

    await t.rejects(at('one.test', { redirectUris: ['https://one.test/cb', 'https://two.test/cb'] }), {
      code: 'client.invalid',
      details: { sector_identifier_uri: /is needed/ },
    });
  },
);

t.test('one database, two processes', async (t) => {
  const fleet: Fleet = await startFleet(t, {
    env: { DPOP_REQUIRE_NONCE: 'false', CLIENT_AUTH_LOCKOUT_ATTEMPTS: '100000' },
  });
  const key = await pair();
  const url = fleet.at(0).issuer;

  function judge(
    t: Test,
    round: number,
    answers: readonly { status: number }[],
    won: number,
    losing: number,
  ) {
    const statuses = answers.map(({ status }) => status);
    const expected = won === answers.length ? `200×${won}` : `200×${won} ${losing}×${answers.length - won}`;
    t.equal(tally(statuses), expected, `round ${round}`);
  }

  await t.test('P4: ATK-A051: R13: an assertion fifty times at once is one authentication', async (t) => {
    const client = await fleet.client(machine(key));
    for (let round = 0; round < ROUNDS; round++) {
      const body = withAssertion(await assertion(url, client.id, key));
      judge(
        t,
        round,
        await atOnce(PARALLEL, (turn) => fleet.at(turn).ask('/oauth2/token', { body })),
        1,
        401,
      );
    }
  });

  await t.test('P4: R13: a DPoP proof fifty times at once is one proof', async (t) => {
    const client = await fleet.client({ grantTypes: ['client_credentials'], redirectUris: [] });
    for (let round = 0; round < ROUNDS; round++) {
      const dpop = await new SignJWT({
        jti: randomUUID(),
        iat: now(),
        htm: 'POST',
        htu: `${url}/oauth2/token`,
      })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(key.publicKey) })
        .sign(key.privateKey);
      const headers = { ...basic(client), dpop };
      const body = { grant_type: 'client_credentials' };
      judge(
        t,
        round,
        await atOnce(PARALLEL, (turn) => fleet.at(turn).ask('/oauth2/token', { headers, body })),
        1,
        400,
      );
    }
  });

  await t.test('P4: one pushed request begun fifty times at once in a session gives one code', async (t) => {
    const client = await fleet.client();
    const person = await fleet.person();
    const browser = fleet.browser();
    await codeFor(browser, client, person);
    const cookie = browser
      .cookies()
      .filter(({ path }) => path === '/')
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
    for (let round = 0; round < ROUNDS; round++) {
      const proof = pkce();
      const params = Object.fromEntries(new URL(authorizePath(client, proof), url).searchParams);
      const pushed = await fleet.at(round).ask('/oauth2/par', { headers: basic(client), body: params });
      const { request_uri } = JSON.parse(pushed.body) as { request_uri: string };
      const path = `/oauth2/authorize?${new URLSearchParams({ client_id: client.id, request_uri })}`;
      const answers = await atOnce(PARALLEL, (turn) =>
        fleet.at(turn).ask(path, { headers: { cookie, accept: 'text/html' } }),
      );
      const codes = answers.flatMap(({ headers }) => {
        const code = URL.parse(String(headers.location ?? ''))?.searchParams.get('code');
        return code ? [code] : [];
      });
      t.equal(codes.length, 1, `round ${round}: ${tally(answers.map(({ status }) => status))}`);
      t.ok(answers.every(({ status }) => status < 500));
      const won = await redeem(fleet.at(round), client, {
        code: codes[0] as string,
        verifier: proof.verifier,
      });
      t.equal(won.status, 200);
    }
  });

  await t.test('P4: of many people who sign in by one pushed request at once, one gets a code', async (t) => {
    const client = await fleet.client({ firstParty: true });
    const people = await Promise.all(Array.from({ length: 8 }, () => fleet.person()));
    for (let round = 0; round < Math.ceil(ROUNDS / 5); round++) {
      const proof = pkce();
      const params = Object.fromEntries(new URL(authorizePath(client, proof), url).searchParams);
      const pushed = await fleet.at(round).ask('/oauth2/par', { headers: basic(client), body: params });
      const { request_uri } = JSON.parse(pushed.body) as { request_uri: string };
      const path = `/oauth2/authorize?${new URLSearchParams({ client_id: client.id, request_uri })}`;
      const waiting = await Promise.all(
        people.map(async (person) => {
          const browser = fleet.browser();
          const form = await browser.follow(await browser.get(path));
          const fields = { email: person.email, password: PASSWORD };
          const proved = await browser.submit(form, /\/password$/, fields);
          const { location } = await browser.get(proved.location ?? '');
          return { browser, resume: new URL(location ?? '', url).pathname };
        }),
      );
      const answers = await atOnce(waiting.length, (turn) => {
        const { browser, resume } = waiting[turn] as (typeof waiting)[number];
        return fleet
          .at(turn)
          .ask(resume, { headers: { accept: 'text/html', cookie: cookieHeader(browser, resume) } });
      });
      const codes = answers.flatMap(({ headers }) => {
        const code = URL.parse(String(headers.location ?? ''))?.searchParams.get('code');
        return code ? [code] : [];
      });
      t.equal(codes.length, 1, `round ${round}: ${tally(answers.map(({ status }) => status))}`);
      const lost = answers.filter(({ headers }) => !/[?&]code=/.test(String(headers.location ?? '')));
      for (const { status, headers, body } of lost) {
        t.ok(status < 500, `${status}`);
        t.match(String(headers.location ?? body), /invalid_request_uri|already used/);
      }
      const won = await redeem(fleet.at(round), client, {
        code: codes[0] as string,
        verifier: proof.verifier,
      });
      t.equal(won.status, 200);
    }
  });
});
