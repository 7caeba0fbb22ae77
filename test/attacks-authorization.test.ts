// The authorization endpoint under attack: attacks.md section 1, and what the pages that follow it promise to
// somebody with several tabs, a back button or another browser.
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { uriFault } from '../server/clients/clients.ts';
import {
  authorizePath,
  complete,
  PASSWORD,
  pkce,
  type Running,
  startApp,
  type TestClient,
  tokenRequest,
  tokens,
} from './harness/app.ts';
import { formsOf, type Page, type Visitor } from './harness/browser.ts';
import { freePort } from './harness/server.ts';

t.setTimeout(120_000);

const app: Running = await startApp(t);
const { issuer } = app;
/** Everything an attacker controls is on this host: it must never be where a browser is sent. */
const EVIL = 'evil.test';

const answerOf = (page: Page): URLSearchParams =>
  page.location === null ? new URLSearchParams() : new URL(page.location, page.url).searchParams;
const errorOf = (page: Page): string | null => answerOf(page).get('error');
const isSignIn = (page: Page): boolean =>
  formsOf(page.body).some(({ action }) => action.endsWith('/password'));
const isConsent = (page: Page): boolean =>
  formsOf(page.body).some(({ action }) => /^\/consent\/[^/]+$/.test(action));

async function ask(
  client: Pick<TestClient, 'id' | 'redirectUri'>,
  more: Record<string, string | undefined> = {},
  browser: Visitor = app.visitor(),
): Promise<Page> {
  return browser.follow(await browser.get(authorizePath(client, pkce(), more)));
}

/** Refused on a page of our own: the browser is sent nowhere. */
function refusedHere(t: Test, page: Page, error: string, label: string): void {
  t.equal(page.status, 400, `${label}: status`);
  t.equal(page.location, null, `${label}: no Location`);
  t.equal(page.headers.get('refresh'), null);
  t.match(page.headers.get('content-type'), /^text\/html; charset=utf-8/);
  t.match(page.body, `<code>${error}</code>`, `${label}: ${error}`);
  t.equal(new URL(page.url).origin, issuer);
}

/** The type, error and client of refusals, newest last. */
const refusals = async (client: TestClient) =>
  (await app.events('authorization.refused'))
    .filter(({ client_id }) => client_id === client.id)
    .map(({ data }) => data.error);

async function everyUri(t: Test, client: TestClient, uris: string[]): Promise<void> {
  for (const uri of uris)
    refusedHere(t, await ask(client, { redirect_uri: uri }), 'invalid_redirect_uri', uri);
  t.equal((await refusals(client)).length, uris.length, 'each is in the audit trail');
  t.strictSame([...new Set(await refusals(client))], ['invalid_redirect_uri']);
}

await t.test('ATK-A001: redirect_uri on a host that extends the registered one', async (t) => {
  await everyUri(t, await app.client(), [
    'https://rp.test.evil.test/cb',
    'https://rp.testevil.test/cb',
    'https://evil.test/https://rp.test/cb',
    'https://evil.test/cb',
    '//evil.test/cb',
    'https:evil.test/cb',
  ]);
});

await t.test('ATK-A002: redirect_uri with path tricks', async (t) => {
  await everyUri(t, await app.client(), [
    'https://rp.test/cb/../evil',
    'https://rp.test/cb%2f..%2fevil',
    'https://rp.test/cb/..;/x',
    'https://rp.test/cb/',
    'https://rp.test//cb',
    'https://rp.test/cb/.',
    'https://rp.test/cb;x',
  ]);
});

await t.test('ATK-A003: redirect_uri with user information and several @', async (t) => {
  await everyUri(t, await app.client(), [
    'https://rp.test@evil.test/cb',
    'https://rp.test%40evil.test/cb',
    'https://a@b@rp.test/cb',
    'https://rp.test\\@evil.test/cb',
    'https://user:pass@rp.test/cb',
  ]);
});

await t.test('ATK-A004: redirect_uri in another case, port or scheme', async (t) => {
  await everyUri(t, await app.client(), [
    'HTTPS://rp.test/cb',
    'https://RP.TEST/cb',
    'https://rp.test:443/cb',
    'http://rp.test/cb',
    'https://rp.test/CB',
    'https://rp.test./cb',
    ' https://rp.test/cb',
    'https://rp.test/cb ',
  ]);
});

await t.test('ATK-A005: redirect_uri with an added query or fragment', async (t) => {
  await everyUri(t, await app.client(), [
    'https://rp.test/cb?code=x',
    'https://rp.test/cb?state=y',
    'https://rp.test/cb#code=x',
    'https://rp.test/cb%23a',
    'https://rp.test/cb?',
    'https://rp.test/cb#',
  ]);
});

await t.test('ATK-A006: a registered redirect URI is no pattern', async (t) => {
  await everyUri(t, await app.client(), [
    'https://rpxtest/cb',
    'https://rp.test/cbX',
    'https://rp.test/.*',
    'https://rp.test/%',
    'https://rp.test/c_',
  ]);
  for (const uri of ['https://*.rp.test/cb', 'https://rp.test/*', '*', 'https://*']) {
    await t.rejects(app.client({ redirectUris: [uri] }), { code: 'client.invalid' }, uri);
  }
});

await t.test('ATK-A007: script and data schemes as URIs of a client', async (t) => {
  const uris = [
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'blob:x',
    '\tjavascript:x',
  ];
  for (const uri of uris) {
    for (const applicationType of ['web', 'native'] as const) {
      const settings = [
        { redirectUris: [uri] },
        { redirectUris: ['https://rp.test/cb'], postLogoutRedirectUris: [uri] },
        { redirectUris: ['https://rp.test/cb'], clientUri: uri },
        { redirectUris: ['https://rp.test/cb'], initiateLoginUri: uri },
      ];
      for (const one of settings) {
        const [field = ''] = Object.keys(one).slice(-1);
        await t.rejects(
          app.client({ ...one, applicationType }),
          {
            code: 'client.invalid',
            details: { [field.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)]: /./ },
          },
          `${field}: ${uri}`,
        );
      }
    }
  }
  const stored = await app.db
    .$client`SELECT id FROM clients WHERE array_to_string(redirect_uris || post_logout_redirect_uris, ' ')
    || coalesce(client_uri, '') || coalesce(initiate_login_uri, '') ~* 'script:|data:|blob:'`;
  t.equal(stored.length, 0, 'nothing is stored');
});

await t.test('ATK-A008: loopback redirects', async (t) => {
  const web = await app.client();
  await everyUri(t, web, ['http://localhost:1/cb', 'http://127.0.0.1.evil.test/cb', 'http://[::1]:9/cb']);
  const native = await app.client({
    public: true,
    applicationType: 'native',
    redirectUris: ['http://127.0.0.1/cb'],
  });
  const page = await ask({ ...native, redirectUri: 'http://127.0.0.1:5555/cb' });
  t.ok(isSignIn(page), 'a native app’s port is its own (RFC 8252 7.3)');
  await everyUri(t, native, [
    'http://localhost:5555/cb',
    'http://127.1:5555/cb',
    'http://[::1]:5555/cb',
    'http://127.0.0.2:5555/cb',
    'https://127.0.0.1:5555/cb',
    'http://127.0.0.1:5555/cb/x',
    'http://127.0.0.1:5555@evil.test/cb',
  ]);
  t.equal(uriFault('http://127.0.0.1.evil.test/cb', 'native')?.startsWith('uses http'), true);
});

await t.test('ATK-A009: parameters given twice', async (t) => {
  const client = await app.client();
  const twice = async (name: string, value: string) => {
    const browser = app.visitor();
    return browser.follow(
      await browser.get(`${authorizePath(client, pkce())}&${name}=${encodeURIComponent(value)}`),
    );
  };
  for (const [name, value] of [
    ['redirect_uri', 'https://evil.test/cb'],
    ['client_id', 'other'],
    ['state', 'x'],
    ['scope', 'openid email'],
    ['response_type', 'code'],
    ['nonce', 'x'],
    ['code_challenge', 'x'],
  ] as const) {
    const page = await twice(name, value);
    const sent = errorOf(page) ?? /<code>(\w+)<\/code>/.exec(page.body)?.[1];
    t.equal(sent, 'invalid_request', name);
    if (page.location !== null) t.equal(new URL(page.location).origin, 'https://rp.test', name);
    t.notMatch(page.location ?? '', EVIL);
  }
  for (const form of [
    'grant_type=authorization_code&grant_type=refresh_token&code=x',
    'grant_type=authorization_code&code=a&code=b&redirect_uri=https://rp.test/cb',
  ]) {
    const response = await fetch(`${issuer}/oauth2/token`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${btoa(`${client.id}:${client.secret}`)}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: form,
    });
    t.equal(response.status, 400);
    t.equal(((await response.json()) as { error: string }).error, 'invalid_request', form);
  }
});

await t.test('ATK-A010: redirect_uri left out', async (t) => {
  for (const redirectUris of [['https://rp.test/cb'], ['https://rp.test/cb', 'https://rp.test/cb2']]) {
    const client = await app.client({ redirectUris });
    refusedHere(
      t,
      await ask(client, { redirect_uri: undefined }),
      'invalid_request',
      `${redirectUris.length} URIs`,
    );
    t.strictSame(await refusals(client), ['invalid_request']);
  }
});

await t.test('ATK-A012: implicit and hybrid response types', async (t) => {
  const client = await app.client({ responseModes: ['query', 'form_post', 'fragment'] });
  const person = await app.person();
  const { browser } = await tokens(app, client, person, { scope: 'openid' });
  for (const type of [
    'token',
    'id_token token',
    'code token',
    'code id_token',
    'code id_token token',
    'id_token',
    'none',
  ]) {
    const page = await ask(client, { response_type: type }, browser);
    const target = new URL(page.location ?? '', page.url);
    const params = new URLSearchParams(target.search || target.hash.slice(1));
    t.equal(params.get('error'), 'unsupported_response_type', type);
    t.equal(params.get('iss'), issuer);
    for (const name of ['code', 'access_token', 'id_token']) t.notOk(params.has(name));
  }
  t.equal(
    (await ask(client, { response_type: undefined }, browser)).location?.includes('error=invalid_request'),
    true,
  );
});

await t.test('ATK-A014 ATK-A016: a request without PKCE', async (t) => {
  for (const client of [await app.client(), await app.client({ public: true })]) {
    const page = await ask(client, { code_challenge: undefined, code_challenge_method: undefined });
    t.equal(errorOf(page), 'invalid_request');
    t.notOk(answerOf(page).has('code'), 'there is no code that a verifier could be stripped from');
    const half = await ask(client, { code_challenge: undefined });
    t.equal(errorOf(half), 'invalid_request');
    t.strictSame(await refusals(client), ['invalid_request', 'invalid_request']);
  }
  // Where it is switched off, a verifier for a request that had no challenge is still refused (CVE-2024-23647).
  const old = await app.client({ requirePkce: false });
  const person = await app.person();
  const browser = app.visitor();
  const params = { code_challenge: undefined, code_challenge_method: undefined };
  const first = await browser.get(authorizePath(old, pkce(), params));
  const code = (await complete(browser, first, person)).params.get('code') ?? '';
  const refused = await tokenRequest(issuer, old, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: old.redirectUri,
    code_verifier: pkce().verifier,
  });
  t.equal(refused.status, 400);
  t.equal(refused.body.error, 'invalid_grant');
});

await t.test('ATK-A015: PKCE plain and malformed challenges', async (t) => {
  const client = await app.client();
  for (const code_challenge_method of ['plain', 's256', 'S512', '', undefined]) {
    t.equal(
      errorOf(await ask(client, { code_challenge_method })),
      'invalid_request',
      String(code_challenge_method),
    );
  }
  for (const challenge of [
    'x',
    'x'.repeat(42),
    'x'.repeat(129),
    `${'x'.repeat(42)}+`,
    `${'x'.repeat(42)}=`,
    '',
  ]) {
    t.equal(
      errorOf(await ask(client, { code_challenge: challenge })),
      'invalid_request',
      challenge.slice(0, 50),
    );
  }
});

await t.test('ATK-A017: the verifier left out or wrong', async (t) => {
  const client = await app.client();
  const person = await app.person();
  const browser = app.visitor();
  for (const verifier of [undefined, 'x'.repeat(43), '', 'short']) {
    const { params } = await complete(browser, await browser.get(authorizePath(client, pkce())), person);
    const answer = await tokenRequest(issuer, client, {
      grant_type: 'authorization_code',
      code: params.get('code') ?? '',
      redirect_uri: client.redirectUri,
      ...(verifier === undefined ? {} : { code_verifier: verifier }),
    });
    t.equal(answer.status, 400);
    const error =
      verifier === undefined || verifier.length === 43 ? 'invalid_grant' : /^invalid_(grant|request)$/;
    t.match(answer.body.error, error, `verifier ${verifier}`);
    t.notOk(answer.body.access_token);
  }
  const seen = (await app.events('token.refused')).filter(({ client_id }) => client_id === client.id);
  t.equal(seen.length, 4);
});

await t.test(
  'ATK-A018: request objects, addresses of them and registration within a request; nothing is fetched',
  async (t) => {
    let fetched = 0;
    const trap = createServer((_request, response) => {
      fetched += 1;
      response.end('{}');
    });
    const port = await freePort();
    await new Promise<void>((resolve) => trap.listen(port, '127.0.0.1', resolve));
    t.teardown(() => trap.close());
    const there = `http://127.0.0.1:${port}`;
    const client = await app.client();
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
    const unsigned = `${encode({ alg: 'none' })}.${encode({ iss: client.id, client_id: client.id, redirect_uri: `https://${EVIL}/` })}.`;
    const expected: [Record<string, string>, string][] = [
      [{ request: unsigned }, 'invalid_request_object'],
      [{ request_uri: `${there}/x` }, 'request_uri_not_supported'],
      [{ request_uri: 'http://169.254.169.254/x' }, 'request_uri_not_supported'],
      [{ request_uri: 'urn:ietf:params:oauth:request_uri:guess' }, 'invalid_request_uri'],
      [{ registration: '{}' }, 'registration_not_supported'],
      [
        { registration: JSON.stringify({ jwks_uri: `${there}/jwks`, logo_uri: `${there}/logo` }) },
        'registration_not_supported',
      ],
      [{ claims: 'no json' }, 'invalid_request'],
      [{ claims: '[]' }, 'invalid_request'],
      [{ claims: '{"id_token":[]}' }, 'invalid_request'],
      [{ claims: '{"id_token":null}' }, 'invalid_request'],
    ];
    for (const [params, error] of expected) {
      const page = await ask(client, params);
      t.equal(errorOf(page), error, JSON.stringify(params).slice(0, 80));
      t.notMatch(page.location, EVIL);
    }
    const polluting = [
      '{"id_token":{"__proto__":{"essential":true}}}',
      '{"__proto__":{"id_token":{}},"userinfo":{"constructor":{"prototype":{"x":1}}}}',
    ];
    for (const claims of polluting) {
      const page = await ask(client, { claims });
      t.ok(isSignIn(page) || errorOf(page) === 'invalid_request', 'no fault');
      t.equal(({} as Record<string, unknown>).essential, undefined);
      t.equal(({} as Record<string, unknown>).x, undefined);
    }
    t.equal(
      errorOf(await ask(client, { resource: `https://${EVIL}/` })),
      'invalid_target',
      'an API of nobody',
    );
    for (const path of ['/oauth2/request', '/request', '/oauth2/backchannel']) {
      const response = await fetch(`${issuer}${path}`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${client.id}:${client.secret}`)}` },
        body: new URLSearchParams({
          client_id: client.id,
          response_type: 'code',
          redirect_uri: client.redirectUri,
        }),
      });
      t.equal(response.status, 404, path);
    }
    t.equal(fetched, 0, 'no outbound request');
  },
);

await t.test('ATK-A019: no open redirector', async (t) => {
  const client = await app.client();
  const page = await ask(client, { prompt: 'none', scope: 'bogus', nonce: undefined });
  t.equal(new URL(page.location as string).origin, 'https://rp.test');
  t.equal(errorOf(page), 'login_required');
  const evil = { redirect_uri: `https://${EVIL}/`, prompt: 'none', scope: 'bogus' };
  refusedHere(t, await ask(client, evil), 'invalid_redirect_uri', 'unregistered URI');
  refusedHere(
    t,
    await ask({ id: 'nobody', redirectUri: `https://${EVIL}/` }, {}),
    'invalid_client',
    'unregistered client',
  );
  const formPost = await ask(client, { ...evil, response_mode: 'form_post' });
  refusedHere(t, formPost, 'invalid_redirect_uri', 'form_post');
  t.notOk(formsOf(formPost.body).some(({ action }) => action.includes(EVIL)));
  for (const target of [`//${EVIL}`, `https://${EVIL}`, `/\\${EVIL}`]) {
    for (const name of ['returnTo', 'return_to', 'next', 'continue', 'url', 'redirect']) {
      const browser = app.visitor();
      const landed = await browser.follow(await browser.get(`/?${name}=${encodeURIComponent(target)}`));
      t.notMatch(landed.location ?? '', EVIL, `${name}=${target}`);
    }
  }
});

await t.test('ATK-A020: nothing an attacker writes into a request runs on an error page', async (t) => {
  const browser = app.visitor();
  const script = '<script>alert(1)</script>';
  const image = '<img src=x onerror=alert(1)>';
  const client = await app.client();
  const pages = [
    await browser.get(
      `/oauth2/authorize?client_id=${encodeURIComponent(script)}&error_description=${encodeURIComponent(image)}`,
    ),
    await browser.get(
      authorizePath({ id: client.id, redirectUri: script }, pkce(), { error_description: image }),
    ),
    await browser.get(`/${encodeURIComponent(script)}`),
    await browser.get(`/oauth2/authorize/${encodeURIComponent(script)}`),
    await browser.get(`/interaction/${encodeURIComponent(script)}`),
    await browser.get(`/oauth2/logout?id_token_hint=${encodeURIComponent(script)}`),
    await browser.get(`/oauth2/logout/success?client_id=${encodeURIComponent(script)}`),
    await ask(client, { login_hint: `"${image}` }, browser),
  ];
  for (const page of pages) {
    t.notMatch(page.body, script, page.url);
    t.notMatch(page.body, /<img src=x/, page.url);
    t.match(
      page.headers.get('content-security-policy'),
      /default-src 'none'|script-src 'self'|script-src 'none'/,
      page.url,
    );
    t.match(page.headers.get('content-type'), /^text\/html; ?charset=utf-8/i);
    t.notMatch(page.body, /node_modules|\.ts:\d+|at \w+ \(/, 'no stack');
    t.equal(page.headers.get('x-content-type-options'), 'nosniff');
  }
});

await t.test('ATK-A023: state and nonce come back byte by byte, and two tabs do not mix', async (t) => {
  const client = await app.client();
  const person = await app.person();
  const browser = app.visitor();
  await tokens(app, client, person, { browser, scope: 'openid' });
  const state = 'a+b %2B é & = ? # " <x>';
  const page = await ask(client, { state }, browser);
  t.equal(answerOf(page).get('state'), state);
  t.equal(errorOf(await ask(client, { state, prompt: 'bogus' }, browser)), 'invalid_request');
  t.equal(answerOf(await ask(client, { state, prompt: 'bogus' }, browser)).get('state'), state);

  // Two tabs with requests of their own, finished crosswise.
  const tabs = app.visitor();
  const proofs = [pkce(), pkce()] as const;
  const open = async (n: 0 | 1) =>
    tabs.follow(
      await tabs.get(authorizePath(client, proofs[n], { state: `state ${n}`, nonce: `nonce ${n}` })),
    );
  const [zero, one] = [await open(0), await open(1)];
  const finish = async (page: Page, n: 0 | 1) => {
    const { params } = await complete(tabs, page, person);
    t.equal(params.get('state'), `state ${n}`);
    const answer = await tokenRequest(issuer, client, {
      grant_type: 'authorization_code',
      code: params.get('code') ?? '',
      redirect_uri: client.redirectUri,
      code_verifier: proofs[n].verifier,
    });
    const claims = JSON.parse(
      Buffer.from(String(answer.body.id_token).split('.')[1] ?? '', 'base64url').toString(),
    );
    t.equal(claims.nonce, `nonce ${n}`);
  };
  await finish(one, 1);
  // The session is now another one than when the first tab began: it starts its request over.
  const late = await tabs.follow(
    await tabs.submit(zero, /\/password$/, { email: person.email, password: PASSWORD }),
  );
  if (late.location !== null && new URL(late.location, late.url).origin !== issuer) {
    t.equal(answerOf(late).get('state'), 'state 0');
  } else {
    const [, href = ''] = /class="button primary" href="([^"]+)"/.exec(late.body) ?? [];
    t.match(href, /^\/oauth2\/authorize\?/, 'a way on with the same request');
    await finish(await tabs.get(href.replaceAll('&amp;', '&')), 0);
  }
});

await t.test('ATK-A024: iss in every answer, of success and of error, in every mode', async (t) => {
  const client = await app.client({ responseModes: ['query', 'form_post', 'fragment'] });
  const person = await app.person();
  const { browser } = await tokens(app, client, person, { scope: 'openid' });
  for (const response_mode of ['query', 'fragment', 'form_post']) {
    for (const prompt of [undefined, 'bogus']) {
      const page = await ask(client, { response_mode, prompt }, browser);
      const target = page.location === null ? null : new URL(page.location);
      const fields = target
        ? Object.fromEntries(
            new URLSearchParams(response_mode === 'query' ? target.search : target.hash.slice(1)),
          )
        : (formsOf(page.body)[0]?.fields ?? {});
      t.equal(fields.iss, issuer, `${response_mode}, ${prompt ?? 'success'}`);
      t.equal(fields.error, prompt === undefined ? undefined : 'invalid_request');
      t.equal(fields.code !== undefined, prompt === undefined);
    }
  }
});

await t.test(
  'ATK-A025: consent is asked of a new app, for more scopes, and when the app changed',
  async (t) => {
    const client = await app.client();
    const person = await app.person();
    const { browser } = await tokens(app, await app.client(), person, { scope: 'openid' });
    t.ok(isConsent(await ask(client, {}, browser)), 'never consented');
    await complete(browser, await ask(client, {}, browser), person);
    t.ok(answerOf(await ask(client, {}, browser)).get('code'));
    t.ok(isConsent(await ask(client, { scope: 'openid email' }, browser)), 'more scopes');
    const single = JSON.stringify({ userinfo: { email: null } });
    t.ok(
      isConsent(await ask(client, { claims: single }, browser)),
      'a single claim of a scope that was not allowed',
    );
    await app.db.$client`UPDATE clients SET name = 'Your Bank' WHERE id = ${client.id}`;
    await app.db.$client`SELECT pg_notify('gatehouse_clients', ${client.id})`;
    await sleep(100);
    t.ok(isConsent(await ask(client, {}, browser)), 'another name');
    t.equal(errorOf(await ask(client, { prompt: 'none' }, browser)), 'consent_required');

    // What is granted is what the page listed, not what was posted to it (R49, R50).
    const page = await ask(client, { scope: 'openid' }, browser);
    const answer = await browser.submit(page, /^\/consent\/[^/]+$/, {
      decision: 'allow',
      scope: 'openid email phone',
      scopes: 'email',
      accountId: (await app.person()).id,
      login: 'x',
    });
    const code = answerOf(await browser.follow(answer)).get('code');
    t.ok(code);
    const [grant] = (await app.events('authorization.granted')).slice(-1);
    t.equal(grant?.data.scope, 'openid');
    t.equal(grant?.subject_id, person.id);
    const odd = await browser.submit(
      await ask(client, { prompt: 'consent' }, browser),
      /^\/consent\/[^/]+$/,
      { decision: 'maybe' },
    );
    t.equal(odd.status, 400);
  },
);

await t.test('ATK-A026: prompt=none never shows a page', async (t) => {
  const client = await app.client();
  const person = await app.person();
  t.equal(errorOf(await ask(client, { prompt: 'none' })), 'login_required');
  const { browser } = await tokens(app, await app.client(), person, { scope: 'openid' });
  t.equal(errorOf(await ask(client, { prompt: 'none' }, browser)), 'consent_required');
  t.equal(errorOf(await ask(client, { prompt: 'none login' }, browser)), 'invalid_request');
  t.equal(errorOf(await ask(client, { prompt: 'bogus' }, browser)), 'invalid_request');
  t.equal(errorOf(await ask(client, { prompt: 'none', max_age: '0' }, browser)), 'login_required');
  t.strictSame(await refusals(client), [
    'login_required',
    'consent_required',
    'invalid_request',
    'invalid_request',
    'login_required',
  ]);
});

await t.test('ATK-A028: max_age out of its range', async (t) => {
  const client = await app.client();
  const person = await app.person();
  const { browser } = await tokens(app, client, person, { scope: 'openid' });
  for (const max_age of ['-1', 'NaN', '1.5', '1e99', '99999999999999999999', 'Infinity', '0x']) {
    t.equal(errorOf(await ask(client, { max_age }, browser)), 'invalid_request', max_age);
  }
  t.ok(isSignIn(await ask(client, { max_age: '0' }, browser)), '0: signs in again');
  t.ok(isSignIn(await ask(client, { max_age: '-0' }, browser)), 'and so is -0');
  t.ok(
    answerOf(await ask(client, { max_age: '' }, browser)).get('code'),
    'empty: as if it were not there (RFC 6749 3.1)',
  );
});

await t.test('ATK-A030: a stronger sign-in than there is', async (t) => {
  const client = await app.client();
  const person = await app.person();
  const { browser, body } = await tokens(app, client, person, { scope: 'openid' });
  const aal2 = 'urn:gatehouse:aal2';
  for (const params of [
    { acr_values: aal2 },
    { claims: JSON.stringify({ id_token: { acr: { essential: true, value: aal2 } } }) },
    { claims: JSON.stringify({ id_token: { acr: { essential: true, values: [aal2] } } }) },
  ]) {
    t.equal(errorOf(await ask(client, params, browser)), 'unmet_authentication_requirements');
  }
  const claims = JSON.parse(
    Buffer.from((body.id_token as string).split('.')[1] ?? '', 'base64url').toString(),
  );
  t.equal(claims.acr, 'urn:gatehouse:aal1');
  t.strictSame(claims.amr, ['pwd']);
  t.strictSame(await refusals(client), Array(3).fill('unmet_authentication_requirements'));
});

await t.test('ATK-A032: id_token_hint never signs anybody in', async (t) => {
  const client = await app.client();
  const other = await app.client();
  const [person, somebody] = [await app.person(), await app.person()];
  const { body } = await tokens(app, client, person, { scope: 'openid' });
  const foreign = (await tokens(app, other, person, { scope: 'openid' })).body.id_token as string;
  const { browser } = await tokens(app, client, somebody, { scope: 'openid' });
  const real = body.id_token as string;
  const [head = '', payload = '', signature = ''] = real.split('.');
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const decoded = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const forged = (header: object, claims: object) => {
    const text = `${encode(header)}.${encode(claims)}`;
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const mark = sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    return `${text}.${mark.toString('base64url')}`;
  };
  const kid = JSON.parse(Buffer.from(head, 'base64url').toString()).kid;
  const hashed = `${encode({ alg: 'HS256' })}.${payload}`;
  const hints: Record<string, string> = {
    'alg none': `${encode({ alg: 'none' })}.${payload}.`,
    'another key': forged({ alg: 'ES256', kid }, decoded),
    'another key, no kid': forged({ alg: 'ES256' }, { ...decoded, sub: somebody.id }),
    'two years old, forged': forged({ alg: 'ES256', kid }, { ...decoded, iat: 1, exp: 2 }),
    'another app': foreign,
    'hmac with the client id': `${hashed}.${createHmac('sha256', client.id).update(hashed).digest('base64url')}`,
    'cut signature': `${head}.${payload}.${signature.slice(0, -4)}`,
    'no JWT': 'x',
  };
  for (const [label, id_token_hint] of Object.entries(hints)) {
    for (const who of [app.visitor(), browser]) {
      t.equal(errorOf(await ask(client, { id_token_hint, prompt: 'none' }, who)), 'invalid_request', label);
    }
  }
  t.equal(
    errorOf(await ask(client, { id_token_hint: real, prompt: 'none' })),
    'login_required',
    'a real one, nobody here',
  );
  t.equal(
    errorOf(await ask(client, { id_token_hint: real, prompt: 'none' }, browser)),
    'login_required',
    'somebody else',
  );
  const page = await ask(client, { id_token_hint: real });
  t.ok(isSignIn(page), 'asks for the password');
});

await t.test('ATK-A035: the steps of one interaction with the cookie of another browser', async (t) => {
  const client = await app.client();
  const person = await app.person();
  const [a, b] = [app.visitor(), app.visitor()];
  const pageA = await ask(client, {}, a);
  const pageB = await ask(client, {}, b);
  const credentials = { email: person.email, password: PASSWORD };
  const fieldsOf = (page: Page) =>
    formsOf(page.body).find(({ action }) => action.endsWith('/password')) as {
      action: string;
      fields: Record<string, string>;
    };
  const [formA, formB] = [fieldsOf(pageA), fieldsOf(pageB)];

  const crossed = await b.post(formA.action, { ...formB.fields, ...credentials });
  t.equal(crossed.status, 403, 'URL of A, cookie and form of B');
  const stolen = await b.post(formA.action, { ...formA.fields, ...credentials });
  t.equal(stolen.status, 403, 'URL and form of A, cookie of B');
  const uid = /\/login\/([^/]+)\//.exec(formA.action)?.[1] ?? '';
  for (const path of [`/interaction/${uid}`, `/login/${uid}`, `/consent/${uid}`]) {
    const page = await b.get(path);
    t.equal(page.status, 403, path);
    t.match(page.body, /another browser|began somewhere else/i);
    t.notMatch(page.body, client.row.name, 'learns nothing of it');
  }
  const resume = await b.get(`/oauth2/authorize/${uid}`);
  t.ok(resume.status >= 400 && resume.location === null, 'resume');
  for (const page of [pageA, pageB]) {
    const again = await (page === pageA ? a : b).get(page.url);
    t.ok(isSignIn(again), 'neither flow advanced');
  }
  t.equal(
    (await app.events('signIn.succeeded')).filter(({ subject_id }) => subject_id === person.id).length,
    0,
  );
});

await t.test('ATK-A036: after a form with credentials comes 302 or 303', async (t) => {
  const client = await app.client();
  const person = await app.person();
  const browser = app.visitor();
  const page = await ask(client, {}, browser);
  const seen: number[] = [];
  let at = await browser.submit(page, /\/password$/, { email: person.email, password: PASSWORD });
  for (
    let hop = 0;
    at.location !== null && new URL(at.location, at.url).origin === issuer && hop < 10;
    hop++
  ) {
    seen.push(at.status);
    at = await browser.get(new URL(at.location, at.url).href);
  }
  t.ok(isConsent(at));
  const consent = await browser.submit(at, /^\/consent\/[^/]+$/, { decision: 'allow' });
  seen.push(consent.status, (await browser.follow(consent)).status);
  t.ok(seen.length >= 4);
  t.strictSame(
    seen.filter((status) => ![302, 303].includes(status)),
    [],
  );
});

await t.test(
  'A1: several tabs, the back button, a double click, another browser: always a way forward',
  async (t) => {
    const client = await app.client({ initiateLoginUri: 'https://rp.test/start' });
    const person = await app.person();
    const credentials = { email: person.email, password: PASSWORD };
    const browser = app.visitor();
    const page = await ask(client, {}, browser);

    // A double click: both posts arrive, neither is an error.
    const both = await Promise.all([1, 2].map(() => browser.submit(page, /\/password$/, credentials)));
    t.strictSame(
      both.map(({ status }) => status),
      [303, 303],
    );
    t.equal(
      (await app.events('signIn.succeeded')).filter(({ subject_id }) => subject_id === person.id).length,
      1,
    );
    const consent = await browser.follow(both[1] as Page);
    t.ok(isConsent(consent));
    const done = await browser.follow(
      await browser.submit(consent, /^\/consent\/[^/]+$/, { decision: 'allow' }),
    );
    t.ok(answerOf(done).get('code'));

    // Back to the old pages: each says that it is over, and leads on to the app.
    for (const old of [page.url, consent.url, page.url.replace('/login/', '/interaction/')]) {
      const over = await browser.get(old);
      t.equal(over.status, 409, old);
      t.match(over.body, /signed in already/);
      t.match(over.body, /class="button primary" href="https:\/\/rp\.test\/start"/);
    }
    const again = await browser.submit(page, /\/password$/, credentials);
    t.equal(again.status, 409, 'the old form sent once more');
    const resumed = await browser.get(page.url.replace('/login/', '/oauth2/authorize/'));
    t.ok(resumed.status >= 400 && resumed.status < 500 && !answerOf(resumed).has('code'), 'no second code');

    // Two tabs of one browser, both finished.
    const tabs = app.visitor();
    const [first, second] = [
      await ask(client, { state: '1' }, tabs),
      await ask(client, { state: '2' }, tabs),
    ];
    t.equal(answerOf((await complete(tabs, first, person)).page).get('state'), '1');
    const other = await tabs.follow(await tabs.get(second.url));
    t.equal(other.status, 200, 'the other tab is alive');
    const after = await complete(tabs, other, person);
    const { page: landed } = after;
    const [, href = ''] = /class="button primary" href="([^"]+)"/.exec(landed.body) ?? [];
    const end =
      landed.location === null
        ? (await complete(tabs, await tabs.get(href.replaceAll('&amp;', '&')), person)).page
        : landed;
    t.equal(answerOf(end).get('state'), '2', 'and ends at the app, too');
  },
);

await t.test('ATK-A114 ATK-A115: forms of sign-in and consent from elsewhere', async (t) => {
  const client = await app.client();
  const person = await app.person();
  const credentials = { email: person.email, password: PASSWORD };
  const browser = app.visitor();
  const page = await ask(client, {}, browser);
  const elsewhere = formsOf((await ask(client, {}, browser)).body)[0]?.fields._csrf ?? '';
  const stranger = formsOf((await ask(client)).body)[0]?.fields._csrf ?? '';
  const sources: [string, Record<string, string>, Record<string, string>][] = [
    ['no token', { _csrf: '' }, {}],
    ['malformed token', { _csrf: 'x' }, {}],
    ['another interaction’s token', { _csrf: elsewhere }, {}],
    ['another browser’s token', { _csrf: stranger }, {}],
    ['another origin', {}, { origin: `https://${EVIL}` }],
    ['Origin: null', {}, { origin: 'null' }],
    ['Sec-Fetch-Site: cross-site', {}, { 'sec-fetch-site': 'cross-site' }],
    ['Sec-Fetch-Site: same-site', {}, { 'sec-fetch-site': 'same-site' }],
  ];
  const all = async (page: Page, action: RegExp, fields: Record<string, string>) => {
    for (const [label, wrong, headers] of sources) {
      const answer = await browser.submit(page, action, { ...fields, ...wrong }, headers);
      t.equal(answer.status, 403, `${action}: ${label}`);
      t.equal(answer.location, null);
      t.notOk(
        answer.headers.getSetCookie().some((line) => line.startsWith('gatehouse_session=')),
        'no session',
      );
    }
  };
  await all(page, /\/password$/, credentials);
  await all(page, /\/cancel$/, {});
  t.equal(
    (await app.events('signIn.succeeded')).filter(({ subject_id }) => subject_id === person.id).length,
    0,
  );
  const consent = await browser.follow(await browser.submit(page, /\/password$/, credentials));
  await all(consent, /^\/consent\/[^/]+$/, { decision: 'allow' });
  await all(consent, /\/switch$/, {});
  t.equal((await app.events('consent.given')).filter(({ subject_id }) => subject_id === person.id).length, 0);
  t.ok(answerOf((await complete(browser, consent, person)).page).get('code'), 'the person’s own click works');
});

await t.test('ATK-A117: a session cookie chosen beforehand is worth nothing after the sign-in', async (t) => {
  const client = await app.client();
  const person = await app.person();
  // A real anonymous session: the logout page keeps one for its form.
  const attacker = app.visitor();
  await attacker.get('/oauth2/logout');
  const planted = attacker.cookies().filter(({ name }) => name.startsWith('gatehouse_session'));
  t.equal(planted.length, 2, 'a signed cookie of nobody’s session');
  const victim = app.visitor();
  for (const { name, value } of planted) victim.setCookie(name, value);
  await tokens(app, client, person, { browser: victim, scope: 'openid' });
  const sessionOf = (browser: Visitor) =>
    browser.cookies().find(({ name }) => name === 'gatehouse_session')?.value;
  const first = sessionOf(victim);
  t.not(first, planted.find(({ name }) => name === 'gatehouse_session')?.value);
  t.equal(errorOf(await ask(client, { prompt: 'none' }, attacker)), 'login_required');

  const copy = victim.clone();
  await tokens(app, client, person, { browser: victim, scope: 'openid', prompt: 'login' });
  t.not(sessionOf(victim), first, 'it changes at every sign-in');
  t.equal(errorOf(await ask(client, { prompt: 'none' }, copy)), 'login_required', 'the old value is dead');
  t.ok(answerOf(await ask(client, { prompt: 'none' }, victim)).get('code'));

  const unsigned = app.visitor();
  unsigned.setCookie('gatehouse_session', sessionOf(victim) ?? '');
  t.equal(
    errorOf(await ask(client, { prompt: 'none' }, unsigned)),
    'login_required',
    'a value without its signature',
  );
});

await t.test(
  'ATK-A166 ATK-A167: logout ends the session on the server, and only the person can ask for it',
  async (t) => {
    const client = await app.client({ postLogoutRedirectUris: ['https://rp.test/bye'] });
    const person = await app.person();
    const { browser } = await tokens(app, client, person, { scope: 'openid' });
    const alive = async (who: Visitor) => answerOf(await ask(client, { prompt: 'none' }, who)).has('code');

    const crossSite = await browser.get(`/oauth2/logout?client_id=${client.id}`, {
      'sec-fetch-site': 'cross-site',
    });
    t.equal(crossSite.status, 200, 'a question');
    t.equal(crossSite.headers.get('cache-control'), 'no-store');
    t.ok(await alive(browser));
    const form = formsOf(crossSite.body).find(({ action }) => action.endsWith('/confirm'));
    const foreign = formsOf((await app.visitor().get('/oauth2/logout')).body)[0]?.fields.xsrf ?? '';
    for (const xsrf of ['', 'x', foreign]) {
      const refused = await browser.post('/oauth2/logout/confirm', { logout: 'yes', xsrf });
      t.equal(refused.status, 400, `xsrf ${xsrf}`);
      t.ok(await alive(browser));
    }
    const missing = await browser.post('/oauth2/logout/confirm', { logout: 'yes' });
    t.equal(missing.status, 400);
    t.ok(form?.fields.xsrf);
    t.equal((await browser.get('/oauth2/logout/confirm?logout=yes')).status, 405, 'not by GET');

    const copy = browser.clone();
    const page = await browser.get('/oauth2/logout');
    const gone = await browser.submit(page, /confirm$/, { logout: 'yes' });
    t.ok(
      gone.headers.getSetCookie().some((line) => /^gatehouse_session=;/.test(line)),
      'the cookie is taken back',
    );
    t.equal(await alive(copy), false, 'and its value is dead');
    t.equal(errorOf(await ask(client, { prompt: 'none' }, copy)), 'login_required');
    const account = await copy.get('/account');
    t.not(account.status, 200);
  },
);

await t.test('ATK-A168: post_logout_redirect_uri', async (t) => {
  const client = await app.client({ postLogoutRedirectUris: ['https://rp.test/bye'] });
  const other = await app.client({ postLogoutRedirectUris: ['https://other.test/bye'] });
  const person = await app.person();
  const mine = await tokens(app, client, person, { scope: 'openid' });
  const hint = mine.body.id_token as string;
  const foreign = (await tokens(app, other, person, { scope: 'openid' })).body.id_token as string;
  const logout = (params: Record<string, string>) => {
    const browser = app.visitor();
    return browser.get(`/oauth2/logout?${new URLSearchParams(params)}`);
  };
  for (const post_logout_redirect_uri of [
    `https://${EVIL}/`,
    `//${EVIL}`,
    'https://other.test/bye',
    'https://rp.test/bye/',
    'https://rp.test/bye?x=1',
    'https://rp.test/cb',
    'javascript:alert(1)',
  ]) {
    for (const by of [{ id_token_hint: hint }, { client_id: client.id }] as Record<string, string>[]) {
      const page = await logout({ post_logout_redirect_uri, ...by });
      refusedHere(t, page, 'invalid_request', post_logout_redirect_uri);
    }
  }
  const uri = 'https://rp.test/bye';
  const tampered = `${hint.slice(0, -6)}AAAAAA`;
  const mixed = { client_id: other.id, id_token_hint: hint };
  for (const params of [
    { id_token_hint: tampered },
    { id_token_hint: foreign },
    mixed,
    { id_token_hint: 'x' },
  ] as Record<string, string>[]) {
    refusedHere(
      t,
      await logout({ post_logout_redirect_uri: uri, ...params }),
      'invalid_request',
      JSON.stringify(Object.keys(params)),
    );
  }
  // Without a hint or a client nobody vouches for the address: it is forgotten.
  const { browser } = await tokens(app, client, person, { scope: 'openid' });
  const page = await browser.get(`/oauth2/logout?${new URLSearchParams({ post_logout_redirect_uri: uri })}`);
  const done = await browser.follow(await browser.submit(page, /confirm$/, { logout: 'yes' }));
  t.equal(done.location, null);
  t.match(done.body, /signed out/i);
});
