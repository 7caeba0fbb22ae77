// The device flow end to end (RFC 8628): a device of a third-party client library, a person in a browser, and those who
// guess, hurry, replay or talk people into it. LONG=1 plays 200 rounds of the races, not 20.
import { setTimeout as sleep } from 'node:timers/promises';
import * as rp from 'openid-client';
import t, { type Test } from 'tap';
import { disable } from '../server/accounts/accounts.ts';
import { DEVICE_CODE, type NewClient } from '../server/clients/clients.ts';
import { sha256 } from '../server/lib/secrets.ts';
import { purge } from '../server/oidc/jobs.ts';
import { PASSWORD, type Running, startApp, type TestClient, tokenRequest, tokens } from './harness/app.ts';
import { formsOf, type Page, type Visitor } from './harness/browser.ts';
import { appAsks, atOnce, cookieHeader, type Fleet, startFleet, tally, userinfo } from './harness/fleet.ts';

const LONG = Boolean(process.env.LONG);
const ROUNDS = LONG ? 200 : 20;
t.setTimeout(LONG ? 3_600_000 : 240_000);

const TV: Partial<NewClient> = {
  name: 'Living Room TV',
  public: true,
  grantTypes: [DEVICE_CODE, 'refresh_token'],
  redirectUris: [],
};
const SCOPE = 'openid email offline_access';

interface Issued {
  device_code: string;
  user_code: string;
  verification_uri: string;
  verification_uri_complete: string;
  expires_in: number;
  interval: number;
}

async function begin(
  issuer: string,
  client: Pick<TestClient, 'id'>,
  more: Record<string, string> = {},
): Promise<Issued> {
  const response = await fetch(`${issuer}/oauth2/device_authorization`, {
    method: 'POST',
    headers: { 'user-agent': 'TVPlayer/4.2 (tv)' },
    body: new URLSearchParams({ client_id: client.id, scope: SCOPE, ...more }),
  });
  const body = await response.json();
  if (response.status !== 200) throw new Error(`no device code: ${response.status} ${JSON.stringify(body)}`);
  return body as Issued;
}

const poll = (issuer: string, client: Pick<TestClient, 'id' | 'secret'>, code: string) =>
  tokenRequest(issuer, client, { grant_type: DEVICE_CODE, device_code: code });

const isConfirm = (page: Page) => /name="confirm"/.test(page.body);

/** Enters a code and answers the question that follows. */
async function enter(browser: Visitor, userCode: string, answer: 'confirm' | 'abort' | null): Promise<Page> {
  const page = await browser.submit(await browser.get('/device'), /^\/device$/, { user_code: userCode });
  if (answer === null || !isConfirm(page)) return page;
  return browser.follow(await browser.submit(page, /^\/device$/, { [answer]: 'yes' }));
}

/** Goes through sign-in and consent, wherever they begin. */
async function through(browser: Visitor, from: Page, person: { email: string }): Promise<Page> {
  let page = from;
  for (let step = 0; step < 4; step++) {
    const forms = formsOf(page.body).map(({ action }) => action);
    if (forms.some((action) => /^\/login\/[^/]+\/password$/.test(action))) {
      const fields = { email: person.email, password: PASSWORD };
      page = await browser.follow(await browser.submit(page, /\/password$/, fields));
    } else if (forms.some((action) => /^\/consent\/[^/]+$/.test(action))) {
      page = await browser.follow(await browser.submit(page, /^\/consent\/[^/]+$/, { decision: 'allow' }));
    } else break;
  }
  return page;
}

/** A person lets a device in. */
async function allow(browser: Visitor, userCode: string, person: { email: string }): Promise<Page> {
  const page = await through(browser, await enter(browser, userCode, 'confirm'), person);
  if (!/is connected/.test(page.body)) throw new Error(`not connected: ${page.status} ${page.body.slice(0, 600)}`);
  return page;
}

async function library(issuer: string, client: TestClient): Promise<rp.Configuration> {
  return rp.discovery(new URL(issuer), client.id, undefined, client.secret ? rp.ClientSecretBasic(client.secret) : rp.None(), {
    execute: [rp.allowInsecureRequests, rp.enableNonRepudiationChecks],
  });
}

t.test('one server', async (t) => {
  const app = await startApp(t, { DEVICE_POLL_INTERVAL: '1', PAGE_RATE_LIMIT: '0' });
  const { issuer } = app;
  const tv = await app.client(TV);
  const person = await app.person();

  await t.test('P5: a third-party device library gets tokens when its person has signed in and allowed it', async (t) => {
    for (const client of [tv, await app.client({ ...TV, public: false })]) {
      const config = await library(issuer, client);
      t.equal(config.serverMetadata().device_authorization_endpoint, `${issuer}/oauth2/device_authorization`);
      const issued = await rp.initiateDeviceAuthorization(config, { scope: SCOPE });
      t.equal(issued.verification_uri, `${issuer}/device`);
      t.equal(issued.verification_uri_complete, `${issuer}/device?user_code=${issued.user_code}`);
      t.match(issued.user_code, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
      t.equal(issued.interval, 1);
      t.equal(issued.expires_in, 600);
      const waiting = rp.pollDeviceAuthorizationGrant(config, issued);
      const browser = app.visitor();
      const done = await allow(browser, issued.user_code.toLowerCase().replace('-', ' '), person);
      t.equal(done.status, 200);
      const got = await waiting;
      t.equal(got.claims()?.sub, person.id);
      t.equal(got.claims()?.email, person.email);
      t.equal(got.claims()?.acr, 'urn:gatehouse:aal1');
      t.ok(got.refresh_token);
      t.equal((await rp.fetchUserInfo(config, got.access_token, person.id)).email, person.email);
      const next = await rp.refreshTokenGrant(config, got.refresh_token ?? '');
      t.ok(next.access_token);
    }
  });
});
