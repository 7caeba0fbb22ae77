// A person's whole way in a real Chromium, against a real server process on an empty data folder: what `npm start`
// gives. PICTURES=<folder> keeps a picture of every page.
import type { Page } from 'playwright-core';
import t from 'tap';
import { launch, look, openTab } from './harness/chromium.ts';
import { temporaryFolder } from './harness/folders.ts';
import { type ServerProcess, startServer } from './harness/server.ts';

t.setTimeout(240_000);

const PASSWORD = 'seven quiet herons at dusk';
const EMAIL = 'ada@example.org';
const setupLink = (server: ServerProcess): string => {
  const link = server.logs().find((line) => typeof line['Setup link'] === 'string')?.['Setup link'];
  if (typeof link !== 'string') throw new Error('the log shows no setup link');
  return link;
};

async function signIn(page: Page, password = PASSWORD): Promise<void> {
  await page.getByLabel('E-mail').fill(EMAIL);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

t.test('O1 A1 P9: from an empty data folder to tokens in the demo app', async (t) => {
  const server = await startServer(t, { env: { DATA_DIR: temporaryFolder(t) } });
  const { issuer } = server;
  const browser = await launch(t);
  const page = await openTab(t, browser, issuer, { viewport: { width: 1280, height: 800 } });

  await t.test('/ leads to setup while there is no administrator', async (t) => {
    await page.goto(issuer);
    t.equal(new URL(page.url()).pathname, '/setup');
    await look(t, page, 'setup without a link');
  });

  await t.test('the setup link makes the administrator', async (t) => {
    await page.goto(setupLink(server));
    t.equal(page.url(), `${issuer}/setup`, 'the token has left the address');
    await look(t, page, 'setup');
    await page.getByLabel('E-mail').fill(EMAIL);
    await page.getByLabel('Name').fill('Ada');
    await page.getByLabel('Password', { exact: true }).fill('short');
    await page.getByLabel('Password, once more').fill('short');
    await page.locator('form button[type=submit]').first().click();
    t.match(await page.locator('main').innerText(), /15 characters/, 'says what to change');
    await look(t, page, 'setup refused');
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByLabel('Password, once more').fill(PASSWORD);
    await page.locator('form button[type=submit]').first().click();
    await page.waitForURL(/\/login\//);
    t.equal(await page.getByLabel('E-mail').inputValue(), EMAIL, 'the address is filled in');
    await look(t, page, 'first sign-in');
  });

  await t.test('a wrong password says so, the right one leads on to the first app', async (t) => {
    await signIn(page, 'not my password at all');
    t.match(await page.getByRole('alert').innerText(), /wrong/);
    await look(t, page, 'sign-in refused');
    await signIn(page);
    await page.waitForURL(/\/setup\/app/);
    await look(t, page, 'first app');
    await page.getByLabel(/name/i).first().fill('Wiki');
    await page
      .getByLabel(/redirect/i)
      .first()
      .fill('https://wiki.example.com/callback');
    await page.locator('main form button[type=submit]').first().click();
    const text = await page.locator('main').innerText();
    t.match(text, /https:\/\/wiki\.example\.com\/callback/);
    t.match(text, /oauth2-proxy/i);
    await look(t, page, 'first app done');
  });

  await t.test('the demo app shows a whole code flow', async (t) => {
    await page.goto(`${issuer}/demo`);
    await look(t, page, 'demo');
    await page.locator('main form button, main a.button.primary').first().click();
    await page.waitForURL(/\/consent\//);
    t.match(await page.locator('main').innerText(), /Demo app/);
    await look(t, page, 'consent');
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.waitForURL(/\/demo\/result|\/demo/);
    const text = await page.locator('main').innerText();
    t.match(text, /ada@example\.org/, 'the ID token’s claims are shown');
    t.match(text, /urn:gatehouse:aal1/);
    await look(t, page, 'demo result');
    await page.getByRole('button', { name: /refresh/i }).click();
    t.match(await page.locator('main').innerText(), /refresh_token/);
    await page.getByRole('button', { name: /userinfo|user info/i }).click();
    t.match(await page.locator('main').innerText(), /userinfo/);
  });

  await t.test('the account page lists session and app, and withdraws the app', async (t) => {
    await page.goto(`${issuer}/account`);
    t.match(await page.locator('main').innerText(), /Demo app/);
    await look(t, page, 'account');
    await page
      .getByRole('button', { name: /withdraw|remove/i })
      .first()
      .click();
    const main = await page.locator('main').innerText();
    t.match(main, /No app uses your account/, 'the app is gone');
    t.match(main, /Earlier permissions\s+Demo app\s+.*withdrawn by you/, 'and remembered as such');
  });

  await t.test(
    'an open sign-in page of another tab, the back button, a page of yesterday: always a way on',
    async (t) => {
      const other = await openTab(t, browser, issuer, { viewport: { width: 1280, height: 800 } });
      await other.goto(`${issuer}/account`);
      const left = other.url();
      await signIn(other);
      await other.waitForURL(/\/account$/);
      await other.goto(left);
      t.match(await other.locator('main').innerText(), /already/i, 'a finished sign-in says so');
      await look(t, other, 'finished sign-in');
      await other.locator('main a.button').first().click();
      t.equal(new URL(other.url()).origin, issuer);
      t.notMatch(await other.locator('main').innerText(), /went wrong/i);
      await other.goto(`${issuer}/interaction/${'x'.repeat(43)}`);
      await look(t, other, 'unknown sign-in');
      t.ok(await other.locator('main a').count(), 'and leads somewhere');
      await other.goto(`${issuer}/no-such-page`);
      await look(t, other, 'not found');
      await other.goto(`${issuer}/oauth2/authorize?client_id=nobody&response_type=code`);
      await look(t, other, 'unknown app');
      await other.context().close();
    },
  );

  await t.test('signing out asks, and ends the session', async (t) => {
    await page.goto(`${issuer}/account`);
    await page
      .getByRole('link', { name: /sign out/i })
      .or(page.getByRole('button', { name: /sign out/i }))
      .first()
      .click();
    await page.waitForURL(/\/oauth2\/logout/);
    await look(t, page, 'logout');
    await page.getByRole('button', { name: /^sign out/i }).click();
    t.equal(await page.locator('h1').innerText(), 'You are signed out');
    await look(t, page, 'signed out');
    await page.goto(issuer);
    await look(t, page, 'welcome');
    await page.goto(`${issuer}/account`);
    await page.waitForURL(/\/login\//, { timeout: 5000 });
    t.ok(await page.getByLabel('Password', { exact: true }).isVisible(), 'the session is over');
  });
  await page.context().close();

  await t.test('A1: by keyboard alone', async (t) => {
    const tab = await openTab(t, browser, issuer, { viewport: { width: 1280, height: 800 } });
    await tab.goto(`${issuer}/account`);
    const focusOn = async (test: string) => {
      for (let step = 0; step < 15; step++) {
        if (await tab.evaluate(test)) return true;
        await tab.keyboard.press('Tab');
      }
      return false;
    };
    t.ok(await focusOn("document.activeElement?.name === 'email'"), 'the address is reached');
    await tab.keyboard.type(EMAIL);
    t.ok(await focusOn("document.activeElement?.name === 'password'"), 'the password is reached');
    const outline = await tab.evaluate(
      'getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).boxShadow',
    );
    t.not(outline, 'nonenone', 'focus is visible');
    await tab.keyboard.type(PASSWORD);
    await tab.keyboard.press('Enter');
    await tab.waitForURL(/\/account$/);
    t.match(await tab.locator('main').innerText(), /ada@example\.org/);
    await tab.context().close();
  });

  await t.test('A1: without JavaScript', async (t) => {
    const tab = await openTab(t, browser, issuer, {
      javaScriptEnabled: false,
      viewport: { width: 320, height: 640 },
    });
    await tab.goto(`${issuer}/demo`);
    await tab.locator('main form button, main a.button.primary').first().click();
    await signIn(tab);
    await tab.waitForURL(/\/consent\//);
    await tab.getByRole('button', { name: 'Allow' }).click();
    await tab.waitForURL(/\/demo/);
    t.match(await tab.locator('main').innerText(), /ada@example\.org/, 'tokens, too');
    await tab.context().close();
  });

  await t.test('the show-password button works and nothing moves', async (t) => {
    const tab = await openTab(t, browser, issuer, { viewport: { width: 768, height: 800 } });
    await tab.goto(`${issuer}/account`);
    const field = tab.locator('input[name=password]');
    await field.fill('abc');
    const before = await field.boundingBox();
    await tab.getByRole('button', { name: /show/i }).click();
    t.equal(await field.getAttribute('type'), 'text');
    t.same(await field.boundingBox(), before);
    await tab.context().close();
  });
});
