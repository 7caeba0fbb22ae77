// The page that asks a person to let an app in: who asks, for what, for how long, and where the answer goes.

import { form } from './fields.ts';
import { frame } from './frame.ts';
import { type Html, html, safeAddress } from './html.ts';
import { en, type Words } from './words.ts';

export interface ConsentProps {
  /** Posted: `_csrf`, `asked` and `decision`, which is `allow` or `deny`. */
  action: string;
  csrf: string;
  /** Stands for what this page shows. */
  asked: string;
  clientName: string;
  clientUri: string | null;
  /** It registered itself: its name and link are what it says. */
  unverified: boolean;
  /** Host (or scheme of a native app) the browser is sent to afterwards; null: a device waits instead. */
  redirectHost: string | null;
  account: { email: string; name: string | null };
  /** Everything the app would hold; `known` when it is one of the standard scopes. */
  scopes: readonly { name: string; known: boolean }[];
  /** Names of those not granted before; the others are shown apart. Empty: all of them are shown as asked for. */
  newScopes: readonly string[];
  /** APIs the app would use in the person’s name. `newScopes`: not granted before; null: all of it was. */
  apis: readonly { name: string; scopes: readonly string[]; newScopes: readonly string[] | null }[];
  grantDays: number;
  /** Posted with `_csrf` only: sign in as somebody else. */
  switchAction: string | null;
}

type Scope = ConsentProps['scopes'][number];
type Api = Pick<ConsentProps['apis'][number], 'name' | 'scopes'>;

function scopeItem(words: Words, { name, known }: Scope): Html {
  const described =
    known && Object.hasOwn(words.consent.scopes, name) ? words.consent.scopes[name] : undefined;
  const [what, more] = described ?? [words.consent.otherScope(name), words.consent.otherScopeMore];
  return html`<li><span>${what}</span>${more !== '' && html`<small>${more}</small>`}</li>\n`;
}

export function consentPage(props: ConsentProps, words: Words = en): Html {
  const fresh = new Set(props.newScopes);
  const nothingNew = fresh.size === 0 && props.apis.every(({ newScopes }) => newScopes === null);
  const held = nothingNew ? [] : props.scopes.filter(({ name }) => !fresh.has(name));
  const asked = props.scopes.filter((scope) => !held.includes(scope));
  const heldApis: Api[] = [];
  const askedApis: Api[] = [];
  for (const { name, scopes, newScopes } of props.apis) {
    const before = nothingNew ? [] : scopes.filter((scope) => !newScopes?.includes(scope));
    if (nothingNew) askedApis.push({ name, scopes });
    else if (newScopes !== null) askedApis.push({ name, scopes: newScopes });
    if (before.length > 0 || (newScopes === null && !nothingNew)) heldApis.push({ name, scopes: before });
  }
  const holds = held.length + heldApis.length > 0;
  const about = /^https?:/i.test(props.clientUri ?? '') ? safeAddress(props.clientUri ?? '') : null;
  const list = (scopes: readonly Scope[], apis: readonly Api[], kind: string) =>
    html`${
      scopes.length > 0 && html`<ul class="${kind}">\n${scopes.map((scope) => scopeItem(words, scope))}</ul>`
    }${apis.map(
      ({ name, scopes }) => html`
<h2 class="api">${words.consent.api(name)}</h2>
<ul class="${kind}">
${
  scopes.length > 0
    ? scopes.map((scope) => html`<li><span>${words.consent.otherScope(scope)}</span></li>\n`)
    : html`<li><span>${words.consent.apiWithoutScopes}</span></li>\n`
}</ul>`,
    )}`;
  return frame(words, {
    title: words.consent.title(props.clientName),
    content: html`
<h1>${words.consent.heading(props.clientName)}</h1>
<div class="who">
<div><small>${words.consent.signedInAs}</small>
<p>${props.account.name !== null && html`<bdi><strong>${props.account.name}</strong></bdi> `}<bdi>${props.account.email}</bdi></p></div>
${
  props.switchAction !== null &&
  form({
    action: props.switchAction,
    csrf: props.csrf,
    content: html`<button type="submit" class="link">${words.consent.switch}</button>`,
  })
}
</div>
${
  props.unverified &&
  html`<div class="notice warning"><p>${words.consent.unverified}${
    props.redirectHost !== null && html` ${words.consent.onlyIfKnown(props.redirectHost)}`
  }</p></div>\n`
}<p>${holds ? words.consent.asksMore(props.clientName) : words.consent.asks(props.clientName)}</p>
${list(asked, askedApis, 'scopes')}
${holds && html`<p class="quiet">${words.consent.has}</p>\n${list(held, heldApis, 'scopes held')}`}
<p class="small">${words.consent.lasts(props.grantDays)} ${props.redirectHost === null ? words.consent.goesToDevice : words.consent.goes(props.redirectHost)}${
      about !== null &&
      html` <a href="${about}" rel="noopener noreferrer" target="_blank">${words.consent.about}</a>`
    }</p>
${form({
  action: props.action,
  csrf: props.csrf,
  class: 'choice',
  content: html`<input type="hidden" name="asked" value="${props.asked}">
<button type="submit" name="decision" value="deny" class="secondary">${words.consent.deny}</button>
<button type="submit" name="decision" value="allow" class="primary">${words.consent.allow}</button>`,
})}`,
  });
}

const known = (...names: string[]): Scope[] => names.map((name) => ({ name, known: true }));

const plain: ConsentProps = {
  action: '/consent/abc',
  csrf: 'csrf-token',
  asked: 'mark',
  clientName: 'Field Notes',
  clientUri: 'https://notes.example.com/about',
  unverified: false,
  redirectHost: 'notes.example.com',
  account: { email: 'ada@example.com', name: 'Ada Lovelace' },
  scopes: known('openid', 'profile', 'email'),
  newScopes: ['openid', 'profile', 'email'],
  apis: [],
  grantDays: 30,
  switchAction: '/consent/abc/switch',
};

export const examples = {
  plain,
  everything: {
    ...plain,
    scopes: [
      ...known('openid', 'profile', 'email', 'address', 'phone', 'offline_access'),
      { name: 'notes:write', known: false },
    ],
    newScopes: [],
    clientUri: null,
    switchAction: null,
    account: { email: 'ada@example.com', name: null },
    grantDays: 1,
  },
  wider: {
    ...plain,
    scopes: known('openid', 'profile', 'email', 'offline_access'),
    newScopes: ['offline_access'],
  },
  apis: {
    ...plain,
    scopes: known('openid', 'offline_access'),
    newScopes: ['openid', 'offline_access'],
    apis: [
      {
        name: 'Orders',
        scopes: ['orders:read', 'orders:write'],
        newScopes: ['orders:read', 'orders:write'],
      },
      { name: 'Parcel tracking', scopes: [], newScopes: [] },
    ],
  },
  widerApi: {
    ...plain,
    newScopes: [],
    apis: [
      { name: 'Orders', scopes: ['orders:read', 'orders:write'], newScopes: ['orders:write'] },
      { name: 'Parcel tracking', scopes: [], newScopes: null },
    ],
  },
  device: { ...plain, redirectHost: null, clientName: 'Living Room TV', clientUri: null },
  unverified: { ...plain, unverified: true },
  hostile: {
    ...plain,
    unverified: true,
    clientName: '<img src=x onerror=alert(1)>',
    clientUri: 'javascript:alert(1)',
    redirectHost: '"><script>alert(1)</script>',
    account: { email: "'onmouseover='alert(1)", name: '</script>{{7*7}}' },
    scopes: [...known('openid', 'constructor'), { name: '<svg onload=alert(1)>', known: false }],
    newScopes: ['<svg onload=alert(1)>'],
    apis: [{ name: '<script>alert(1)</script>', scopes: ['"><img src=x>'], newScopes: ['"><img src=x>'] }],
    switchAction: 'data:text/html,<script>alert(1)</script>',
  },
  longWords: {
    ...plain,
    clientName: 'Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft',
    redirectHost: `${'very-long-name.'.repeat(8)}example.com`,
    account: { email: `${'long.'.repeat(20)}name@example.com`, name: 'A'.repeat(80) },
    scopes: [...known('openid'), { name: `urn:example:${'scope'.repeat(20)}`, known: false }],
    newScopes: [],
  },
  rightToLeft: {
    ...plain,
    clientName: 'دفتر الملاحظات',
    account: { email: 'aisha@example.com', name: 'عائشة 👩🏽‍🚀' },
  },
} satisfies Record<string, ConsentProps>;
