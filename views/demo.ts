// The built-in demo app: it shows a whole code flow, request by request, and the tokens it ended with.

import { form } from './fields.ts';
import { frame } from './frame.ts';
import { attributes, type Html, html } from './html.ts';
import { qrCode } from './qr.ts';
import { en, type Words } from './words.ts';

export interface DemoHomeProps {
  /** Begins the sign-in; a GET. */
  startHref: string;
  /** Begins the device flow; a GET. */
  deviceHref: string;
  configured: boolean;
}

export interface DemoDeviceProps {
  userCode: string;
  /** Where the code is entered, and the same with the code in it. */
  address: string;
  completeAddress: string;
  /** Seconds until the page asks again by itself. */
  interval: number;
  checkHref: string;
  home: string;
}

export interface DemoResultProps {
  /** In order. Requests and responses are shown as they are, line by line; `note` says what the step is for. */
  steps: readonly { title: string; request: string; response: string; note: string }[];
  /** Numbers of the steps that are shown open, from 1. */
  openSteps: readonly number[];
  /** What came of the last button, and in which step. */
  notice: { text: string; step: number } | null;
  /** Checked by the demo app before it shows them. */
  idTokenClaims: Readonly<Record<string, unknown>>;
  /** `decoded` is the readable content, or null for an opaque token. */
  tokens: readonly { name: string; value: string; decoded: string | null }[];
  /** All three are posted with `_csrf` only; null leaves the button out. */
  refreshAction: string | null;
  userinfoAction: string | null;
  logoutAction: string;
  csrf: string;
}

export const demoHomePage = ({ startHref, deviceHref, configured }: DemoHomeProps, words: Words = en): Html =>
  frame(words, {
    title: words.demo.title,
    content: html`
<p class="step">${words.demo.title}</p>
<h1>${words.demo.heading}</h1>
<p class="lead">${words.demo.intro}</p>
<ol class="plain">
${words.demo.points.map((point) => html`<li>${point}</li>\n`)}
</ol>
${
  configured
    ? html`<p class="ways"><a class="button primary" href="${startHref}">${words.demo.start(words.service)}</a>
<a class="button secondary" href="${deviceHref}">${words.demo.startDevice}</a></p>`
    : html`<div class="notice"><p>${words.demo.notConfigured}</p></div>
<p class="ways"><a class="button secondary" href="/">${words.common.toStart}</a></p>`
}
<p class="small quiet">${words.demo.kept}</p>`,
  });

/** What a screen without a keyboard shows. The answer carries a Refresh header; nothing here needs a script. */
export const demoDevicePage = (props: DemoDeviceProps, words: Words = en): Html =>
  frame(words, {
    title: words.demo.device.heading,
    content: html`
<p class="step">${words.demo.title}</p>
<h1>${words.demo.device.heading}</h1>
<p class="lead">${words.demo.device.intro}</p>
${qrCode(props.completeAddress, words.demo.device.qr(props.completeAddress))}
<p class="centre">${words.demo.device.scan} <a href="${props.address}" target="_blank" rel="noopener">${props.address}</a> ${words.demo.device.enter}</p>
<p class="user-code"><code>${props.userCode}</code></p>
<p class="small quiet" role="status">${words.demo.device.waiting(words.common.duration(props.interval))}</p>
<p class="ways"><a class="button primary" href="${props.completeAddress}" target="_blank" rel="noopener">${words.demo.device.open}</a>
<a class="button secondary" href="${props.checkHref}">${words.demo.device.check}</a>
<a class="button secondary" href="${props.home}">${words.demo.device.stop}</a></p>`,
  });

const TIMES = new Set(['exp', 'iat', 'nbf', 'auth_time', 'updated_at']);

/** The value as it is in the token; behind times, the time in words. */
function claimValue(claim: string, value: unknown): Html {
  const time = TIMES.has(claim) && typeof value === 'number' ? new Date(value * 1000) : new Date(Number.NaN);
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  return html`<code>${text}</code>${!Number.isNaN(time.getTime()) && html` <small>${time.toISOString().replace('T', ' ').replace('.000Z', ' UTC')}</small>`}`;
}

export function demoResultPage(props: DemoResultProps, words: Words = en): Html {
  const post = (action: string | null, label: string) =>
    action !== null &&
    form({
      action,
      csrf: props.csrf,
      content: html`<button type="submit" class="secondary">${label}</button>`,
    });
  const meaning = (claim: string): string =>
    Object.hasOwn(words.demo.claimMeanings, claim) ? (words.demo.claimMeanings[claim] ?? '') : '';
  return frame(words, {
    title: words.demo.title,
    width: 'wide',
    content: html`
<p class="step">${words.demo.title}</p>
<h1>${words.demo.resultHeading}</h1>
<p class="lead">${words.demo.resultIntro}</p>
<div class="actions">
${post(props.refreshAction, words.demo.refresh)}
${post(props.userinfoAction, words.demo.userinfo)}
${post(props.logoutAction, words.demo.signOut)}
</div>
${props.notice !== null && html`<div class="notice" role="status"><p>${props.notice.text} <a href="${`#step-${props.notice.step}`}">${words.demo.stepLink(props.notice.step)}</a></p></div>`}
<section class="card">
<h2>${words.demo.claims}</h2>
<dl class="claims">
${Object.entries(props.idTokenClaims).map(
  ([claim, value]) =>
    html`<div><dt><code>${claim}</code>${meaning(claim) !== '' && html`<small>${meaning(claim)}</small>`}</dt><dd>${claimValue(claim, value)}</dd></div>\n`,
)}</dl>
</section>
${
  props.tokens.length > 0 &&
  html`<section class="card">
<h2>${words.demo.tokens}</h2>
<p class="quiet">${words.demo.tokensIntro}</p>
${props.tokens.map(
  ({ name, value, decoded }) => html`
<details>
<summary>${name} <span class="quiet"><code>${[...value].slice(0, 16).join('')}…</code> ${words.demo.characters([...value].length)}</span></summary>
<pre><code>${value}</code></pre>
${decoded !== null && html`<h3>${words.demo.decoded}</h3>\n<pre><code>${decoded}</code></pre>`}
</details>`,
)}
</section>`
}
${
  props.steps.length > 0 &&
  html`<section class="card">
<h2>${words.demo.steps}</h2>
<ol class="flow">
${props.steps.map(
  (step, i) => html`<li id="step-${i + 1}">
<h3>${step.title}</h3>
<p>${step.note}</p>
<details ${attributes({ open: props.openSteps.includes(i + 1) })}>
<summary>${words.demo.request}</summary>
<pre><code>${step.request}</code></pre>
</details>
<details ${attributes({ open: props.openSteps.includes(i + 1) })}>
<summary>${words.demo.response}</summary>
<pre><code>${step.response}</code></pre>
</details>
</li>
`,
)}</ol>
</section>`
}`,
  });
}

const plain: DemoResultProps = {
  steps: [
    {
      title: 'Authorization request',
      request:
        'GET /oauth2/authorize\n  ?client_id=demo\n  &response_type=code\n  &scope=openid profile email offline_access\n  &redirect_uri=http://localhost:3000/demo/callback\n  &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\n  &code_challenge_method=S256\n  &state=af0ifjsldkj\n  &nonce=n-0S6_WzA2Mj',
      response:
        '303 See Other\nlocation: http://localhost:3000/demo/callback?code=SplxlOBeZQQYbYS6WxSbIA&state=af0ifjsldkj&iss=http%3A%2F%2Flocalhost%3A3000',
      note: 'The browser is sent here. The code comes back in the address, useless without the verifier that only the app holds.',
    },
    {
      title: 'Token request',
      request:
        'POST /oauth2/token\nauthorization: Basic …\n\ngrant_type=authorization_code\n&code=SplxlOBeZQQYbYS6WxSbIA\n&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
      response:
        '200 OK\ncontent-type: application/json\n\n{ "token_type": "Bearer", "expires_in": 900, "access_token": "…", "id_token": "…" }',
      note: 'From server to server. The code works once, within a minute.',
    },
  ],
  idTokenClaims: {
    sub: '0192d3a4-7c1e-7b1a-9f53-0a4e6f5b2c11',
    email: 'ada@example.com',
    email_verified: true,
    name: 'Ada Lovelace',
    amr: ['pwd'],
    auth_time: 1795161600,
    nonce: 'n-0S6_WzA2Mj',
    aud: 'demo',
    exp: 1795162500,
    iat: 1795161600,
    iss: 'http://localhost:3000',
  },
  tokens: [
    {
      name: 'ID token',
      value: `${'an-example-of-an-id-token.'.repeat(12)}c2ln`,
      decoded: '{\n  "alg": "RS256"\n}\n.\n{\n  "sub": "0192d3a4"\n}',
    },
    { name: 'Access token', value: 'an-example-of-an-opaque-access-token-xxxxxx', decoded: null },
    { name: 'Refresh token', value: 'an-example-of-a-refresh-token-xxxxxxxxxxxxx', decoded: null },
  ],
  openSteps: [1],
  notice: null,
  refreshAction: '/demo/refresh',
  userinfoAction: '/demo/userinfo',
  logoutAction: '/demo/logout',
  csrf: 'csrf-token',
};

const device: DemoDeviceProps = {
  userCode: 'WDJB-MJHT',
  address: 'http://localhost:3000/device',
  completeAddress: 'http://localhost:3000/device?user_code=WDJB-MJHT',
  interval: 5,
  checkHref: '/demo/device',
  home: '/demo',
};

export const examples = {
  home: {
    plain: { startHref: '/demo/start', deviceHref: '/demo/device/start', configured: true },
    notConfigured: { startHref: '/demo/start', deviceHref: '/demo/device/start', configured: false },
    hostile: { startHref: 'javascript:alert(1)', deviceHref: 'data:text/html,x', configured: true },
  } satisfies Record<string, DemoHomeProps>,
  device: {
    plain: device,
    hostile: {
      ...device,
      userCode: '"><script>alert(1)</script>{{7*7}}',
      address: 'javascript:alert(1)',
      completeAddress: 'javascript:"><script>alert(1)</script>',
    },
  } satisfies Record<string, DemoDeviceProps>,
  result: {
    plain,
    short: { ...plain, steps: [], tokens: [], refreshAction: null, userinfoAction: null },
    again: { ...plain, openSteps: [2], notice: { text: 'There are new tokens.', step: 2 } },
    hostile: {
      ...plain,
      steps: [
        {
          title: '<img src=x onerror=alert(1)>',
          request: '</pre><script>alert(1)</script>',
          response: '{{7*7}}',
          note: '<b>',
        },
      ],
      idTokenClaims: {
        '<script>': '</code><script>',
        constructor: null,
        name: '<img src=x onerror=alert(1)>',
        exp: 1e300,
        nothing: undefined,
      },
      tokens: [
        { name: '"><script>', value: '</summary><script>', decoded: '</pre><img src=x onerror=alert(1)>' },
      ],
      logoutAction: 'data:text/html,x',
      notice: { text: '<script>alert(1)</script>', step: 1 },
    },
    longWords: {
      ...plain,
      idTokenClaims: { ['c'.repeat(90)]: 'v'.repeat(400), name: 'عائشة 👩🏽‍🚀' },
      tokens: [{ name: 'N'.repeat(90), value: '🔑'.repeat(600), decoded: 'd'.repeat(600) }],
    },
  } satisfies Record<string, DemoResultProps>,
};
