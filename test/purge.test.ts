// What the purge removes, and what it must leave for later requests to recognise (R14, R16).
import t from 'tap';
import { purge } from '../server/oidc/jobs.ts';
import { startApp, tokenRequest, tokens } from './harness/app.ts';

t.setTimeout(120_000);

const DAY = 86_400_000;

t.test('O10 R14: purging', async (t) => {
  const app = await startApp(t);
  const client = await app.client();
  const person = await app.person();
  const { body, browser } = await tokens(app, client, person);
  const rotated = await tokenRequest(app.issuer, client, {
    grant_type: 'refresh_token',
    refresh_token: body.refresh_token as string,
  });
  t.equal(rotated.status, 200);
  const count = async () => {
    const [row] = await app.db.$client`
      SELECT (SELECT count(*) FROM access_tokens)::int AS access, (SELECT count(*) FROM authorization_codes)::int AS codes,
             (SELECT count(*) FROM refresh_tokens)::int AS refresh, (SELECT count(*) FROM grants)::int AS grants,
             (SELECT count(*) FROM sessions)::int AS sessions, (SELECT count(*) FROM interactions)::int AS interactions,
             (SELECT count(*) FROM refresh_tokens WHERE successor_sealed IS NOT NULL)::int AS sealed`;
    return row;
  };
  const at = (ms: number) => ({ ...app.op(), now: new Date(Date.now() + ms) });

  await purge(at(0));
  t.same(
    await count(),
    { access: 2, codes: 1, refresh: 2, grants: 1, sessions: 1, interactions: 2, sealed: 1 },
    'nothing is due',
  );

  await purge(at(75_000));
  t.equal((await count())?.sealed, 0, 'P3: the successor’s seal is erased with its window');
  await app.db
    .$client`UPDATE refresh_tokens SET replay_until = now() - interval '1 second' WHERE replay_until IS NOT NULL`;

  await purge(at(2 * 3_600_000));
  t.match(
    await count(),
    { access: 0, codes: 1, refresh: 2, sessions: 1 },
    'an hour after their end access tokens are gone',
  );

  await purge(at(7.5 * DAY));
  t.match(
    await count(),
    { codes: 0, refresh: 2, grants: 1 },
    'a spent refresh token outlives its end by a day',
  );
  const reuse = await tokenRequest(app.issuer, client, {
    grant_type: 'refresh_token',
    refresh_token: body.refresh_token as string,
  });
  t.equal(reuse.status, 400);
  t.equal((await app.events('token.reused')).length, 1, 'so its reuse is recognised');

  await purge(at(40 * DAY));
  t.match(await count(), { access: 0, codes: 0, refresh: 0, grants: 0, sessions: 0, interactions: 0 });
  const again = await browser.get('/account');
  t.equal(again.status, 303, 'a browser that comes back signs in anew');

  await t.test('O10: purging beside traffic waits for nobody and is idempotent', async (t) => {
    const other = await app.client();
    const rounds = Array.from({ length: 5 }, async () => purge(at(0)));
    const flows = Array.from({ length: 3 }, () => tokens(app, other, person));
    t.equal((await Promise.all(flows)).length, 3);
    await Promise.all(rounds);
  });
});
