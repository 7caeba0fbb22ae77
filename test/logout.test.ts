// Back-channel logout from every ending of a session (P6): what apps are told, how often, and what becomes of it when
// they, or the servers that tell them, are away. LONG=1 plays 200 rounds of the race, not 20.
import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { decodeJwt } from 'jose';
import t from 'tap';
import { loadConfig } from '../config/load.ts';
import type { Database } from '../drizzle/database.ts';
import { disable, setPassword, signOutEverywhere } from '../server/accounts/accounts.ts';
import type { NewClient } from '../server/clients/clients.ts';
import { list, rescue } from '../server/logouts/logouts.ts';
import { purge } from '../server/oidc/jobs.ts';
import { createPasswords } from '../server/passwords/passwords.ts';
import { expire } from '../server/sessions/sessions.ts';
import { authorizePath, pkce, startApp, type TestClient, tokenRequest, tokens } from './harness/app.ts';
import type { Visitor } from './harness/browser.ts';
import { atOnce, type Cast, codeFor, cookieHeader, redeem, startFleet } from './harness/fleet.ts';
import { type Receiver, startReceiver } from './harness/receiver.ts';
import { freePort, type ServerProcess, startServer } from './harness/server.ts';

const LONG = Boolean(process.env.LONG);
const ROUNDS = LONG ? 200 : 20;
t.setTimeout(LONG ? 3_600_000 : 300_000);

const project = fileURLToPath(new URL('..', import.meta.url));

async function until(what: string, holds: () => boolean | Promise<boolean>, seconds = 15): Promise<void> {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(25)) if (await holds()) return;
  throw new Error(`not within ${seconds} s: ${what}`);
}

/** An app that is told at the receiver. */
function told(
  cast: Pick<Cast, 'client'>,
  receiver: Receiver,
  more: Partial<NewClient> = {},
): Promise<TestClient> {
  const id = `app-${randomBytes(6).toString('hex')}`;
  return cast.client({ id, firstParty: true, backchannelLogoutUri: receiver.uri(id), ...more });
}

interface Row {
  id: string;
  client: string;
  session: string;
  reason: string;
  state: string;
  attempts: number;
  failure: string | null;
}

const rowsOf = async (db: Database, clientId?: string): Promise<Row[]> =>
  (
    await db.$client`SELECT id, client_id AS client, session_uid AS session, reason, state, attempts, last_failure AS failure
      FROM logout_deliveries WHERE ${clientId ?? null}::text IS NULL OR client_id = ${clientId ?? null}
      ORDER BY created_at, client_id`
  ).map((row) => ({ ...row }) as Row);

const settled = (db: Database, clientId: string, state: string, seconds?: number) =>
  until(
    `${clientId} is ${state}`,
    async () => {
      const rows = await rowsOf(db, clientId);
      return rows.length > 0 && rows.every((row) => row.state === state);
    },
    seconds,
  );

/** Signs out as people do, on the page. */
async function signOut(browser: Visitor): Promise<number> {
  const page = await browser.get('/oauth2/logout');
  return (await browser.submit(page, /confirm$/, { logout: 'yes' })).status;
}

async function cli(env: Readonly<Record<string, string>>, ...args: string[]): Promise<string> {
  const { PATH = '', HOME = '' } = process.env;
  const options = { cwd: project, env: { PATH, HOME, ...env } };
  return (await promisify(execFile)(process.execPath, ['server/cli.ts', ...args], options)).stdout;
}

t.test('one server', async (t) => {
  const app = await startApp(t, { SESSION_EXPIRE_INTERVAL: '1', OUTBOUND_TIMEOUT: '4' });
  const receiver = await startReceiver(t, app.issuer);

  /** A person signed in to some apps in one session, with what each app knows of it. */
  async function session(clients: readonly TestClient[], scope = 'openid') {
    const person = await app.person();
    const browser = app.visitor();
    const held = [];
    for (const client of clients) held.push((await tokens(app, client, person, { browser, scope })).body);
    return { person, browser, held };
  }

  await t.test('P6: the metadata say so', async (t) => {
    const metadata = await (await fetch(`${app.issuer}/.well-known/openid-configuration`)).json();
    t.match(metadata, { backchannel_logout_supported: true, backchannel_logout_session_supported: true });
  });

  const { config } = loadConfig({ env: {}, cwd: process.cwd() });
  const passwords = createPasswords(config.passwords, { words: [] });
  type Open = Awaited<ReturnType<typeof session>> & { clients: TestClient[] };
  const endings: Record<string, (open: Open) => Promise<unknown>> = {
    logout: ({ browser }) => signOut(browser),
    password: async ({ person }) =>
      setPassword(app.op(), person.id, await passwords.hash('nine purple lanterns drifting 4'), 'cli'),
    disabled: ({ person }) => disable(app.op(), person.id),
    operator: ({ person }) => signOutEverywhere(app.op(), person.id, 'operator'),
    reuse: async ({ held, clients }) => {
      const [client] = clients as [TestClient];
      const use = (refresh_token: string) =>
        tokenRequest(app.issuer, client, { grant_type: 'refresh_token', refresh_token });
      const first = held[0]?.refresh_token as string;
      const second = (await use(first)).body.refresh_token as string;
      await use(second);
      const reused = await use(first);
      if (reused.status !== 400) throw new Error(`the reuse was answered ${reused.status}`);
    },
  };
  for (const [reason, end] of Object.entries(endings)) {
    await t.test(`P6 A13 R36 R52: ended by ${reason}, each app of the session is told once`, async (t) => {
      const clients = [
        await told(app, receiver),
        await told(app, receiver, { idTokenSignedResponseAlg: 'RS256' }),
        await told(app, receiver, { idTokenSignedResponseAlg: 'EdDSA' }),
        await told(app, receiver, { subjectType: 'pairwise' }),
      ];
      const bystander = await told(app, receiver);
      const untold = await app.client({ firstParty: true });
      const open = await session([...clients, untold], 'openid offline_access');
      await session([bystander]);
      await end({ ...open, clients });
      for (const [at, client] of clients.entries()) {
        await settled(app.db, client.id, 'delivered');
        const [one, ...more] = receiver.of(client.id);
        t.same(more, [], 'once');
        const idToken = decodeJwt(open.held[at]?.id_token as string);
        t.ok(idToken.sid, 'the ID token names the session');
        t.equal(one?.claims.sid, idToken.sid, 'by the same sid');
        t.equal(one?.claims.sub, idToken.sub);
        t.equal(one?.claims.sub === open.person.id, client.row.subjectType === 'public');
        t.equal(one?.alg, client.row.idTokenSignedResponseAlg);
        const [row] = await rowsOf(app.db, client.id);
        t.match(row, { reason, attempts: 1, failure: null, id: one?.claims.jti });
        t.not(row?.session, one?.claims.sid, 'the sid opens nothing of ours');
      }
      t.equal(new Set(clients.map(({ id }) => receiver.of(id)[0]?.claims.sid)).size, 4, 'a sid per app');
      t.same(receiver.of(bystander.id), [], 'another session’s app is told nothing');
      t.same(await rowsOf(app.db, untold.id), [], 'nor is one that has no address for it');
      const ended = (await app.events('session.ended')).filter((one) => one.subject_id === open.person.id);
      t.same(
        ended.map(({ data }) => data),
        [{ reason }],
        'one ending in the audit trail',
      );
      const audited = (await app.events('logout.delivered')).filter(
        (one) => one.subject_id === open.person.id,
      );
      t.same(audited.map((one) => one.client_id).sort(), clients.map(({ id }) => id).sort());
    });
  }

  await t.test('R52: the person who signs out waits for no app', async (t) => {
    const client = await told(app, receiver);
    const { browser } = await session([client]);
    let answer = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    receiver.reply = async () => {
      await answered;
      return 204;
    };
    const began = Date.now();
    t.equal(await signOut(browser), 303);
    t.ok(Date.now() - began < 2000, 'no inline request');
    t.match(await rowsOf(app.db, client.id), [{ state: 'pending' }]);
    await until('it is sent', () => receiver.of(client.id).length === 1);
    answer();
    await settled(app.db, client.id, 'delivered');
    receiver.reply = () => 200;
    await sleep(300);
    t.equal(receiver.of(client.id).length, 1, 'by the queue alone, which takes 204 as well');
  });

  await t.test('P6: an app that wants no sid is told who, not which session', async (t) => {
    const client = await told(app, receiver, { backchannelLogoutSessionRequired: false });
    const { browser, person, held } = await session([client]);
    t.notOk('sid' in decodeJwt(held[0]?.id_token as string));
    await signOut(browser);
    await settled(app.db, client.id, 'delivered');
    const [one] = receiver.of(client.id);
    t.notOk('sid' in (one?.claims ?? {}));
    t.equal(one?.claims.sub, person.id);
  });

  await t.test('P6: an app that is down is told when it is back', async (t) => {
    const client = await told(app, receiver);
    const { browser } = await session([client]);
    await receiver.close();
    await signOut(browser);
    await until('it was tried', async () => (await rowsOf(app.db, client.id))[0]?.failure === 'refused');
    await until('more than once', async () => ((await rowsOf(app.db, client.id))[0]?.attempts ?? 0) > 1);
    t.match(await rowsOf(app.db, client.id), [{ state: 'pending' }]);
    if (LONG) await sleep(120_000);
    await receiver.open();
    await settled(app.db, client.id, 'delivered', LONG ? 300 : undefined);
    t.equal(receiver.of(client.id).length, 1);
    t.equal(receiver.of(client.id)[0]?.claims.jti, (await rowsOf(app.db, client.id))[0]?.id);
  });

  await t.test('P6: an app that hangs is tried again, and the others do not wait for that', async (t) => {
    const hanging = await told(app, receiver);
    const quick = await told(app, receiver);
    const { browser } = await session([hanging, quick]);
    receiver.reply = (one) => (one.clientId === hanging.id ? new Promise(() => {}) : 200);
    await signOut(browser);
    await settled(app.db, quick.id, 'delivered', 3);
    t.match(await rowsOf(app.db, hanging.id), [{ state: 'pending', attempts: 1 }]);
    await until('it is over', async () => (await rowsOf(app.db, hanging.id))[0]?.failure === 'timeout');
    receiver.reply = () => 200;
    await settled(app.db, hanging.id, 'delivered');
    t.match(await rowsOf(app.db, hanging.id), [{ attempts: 2 }]);
  });

  await t.test('P6: what says later is tried later, with the same jti', async (t) => {
    const client = await told(app, receiver);
    const { browser } = await session([client]);
    const answers = [503, 429, null, 200];
    receiver.reply = () => answers[receiver.of(client.id).length - 1] ?? 500;
    await signOut(browser);
    await settled(app.db, client.id, 'delivered', 30);
    receiver.reply = () => 200;
    const all = receiver.of(client.id);
    t.equal(all.length, 4);
    t.equal(new Set(all.map(({ claims }) => claims.jti)).size, 1);
    t.match(await rowsOf(app.db, client.id), [{ attempts: 4, failure: null }]);
    t.same(await app.events('logout.refused'), []);
  });

  await t.test('P6: an app that refuses is not asked again, and it is reported', async (t) => {
    const client = await told(app, receiver);
    const { browser, person } = await session([client]);
    receiver.reply = () => 400;
    await signOut(browser);
    await settled(app.db, client.id, 'refused');
    receiver.reply = () => 200;
    await sleep(2500);
    t.equal(receiver.of(client.id).length, 1);
    t.match(await rowsOf(app.db, client.id), [{ state: 'refused', attempts: 1, failure: 'http_400' }]);
    const events = (await app.events('logout.refused')).filter((one) => one.subject_id === person.id);
    t.match(events, [{ client_id: client.id, data: { failure: 'http_400' } }]);
    t.ok(
      app.lines.some((line) => line.includes('a logout token was refused') && line.includes(client.id)),
      'and in the log',
    );
  });

  await t.test('ATK-A206 ASVS-V15.3.2: a redirect is not followed', async (t) => {
    const client = await told(app, receiver);
    const { browser } = await session([client]);
    receiver.reply = () => 307;
    const strange = receiver.strange.length;
    await signOut(browser);
    await settled(app.db, client.id, 'refused');
    receiver.reply = () => 200;
    t.equal(receiver.strange.length, strange, 'nothing came to the other address');
    t.match(await rowsOf(app.db, client.id), [{ failure: 'http_307' }]);
  });

  await t.test('P6: after the last try it is given up, and reported', async (t) => {
    const client = await told(app, receiver);
    const { browser, person } = await session([client]);
    await receiver.close();
    await signOut(browser);
    await until('it was tried', async () => (await rowsOf(app.db, client.id))[0]?.failure === 'refused');
    await app.db.$client`UPDATE logout_deliveries SET attempts = 19 WHERE client_id = ${client.id}`;
    await settled(app.db, client.id, 'given_up');
    await receiver.open();
    t.match(await rowsOf(app.db, client.id), [{ attempts: 20, failure: 'refused' }]);
    const events = (await app.events('logout.givenUp')).filter((one) => one.subject_id === person.id);
    t.match(events, [{ client_id: client.id, data: { failure: 'refused', attempts: 20 } }]);
  });

  await t.test('P6: an app that was disabled is told, one without an address is not', async (t) => {
    const disabled = await told(app, receiver);
    const bare = await told(app, receiver);
    const { browser } = await session([disabled, bare]);
    await app.db.$client`UPDATE clients SET disabled_at = now() WHERE id = ${disabled.id}`;
    await receiver.close();
    await signOut(browser);
    await until('both were tried', async () => {
      const rows = [...(await rowsOf(app.db, disabled.id)), ...(await rowsOf(app.db, bare.id))];
      return rows.every((row) => row.failure === 'refused');
    });
    await app.db.$client`UPDATE clients SET backchannel_logout_uri = NULL WHERE id = ${bare.id}`;
    await receiver.open();
    await settled(app.db, disabled.id, 'delivered');
    await settled(app.db, bare.id, 'given_up');
    t.match(await rowsOf(app.db, bare.id), [{ failure: 'no_uri' }]);
  });

  await t.test('P6 ATK-A203 ASVS-V1.3.6: an address that is not public is given up at once', async (t) => {
    const clients = [];
    for (const backchannelLogoutUri of ['https://10.0.0.1/logout', 'https://169.254.169.254/latest']) {
      clients.push(await app.client({ firstParty: true, backchannelLogoutUri }));
    }
    const { browser } = await session(clients);
    await signOut(browser);
    for (const { id } of clients) {
      await settled(app.db, id, 'given_up');
      t.match(await rowsOf(app.db, id), [{ attempts: 1, failure: 'blocked_address' }]);
    }
  });

  await t.test('ATK-A171: what an app or a stranger says of another session ends nothing', async (t) => {
    const client = await told(app, receiver);
    const mine = await session([client]);
    const theirs = await session([client]);
    const idToken = theirs.held[0]?.id_token as string;
    const { sid = '', sub = '' } = decodeJwt(idToken) as { sid?: string; sub?: string };
    const query = new URLSearchParams({ id_token_hint: idToken, sid, sub, logout_hint: sub });
    const page = await mine.browser.get(`/oauth2/logout?${query}`);
    t.equal(page.status, 200, 'a question, and nothing has ended');
    await mine.browser.submit(page, /confirm$/, { logout: 'yes', sid, sub, id_token_hint: idToken });
    await settled(app.db, client.id, 'delivered');
    t.same(
      receiver.of(client.id).map(({ claims }) => claims.sub),
      [mine.person.id],
      'the session of the browser that asked, no other',
    );
    t.equal((await theirs.browser.get('/account')).status, 200);

    // A logout token is the app's to read: nobody takes it, not even the one who signed it.
    const token = receiver.of(client.id)[0]?.token ?? '';
    for (const path of ['/oauth2/logout', '/oauth2/logout/confirm']) {
      const sent = await app.visitor().post(path, { logout_token: token, sid, sub });
      t.not(sent.status, 500);
    }
    await sleep(200);
    t.equal((await theirs.browser.get('/account')).status, 200);
    t.equal((await rowsOf(app.db, client.id)).length, 1);
  });

  await t.test('ATK-A058 ASVS-V9.2.2: a logout token opens nothing', async (t) => {
    const client = await told(app, receiver);
    const { browser } = await session([client]);
    await signOut(browser);
    await settled(app.db, client.id, 'delivered');
    const token = receiver.of(client.id)[0]?.token ?? '';
    const headers = { authorization: `Bearer ${token}` };
    t.equal((await fetch(`${app.issuer}/oauth2/userinfo`, { headers })).status, 401);
    for (const form of [
      { grant_type: 'refresh_token', refresh_token: token },
      {
        grant_type: 'authorization_code',
        code: token,
        redirect_uri: client.redirectUri,
        code_verifier: 'x'.repeat(43),
      },
    ]) {
      const answer = await tokenRequest(app.issuer, client, form);
      t.match(answer, { status: 400, body: { error: 'invalid_grant' } });
    }
  });

  await t.test('P6: an ending without apps makes no row and no job', async (t) => {
    const client = await app.client({ firstParty: true });
    const { browser } = await session([client]);
    const jobs = async () =>
      (await app.db.$client`SELECT count(*)::int AS n FROM pgboss.job WHERE name = 'logouts.deliver'`)[0]?.n;
    const before = await jobs();
    await signOut(browser);
    t.same(await rowsOf(app.db, client.id), []);
    t.equal(await jobs(), before);
  });

  await t.test('P6: a job that is run twice, or beside itself, sends once', async (t) => {
    const client = await told(app, receiver);
    const { browser } = await session([client]);
    let answer = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    receiver.reply = async () => {
      await answered;
      return 200;
    };
    await signOut(browser);
    await until('it is under way', () => receiver.of(client.id).length === 1);
    const [row] = await rowsOf(app.db, client.id);
    const again = () => app.db.$client`
      INSERT INTO pgboss.job_common (name, data, singleton_key, policy, retry_limit, retry_delay)
      VALUES ('logouts.deliver', ${JSON.stringify({ id: row?.id })}::text::jsonb, ${randomUUID()}, 'short', 5, 1)`;
    for (let i = 0; i < 4; i++) await again();
    await sleep(3000);
    t.equal(receiver.of(client.id).length, 1, 'nobody sends what is being sent');
    answer();
    await settled(app.db, client.id, 'delivered');
    receiver.reply = () => 200;
    for (let i = 0; i < 4; i++) await again();
    await until(
      'all those jobs are done',
      async () => {
        const [left] = await app.db.$client`
          SELECT count(*)::int AS n FROM pgboss.job WHERE name = 'logouts.deliver' AND state < 'completed'`;
        return left?.n === 0;
      },
      20,
    );
    t.equal(receiver.of(client.id).length, 1, 'nor what is settled');
    t.match(await rowsOf(app.db, client.id), [{ attempts: 1 }]);
  });

  await t.test(
    'P6: a request that grants something in a session just ended has its app told, too',
    async (t) => {
      // The session's row is held by an ending that has not seen the grant which the other request is making.
      const client = await told(app, receiver);
      const first = await app.client({ firstParty: true });
      const { browser, person } = await session([first]);
      const [live] = await app.db.$client`
      SELECT uid FROM sessions WHERE account_id = ${person.id} AND ended_at IS NULL`;
      const owner = app.db.$client;
      const proof = pkce();
      let granting: ReturnType<Visitor['get']> | undefined;
      await owner.begin(async (tx) => {
        await tx`UPDATE sessions SET ended_at = now(), end_reason = 'idle' WHERE uid = ${live?.uid}`;
        granting = browser.get(authorizePath(client, proof, { scope: 'openid offline_access' }));
        await sleep(700);
      });
      const answer = await granting;
      t.equal(answer?.status, 303);
      await settled(app.db, client.id, 'delivered');
      t.match(await rowsOf(app.db, client.id), [{ reason: 'idle', session: live?.uid }]);
      t.equal((await browser.get('/account')).status, 303, 'and the session stays over');
    },
  );

  await t.test(
    'P6 R16: a code that is not redeemed when its session ends signs nobody in afterwards',
    async (t) => {
      const client = await told(app, receiver);
      const person = await app.person();
      for (const [redeemed, scope] of [
        [false, 'openid offline_access'],
        [true, 'openid offline_access'],
        [false, 'openid'],
      ] as const) {
        const browser = app.visitor();
        const { code, verifier } = await codeFor(browser, client, person, { scope, prompt: 'consent' });
        const redeem = () =>
          tokenRequest(app.issuer, client, {
            grant_type: 'authorization_code',
            code,
            redirect_uri: client.redirectUri,
            code_verifier: verifier,
          });
        const before = redeemed ? await redeem() : null;
        await signOut(browser);
        await settled(app.db, client.id, 'delivered');
        t.match(await redeem(), { status: 400, body: { error: 'invalid_grant' } });
        if (!before) continue;
        t.equal(before.status, 200);
        const refresh_token = before.body.refresh_token as string;
        const refreshed = await tokenRequest(app.issuer, client, {
          grant_type: 'refresh_token',
          refresh_token,
        });
        t.match(refreshed, { status: 400 }, 'and a spent one ends what it gave, also then');
      }
    },
  );

  await t.test('P6: a delivery that has lost its job gets another', async (t) => {
    const client = await told(app, receiver);
    const { browser } = await session([client]);
    await receiver.close();
    await signOut(browser);
    await until('it was tried', async () => (await rowsOf(app.db, client.id))[0]?.failure === 'refused');
    await app.db.$client`DELETE FROM pgboss.job_common WHERE name = 'logouts.deliver'`;
    await receiver.open();
    await app.db.$client`UPDATE logout_deliveries SET created_at = now() - interval '3 hours',
      last_attempt_at = now() - interval '3 hours' WHERE client_id = ${client.id}`;
    await rescue(app.op());
    await settled(app.db, client.id, 'delivered');
    t.equal(receiver.of(client.id).length, 1);
  });

  await t.test(
    'P6: an app whose access has run out while the session goes on is told all the same',
    async (t) => {
      const client = await told(app, receiver);
      const { browser, person } = await session([client]);
      await app.db
        .$client`UPDATE grants SET expires_at = now() - interval '3 days' WHERE account_id = ${person.id}`;
      await purge(app.op());
      await signOut(browser);
      await settled(app.db, client.id, 'delivered');
      await purge(app.op());
      const left = await app.db.$client`SELECT 1 FROM grants WHERE account_id = ${person.id}`;
      t.equal(left.length, 0, 'and then its grant is not needed any more');
      await app.db
        .$client`UPDATE logout_deliveries SET created_at = now() - interval '31 days' WHERE client_id = ${client.id}`;
      await purge(app.op());
      t.same(await rowsOf(app.db, client.id), [], 'nor, a month later, what it was told');
    },
  );

  await t.test('P6: they are listed, by app and by state, the latest first', async (t) => {
    const all = await list(app.op(), { limit: 1000 });
    t.equal(all.length, (await rowsOf(app.db)).length);
    const refused = await list(app.op(), { state: 'refused', limit: 1000 });
    t.ok(refused.length > 0 && refused.every((one) => one.state === 'refused' && one.settledAt !== null));
    const [{ clientId } = { clientId: '' }] = refused;
    const ofOne = await list(app.op(), { client: clientId, limit: 1000 });
    t.ok(ofOne.length === 1 && ofOne[0]?.clientId === clientId);
    t.equal((await list(app.op(), { limit: 2 })).length, 2);
    const times = all.map((one) => one.createdAt.getTime());
    t.same(
      times,
      [...times].sort((a, b) => b - a),
    );
    t.same(receiver.strange, [], 'nothing but valid logout tokens was ever sent');
  });
});

for (const [reason, env] of Object.entries({
  idle: { SESSION_IDLE: '2', SESSION_MAX_AGE: '100' },
  max_age: { SESSION_IDLE: '100', SESSION_MAX_AGE: '2' },
})) {
  t.test(
    `P6 A13 ATK-A169: a session that ends by ${reason} is told to its apps without anybody asking`,
    async (t) => {
      const app = await startApp(t, { SESSION_EXPIRE_INTERVAL: '1', ...env });
      const receiver = await startReceiver(t, app.issuer);
      const clients = [await told(app, receiver), await told(app, receiver)] as const;
      const person = await app.person();
      const browser = app.visitor();
      for (const client of clients) await tokens(app, client, person, { browser, scope: 'openid' });
      for (const { id } of clients) {
        await settled(app.db, id, 'delivered');
        t.match(await rowsOf(app.db, id), [{ reason }]);
        t.equal(receiver.of(id).length, 1);
      }
      t.same(
        (await app.events('session.ended')).map(({ data }) => data),
        [{ reason }],
      );
      await sleep(2500);
      t.equal(receiver.received.length, 2, 'and told once');
      t.same(receiver.strange, []);
    },
  );
}

t.test(
  'P6 R55 ATK-A203: without being told to, a server on the Internet sends nothing into its own network',
  async (t) => {
    const app = await startApp(t, { ISSUER: 'https://id.example.org', TRUSTED_PROXIES: '127.0.0.1' });
    const receiver = await startReceiver(t, app.issuer);
    const clients = [
      await told(app, receiver),
      await app.client({ firstParty: true, backchannelLogoutUri: `https://127.0.0.1:${receiver.port}/x` }),
      await app.client({ firstParty: true, backchannelLogoutUri: `https://localhost:${receiver.port}/x` }),
    ];
    const person = await app.person();
    await plant(app.db, person.id, clients);
    await signOutEverywhere(app.op(), person.id, 'operator');
    for (const { id } of clients) {
      await settled(app.db, id, 'given_up');
      t.match(await rowsOf(app.db, id), [{ attempts: 1, failure: 'blocked_address' }]);
    }
    t.equal(receiver.connections, 0);
  },
);

/** A session with grants, as sign-ins leave it behind; answers its uid. */
async function plant(db: Database, accountId: string, clients: readonly { id: string }[]): Promise<string> {
  const uid = randomUUID();
  await db.$client.begin(async (tx) => {
    await tx`INSERT INTO sessions (uid, id_hash, account_id, account_epoch, login_at, created_at, last_seen_at, expires_at, payload)
      VALUES (${uid}, ${randomBytes(32)}, ${accountId}, 0, now(), now(), now(), now() + interval '1 hour', '{}')`;
    for (const { id } of clients) {
      await tx`INSERT INTO grants (id, account_id, account_epoch, client_id, session_uid, created_at, expires_at, payload)
        VALUES (${randomUUID()}, ${accountId}, 0, ${id}, ${uid}, now(), now() + interval '1 day', '{}')`;
    }
  });
  return uid;
}

t.test('two servers on one database', async (t) => {
  const fleet = await startFleet(t, {
    env: { SESSION_EXPIRE_INTERVAL: '1', ADDRESS_LOCKOUT_ATTEMPTS: '100000', HASH_QUEUE: '200' },
  });
  const { db } = fleet;
  const receiver = await startReceiver(t, fleet.at(0).issuer);
  const ask = (server: ServerProcess, browser: Visitor, path: string) =>
    server.ask(path, { headers: { accept: 'text/html', cookie: cookieHeader(browser, path) } });

  await t.test('P6 R17: parallel sign-ins in one session on both lose no app', async (t) => {
    for (let round = 0; round < (LONG ? 20 : 3); round++) {
      const person = await fleet.person();
      const browser = fleet.browser();
      const first = await told(fleet, receiver);
      const { code, verifier } = await codeFor(browser, first, person);
      const clients = await Promise.all(Array.from({ length: 8 }, () => told(fleet, receiver)));
      const answers = await atOnce(8, async (turn) => {
        const client = clients[turn] as TestClient;
        const proof = pkce();
        const answer = await ask(fleet.at(turn), browser, authorizePath(client, proof));
        const code = new URL(answer.headers.location ?? '').searchParams.get('code') ?? '';
        return redeem(fleet.at(turn + 1), client, { code, verifier: proof.verifier });
      });
      t.ok(answers.every(({ status }) => status === 200));
      await redeem(fleet.at(0), first, { code, verifier });
      t.equal(await signOut(browser), 303);
      for (const [at, client] of clients.entries()) {
        await settled(db, client.id, 'delivered');
        const [one, ...more] = receiver.of(client.id);
        t.same(more, []);
        t.equal(one?.claims.sid, decodeJwt(answers[at]?.body.id_token as string).sid);
      }
      await settled(db, first.id, 'delivered');
    }
  });

  await t.test(
    'P6 R17: parallel sign-ins of one app in one session are told by the sid that each of them has',
    async (t) => {
      const person = await fleet.person();
      const browser = fleet.browser();
      const other = await fleet.client({ firstParty: true });
      await codeFor(browser, other, person);
      const client = await told(fleet, receiver);
      const sids = await atOnce(6, async (turn) => {
        const proof = pkce();
        const answer = await ask(fleet.at(turn), browser, authorizePath(client, proof));
        const code = new URL(answer.headers.location ?? '').searchParams.get('code') ?? '';
        const { body } = await redeem(fleet.at(turn), client, { code, verifier: proof.verifier });
        return decodeJwt(body.id_token as string).sid;
      });
      await signOut(browser);
      await settled(db, client.id, 'delivered');
      t.same([...new Set(sids)], [receiver.of(client.id)[0]?.claims.sid]);
      t.equal(receiver.of(client.id).length, 1);
    },
  );

  await t.test('P6: twenty people sign out at the same moment, on both', async (t) => {
    const clients = [await told(fleet, receiver), await told(fleet, receiver)] as const;
    const people = [];
    for (let i = 0; i < 20; i++) {
      const person = await fleet.person();
      const browser = fleet.browser();
      for (const client of clients) await codeFor(browser, client, person);
      people.push({ person, browser, page: await browser.get('/oauth2/logout') });
    }
    const statuses = await Promise.all(
      people.map(async ({ browser, page }, turn) => {
        const [, xsrf = ''] = /name="xsrf" value="([^"]+)"/.exec(page.body) ?? [];
        const path = '/oauth2/logout/confirm';
        const server = fleet.at(turn);
        const answer = await server.ask(path, {
          headers: {
            cookie: cookieHeader(browser, path),
            origin: server.issuer,
            'sec-fetch-site': 'same-origin',
          },
          body: { xsrf, logout: 'yes' },
        });
        return answer.status;
      }),
    );
    t.ok(statuses.every((status) => status === 303));
    for (const { id } of clients) {
      await settled(db, id, 'delivered');
      const subjects = receiver.of(id).map(({ claims }) => claims.sub);
      t.equal(subjects.length, 20);
      t.same([...subjects].sort(), people.map(({ person }) => person.id).sort());
    }
  });

  await t.test(
    `P6: twenty sessions end at once in several ways, ${ROUNDS} times, each app is told of each once`,
    async (t) => {
      const clients = [await told(fleet, receiver), await told(fleet, receiver)] as const;
      const reasons = new Set<string>();
      for (let round = 0; round < ROUNDS; round++) {
        const people = await Promise.all(Array.from({ length: 10 }, () => fleet.person()));
        const uids = await Promise.all(
          people.flatMap(({ id }) => [plant(db, id, clients), plant(db, id, clients)]),
        );
        // All of it has expired, and is ended by hand as well.
        await db.$client`UPDATE sessions SET expires_at = now() WHERE uid = ANY(${uids})`;
        await Promise.all([
          ...people.map(({ id }) => signOutEverywhere(fleet.op(), id, 'operator')),
          expire(fleet.op(), 86_400),
          expire(fleet.op(), 86_400),
        ]);
        await until(
          `round ${round}: all are told`,
          async () => {
            const [row] = await db.$client`SELECT count(*)::int AS n FROM logout_deliveries
            WHERE session_uid = ANY(${uids}) AND state = 'delivered'`;
            return row?.n === 40;
          },
          30,
        );
        const rows = (await rowsOf(db)).filter(({ session }) => uids.includes(session));
        t.equal(rows.length, 40, `round ${round}: a delivery per session and app`);
        for (const row of rows) {
          const tries = receiver.of(row.client).filter(({ claims }) => claims.jti === row.id);
          if (tries.length !== 1 || row.attempts !== 1)
            t.fail(`round ${round}: ${tries.length} of ${row.attempts} tries arrived`);
        }
        for (const { reason } of rows) reasons.add(reason);
        const [ended] = await db.$client`SELECT count(*)::int AS n FROM audit_events
        WHERE type = 'session.ended' AND session_uid = ANY(${uids})`;
        t.equal(ended?.n, 20, `round ${round}: each ended once`);
      }
      t.same([...reasons].sort(), ['idle', 'operator'], 'each kind of ending was the first at times');
    },
  );

  await t.test(
    'P6 ATK-A163: an account disabled from the command line ends on the servers’ apps',
    async (t) => {
      const client = await told(fleet, receiver);
      const person = await fleet.person();
      await codeFor(fleet.browser(), client, person);
      await cli(fleet.at(0).env, 'account', 'disable', person.email);
      await settled(db, client.id, 'delivered');
      t.match(await rowsOf(db, client.id), [{ reason: 'disabled' }]);
      t.equal(receiver.of(client.id).length, 1);
    },
  );

  await t.test('P6 O10: the command line registers, signs out, lists and tries again', async (t) => {
    const { env } = fleet.at(0);
    const id = `cli-${randomBytes(4).toString('hex')}`;
    const made = JSON.parse(
      await cli(
        env,
        'client',
        'create',
        'Told',
        '--id',
        id,
        '--redirect-uri',
        'https://rp.test/cb',
        '--first-party',
        '--backchannel-logout-uri',
        receiver.uri(id),
        '--no-backchannel-session',
        '--json',
      ),
    );
    t.match(made, { backchannel_logout_uri: receiver.uri(id), backchannel_logout_session_required: false });
    const person = await fleet.person();
    const client = { id, secret: made.client_secret, redirectUri: 'https://rp.test/cb' } as TestClient;
    await codeFor(fleet.browser(), client, person);
    receiver.reply = () => 400;
    await cli(env, 'account', 'sign-out', person.email);
    await settled(db, id, 'refused');
    receiver.reply = () => 200;
    const listed = JSON.parse(
      await cli(env, 'logout', 'list', '--client', id, '--state', 'refused', '--json'),
    );
    t.match(listed, [
      { clientId: id, state: 'refused', reason: 'operator', attempts: 1, lastFailure: 'http_400' },
    ]);
    t.match(await cli(env, 'logout', 'list', '--client', id), new RegExp(`${id} +operator +refused +1`));
    const [{ id: delivery }] = listed;
    await cli(env, 'logout', 'retry', delivery);
    await settled(db, id, 'delivered');
    t.equal(receiver.of(id).length, 2);
    t.same(receiver.strange, []);
    await t.rejects(cli(env, 'logout', 'retry', delivery), /has taken this logout already/);
    await t.rejects(cli(env, 'logout', 'retry', randomUUID()), /no such logout/);
    await t.rejects(cli(env, 'logout', 'retry', 'x'), /no such logout/);
  });
});

t.test(
  'P6: a server killed between sending and noting it: the same jti once more, and the app has acted once',
  async (t) => {
    const fleet = await startFleet(t, { count: 1 });
    const [server] = fleet.servers as [ServerProcess];
    const receiver = await startReceiver(t, server.issuer);
    const client = await told(fleet, receiver);
    const person = await fleet.person();
    const browser = fleet.browser();
    await codeFor(browser, client, person);
    receiver.reply = async () => {
      await server.kill();
      return 200;
    };
    await signOut(browser);
    await server.exited;
    await until('the app has it', () => receiver.of(client.id).length === 1);
    t.match(await rowsOf(fleet.db, client.id), [{ state: 'pending', attempts: 1, failure: null }]);
    const { PORT: _, ...env } = server.env;
    await startServer(t, { env, port: await freePort() });
    await until('it is settled', async () => (await rowsOf(fleet.db, client.id))[0]?.state !== 'pending', 90);
    const all = receiver.of(client.id);
    t.equal(all.length, 2);
    t.equal(new Set(all.map(({ claims }) => claims.jti)).size, 1);
    t.equal(all.filter(({ first }) => first).length, 1, 'accepted once');
    // Whether the refusal means "had it" or "never", only the app knows: it is told apart.
    t.match(await rowsOf(fleet.db, client.id), [
      { state: 'refused', attempts: 2, failure: 'http_400_repeated' },
    ]);
    t.same(receiver.strange, []);
  },
);
