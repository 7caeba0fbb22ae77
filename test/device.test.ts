// The device flow end to end (RFC 8628): a device of a third-party client library, a person in a browser, and those who
// guess, hurry, replay or talk people into it. LONG=1 plays 200 rounds of the races, not 20.
import { setTimeout as sleep } from 'node:timers/promises';
import * as rp from 'openid-client';
import { create } from 'qrcode';
import t from 'tap';
import { disable } from '../server/accounts/accounts.ts';
import { DEVICE_CODE, type NewClient } from '../server/clients/clients.ts';
import { ensureDemoClient } from '../server/demo/demo.ts';
import { sha256 } from '../server/lib/secrets.ts';
import { purge } from '../server/oidc/jobs.ts';
import { grant } from '../server/roles/roles.ts';
import { qrCode } from '../views/qr.ts';
import { PASSWORD, startApp, type TestClient, tokenRequest, tokens } from './harness/app.ts';
import { formsOf, type Page, type Visitor } from './harness/browser.ts';
import { launch, look, openTab } from './harness/chromium.ts';
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
  if (!/is connected/.test(page.body))
    throw new Error(`not connected: ${page.status} ${page.body.slice(0, 600)}`);
  return page;
}

async function library(issuer: string, client: TestClient): Promise<rp.Configuration> {
  return rp.discovery(
    new URL(issuer),
    client.id,
    undefined,
    client.secret ? rp.ClientSecretBasic(client.secret) : rp.None(),
    {
      execute: [rp.allowInsecureRequests, rp.enableNonRepudiationChecks],
    },
  );
}

t.test('one server', async (t) => {
  const app = await startApp(t, { DEVICE_POLL_INTERVAL: '1', PAGE_RATE_LIMIT: '0', DEVICE_CODE_TTL: '600' });
  const { issuer } = app;
  const tv = await app.client(TV);
  const person = await app.person();
  const rowOf = async (code: string) => {
    const [row] = await app.db.$client<Record<string, unknown>[]>`
      SELECT * FROM device_codes WHERE id_hash = ${sha256(code)}`;
    return row as Record<string, unknown>;
  };

  await t.test(
    'P5: a third-party device library gets tokens when its person has signed in and allowed it',
    async (t) => {
      for (const client of [tv, await app.client({ ...TV, public: false })]) {
        const config = await library(issuer, client);
        t.equal(
          config.serverMetadata().device_authorization_endpoint,
          `${issuer}/oauth2/device_authorization`,
        );
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
        t.same(got.claims()?.amr, ['pwd']);
        t.ok(got.refresh_token);
        t.equal((await rp.fetchUserInfo(config, got.access_token, person.id)).email, person.email);
        const next = await rp.refreshTokenGrant(config, got.refresh_token ?? '');
        t.ok(next.access_token);
        const reloaded = await browser.get(done.url);
        t.equal(reloaded.status, 400, 'loaded again, the last page says that it is over');
        t.match(reloaded.body, /href="\/device"/, 'and how to go on');
        t.equal((await app.events('device.approved')).at(-1)?.subject_id, person.id);
        t.equal((await app.events('token.issued')).at(-1)?.data.grantType, DEVICE_CODE);
      }
      t.equal((await app.events('device.codeIssued')).length, 2);
      t.equal((await app.events('token.refused')).length, 0, 'waiting is no refusal');
    },
  );

  await t.test('R18: neither code is stored, nor the one in the interaction', async (t) => {
    const issued = await begin(issuer, tv);
    await enter(app.visitor(), issued.user_code, 'confirm');
    const [dump] = await app.db.$client<{ text: string }[]>`
      SELECT (SELECT string_agg(d::text, '') FROM device_codes d) || (SELECT string_agg(i::text, '') FROM interactions i) AS text`;
    t.notMatch(dump?.text, issued.device_code);
    t.notMatch(dump?.text, issued.user_code.replace('-', ''));
    const { id_hash: hash } = await rowOf(issued.device_code);
    const marker = `code:${(hash as Buffer).toString('base64url')}`;
    t.match(dump?.text, marker, 'what stands there instead');
    const { status, body } = await poll(issuer, tv, marker);
    t.same([status, body.error], [400, 'invalid_grant'], 'is nothing a device could present');
  });

  await t.test(
    'P5 ATK-A116: a link with the code fills in the form, and nothing happens by GET',
    async (t) => {
      const issued = await begin(issuer, tv);
      const browser = app.visitor();
      const page = await browser.get(issued.verification_uri_complete);
      t.equal(page.status, 200);
      t.equal(
        formsOf(page.body).find(({ action }) => action === '/device')?.fields.user_code,
        issued.user_code,
      );
      t.notMatch(page.body, /<script/, 'and needs no script');
      for (const query of ['confirm=yes', 'abort=yes', 'confirm=yes&abort=yes'])
        await browser.get(`${issued.verification_uri_complete}&${query}`);
      t.same(await rowOf(issued.device_code).then((row) => [row.in_flight_at, row.denied_at]), [null, null]);

      const question = await browser.submit(page, /^\/device$/, {});
      for (const told of [
        'Living Room TV',
        issued.user_code,
        'TVPlayer/4.2 (tv)',
        '127.0.0.1',
        'device of your own',
      ])
        t.match(question.body, told, `the question shows ${told}`);
      t.equal((await rowOf(issued.device_code)).in_flight_at, null, 'which only asks');
      const hostile = await begin(issuer, tv);
      await app.db
        .$client`UPDATE device_codes SET payload = jsonb_set(payload, '{deviceInfo,userAgent}', '"<script>x</script>"')
      WHERE id_hash = ${sha256(hostile.device_code)}`;
      t.match((await enter(app.visitor(), hostile.user_code, null)).body, '&lt;script&gt;x');
    },
  );

  await t.test(
    'P5: who refuses, at the question, at the sign-in or at the consent, refuses for good',
    async (t) => {
      const refusals: [string, (browser: Visitor, code: string) => Promise<Page>][] = [
        ['at the question', (browser, code) => enter(browser, code, 'abort')],
        [
          'at the sign-in',
          async (browser, code) => {
            const page = await enter(browser, code, 'confirm');
            return browser.follow(await browser.submit(page, /\/cancel$/, {}));
          },
        ],
        [
          'at the consent',
          async (browser, code) => {
            const form = { email: person.email, password: PASSWORD };
            const signIn = await enter(browser, code, 'confirm');
            const consent = await browser.follow(await browser.submit(signIn, /\/password$/, form));
            t.match(consent.body, 'on the device whose code you entered');
            return browser.follow(await browser.submit(consent, /^\/consent\/[^/]+$/, { decision: 'deny' }));
          },
        ],
      ];
      for (const [where, refuse] of refusals) {
        const issued = await begin(issuer, tv);
        const page = await refuse(app.visitor(), issued.user_code);
        t.equal(page.status, 200, where);
        t.match(page.body, 'The device was refused', where);
        t.match(page.body, /href="\/device"/, 'with a way on');
        for (let time = 0; time < 2; time++) {
          const { status, body } = await poll(issuer, tv, issued.device_code);
          t.same([status, body.error], [400, 'access_denied'], where);
        }
        const late = await enter(app.visitor(), issued.user_code, 'confirm');
        t.equal(late.status, 409, 'and nobody can allow it afterwards');
      }
      t.equal((await app.events('device.denied')).length, 3);
    },
  );

  await t.test('RFC 8628 5.4: a device is asked about each time, whatever was allowed before', async (t) => {
    const browser = app.visitor();
    await allow(browser, (await begin(issuer, tv)).user_code, person);
    const again = await enter(browser, (await begin(issuer, tv)).user_code, 'confirm');
    t.match(again.body, 'on the device whose code you entered', 'consent again, in the same session');

    const own = await app.client({ ...TV, firstParty: true });
    const question = await enter(browser, (await begin(issuer, own)).user_code, null);
    t.ok(isConfirm(question), 'the company’s own app spares the consent, never the question');
    t.match(question.body, person.email, 'which says whose account it is about');
    const done = await browser.follow(await browser.submit(question, /^\/device$/, { confirm: 'yes' }));
    t.match(done.body, 'is connected');
  });

  await t.test('P5: max_age and acr_values are as in any request', async (t) => {
    const browser = app.visitor();
    await allow(browser, (await begin(issuer, tv)).user_code, person);
    await sleep(1100);
    const anew = await begin(issuer, tv, { max_age: '0' });
    const asked = await enter(browser, anew.user_code, 'confirm');
    t.match(asked.url, /\/login\//, 'who is signed in is asked again');
    t.match((await through(browser, asked, person)).body, 'is connected');
    const aged = await begin(issuer, tv, { max_age: '3600' });
    t.match((await enter(browser, aged.user_code, 'confirm')).url, /\/consent\//, 'or not, by the age');

    const wish = await begin(issuer, tv, { acr_values: 'urn:example:strong' });
    const page = await enter(browser, wish.user_code, 'confirm');
    t.equal(page.status, 400);
    t.match(page.body, 'unmet_authentication_requirements');
    const { status, body } = await poll(issuer, tv, wish.device_code);
    t.same([status, body.error], [400, 'unmet_authentication_requirements'], 'the device hears it, too');
  });

  await t.test('P5: somebody else can sign in, in the middle', async (t) => {
    const other = await app.person();
    const browser = app.visitor();
    await allow(browser, (await begin(issuer, tv)).user_code, person);
    const issued = await begin(issuer, tv);
    const consent = await enter(browser, issued.user_code, 'confirm');
    const signIn = await browser.follow(await browser.submit(consent, /\/switch$/, {}));
    t.match(signIn.url, /\/login\//);
    let page = await browser.submit(signIn, /\/password$/, { email: other.email, password: PASSWORD });
    page = await browser.follow(page);
    // Another account than the session's: the library ends that session first.
    if (formsOf(page.body).some(({ action }) => /logout\/confirm$/.test(action)))
      page = await browser.follow(await browser.submit(page, /logout\/confirm$/, {}));
    page = await through(browser, page, other);
    t.match(page.body, 'is connected');
    const { body } = await poll(issuer, tv, issued.device_code);
    const claims = JSON.parse(Buffer.from(String(body.id_token).split('.')[1] ?? '', 'base64url').toString());
    t.equal(claims.sub, other.id);
  });

  await t.test('ATK-A039: a device code replayed ends what it gave', async (t) => {
    const issued = await begin(issuer, tv);
    await allow(app.visitor(), issued.user_code, person);
    const first = await poll(issuer, tv, issued.device_code);
    t.equal(first.status, 200);
    const second = await poll(issuer, tv, issued.device_code);
    t.same([second.status, second.body.error], [400, 'invalid_grant']);
    const seen = await fetch(`${issuer}/oauth2/userinfo`, {
      headers: { authorization: `Bearer ${first.body.access_token}` },
    });
    t.equal(seen.status, 401);
    const refreshed = await tokenRequest(issuer, tv, {
      grant_type: 'refresh_token',
      refresh_token: String(first.body.refresh_token),
    });
    t.equal(refreshed.body.error, 'invalid_grant');
    t.same((await app.events('token.reused')).at(-1)?.data, { kind: 'device', ended: 'family' });
  });

  await t.test('ATK-A041: a device code of another client is nothing', async (t) => {
    const stranger = await app.client(TV);
    const confidential = await app.client({ ...TV, public: false });
    const issued = await begin(issuer, tv);
    for (const client of [stranger, confidential]) {
      const { status, body } = await poll(issuer, client, issued.device_code);
      t.same([status, body.error], [400, 'invalid_grant'], 'while it waits');
    }
    t.equal((await rowOf(issued.device_code)).polled_at, null, 'and does not slow the right one down');
    await allow(app.visitor(), issued.user_code, person);
    for (const client of [stranger, confidential])
      t.equal(
        (await poll(issuer, client, issued.device_code)).body.error,
        'invalid_grant',
        'when it is answered',
      );
    t.equal((await poll(issuer, tv, issued.device_code)).status, 200, 'the right one gets its tokens');
  });

  await t.test('ATK-A064: the grant is for apps that have it', async (t) => {
    const web = await app.client({ public: true });
    const response = await fetch(`${issuer}/oauth2/device_authorization`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: web.id, scope: 'openid' }),
    });
    t.equal(response.status, 400);
    t.match(await response.json(), { error: 'invalid_request' });
    const { status, body } = await poll(issuer, web, 'x'.repeat(43));
    t.same([status, body.error], [400, 'invalid_request']);
    t.equal(response.headers.get('cache-control'), 'no-store');
  });

  await t.test('ATK-A084: strange parameters are refused in the protocol’s words', async (t) => {
    for (const form of [
      '',
      'device_code=',
      'device_code=x&device_code=y',
      'device_code[]=x',
      'device_code=%F0%28',
    ]) {
      const response = await fetch(`${issuer}/oauth2/token`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: `client_id=${tv.id}&grant_type=${encodeURIComponent(DEVICE_CODE)}&${form}`,
      });
      t.equal(response.status, 400, form);
      t.match(((await response.json()) as { error: string }).error, /^invalid_(request|grant)$/, form);
    }
    const browser = app.visitor();
    const page = await browser.get('/device');
    for (const code of [
      '',
      ' ',
      '<script>alert(1)</script>',
      'ABCD',
      '\u{1F4A5}'.repeat(8),
      'B'.repeat(5000),
    ]) {
      const answer = await browser.submit(await browser.get('/device'), /^\/device$/, { user_code: code });
      t.equal(answer.status, 400, JSON.stringify(code.slice(0, 20)));
      t.match(answer.body, 'id="user_code-error"');
      t.notMatch(answer.body, '<script>alert');
    }
    const form = formsOf(page.body)[0]?.fields ?? {};
    const twice = new URLSearchParams({ ...form, user_code: 'BCDFGHJK' }).toString();
    const answer = await fetch(`${issuer}/device`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'text/html',
        cookie: cookieHeader(browser, '/device'),
      },
      body: `${twice}&user_code=BCDFGHJK`,
    });
    t.ok(answer.status === 400 || answer.status === 403, String(answer.status));
    for (const path of ['/device/', '/device/x/y', '/%64evice'])
      t.equal((await browser.get(path)).status, 404, path);
    for (const accept of ['text/html', 'application/json', '*/*'])
      t.equal((await fetch(`${issuer}/device/x`, { headers: { accept } })).status, 400, 'without any cookie');
    const unknown = await browser.get(`/device/${'x'.repeat(21)}`);
    t.equal(unknown.status, 400);
    t.match(unknown.body, /<a class="button primary" href="\//, 'never a dead end');
  });

  await t.test(
    'ATK-A090 ATK-A114: the question can be framed by nobody and answered from no other site',
    async (t) => {
      const issued = await begin(issuer, tv);
      const victim = (await tokens(app, await app.client(), person)).browser;
      const first = await victim.get(issued.verification_uri_complete);
      const question = await victim.submit(first, /^\/device$/, {});
      for (const page of [first, question]) {
        t.match(page.headers.get('content-security-policy'), "form-action 'self'; frame-ancestors 'none'");
        t.equal(page.headers.get('x-frame-options'), 'DENY');
        t.equal(page.headers.get('cache-control'), 'no-store');
      }
      const { fields = {} } = formsOf(question.body).find(({ action }) => action === '/device') ?? {};
      const thief = app.visitor();
      const own = await thief.submit(await thief.get(issued.verification_uri_complete), /^\/device$/, {});
      const { fields: foreign = {} } = formsOf(own.body).find(({ action }) => action === '/device') ?? {};
      const tries: [string, Record<string, string>, Record<string, string>][] = [
        ['no token of ours', { ...fields, _csrf: '' }, {}],
        ['no token of the session', { ...fields, xsrf: '' }, {}],
        ['tokens of another browser', foreign, {}],
        ['one token of another browser', { ...fields, _csrf: foreign._csrf ?? '' }, {}],
        ['another origin', fields, { origin: 'https://evil.test' }],
        ['cross-site', fields, { 'sec-fetch-site': 'cross-site' }],
        ['from nowhere', fields, { origin: 'null' }],
      ];
      for (const [why, form, headers] of tries) {
        const answer = await victim.clone().post('/device', { ...form, confirm: 'yes' }, headers);
        t.equal(answer.status, 403, why);
        t.match(answer.body, /request\.(formExpired|crossSite)/, why);
      }
      t.equal((await rowOf(issued.device_code)).in_flight_at, null, 'nothing has happened');
      // A token that was refused costs the form: the way on is a new one.
      const anew = await victim.submit(await victim.get(issued.verification_uri_complete), /^\/device$/, {});
      const page = await victim.follow(await victim.submit(anew, /^\/device$/, { confirm: 'yes' }));
      t.match(page.url, /\/consent\//);
    },
  );

  await t.test('A1: two tabs, back button, a browser without cookies: always a way on', async (t) => {
    const issued = await begin(issuer, tv);
    const browser = app.visitor();
    const left = await browser.get(issued.verification_uri_complete);
    await browser.get('/device');
    const question = await browser.submit(left, /^\/device$/, {});
    t.ok(isConfirm(question), 'the form of the tab before');
    const taken = await browser.submit(question, /^\/device$/, { confirm: 'yes' });
    t.equal(taken.status, 303);
    const back = await browser.submit(question, /^\/device$/, { confirm: 'yes' });
    t.equal(back.status, 403, 'the question, answered again');
    t.match(back.body, `href="/device?user_code=${issued.user_code}"`, 'leads back with the code');
    const used = await enter(browser, issued.user_code, null);
    t.equal(used.status, 409);
    t.match(used.body, 'has been used already');
    t.match(used.body, 'href="/device"');
    const done = await through(browser, await browser.follow(taken), person);
    t.match(done.body, 'is connected', 'the first tab still goes on');
    const bare = await app.visitor().post('/device', { user_code: issued.user_code });
    t.equal(bare.status, 403);
    t.match(bare.body, 'href="/device"');
  });

  await t.test(
    'ATK-A163: an account that is disabled, or signed out everywhere, connects nothing more',
    async (t) => {
      for (const end of ['disabled', 'session', 'session, offline_access', 'grant'] as const) {
        const gone = await app.person();
        const issued = await begin(issuer, tv, { scope: /offline/.test(end) ? SCOPE : 'openid' });
        await allow(app.visitor(), issued.user_code, gone);
        if (end === 'disabled') await disable(app.op(), gone.id);
        if (end.startsWith('session'))
          await app.db.$client`UPDATE sessions SET ended_at = now() WHERE account_id = ${gone.id}`;
        if (end === 'grant')
          await app.db.$client`UPDATE grants SET revoked_at = now() WHERE account_id = ${gone.id}`;
        const { status, body } = await poll(issuer, tv, issued.device_code);
        t.same([status, body.error], [400, 'invalid_grant'], end);
      }
      const gone = await app.person();
      const issued = await begin(issuer, tv);
      const browser = app.visitor();
      const form = { email: gone.email, password: PASSWORD };
      const signIn = await enter(browser, issued.user_code, 'confirm');
      const consent = await browser.follow(await browser.submit(signIn, /\/password$/, form));
      await disable(app.op(), gone.id);
      const answer = await browser.submit(consent, /^\/consent\/[^/]+$/, { decision: 'allow' });
      t.equal(answer.status, 400, 'between sign-in and consent');
      t.match(answer.body, 'href="/device"');
      t.equal((await rowOf(issued.device_code)).account_id, null);
    },
  );

  await t.test('RFC 8628 3.5: a device that asks too soon is slowed down, and each time more', async (t) => {
    const issued = await begin(issuer, tv);
    const asked = async () => (await poll(issuer, tv, issued.device_code)).body.error;
    t.equal(await asked(), 'authorization_pending');
    t.equal(await asked(), 'slow_down');
    t.equal((await rowOf(issued.device_code)).poll_interval, 6, 'five seconds more');
    await sleep(1100);
    t.equal(await asked(), 'slow_down', 'the old interval is too short now');
    t.equal((await rowOf(issued.device_code)).poll_interval, 11);
    await app.db
      .$client`UPDATE device_codes SET polled_at = now() - interval '10 seconds' WHERE id_hash = ${sha256(issued.device_code)}`;
    t.equal(await asked(), 'authorization_pending', 'the new one is right, give or take a timer');
    const another = await begin(issuer, tv);
    const answers = await atOnce(20, async () => (await poll(issuer, tv, another.device_code)).body.error);
    t.equal(
      answers.filter((one) => one === 'authorization_pending').length,
      1,
      'of many at once one is in time',
    );
    t.equal(answers.filter((one) => one === 'slow_down').length, 19);
    t.equal((await rowOf(another.device_code)).poll_interval, 1 + 19 * 5);
    await allow(app.visitor(), another.user_code, person);
    t.equal(
      (await poll(issuer, tv, another.device_code)).status,
      200,
      'once it is let in, nothing is too soon',
    );
  });
});

t.test('P5: the QR code holds the link, module by module', async (t) => {
  for (const link of [
    'https://id.example.com/device?user_code=WDJB-MJHT',
    `https://${'long.'.repeat(30)}example.com`,
  ]) {
    const { modules } = create(link, { errorCorrectionLevel: 'M' });
    const svg = String(qrCode(link, 'a <label>'));
    t.match(svg, `viewBox="0 0 ${modules.size + 8} ${modules.size + 8}"`, 'with its quiet zone');
    t.match(svg, 'aria-label="a &lt;label&gt;"');
    const dark = new Set<string>();
    for (const [, x = '', y = '', run = '', back = ''] of svg.matchAll(/M(\d+) (\d+)h(\d+)v1h-(\d+)z/g)) {
      t.equal(run, back);
      for (let i = 0; i < Number(run); i++) dark.add(`${Number(y) - 4},${Number(x) - 4 + i}`);
    }
    const wanted = new Set<string>();
    for (let y = 0; y < modules.size; y++)
      for (let x = 0; x < modules.size; x++) if (modules.get(y, x)) wanted.add(`${y},${x}`);
    t.same([...dark].sort(), [...wanted].sort());
  }
});

t.test('P5: a demo client of an earlier release gets the grant', async (t) => {
  const app = await startApp(t, { DEMO: 'true' });
  const grants = async () =>
    (
      await app.db.$client<{ grants: string[] }[]>`
      SELECT grant_types AS grants FROM clients WHERE id = 'gatehouse-demo'`
    )[0]?.grants;
  t.ok((await grants())?.includes(DEVICE_CODE));
  await app.db
    .$client`UPDATE clients SET grant_types = '{authorization_code,refresh_token}' WHERE id = 'gatehouse-demo'`;
  await ensureDemoClient(app.op(), app.issuer);
  await ensureDemoClient(app.op(), app.issuer);
  t.ok((await grants())?.includes(DEVICE_CODE));
  t.same(
    (await app.events('client.changed')).map(({ data }) => data),
    [{ fields: ['grant_types'] }],
    'noted once',
  );
});

t.test('RFC 8628 3.5: a code expires, for device and person, and is forgotten later', async (t) => {
  const app = await startApp(t, { DEVICE_CODE_TTL: '2', DEVICE_POLL_INTERVAL: '1' });
  const tv = await app.client(TV);
  const person = await app.person();
  const untouched = await begin(app.issuer, tv);
  const answered = await begin(app.issuer, tv);
  const late = await begin(app.issuer, tv);
  await allow(app.visitor(), answered.user_code, person);
  const slow = app.visitor();
  const signIn = await enter(slow, late.user_code, 'confirm');
  const asked = await app.visitor().get('/device');
  t.equal(asked.status, 200);
  await sleep(2200);
  for (const { device_code } of [untouched, answered, late]) {
    const { status, body } = await poll(app.issuer, tv, device_code);
    t.same([status, body.error], [400, 'expired_token']);
  }
  const entered = await enter(app.visitor(), untouched.user_code, 'confirm');
  t.equal(entered.status, 410);
  t.match(entered.body, 'has expired');
  t.match(entered.body, 'href="/device"');
  const end = await through(slow, signIn, person);
  t.equal(end.status, 410, 'who took too long at the sign-in is told as well');
  t.match(end.body, 'has expired');
  await purge(app.op());
  const kept = async () =>
    (await app.db.$client<{ n: number }[]>`SELECT count(*)::int AS n FROM device_codes`)[0]?.n;
  t.equal(await kept(), 3, 'a late device still hears why');
  await purge({ ...app.op(), now: new Date(Date.now() + 86_500_000) });
  t.equal(await kept(), 0);
});

t.test('RFC 8628 5.1: guessing codes is bounded by address, whatever the browser', async (t) => {
  const app = await startApp(t, { USER_CODE_LOCKOUT_ATTEMPTS: '5', USER_CODE_LOCKOUT_DURATION: '3' });
  const tv = await app.client(TV);
  const person = await app.person();
  const issued = await begin(app.issuer, tv);
  // Right codes and slips of the finger are no guesses.
  for (let time = 0; time < 6; time++) {
    t.equal((await enter(app.visitor(), issued.user_code, null)).status, 200);
    t.equal((await enter(app.visitor(), 'BCDF', null)).status, 400);
  }
  const letters = [...'BCDFGHJKLMNPQRST'];
  const answers = await atOnce(16, async (turn) => {
    const browser = app.visitor();
    return (await enter(browser, `ZZZZ-ZZZ${letters[turn]}`, null)).status;
  });
  t.equal(
    tally(answers),
    '400×5 429×11',
    'of sixteen at once, each in a browser of its own, five are looked up',
  );
  const right = await enter(app.visitor(), issued.user_code, null);
  t.equal(right.status, 429, 'then not even a right one');
  t.match(right.body, /Try again in \d seconds?\./);
  t.match(right.body, /href="\/device\?user_code=/);
  t.ok(Number(right.headers.get('retry-after')) >= 1);
  const refused = await app.events('device.codeRefused');
  t.equal(refused.filter(({ data }) => data.reason === 'unknown').length, 5);
  t.equal((await app.events('lockout.started')).length, 1);
  await sleep(3100);
  await allow(app.visitor(), issued.user_code, person);
  t.equal((await poll(app.issuer, tv, issued.device_code)).status, 200, 'and it ends by itself');
});

t.test('two processes', async (t) => {
  const fleet = await startFleet(t, {
    env: { DEVICE_POLL_INTERVAL: '1', ADDRESS_LOCKOUT_ATTEMPTS: '100000' },
  });
  const { issuer } = fleet.at(0);
  const made = await fleet.client({ ...TV, firstParty: true });
  const asks = async (turn: number, code: string) => {
    const form = { grant_type: DEVICE_CODE, device_code: code };
    const { status, body } = await appAsks(fleet.at(turn), made, '/oauth2/token', form);
    return { status, body: JSON.parse(body) as Record<string, string> };
  };

  await t.test(
    'P4: an approved device code is redeemed once, and a second use ends what it gave',
    async (t) => {
      const person = await fleet.person();
      const browser = fleet.browser();
      for (let round = 0; round < ROUNDS; round++) {
        const issued = await begin(issuer, made);
        await allow(browser, issued.user_code, person);
        const answers = await atOnce(50, (turn) => asks(turn, issued.device_code));
        t.equal(tally(answers.map(({ status }) => status)), '200×1 400×49', `round ${round}`);
        const lost = answers.filter(({ status }) => status !== 200);
        t.ok(lost.every(({ body }) => body.error === 'invalid_grant'));
        const won = answers.find(({ status }) => status === 200)?.body.access_token ?? '';
        t.equal(await userinfo(fleet.at(round), won), 401, 'a replay revokes it');
      }
    },
  );

  await t.test('P4: of two people who confirm one code one goes on', async (t) => {
    const people = await Promise.all([fleet.person(), fleet.person()]);
    const browsers = people.map(() => fleet.browser());
    for (const [at, browser] of browsers.entries())
      await allow(browser, (await begin(issuer, made)).user_code, people[at] as { email: string });
    for (let round = 0; round < ROUNDS; round++) {
      const issued = await begin(issuer, made);
      const pages = await Promise.all(
        browsers.map(async (browser) =>
          browser.submit(await browser.get(issued.verification_uri_complete), /^\/device$/, {}),
        ),
      );
      // Each of them in several tabs, on both processes; every second round the others refuse at the same moment.
      const answers = await atOnce(12, (turn) => {
        const who = turn % 2;
        const refuses = round % 2 === 1 && who === 1;
        return answer(
          fleet,
          turn >> 1,
          browsers[who] as Visitor,
          pages[who] as Page,
          refuses ? 'abort' : 'confirm',
        );
      });
      const won = answers.filter(
        ({ status, body }) => status === 200 && /is connected|was refused/.test(body),
      );
      t.equal(won.length, 1, `round ${round}: ${tally(answers.map(({ status }) => status))}`);
      t.ok(answers.every(({ status }) => [200, 403, 409].includes(status)));
      const [row] = await fleet.db.$client<{ account_id: string | null; denied: boolean }[]>`
        SELECT account_id, denied_at IS NOT NULL AS denied FROM device_codes WHERE id_hash = ${sha256(issued.device_code)}`;
      const connected = /is connected/.test(won[0]?.body ?? '');
      t.equal(row?.account_id !== null, connected);
      t.equal(row?.denied, !connected);
      t.equal((await asks(round, issued.device_code)).status, connected ? 200 : 400);
    }
  });

  const faults = fleet.servers
    .flatMap((server) => server.logs())
    .filter(({ level }) => Number(level) >= 40 || /^(warn|error|fatal)$/.test(String(level)));
  t.equal(faults.length, 0, JSON.stringify(faults[0] ?? '').slice(0, 1500));
});

/** Answers the question through one process. */
function answer(fleet: Fleet, turn: number, browser: Visitor, page: Page, how: 'confirm' | 'abort') {
  const { fields = {} } = formsOf(page.body).find(({ action }) => action === '/device') ?? {};
  const server = fleet.at(turn);
  return server.ask('/device', {
    headers: {
      accept: 'text/html',
      origin: server.issuer,
      'sec-fetch-site': 'same-origin',
      cookie: cookieHeader(browser, '/device'),
    },
    body: { ...fields, [how]: 'yes' },
  });
}

t.test('in Chromium', async (t) => {
  const app = await startApp(t, { DEVICE_POLL_INTERVAL: '1', USER_CODE_LOCKOUT_ATTEMPTS: '3' });
  const { issuer } = app;
  const tv = await app.client(TV);
  const person = await app.person();
  // The demo asks for an administrator.
  await grant(app.op(), person.id, 'super_admin');
  const chromium = await launch(t);
  const signIn = async (page: Awaited<ReturnType<typeof openTab>>) => {
    await page.getByLabel('E-mail').fill(person.email);
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  };

  await t.test('A1 P5: every page of the flow', async (t) => {
    const page = await openTab(t, chromium, issuer, { viewport: { width: 1280, height: 800 } });
    await page.goto(`${issuer}/device`);
    await look(t, page, 'device code');
    await page.getByLabel('Code').fill('BBBB-BBBB');
    await page.getByRole('button', { name: 'Continue' }).click();
    t.match(await page.getByRole('alert').innerText(), /No device shows this code/);
    await look(t, page, 'device code wrong');
    const issued = await begin(issuer, tv);
    await page.goto(issued.verification_uri_complete);
    t.equal(await page.getByLabel('Code').inputValue(), issued.user_code);
    await look(t, page, 'device code from a link');
    await page.getByRole('button', { name: 'Continue' }).click();
    t.match(await page.locator('main').innerText(), issued.user_code);
    await look(t, page, 'device question');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL(/\/login\//);
    await look(t, page, 'device sign-in');
    await signIn(page);
    await page.waitForURL(/\/consent\//);
    await look(t, page, 'device consent');
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.waitForURL(/\/device\//);
    t.equal(await page.locator('h1').innerText(), 'Your device is connected');
    await look(t, page, 'device connected');
    await page.reload();
    t.equal(await page.locator('h1').innerText(), 'You have answered already');
    await look(t, page, 'device connected, loaded again');
    await page.goto(issued.verification_uri_complete);
    await page.getByRole('button', { name: 'Continue' }).click();
    t.equal(await page.locator('h1').innerText(), 'This code has been used already');
    await look(t, page, 'device code used');
    await page.goto((await begin(issuer, tv)).verification_uri_complete);
    await page.getByRole('button', { name: 'Continue' }).click();
    await look(t, page, 'device question, signed in');
    await page.getByRole('button', { name: 'Refuse' }).click();
    t.equal(await page.locator('h1').innerText(), 'The device was refused');
    await look(t, page, 'device refused');
    const expired = await begin(issuer, tv);
    await app.db
      .$client`UPDATE device_codes SET expires_at = now() - interval '1 second' WHERE id_hash = ${sha256(expired.device_code)}`;
    await page.goto(expired.verification_uri_complete);
    await page.getByRole('button', { name: 'Continue' }).click();
    t.equal(await page.locator('h1').innerText(), 'This code has expired');
    await look(t, page, 'device code expired');
    for (const last of 'CDF') {
      await page.goto(`${issuer}/device?user_code=BBBB-BBB${last}`);
      await page.getByRole('button', { name: 'Continue' }).click();
    }
    t.match(await page.locator('h1').innerText(), /Too many attempts/);
    await look(t, page, 'device codes guessed');
    await app.db.$client`DELETE FROM failures`;
    await page.context().close();
  });

  for (const javaScriptEnabled of [true, false]) {
    await t.test(
      `A1 P5: the demo’s device and a telephone, JavaScript ${javaScriptEnabled ? 'on' : 'off'}`,
      async (t) => {
        const size = { viewport: { width: 320, height: 640 }, javaScriptEnabled };
        const device = await openTab(t, chromium, issuer, size);
        const phone = await openTab(t, chromium, issuer, size);
        await device.goto(`${issuer}/demo`);
        await device.getByRole('link', { name: 'Try the device flow' }).click();
        await device.waitForURL(`${issuer}/demo/device`);
        const code = await device.locator('.user-code').innerText();
        const link = await device.getByRole('link', { name: 'Open it in this browser' }).getAttribute('href');
        t.equal(link, `${issuer}/device?user_code=${code}`);
        t.equal(
          await device.getByRole('img', { name: link ?? '' }).count(),
          1,
          'the QR code says where it leads',
        );
        if (javaScriptEnabled) await look(t, device, 'demo device');
        await phone.goto(link ?? '');
        await phone.getByRole('button', { name: 'Continue' }).click();
        await phone.getByRole('button', { name: 'Continue' }).click();
        await phone.waitForURL(/\/login\//);
        await signIn(phone);
        await phone.waitForURL(/\/consent\//);
        await phone.getByRole('button', { name: 'Allow' }).click();
        t.equal(await phone.locator('h1').innerText(), 'Your device is connected');
        // Nobody touches the device: its page asks again by itself.
        await device.waitForURL(`${issuer}/demo/result`);
        const text = await device.locator('main').innerText();
        t.match(text, person.email);
        t.match(text, 'Device authorization request');
        if (javaScriptEnabled) await look(t, device, 'demo device result');
        await device.context().close();
        await phone.context().close();
      },
    );
  }
});
