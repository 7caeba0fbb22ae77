// What a changed password and a disabled account end, at once and everywhere (R33, R36).
import t, { type Test } from 'tap';
import { loadConfig } from '../config/load.ts';
import { disable, enable, setPassword } from '../server/accounts/accounts.ts';
import { createPasswords } from '../server/passwords/passwords.ts';
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

t.setTimeout(120_000);

const OTHER_PASSWORD = 'nine purple lanterns drifting 4';

/** Everything one person can have open: a session, tokens that outlive it, a code, a sign-in just proved. */
async function open(app: Running, email: string) {
  const client = await app.client();
  const offline = await tokens(app, client, { email });
  const bound = await tokens(app, client, { email }, { scope: 'openid', browser: offline.browser });
  const proof = pkce();
  const { params } = await complete(
    offline.browser,
    await offline.browser.get(authorizePath(client, proof)),
    { email },
  );
  const code = params.get('code') ?? '';
  // Signed in with the right password, but the app has not been answered yet.
  const waiting = app.visitor();
  const page = await waiting.follow(await waiting.get(authorizePath(client, pkce())));
  const posted = await waiting.submit(page, /\/password$/, { email, password: PASSWORD });
  return { client, offline, bound, code, proof, waiting, posted };
}

async function allOver(t: Test, app: Running, had: Awaited<ReturnType<typeof open>>): Promise<void> {
  const { client, offline, bound, code, proof, waiting, posted } = had;
  const userinfo = (token: string | undefined) =>
    fetch(`${app.issuer}/oauth2/userinfo`, { headers: { authorization: `Bearer ${token}` } });
  t.equal((await userinfo(offline.body.access_token)).status, 401, 'offline access token');
  t.equal((await userinfo(bound.body.access_token)).status, 401, 'session-bound access token');
  const refreshed = await tokenRequest(app.issuer, client, {
    grant_type: 'refresh_token',
    refresh_token: offline.body.refresh_token as string,
  });
  t.match(refreshed, { status: 400, body: { error: 'invalid_grant' } }, 'refresh token');
  const redeemed = await tokenRequest(app.issuer, client, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: client.redirectUri,
    code_verifier: proof.verifier,
  });
  t.match(redeemed, { status: 400, body: { error: 'invalid_grant' } }, 'pending code');
  const silent = await offline.browser.get(authorizePath(client, pkce(), { prompt: 'none' }));
  t.match(silent.location, /error=login_required/, 'session');
  t.equal((await offline.browser.get('/account')).status, 303, 'account page');
  const resumed = await waiting.follow(posted);
  t.equal(resumed.location, null, 'a sign-in under way does not reach the app');
  t.notMatch(resumed.body, /<h1>[^<]*went wrong/);
}

t.test('ATK-A162 R36: a changed password ends sessions, tokens, codes and sign-ins under way', async (t) => {
  const app = await startApp(t);
  const person = await app.person();
  const had = await open(app, person.email);
  t.ok(had.code, 'there is a code');
  const { config } = loadConfig({ env: {}, cwd: process.cwd() });
  const passwords = createPasswords(config.passwords, { words: [] });
  await setPassword(app.op(), person.id, await passwords.hash(OTHER_PASSWORD), 'cli');
  await allOver(t, app, had);
  const browser = app.visitor();
  const fresh = await complete(browser, await browser.get('/account'), {
    email: person.email,
    password: OTHER_PASSWORD,
  });
  t.equal(fresh.page.status, 200, 'the new one signs in');
});

t.test(
  'ATK-A163 R36: a disabled account has nothing left, and enabling it brings nothing back',
  async (t) => {
    const app = await startApp(t);
    const person = await app.person();
    const had = await open(app, person.email);
    await disable(app.op(), person.id);
    await allOver(t, app, had);
    const browser = app.visitor();
    const page = await browser.follow(await browser.get('/account'));
    const fields = { email: person.email, password: PASSWORD };
    const refused = await browser.submit(page, /\/password$/, fields);
    t.equal(refused.status, 401, 'no new sign-in');
    await enable(app.op(), person.id);
    const again = app.visitor();
    t.equal((await complete(again, await again.get('/account'), { email: person.email })).page.status, 200);
    t.equal((await had.offline.browser.get('/account')).status, 303, 'the old session stays over');
  },
);
