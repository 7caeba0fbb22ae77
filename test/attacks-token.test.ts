// The endpoints of machines under attack: attacks.md section 2. What is refused is refused with the error of its
// RFC, leaves its mark in the audit trail, and never a token.
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomUUID,
  sign,
} from 'node:crypto';
import { createServer, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import {
  authorizePath,
  complete,
  pkce,
  type Running,
  startApp,
  type TestClient,
  tokenRequest,
  tokens,
  type Verifier,
} from './harness/app.ts';
import type { Visitor } from './harness/browser.ts';
import { freePort } from './harness/server.ts';

t.setTimeout(120_000);

const app: Running = await startApp(t, {
  REFRESH_REUSE_ENDS: 'family',
  CLIENT_AUTH_LOCKOUT_ATTEMPTS: '10000',
});
const { issuer } = app;
const OFFLINE = 'openid email offline_access';

const basic = (id: string, secret: string) =>
  `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`;

interface Answer {
  status: number;
  body: Record<string, unknown>;
  text: string;
  headers: Headers;
}

/** A bare request to one of the machines' endpoints. */
async function post(
  path: string,
  form: Record<string, string> | string,
  headers: Record<string, string> = {},
  at = issuer,
): Promise<Answer> {
  const response = await fetch(`${at}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
  });
  const text = await response.text();
  let body: Record<string, unknown> = {};
  try {
    body = JSON.parse(text) as Record<string, unknown>;
  } catch {
    // not every answer is JSON
  }
  return { status: response.status, body, text, headers: response.headers };
}

const as = (client: TestClient) => ({ authorization: basic(client.id, client.secret ?? '') });

async function userinfo(token: string, on = app): Promise<number> {
  const response = await fetch(`${on.issuer}/oauth2/userinfo`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return response.status;
}

/** A fresh code and what redeems it. */
async function freshCode(
  client: TestClient,
  person: { email: string },
  {
    on = app,
    browser = on.visitor(),
    scope = 'openid',
  }: { on?: Running; browser?: Visitor; scope?: string } = {},
): Promise<{ form: Record<string, string>; proof: Verifier; code: string }> {
  const proof = pkce();
  const more = scope.includes('offline_access') ? { scope, prompt: 'consent' } : { scope };
  const { params } = await complete(browser, await browser.get(authorizePath(client, proof, more)), person);
  const code = params.get('code');
  if (!code) throw new Error(`no code: ${params}`);
  const form = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: client.redirectUri,
    code_verifier: proof.verifier,
  };
  return { form, proof, code };
}

const refresh = (client: TestClient, refresh_token: string, more: Record<string, string> = {}, on = app) =>
  tokenRequest(on.issuer, client, { grant_type: 'refresh_token', refresh_token, ...more });

const refusalsOf = async (client: TestClient, on = app) =>
  (await on.events('token.refused'))
    .filter(({ client_id }) => client_id === client.id)
    .map(({ data }) => `${data.grantType}: ${data.error}`);

function refused(
  t: Test,
  answer: { status: number; body: Record<string, unknown> },
  error: string,
  label = error,
) {
  t.ok([400, 401].includes(answer.status), `${label}: ${answer.status}`);
  t.equal(answer.body.error, error, label);
  for (const name of ['access_token', 'refresh_token', 'id_token'])
    t.notOk(answer.body[name], 'never a token');
}

await t.test(
  'ATK-A039: a code used twice: the second is refused, and what the first brought is dead',
  async (t) => {
    const client = await app.client();
    const person = await app.person();
    const { form } = await freshCode(client, person, { scope: OFFLINE });
    const first = await tokenRequest(issuer, client, form);
    t.equal(first.status, 200);
    const { access_token, refresh_token } = first.body as Record<string, string>;
    t.equal(await userinfo(access_token as string), 200);
    refused(t, await tokenRequest(issuer, client, form), 'invalid_grant');
    t.equal(await userinfo(access_token as string), 401);
    refused(t, await refresh(client, refresh_token as string), 'invalid_grant');
    const seen = await post('/oauth2/introspect', { token: access_token as string }, as(client));
    t.strictSame(seen.body, { active: false });
    const [reused] = (await app.events('token.reused')).filter(({ client_id }) => client_id === client.id);
    t.strictSame(reused?.data, { kind: 'code', ended: 'family' });
    t.equal(reused?.subject_id, person.id);
    t.strictSame(await refusalsOf(client), [
      'authorization_code: invalid_grant',
      'refresh_token: invalid_grant',
    ]);
  },
);

await t.test('ATK-A041: a code at the wrong client, or with another redirect_uri', async (t) => {
  const client = await app.client({ redirectUris: ['https://rp.test/cb', 'https://rp.test/other'] });
  const confidential = await app.client();
  const open = await app.client({ public: true });
  const person = await app.person();
  const { form } = await freshCode(client, person);
  for (const other of [confidential, open])
    refused(t, await tokenRequest(issuer, other, form), 'invalid_grant');
  for (const redirect_uri of ['https://rp.test/other', 'https://evil.test/cb', 'https://rp.test/cb/']) {
    refused(t, await tokenRequest(issuer, client, { ...form, redirect_uri }), 'invalid_grant', redirect_uri);
  }
  const { redirect_uri, ...without } = form;
  const answer = await tokenRequest(issuer, client, without);
  t.equal(answer.status, 400);
  t.match(answer.body.error, /^invalid_(grant|request)$/, 'redirect_uri left out');
  t.strictSame(await refusalsOf(confidential), ['authorization_code: invalid_grant']);
  t.strictSame(await refusalsOf(open), ['authorization_code: invalid_grant']);
});

await t.test('ATK-A042 ATK-A043: an expired code; a rotated refresh token after its window', async (t) => {
  const strict = await startApp(t, { AUTHORIZATION_CODE_TTL: '1', REFRESH_REPLAY_WINDOW: '1' });
  const client = await strict.client();
  const [person, victim] = [await strict.person(), await strict.person()];
  const late = await freshCode(client, person, { on: strict });
  await sleep(2100);
  refused(t, await tokenRequest(strict.issuer, client, late.form), 'invalid_grant');

  const other = await strict.client();
  const browser = strict.visitor();
  // The code lives for a second here: redeemed at once.
  const { form } = await freshCode(client, victim, { on: strict, browser, scope: OFFLINE });
  const first = await tokenRequest(strict.issuer, client, form);
  t.equal(first.status, 200);
  const second = await refresh(client, first.body.refresh_token as string, {}, strict);
  t.equal(second.status, 200);
  t.equal(
    (await refresh(client, first.body.refresh_token as string, {}, strict)).status,
    200,
    'inside the window',
  );
  await sleep(1200);
  refused(
    t,
    await refresh(client, first.body.refresh_token as string, {}, strict),
    'invalid_grant',
    'the old one',
  );
  refused(
    t,
    await refresh(client, second.body.refresh_token as string, {}, strict),
    'invalid_grant',
    'the new one',
  );
  t.equal(await userinfo(second.body.access_token as string, strict), 401);
  const [reused] = await strict.events('token.reused');
  t.strictSame(reused?.data, { kind: 'refresh', ended: 'account' });
  t.equal(reused?.subject_id, victim.id);
  t.equal(reused?.client_id, client.id);
  const silent = await browser.get(authorizePath(other, pkce(), { prompt: 'none' }));
  t.equal(
    new URL(silent.location ?? '').searchParams.get('error'),
    'login_required',
    'the account’s sessions ended',
  );
  t.equal((await strict.events('account.signedOutEverywhere'))[0]?.subject_id, victim.id);
});

await t.test('ATK-A046: a refresh token at another client', async (t) => {
  const person = await app.person();
  for (const isPublic of [false, true]) {
    const owner = await app.client({ public: isPublic });
    const thief = await app.client({ public: isPublic });
    const { body } = await tokens(app, owner, person, { scope: OFFLINE });
    refused(t, await refresh(thief, body.refresh_token as string), 'invalid_grant');
    t.strictSame(await refusalsOf(thief), ['refresh_token: invalid_grant']);
    t.equal(
      (await refresh(owner, body.refresh_token as string)).status,
      200,
      'its owner lost nothing by that',
    );
  }
});

await t.test('ATK-A047: more scope by refresh, or from a grant type that is not there', async (t) => {
  const client = await app.client();
  const person = await app.person();
  const { body } = await tokens(app, client, person, { scope: 'openid offline_access' });
  for (const scope of ['openid email', 'openid admin', 'openid offline_access profile']) {
    refused(t, await refresh(client, body.refresh_token as string, { scope }), 'invalid_scope', scope);
  }
  const kept = await refresh(client, body.refresh_token as string);
  t.equal(kept.body.scope, 'openid offline_access', 'never wider than what was allowed');
  const machine = await tokenRequest(issuer, client, { grant_type: 'client_credentials', scope: 'admin' });
  refused(t, machine, 'invalid_request', 'a grant type the app is not registered for');
  const own = await app.client({ grantTypes: ['client_credentials'], redirectUris: [] });
  for (const scope of ['admin', 'openid', 'profile email']) {
    const more = await tokenRequest(issuer, own, { grant_type: 'client_credentials', scope });
    refused(t, more, 'invalid_scope', `in its own name: ${scope}`);
  }
  const narrow = await app.client({ scopes: ['openid'] });
  const page = await app.visitor().get(authorizePath(narrow, pkce(), { scope: 'openid email' }));
  t.equal(new URL(page.location ?? '').searchParams.get('error'), 'invalid_scope', 'beyond the client’s own');
});

await t.test(
  'ATK-A050 ATK-A051: client assertions, which no client may use; nothing is fetched',
  async (t) => {
    let fetched = 0;
    const trap = createServer((_request, response) => {
      fetched += 1;
      response.end('{}');
    });
    const port = await freePort();
    await new Promise<void>((resolve) => trap.listen(port, '127.0.0.1', resolve));
    t.teardown(() => trap.close());
    const client = await app.client();
    const person = await app.person();
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: client.id,
      sub: client.id,
      aud: issuer,
      jti: randomUUID(),
      iat: now,
      exp: now + 60,
    };
    const es256 = (header: object, payload: object) => {
      const text = `${encode({ alg: 'ES256', ...header })}.${encode(payload)}`;
      return `${text}.${sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
    };
    const hs256 = (key: string) => {
      const text = `${encode({ alg: 'HS256' })}.${encode(claims)}`;
      return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
    };
    const { exp, ...endless } = claims;
    const assertions: Record<string, string> = {
      'alg none': `${encode({ alg: 'none' })}.${encode(claims)}.`,
      'HS256 with a public key': hs256(publicKey.export({ type: 'spki', format: 'pem' }).toString()),
      'HS256 with the stored hash': hs256('sha256:'),
      'HS256 with the secret': hs256(client.secret ?? ''),
      'a path as kid': es256({ kid: '../../dev/null' }, claims),
      'its own jku': es256({ jku: `http://127.0.0.1:${port}/jwks` }, claims),
      'its own x5u': es256({ x5u: `http://127.0.0.1:${port}/x` }, claims),
      'its own jwk': es256({ jwk: publicKey.export({ format: 'jwk' }) }, claims),
      'no end': es256({}, endless),
      'ten years': es256({}, { ...claims, exp: exp + 315_360_000 }),
      'iss is not sub': es256({}, { ...claims, iss: 'other' }),
      'used before': es256({}, claims),
      'used again': es256({}, claims),
    };
    const { form } = await freshCode(client, person);
    for (const [label, client_assertion] of Object.entries(assertions)) {
      const answer = await post('/oauth2/token', {
        ...form,
        client_id: client.id,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion,
      });
      t.match(answer.body.error, /^invalid_(client|request)$/, label);
      refused(t, answer, answer.body.error as string, label);
    }
    t.equal(fetched, 0, 'no outbound request');
    t.equal((await tokenRequest(issuer, client, form)).status, 200, 'the code waited for its owner');
    t.ok((await app.events('client.authenticationFailed')).some(({ client_id }) => client_id === client.id));
  },
);

await t.test('ATK-A054: client authentication in the wrong place, twice, or by another method', async (t) => {
  const client = await app.client();
  const byPost = await app.client({ tokenEndpointAuthMethod: 'client_secret_post' });
  const open = await app.client({ public: true });
  const other = await app.client();
  const person = await app.person();
  const secret = client.secret as string;
  const { form } = await freshCode(client, person);
  const token = '/oauth2/token';
  const inQuery = new URLSearchParams({ client_id: client.id, client_secret: secret });
  const ways: [string, Answer, number][] = [
    ['secret in the query', await post(`${token}?${inQuery}`, form), 400],
    [
      'Basic and body',
      await post(token, { ...form, client_id: client.id, client_secret: secret }, as(client)),
      400,
    ],
    ['another client_id in the body', await post(token, { ...form, client_id: other.id }, as(client)), 400],
    ['empty secret', await post(token, form, { authorization: basic(client.id, '') }), 400],
    ['no secret', await post(token, { ...form, client_id: client.id }), 401],
    [
      'empty secret in the body',
      await post(token, { ...form, client_id: client.id, client_secret: '' }),
      401,
    ],
    [
      'by post, registered for basic',
      await post(token, { ...form, client_id: client.id, client_secret: secret }),
      401,
    ],
    ['by basic, registered for post', await post(token, form, as(byPost)), 401],
    [
      'a public client with a secret',
      await post(token, { ...form, client_id: open.id, client_secret: 'x' }),
      401,
    ],
    [
      'another client’s secret',
      await post(token, form, { authorization: basic(client.id, other.secret ?? '') }),
      401,
    ],
    ['unknown client', await post(token, form, { authorization: basic('nobody', secret) }), 401],
    [
      'the stored form of a secret',
      await post(token, form, { authorization: basic(client.id, 'sha256:') }),
      401,
    ],
    ['no Base64', await post(token, form, { authorization: 'Basic ???' }), 400],
    ['nothing', await post(token, form), 400],
  ];
  for (const [label, answer, status] of ways) {
    t.equal(answer.status, status, label);
    t.match(answer.body.error, /^invalid_(client|request)$/, label);
    t.notOk(answer.body.access_token, label);
    t.equal(answer.headers.get('cache-control'), 'no-store');
    if (status === 401) t.match(answer.headers.get('www-authenticate') ?? 'Basic', /^Basic/);
  }
  await app.db.$client`UPDATE clients SET disabled_at = now() WHERE id = ${other.id}`;
  await app.db.$client`SELECT pg_notify('gatehouse_clients', ${other.id})`;
  await sleep(100);
  refused(
    t,
    await tokenRequest(issuer, other, { grant_type: 'refresh_token', refresh_token: 'x' }),
    'invalid_client',
    'disabled',
  );
  const failures = (await app.events('client.authenticationFailed')).filter(
    ({ client_id }) => client_id === client.id,
  );
  t.ok(failures.length >= 3, `${failures.length} in the audit trail`);
  t.strictSame(failures[0]?.data, { endpoint: 'token' });
  t.equal((await tokenRequest(issuer, client, form)).status, 200, 'and the honest way still works');
});

await t.test('ATK-A055: guessing a client secret is stopped at that address alone', async (t) => {
  const guarded = await startApp(t, { CLIENT_AUTH_LOCKOUT_ATTEMPTS: '5', TRUSTED_PROXIES: '127.0.0.1' });
  const client = await guarded.client();
  const from = (address: string, secret: string) =>
    post(
      '/oauth2/token',
      { grant_type: 'refresh_token', refresh_token: 'x' },
      { authorization: basic(client.id, secret), 'x-forwarded-for': address },
      guarded.issuer,
    );
  const statuses: number[] = [];
  for (let n = 0; n < 12; n++) statuses.push((await from('198.51.100.7', `wrong ${n}`)).status);
  t.strictSame(statuses.slice(0, 5), Array(5).fill(401));
  t.strictSame(statuses.slice(5), Array(7).fill(429));
  const right = await from('198.51.100.7', client.secret ?? '');
  t.equal(right.status, 429, 'even the right one, at that address');
  t.ok(Number(right.headers.get('retry-after')) > 0);
  t.equal(right.body.error, 'temporarily_unavailable');
  const honest = await from('203.0.113.9', client.secret ?? '');
  t.equal(honest.status, 400, 'the app at its own address is let in');
  t.equal(honest.body.error, 'invalid_grant');
  const [lockout] = await guarded.events('lockout.started');
  t.match(lockout?.data, { by: 'client' });
  const parallel = await Promise.all(
    Array.from({ length: 40 }, (_, n) => from('198.51.100.8', `guess ${n}`)),
  );
  const counted = new Set(parallel.map(({ status }) => status));
  t.strictSame(
    [...counted].filter((status) => status !== 401 && status !== 429),
    [],
  );
});

await t.test('ATK-A056: answers with tokens, and refusals, are not cached', async (t) => {
  const client = await app.client();
  const person = await app.person();
  const { form } = await freshCode(client, person, { scope: OFFLINE });
  const good = await tokenRequest(issuer, client, form);
  const token = good.body.access_token as string;
  const bearer = { authorization: `Bearer ${token}` };
  const answers: [string, Headers][] = [
    ['token', good.headers],
    ['token, refused', (await tokenRequest(issuer, client, { ...form, code: 'x' })).headers],
    ['token, not authenticated', (await post('/oauth2/token', form)).headers],
    ['userinfo', (await fetch(`${issuer}/oauth2/userinfo`, { headers: bearer })).headers],
    ['userinfo, refused', (await fetch(`${issuer}/oauth2/userinfo`)).headers],
    ['introspection', (await post('/oauth2/introspect', { token }, as(client))).headers],
    ['introspection, refused', (await post('/oauth2/introspect', { token })).headers],
    ['revocation', (await post('/oauth2/revoke', { token: 'x' }, as(client))).headers],
    ['revocation, refused', (await post('/oauth2/revoke', { token: 'x' })).headers],
    ['too large', (await post('/oauth2/token', 'x'.repeat(80_000))).headers],
    ['account', (await fetch(`${issuer}/account`, { redirect: 'manual' })).headers],
  ];
  for (const [label, headers] of answers) t.match(headers.get('cache-control') ?? 'none', /no-store/, label);
});

await t.test('ATK-A057: an access token in the wrong place; none is in the log', async (t) => {
  const client = await app.client();
  const person = await app.person();
  const { body } = await tokens(app, client, person, { scope: OFFLINE });
  const token = body.access_token as string;
  const at = `${issuer}/oauth2/userinfo`;
  const inQuery = await fetch(`${at}?access_token=${token}`);
  t.ok([400, 401].includes(inQuery.status), 'in the query');
  const twice = await post('/oauth2/userinfo', { access_token: token }, { authorization: `Bearer ${token}` });
  t.equal(twice.status, 400, 'in header and body');
  t.equal(twice.body.error, 'invalid_request');
  const cookie = await fetch(at, {
    headers: { cookie: `access_token=${token}; gatehouse_session=${token}` },
  });
  t.equal(cookie.status, 401, 'as a cookie');
  for (const authorization of [
    `Basic ${token}`,
    `bearer${token}`,
    `Token ${token}`,
    `Bearer ${token} ${token}`,
    `Bearer ${token},`,
  ]) {
    const response = await fetch(at, { headers: { authorization } });
    t.ok([400, 401].includes(response.status), authorization.slice(0, 8));
  }
  const log = app.lines.join('\n');
  for (const [what, value] of Object.entries({ ...body, secret: client.secret ?? '' })) {
    if (['access_token', 'refresh_token', 'id_token', 'secret'].includes(what))
      t.notOk(log.includes(value), what);
  }
  t.match(log, /"path":"\/oauth2\/userinfo"/, 'the requests themselves are');
});

await t.test('ATK-A058: one kind of token where another is asked for', async (t) => {
  const client = await app.client();
  const person = await app.person();
  const browser = app.visitor();
  const { body } = await tokens(app, client, person, { browser, scope: OFFLINE });
  const { code } = await freshCode(client, person, { browser });
  const session = browser.cookies().find(({ name }) => name === 'gatehouse_session')?.value ?? '';
  const [grant] = await app.db.$client`SELECT id FROM grants WHERE client_id = ${client.id}`;
  const [row] = await app.db.$client`SELECT uid FROM sessions WHERE account_id = ${person.id}`;
  const values: Record<string, string> = {
    'ID token': body.id_token as string,
    'refresh token': body.refresh_token as string,
    code,
    'session cookie': session,
    'grant id': grant?.id as string,
    'session uid': row?.uid as string,
    'client secret': client.secret ?? '',
    'client id': client.id,
    'account id': person.id,
  };
  for (const [label, value] of Object.entries(values))
    t.equal(await userinfo(value), 401, `${label} at userinfo`);
  for (const label of ['ID token', 'code', 'session cookie', 'grant id', 'session uid']) {
    refused(t, await refresh(client, values[label] ?? ''), 'invalid_grant', `${label} as refresh token`);
  }
  refused(
    t,
    await refresh(client, body.access_token as string),
    'invalid_grant',
    'access token as refresh token',
  );
  const { form } = await freshCode(client, person, { browser });
  for (const wrong of [body.refresh_token, body.access_token, session]) {
    refused(t, await tokenRequest(issuer, client, { ...form, code: wrong as string }), 'invalid_grant');
  }
  t.equal((await tokenRequest(issuer, client, form)).status, 200);
});

await t.test('ATK-A060: a stranger learns and does nothing by introspection and revocation', async (t) => {
  const owner = await app.client();
  const stranger = await app.client();
  const open = await app.client({ public: true });
  const person = await app.person();
  const { body } = await tokens(app, owner, person, { scope: OFFLINE });
  const same = (answer: Answer) => {
    const headers = Object.fromEntries(answer.headers);
    for (const name of ['date', 'x-request-id', 'request-id', 'x-response-time']) delete headers[name];
    return { status: answer.status, text: answer.text, headers };
  };
  for (const path of ['/oauth2/introspect', '/oauth2/revoke']) {
    const unknown = same(await post(path, { token: 'u'.repeat(43) }, as(stranger)));
    t.equal(unknown.status, 200);
    for (const token of [body.access_token, body.refresh_token] as string[]) {
      for (const hint of [undefined, 'access_token', 'refresh_token', 'bogus']) {
        const answer = await post(path, { token, ...(hint ? { token_type_hint: hint } : {}) }, as(stranger));
        t.strictSame(same(answer), unknown, `${path}: foreign is like unknown`);
      }
      const nobody = await post(path, { token });
      t.ok([400, 401].includes(nobody.status), 'not authenticated');
      const bare = await post(path, { token, client_id: open.id });
      if (path.endsWith('introspect')) t.not(bare.body.active, true, 'a public client');
      const onlyId = await post(path, { token, client_id: owner.id });
      t.equal(onlyId.status, 401, 'the owner’s id without its secret');
    }
  }
  t.equal(await userinfo(body.access_token as string), 200, 'nothing was revoked');
  t.equal((await refresh(owner, body.refresh_token as string)).status, 200);
  t.equal((await app.events('token.revoked')).filter(({ client_id }) => client_id !== owner.id).length, 0);
});

await t.test('ATK-A062: CORS is for origins an app has listed', async (t) => {
  const client = await app.client({ public: true, allowedOrigins: ['https://spa.test'] });
  const person = await app.person();
  const { body } = await tokens(app, client, person, { scope: OFFLINE });
  const token = body.access_token as string;
  const evil = [
    'https://evil.test',
    'null',
    `${issuer}.evil.test`,
    'https://spa.test.evil.test',
    'http://spa.test',
    'https://rp.test',
    issuer,
  ];
  const allowed = (response: { headers: Headers }) => response.headers.get('access-control-allow-origin');
  const credentials = (response: { headers: Headers }) =>
    response.headers.get('access-control-allow-credentials');
  const calls: [string, (origin: string) => Promise<{ headers: Headers }>][] = [
    [
      'token',
      (origin) =>
        post(
          '/oauth2/token',
          { grant_type: 'refresh_token', refresh_token: 'x', client_id: client.id },
          { origin },
        ),
    ],
    [
      'userinfo',
      (origin) =>
        fetch(`${issuer}/oauth2/userinfo`, { headers: { origin, authorization: `Bearer ${token}` } }),
    ],
  ];
  const endpoints = ['token', 'par', 'device_authorization', 'introspect', 'revoke', 'userinfo'];
  for (const endpoint of endpoints) {
    const path = `/oauth2/${endpoint}`;
    const form = { token: 'x', grant_type: 'x' };
    if (endpoint !== 'userinfo')
      calls.push([
        `${endpoint} of an app`,
        (origin) => post(path, { ...form, client_id: client.id }, { origin }),
      ]);
    calls.push(
      [`${endpoint} of nobody`, (origin) => post(path, form, { origin })],
      [`${endpoint} of an unknown app`, (origin) => post(path, { ...form, client_id: 'nobody' }, { origin })],
      [
        `${endpoint} preflight`,
        (origin) =>
          fetch(`${issuer}${path}`, {
            method: 'OPTIONS',
            headers: {
              origin,
              'access-control-request-method': 'POST',
              'access-control-request-headers': 'dpop',
            },
          }),
      ],
    );
  }
  for (const [label, call] of calls) {
    for (const origin of evil) {
      const response = await call(origin);
      t.equal(allowed(response), null, `${label}: ${origin}`);
      t.equal(credentials(response), null);
    }
    const response = await call('https://spa.test');
    t.equal(allowed(response), 'https://spa.test', label);
    t.equal(credentials(response), null, `${label}: never with cookies`);
  }
  for (const path of [
    '/account',
    '/login/x',
    '/consent/x',
    '/interaction/x',
    '/oauth2/authorize',
    '/oauth2/logout',
    '/setup',
    '/',
  ]) {
    for (const method of ['GET', 'OPTIONS']) {
      const headers = {
        origin: 'https://spa.test',
        ...(method === 'OPTIONS' ? { 'access-control-request-method': 'POST' } : {}),
      };
      const response = await fetch(`${issuer}${path}`, { method, headers, redirect: 'manual' });
      t.equal(allowed(response), null, `${method} ${path}: a page is nobody’s`);
    }
  }
  for (const path of ['/.well-known/openid-configuration', '/oauth2/jwks']) {
    const response = await fetch(`${issuer}${path}`, { headers: { origin: 'https://evil.test' } });
    t.equal(allowed(response), '*', 'public documents');
    t.equal(credentials(response), null);
  }
});

/** Methods and targets that fetch will not send. */
function raw(
  method: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: string }> {
  const { port } = new URL(issuer);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port, method, path, headers: { host: new URL(issuer).host, ...headers } },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    request.on('error', reject);
    request.end();
  });
}

await t.test('ATK-A063: methods an endpoint does not have', async (t) => {
  for (const [method, path] of [
    ['GET', '/oauth2/token'],
    ['PUT', '/oauth2/authorize'],
    ['DELETE', '/oauth2/jwks'],
    ['POST', '/oauth2/jwks'],
    ['PATCH', '/oauth2/userinfo'],
    ['DELETE', '/oauth2/revoke'],
    ['GET', '/oauth2/introspect'],
    ['TRACE', '/'],
    ['TRACE', '/oauth2/token'],
  ] as const) {
    const answer = await raw(method, path, { 'x-secret': 'echo me' });
    t.ok([404, 405].includes(answer.status), `${method} ${path}: ${answer.status}`);
    t.notMatch(answer.body, /echo me/);
  }
  const override = await raw('GET', '/oauth2/jwks', {
    'x-http-method-override': 'DELETE',
    'x-method-override': 'DELETE',
  });
  t.equal(override.status, 200, 'an override is ignored');
  t.match(override.body, /"keys"/);
});

await t.test('ATK-A064: registration and the grants that are not there', async (t) => {
  for (const path of ['/reg', '/register', '/oauth2/register', '/oauth2/registration', '/connect/register']) {
    const response = await fetch(`${issuer}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: ['https://evil.test/'] }),
    });
    t.equal(response.status, 404, path);
  }
  const client = await app.client();
  const person = await app.person();
  const grants = [
    'password',
    'implicit',
    'urn:ietf:params:oauth:grant-type:token-exchange',
    'urn:ietf:params:oauth:grant-type:jwt-bearer',
    'urn:openid:params:grant-type:ciba',
    'urn:ietf:params:oauth:grant-type:pre-authorized_code',
    '__proto__',
    'constructor',
    '',
  ];
  for (const grant_type of grants) {
    const answer = await tokenRequest(issuer, client, { grant_type, username: person.email, password: 'x' });
    refused(t, answer, grant_type === '' ? 'invalid_request' : 'unsupported_grant_type', grant_type);
  }
  const only = await app.client({ grantTypes: ['authorization_code'] });
  refused(t, await refresh(only, 'x'), 'invalid_request', 'a grant the client does not have');
  for (const grant_type of ['client_credentials', 'urn:ietf:params:oauth:grant-type:device_code']) {
    refused(t, await tokenRequest(issuer, client, { grant_type }), 'invalid_request', grant_type);
  }
  for (const grant_type of ['client_credentials', 'urn:ietf:params:oauth:grant-type:device_code']) {
    const form = { grant_type, device_code: 'x', scope: 'openid' };
    refused(t, await tokenRequest(issuer, only, form), 'invalid_request', grant_type);
  }
  await t.rejects(app.client({ grantTypes: ['authorization_code', 'password'] }), { code: 'client.invalid' });
  await t.rejects(app.client({ grantTypes: ['authorization_code', 'urn:openid:params:grant-type:ciba'] }), {
    code: 'client.invalid',
  });
});

await t.test('ATK-A065: the JWKS holds public members, each key named, for one use', async (t) => {
  for (const path of ['/oauth2/jwks', '/oauth2/jwks?x=1']) {
    const response = await fetch(`${issuer}${path}`);
    t.equal(response.status, 200);
    const { keys } = (await response.json()) as { keys: Record<string, string>[] };
    t.strictSame(keys.map(({ alg }) => alg).toSorted(), ['ES256', 'EdDSA', 'RS256']);
    t.equal(new Set(keys.map(({ kid }) => kid)).size, keys.length, 'kid is unique');
    for (const key of keys) {
      t.equal(key.use, 'sig');
      for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])
        t.notOk(secret in key, `${key.alg}: ${secret}`);
      t.throws(() => createPrivateKey({ key: key as never, format: 'jwk' }));
      t.equal(createPublicKey({ key: key as never, format: 'jwk' }).type, 'public');
    }
  }
  t.equal((await fetch(`${issuer}/jwks.json?x=1`)).status, 404);
});

await t.test('ATK-A068: bodies that are too large, of the wrong kind, or never end', async (t) => {
  const client = await app.client();
  const shots: [string, string, string, number[]][] = [
    [
      '80 KiB',
      `grant_type=refresh_token&refresh_token=${'x'.repeat(80 * 1024)}`,
      'application/x-www-form-urlencoded',
      [413],
    ],
    ['JSON', '{"grant_type":"refresh_token","refresh_token":"x"}', 'application/json', [400]],
    [
      'multipart',
      '--b\r\ncontent-disposition: form-data; name="grant_type"\r\n\r\nrefresh_token\r\n--b--',
      'multipart/form-data; boundary=b',
      [400],
    ],
    ['%zz', 'grant_type=%zz&refresh_token=%', 'application/x-www-form-urlencoded', [400]],
    [
      'utf-7',
      'grant_type=refresh_token&refresh_token=+AGE-',
      'application/x-www-form-urlencoded; charset=utf-7',
      [400, 415],
    ],
    ['U+0000', 'grant_type=refresh_token&refresh_token=%00', 'application/x-www-form-urlencoded', [400]],
    ['no body', '', 'application/x-www-form-urlencoded', [400]],
    ['nested', 'grant_type[a]=refresh_token&refresh_token[]=x', 'application/x-www-form-urlencoded', [400]],
  ];
  for (const [label, body, type, expected] of shots) {
    const began = performance.now();
    const answer = await post('/oauth2/token', body, { ...as(client), 'content-type': type });
    t.ok(expected.includes(answer.status), `${label}: ${answer.status}`);
    t.type(answer.body.error, 'string', `${label}: an error of RFC 6749`);
    t.ok(performance.now() - began < 5000, 'in bounded time');
  }
  const impatient = await startApp(t, { REQUEST_TIMEOUT: '2', HEADERS_TIMEOUT: '1' });
  const { port, host } = new URL(impatient.issuer);
  const began = Date.now();
  const said = await new Promise<string>((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').on('data', (more: string) => {
      text += more;
    });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
    socket.write(
      `POST /oauth2/token HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n`,
    );
  });
  t.match(said, /^HTTP\/1\.1 408 /, 'chunks that never end');
  t.ok(Date.now() - began < 20_000);
  t.equal((await fetch(`${issuer}/livez`)).status, 200);
});
