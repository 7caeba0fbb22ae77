// The setup pages, the account home and the demo app, as a browser and as the apps they describe meet them.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { routesOf } from '../server/http/failures.ts';
import { makeLink } from '../server/setup/setup.ts';
import { snippetsOf } from '../server/setup/snippets.ts';
import {
  authorizePath,
  complete,
  PASSWORD,
  pkce,
  type Running,
  startApp,
  tokenRequest,
  tokens,
} from './harness/app.ts';
import { formsOf, type Page, type Visitor } from './harness/browser.ts';
import { temporaryFolder } from './harness/folders.ts';
import { freePort } from './harness/server.ts';

const EMAIL = 'ada@example.com';
const SECRET_PHRASE = 'violet tractor humming glacier';
const unescaped = (text: string) =>
  text
    .replace(/&quot;/g, '"')
    .replace(/&#39;/g, "'")
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&amp;/g, '&');
const titleOf = (page: Page) => /<h1>(.*?)<\/h1>/s.exec(page.body)?.[1]?.replace(/<[^>]+>/g, '') ?? '';
const pathOf = (page: Page) => new URL(page.url).pathname;

async function linkOf(running: Running, age = 0): Promise<string> {
  const op = { ...running.op(), now: new Date(Date.now() - age * 1000) };
  const { url } = await makeLink(op, { issuer: running.issuer, ttl: 60 });
  return url;
}

/** Through the setup link to the page for the first app, signed in as the administrator. */
async function setUp(running: Running): Promise<{ browser: Visitor; page: Page }> {
  const browser = running.visitor();
  const form = await browser.follow(await browser.get(await linkOf(running)));
  const sent = await browser.submit(form, /^\/setup$/, {
    email: EMAIL,
    name: 'Ada Lovelace',
    password: SECRET_PHRASE,
    passwordRepeat: SECRET_PHRASE,
  });
  const { page } = await complete(browser, sent, { email: EMAIL, password: SECRET_PHRASE });
  return { browser, page };
}

async function signedIn(
  running: Running,
): Promise<{ browser: Visitor; home: Page; email: string; id: string }> {
  const { email, id } = await running.person();
  const browser = running.visitor();
  const { page } = await complete(browser, await browser.get('/account'), { email });
  return { browser, home: page, email, id };
}

t.test('O1: from an empty database by the setup link to the first app', async (t) => {
  const running = await startApp(t);
  const browser = running.visitor();

  const needed = await browser.follow(await browser.get('/'));
  t.equal(pathOf(needed), '/setup');
  t.equal(needed.status, 403);
  t.match(needed.body, /npm run setup-link/, 'says how to get a link');
  t.same(formsOf(needed.body), [], 'no form without a link');

  const link = await linkOf(running);
  const token = link.slice(link.lastIndexOf('/') + 1);
  const opened = await browser.get(link);
  t.equal(opened.status, 303);
  t.equal(opened.location, '/setup', 'the token leaves the address at once');
  const [cookie = ''] = opened.headers.getSetCookie().filter((one) => one.includes(token));
  t.match(cookie, /; Path=\/setup; HttpOnly; SameSite=Lax/);
  const form = await browser.follow(opened);
  t.equal(form.status, 200);
  t.notMatch(form.body, token, 'nor is it in the page');
  t.equal((await browser.get(link)).status, 303, 'opening a link does not spend it');

  const wrong = await browser.submit(form, /^\/setup$/, {
    email: 'ada',
    name: '<b>Ada',
    password: 'too short',
    passwordRepeat: 'another',
  });
  t.equal(wrong.status, 400);
  for (const field of ['email', 'password', 'passwordRepeat']) t.match(wrong.body, `id="${field}-error"`);
  t.match(wrong.body, 'value="&lt;b&gt;Ada"', 'what was typed stays');
  t.notMatch(wrong.body, /too short"|another"/, 'passwords are not sent back');
  const own = await browser.submit(form, /^\/setup$/, {
    email: EMAIL,
    name: 'Ada Lovelace',
    password: 'ada@example.com 1',
    passwordRepeat: 'ada@example.com 1',
  });
  t.equal(own.status, 400, 'the password rules hold here too');
  t.same(await running.events('account.created'), []);

  const { browser: administrator, page } = await setUp(running);
  t.equal(pathOf(page), '/setup/app', 'signed in once, with the new password, and on to the first app');
  t.equal(titleOf(page), 'Add your first app');
  t.equal((await running.events('setup.completed')).length, 1);

  const faulty = await administrator.submit(page, /app$/, {
    name: 'Notes',
    kind: 'web',
    redirectUri: 'http://example.com/cb',
  });
  t.equal(faulty.status, 400);
  t.match(faulty.body, /id="redirectUri-error"[^>]*>[^<]*only https is allowed except on localhost\./);
  const unkind = await administrator.submit(page, /app$/, {
    name: 'Notes',
    redirectUri: 'https://notes.example.com/cb',
  });
  t.match(unkind.body, /id="kind-error"/);
  const fields = { name: 'Notes', kind: 'web', redirectUri: 'https://notes.example.com/cb' };
  const done = await administrator.submit(page, /app$/, fields);
  t.equal(done.status, 201);
  const value = (label: string) =>
    new RegExp(`<dt>${label}</dt><dd><code>(.*?)</code>`).exec(done.body)?.[1] ?? '';
  const client = { id: value('Client ID'), secret: value('Client secret') };
  const refused = await tokenRequest(running.issuer, client, {
    grant_type: 'authorization_code',
    code: 'none',
    redirect_uri: fields.redirectUri,
    code_verifier: pkce().verifier,
  });
  t.equal(refused.body.error, 'invalid_grant', 'the secret on the page authenticates the app');

  const twice = await administrator.submit(page, /app$/, fields);
  t.equal(twice.status, 409, 'sending the form again makes no second app');
  t.notMatch(twice.body, client.secret);
  t.equal((await running.events('client.created')).filter(({ data }) => data.by === 'setup').length, 1);
  t.equal(titleOf(await administrator.get('/setup/app')), 'Add an app', 'the next one is not the first');

  const late = await browser.get(link);
  t.equal(late.status, 409);
  t.match(late.body, 'Already set up');
  const { browser: person } = await signedIn(running);
  const denied = await person.get('/setup/app');
  t.equal(denied.status, 403, 'others cannot add apps');
  t.equal((await person.submit(page, /app$/, fields)).status, 403);
  const stranger = await running.visitor().get('/setup/app');
  t.equal(stranger.location, '/account/sign-in?next=/setup/app');
});

t.test(
  'O1: links that are wrong, expired or spent are refused, on record, and not without end',
  async (t) => {
    const running = await startApp(t);
    const browser = running.visitor();
    for (const bad of ['a'.repeat(43), 'short', 'x'.repeat(150)]) {
      const page = await browser.get(`/setup/${bad}`);
      t.equal(page.status, 403, bad);
      t.match(page.body, /npm run setup-link/);
    }
    t.equal((await browser.get(await linkOf(running, 3600))).status, 403, 'expired');
    t.equal((await running.events('setup.linkRefused')).length, 4);

    // A link that ends between the form and its sending.
    const form = await browser.follow(await browser.get(await linkOf(running)));
    await running.db.$client`UPDATE setup_tokens SET expires_at = now() - interval '1 second'`;
    const person = { email: EMAIL, name: '', password: SECRET_PHRASE, passwordRepeat: SECRET_PHRASE };
    const late = await browser.submit(form, /^\/setup$/, person);
    t.equal(late.status, 403);
    t.equal((await running.events('setup.linkRefused')).length, 5);

    // Everybody has a valid link: one administrator.
    const forms = await Promise.all(
      Array.from({ length: 6 }, async (_, n) => {
        const each = running.visitor();
        const page = await each.follow(await each.get(await linkOf(running)));
        return { each, page, email: `person${n}@example.com` };
      }),
    );
    const answers = await Promise.all(
      forms.map(({ each, page, email }) => each.submit(page, /^\/setup$/, { ...person, email })),
    );
    const statuses = answers.map(({ status }) => status).sort();
    t.same(statuses, [303, 409, 409, 409, 409, 409], 'exactly one administrator');
    t.equal((await running.events('setup.completed')).length, 1);
    t.equal((await running.events('account.created')).length, 1);

    let last = 0;
    for (let n = 0; n < 30 && last !== 429; n++)
      last = (await browser.get(`/setup/${'b'.repeat(43)}`)).status;
    t.equal(last, 429, 'an address cannot fill the audit trail');
    const recorded = (await running.events('setup.linkRefused')).length;
    await browser.get(`/setup/${'b'.repeat(43)}`);
    t.equal((await running.events('setup.linkRefused')).length, recorded);
  },
);

t.test('A13: the account home shows live sessions, and which one this is', async (t) => {
  const running = await startApp(t);
  await setUp(running);
  const { browser, home, email, id } = await signedIn(running);
  t.equal(pathOf(home), '/account');
  t.match(home.body, email);
  t.notMatch(home.body, /Administrator|\/setup\/app/, 'a person without a role is offered nothing of it');

  const phone = running.visitor();
  const agent = {
    'user-agent':
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1',
  };
  const login = await phone.follow(await phone.get('/account/sign-in', agent));
  const sent = await phone.submit(login, /\/password$/, { email, password: PASSWORD }, agent);
  let at = sent;
  while (at.location !== null) at = await phone.get(new URL(at.location, at.url).href, agent);
  t.equal(pathOf(at), '/account');

  const both = await browser.get('/account');
  const rows = [
    ...both.body.matchAll(
      /<li><div>\n<p><strong><bdi>([^<]*)<\/bdi><\/strong>(.*?)<\/p>\n<p[^>]*>(.*?)<\/p>/g,
    ),
  ];
  t.same(rows.map((row) => row[1]).sort(), ['Safari on iPhone', 'Unknown device']);
  t.same(
    rows.filter((row) => row[2]?.includes('This one')).map((row) => row[1]),
    ['Unknown device'],
  );
  for (const row of rows) t.match(row[3], /127\.0\.0\.1.*<time datetime="20/);

  const signOut = /class="button secondary" href="(\/oauth2\/logout[^"]*)"/.exec(both.body)?.[1] ?? '';
  const question = await browser.get(unescaped(signOut));
  t.notMatch(question.body, 'asks you to sign out', 'it was no app that asked');
  const out = await browser.follow(await browser.submit(question, /confirm/, { logout: 'yes' }));
  t.match(out.body, /<h1>You are signed out<\/h1>.*close the browser/s);
  const after = await browser.get('/account');
  t.equal(after.location, '/account/sign-in?next=/account', 'signed out');
  t.equal((await phone.get('/account')).status, 200, 'the other session stands');
  t.notMatch((await phone.get('/account')).body, 'Unknown device', 'the ended one is not listed');
  t.equal((await running.events('session.ended')).at(-1)?.subject_id, id);
});

t.test('P9: a person sees the apps they allowed, and withdraws one: its tokens are dead', async (t) => {
  const running = await startApp(t);
  const { browser, email, id } = await signedIn(running);
  const client = await running.client({ name: 'Field <i>Notes' });
  const kept = await running.client({ name: 'Kept' });
  const first = await tokens(running, client, { email }, { browser });
  const second = await tokens(running, kept, { email }, { browser });

  const home = await browser.get('/account');
  t.match(home.body, 'Field &lt;i&gt;Notes');
  t.match(home.body, '<code>offline_access</code>');
  const withdraw = new RegExp(`/account/apps/${client.id}/withdraw$`);
  const page = await browser.follow(await browser.submit(home, withdraw, {}));
  t.equal(pathOf(page), '/account');
  const [connected = '', history = ''] = page.body.split('<h2>Earlier permissions</h2>');
  t.notMatch(connected, 'Field &lt;i&gt;Notes');
  t.match(connected, 'Kept');
  t.match(history, 'Field &lt;i&gt;Notes');
  t.match(history, 'withdrawn by you');

  const refresh = (of: typeof client, token = '') =>
    tokenRequest(running.issuer, of, { grant_type: 'refresh_token', refresh_token: token });
  t.equal((await refresh(client, first.body.refresh_token)).body.error, 'invalid_grant');
  t.equal((await refresh(kept, second.body.refresh_token)).status, 200, 'the other app goes on');
  const userinfo = await fetch(`${running.issuer}/oauth2/userinfo`, {
    headers: { authorization: `Bearer ${first.body.access_token}` },
  });
  t.equal(userinfo.status, 401);
  const [event] = await running.events('consent.revoked');
  t.match(event, { subject_id: id, client_id: client.id });
  t.equal((await browser.submit(home, withdraw, {})).status, 303, 'twice does no harm');
  t.equal((await running.events('consent.revoked')).length, 1);

  const again = await browser.follow(await browser.get(authorizePath(client, pkce())));
  t.match(pathOf(again), /^\/consent\//, 'the app has to ask again');
});

t.test('ATK-A120: a sign-in leads only to addresses on the list', async (t) => {
  const running = await startApp(t);
  const { email } = await running.person();
  const evil = [
    '//evil.test',
    '/\\evil.test',
    'https:evil.test',
    'https://evil.test/account',
    '/%09/evil.test',
    '/\t/evil.test',
    'javascript:x',
    '/%2f%2fevil.test',
    '/account/../setup',
    '/demo',
  ];
  for (const next of evil) {
    const browser = running.visitor();
    const started = await browser.get(`/account/sign-in?${new URLSearchParams({ next })}`);
    const { page } = await complete(browser, started, { email });
    t.equal(page.url, `${running.issuer}/account`, next);
  }

  const browser = running.visitor();
  const authorize = await browser.get('/account/sign-in?next=/account');
  const state = new URL(authorize.location ?? '', running.issuer).searchParams.get('state') ?? '';
  await complete(browser, authorize, { email });
  const arrive = (visitor: Visitor, query: Record<string, string>) =>
    visitor.get(`/account/signed-in?${new URLSearchParams(query)}`);
  const good = { state, iss: running.issuer, code: 'x' };
  t.equal((await arrive(browser, good)).location, '/account');
  const [, expiry = '', mac = ''] = state.split('.');
  const bad: Record<string, Record<string, string>> = {
    'another destination': { ...good, state: `app.${expiry}.${mac}` },
    'a later end': { ...good, state: `account.${Number(expiry) + 60}.${mac}` },
    'no state': { iss: running.issuer, code: 'x' },
    'a state that is none': { ...good, state: 'https://evil.test' },
    'another issuer': { ...good, iss: 'https://evil.test' },
    'no issuer': { state, code: 'x' },
    'a refusal': { state, iss: running.issuer, error: 'access_denied', error_description: 'Call 555-1234' },
    'a fault': { state, iss: running.issuer, error: 'server_error' },
  };
  for (const [what, query] of Object.entries(bad)) {
    const page = await arrive(browser, query);
    t.equal(page.status, 400, what);
    t.match(page.body, /href="\/account\/sign-in\?next=%2Faccount"/, 'with a way forward');
    t.notMatch(page.body, /evil|555-1234/, 'what the address says is not repeated');
  }
  const other = running.visitor();
  await other.get('/account/sign-in');
  t.equal((await arrive(other, good)).status, 400, 'the state of another browser');
  const cookieless = running.visitor();
  const started = await cookieless.get('/account/sign-in');
  const own = new URL(started.location ?? '', running.issuer).searchParams.get('state') ?? '';
  const circle = await arrive(cookieless, { state: own, iss: running.issuer, code: 'x' });
  t.equal(circle.status, 400, 'without a session the browser is not sent in circles');
  t.match(circle.body, 'Allow cookies');
});

t.test('ATK-A115 ATK-A116: every form of these pages needs its token, its browser and POST', async (t) => {
  const running = await startApp(t);
  const { browser: administrator, page: appForm } = await setUp(running);
  const client = await running.client();
  await tokens(running, client, { email: EMAIL }, { browser: administrator });
  const home = await administrator.get('/account');
  const result = await administrator.follow(
    (await complete(administrator, await administrator.get('/demo/start'), { email: EMAIL })).page,
  );
  t.equal(pathOf(result), '/demo/result');
  const { _csrf: stranger = '' } =
    formsOf((await (await signedIn(running)).browser.get('/account')).body)[0]?.fields ?? {};

  const routes = routesOf(running.app.http)
    .filter(({ url, methods }) => /^\/(setup|account|demo)\b/.test(url) && methods.has('POST'))
    .map(({ url }) => url);
  t.same(routes.sort(), [
    '/account/apps/:clientId/withdraw',
    '/demo/logout',
    '/demo/refresh',
    '/demo/userinfo',
    '/setup',
    '/setup/app',
  ]);
  const counts = () => running.db.$client`
    SELECT (SELECT count(*) FROM clients)::int AS clients, (SELECT count(*) FROM accounts)::int AS accounts,
           (SELECT count(*) FROM consents WHERE ended_at IS NULL)::int AS consents,
           (SELECT count(*) FROM refresh_tokens)::int AS tokens`;
  const before = await counts();
  const tokenOn = (page: Page) => formsOf(page.body).find(({ fields }) => fields._csrf)?.fields._csrf ?? '';
  const fields = {
    name: 'Evil',
    kind: 'web',
    redirectUri: 'https://evil.test/cb',
    email: 'evil@evil.test',
    password: SECRET_PHRASE,
    passwordRepeat: SECRET_PHRASE,
  };
  for (const route of routes) {
    const path = route.replace(':clientId', client.id);
    const token = route.startsWith('/demo')
      ? tokenOn(result)
      : tokenOn(route === '/setup/app' ? appForm : home);
    t.equal((await administrator.post(path, fields)).status, 403, `${path} without a token`);
    t.equal(
      (await administrator.post(path, { ...fields, _csrf: stranger })).status,
      403,
      'a token of another person',
    );
    const crossSite = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.test' };
    t.equal(
      (await administrator.post(path, { ...fields, _csrf: token }, crossSite)).status,
      403,
      'from another site',
    );
    const nullOrigin = { origin: 'null' };
    t.equal(
      (await administrator.post(path, { ...fields, _csrf: token }, nullOrigin)).status,
      403,
      'from nowhere',
    );
    if (path === '/setup' || path === '/setup/app') continue;
    const got = await administrator.get(`${path}?${new URLSearchParams({ ...fields, _csrf: token })}`);
    t.equal(got.status, 405, `GET ${path}`);
  }
  t.same(await counts(), before, 'nothing happened');

  for (const path of ['/setup/app', '/account', '/demo/result', '/demo', '/setup']) {
    const { headers } = await administrator.get(path);
    t.equal(headers.get('cache-control'), 'no-store', path);
  }
  const names = administrator.cookies().map(({ name }) => name);
  t.notOk(names.includes('gatehouse_setup'), 'the setup cookie ended with the setup');
});

t.test('O1: the demo app goes through a whole code flow by real HTTP', async (t) => {
  const running = await startApp(t);
  const bare = await running.visitor().get('/demo');
  t.match(bare.body, 'has not been set up yet', 'nobody could sign in yet');
  const { browser } = await setUp(running);
  const start = await browser.get('/demo');
  t.match(start.body, 'href="/demo/start"');

  const begun = await browser.get('/demo/start');
  const asked = new URL(begun.location ?? '', running.issuer).searchParams;
  t.match(Object.fromEntries(asked), {
    client_id: 'gatehouse-demo',
    scope: 'openid profile email offline_access',
    prompt: 'consent',
    code_challenge_method: 'S256',
  });
  const consent = await browser.follow(begun);
  t.match(pathOf(consent), /^\/consent\//, 'an app like any other: it asks');
  const result = await browser.follow(
    await browser.submit(consent, /^\/consent\/[^/]+$/, { decision: 'allow' }),
  );
  t.equal(pathOf(result), '/demo/result', 'the code is not in the address any more');
  t.match(result.body, 'Ada Lovelace');
  t.match(result.body, EMAIL);
  const steps = (page: Page) =>
    [...page.body.matchAll(/<li id="step-\d+">\n<h3>(.*?)<\/h3>/g)].map((match) => match[1]);
  const first = ['Discovery', 'Authorization request', 'Token request', 'Signing keys'];
  t.same(steps(result), first);
  const { verifier } = { verifier: /code_verifier=([^\n<]*)/.exec(result.body)?.[1] ?? '' };
  t.match(verifier, /^[\w-]{12}…$/, 'secrets in the requests are cut');

  const { sub } = JSON.parse(
    unescaped(/Decoded<\/h3>\n<pre><code>[\s\S]*?\n\.\n([\s\S]*?)<\/code>/.exec(result.body)?.[1] ?? '{}'),
  );
  t.match(sub, /^[0-9a-f-]{36}$/);
  const tokensOn = (page: Page) =>
    [...page.body.matchAll(/<summary>\w+ token [\s\S]*?<pre><code>([^<]*)</g)].map((match) => match[1]);
  const refreshed = await browser.follow(await browser.submit(result, /refresh$/, {}));
  t.same(steps(refreshed), [...first, 'Refresh'], 'the keys are known by now');
  const [before, after] = [tokensOn(result), tokensOn(refreshed)];
  t.equal(before.length, 3);
  t.equal(after.length, 3);
  for (const n of [1, 2]) t.not(before[n], after[n], 'a new access and refresh token');
  const informed = await browser.follow(await browser.submit(refreshed, /userinfo$/, {}));
  t.equal(steps(informed).at(-1), 'Userinfo');
  t.match(informed.body, 'Userinfo answered');

  const home = await browser.get('/account');
  await browser.submit(home, /gatehouse-demo\/withdraw$/, {});
  const refused = await browser.follow(await browser.submit(informed, /refresh$/, {}));
  t.match(refused.body, 'The refresh was refused.');
  t.match(refused.body, /invalid_grant/);

  const leaving = await browser.follow(await browser.submit(refused, /logout$/, {}));
  t.equal(pathOf(leaving), '/oauth2/logout');
  t.match(leaving.body, 'Demo app');
  const left = await browser.follow(await browser.submit(leaving, /confirm/, { logout: 'yes' }));
  t.equal(pathOf(left), '/demo');
  t.equal((await browser.get('/demo/result')).location, '/demo', 'the demo has forgotten');
  t.equal((await browser.get('/account')).status, 303, 'and the session is over');

  const denying = running.visitor();
  const login = await denying.follow(await denying.get('/demo/start'));
  const question = await denying.follow(
    await denying.submit(login, /\/password$/, { email: EMAIL, password: SECRET_PHRASE }),
  );
  const denied = await denying.follow(
    await denying.submit(question, /^\/consent\/[^/]+$/, { decision: 'deny' }),
  );
  t.equal(denied.status, 400);
  t.match(denied.body, 'You did not allow the access');
  t.match(denied.body, 'href="/demo"');

  const victim = running.visitor();
  await victim.get('/demo/start');
  const attacker = running.visitor();
  const theirs = await attacker.get('/demo/start');
  const state = new URL(theirs.location ?? '', running.issuer).searchParams.get('state') ?? '';
  const planted = await victim.get(
    `/demo/callback?${new URLSearchParams({ code: 'x', state, iss: running.issuer })}`,
  );
  t.equal(planted.status, 400, 'an answer to another browser’s request is refused');
  t.match(planted.body, 'Begin again');
  const ownState =
    new URL((await victim.get('/demo/start')).location ?? '', running.issuer).searchParams.get('state') ?? '';
  const mixed = await victim.get(
    `/demo/callback?${new URLSearchParams({ code: 'x', state: ownState, iss: 'https://evil.test' })}`,
  );
  t.equal(mixed.status, 400, 'another issuer is refused');
  t.match(mixed.body, 'did not accept the answer');
});

t.test('O1: the demo app says in words when it cannot reach its own issuer', async (t) => {
  const dead = await freePort();
  const closed = await startApp(t, { ISSUER: `http://localhost:${dead}` });
  const nobody = await closed.app.http.inject({
    url: '/demo/start',
    headers: { host: `localhost:${dead}`, accept: 'text/html' },
  });
  t.equal(nobody.statusCode, 502);
  t.match(nobody.body, 'could not reach it there');
  t.match(nobody.body, `http://localhost:${dead}`);

  const folder = temporaryFolder(t);
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  execFileSync(
    'openssl',
    ['req', '-x509', ...curve, '-nodes', '-keyout', key, '-out', cert, '-days', '1', ...subject],
    {
      stdio: 'ignore',
    },
  );
  const port = await freePort();
  const secure = createServer({ cert: readFileSync(cert), key: readFileSync(key) }).listen(port, '127.0.0.1');
  await once(secure, 'listening');
  t.teardown(() => secure.close());
  const selfSigned = await startApp(t, {
    ISSUER: `https://localhost:${port}`,
    TRUSTED_PROXIES: '127.0.0.1',
    DEMO: 'true',
  });
  const untrusted = await selfSigned.app.http.inject({
    url: '/demo/start',
    headers: { host: `localhost:${port}`, 'x-forwarded-proto': 'https', accept: 'text/html' },
  });
  t.equal(untrusted.statusCode, 502);
  t.match(untrusted.body, 'NODE_EXTRA_CA_CERTS');
});

const tools = (() => {
  try {
    execFileSync('sh', ['-c', 'command -v curl && command -v openssl'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

async function waitFor(t: Test, work: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const done = await work().then(
      () => true,
      () => false,
    );
    if (done) return;
    await sleep(50);
  }
  t.fail('it did not come up');
}

t.test('O1: the snippets work as they are pasted', async (t) => {
  const running = await startApp(t);
  const { email, id } = await running.person();
  const { browser, page } = await setUp(running);
  const port = await freePort();

  for (const kind of ['web', 'public'] as const) {
    const redirectUri = `http://localhost:${port}/it's/$HOME/callback`;
    const form = kind === 'web' ? page : await browser.get('/setup/app');
    const done = await browser.submit(form, /app$/, { name: `Notes ${kind}`, kind, redirectUri });
    t.equal(done.status, 201);
    const codes = [...done.body.matchAll(/<summary>(.*?) <span.*?<pre><code>(.*?)<\/code>/gs)];
    const codeOf = (title: string) => unescaped(codes.find((one) => one[1] === title)?.[2] ?? '');
    t.same(
      codes.map((one) => one[1]),
      kind === 'web' ? ['openid-client', 'oauth2-proxy', 'Grafana', 'curl'] : ['openid-client', 'curl'],
    );

    await t.test(`openid-client, ${kind}`, async (t) => {
      const folder = temporaryFolder(t);
      // Installed elsewhere than beside the file; all else is as it was pasted.
      const installed = codeOf('openid-client').replace(
        "'openid-client'",
        `'${import.meta.resolve('openid-client')}'`,
      );
      writeFileSync(join(folder, 'app.mjs'), installed);
      const secret = /CLIENT_SECRET='([^']+)'/.exec(codeOf('openid-client'))?.[1] ?? '';
      const app = spawn(process.execPath, ['app.mjs'], {
        cwd: folder,
        env: { PATH: process.env.PATH, CLIENT_SECRET: secret },
        stdio: ['ignore', 'inherit', 'inherit'],
      });
      t.teardown(() => app.kill());
      await waitFor(t, () => fetch(`http://localhost:${port}/`, { redirect: 'manual' }));
      const sent = await fetch(`http://localhost:${port}/`, { redirect: 'manual' });
      const visitor = running.visitor();
      const { page } = await complete(visitor, await visitor.get(sent.headers.get('location') ?? ''), {
        email,
      });
      const claims = (await (await fetch(page.location ?? '')).json()) as Record<string, unknown>;
      t.match(claims, { sub: id, email, iss: running.issuer });
      app.kill();
      await once(app, 'exit');
    });

    await t.test(`curl, ${kind}`, { skip: tools ? false : 'curl or openssl is missing' }, async (t) => {
      const script = spawn('sh', ['-c', codeOf('curl')], { stdio: ['pipe', 'pipe', 'inherit'] });
      let out = '';
      script.stdout.setEncoding('utf8').on('data', (text: string) => {
        out += text;
      });
      await waitFor(t, async () => {
        if (!out.includes('Code: ')) throw new Error('not yet');
      });
      const visitor = running.visitor();
      const address = /^http.*$/m.exec(out)?.[0] ?? '';
      const { params } = await complete(visitor, await visitor.get(address), { email });
      script.stdin.end(`${params.get('code')}\n`);
      await once(script, 'exit');
      const answer = JSON.parse(out.slice(out.indexOf('Code: ') + 6)) as Record<string, unknown>;
      t.match(answer, { token_type: 'Bearer', access_token: String, id_token: String });
    });
  }
});

t.test('O1: snippets for other software fit what it sends', async (t) => {
  const running = await startApp(t);
  const { browser, page } = await setUp(running);
  const redirectUri = 'https://grafana.example.com/sub/login/generic_oauth';
  const done = await browser.submit(page, /app$/, { name: 'Grafana', kind: 'web', redirectUri });
  t.match(done.body, /<details open>\n<summary>Grafana/, 'the one that fits is open');
  t.match(done.body, 'root_url = https://grafana.example.com/sub/\n');
  const id = /<dt>Client ID<\/dt><dd><code>(.*?)<\/code>/.exec(done.body)?.[1] ?? '';
  const visitor = running.visitor();
  const login = await visitor.follow(
    await visitor.get(authorizePath({ id, redirectUri }, pkce(), { nonce: undefined })),
  );
  t.match(pathOf(login), /^\/login\//, 'Grafana sends no nonce, and is let in without');
  const { params } = await complete(
    visitor,
    await visitor.get(
      authorizePath({ id, redirectUri }, pkce(), {
        nonce: undefined,
        code_challenge: undefined,
        code_challenge_method: undefined,
      }),
    ),
    { email: EMAIL },
  );
  t.equal(params.get('error'), 'invalid_request', 'but not without PKCE');
  const found = (await (await fetch(`${running.issuer}/.well-known/openid-configuration`)).json()) as Record<
    string,
    string
  >;
  for (const name of ['authorization_endpoint', 'token_endpoint', 'userinfo_endpoint']) {
    t.match(done.body, `= ${found[name]}\n`);
  }

  const hostile = {
    issuer: running.issuer,
    clientId: id,
    clientSecret: 's3cret',
    redirectUri: 'https://app.example.com/oauth2/callback?a=\'$(id)"`id`;#',
  };
  const [proxy] = snippetsOf({ ...hostile, redirectUri: hostile.redirectUri.replace(/\?.*/, '') });
  t.equal(proxy?.title, 'oauth2-proxy');
  const code = snippetsOf(hostile).find(({ title }) => title === 'oauth2-proxy')?.code ?? '';
  const runnable = code.replace('oauth2-proxy \\\n', `printf '%s\\n' \\\n`);
  const lines = execFileSync('sh', ['-c', runnable], { encoding: 'utf8' }).split('\n');
  t.ok(lines.includes(`--redirect-url=${hostile.redirectUri}`), 'no value is acted upon by the shell');
  t.ok(lines.includes(`--oidc-issuer-url=${running.issuer}`));
  t.ok(lines.includes('--insecure-oidc-skip-nonce=false'));
});
