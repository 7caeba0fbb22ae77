// The limits of a session where only our own pages are used; what nobody's session costs.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { purge } from '../server/oidc/jobs.ts';
import { complete, startApp } from './harness/app.ts';

t.setTimeout(60_000);

t.test('A13: a session used on the account page alone stays, until the absolute limit', async (t) => {
  const app = await startApp(t, { SESSION_IDLE: '3', SESSION_MAX_AGE: '8' });
  const person = await app.person();
  const browser = app.visitor();
  const signedIn = await complete(browser, await browser.get('/account'), person);
  t.equal(signedIn.page.status, 200);
  t.notOk(
    browser.cookies().some(({ name, value }) => name === 'gatehouse_session' && value === ''),
    'there is a session cookie',
  );
  const began = Date.now();
  let ended = 0;
  while (Date.now() - began < 12_000) {
    await sleep(1000);
    const page = await browser.get('/account');
    if (page.status !== 200) {
      ended = Date.now() - began;
      break;
    }
  }
  t.ok(ended > 4500, `outlives the idle limit by being used (${ended} ms)`);
  t.ok(ended > 0 && ended < 11_000, 'and ends at the absolute limit');
});

t.test('A13: left alone, it is over after the idle limit', async (t) => {
  const app = await startApp(t, { SESSION_IDLE: '1' });
  const browser = app.visitor();
  await complete(browser, await browser.get('/account'), await app.person());
  await sleep(1600);
  t.equal((await browser.get('/account')).status, 303);
});

t.test('A13: the cookie of a session ends with the browser', async (t) => {
  const app = await startApp(t);
  const browser = app.visitor();
  const { page } = await complete(browser, await browser.get('/account'), await app.person());
  t.equal(page.status, 200);
  const raw = await fetch(`${app.issuer}/oauth2/logout`, {
    headers: {
      cookie: browser
        .cookies()
        .map(({ name, value }) => `${name}=${value}`)
        .join('; '),
    },
  });
  const set = raw.headers.getSetCookie().filter((line) => line.startsWith('gatehouse_session'));
  t.ok(set.length > 0);
  for (const line of set) t.notMatch(line, /expires|max-age/i);
});

t.test('nobody’s sessions, made by logout forms, are short and purged at their end', async (t) => {
  const app = await startApp(t, { INTERACTION_TTL: '1' });
  for (let i = 0; i < 5; i++) await app.visitor().get('/oauth2/logout');
  const count = async () => (await app.db.$client`SELECT count(*)::int AS n FROM sessions`)[0]?.n;
  t.equal(await count(), 5);
  await sleep(1500);
  await purge(app.op());
  t.equal(await count(), 0);
});
