// Everything that may happen once, tried fifty times at once on two server processes with one database: never two
// winners, never a fault, and whoever loses is told so in the protocol's words. LONG=1 plays 200 rounds, not 20.
import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import type { Test } from 'tap';
import t from 'tap';
import { systemOp } from '../server/lib/op.ts';
import { completeSetup, makeLink } from '../server/setup/setup.ts';
import { authorizePath, PASSWORD, pkce, type TestClient } from './harness/app.ts';
import { formsOf, type Page, type Visitor } from './harness/browser.ts';
import { freshDatabase, openPool } from './harness/database.ts';
import {
  appAsks,
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
  const faults = fleet.servers
    .flatMap((server) => server.logs())
    .filter(({ level, msg }) => loud(level) && msg !== 'setup link refused');
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

type Step =
  /** Threads of the app use its newest token at once, and all wait for their answer. */
  | { kind: 'together'; threads: number; first: number }
  /** The answer is lost on the way: the app hangs up and tries again with the token it has. */
  | { kind: 'lost'; after: number; first: number }
  /** The token before the newest is used once more, whose successor nobody has used. */
  | { kind: 'replay'; first: number }
  /** The same, when the window is over. */
  | { kind: 'late'; first: number }
  /** A token from further back: its successor was used. */
  | { kind: 'stolen'; back: number; threads: number; first: number };

const first = fc.nat(1);
const STEPS: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant('together'), threads: fc.integer({ min: 1, max: 8 }), first }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('lost'), after: fc.integer({ min: 1, max: 12 }), first }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('replay'), first }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('late'), first }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('stolen'),
        back: fc.integer({ min: 2, max: 4 }),
        threads: fc.integer({ min: 1, max: 4 }),
        first,
      }),
    },
  ),
  { minLength: 3, maxLength: 9 },
) as fc.Arbitrary<Step[]>;

t.test(
  'P3: refreshes in any order on two processes: no fork, no honest app lost, every theft ends all',
  async (t) => {
    for (const ends of ['account', 'family'] as const) {
      await t.test(`REFRESH_REUSE_ENDS=${ends}`, async (t) => {
        const fleet = await startFleet(t, { env: { REFRESH_REUSE_ENDS: ends } });
        const counts = { runs: 0, refreshes: 0, replays: 0, thefts: 0, lost: 0 };

        /** How many refresh tokens of the family would be taken now. */
        const living = async (grantOf: string): Promise<number> => {
          const [row] = await fleet.db.$client<{ count: number }[]>`
          SELECT count(*)::int AS count FROM refresh_tokens t JOIN grants g ON g.id = t.grant_id
          JOIN accounts a ON a.id = t.account_id AND a.epoch = t.account_epoch
          WHERE g.revoked_at IS NULL AND t.consumed_at IS NULL AND t.account_id = ${grantOf}`;
          return row?.count ?? -1;
        };

        const play = async (client: TestClient, window: number, steps: readonly Step[]): Promise<void> => {
          counts.runs++;
          const person = await fleet.person();
          const browser = fleet.browser();
          const begun = await newFamily(fleet.at(0), browser, client, person);
          /** Every token there was, oldest first; the last is the app's newest. */
          const chain = [begun.refresh_token ?? ''];
          let access = begun.access_token ?? '';
          let rotatedAt = 0;

          const use = (turn: number, token: string) => {
            counts.refreshes++;
            return refresh(fleet.at(turn), client, token);
          };
          const rotate = (answers: readonly { status: number; body: Record<string, string> }[]) => {
            const tokens = new Set(
              answers.map(({ status, body }) => (status === 200 ? body.refresh_token : `${status}`)),
            );
            assert.equal(tokens.size, 1, `one successor: ${tally(answers.map(({ status }) => status))}`);
            assert.equal(answers[0]?.status, 200, JSON.stringify(answers[0]?.body));
            chain.push(answers[0]?.body.refresh_token ?? '');
            access = answers[0]?.body.access_token ?? '';
            rotatedAt = Date.now();
          };
          const newest = () => chain.at(-1) ?? '';

          /** Uses a spent token where that is theft; nothing of the family may be left, nor of the account. */
          const steal = async (token: string, threads: number, turn: number) => {
            counts.thefts++;
            const answers = await atOnce(threads, (one) => use(turn + one, token));
            assert.equal(
              tally(answers.map(({ status }) => status)),
              `400×${threads}`,
              'a thief gets nothing',
            );
            assert.ok(answers.every(({ body }) => body.error === 'invalid_grant'));
            assert.equal((await use(turn + 1, newest())).status, 400, 'and the app’s token has ended');
            assert.equal(await userinfo(fleet.at(turn), access), 401, 'so has its access token');
            assert.equal(await living(person.id), 0);
            const again = await browser.get(authorizePath(client, pkce(), { prompt: 'none' }));
            const signedIn = !/error=login_required/.test(again.location ?? '');
            assert.equal(
              signedIn,
              ends === 'family',
              `the person’s session ${ends === 'family' ? 'stands' : 'has ended'}`,
            );
            const [reused] = await fleet.db.$client<{ count: number }[]>`
            SELECT count(*)::int AS count FROM audit_events WHERE type = 'token.reused' AND subject_id = ${person.id}`;
            assert.ok((reused?.count ?? 0) >= 1, 'on record');
          };

          for (const step of steps) {
            switch (step.kind) {
              case 'together': {
                const threads = window === 0 ? 1 : step.threads;
                const token = newest();
                rotate(await atOnce(threads, (turn) => use(step.first + turn, token)));
                break;
              }
              case 'lost': {
                if (window === 0) continue;
                counts.lost++;
                const form = { grant_type: 'refresh_token', refresh_token: newest() };
                await appAsks(fleet.at(step.first), client, '/oauth2/token', form, step.after).catch(
                  () => {},
                );
                rotate([await use(step.first, newest())]);
                break;
              }
              case 'replay': {
                const before = chain.at(-2);
                // Too close to the window's end nobody can say which side of it the request arrives on.
                if (before === undefined || (window > 0 && Date.now() - rotatedAt > window * 400)) continue;
                if (window === 0) return steal(before, 1, step.first);
                counts.replays++;
                const { status, body } = await use(step.first, before);
                assert.equal(status, 200, JSON.stringify(body));
                assert.equal(body.refresh_token, newest(), 'the same successor');
                break;
              }
              case 'late': {
                const before = chain.at(-2);
                if (before === undefined || window > 1) continue;
                await sleep(Math.max(0, rotatedAt + window * 1000 + 50 - Date.now()));
                return steal(before, 2, step.first);
              }
              case 'stolen': {
                const old = chain.at(-1 - step.back);
                if (old === undefined) continue;
                return steal(old, step.threads, step.first);
              }
            }
            assert.equal(await living(person.id), 1, 'one living refresh token');
          }
          rotate([await use(counts.runs, newest())]);
          assert.equal(await userinfo(fleet.at(counts.runs), access), 200, 'the honest app is still there');
        };

        for (const [window, runs] of [
          [10, LONG ? 200 : ends === 'account' ? 10 : 4],
          [1, LONG ? 60 : 3],
          [0, LONG ? 60 : 3],
        ] as const) {
          const client = await fleet.client({ public: true, refreshReplayWindow: window });
          const result = await fc.check(
            fc.asyncProperty(STEPS, (steps) => play(client, window, steps)),
            { numRuns: runs, endOnFailure: true },
          );
          t.notOk(
            result.failed,
            `window ${window}: ${result.failed ? fc.defaultReportMessage(result) : `${runs} runs`}`,
          );
        }
        t.ok(counts.thefts > 0 && counts.replays > 0 && counts.lost > 0, JSON.stringify(counts));
        noFaults(t, fleet);
      });
    }
  },
);

t.test('O1: of many setup links at once one makes the administrator', async (t) => {
  const database = await freshDatabase(t);
  const pools = [openPool(t, database.app, 10), openPool(t, database.app, 10)] as const;
  const owner = openPool(t, database.owner, 1);
  const op = (turn: number) => systemOp(pools[turn % 2] ?? pools[0], 'test');
  for (let round = 0; round < ROUNDS; round++) {
    const links = await Promise.all([0, 1].map((turn) => makeLink(op(turn), { issuer: '', ttl: 60 })));
    const outcomes = await atOnce(PARALLEL, async (turn) => {
      // One link for all, or two that are both valid.
      const token = links[round % 2 === 0 ? 0 : turn % 2]?.url.split('/').at(-1) ?? '';
      const person = { token, email: `admin-${turn}@example.org`, name: null, passwordHash: '$argon2id$x' };
      return completeSetup(op(turn), person).then(
        () => 'made',
        (error: { code?: string }) => error.code,
      );
    });
    t.equal(outcomes.filter((one) => one === 'made').length, 1, `round ${round}: one`);
    t.ok(
      outcomes.every((one) => one === 'made' || one === 'setup.done' || one === 'setup.linkInvalid'),
      `the others are told: ${[...new Set(outcomes)]}`,
    );
    const [counted] = await pools[0].$client<{ accounts: number; admins: number }[]>`
      SELECT (SELECT count(*)::int FROM accounts) AS accounts, (SELECT count(*)::int FROM account_roles) AS admins`;
    t.same(counted, { accounts: 1, admins: 1 });
    await owner.$client`DELETE FROM account_roles`;
    await owner.$client`DELETE FROM accounts`;
  }
});

t.test('O1: a setup form sent many times at once makes one administrator', async (t) => {
  const fleet = await startFleet(t);
  const { url } = await makeLink(fleet.op(), { issuer: fleet.at(0).issuer, ttl: 60 });
  const browser = fleet.browser();
  const page = await browser.follow(await browser.get(url));
  const answers = await atOnce(24, (turn) =>
    post(fleet, turn, browser, page, /^\/setup$/, {
      email: `admin-${turn}@example.org`,
      name: 'Ada',
      password: PASSWORD,
      passwordRepeat: PASSWORD,
    }),
  );
  t.equal(
    answers.filter(({ status }) => status === 303).length,
    1,
    tally(answers.map(({ status }) => status)),
  );
  t.ok(answers.every(({ status }) => status < 500));
  const [counted] = await fleet.db.$client<{ accounts: number; admins: number }[]>`
    SELECT (SELECT count(*)::int FROM accounts) AS accounts, (SELECT count(*)::int FROM account_roles) AS admins`;
  t.same(counted, { accounts: 1, admins: 1 });
  noFaults(t, fleet);
});
