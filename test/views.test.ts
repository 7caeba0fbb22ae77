import fc from 'fast-check';
import t from 'tap';
import * as account from '../views/account.ts';
import { assets, assetUrl } from '../views/assets.ts';
import * as consent from '../views/consent.ts';
import * as demo from '../views/demo.ts';
import * as device from '../views/device.ts';
import type { Html } from '../views/html.ts';
import * as logout from '../views/logout.ts';
import * as problem from '../views/problem.ts';
import * as setup from '../views/setup.ts';
import * as signIn from '../views/sign-in.ts';
import * as welcome from '../views/welcome.ts';
import { en } from '../views/words.ts';

interface Page {
  name: string;
  props: unknown;
  render: (props: unknown) => string;
}

function pagesOf<P>(name: string, page: (props: P) => Html, examples: Readonly<Record<string, P>>): Page[] {
  return Object.entries(examples).map(([example, props]) => ({
    name: `${name}, ${example}`,
    props,
    render: (some) => String(page(some as P)),
  }));
}

const pages: Page[] = [
  ...pagesOf('sign-in', signIn.signInPage, signIn.examples),
  ...pagesOf('consent', consent.consentPage, consent.examples),
  ...pagesOf('setup', setup.setupPage, setup.examples.setup),
  ...pagesOf('setup closed', setup.setupClosedPage, setup.examples.closed),
  ...pagesOf('setup app', setup.setupAppPage, setup.examples.app),
  ...pagesOf('setup app done', setup.setupAppDonePage, setup.examples.done),
  ...pagesOf('logout', logout.logoutPage, logout.examples.logout),
  ...pagesOf('signed out', logout.signedOutPage, logout.examples.signedOut),
  ...pagesOf('problem', problem.problemPage, problem.examples.problem),
  ...pagesOf('wrong host', problem.wrongHostPage, problem.examples.wrongHost),
  ...pagesOf('expired', problem.expiredPage, problem.examples.expired),
  ...pagesOf('device code', device.deviceCodePage, device.examples.code),
  ...pagesOf('device confirm', device.deviceConfirmPage, device.examples.confirm),
  ...pagesOf('device end', device.deviceEndPage, device.examples.end),
  ...pagesOf('account', account.accountPage, account.examples),
  ...pagesOf('demo home', demo.demoHomePage, demo.examples.home),
  ...pagesOf('demo device', demo.demoDevicePage, demo.examples.device),
  ...pagesOf('demo result', demo.demoResultPage, demo.examples.result),
  ...pagesOf('welcome', welcome.welcomePage, welcome.examples),
];

interface Tag {
  name: string;
  attributes: ReadonlyMap<string, string>;
}

/** Strict reader of the markup our templates write. `rest` is what is not a tag, and holds no < or > if all is well. */
function read(markup: string): { tags: Tag[]; rest: string } {
  const tags: Tag[] = [];
  const rest = markup.replace(
    /<(\/?[a-z][a-z0-9]*|!doctype)((?:\s+[a-zA-Z-]+(?:="[^"<>]*")?)*)\s*>/g,
    (_, name: string, list: string) => {
      const found = [...list.matchAll(/\s([a-zA-Z-]+)(?:="([^"]*)")?/g)];
      tags.push({ name, attributes: new Map(found.map(([, key, value]) => [key ?? '', value ?? ''])) });
      return '';
    },
  );
  return { tags, rest };
}

const ours = new Set(
  '!doctype html head meta title link script body header main section div p h1 h2 h3 span small strong code pre bdi time a img ul ol li dl dt dd form input button label fieldset legend details summary svg rect path'.split(
    ' ',
  ),
);

t.test('ATK-A198 ATK-A020: every page with every example, hostile values too', async (t) => {
  for (const { name, props, render } of pages) {
    await t.test(name, async (t) => {
      const markup = render(props);
      t.matchSnapshot(markup.replace(/(\/assets\/[a-z-]+)-[0-9a-f]{12}\./g, '$1-HASH.'), 'page');
      const { tags, rest } = read(markup);
      t.notMatch(rest, /[<>]/, 'all markup is ours');
      const all = (...names: string[]): Tag[] => tags.filter((tag) => names.includes(tag.name));
      const ids = tags.flatMap(({ attributes }) => attributes.get('id') ?? []);

      const strange = tags.filter((tag) => !ours.has(tag.name.replace('/', '')));
      t.strictSame(strange, [], 'no tag but ours');
      const inline = tags.filter((tag) => [...tag.attributes.keys()].some((key) => /^(on|style$)/.test(key)));
      t.strictSame(inline, [], 'no inline script or style');
      t.notMatch(markup, /<script[^>]*>[^<]/, 'no script in the page');
      for (const { attributes } of all('img', 'script', 'link')) {
        const address = attributes.get('src') ?? attributes.get('href') ?? '';
        t.ok(assets.has(address), `${address} is a file of ours`);
      }
      for (const { attributes } of all('a', 'form')) {
        const address = attributes.get('href') ?? attributes.get('action') ?? '';
        t.match(address, /^(https?:\/\/|\/(?!\/)|#[\w-]+$|about:blank$)/, 'a link leads to a page');
      }
      if (JSON.stringify(props).includes('{{7*7}}')) t.match(rest, '{{7*7}}', 'nothing is evaluated');

      t.equal(all('h1').length, 1, 'one h1');
      t.equal(all('main').length, 1, 'one main');
      t.match(markup, /^<!doctype html>\n<html lang="en" dir="ltr">/);
      t.match(markup, /<title>[^<]+ · Gatehouse<\/title>/);
      t.equal(new Set(ids).size, ids.length, 'ids are unique');
      for (const { attributes } of tags) {
        for (const id of (attributes.get('aria-describedby') ?? '').split(' ').filter(Boolean)) {
          t.ok(ids.includes(id), `${id} describes something and exists`);
        }
      }

      const labelled = new Set(all('label').map(({ attributes }) => attributes.get('for')));
      for (const { attributes } of all('input')) {
        const field = attributes.get('name');
        const type = attributes.get('type');
        if (type === 'hidden') continue;
        if (type === 'radio') {
          t.match(markup, new RegExp(`<label class="option"><input id="${attributes.get('id')}"`));
          continue;
        }
        t.ok(labelled.has(attributes.get('id')), `${field} has a label`);
        t.ok(attributes.get('autocomplete'), `${field} says what fills it`);
        t.notOk(attributes.has('maxlength') || attributes.has('pattern'), 'what is pasted is never cut');
        if (type === 'password') t.notOk(attributes.has('value'), 'no password is sent back');
      }
      for (const [whole] of markup.matchAll(/<form [\s\S]*?<\/form>/g)) {
        t.match(whole, /^<form method="post" action="/);
        t.match(whole, /<input type="hidden" name="(_csrf|xsrf)" value="/, 'a form token');
        t.match(whole, /<button type="submit"/, 'works without JavaScript');
      }
    });
  }
});

t.test('ATK-A198: whatever text stands in the properties, the markup stays the same', async (t) => {
  const fragments =
    '<script>alert(1)</script>|"|\'|>|<|&|-->|<!--|</title>| onfocus="x"|\u202e|{{7*7}}|</textarea>'.split(
      '|',
    );
  const text = fc
    .array(fc.oneof(fc.constantFrom(...fragments), fc.string({ unit: 'binary', maxLength: 4 })), {
      minLength: 1,
      maxLength: 6,
    })
    .map((parts) => `x${parts.join('')}`);
  /** Addresses, choices and times shape a page; all else in the properties is text. */
  const shaping =
    /action$|href$|^(home|issuer|kind|clientUri|since|scopes|newScopes|signedInAt|lastSeenAt)$/i;
  function withTexts(value: unknown, next: () => string, key = ''): unknown {
    if (typeof value === 'string') return shaping.test(key) ? value : next();
    if (key === 'scopes' || key === 'newScopes' || typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((one) => withTexts(one, next));
    return Object.fromEntries(Object.entries(value).map(([k, one]) => [k, withTexts(one, next, k)]));
  }
  const shape = (markup: string): string => {
    const { tags, rest } = read(markup);
    if (/[<>]/.test(rest)) return 'markup that is not ours';
    return tags.map(({ name, attributes }) => `${name} ${[...attributes.keys()].join(' ')}`).join('\n');
  };
  const some = pages.filter(({ name }) => /, (plain|errors|wrong|fault|finished|expired)$/.test(name));
  t.equal(some.length, 23);
  for (const { name, props, render } of some) {
    const expected = shape(render(withTexts(props, () => 'x')));
    t.not(expected, 'markup that is not ours');
    fc.assert(
      fc.property(fc.array(text, { minLength: 5, maxLength: 5 }), (texts) => {
        let n = 0;
        const next = (): string => texts[n++ % texts.length] ?? '';
        return shape(render(withTexts(props, next))) === expected;
      }),
      { numRuns: 60 },
    );
    t.pass(name);
  }
});

t.test('A1: what the pages say of their fields', async (t) => {
  const wrong = String(signIn.signInPage(signIn.examples.wrong));
  t.match(wrong, /id="form-error" role="alert"/);
  t.match(wrong, /name="email" type="email" value="ada@example.com" autocomplete="username"/);
  t.match(
    wrong,
    /name="password" type="password" autocomplete="current-password"[^>]* aria-describedby="form-error" aria-invalid="true"/,
  );
  const wait = String(signIn.signInPage(signIn.examples.wait));
  t.match(wait, /in 29 minutes\./);
  t.notMatch(wait, /aria-invalid/, 'nothing typed is wrong while waiting');

  const faults = String(setup.setupPage(setup.examples.setup.errors));
  t.match(
    faults,
    /name="password"[^>]* autocomplete="new-password"[^>]* aria-describedby="password-error password-hint" aria-invalid="true"/,
  );
  t.match(faults, /<p class="error" id="password-error" role="alert">The password is too short\.<\/p>/);
  t.match(faults, /At least 15 characters\./);
});

t.test('P9: consent shows what is new apart from what was granted', async (t) => {
  const wider = String(consent.consentPage(consent.examples.wider));
  const [asked, held] = wider.split('You have already allowed it to:');
  t.match(asked, /Keep this access while you are away/);
  t.notMatch(asked, /See your profile/);
  t.match(held, /See your profile/);
  t.match(wider, /This lasts for 30 days at most\. You can withdraw it/);
  t.match(wider, /name="decision" value="deny"[\s\S]*name="decision" value="allow"/);
  const hostile = String(consent.consentPage(consent.examples.hostile));
  t.notMatch(hostile, /javascript:|data:/);
  t.match(
    hostile,
    /Use <code>constructor<\/code>/,
    'a scope named like a property of objects is only a name',
  );
});

t.test('O4: pages for problems always show a way forward and the request id', async (t) => {
  for (const props of Object.values(problem.examples.problem)) {
    t.match(String(problem.problemPage(props)), /<a class="button primary" href="/);
  }
  for (const kind of ['expired', 'finished', 'otherBrowser'] as const) {
    const page = String(
      problem.expiredPage({ kind, requestId: 'req-1', continueTo: null, home: '/account' }),
    );
    t.match(page, /<a class="button primary" href="\/account">/);
    t.match(page, /req-1/);
  }
  t.match(
    String(problem.wrongHostPage(problem.examples.wrongHost.plain)),
    /change the setting <code>ISSUER<\/code>/,
  );
});

t.test('A13: times are shown for people and kept for machines', async (t) => {
  const page = String(account.accountPage(account.examples.plain));
  t.match(page, /<time datetime="2026-11-20T08:12:00\.000Z">20 Nov 2026, 08:12 UTC<\/time>/);
  t.match(page, /aria-label="Withdraw the access of Field Notes"/);
});

t.test('A1: waiting times in words', async (t) => {
  const seconds = [0, 1, 59, 89, 90, 1730, 5399, 5400, 86_400];
  t.strictSame(seconds.map(en.common.duration), [
    '1 second',
    '1 second',
    '59 seconds',
    '89 seconds',
    '2 minutes',
    '29 minutes',
    '90 minutes',
    '2 hours',
    '24 hours',
  ]);
});

t.test('O11: the files of the pages load nothing from elsewhere and are small', async (t) => {
  t.match(assetUrl('gatehouse.css'), /^\/assets\/gatehouse-[0-9a-f]{12}\.css$/);
  t.throws(() => assetUrl('nothing.css'));
  t.strictSame([...assets.values()].map(({ type }) => type).sort(), [
    'image/svg+xml',
    'text/css; charset=utf-8',
    'text/javascript; charset=utf-8',
  ]);
  for (const [address, { body }] of assets) {
    const text = body.toString().replace('http://www.w3.org/2000/svg', '');
    t.notMatch(text, /https?:|["'(]\/\/|@import|url\(/, address);
    t.ok(body.length < 12 * 1024, `${address} is under 12 KB`);
  }
});
