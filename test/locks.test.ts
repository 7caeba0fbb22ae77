// Everything that ends something beside everything that is under way, on two processes and in a third: sign-ins, codes
// redeemed twice, refreshes, thefts, devices, sign-outs, withdrawals, disabled accounts, expiry, the purge. PostgreSQL
// finds no circle of locks, and nobody is answered a fault. LONG=1 goes on for five minutes.
import t from 'tap';
import { disable, enable, signOutEverywhere } from '../server/accounts/accounts.ts';
import { DEVICE_CODE } from '../server/clients/clients.ts';
import { revoke } from '../server/consents/consents.ts';
import { purge } from '../server/oidc/jobs.ts';
import { expire } from '../server/sessions/sessions.ts';
import { authorizePath, PASSWORD, pkce, type TestClient } from './harness/app.ts';
import { formsOf, type Page, type Visitor } from './harness/browser.ts';
import { appAsks, atOnce, redeem, refresh, startFleet } from './harness/fleet.ts';

/** Seconds. */
const DURATION = process.env.LONG ? 300 : 12;
const LANES = 10;
t.setTimeout((DURATION + 120) * 1000);

const any = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T;
const sometimes = () => Math.random() < 0.3;

/** Whatever pages stand between a person and the end. */
async function through(browser: Visitor, from: Page, person: { email: string }): Promise<Page> {
  let page = await browser.follow(from);
  for (let step = 0; step < 5 && page.location === null; step++) {
    const fills: [RegExp, Record<string, string>][] = [
      [/^\/login\/[^/]+\/password$/, { email: person.email, password: PASSWORD }],
      [/^\/consent\/[^/]+$/, { decision: 'allow' }],
      [/logout\/confirm$/, {}],
    ];
    const forms = formsOf(page.body);
    const fill = fills.find(([action]) => forms.some((form) => action.test(form.action)));
    if (!fill) break;
    page = await browser.follow(await browser.submit(page, ...fill));
  }
  return page;
}

t.test('O8 P3 P4 P6 A13: no circle of locks', async (t) => {
  const fleet = await startFleet(t, {
    env: {
      DEVICE_POLL_INTERVAL: '1',
      ADDRESS_LOCKOUT_ATTEMPTS: '100000',
      ACCOUNT_LOCKOUT_ATTEMPTS: '100',
      SESSION_EXPIRE_INTERVAL: '1',
      PURGE_INTERVAL: '1',
    },
  });
  const { issuer } = fleet.at(0);
  const told = { backchannelLogoutUri: 'https://rp.invalid/logout' };
  const own = await fleet.client({ firstParty: true, ...told });
  const third = await fleet.client(told);
  const tv = await fleet.client({
    public: true,
    grantTypes: [DEVICE_CODE, 'refresh_token'],
    redirectUris: [],
    ...told,
  });
  const people = [await fleet.person(), await fleet.person()].map((person) => ({
    ...person,
    browsers: [fleet.browser(), fleet.browser()],
  }));
  const statuses = new Map<string, number>();
  const see = (what: string, { status }: { status: number }) => {
    const key = `${what} ${status}`;
    statuses.set(key, (statuses.get(key) ?? 0) + 1);
  };

  async function code(client: TestClient) {
    const person = any(people);
    const browser = any(person.browsers);
    const proof = pkce();
    const more = { scope: 'openid offline_access', prompt: 'consent' };
    const page = await through(browser, await browser.get(authorizePath(client, proof, more)), person);
    see('sign-in', page);
    const code = page.location && new URL(page.location, page.url).searchParams.get('code');
    return code ? { code, verifier: proof.verifier } : null;
  }

  async function silent() {
    const browser = any(any(people).browsers).clone();
    const scope = any(['openid', 'openid email', 'openid profile email']);
    see('silent', await browser.get(authorizePath(any([own, third]), pkce(), { scope })));
  }

  async function family(turn: number) {
    const client = any([own, third]);
    const got = await code(client);
    if (!got) return;
    const redeemed = await atOnce(sometimes() ? 2 : 1, (at) => redeem(fleet.at(turn + at), client, got));
    for (const answer of redeemed) see('redeem', answer);
    const first = redeemed.find(({ status }) => status === 200)?.body.refresh_token;
    if (!first) return;
    const refreshed = await atOnce(2, (at) => refresh(fleet.at(turn + at), client, first));
    for (const answer of refreshed) see('refresh', answer);
    const second = refreshed.find(({ status }) => status === 200)?.body.refresh_token;
    if (!second) return;
    const ends = await Promise.all([
      refresh(fleet.at(turn), client, second),
      appAsks(fleet.at(turn + 1), client, '/oauth2/revoke', { token: second }),
      ...(sometimes()
        ? [refresh(fleet.at(turn), client, first), refresh(fleet.at(turn + 1), client, first)]
        : []),
    ]);
    for (const answer of ends) see('end', answer);
  }

  async function device(turn: number) {
    const begun = await fetch(`${issuer}/oauth2/device_authorization`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: tv.id, scope: 'openid offline_access' }),
    });
    const issued = (await begun.json()) as { device_code: string; user_code: string };
    const form = { grant_type: DEVICE_CODE, device_code: issued.device_code };
    const poll = (at: number) => appAsks(fleet.at(turn + at), tv, '/oauth2/token', form);
    const person = any(people);
    const browser = any(person.browsers).clone();
    const entry = await browser.get('/device');
    const question = await browser.submit(entry, /^\/device$/, { user_code: issued.user_code });
    see('question', question);
    if (!/name="confirm"/.test(question.body)) return;
    const [answered, ...polled] = await Promise.all([
      browser.submit(question, /^\/device$/, { confirm: 'yes' }),
      poll(0),
      poll(1),
      ...(sometimes() ? [browser.clone().submit(question, /^\/device$/, { abort: 'yes' })] : []),
    ]);
    see('device', await through(browser, answered, person));
    for (const answer of polled) see('meanwhile', answer);
    for (const answer of await atOnce(3, poll)) see('poll', answer);
  }

  async function signOut() {
    const browser = any(any(people).browsers).clone();
    const page = await browser.get('/oauth2/logout');
    see('sign-out', page);
    if (formsOf(page.body).some(({ action }) => /confirm$/.test(action)))
      see('sign-out', await browser.submit(page, /confirm$/, { logout: 'yes' }));
  }

  const endings: (() => Promise<unknown>)[] = [
    () => signOutEverywhere(fleet.op(), any(people).id, 'test'),
    () => revoke(fleet.op(), any(people).id, any([own, third, tv]).id),
    async () => {
      const { id } = any(people);
      await disable(fleet.op(), id);
      await enable(fleet.op(), id);
    },
    async () => {
      await fleet.db.$client`
        UPDATE sessions SET expires_at = now() - interval '1 second' WHERE uid IN (
          SELECT uid FROM sessions WHERE ended_at IS NULL AND account_id IS NOT NULL LIMIT 2 FOR UPDATE SKIP LOCKED)`;
      await expire(fleet.op(), 86_400);
    },
    () => purge(fleet.op()),
  ];
  const ending = () => any(endings)();
  const acts = [silent, silent, family, family, family, device, device, device, signOut, ending];

  const until = Date.now() + DURATION * 1000;
  let count = 0;
  await atOnce(LANES, async (lane) => {
    while (Date.now() < until) await any(acts)(lane + count++);
  });
  const seen = [...statuses].map(([what, times]) => `${what} ×${times}`).sort();
  t.comment(`${count} acts: ${seen.join(', ')}`);
  t.same(
    seen.filter((what) => / 5\d\d /.test(what)),
    [],
  );
  for (const good of [
    'sign-in 303',
    'silent 303',
    'redeem 200',
    'refresh 200',
    'device 200',
    'poll 200',
    'sign-out 303',
  ])
    t.ok(statuses.has(good), `${good}: it was about something`);
  const [stats] = await fleet.db.$client`
    SELECT deadlocks::int AS n FROM pg_stat_database WHERE datname = current_database()`;
  t.equal(stats?.n, 0);
});
