// Everything that may happen once, tried fifty times at once on two server processes with one database: never two
// winners, never a fault, and whoever loses is told so in the protocol's words. LONG=1 plays 200 rounds, not 20.
import type { Test } from 'tap';
import t from 'tap';
import { systemOp } from '../server/lib/op.ts';
import { completeSetup, makeLink } from '../server/setup/setup.ts';
import { authorizePath, complete, PASSWORD, pkce, type TestClient } from './harness/app.ts';
import { formsOf, type Page, type Visitor } from './harness/browser.ts';
import { freshDatabase, openPool } from './harness/database.ts';
import {
  atOnce,
  codeFor,
  cookieHeader,
  type Fleet,
  newFamily,
  redeem,
  refresh,
  startFleet,
  tally,
  userinfo,
} from './harness/fleet.ts';
import type { Answer } from './harness/server.ts';

const LONG = Boolean(process.env.LONG);
const ROUNDS = LONG ? 200 : 20;
const PARALLEL = 50;
t.setTimeout(LONG ? 3_600_000 : 180_000);

/** The answers of one round, judged: `won` of them are as `isWin` says, every other one has `losing` as status. */
function judge(t: Test, round: number, answers: readonly { status: number }[], won: number, losing: number) {
  const statuses = answers.map(({ status }) => status);
  const expected = [
    ...(won > 0 ? [`200×${won}`] : []),
    ...(answers.length > won ? [`${losing}×${answers.length - won}`] : []),
  ].join(' ');
  t.equal(tally(statuses), expected, `round ${round}: ${tally(statuses)}`);
}

const header = (answer: Answer, name: string): string => {
  const value = answer.headers[name];
  return Array.isArray(value) ? value.join('\n') : (value ?? '');
};

/** Sends a form of a page through one process, as the browser that has the page would. */
function post(
  fleet: Fleet,
  turn: number,
  browser: Visitor,
  page: Page,
  action: RegExp,
  fields: Record<string, string>,
) {
  const form = formsOf(page.body).find((one) => action.test(one.action));
  if (!form) throw new Error(`no form to ${action}: ${page.status} ${page.body.slice(0, 300)}`);
  const server = fleet.at(turn);
  return server.ask(form.action, {
    headers: {
      accept: 'text/html',
      origin: server.issuer,
      'sec-fetch-site': 'same-origin',
      cookie: cookieHeader(browser, form.action),
    },
    body: { ...form.fields, ...fields },
  });
}

const open = (fleet: Fleet, turn: number, browser: Visitor, path: string) =>
  fleet.at(turn).ask(path, { headers: { accept: 'text/html', cookie: cookieHeader(browser, path) } });

const codeOf = (answer: Answer): string | null =>
  URL.canParse(header(answer, 'location'))
    ? new URL(header(answer, 'location')).searchParams.get('code')
    : null;

/** What a browser does with the cookies of an answer. */
function keep(browser: Visitor, answer: Answer): void {
  for (const line of answer.headers['set-cookie'] ?? []) {
    const [, name = '', value = '', path = '/'] = /^([^=]+)=([^;]*).*?; path=([^;]+)/i.exec(line) ?? [];
    if (name !== '') browser.setCookie(name, value, path);
  }
}

/** Nobody has logged a fault, and nobody was turned away. */
function noFaults(t: Test, fleet: Pick<Fleet, 'servers'>): void {
  const loud = (level: unknown) => Number(level) >= 40 || /^(warn|error|fatal)$/.test(String(level));
  const faults = fleet.servers.flatMap((server) => server.logs()).filter(({ level }) => loud(level));
  t.equal(faults.length, 0, `no fault in the logs ${JSON.stringify(faults[0] ?? '').slice(0, 2000)}`);
}

t.test('one database, two processes', async (t) => {
  const fleet = await startFleet(t, {
    env: { REFRESH_REUSE_ENDS: 'family', ADDRESS_LOCKOUT_ATTEMPTS: '100000', HASH_QUEUE: '200' },
  });
  const person = await fleet.person();
  const browser = fleet.browser();
  const client = await fleet.client();
  await codeFor(browser, client, person);

  await t.test(
    'P4: an authorization code is redeemed once, and a second use ends what it gave',
    async (t) => {
      for (let round = 0; round < ROUNDS; round++) {
        const code = await codeFor(browser, client, person);
        const answers = await atOnce(PARALLEL, (turn) => redeem(fleet.at(turn), client, code));
        judge(t, round, answers, 1, 400);
        const losers = answers.filter(({ status }) => status !== 200);
        t.ok(
          losers.every(({ body }) => body.error === 'invalid_grant'),
          'the others: invalid_grant',
        );
        const won = answers.find(({ status }) => status === 200)?.body.access_token ?? '';
        t.equal(await userinfo(fleet.at(round), won), 401, 'the winner’s token is revoked');
      }
    },
  );

  await t.test('P3: parallel uses of a refresh token share one successor', async (t) => {
    for (let round = 0; round < ROUNDS; round++) {
      const family = await newFamily(fleet.at(round), browser, client, person);
      const answers = await atOnce(PARALLEL, (turn) =>
        refresh(fleet.at(turn), client, family.refresh_token ?? ''),
      );
      judge(t, round, answers, PARALLEL, 400);
      const successors = new Set(answers.map(({ body }) => body.refresh_token));
      t.equal(successors.size, 1, 'one successor');
      const [next = ''] = successors;
      const [live] = await fleet.db.$client<{ count: number }[]>`
        SELECT count(*)::int AS count FROM refresh_tokens t JOIN grants g ON g.id = t.grant_id AND g.revoked_at IS NULL
        WHERE t.consumed_at IS NULL`;
      t.equal(live?.count, 1, 'one live refresh token in the database');
      t.equal((await refresh(fleet.at(round), client, next)).status, 200, 'which works');
      const late = await refresh(fleet.at(round + 1), client, family.refresh_token ?? '');
      t.equal(late.body.error, 'invalid_grant', 'the old one no longer, once its successor was used');
    }
  });

  await t.test('P3: with a replay window of 0 one use wins, and the family ends', async (t) => {
    const strict = await fleet.client({ refreshReplayWindow: 0 });
    for (let round = 0; round < ROUNDS; round++) {
      const family = await newFamily(fleet.at(round), browser, strict, person);
      const answers = await atOnce(PARALLEL, (turn) =>
        refresh(fleet.at(turn), strict, family.refresh_token ?? ''),
      );
      judge(t, round, answers, 1, 400);
      const next = answers.find(({ status }) => status === 200)?.body ?? {};
      t.equal(
        (await refresh(fleet.at(round), strict, next.refresh_token ?? '')).status,
        400,
        'no successor lives',
      );
      t.equal(await userinfo(fleet.at(round + 1), next.access_token ?? ''), 401);
    }
  });

  await t.test('P4: a sign-in under way is resumed once', async (t) => {
    for (let round = 0; round < ROUNDS; round++) {
      // Alternately a first sign-in, and one anew in a session that stands (whose identifier then changes).
      const visitor = round % 2 === 0 ? fleet.browser() : browser;
      const proof = pkce();
      const first = await visitor.get(authorizePath(client, proof, { prompt: 'login' }));
      const form = await visitor.follow(first);
      const signedIn = await visitor.submit(form, /\/password$/, { email: person.email, password: PASSWORD });
      const dispatched = await visitor.get(signedIn.location ?? '');
      const path = new URL(dispatched.location ?? '', fleet.at(0).issuer).pathname;
      const answers = await atOnce(PARALLEL, (turn) => open(fleet, turn, visitor, path));
      const won = answers.filter(
        (answer) => codeOf(answer) !== null || /^303|302$/.test(String(answer.status)),
      );
      t.equal(won.length, 1, `round ${round}: one goes on (${tally(answers.map(({ status }) => status))})`);
      const lost = answers.filter((answer) => answer !== won[0]);
      t.ok(
        lost.every(({ status }) => status >= 400 && status < 500),
        'the others are told',
      );
      t.ok(
        lost.every(({ body }) => /<a\b[^>]*href=/.test(body)),
        'and shown a way on',
      );
      const codes = new Set(answers.map(codeOf).filter((code) => code !== null));
      t.ok(codes.size <= 1, 'one code at most');
      const [code] = codes;
      if (code) {
        const { status } = await redeem(fleet.at(round), client, { code, verifier: proof.verifier });
        t.equal(status, 200, 'and it is good');
      }
      // The person's session is what the winner made of it, whatever the losers did afterwards.
      keep(visitor, won[0] as Answer);
      const again = await visitor.get(authorizePath(client, pkce(), { prompt: 'none' }));
      t.match(again.location, /[?&]code=/, 'still signed in');
    }
  });

  await t.test('P9: a consent sent many times is given once', async (t) => {
    for (let round = 0; round < ROUNDS; round++) {
      const app = await fleet.client({ name: `App ${round}` });
      const proof = pkce();
      const page = await browser.follow(await browser.get(authorizePath(app, proof)));
      const answers = await atOnce(PARALLEL, (turn) =>
        post(fleet, turn, browser, page, /^\/consent\/[^/]+$/, { decision: 'allow' }),
      );
      t.equal(tally(answers.map(({ status }) => status)), `303×${PARALLEL}`, 'all are sent on');
      t.equal(
        new Set(answers.map((answer) => header(answer, 'location'))).size <= 2,
        true,
        'to the same sign-in',
      );
      const [grants] = await fleet.db.$client<{ count: number }[]>`
        SELECT count(*)::int AS count FROM grants WHERE client_id = ${app.id}`;
      t.equal(grants?.count, 1, 'one grant');
      const [given] = await fleet.db.$client<{ count: number }[]>`
        SELECT count(*)::int AS count FROM audit_events WHERE client_id = ${app.id} AND type = 'consent.given'`;
      t.equal(given?.count, 1, 'one record of it');
      const to =
        answers.map((answer) => header(answer, 'location')).find((one) => one.includes('/authorize/')) ?? '';
      const codes = await atOnce(PARALLEL, (turn) =>
        open(fleet, turn, browser, new URL(to, fleet.at(0).issuer).pathname),
      );
      const won = codes.filter((answer) => codeOf(answer) !== null);
      t.equal(won.length, 1, 'one code');
      keep(browser, won[0] as Answer);
    }
  });

  await t.test('P3: what the session’s other tabs do at the same time loses nothing', async (t) => {
    const apps = await Promise.all(Array.from({ length: 8 }, () => fleet.client({ firstParty: true })));
    for (let round = 0; round < Math.ceil(ROUNDS / 4); round++) {
      const tabs = fleet.browser();
      await codeFor(tabs, client, person);
      const proofs = apps.map(() => pkce());
      const answers = await atOnce(PARALLEL, (turn) => {
        const path = authorizePath(
          apps[turn % apps.length] as TestClient,
          proofs[turn % apps.length] as never,
        );
        return fleet
          .at(turn)
          .ask(path, { headers: { accept: 'text/html', cookie: cookieHeader(tabs, '/oauth2/authorize') } });
      });
      t.ok(
        answers.every((answer) => codeOf(answer) !== null),
        tally(answers.map(({ status }) => status)),
      );
      const [session] = await fleet.db.$client<{ count: number }[]>`
        SELECT count(*)::int AS count FROM sessions s, jsonb_object_keys(s.payload->'authorizations')
        WHERE s.ended_at IS NULL AND s.account_id = ${person.id} GROUP BY s.uid ORDER BY s.created_at DESC LIMIT 1`;
      t.equal(session?.count, apps.length + 1, 'the session knows every app');
      const redeemed = await Promise.all(
        answers.map((answer, turn) =>
          redeem(fleet.at(turn + 1), apps[turn % apps.length] as TestClient, {
            code: codeOf(answer) ?? '',
            verifier: proofs[turn % apps.length]?.verifier ?? '',
          }),
        ),
      );
      t.equal(tally(redeemed.map(({ status }) => status)), `200×${PARALLEL}`, 'every code is good');
    }
  });

  await t.test('ATK-A101: parallel guesses are never evaluated beyond the limit', async (t) => {
    for (let round = 0; round < Math.ceil(ROUNDS / 10); round++) {
      const target = await fleet.person();
      // One sign-in page per guess, each in a browser of its own.
      const pages = await Promise.all(
        Array.from({ length: 80 }, async () => {
          const guesser = fleet.browser();
          return { guesser, page: await guesser.follow(await guesser.get(authorizePath(client, pkce()))) };
        }),
      );
      const answers = await Promise.all(
        pages.map(({ guesser, page }, turn) =>
          post(fleet, turn, guesser, page, /\/password$/, {
            email: target.email,
            password: turn === 79 ? PASSWORD : `wrong guess number ${turn}`,
          }),
        ),
      );
      const evaluated = await fleet.db.$client<{ type: string; count: number }[]>`
        SELECT type, count(*)::int AS count FROM audit_events
        WHERE subject_id = ${target.id} AND type IN ('signIn.failed', 'signIn.succeeded') GROUP BY type`;
      const total = evaluated.reduce((sum, { count }) => sum + count, 0);
      t.ok(total <= 5, `${total} of 80 were evaluated`);
      t.ok(
        answers.every(({ status }) => status < 500),
        tally(answers.map(({ status }) => status)),
      );
      const [throttled] = await fleet.db.$client<{ count: number }[]>`
        SELECT count(*)::int AS count FROM audit_events WHERE type = 'signIn.throttled' AND at > now() - interval '1 minute'`;
      t.ok((throttled?.count ?? 0) >= 75, 'the rest were refused unseen');
      // Now that the limit is reached for certain, the right one is refused as well.
      const late = fleet.browser();
      const page = await late.follow(await late.get(authorizePath(client, pkce())));
      const right = await post(fleet, round, late, page, /\/password$/, {
        email: target.email,
        password: PASSWORD,
      });
      if (!evaluated.some(({ type }) => type === 'signIn.succeeded')) t.equal(right.status, 401, 'locked');
    }
  });

  noFaults(t, fleet);
});

t.test('O1: of many setup links at once one makes the administrator', async (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    await t.test(`round ${round}`, async (t) => {
      const database = await freshDatabase(t);
      const pools = [openPool(t, database.app, 10), openPool(t, database.app, 10)] as const;
      const op = (turn: number) => systemOp(pools[turn % 2] ?? pools[0], 'test');
      const links = await Promise.all([0, 1].map((turn) => makeLink(op(turn), { issuer: '', ttl: 60 })));
      const outcomes = await atOnce(PARALLEL, async (turn) => {
        const token = links[round % 2 === 0 ? 0 : turn % 2]?.url.split('/').at(-1) ?? '';
        const person = { token, email: `admin-${turn}@example.org`, name: null, passwordHash: '$argon2id$x' };
        return completeSetup(op(turn), person).then(
          () => 'made',
          (error: { code?: string }) => error.code,
        );
      });
      t.equal(outcomes.filter((one) => one === 'made').length, 1, 'one');
      t.ok(outcomes.every((one) => ['made', 'setup.done', 'setup.linkInvalid'].includes(one ?? '')));
      const [counts] = await pools[0].$client<{ accounts: number; admins: number }[]>`
        SELECT (SELECT count(*)::int FROM accounts) AS accounts, (SELECT count(*)::int FROM account_roles) AS admins`;
      t.same(counts, { accounts: 1, admins: 1 });
    });
  }
});
