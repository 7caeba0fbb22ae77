// Faults found by reading registration, consent and what apps prove themselves with as an attacker would, each kept as
// the request that showed it.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import t from 'tap';
import { change, DEVICE_CODE, type NewClient, OWN_CLIENT } from '../server/clients/clients.ts';
import { createToken } from '../server/clients/registration.ts';
import { endApp } from '../server/consents/consents.ts';
import { authorizePath, complete, PASSWORD, pkce, type Running, startApp, tokens } from './harness/app.ts';
import { type Page, type Visitor, visitor } from './harness/browser.ts';

t.setTimeout(120_000);

const CALLBACK = 'https://rp.test/cb';

interface Answer {
  status: number;
  text: string;
  body: Record<string, unknown>;
}

async function send(url: string, method: string, token: string | null, body?: unknown): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined
      ? {}
      : { body: typeof body === 'string' || Buffer.isBuffer(body) ? (body as never) : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') && text !== '';
  return { status: response.status, text, body: isJson ? JSON.parse(text) : {} };
}

const register = (app: Running, metadata: unknown, token: string | null = null) =>
  send(`${app.issuer}/oauth2/register`, 'POST', token, metadata);

t.test('apps that registered themselves', async (t) => {
  const app = await startApp(t, { DYNAMIC_REGISTRATION: 'open', DYNAMIC_REGISTRATION_LIMIT: '10000' });
  const person = await app.person();
  const initial = async () => (await createToken(app.op(), { uses: 1, ttl: 3600, note: null })).value;
  const subOf = async (token: string | undefined) =>
    (await send(`${app.issuer}/oauth2/userinfo`, 'GET', token ?? '')).body.sub;

  await t.test('P5: R54: none moves into the sector of another app with the tokens it has', async (t) => {
    const victim = await app.client({ subjectType: 'pairwise', redirectUris: ['https://victim.test/cb'] });
    const known = await subOf((await tokens(app, victim, person)).body.access_token);
    for (const subject_type of ['public', 'pairwise']) {
      const made = await register(
        app,
        {
          redirect_uris: ['https://stranger.test/cb'],
          subject_type,
          grant_types: ['authorization_code', 'refresh_token'],
          token_endpoint_auth_method: 'client_secret_basic',
        },
        await initial(),
      );
      t.equal(made.status, 201);
      const stranger = {
        id: String(made.body.client_id),
        secret: String(made.body.client_secret),
        redirectUri: 'https://stranger.test/cb',
        row: null as never,
      };
      const own = (await tokens(app, stranger, person)).body;
      t.not(await subOf(own.access_token), known);
      const uri = String(made.body.registration_client_uri);
      let token = String(made.body.registration_access_token);
      const steps = [
        { redirect_uris: ['https://victim.test/cb'], subject_type: 'public' },
        { redirect_uris: ['https://victim.test/cb'], subject_type: 'pairwise' },
      ];
      for (const step of steps) {
        const moved = await send(uri, 'PUT', token, {
          client_id: stranger.id,
          grant_types: ['authorization_code', 'refresh_token'],
          token_endpoint_auth_method: 'client_secret_basic',
          ...step,
        });
        t.ok([200, 400].includes(moved.status), moved.text);
        if (moved.status === 200) token = String(moved.body.registration_access_token);
        t.not(await subOf(own.access_token), known, `${subject_type}, ${JSON.stringify(step)}`);
      }
    }
  });

  await t.test('P5: nonsense is refused, never a fault', async (t) => {
    const base = { redirect_uris: [CALLBACK] };
    const deep = `${'['.repeat(20000)}${']'.repeat(20000)}`;
    const key = { ...(await exportJWK((await generateKeyPair('ES256')).publicKey)) };
    const values: unknown[] = [
      null,
      true,
      0,
      -1,
      1e308,
      '',
      ' ',
      '\u0000',
      'a\u0000b',
      '\ud800',
      '\u202eelgoog',
      {},
      [],
      [[]],
      [null],
      [{}],
      [1],
      ['\u0000'],
      ['\ud800'],
      { keys: null },
      { keys: {} },
      { keys: [null] },
      { keys: [[]] },
      { keys: ['x'] },
      { keys: [{}] },
      { keys: [{ kty: 'RSA' }] },
      { keys: [{ kty: 'RSA', n: 1, e: 'AQAB' }] },
      { keys: [{ kty: 'RSA', n: 'A'.repeat(20000), e: 'AQAB' }] },
      { keys: [{ kty: 'oct', k: 'x' }] },
      { keys: [{ ...key, kid: 1 }] },
      { keys: [{ ...key, x5c: 5 }] },
      { keys: [{ ...key, key_ops: 5 }] },
      { keys: [{ ...key, key_ops: ['sign'] }] },
      { keys: [{ ...key, ext: 'x' }] },
      { keys: [{ ...key, x5c: [5] }] },
      { keys: [{ ...key, alg: 'RS256' }] },
      { keys: [{ ...key, kid: '\u0000' }] },
      { keys: [{ ...key, more: '\ud800' }] },
      { keys: [key], __proto__x: 1 },
      'x'.repeat(5000),
      'http://a',
      'javascript:alert(1)',
      'https://',
      'https://[',
      'urn:x',
      'https://%00/',
      'https://a\u0000b/',
      'toString',
      '__proto__',
      'constructor',
    ];
    const fields = [
      'redirect_uris',
      'client_name',
      'application_type',
      'token_endpoint_auth_method',
      'token_endpoint_auth_signing_alg',
      'grant_types',
      'post_logout_redirect_uris',
      'jwks',
      'jwks_uri',
      'id_token_signed_response_alg',
      'dpop_bound_access_tokens',
      'require_pushed_authorization_requests',
      'request_object_signing_alg',
      'require_signed_request_object',
      'subject_type',
      'sector_identifier_uri',
      'backchannel_logout_uri',
      'backchannel_logout_session_required',
      'client_uri',
      'logo_uri',
      'policy_uri',
      'tos_uri',
      'contacts',
      'initiate_login_uri',
      'default_max_age',
      'scope',
      'response_types',
      'client_id',
      'first_party',
      'software_statement',
    ];
    const seen = new Map<number, number>();
    const look = (answer: Answer, what: string) => {
      seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
      if (![201, 400, 401, 413, 415, 429, 503].includes(answer.status) || answer.status === 500)
        t.fail(`${what}: ${answer.status} ${answer.text.slice(0, 200)}`);
      if (/\bat .*\.ts:|node_modules|SELECT|invalid input syntax/.test(answer.text))
        t.fail(`${what}: ${answer.text}`);
    };
    const token = (await createToken(app.op(), { uses: null, ttl: 3600, note: null })).value;
    for (const field of fields)
      for (const value of values)
        for (const more of [{}, { token_endpoint_auth_method: 'private_key_jwt' }]) {
          if (field === 'jwks' || !('token_endpoint_auth_method' in more))
            look(
              await register(app, { ...base, ...more, [field]: value }, token),
              `${field}=${JSON.stringify(value)?.slice(0, 80)}`,
            );
        }
    for (const body of [
      deep,
      `{"jwks":${deep}}`,
      `{"a":`,
      '"text"',
      '5',
      'null',
      '[]',
      '',
      '{"__proto__":{"first_party":true}}',
      `{"redirect_uris":["${CALLBACK}"],"constructor":{"prototype":{}}}`,
      `{"client_name":"\\ud800","redirect_uris":["${CALLBACK}"]}`,
      `{"client_name":"${'x'.repeat(2_000_000)}"}`,
      Buffer.from([0xff, 0xfe, 0x7b]),
      `{"default_max_age":1e400,"redirect_uris":["${CALLBACK}"]}`,
      `{"default_max_age":0.5,"redirect_uris":["${CALLBACK}"]}`,
    ])
      look(await register(app, body, token), String(body).slice(0, 60));
    t.comment([...seen]);
    const [made] = [await register(app, base)];
    const uri = String(made?.body.registration_client_uri);
    const mine = String(made?.body.registration_access_token);
    for (const path of [
      '%00',
      '%ff',
      '%ed%a0%80',
      'x'.repeat(3000),
      '..%2f',
      "'",
      '%F0%9F%98%80',
      `${'a'.repeat(90)}`,
    ])
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const answer = await send(
          `${app.issuer}/oauth2/register/${path}`,
          method,
          mine,
          method === 'PUT' ? base : undefined,
        );
        if (![400, 401, 404, 414, 431].includes(answer.status))
          t.fail(`${method} ${path}: ${answer.status} ${answer.text}`);
      }
    for (const value of values) {
      const answer = await send(uri, 'PUT', mine, {
        ...base,
        client_id: made?.body.client_id,
        client_secret: value,
        jwks: value,
      });
      if (answer.status === 200) break;
      if (answer.status !== 400)
        t.fail(`client_secret ${JSON.stringify(value)?.slice(0, 80)}: ${answer.status} ${answer.text}`);
    }
    t.same(
      app.lines.filter((line) => line.includes(`"level":"error"`)),
      [],
    );
    t.notOk(app.lines.some((line) => line.includes(token) || line.includes(mine)));
  });

  await t.test('P5: R55: an app has other servers asked as seldom by changing as by coming', async (t) => {
    const slow = await startApp(t, { DYNAMIC_REGISTRATION: 'open', DYNAMIC_REGISTRATION_LIMIT: '5' });
    const made = await register(slow, { redirect_uris: [CALLBACK] });
    const came: number[] = [];
    for (let turn = 0; turn < 8; turn++) {
      const changed = await send(
        String(made.body.registration_client_uri),
        'PUT',
        String(made.body.registration_access_token),
        {
          client_id: made.body.client_id,
          redirect_uris: [CALLBACK],
          sector_identifier_uri: 'https://127.0.0.1:1/sector.json',
        },
      );
      came.push(changed.status);
    }
    t.same(came, [400, 400, 400, 400, 429, 429, 429, 429]);
  });

  await t.test('P5: P9: a name cannot turn round the text of the page', async (t) => {
    for (const name of ['\u200b\u200b', '\u202eelgooG', 'Go\u2066ogle', 'a\u2028b', 'a\u2029b']) {
      const made = await register(app, { redirect_uris: [CALLBACK], client_name: name });
      t.equal(made.status, 400, encodeURIComponent(name));
    }
    t.equal((await register(app, { redirect_uris: [CALLBACK], client_name: 'دفتر 👩🏽‍🚀' })).status, 201);
  });
});

t.test('ASVS V10.4.11: P9: claims', async (t) => {
  const app = await startApp(t);
  const person = await app.person();
  const claims = JSON.stringify({ userinfo: { email: { essential: true } }, id_token: { email: null } });
  for (const firstParty of [false, true]) {
    await t.test(
      `no claim asked for by itself is beyond the scopes of the app, firstParty ${firstParty}`,
      async (t) => {
        const client = await app.client({ scopes: ['openid'], firstParty });
        const browser = app.visitor();
        const { page, params } = await complete(
          browser,
          await browser.get(authorizePath(client, pkce(), { claims })),
          person,
        );
        t.notOk(params.get('code'), page.location ?? page.body.slice(0, 300));
        t.equal(params.get('error'), 'invalid_request');
      },
    );
  }
  const client = await app.client({ scopes: ['openid', 'email'] });
  const { body } = await tokens(app, client, person, { scope: 'openid', claims });
  const info = await send(`${app.issuer}/oauth2/userinfo`, 'GET', body.access_token ?? '');
  t.equal(info.body.email, person.email);
});

t.test('keys of apps', async (t) => {
  const app = await startApp(t);
  const pair = async (kid: string) => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' } };
  };
  const ask = async (id: string, key: Awaited<ReturnType<typeof pair>>) => {
    const assertion = await new SignJWT({ jti: randomUUID() })
      .setProtectedHeader({ alg: 'ES256', kid: key.jwk.kid })
      .setIssuer(id)
      .setSubject(id)
      .setAudience(app.issuer)
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(key.privateKey);
    const response = await fetch(`${app.issuer}/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_assertion: assertion,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      }),
    });
    return { status: response.status, body: await response.text() };
  };
  const machine = {
    tokenEndpointAuthMethod: 'private_key_jwt' as const,
    grantTypes: ['client_credentials'],
    redirectUris: [],
  };

  await t.test('P5: a key that was removed proves nothing, at once', async (t) => {
    const [one, two] = [await pair('one'), await pair('two')];
    const client = await app.client({ ...machine, jwks: { keys: [one.jwk, two.jwk] } });
    t.equal((await ask(client.id, one as never)).status, 200);
    await change(app.op(), client.id, (before) => ({ ...before, jwks: { keys: [two.jwk] } }));
    await new Promise((resolve) => setTimeout(resolve, 300));
    t.equal((await ask(client.id, one as never)).status, 401);
    t.equal((await ask(client.id, two as never)).status, 200);
    await change(app.op(), client.id, (before) => ({ ...before, jwks: { keys: [one.jwk, two.jwk] } }));
    await new Promise((resolve) => setTimeout(resolve, 300));
    t.equal((await ask(client.id, one as never)).status, 200);
  });

  await t.test('R55: strangers do not have a broken jwks_uri fetched again and again', async (t) => {
    let asked = 0;
    const server = createServer((_request, response) => {
      asked++;
      response.writeHead(200, { 'content-type': 'application/json' }).end('not json');
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    t.teardown(() => void server.close());
    const key = await pair('one');
    const client = await app.client({
      ...machine,
      jwksUri: `http://localhost:${(server.address() as AddressInfo).port}/jwks`,
    });
    const came: number[] = [];
    for (let i = 0; i < 40; i++) came.push((await ask(client.id, key as never)).status);
    t.comment(`fetched ${asked} times`, came);
    t.ok(asked > 0 && asked <= 12, `fetched ${asked} times`);
  });
});

t.test('R40: P9: a public app on the person’s own machine asks each time', async (t) => {
  const issuer = 'https://id.test';
  const app = await startApp(t, { ISSUER: issuer, TRUSTED_PROXIES: '127.0.0.1' });
  const person = await app.person();
  const proxy = createServer((incoming, outgoing) => {
    const headers = { ...incoming.headers, host: 'id.test', 'x-forwarded-proto': 'https' };
    const { method, url: path } = incoming;
    const { hostname: host, port } = new URL(app.issuer);
    const passed = request({ host, port, method, path, headers, agent: false }, (answer) => {
      const location = answer.headers.location?.replace(issuer, '');
      outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...(location && { location }) });
      answer.pipe(outgoing);
    });
    incoming.pipe(passed);
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.teardown(() => void proxy.close());
  const behind = () => {
    const all = visitor(`http://localhost:${(proxy.address() as AddressInfo).port}`);
    const own: Visitor = {
      ...all,
      submit: (page, action, fields) => all.submit(page, action, fields, { origin: issuer }),
    };
    return own;
  };
  for (const [redirectUri, publicClient, asks] of [
    ['http://localhost:7777/cb', true, true],
    ['http://127.0.0.1:7777/cb', true, true],
    ['https://rp.test/cb', true, false],
    ['http://localhost:7777/cb', false, false],
  ] as const) {
    for (const firstParty of [false, true]) {
      const client = await app.client({ redirectUris: [redirectUri], public: publicClient, firstParty });
      const browser = behind();
      const first = await complete(browser, await browser.get(authorizePath(client, pkce())), person);
      t.ok(first.params.get('code'), first.page.location ?? first.page.body.slice(0, 300));
      const silent = await browser.get(authorizePath(client, pkce(), { prompt: 'none' }));
      const again = new URL(silent.location ?? '').searchParams;
      const what = `${redirectUri}, public ${publicClient}, first-party ${firstParty}`;
      t.equal(again.has('code'), !asks, what);
      if (asks) t.equal(again.get('error'), 'interaction_required', what);
    }
  }
});

t.test('P5: what could not work is refused when it is written', async (t) => {
  const app = await startApp(t);
  const { publicKey } = await generateKeyPair('ES256');
  const device = {
    grantTypes: [DEVICE_CODE],
    redirectUris: [],
    tokenEndpointAuthMethod: 'private_key_jwt' as const,
    subjectType: 'pairwise' as const,
    sectorIdentifierUri: 'https://rp.test/sector.json',
  };
  const says = { code: 'client.invalid' };
  await t.rejects(app.client({ ...device, jwks: { keys: [{ ...(await exportJWK(publicKey)) }] } }), says);
  await t.rejects(
    app.client({ ...device, jwksUri: 'https://rp.test/jwks', sectorIdentifierUri: null }),
    says,
  );
  const made = await app.client({ ...device, jwksUri: 'https://rp.test/jwks' });
  const asked = await fetch(`${app.issuer}/oauth2/device_authorization`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: made.id, scope: 'openid' }),
  });
  t.equal(((await asked.json()) as { error: string }).error, 'invalid_client', 'the library takes the app');

  await t.rejects(endApp(app.op(), OWN_CLIENT, 'cli'), says);
  const person = await app.person();
  const browser = app.visitor();
  const { page } = await complete(browser, await browser.get('/account'), person);
  t.match(page.body, person.email);
});

t.test('P5: P7: a request that was pushed, and its person goes another way', async (t) => {
  const app = await startApp(t);
  const [one, two] = [await app.person(), await app.person()];
  const begin = async (more: Partial<NewClient> = {}) => {
    const client = await app.client({ requirePushedAuthorizationRequests: true, ...more });
    const pushed = await fetch(`${app.issuer}/oauth2/par`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}` },
      body: new URL(authorizePath(client, pkce()), app.issuer).searchParams,
    });
    const { request_uri } = (await pushed.json()) as { request_uri: string };
    const browser = app.visitor();
    const query = new URLSearchParams({ client_id: client.id, request_uri });
    return { browser, page: await browser.follow(await browser.get(`/oauth2/authorize?${query}`)) };
  };

  await t.test('R41: another account', async (t) => {
    const { browser, page } = await begin();
    const signIn = (at: Page, { email }: { email: string }) =>
      browser.submit(at, /\/password$/, { email, password: PASSWORD });
    const asked = await browser.follow(await signIn(page, one));
    const again = await browser.follow(await browser.submit(asked, /\/switch$/, {}));
    const callback = await browser.follow(await signIn(again, two));
    const consent = await browser.follow(await browser.submit(callback, /\/logout\/confirm$/, {}));
    t.match(consent.body, two.email);
    const { params } = await complete(browser, consent, two);
    t.ok(params.get('code'));
  });

  await t.test('A1: a page that expired leads to the app, which alone can push it again', async (t) => {
    for (const clientUri of ['https://rp.test/', null]) {
      const { browser, page } = await begin({ clientUri });
      await app.db.$client`UPDATE interactions SET expires_at = now() - interval '1 second'`;
      const over = await browser.get(page.url);
      t.equal(over.status, 400);
      t.notMatch(over.body, /href="\/oauth2\/authorize/);
      t.equal(over.body.includes('href="https://rp.test/"'), clientUri !== null);
    }
  });
});
