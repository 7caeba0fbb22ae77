// Single-page apps by other people: oidc-client-ts in a real Chromium, on an origin and a site of its own, against two
// replicas of which no two requests in a row meet the same one.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import t, { type Test } from 'tap';
import type { NewClient } from '../server/clients/clients.ts';
import { PASSWORD, type TestClient } from './harness/app.ts';
import { launch, openTab } from './harness/chromium.ts';
import { type Behind, startBehindProxy } from './harness/proxy.ts';
import { freePort } from './harness/server.ts';

t.setTimeout(180_000);

const library = readFileSync(
  fileURLToPath(
    new URL('../node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js', import.meta.url),
  ),
);

/** The least of an app: its library on every page, and the callback that its documentation names. */
const PAGE = `<!doctype html><title>App</title><link rel=icon href=data:,>
<script src=/oidc-client-ts.js></script>
<script>
const manager = (more) => (window.users = new oidc.UserManager({ ...JSON.parse(localStorage.settings), ...more,
  ...(localStorage.dpop ? { dpop: { store: new oidc.IndexedDbDPoPStore() } } : {}) }));
if (location.pathname === '/callback') manager().signinCallback().then((user) => (window.returned = user ?? 'popup'));
if (location.pathname === '/bye') manager().signoutCallback().then((answer) => (window.returned = answer ?? 'bye'));
</script>`;

/** Serves the app on 127.0.0.1, which to a browser is another site than localhost. */
async function serveApp(t: Test): Promise<string> {
  const port = await freePort();
  const server = createServer((request, response) => {
    if (request.url === '/oidc-client-ts.js') {
      response.writeHead(200, { 'content-type': 'text/javascript' }).end(library);
    } else response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE);
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${port}`;
}

interface User {
  access_token: string;
  refresh_token: string;
  expires_at: number;
  profile: Record<string, unknown>;
}

const behind: Behind = await startBehindProxy(t);
const browser: Browser = await launch(t);
const origin = await serveApp(t);

interface Case {
  client: TestClient;
  person: { id: string; email: string };
}

async function newCase(more: Partial<NewClient> = {}): Promise<Case> {
  const client = await behind.client({
    name: 'Single page',
    public: true,
    redirectUris: [`${origin}/callback`],
    postLogoutRedirectUris: [`${origin}/bye`],
    allowedOrigins: [origin],
    ...more,
  });
  return { client, person: await behind.person() };
}

/** A tab that shows the app, with its settings where the callback finds them. */
async function openApp(t: Test, { client }: Case): Promise<Page> {
  const tab = await openTab(t, browser, [behind.issuer, origin]);
  await tab.goto(origin);
  const settings = {
    authority: behind.issuer,
    client_id: client.id,
    redirect_uri: `${origin}/callback`,
    post_logout_redirect_uri: `${origin}/bye`,
    scope: 'openid profile email offline_access',
    automaticSilentRenew: false,
  };
  await tab.evaluate(`localStorage.settings = ${JSON.stringify(JSON.stringify(settings))}`);
  return tab;
}

const ASKED = `{ nonce: crypto.randomUUID(), prompt: 'consent', state: { page: '/notes/7' } }`;

async function signIn(page: Page, { email }: { email: string }): Promise<void> {
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('button', { name: 'Allow' }).click();
}

async function signedIn(tab: Page, { person }: Case): Promise<User> {
  // The redirect ends the page that asked for it.
  await tab.evaluate(`void manager().signinRedirect(${ASKED})`);
  await signIn(tab, person);
  await tab.waitForURL(`${origin}/callback**`);
  await tab.waitForFunction('window.returned');
  return (await tab.evaluate('window.returned')) as User;
}

const userinfo = (tab: Page, token: string) =>
  tab.evaluate(`fetch('${behind.issuer}/oauth2/userinfo', { headers: { authorization: 'Bearer ${token}' } })
    .then(async (response) => ({ status: response.status, body: await response.json().catch(() => null) }))`);

t.test(
  'P1 P3 O8: oidc-client-ts signs in by redirect, renews by itself, calls userinfo and signs out',
  async (t) => {
    const here = await newCase({ accessTokenTtl: 5 });
    const { person, client } = here;
    const tab = await openApp(t, here);
    const user = await signedIn(tab, here);
    t.match(user, { profile: { sub: person.id, email: person.email, name: 'Pat Person' } });
    t.same(await tab.evaluate('window.returned.state'), { page: '/notes/7' }, 'back where it began');

    await t.test('userinfo is read from the app’s origin', async (t) => {
      t.match(await userinfo(tab, user.access_token), {
        status: 200,
        body: { sub: person.id, email: person.email },
      });
      const more = await tab.evaluate(`(async () => {
      manager({ loadUserInfo: true });
      return (await users.signinSilent()).profile;
    })()`);
      t.match(more, { sub: person.id, email: person.email }, 'the library merges it by itself');
    });

    await t.test('tokens are renewed in time by the refresh token, which changes at each use', async (t) => {
      const seen = (await tab.evaluate(`new Promise((resolve, reject) => {
      const seen = [];
      manager({ automaticSilentRenew: true, accessTokenExpiringNotificationTimeInSeconds: 3 });
      users.events.addSilentRenewError(reject);
      users.events.addUserLoaded((user) => {
        seen.push(user);
        if (seen.length === 2) users.stopSilentRenew(), resolve(seen);
      });
      users.getUser();
    })`)) as User[];
      const all = [user, ...seen];
      t.equal(new Set(all.map((one) => one.refresh_token)).size, 3, 'each use brings another one');
      t.equal(new Set(all.map((one) => one.access_token)).size, 3);
      t.match(await userinfo(tab, seen[1]?.access_token ?? ''), { status: 200 });
      t.ok((await behind.db.$client`SELECT FROM audit_events WHERE type = 'token.refreshed'`).length >= 3);
      t.equal((await behind.db.$client`SELECT FROM audit_events WHERE type = 'token.reused'`).length, 0);
    });

    await t.test('two tabs that renew at once both stay signed in', async (t) => {
      const other = await tab.context().newPage();
      await other.goto(origin);
      const stored = await tab.evaluate('JSON.stringify({ ...sessionStorage })');
      await other.evaluate(`Object.assign(sessionStorage, JSON.parse(${JSON.stringify(stored)}))`);
      const renew = (page: Page) => page.evaluate('manager().signinSilent()') as Promise<User>;
      const [one, two] = await Promise.all([renew(tab), renew(other)]);
      t.equal(one.refresh_token, two.refresh_token, 'one successor');
      await other.close();
      t.match(await userinfo(tab, one.access_token), { status: 200 });
    });

    await t.test('what it revokes is dead at once', async (t) => {
      const last = (await tab.evaluate('manager().getUser()')) as User;
      await tab.evaluate('users.revokeTokens()');
      t.match(await userinfo(tab, last.access_token), { status: 401 });
      const answer =
        await tab.evaluate(`fetch('${behind.issuer}/oauth2/token', { method: 'POST', body: new URLSearchParams({
      grant_type: 'refresh_token', client_id: '${client.id}', refresh_token: '${last.refresh_token}' }) })
      .then(async (response) => ({ status: response.status, body: await response.json() }))`);
      t.match(answer, { status: 400, body: { error: 'invalid_grant' } });
    });

    await t.test('signing out ends the session and comes back', async (t) => {
      await tab.evaluate('void manager().signoutRedirect({ state: "done" })');
      await tab.getByRole('button', { name: /^sign out/i }).click();
      await tab.waitForURL(`${origin}/bye**`);
      await tab.waitForFunction('window.returned');
      t.match(await tab.evaluate('window.returned'), { userState: 'done' });
      const answer = await tab.evaluate(
        `void manager().signinRedirect({ nonce: crypto.randomUUID(), prompt: 'none', scope: 'openid' })`,
      );
      t.equal(answer, undefined);
      await tab.waitForURL(/error=login_required/);
    });
    const [one = 0, two = 0] = behind.turns;
    t.ok(Math.abs(one - two) <= 1 && one > 10, `requests went to both replicas by turns (${one}, ${two})`);
  },
);

t.test('P1 O11: signing in by popup: the opener lives, and hears of it', async (t) => {
  const here = await newCase();
  const tab = await openApp(t, here);
  const opens = tab.waitForEvent('popup');
  const result = tab.evaluate(`manager().signinPopup(${ASKED})`) as Promise<User>;
  const popup = await opens;
  await popup.getByLabel('E-mail').waitFor();
  t.equal(await popup.evaluate('window.opener === null'), false, 'the sign-in page has its opener');
  const closed = popup.waitForEvent('close');
  await signIn(popup, here.person);
  const user = await result;
  t.match(user.profile, { sub: here.person.id, email: here.person.email });
  await closed;
  t.match(await userinfo(tab, user.access_token), { status: 200 });
});

t.test('P5: oidc-client-ts with DPoP: tokens that are worth nothing without the browser’s key', async (t) => {
  const here = await newCase({ dpopBoundAccessTokens: true });
  const tab = await openApp(t, here);
  // Its store holds a key that cannot be read out; every page of the app makes its manager with it.
  await tab.evaluate(`localStorage.dpop = 'yes'`);
  const user = await signedIn(tab, here);
  t.match(user, { token_type: 'DPoP', profile: { sub: here.person.id } });
  t.match(await userinfo(tab, user.access_token), { status: 401 }, 'as a bearer token it is none');
  const answer = await tab.evaluate(`(async () => {
    const url = '${behind.issuer}/oauth2/userinfo';
    const user = await manager().getUser();
    const ask = async (nonce) => fetch(url, { headers: {
      authorization: 'DPoP ' + user.access_token,
      dpop: await users.dpopProof(url, user, 'GET', nonce),
    } });
    let response = await ask();
    if (response.status === 401) response = await ask(response.headers.get('dpop-nonce'));
    return { status: response.status, body: await response.json() };
  })()`);
  t.match(answer, { status: 200, body: { sub: here.person.id } });
  const renewed = (await tab.evaluate('manager().signinSilent()')) as User;
  t.not(renewed.access_token, user.access_token);
  t.match(renewed, { token_type: 'DPoP' });
});

t.test('P1 ATK-A062: an origin that is not registered reads nothing', async (t) => {
  const here = await newCase();
  const tab = await openApp(t, here);
  const user = await signedIn(tab, here);
  const stranger = await browser.newPage();
  t.teardown(() => stranger.close());
  await stranger.goto(await serveApp(t));
  const asked = (path: string, init: string) =>
    stranger.evaluate(
      `fetch('${behind.issuer}${path}', ${init}).then((response) => response.status, (error) => error.name)`,
    );
  const bearer = `{ headers: { authorization: 'Bearer ${user.access_token}' } }`;
  const form = `{ method: 'POST', body: new URLSearchParams({ grant_type: 'refresh_token',
    client_id: '${here.client.id}', refresh_token: '${user.refresh_token}' }) }`;
  t.equal(await asked('/oauth2/userinfo', bearer), 'TypeError');
  t.equal(await asked('/oauth2/token', form), 'TypeError');
  t.equal(await asked('/.well-known/openid-configuration', '{}'), 200, 'metadata is public');
  t.equal(await asked('/oauth2/jwks', '{}'), 200);
  t.match(await userinfo(tab, user.access_token), { status: 200 }, 'the app itself goes on');
});
