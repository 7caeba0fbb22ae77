// Where the walks of the protocol cross: a sign-in resumed on a device's page and the other way round, one resumed twice
// at once, text that no database stores inside what is signed or encoded, endings that nobody was there to note.
import t from 'tap';
import { closeDatabase, type Database, openDatabase } from '../drizzle/database.ts';
import { disable } from '../server/accounts/accounts.ts';
import { DEVICE_CODE, type NewClient } from '../server/clients/clients.ts';
import { sha256 } from '../server/lib/secrets.ts';
import { purge } from '../server/oidc/jobs.ts';
import { expire } from '../server/sessions/sessions.ts';
import { authorizePath, complete, PASSWORD, pkce, startApp, tokenRequest, tokens } from './harness/app.ts';
import type { Page, Visitor } from './harness/browser.ts';

t.setTimeout(120_000);

const TV: Partial<NewClient> = {
  name: 'Living Room TV',
  public: true,
  grantTypes: [DEVICE_CODE, 'refresh_token'],
  redirectUris: [],
};

interface Issued {
  device_code: string;
  user_code: string;
}

t.test('one server', async (t) => {
  const app = await startApp(t, {
    DEVICE_POLL_INTERVAL: '1',
    PAGE_RATE_LIMIT: '0',
    DATABASE_LOCK_TIMEOUT: '2',
    SESSION_EXPIRE_INTERVAL: '3600',
    PURGE_INTERVAL: '3600',
  });
  const { issuer } = app;
  const person = await app.person();
  const tv = await app.client(TV);
  const own = await app.client({ firstParty: true });

  const begin = async (more: Record<string, string> = {}): Promise<Issued> => {
    const response = await fetch(`${issuer}/oauth2/device_authorization`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: tv.id, scope: 'openid offline_access', ...more }),
    });
    const body = await response.json();
    if (response.status !== 200)
      throw new Error(`no device code: ${response.status} ${JSON.stringify(body)}`);
    return body as Issued;
  };
  const confirm = async (browser: Visitor, code: string): Promise<Page> => {
    const question = await browser.submit(await browser.get('/device'), /^\/device$/, { user_code: code });
    return browser.follow(await browser.submit(question, /^\/device$/, { confirm: 'yes' }));
  };
  const through = async (browser: Visitor, from: Page): Promise<Page> => {
    let page = await browser.follow(from);
    if (/\/login\//.test(page.url))
      page = await browser.follow(await browser.submit(page, /\/password$/, form));
    return browser.follow(await browser.submit(page, /^\/consent\/[^/]+$/, { decision: 'allow' }));
  };
  const faults = () => app.lines.filter((line) => /"level":"(error|fatal)"/.test(line));
  const poll = (code: string) => tokenRequest(issuer, tv, { grant_type: DEVICE_CODE, device_code: code });
  const form = { email: person.email, password: PASSWORD };

  /** Carries the cookie of a resume to the other resume's path, as nobody's browser would. */
  const crosswise = (browser: Visitor, uid: string, from: string, to: string) => {
    for (const { name, value, path } of browser.cookies())
      if (path === `${from}/${uid}`) browser.setCookie(name, value, `${to}/${uid}`);
  };

  await t.test('P4 R15: a sign-in is resumed where it began, not on the page of a device', async (t) => {
    for (const at of ['sign-in', 'answered'] as const) {
      const browser = app.visitor();
      const login = await browser.follow(await browser.get(authorizePath(own, pkce())));
      const uid = login.url.split('/').at(-1) as string;
      crosswise(browser, uid, '/oauth2/authorize', '/device');
      if (at === 'answered') {
        const posted = await browser.submit(login, /\/password$/, form);
        const answered = await browser.get(posted.location as string);
        t.match(answered.location, `/oauth2/authorize/${uid}`);
      }
      const page = await browser.get(`/device/${uid}`);
      t.equal(page.status, 400, at);
      t.match(page.body, /href="\//, 'with a way on');
      const on = await browser.get(at === 'answered' ? `/oauth2/authorize/${uid}` : `/login/${uid}`);
      const { params } = await complete(browser, on, person);
      t.ok(params.get('code'), `${at}: and it goes on where it belongs`);
    }
    t.same(faults(), []);
  });

  await t.test('P4 R15: a device’s sign-in is resumed on its page, not as an app’s', async (t) => {
    for (const at of ['sign-in', 'answered'] as const) {
      const issued = await begin();
      const browser = app.visitor();
      const login = await confirm(browser, issued.user_code);
      const uid = login.url.split('/').at(-1) as string;
      crosswise(browser, uid, '/device', '/oauth2/authorize');
      if (at === 'answered') {
        const posted = await browser.submit(login, /\/password$/, form);
        const answered = await browser.get(posted.location as string);
        t.match(answered.location, `/device/${uid}`);
      }
      const page = await browser.get(`/oauth2/authorize/${uid}`);
      t.equal(page.status, 400, at);
      t.match(page.body, /href="\//, 'with a way on');
      const done = await through(
        browser,
        at === 'answered' ? await browser.get(`/device/${uid}`) : await browser.get(`/login/${uid}`),
      );
      t.match(done.body, 'is connected', `${at}: and it goes on where it belongs`);
      t.equal((await poll(issued.device_code)).status, 200);
    }
    t.same(faults(), []);
  });

  await t.test(
    'P4: a device’s sign-in that is resumed twice at once is one, and nobody refused it',
    async (t) => {
      const issued = await begin();
      const browser = app.visitor();
      const login = await confirm(browser, issued.user_code);
      const uid = login.url.split('/').at(-1) as string;
      const posted = await browser.submit(login, /\/password$/, form);
      const answered = await browser.get(posted.location as string);
      const db = openDatabase(
        app.database.app,
        { poolSize: 3, statementTimeout: 10, lockTimeout: 10 },
        'test locks',
      );
      t.teardown(() => closeDatabase(db));
      let both: Promise<Page[]> = Promise.resolve([]);
      const [one, other] = [browser, browser.clone()];
      await db.$client.begin(async (sql) => {
        await sql`SELECT 1 FROM interactions WHERE uid_hash = ${sha256(uid)} FOR UPDATE`;
        both = Promise.all([one.get(answered.location as string), other.get(answered.location as string)]);
        await waiting(db, 2);
      });
      const pages = await both;
      t.equal(pages.filter(({ status }) => status === 303).length, 1);
      const lost = pages.find(({ status }) => status !== 303);
      t.match(lost?.body, /href="\/device"/, 'the other tab has a way on');
      t.equal((await poll(issued.device_code)).body.error, 'authorization_pending', 'nobody has refused it');
      const winner = pages[0]?.status === 303 ? one : other;
      const done = await through(winner, pages.find(({ status }) => status === 303) as Page);
      t.match(done.body, 'is connected');
      t.equal((await poll(issued.device_code)).status, 200);
    },
  );

  const ODD = [
    '{"id_token":{"email":{"value":"\\u0000"}}}',
    '{"userinfo":{"email":{"value":"\\ud800"}}}',
    '{"userinfo":{"a\\u0000":null}}',
  ];
  await t.test('R10: what cannot be stored is refused inside the claims parameter, too', async (t) => {
    for (const claims of ODD) {
      const browser = app.visitor();
      const { page } = await complete(
        browser,
        await browser.get(authorizePath(own, pkce(), { claims })),
        person,
      );
      t.ok(page.status < 500, `authorize: ${page.status} ${page.location ?? page.body.slice(0, 200)}`);
      const response = await fetch(`${issuer}/oauth2/device_authorization`, {
        method: 'POST',
        body: new URLSearchParams({ client_id: tv.id, scope: 'openid', claims }),
      });
      t.ok(response.status < 500, `device ${response.status}`);
      if (response.status === 200) {
        const issued = (await response.json()) as Issued;
        const browser = app.visitor();
        const { page } = await complete(browser, await confirm(browser, issued.user_code), person);
        t.ok(page.status < 500, `device page ${page.status}`);
      }
      const pushed = await fetch(`${issuer}/oauth2/par`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${own.id}:${own.secret}`).toString('base64')}` },
        body: new URL(`http://x${authorizePath(own, pkce(), { claims })}`).searchParams,
      });
      t.ok(pushed.status < 500, `par ${pushed.status}`);
    }
    t.same(faults(), []);
  });

  const jwt = (payload: object) =>
    [{ alg: 'ES256' }, payload, {}]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
  await t.test('R10: nor inside what is said to be signed', async (t) => {
    for (const odd of ['a\0b', 'a\ud800b', '\u{1f600}'.repeat(2000)]) {
      for (const path of [
        '/oauth2/token',
        '/oauth2/par',
        '/oauth2/device_authorization',
        '/oauth2/introspect',
        '/oauth2/revoke',
      ]) {
        const response = await fetch(`${issuer}${path}`, {
          method: 'POST',
          body: new URLSearchParams({
            grant_type: 'client_credentials',
            token: 'x',
            client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
            client_assertion: jwt({ iss: odd, sub: odd, aud: issuer, jti: odd, exp: 9e9 }),
          }),
        });
        t.ok(response.status < 500, `${path} ${response.status}`);
      }
      const browser = app.visitor();
      for (const path of [
        `/oauth2/logout?${new URLSearchParams({ id_token_hint: jwt({ iss: issuer, aud: odd, sub: odd }) })}`,
        authorizePath(own, pkce(), { id_token_hint: jwt({ iss: issuer, aud: odd, sub: odd }) }),
        authorizePath(own, pkce(), { request: jwt({ iss: odd, client_id: odd, state: odd }) }),
        `/oauth2/authorize?${new URLSearchParams({ request: jwt({ iss: odd, client_id: odd, state: odd }) })}`,
      ]) {
        const page = await browser.get(path);
        t.ok(page.status < 500, `${path.slice(0, 60)} ${page.status}`);
      }
    }
    t.same(faults(), []);
  });

  await t.test('A1: the page of a device in another tab costs nobody the way out', async (t) => {
    const { browser } = await tokens(app, own, person, { scope: 'openid' });
    const logout = await browser.get('/oauth2/logout');
    await browser.get('/device');
    const page = await browser.submit(logout, /confirm$/, { logout: 'yes' });
    t.equal(page.status, 400);
    t.match(page.body, /href="\/oauth2\/logout"/, 'with the way to a form that is good');
    t.notMatch(page.body, /xsrf/i);
    const again = await browser.submit(await browser.get('/oauth2/logout'), /confirm$/, { logout: 'yes' });
    t.equal(again.status, 303);
  });

  const held = async (
    lock: (sql: Database['$client']) => Promise<unknown>,
    during: (db: Database) => Promise<void>,
  ) => {
    const settings = { poolSize: 3, statementTimeout: 10, lockTimeout: 10 };
    const db = openDatabase(app.database.app, settings, 'test locks');
    try {
      await db.$client.begin(async (sql) => {
        await lock(sql as unknown as Database['$client']);
        await during(db);
      });
    } finally {
      await closeDatabase(db);
    }
  };
  const deadlocks = async () => {
    const [row] = await app.db.$client<{ n: number }[]>`
      SELECT deadlocks::int AS n FROM pg_stat_database WHERE datname = current_database()`;
    return row?.n;
  };

  await t.test('R58 ATK-A057: codes of devices are in no log and in no audit row', async (t) => {
    const issued = await begin();
    const browser = app.visitor();
    await browser.get(`/device?user_code=${issued.user_code}`);
    await confirm(app.visitor(), issued.user_code);
    for (const form of [{ user_code: issued.user_code }, { user_code: 'ZZZZ-ZZZZ' }, { user_code: '' }])
      await browser.submit(await browser.get('/device'), /^\/device$/, form);
    await fetch(`${issuer}/device?user_code=${issued.user_code}`, { method: 'PUT' });
    await poll(issued.device_code);
    await poll(`${issued.device_code}x`);
    await tokenRequest(issuer, own, { grant_type: DEVICE_CODE, device_code: issued.device_code });
    const [audit] = await app.db.$client<{ text: string }[]>`
      SELECT string_agg(e::text, '') || (SELECT coalesce(string_agg(p::text, ''), '') FROM audit_personal p) AS text
      FROM audit_events e`;
    const said = `${app.lines.join('\n')}${audit?.text}`;
    for (const code of [
      issued.user_code,
      issued.user_code.replace('-', ''),
      issued.device_code,
      'ZZZZ-ZZZZ',
      'ZZZZZZZZ',
    ])
      t.notOk(said.includes(code), code);
    t.ok(said.includes('device.codeIssued'));
  });

  await t.test('O8: a lock that is not to be had in time is 503, whoever asked for it', async (t) => {
    const client = await app.client();
    const { browser, body } = await tokens(app, client, person, { scope: 'openid' });
    t.ok(body.access_token);
    const consent = `gatehouse.consent.${person.id}.${client.id}`;
    await held(
      (sql) => sql`SELECT pg_advisory_xact_lock(hashtextextended(${consent}, 0))`,
      async () => {
        const page = await browser.get(authorizePath(client, pkce(), { scope: 'openid email' }));
        t.equal(page.status, 503);
        t.ok(Number(page.headers.get('retry-after')) > 0);
      },
    );
    const said = app.lines.find((line) => line.includes('"55P03"'));
    t.ok(said, 'the log says what it was');
    t.same(faults(), []);
  });

  await t.test('A13 A16: disabling, a consent and a sign-in at the same moment', async (t) => {
    const client = await app.client();
    const pat = await app.person();
    await tokens(app, client, pat, { scope: 'openid' });
    const [signing, consenting] = [app.visitor(), app.visitor()];
    const way = (browser: Visitor, scope: string) => browser.get(authorizePath(client, pkce(), { scope }));
    const form = { email: pat.email, password: PASSWORD };
    const asked = await consenting.follow(await way(consenting, 'openid email'));
    const consent = await consenting.follow(await consenting.submit(asked, /\/password$/, form));
    const login = await signing.follow(await way(signing, 'openid'));
    const posted = await signing.submit(login, /\/password$/, form);
    const answered = await signing.get(posted.location as string);
    t.match(answered.location, '/oauth2/authorize/');
    let all: Promise<[Page, Page, unknown]> | undefined;
    await held(
      (sql) => sql`SELECT 1 FROM accounts WHERE id = ${pat.id} FOR UPDATE`,
      async (db) => {
        const ended = disable(app.op(), pat.id);
        await waiting(db, 1);
        const allowed = consenting.submit(consent, /^\/consent\/[^/]+$/, { decision: 'allow' });
        await waiting(db, 2);
        const resumed = signing.get(answered.location as string);
        await waiting(db, 3);
        all = Promise.all([allowed, resumed, ended]);
      },
    );
    const [allowed, resumed] = (await all) as [Page, Page, unknown];
    t.ok(allowed.status < 500, `consent ${allowed.status}`);
    t.ok(resumed.status < 500, `resume ${resumed.status}`);
    t.equal(await deadlocks(), 0);
    for (const browser of [signing, consenting])
      t.match(
        (await browser.get(authorizePath(client, pkce(), { prompt: 'none' }))).location,
        /error=login_required/,
      );
  });

  await t.test(
    'P6: a session that ended while no server ran is told of before it is forgotten',
    async (t) => {
      const client = await app.client({ firstParty: true, backchannelLogoutUri: 'https://rp.test/logout' });
      const pat = await app.person();
      await tokens(app, client, pat, { scope: 'openid' });
      await app.db
        .$client`UPDATE sessions SET expires_at = now() - interval '3 days' WHERE account_id = ${pat.id}`;
      await purge(app.op());
      await expire(app.op(), 86_400);
      const rows = await app.db.$client`SELECT client_id FROM logout_deliveries WHERE account_id = ${pat.id}`;
      t.equal(rows.length, 1);
      await purge(app.op());
      const [left] = await app.db
        .$client`SELECT count(*)::int AS n FROM sessions WHERE account_id = ${pat.id}`;
      t.equal(left?.n, 0);
    },
  );
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** How many of the server's statements wait for a lock. */
async function waiting(db: Database, least: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const [row] = await db.$client<{ n: number }[]>`
      SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    if ((row?.n ?? 0) >= least) return;
    await pause(10);
  }
  throw new Error(`never ${least} statements waiting`);
}
