// Faults found by reading the protocol's storage and pages against the library's own code, each kept as the request
// that showed it.

import { connect } from 'node:net';
import t from 'tap';
import { closeDatabase, type Database, openDatabase } from '../drizzle/database.ts';
import { signOutEverywhere } from '../server/accounts/accounts.ts';
import { run } from '../server/oidc/rows.ts';
import { createUnit } from '../server/oidc/unit.ts';
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
import { freshDatabase, openPool } from './harness/database.ts';

t.setTimeout(60_000);

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

/** Runs `during` while `lock` holds rows in another transaction, which then ends. */
async function whileLocked(
  running: Running,
  lock: string,
  during: (db: Database) => Promise<void>,
): Promise<void> {
  const db = openDatabase(
    running.database.app,
    { poolSize: 3, statementTimeout: 10, lockTimeout: 10 },
    'test locks',
  );
  try {
    await db.$client.begin(async (sql) => {
      await sql.unsafe(lock);
      await during(db);
    });
  } finally {
    await closeDatabase(db);
  }
}

const refresh = (app: Running, client: TestClient, token: string | undefined) =>
  tokenRequest(app.issuer, client, { grant_type: 'refresh_token', refresh_token: token ?? '' });

const basic = (client: TestClient) =>
  `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`;

const machine = async (app: Running, path: string, client: TestClient, form: Record<string, string>) => {
  const response = await fetch(`${app.issuer}${path}`, {
    method: 'POST',
    headers: { authorization: basic(client), 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  });
  return { status: response.status, text: await response.text() };
};

t.test('storage', async (t) => {
  const app = await startApp(t, { DATABASE_POOL_SIZE: '2' });

  await t.test('P3: a request in its transaction needs no second connection', async (t) => {
    const client = await app.client();
    const { body } = await tokens(app, client, await app.person());
    const begun = Date.now();
    let answers: Awaited<ReturnType<typeof refresh>>[] = [];
    let all: Promise<void> = Promise.resolve();
    await whileLocked(app, 'SELECT 1 FROM refresh_tokens FOR UPDATE', async (db) => {
      all = Promise.all([1, 2].map(() => refresh(app, client, body.refresh_token))).then((them) => {
        answers = them;
      });
      await waiting(db, 2);
      await db.$client`SELECT pg_notify('gatehouse_clients', ${client.id})`;
      await pause(100);
    });
    await all;
    t.strictSame(
      answers.map(({ status }) => status),
      [200, 200],
    );
    t.equal(answers[0]?.body.refresh_token, answers[1]?.body.refresh_token);
    t.ok(Date.now() - begun < 3000, `${Date.now() - begun} ms`);
  });

  await t.test(
    'D9: an answer whose audit row or commit fails is no answer, beside ones that succeed',
    async (t) => {
      const owner = openDatabase(
        app.database.owner,
        { poolSize: 1, statementTimeout: 10, lockTimeout: 10 },
        'test owner',
      );
      t.teardown(() => closeDatabase(owner));
      const [good, bad] = [await app.client(), await app.client()];
      const families = [];
      for (let turn = 0; turn < 12; turn++) {
        const client = turn % 2 === 0 ? good : bad;
        const { body } = await tokens(app, client, await app.person());
        families.push({ client, token: body.refresh_token ?? '' });
      }
      await owner.$client.unsafe(`CREATE FUNCTION test_refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'refused by a test'; END $$`);
      const triggers = {
        'in its statement': 'CREATE TRIGGER test_refuse BEFORE INSERT ON audit_events FOR EACH ROW',
        'at the commit':
          'CREATE CONSTRAINT TRIGGER test_refuse AFTER INSERT ON audit_events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW',
      };
      for (const [when, trigger] of Object.entries(triggers)) {
        await owner.$client.unsafe(
          `${trigger} WHEN (new.client_id = '${bad.id}') EXECUTE FUNCTION test_refuse()`,
        );
        for (let round = 0; round < 3; round++) {
          const answers = await Promise.all(families.map(({ client, token }) => refresh(app, client, token)));
          const statuses = answers.map(({ status }) => status);
          t.same(
            statuses,
            families.map(({ client }) => (client === good ? 200 : 500)),
            when,
          );
          for (const [at, { body }] of answers.entries()) {
            const family = families[at];
            if (family?.client === good) family.token = String(body.refresh_token);
          }
        }
        await owner.$client.unsafe('DROP TRIGGER test_refuse ON audit_events');
      }
      for (const { client, token } of families) {
        t.equal((await refresh(app, client, token)).status, 200, 'nothing was spent, nothing was lost');
      }
      const [left] = await app.db.$client`
      SELECT count(*)::int AS tokens, (SELECT count(*)::int FROM audit_events
        WHERE type = 'token.refreshed' AND client_id IN (${good.id}, ${bad.id})) AS events
      FROM refresh_tokens WHERE client_id IN (${good.id}, ${bad.id})`;
      t.same(left, { tokens: 12 + 6 * 6 + 12, events: 6 * 6 + 12 });
    },
  );

  await t.test('P3: a refresh that a revocation overtakes is no theft', async (t) => {
    const client = await app.client();
    const person = await app.person();
    const { body, browser } = await tokens(app, client, person);
    let both: Promise<unknown[]> = Promise.resolve([]);
    await whileLocked(app, 'SELECT 1 FROM refresh_tokens FOR UPDATE', async (db) => {
      const revoked = machine(app, '/oauth2/revoke', client, { token: body.refresh_token ?? '' });
      await waiting(db, 1);
      const refreshed = refresh(app, client, body.refresh_token);
      await waiting(db, 2);
      both = Promise.all([revoked, refreshed]);
    });
    const [revoked, refreshed] = (await both) as [{ status: number }, { status: number; body: object }];
    t.equal(revoked.status, 200);
    t.match(refreshed, { status: 400, body: { error: 'invalid_grant' } });
    const reused = (await app.events('token.reused')).filter((one) => one.subject_id === person.id);
    t.strictSame(reused, []);
    const page = await browser.follow(await browser.get(authorizePath(client, pkce(), { prompt: 'none' })));
    t.match(page.location, /[?&]code=/, 'the session goes on');
  });

  await t.test('P3: two thefts found at once are both refused', async (t) => {
    const client = await app.client();
    for (let round = 0; round < 3; round++) {
      const person = await app.person();
      const stolen: (string | undefined)[] = [];
      for (let family = 0; family < 2; family++) {
        const { body } = await tokens(app, client, person);
        stolen.push(body.refresh_token);
        const { body: next } = await refresh(app, client, body.refresh_token);
        await refresh(app, client, next.refresh_token as string);
      }
      const answers = await Promise.all(stolen.map((token) => refresh(app, client, token)));
      t.strictSame(
        answers.map(({ status, body }) => [status, body.error]),
        [
          [400, 'invalid_grant'],
          [400, 'invalid_grant'],
        ],
      );
    }
  });

  await t.test('A13: ending everything and a sign-in under way do not block each other', async (t) => {
    const client = await app.client({ firstParty: true });
    const person = await app.person();
    const { browser } = await tokens(app, client, person, { scope: 'openid' });
    let both: Promise<PromiseSettledResult<unknown>[]> = Promise.resolve([]);
    await whileLocked(
      app,
      `SELECT 1 FROM sessions WHERE account_id = '${person.id}' FOR UPDATE`,
      async (db) => {
        const ended = signOutEverywhere({ ...app.op(), db }, person.id, 'test');
        await waiting(db, 1);
        const authorized = browser.get(authorizePath(client, pkce(), { scope: 'openid email' }));
        await waiting(db, 2);
        both = Promise.allSettled([ended, authorized]);
      },
    );
    const [ended, authorized] = await both;
    t.equal(ended?.status, 'fulfilled', String((ended as { reason?: unknown }).reason));
    t.match(authorized, { status: 'fulfilled', value: { status: 303 } });
  });

  await t.test(
    'A1: a tab that was slower than a new sign-in does not bring the old identifier back',
    async (t) => {
      const client = await app.client({ firstParty: true });
      const person = await app.person();
      const { browser } = await tokens(app, client, person, { scope: 'openid' });
      const slow = browser.clone();
      const proof = pkce();
      // A second sign-in of the same session, up to the resume.
      let page = await browser.follow(await browser.get(authorizePath(client, proof, { prompt: 'login' })));
      let late: ReturnType<typeof slow.get> | undefined;
      await whileLocked(
        app,
        `SELECT 1 FROM grants WHERE account_id = '${person.id}' FOR UPDATE`,
        async (db) => {
          late = slow.get(authorizePath(client, pkce(), { scope: 'openid email' }));
          await waiting(db, 1);
          page = (await complete(browser, page, person)).page;
          t.match(page.location, /[?&]code=/);
        },
      );
      const answer = await late;
      t.match(answer?.location, /[?&]code=/);
      for (const { name, value } of slow.cookies()) {
        if (!/session/.test(name)) continue;
        // What a browser would keep that gets this answer last.
        if (answer?.headers.getSetCookie().some((one) => one.startsWith(`${name}=`)))
          browser.setCookie(name, value);
      }
      const again = await browser.get(authorizePath(client, pkce(), { prompt: 'none' }));
      t.match(again.location, /[?&]code=/, 'still signed in');
    },
  );
});

t.test('O8: no connection stays behind', async (t) => {
  const app = await startApp(t, { DATABASE_POOL_SIZE: '3', DATABASE_LOCK_TIMEOUT: '1' });
  const client = await app.client();
  const person = await app.person();
  const { body, browser } = await tokens(app, client, person);
  const open = async () => {
    const [row] = await app.db.$client<{ n: number }[]>`
      SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE datname = current_database() AND state LIKE 'idle in transaction%'`;
    return row?.n;
  };

  await t.test('after apps that hang up', async (t) => {
    const port = Number(new URL(app.issuer).port);
    const form = `grant_type=refresh_token&refresh_token=${body.refresh_token}`;
    const request = [
      'POST /oauth2/token HTTP/1.1',
      `Host: localhost:${port}`,
      `Authorization: ${basic(client)}`,
      'Content-Type: application/x-www-form-urlencoded',
      `Content-Length: ${form.length}`,
      '',
      form,
    ].join('\r\n');
    for (let at = 0; at < 12; at++) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(at % 3 === 0 ? request.slice(0, -5) : request);
      await pause(at);
      socket.destroy();
    }
    await pause(300);
    t.equal(await open(), 0);
  });

  await t.test(
    'after a request that gave up waiting: 503, no cookie, nowhere to go, nothing written',
    async (t) => {
      await whileLocked(
        app,
        `SELECT 1 FROM sessions WHERE account_id = '${person.id}' FOR UPDATE`,
        async () => {
          const page = await browser.get(authorizePath(client, pkce()));
          t.equal(page.status, 503);
          t.equal(page.location, null);
          t.strictSame(page.headers.getSetCookie(), []);
          t.ok(page.headers.get('retry-after'));
        },
      );
      t.equal(await open(), 0);
      t.match((await browser.get(authorizePath(client, pkce()))).location, /[?&]code=/);
    },
  );
});

t.test('over HTTP', async (t) => {
  const app = await startApp(t);

  await t.test('O4: a protocol path in another spelling is not found, not a fault', async (t) => {
    for (const path of ['/oauth2/%61uthorize', '/oauth2/userinf%6f', '/oauth2/%6cogout']) {
      const response = await fetch(app.issuer + path, { redirect: 'manual' });
      t.equal(response.status, 404, path);
    }
    t.equal(app.lines.filter((line) => /protocol request failed/.test(line)).length, 0);
  });

  await t.test(
    'P5: introspection: a token of a switched-off app, and a refresh token of another app',
    async (t) => {
      const client = await app.client();
      const api = await app.client();
      const { body } = await tokens(app, client, await app.person());
      const ask = async (token: string | undefined) =>
        machine(app, '/oauth2/introspect', api, { token: token ?? '' });
      t.strictSame(JSON.parse((await ask(body.access_token)).text), { active: false });
      t.strictSame(
        JSON.parse((await ask(body.refresh_token)).text),
        { active: false },
        'no business of an API',
      );
      const spent = await refresh(app, client, body.refresh_token);
      t.equal(spent.status, 200);
      const thief = await refresh(app, api, body.refresh_token);
      t.match(thief, { status: 400, body: { error: 'invalid_grant' } }, 'inside the replay window');
      t.equal(thief.body.refresh_token, undefined);
      t.strictSame(
        JSON.parse(
          (await machine(app, '/oauth2/introspect', client, { token: body.refresh_token ?? '' })).text,
        ),
        { active: false },
      );
      await app.db.$client`UPDATE clients SET disabled_at = now() WHERE id = ${client.id}`;
      await app.db.$client`SELECT pg_notify('gatehouse_clients', ${client.id})`;
      await pause(50);
      const off = await ask(body.access_token);
      t.equal(off.status, 200);
      t.strictSame(JSON.parse(off.text), { active: false });
    },
  );

  await t.test('P9: claims asked for one by one are on the page', async (t) => {
    const client = await app.client();
    const person = await app.person();
    const browser = app.visitor();
    const proof = pkce();
    const claims = JSON.stringify({ userinfo: { email: null, phone_number: null } });
    let page = await browser.follow(await browser.get(authorizePath(client, proof, { claims })));
    page = await browser.follow(
      await browser.submit(page, /password$/, { email: person.email, password: PASSWORD }),
    );
    t.ok(formsOf(page.body).some((form) => /^\/consent\//.test(form.action)));
    const list = /<ul class="scopes">([\s\S]*?)<\/ul>/.exec(page.body)?.[1] ?? '';
    t.match(list, /e-?mail/i);
    t.match(list, /phone/i);
    t.notMatch(list, /postal/i);
  });

  await t.test('R43: a sign-in is resumed by the browser that began it', async (t) => {
    const client = await app.client({ firstParty: true });
    const person = await app.person();
    const mine = app.visitor();
    const first = await mine.get(authorizePath(client, pkce()));
    const login = await mine.follow(first);
    const proved = await mine.submit(login, /password$/, { email: person.email, password: PASSWORD });
    const finish = await mine.get(new URL(proved.location ?? '', proved.url).href);
    t.match(finish.location, /\/oauth2\/authorize\//);
    const other = app.visitor();
    await other.get('/');
    for (const { name, value, path } of mine.cookies())
      if (/resume/.test(name)) other.setCookie(name, value, path);
    const stolen = await other.get(finish.location ?? '');
    t.equal(stolen.status, 400);
    t.equal(stolen.location, null);
    t.match((await mine.get(finish.location ?? '')).location, /[?&]code=/);
  });

  await t.test('P5: who signed out is the person', async (t) => {
    const client = await app.client();
    const person = await app.person();
    const { browser } = await tokens(app, client, person);
    const page = await browser.get(`/oauth2/logout?client_id=${client.id}`);
    await browser.submit(page, /confirm$/, { logout: 'yes' });
    const rows = await app.db
      .$client`SELECT actor_kind, actor_id FROM audit_events WHERE type = 'session.ended' AND subject_id = ${person.id}`;
    t.match([...rows], [{ actor_kind: 'account', actor_id: person.id }]);
  });

  await t.test('P7: signing in as somebody else keeps what the app asked for', async (t) => {
    const client = await app.client();
    const one = await app.person();
    const other = await app.person();
    const browser = app.visitor();
    const proof = pkce();
    let page = await browser.follow(
      await browser.get(authorizePath(client, proof, { scope: 'openid offline_access', prompt: 'consent' })),
    );
    page = await browser.follow(
      await browser.submit(page, /password$/, { email: one.email, password: PASSWORD }),
    );
    page = await browser.follow(await browser.submit(page, /switch$/, {}));
    page = await browser.follow(
      await browser.submit(page, /password$/, { email: other.email, password: PASSWORD }),
    );
    // The library's own form, which a browser sends by itself.
    page = await browser.follow(await browser.submit(page, /\/logout\/confirm$/, {}));
    t.match(page.body, other.email);
    const { params } = await complete(browser, page, other);
    const { body } = await tokenRequest(app.issuer, client, {
      grant_type: 'authorization_code',
      code: params.get('code') ?? '',
      redirect_uri: client.redirectUri,
      code_verifier: proof.verifier,
    });
    t.ok(body.refresh_token);
  });

  await t.test('A1: a session that ends while its person signs in again leaves a way on', async (t) => {
    const client = await app.client({ firstParty: true });
    const person = await app.person();
    const { browser } = await tokens(app, client, person, { scope: 'openid' });
    const page = await browser.follow(
      await browser.get(authorizePath(client, pkce(), { prompt: 'login', state: 'here' })),
    );
    await app.db.$client`UPDATE sessions SET expires_at = now() WHERE account_id = ${person.id}`;
    const over = await browser.follow(
      await browser.submit(page, /password$/, { email: person.email, password: PASSWORD }),
    );
    t.equal(over.status, 400);
    const [, href = ''] = /class="button primary" href="([^"]+)"/.exec(over.body) ?? [];
    const again = await browser.follow(await browser.get(href.replaceAll('&amp;', '&')));
    const { params } = await complete(browser, again, person);
    t.ok(params.get('code'));
    t.equal(params.get('state'), 'here');
  });

  await t.test('P9: two consents of one person at the same moment are both taken', async (t) => {
    const client = await app.client();
    const person = await app.person();
    const pages: { browser: Visitor; page: Page }[] = [];
    for (const browser of [app.visitor(), app.visitor()]) {
      const login = await browser.follow(await browser.get(authorizePath(client, pkce())));
      const page = await browser.follow(
        await browser.submit(login, /password$/, { email: person.email, password: PASSWORD }),
      );
      pages.push({ browser, page });
    }
    const db = openDatabase(
      app.database.app,
      { poolSize: 3, statementTimeout: 10, lockTimeout: 10 },
      'test locks',
    );
    t.teardown(() => closeDatabase(db));
    let both: Promise<{ status: number }[]> = Promise.resolve([]);
    // Both have looked for a consent in force before either writes one.
    await db.$client.begin(async (sql) => {
      await sql`LOCK TABLE consents IN SHARE ROW EXCLUSIVE MODE`;
      both = Promise.all(
        pages.map(({ browser, page }) => browser.submit(page, /^\/consent\/[^/]+$/, { decision: 'allow' })),
      );
      await waiting(db, 2);
    });
    t.strictSame(
      (await both).map(({ status }) => status),
      [303, 303],
    );
  });
});

t.test(
  'R42: of two right passwords at once, one is the sign-in: the other sees it when its turn comes',
  async (t) => {
    const app = await startApp(t);
    const client = await app.client();
    const person = await app.person();
    const browser = app.visitor();
    const page = await browser.follow(await browser.get(authorizePath(client, pkce())));
    const fields = { email: person.email, password: PASSWORD };
    let posts: Promise<Page>[] = [];
    await whileLocked(app, 'SELECT 1 FROM interactions FOR UPDATE', async (db) => {
      posts = [1, 2].map(() => browser.submit(page, /\/password$/, fields));
      await waiting(db, 2);
    });
    t.same(
      (await Promise.all(posts)).map(({ status }) => status),
      [303, 303],
    );
    t.equal((await app.events('signIn.succeeded')).length, 1);
  },
);

t.test('O8: a transaction somebody broke and said nothing of is no commit', async (t) => {
  const db = openPool(t, (await freshDatabase(t)).app, 2);
  const unit = createUnit(db, { id: 'r', address: '127.0.0.1', userAgent: null }, null);
  const writing = await unit.writing();
  await run(writing, `INSERT INTO replay_detections (id_hash, expires_at) VALUES ('x', now())`, []);
  // As the library does here and there.
  await run(writing, 'SELECT 1 / 0', []).catch(() => undefined);
  await t.rejects(unit.finish('commit'), { code: '22012' });
  t.same(await db.$client`SELECT 1 FROM replay_detections`, []);
});

t.test(
  'O8: a database that lets nobody in is 503 at once, however often it is tried, and back when it does',
  async (t) => {
    const app = await startApp(t, { LOG_LEVEL: 'silent' });
    const client = await app.client({ grantTypes: ['client_credentials'], redirectUris: [] });
    const { name, superuser } = app.database;
    const admin = openPool(t, { ...superuser, database: 'postgres' }, 1);
    const ask = async () => {
      const body = { grant_type: 'client_credentials' };
      const begun = performance.now();
      const { status } = await tokenRequest(app.issuer, client, body);
      return { status, quick: performance.now() - begun < 4000 };
    };
    const locks = [
      ['CONNECTION LIMIT 0', 'CONNECTION LIMIT -1'],
      ['ALLOW_CONNECTIONS false', 'ALLOW_CONNECTIONS true'],
    ] as const;
    for (const [shut, open] of locks) {
      await Promise.all(Array.from({ length: 5 }, ask));
      await admin.$client.unsafe(`ALTER DATABASE "${name}" WITH ${shut}`);
      await admin.$client`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${name}`;
      // More often than the pool has connections: each of them has been refused, and has to be of use again.
      for (let round = 0; round < 15; round++) t.same(await ask(), { status: 503, quick: true }, shut);
      const many = await Promise.all(Array.from({ length: 30 }, ask));
      t.ok(
        many.every(({ status, quick }) => status === 503 && quick),
        `${shut}, many at once`,
      );
      await admin.$client.unsafe(`ALTER DATABASE "${name}" WITH ${open}`);
      t.same(await ask(), { status: 200, quick: true }, open);
    }
  },
);
