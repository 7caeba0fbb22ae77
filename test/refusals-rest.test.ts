// The rarer reasons for which an app is refused, each by a request that is refused so, and what its developer reads.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import t, { type Test } from 'tap';
import { allSecretsOf, type NewClient } from '../server/clients/clients.ts';
import { explain, lastOf } from '../server/refusals/refusals.ts';
import {
  authorizePath,
  complete,
  pkce,
  type Running,
  startApp,
  type TestClient,
  tokenRequest,
  tokens,
} from './harness/app.ts';

t.setTimeout(180_000);

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
const seconds = () => Math.floor(Date.now() / 1000);
const { privateKey, publicKey } = await generateKeyPair('ES256');
const JWK = { ...(await exportJWK(publicKey)), kid: 'app-1' };
const OBJECTS: Partial<NewClient> = { jwks: { keys: [JWK] }, requestObjectSigningAlg: 'ES256' };

interface Case {
  title: string;
  client?: Partial<NewClient>;
  send(app: Running, client: TestClient): Promise<unknown>;
  /** endpoint, error, parameter. */
  row: readonly [string, string, string];
  came?: string;
  why: RegExp;
  mend: RegExp;
}

const authorize = (more: Record<string, string | undefined>) => (app: Running, client: TestClient) =>
  app.visitor().get(authorizePath(client, pkce(), more));

const post = (app: Running, path: string, form: Record<string, string>, headers = {}) =>
  fetch(app.issuer + path, { method: 'POST', headers, body: new URLSearchParams(form) });

const basic = ({ id, secret }: TestClient) => ({
  authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
});

/** Redeems a code of a person with another code_verifier; undefined: with none. */
const verifying = (code_verifier?: string) => async (app: Running, client: TestClient) => {
  const first = app.visitor();
  const { params } = await complete(
    first,
    await first.get(authorizePath(client, pkce())),
    await app.person(),
  );
  await tokenRequest(app.issuer, client, {
    grant_type: 'authorization_code',
    code: params.get('code') ?? '',
    redirect_uri: client.redirectUri,
    ...(code_verifier === undefined ? {} : { code_verifier }),
  });
};

const objecting =
  (more: Record<string, unknown>, alg = 'ES256') =>
  async (app: Running, client: TestClient) => {
    const proof = pkce();
    const key = alg === 'ES256' ? privateKey : (await generateKeyPair(alg)).privateKey;
    const request = await new SignJWT({
      iss: client.id,
      aud: app.issuer,
      client_id: client.id,
      response_type: 'code',
      redirect_uri: client.redirectUri,
      scope: 'openid',
      exp: seconds() + 60,
      ...more,
    })
      .setProtectedHeader({ alg, kid: 'app-1' })
      .sign(key);
    await app.visitor().get(authorizePath(client, proof, { request }));
  };

const CASES: Case[] = [
  {
    title: 'P1: a code_challenge that is none',
    send: authorize({ code_challenge: 'short' }),
    row: ['authorization', 'invalid_request', 'code_challenge'],
    why: /43 to 128 characters/,
    mend: /base64url without padding/,
  },
  {
    title: 'P1: no code_verifier',
    send: verifying(),
    row: ['token', 'invalid_grant', 'code_verifier'],
    why: /has no code_verifier/,
    mend: /belongs to the code_challenge/,
  },
  {
    title: 'P1: a code_verifier that is none',
    send: verifying('short'),
    row: ['token', 'invalid_request', 'code_verifier'],
    why: /43 to 128 characters/,
    mend: /32 random bytes/,
  },
  {
    title: 'P7: a scope with quotes',
    send: authorize({ scope: 'openid "email"' }),
    row: ['authorization', 'invalid_scope', 'scope'],
    came: 'openid "email"',
    why: /characters that no scope may have/,
    mend: /one space each/,
  },
  {
    title: 'P1: OpenID Connect without openid',
    send: authorize({ scope: 'email', claims: '{"id_token":{"email":null}}' }),
    row: ['authorization', 'invalid_request', 'scope'],
    came: 'email',
    why: /without the scope openid/,
    mend: /Add openid/,
  },
  {
    title: 'P1: a registration in the request',
    send: authorize({ registration: '{}' }),
    row: ['authorization', 'registration_not_supported', 'registration'],
    why: /is not supported/,
    mend: /Leave it out/,
  },
  {
    title: 'ATK-A054: two client_ids',
    async send(app, client) {
      const other = await app.client();
      const form = { grant_type: 'refresh_token', refresh_token: 'none', client_id: client.id };
      await post(app, '/oauth2/token', form, basic(other));
    },
    row: ['token', 'invalid_request', 'client_id'],
    why: /Two different client_ids/,
    mend: /Leave client_id out/,
  },
  {
    title: 'P5: a client_assertion that is none',
    client: { tokenEndpointAuthMethod: 'private_key_jwt', jwks: { keys: [JWK] } },
    send: (app, { id }) =>
      post(app, '/oauth2/token', {
        grant_type: 'refresh_token',
        refresh_token: 'none',
        client_id: id,
        client_assertion: 'nonsense',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      }),
    row: ['token', 'invalid_request', 'client_assertion'],
    why: /not a JWT as RFC 7523 has it/,
    mend: /client_assertion_type=urn:/,
  },
  {
    title: 'P3: a refresh token past its time',
    async send(app, client) {
      const { body } = await tokens(app, client, await app.person());
      await app.db
        .$client`UPDATE refresh_tokens SET expires_at = now() - interval '1 minute' WHERE client_id = ${client.id}`;
      await tokenRequest(app.issuer, client, {
        grant_type: 'refresh_token',
        refresh_token: body.refresh_token as string,
      });
    },
    row: ['token', 'invalid_grant', 'refresh_token'],
    why: /not used for longer than it lives/,
    mend: /refresh_token_idle/,
  },
  {
    title: 'P5: a device code nobody entered',
    client: { grantTypes: [DEVICE], redirectUris: [] },
    async send(app, client) {
      const answer = await post(app, '/oauth2/device_authorization', { scope: 'openid' }, basic(client));
      const { device_code } = (await answer.json()) as { device_code: string };
      await app.db
        .$client`UPDATE device_codes SET expires_at = now() - interval '1 minute' WHERE client_id = ${client.id}`;
      await post(app, '/oauth2/token', { grant_type: DEVICE, device_code }, basic(client));
    },
    row: ['token', 'expired_token', 'device_code'],
    why: /in time/,
    mend: /a new device code/,
  },
  {
    title: 'P5: a DPoP proof that is none',
    client: { grantTypes: ['client_credentials'], redirectUris: [] },
    send: (app, client) =>
      post(
        app,
        '/oauth2/token',
        { grant_type: 'client_credentials' },
        { ...basic(client), dpop: 'nonsense' },
      ),
    row: ['token', 'invalid_dpop_proof', 'DPoP'],
    why: /not valid \(RFC 9449/,
    mend: /Let a library make it/,
  },
  {
    title: 'P5: a request object in another algorithm',
    client: OBJECTS,
    send: objecting({}, 'PS256'),
    row: ['authorization', 'invalid_request_object', 'request'],
    came: 'PS256',
    why: /another algorithm/,
    mend: /request_object_signing_alg/,
  },
  {
    title: 'P5: a request object of another client_id',
    client: OBJECTS,
    send: objecting({ client_id: 'somebody-else' }),
    row: ['authorization', 'invalid_request_object', 'request'],
    why: /not that of the request around it/,
    mend: /inside and outside/,
  },
  {
    title: 'P9: a person who declines',
    async send(app, client) {
      const browser = app.visitor();
      const person = await app.person();
      const { page: done } = await complete(
        browser,
        await browser.get(authorizePath(client, pkce())),
        person,
      );
      if (!done.location) throw new Error('no code');
      const more = { scope: 'openid email', prompt: 'consent' };
      const page = await browser.follow(await browser.get(authorizePath(client, pkce(), more)));
      await browser.follow(await browser.submit(page, /^\/consent\/[^/]+$/, { decision: 'deny' }));
    },
    row: ['authorization', 'access_denied', 'person'],
    why: /declined/,
    mend: /Nothing is wrong with the request/,
  },
];

async function judge(t: Test, app: Running, client: TestClient, one: Omit<Case, 'send'>): Promise<void> {
  for (const deadline = Date.now() + 5000; ; await sleep(50)) {
    const [refusal] = await lastOf(app.op(), client.id, 1);
    if (!refusal && Date.now() < deadline) continue;
    if (!refusal) throw new Error(`nothing was noted: ${one.title}`);
    const { endpoint, error, parameter, came } = refusal;
    t.same([endpoint, error, parameter], one.row);
    if (one.came !== undefined) t.equal(came, one.came);
    const secrets = await allSecretsOf(app.op(), client.id);
    const { why, mend } = explain(refusal, { client: client.row, secrets, now: new Date() });
    t.match(why, one.why);
    t.match(mend, one.mend);
    return;
  }
}

t.test('X4: the rarer refusals', async (t) => {
  const app = await startApp(t);
  const clients = new Map<Case, TestClient>();
  for (const one of CASES) clients.set(one, await app.client(one.client));
  for (const [one, client] of clients) await one.send(app, client);
  for (const [one, client] of clients) {
    await t.test(`X4 ${one.title}`, (t) => judge(t, app, client, one));
  }
});

t.test('X4 ATK-A055: an app that guesses is told to mend its secret first', async (t) => {
  const app = await startApp(t, { CLIENT_AUTH_LOCKOUT_ATTEMPTS: '2' });
  const client = await app.client();
  const wrong = { ...client, secret: randomBytes(32).toString('base64url') };
  const statuses = [];
  for (let turn = 0; turn < 4; turn++) {
    const { status } = await tokenRequest(app.issuer, wrong, {
      grant_type: 'refresh_token',
      refresh_token: 'none',
    });
    statuses.push(status);
  }
  t.same(statuses, [401, 401, 429, 429]);
  await judge(t, app, client, {
    title: 'too many',
    row: ['token', 'temporarily_unavailable', 'client_secret'],
    came: 'client_secret_basic',
    why: /Too many wrong secrets/,
    mend: /Mend the secret first, then wait/,
  });
});

t.test('X4 P5: an app that manages itself', async (t) => {
  const app = await startApp(t, { DYNAMIC_REGISTRATION: 'open' });
  const send = async (method: string, url: string, token: string | null, body: object) => {
    const response = await fetch(url, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });
    return (await response.json()) as Record<string, string>;
  };
  const made = await send('POST', `${app.issuer}/oauth2/register`, null, {
    redirect_uris: ['https://rp.test/cb'],
  });
  const {
    client_id: id = '',
    registration_client_uri: uri = '',
    registration_access_token: token = '',
  } = made;
  const mark = `mark${randomBytes(8).toString('hex')}`;
  await send('PUT', uri, token, { client_id: id, redirect_uris: [`http://rp.test/cb?key=${mark}`] });
  await send('PUT', uri, mark, { client_id: id, redirect_uris: ['https://rp.test/cb'] });
  const [row] = await app.db.$client`SELECT id FROM clients WHERE id = ${id}`;
  t.ok(row);
  await sleep(1600);
  const rows = await lastOf(app.op(), id, 10);
  t.same(rows.map(({ endpoint, error, parameter }) => [endpoint, error, parameter]).sort(), [
    ['registration', 'invalid_redirect_uri', 'metadata'],
    ['registration', 'invalid_token', 'registration_access_token'],
  ]);
  t.notMatch(JSON.stringify(rows), mark);
  t.same(
    app.lines.filter((line) => line.includes(mark)),
    [],
  );
});
