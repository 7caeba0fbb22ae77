// Faults, with real processes: killed servers, a killed PostgreSQL, a database that is away, a second server, SIGTERM
// under load. What was acknowledged is there afterwards, what was not is there whole or not at all, and the server
// comes back by itself. LONG=1 kills each of them 20 times.
import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type Database, openTransaction } from '../drizzle/database.ts';
import { openEmbedded } from '../drizzle/embedded.ts';
import { migrate } from '../drizzle/migrate.ts';
import { sha256 } from '../server/lib/secrets.ts';
import { authorizePath, PASSWORD, pkce, type TestClient } from './harness/app.ts';
import { formsOf, type Visitor, visitor } from './harness/browser.ts';
import { freshDatabase, openPool } from './harness/database.ts';
import {
  appAsks,
  atOnce,
  type Cast,
  CHEAP,
  type Code,
  castOn,
  codeFor,
  cookieHeader,
  newFamily,
  OFFLINE,
  redeem,
  refresh,
  tally,
  userinfo,
} from './harness/fleet.ts';
import { temporaryFolder } from './harness/folders.ts';
import { freePort, type ServerProcess, startServer } from './harness/server.ts';

const LONG = Boolean(process.env.LONG);
t.setTimeout(LONG ? 3_600_000 : 180_000);

const RELAXED = { ...CHEAP, PAGE_RATE_LIMIT: '0', ADDRESS_LOCKOUT_ATTEMPTS: '100000', HASH_QUEUE: '200' };

/** Lines of a fault nobody foresaw: what is away or busy is a warning. */
const faultsOf = (server: ServerProcess) =>
  server.logs().filter(({ level }) => Number(level) >= 50 || /^(error|fatal)$/.test(String(level)));

/** Waits until `check` holds, asked again and again. */
async function eventually(what: string, check: () => Promise<boolean>, patience = 30_000): Promise<number> {
  const from = Date.now();
  while (!(await check().catch(() => false))) {
    if (Date.now() - from > patience) throw new Error(`${what}: not within ${patience} ms`);
    await sleep(25);
  }
  return Date.now() - from;
}

const isReady = async (server: ServerProcess): Promise<boolean> =>
  (await server.ask('/readyz', { timeout: 3000 })).status === 200;

// ---------------------------------------------------------------- kill -9

/** What clients hold in their hands: only what a complete answer has told them. */
interface Ledger {
  people: string[];
  /** Chains of refreshes, each with its newest acknowledged answer. */
  families: { personId: string; refreshToken: string; accessTokens: string[]; refreshed: number }[];
  sessions: { browser: Visitor; client: TestClient }[];
  /** Codes whose token answer never came. */
  pending: { client: TestClient; code: Code }[];
  flows: number;
}

/** People who sign in and apps that refresh, until stopped; every failure of the way is theirs to repeat. */
function load(server: () => ServerProcess, cast: Cast, client: TestClient, ledger: Ledger) {
  let stopped = false;
  const unexpected: string[] = [];
  const away = (error: unknown) => {
    const { message, cause } = error as Error;
    // A flow that met a 503, or a connection that broke. Anything else is a finding.
    if (
      !/ECONN|starting up|socket|EPIPE|hang up|in time|fetch failed|terminated|503|no form|CONNECT|57P|closed/i.test(
        `${message} ${cause}`,
      )
    ) {
      unexpected.push(message);
    }
    return sleep(30);
  };

  async function signIns(): Promise<void> {
    while (!stopped) {
      let code: Code | null = null;
      try {
        const person = await cast.person();
        ledger.people.push(person.id);
        const browser = visitor(server().issuer);
        code = await codeFor(browser, client, person, OFFLINE);
        const { status, body } = await redeem(server(), client, code);
        if (status !== 200) {
          if (status < 500) unexpected.push(`code: ${status} ${JSON.stringify(body)}`);
          ledger.pending.push({ client, code });
          continue;
        }
        code = null;
        ledger.families.push({
          personId: person.id,
          refreshToken: body.refresh_token ?? '',
          accessTokens: [body.access_token ?? ''],
          refreshed: 0,
        });
        ledger.sessions.push({ browser, client });
        ledger.flows++;
      } catch (error) {
        if (code) ledger.pending.push({ client, code });
        await away(error);
      }
    }
  }

  async function refreshes(turn: number, of: number): Promise<void> {
    for (let round = turn; !stopped; round += of) {
      const family = ledger.families[round % Math.max(of, Math.min(ledger.families.length, 40))];
      if (!family || round % of !== turn) {
        await sleep(20);
        continue;
      }
      try {
        const { status, body } = await refresh(server(), client, family.refreshToken);
        if (status === 200) {
          family.refreshToken = body.refresh_token ?? '';
          family.accessTokens.push(body.access_token ?? '');
          family.refreshed++;
        } else if (status < 500) unexpected.push(`refresh: ${status} ${JSON.stringify(body)}`);
        else await sleep(30);
      } catch (error) {
        await away(error);
      }
    }
  }

  const work = [signIns(), signIns(), refreshes(0, 2), refreshes(1, 2)];
  return {
    unexpected,
    async stop() {
      stopped = true;
      await Promise.all(work);
    },
  };
}

/** Every acknowledged thing is there, and nothing is there by half. */
async function audit(
  t: Test,
  server: ServerProcess,
  db: Database,
  client: TestClient,
  ledger: Ledger,
): Promise<void> {
  const { $client: sql } = db;
  const [people] = await sql<{ count: number }[]>`
    SELECT count(*)::int AS count FROM accounts WHERE id = ANY(${ledger.people}::uuid[])`;
  t.equal(people?.count, ledger.people.length, 'every account');

  const tokens = ledger.families.flatMap(({ accessTokens }) => accessTokens);
  const [held] = await sql<{ count: number }[]>`
    SELECT count(*)::int AS count FROM access_tokens WHERE encode(id_hash, 'hex') = ANY(${tokens.map((one) => sha256(one).toString('hex'))}::text[])`;
  t.equal(held?.count, tokens.length, `every access token (${tokens.length})`);

  const trail = new Map(
    (
      await sql<{ id: string; refreshed: number; issued: number }[]>`
        SELECT subject_id::text AS id, count(*) FILTER (WHERE type = 'token.refreshed')::int AS refreshed,
          count(*) FILTER (WHERE type = 'token.issued')::int AS issued
        FROM audit_events WHERE type IN ('token.refreshed', 'token.issued') GROUP BY 1`
    ).map((row) => [row.id, row]),
  );
  const untold = ledger.families.filter(({ personId, refreshed }) => {
    const row = trail.get(personId);
    return !row || row.issued < 1 || row.refreshed < refreshed;
  });
  t.equal(untold.length, 0, 'every token is in the audit trail');

  // Both ways: an act and its record stand or fall together, so do a spent token and its successor.
  const [halves] = await sql`
    SELECT
      (SELECT count(*)::int FROM (SELECT grant_id, count(*) AS n FROM access_tokens GROUP BY 1) t
        FULL JOIN (SELECT grant_id, count(*) AS n FROM audit_events WHERE type IN ('token.issued', 'token.refreshed') GROUP BY 1) e
        USING (grant_id) JOIN grants g ON g.id = grant_id AND g.revoked_at IS NULL
        WHERE t.n IS DISTINCT FROM e.n) AS unrecorded,
      (SELECT count(*)::int FROM authorization_codes c WHERE NOT EXISTS (SELECT FROM grants g WHERE g.id = c.grant_id)) AS orphans,
      (SELECT count(*)::int FROM authorization_codes c WHERE c.consumed_at IS NOT NULL
        AND NOT EXISTS (SELECT FROM access_tokens t WHERE t.grant_id = c.grant_id)) AS wasted,
      (SELECT count(*)::int FROM refresh_tokens r WHERE r.consumed_at IS NOT NULL
        AND NOT EXISTS (SELECT FROM refresh_tokens n WHERE n.id_hash = r.successor_hash)) AS childless,
      (SELECT count(*)::int FROM (SELECT grant_id FROM refresh_tokens WHERE consumed_at IS NULL GROUP BY 1 HAVING count(*) > 1) f) AS forks`;
  t.same(halves, { unrecorded: 0, orphans: 0, wasted: 0, childless: 0, forks: 0 }, 'nothing by half');

  // The newest of each still works, over the wire.
  const some = ledger.families.slice(-12);
  for (const family of some) {
    t.equal(await userinfo(server, family.accessTokens.at(-1) ?? ''), 200, 'access token');
    const { status, body } = await refresh(server, client, family.refreshToken);
    t.equal(status, 200, `refresh token ${status === 200 ? '' : JSON.stringify(body)}`);
    if (status !== 200) continue;
    family.refreshToken = body.refresh_token ?? '';
    family.accessTokens.push(body.access_token ?? '');
    family.refreshed++;
  }
  for (const { browser, client } of ledger.sessions.slice(-6)) {
    const again = await browser.get(authorizePath(client, pkce(), { prompt: 'none' }));
    t.match(again.location, /[?&]code=/, 'session and consent');
  }
  for (const { client, code } of ledger.pending.splice(0)) {
    // Its answer was lost: spent or not, it never gives tokens twice.
    const first = await redeem(server, client, code);
    t.ok(
      first.status === 200 || first.body.error === 'invalid_grant',
      `a code without answer: ${first.status}`,
    );
    t.equal((await redeem(server, client, code)).body.error, 'invalid_grant');
  }
}

t.test(
  'O1: kill -9 of the server, of PostgreSQL and of both under load: nothing acknowledged is lost',
  async (t) => {
    const dataDir = temporaryFolder(t);
    const port = await freePort();
    const start = () => startServer(t, { port, env: { ...RELAXED, DATA_DIR: dataDir } });
    let server = await start();

    const beside = await openEmbedded({ dataDir, role: 'command' });
    const db = openPool(t, beside.app, 3);
    const superuser = openPool(t, beside.superuser, 1);
    await beside.stop();
    const postmaster = async (): Promise<number> => {
      const [row] = await superuser.$client<
        { file: string }[]
      >`SELECT pg_read_file('postmaster.pid') AS file`;
      return Number(row?.file.split('\n')[0]);
    };

    const cast = castOn(db);
    const client = await cast.client({ refreshReplayWindow: 60 });
    const ledger: Ledger = { people: [], families: [], sessions: [], pending: [], flows: 0 };
    const kinds = ['server', 'PostgreSQL', 'both'] as const;
    for (let round = 0; round < (LONG ? 20 : 1); round++) {
      for (const kind of kinds) {
        await t.test(`round ${round}: ${kind}`, async (t) => {
          const pid = await postmaster();
          assert.ok(pid > 1);
          const flowsBefore = ledger.flows;
          const running = load(() => server, cast, client, ledger);
          await eventually('some flows', async () => ledger.flows >= flowsBefore + 2);
          await sleep(Math.random() * 400);
          if (kind !== 'server') process.kill(pid, 'SIGKILL');
          if (kind !== 'PostgreSQL') await server.kill('SIGKILL');
          const down = Date.now();
          if (kind !== 'PostgreSQL') server = await start();
          await eventually('the server is back', () => isReady(server));
          const up = Date.now() - down;
          await eventually('flows go on', async () => {
            const before = ledger.flows;
            await sleep(100);
            return ledger.flows > before;
          });
          await running.stop();
          t.same(running.unexpected, [], `back after ${up} ms; ${ledger.flows} flows so far`);
          await eventually('the database answers', async () => (await postmaster()) > 1);
          await audit(t, server, db, client, ledger);
          t.same(faultsOf(server), [], 'no fault in the log');
        });
      }
    }

    await t.test('O1: a second server on the folder is refused in words', async (t) => {
      const second = await startServer(t, { ready: 0, env: { ...RELAXED, DATA_DIR: dataDir } });
      t.equal(await second.exited, 1);
      t.match(second.lines.join('\n'), /Another Gatehouse server \(process \d+\) is using the data folder/);
      t.ok(await isReady(server), 'the first one does not mind');
    });
    t.equal(await server.stop(), 0);
  },
);

// ---------------------------------------------------------------- the database away

t.test('ATK-A229: the database stops and comes back under load', async (t) => {
  const dataDir = temporaryFolder(t);
  let postgres = await openEmbedded({ dataDir, role: 'command' });
  t.teardown(() => postgres.stop());
  await migrate(postgres.owner, postgres.app.user);
  const database = { owner: postgres.owner, app: postgres.app };
  const server = await startServer(t, { database, env: RELAXED });
  const db = openPool(t, postgres.app, 2);
  const cast = castOn(db);
  const client = await cast.client({});
  const person = await cast.person();
  const browser = visitor(server.issuer);
  let family = await newFamily(server, browser, client, person);
  const html = { accept: 'text/html' };

  for (let round = 0; round < (LONG ? 20 : 2); round++) {
    const stranger = visitor(server.issuer);
    const form = await stranger.follow(await stranger.get(authorizePath(client, pkce())));
    const sent = formsOf(form.body).find(({ action }) => /\/password$/.test(action));
    const code = await codeFor(browser, client, person);

    // Requests that are under way when it goes: any honest answer, but never a fault and never silence.
    const load = { on: true };
    const statuses: number[] = [];
    const token = family.access_token ?? '';
    const workers = atOnce(6, async () => {
      while (load.on) {
        statuses.push(await userinfo(server, token));
        const path = authorizePath(client, pkce());
        const cookie = cookieHeader(browser, '/oauth2/authorize');
        statuses.push((await server.ask(path, { headers: { ...html, cookie } })).status);
      }
    });
    await sleep(150);
    await postgres.stop();
    t.equal((await server.ask('/readyz')).status, 503, 'not ready');
    t.equal((await server.ask('/livez')).status, 200, 'but alive');

    const asked = {
      token: () =>
        appAsks(server, client, '/oauth2/token', {
          grant_type: 'refresh_token',
          refresh_token: family.refresh_token ?? '',
        }),
      code: () =>
        appAsks(server, client, '/oauth2/token', {
          grant_type: 'authorization_code',
          code: code.code,
          redirect_uri: client.redirectUri,
          code_verifier: code.verifier,
        }),
      introspection: () => appAsks(server, client, '/oauth2/introspect', { token }),
      revocation: () => appAsks(server, client, '/oauth2/revoke', { token: 'of nobody' }),
      userinfo: () => server.ask('/oauth2/userinfo', { headers: { authorization: `Bearer ${token}` } }),
      authorize: () => server.ask(authorizePath(client, pkce()), { headers: html }),
      login: () =>
        server.ask(sent?.action ?? '', {
          headers: {
            ...html,
            origin: server.issuer,
            'sec-fetch-site': 'same-origin',
            cookie: cookieHeader(stranger, sent?.action ?? ''),
          },
          body: { ...sent?.fields, email: person.email, password: PASSWORD },
        }),
      account: () =>
        server.ask('/account', { headers: { ...html, cookie: cookieHeader(browser, '/account') } }),
    };
    for (const [name, ask] of Object.entries(asked)) {
      const from = Date.now();
      const answer = await ask();
      t.equal(
        answer.status,
        503,
        `${name}: ${answer.status} after ${Date.now() - from} ms ${answer.body.slice(0, 200)}`,
      );
      t.ok(Number(answer.headers['retry-after']) > 0, `${name}: says when to come again`);
      t.notMatch(answer.body, /ECONN|ENOENT|postgres|\.ts:|\bat \w/i, `${name}: and nothing of the inside`);
      t.match(answer.body, /not available right now/, `${name}: in words`);
      t.notOk(
        answer.headers['set-cookie']?.some((line) => /_session=[^;]/.test(line)),
        `${name}: no session`,
      );
    }

    postgres = await openEmbedded({ dataDir, role: 'command' });
    const back = await eventually('ready by itself', () => isReady(server));
    await sleep(100);
    load.on = false;
    await workers;
    t.ok(
      statuses.every((status) => [200, 302, 303, 503].includes(status)),
      `under load: ${tally(statuses)}`,
    );
    t.ok(statuses.includes(503));

    // What was refused was not half done: token, code and form are as good as before.
    t.pass(`ready ${back} ms after its database`);
    const refreshed = await refresh(server, client, family.refresh_token ?? '');
    t.equal(refreshed.status, 200, JSON.stringify(refreshed.body));
    family = refreshed.body;
    t.equal((await redeem(server, client, code)).status, 200, 'the code');
    const after = await stranger.submit(form, /\/password$/, { email: person.email, password: PASSWORD });
    t.equal(after.status, 303, 'the sign-in goes on where it was');
    t.equal(await userinfo(server, family.access_token ?? ''), 200);
  }

  await t.test('connections cut under load', async (t) => {
    const superuser = openPool(t, postgres.superuser, 1);
    let token = family.refresh_token ?? '';
    const statuses: number[] = [];
    const load = { on: true };
    const worker = (async () => {
      while (load.on) {
        const { status, body } = await refresh(server, client, token);
        statuses.push(status);
        if (status === 200) token = body.refresh_token ?? '';
      }
    })();
    for (let cut = 0; cut < (LONG ? 100 : 10); cut++) {
      await sleep(Math.random() * 60);
      await superuser.$client`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ${postgres.app.user}`;
    }
    await sleep(100);
    load.on = false;
    await worker;
    t.ok(
      statuses.every((status) => status === 200 || status === 503),
      tally(statuses),
    );
    t.equal((await refresh(server, client, token)).status, 200, 'the app has kept its place');
  });
  t.same(faultsOf(server), [], 'no fault in the log');
  t.equal(await server.stop(), 0, 'it was the same process all the time');
});

t.test(
  'ATK-A229: a transaction whose connection broke is over, whatever its connection becomes next',
  async (t) => {
    const database = await freshDatabase(t);
    const superuser = openPool(t, database.superuser, 1);
    // One connection: the next transaction gets the very one the broken transaction had.
    const db = openPool(t, database.app, 1);
    const pid = async (on: Database) => (await on.$client`SELECT pg_backend_pid() AS pid`)[0]?.pid as number;
    const insert = (on: Database, name: string) =>
      on.$client`INSERT INTO setup_tokens (token_hash, created_at, expires_at) VALUES (${name}, now(), now())`;
    for (const end of ['rollback', 'commit'] as const) {
      const broken = await openTransaction(db);
      await insert(broken.db, `before ${end}`);
      const waiting = broken.db.$client`SELECT pg_sleep(5)`.then(
        () => 'answered',
        () => 'refused',
      );
      const queued = insert(broken.db, `queued ${end}`).then(
        () => 'answered',
        () => 'refused',
      );
      await sleep(50);
      await superuser.$client`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = ${database.name} AND usename = ${database.app.user}`;
      t.same(await Promise.all([waiting, queued]), ['refused', 'refused'], 'what waits in it is told');

      await eventually('a new connection', async () => (await pid(db)) > 0);
      const next = await openTransaction(db);
      await insert(next.db, `next ${end}`);
      await t.rejects(insert(broken.db, `after ${end}`), 'the broken one takes nothing more');
      if (end === 'rollback') await broken.rollback();
      else await t.rejects(broken.commit(), 'nor does it claim to have been kept');
      await insert(next.db, `next, still ${end}`);
      await next.commit();
    }
    const kept = await db.$client<{ name: string }[]>`SELECT token_hash AS name FROM setup_tokens ORDER BY 1`;
    t.same(
      kept.map(({ name }) => name),
      ['next commit', 'next rollback', 'next, still commit', 'next, still rollback'],
      'and the next transaction is whole',
    );
  },
);

// ---------------------------------------------------------------- SIGTERM

t.test('ATK-A234: SIGTERM under load: what is under way is answered, the next replica goes on', async (t) => {
  for (let round = 0; round < (LONG ? 20 : 2); round++) {
    const database = await freshDatabase(t);
    const slowHashes = { ...RELAXED, ARGON2_MEMORY: '65536', ARGON2_PASSES: '8' };
    const old = await startServer(t, { database, env: slowHashes });
    const db = openPool(t, database.app, 2);
    const cast = castOn(db);
    const client = await cast.client();
    const person = await cast.person();
    const browser = visitor(old.issuer);
    const family = await newFamily(old, browser, client, person);
    const signIns = await atOnce(4, async () => {
      const one = visitor(old.issuer);
      const page = await one.follow(await one.get(authorizePath(client, pkce())));
      const form = formsOf(page.body).find(({ action }) => /\/password$/.test(action));
      return { one, action: form?.action ?? '', fields: form?.fields ?? {} };
    });
    const people = await Promise.all(signIns.map(() => cast.person()));
    let answered = 0;
    const underWay = signIns.map(({ one, action, fields }, turn) =>
      old.ask(action, {
        headers: {
          accept: 'text/html',
          origin: old.issuer,
          'sec-fetch-site': 'same-origin',
          cookie: cookieHeader(one, action),
        },
        body: { ...fields, email: people[turn]?.email ?? '', password: PASSWORD },
      }),
    );
    for (const answer of underWay) answer.finally(() => answered++).catch(() => {});
    const load = { on: true };
    const others: string[] = [];
    const workers = atOnce(4, async () => {
      while (load.on) {
        await userinfo(old, family.access_token ?? '').then(
          (status) => others.push(String(status)),
          (error: NodeJS.ErrnoException) => {
            others.push(error.code ?? error.message);
            load.on = false;
          },
        );
      }
    });
    await eventually('the sign-ins are being worked on', async () => {
      const [row] = await db.$client<
        { count: number }[]
      >`SELECT count(*)::int AS count FROM failures WHERE scope = 'sign_in.account'`;
      return (row?.count ?? 0) + answered >= underWay.length;
    });
    const from = Date.now();
    const exit = old.stop();
    const answers = await Promise.all(underWay);
    t.equal(tally(answers.map(({ status }) => status)), '303×4', 'sign-ins under way are answered');
    t.equal(await exit, 0, `exit 0 after ${Date.now() - from} ms`);
    t.ok(Date.now() - from < 15_000, 'within the grace');
    load.on = false;
    await workers;
    const strange = others.filter((one) => one !== '200' && one !== 'ECONNREFUSED' && one !== 'ECONNRESET');
    t.same(strange, [], 'no fault for anybody else');
    t.same(faultsOf(old), []);

    const next = await startServer(t, { database, port: old.port, env: { ...old.env } });
    t.equal(await userinfo(next, family.access_token ?? ''), 200, 'tokens go on');
    t.equal((await refresh(next, client, family.refresh_token ?? '')).status, 200);
    const again = await browser.get(authorizePath(client, pkce(), { prompt: 'none' }));
    t.match(again.location, /[?&]code=/, 'sessions too');
    const [{ one } = { one: browser }] = signIns;
    const resumed = await one.follow(await one.get(answers[0]?.headers.location ?? ''));
    t.match(resumed.body + resumed.location, /consent|[?&]code=/, 'and a sign-in begun before');
    t.equal(await next.stop(), 0);
  }
});
