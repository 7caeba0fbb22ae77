// A person's own page: who they are here, where they are signed in, and which apps they let in.

import { form } from './fields.ts';
import { frame } from './frame.ts';
import { type Html, html, type Value } from './html.ts';
import type { Way } from './problem.ts';
import { moment } from './time.ts';
import { en, type Words } from './words.ts';

interface Api {
  name: string;
  scopes: readonly string[];
}

export interface AccountProps {
  account: { email: string; name: string | null };
  /** Times are ISO 8601. `endAction` is posted with `_csrf` only; without it the session has no button. */
  sessions: readonly {
    current: boolean;
    device: string;
    address: string | null;
    signedInAt: string;
    lastSeenAt: string;
    endAction?: string | null;
  }[];
  /** `since` is ISO 8601. `withdrawAction` is posted with `_csrf` only; without it the app has no button. */
  apps: readonly {
    name: string;
    /** Null: nobody had to allow it. */
    scopes: readonly string[] | null;
    /** APIs it uses in the person’s name. */
    apis: readonly Api[];
    since: string;
    withdrawAction?: string | null;
  }[];
  /** What was allowed before and is so no more. Times are ISO 8601. */
  history: readonly {
    name: string;
    scopes: readonly string[];
    apis: readonly Api[];
    since: string;
    until: string;
    why: string;
  }[];
  isAdministrator: boolean;
  /** Leads to the question whether to sign out. */
  signOutHref: string;
  csrf: string;
  links: readonly Way[];
}

const scopeList = (scopes: readonly string[]): Html[] => scopes.map((scope) => html`<code>${scope}</code> `);

/** One line for what comes before, and one for each API. */
const allowed = (
  words: Words,
  before: Value,
  { scopes, apis }: { scopes: readonly string[] | null; apis: readonly Api[] },
): Html => html`<p class="small quiet">${before} · ${scopes === null ? words.account.ownApp : scopeList(scopes)}</p>
${apis.map((api) => html`<p class="small quiet">${words.account.at(api.name)} ${scopeList(api.scopes)}</p>\n`)}`;

export function accountPage(props: AccountProps, words: Words = en): Html {
  const { account, sessions, apps, history, links } = props;
  const end = (action: string | null | undefined, label: string, spoken: string): Value =>
    action !== null &&
    action !== undefined &&
    form({
      action,
      csrf: props.csrf,
      content: html`<button type="submit" class="small secondary" aria-label="${spoken}">${label}</button>`,
    });
  return frame(words, {
    title: words.account.title,
    width: 'wide',
    content: html`
<div class="person">
<div>
<h1><bdi>${account.name ?? account.email}</bdi></h1>
<p>${account.name !== null && html`<bdi>${account.email}</bdi> `}${props.isAdministrator && html`<span class="badge">${words.account.administrator}</span>`}</p>
</div>
<a class="button secondary" href="${props.signOutHref}">${words.common.signOut}</a>
</div>
<section class="card">
<h2>${words.account.sessions}</h2>
<ul class="rows">
${sessions.map(
  (session) => html`<li><div>
<p><strong><bdi>${session.device}</bdi></strong>${session.current && html` <span class="badge">${words.account.thisOne}</span>`}</p>
<p class="small quiet"><bdi>${session.address ?? words.account.unknownAddress}</bdi> · ${words.account.signedIn} ${moment(words, session.signedInAt, 'minute')} · ${words.account.lastSeen} ${moment(words, session.lastSeenAt, 'minute')}</p>
</div>${end(session.endAction, words.account.end, words.account.endLabel(session.device))}</li>
`,
)}</ul>
</section>
<section class="card">
<h2>${words.account.apps}</h2>
${
  apps.length === 0
    ? html`<p class="quiet">${words.account.noApps}</p>`
    : html`<ul class="rows">
${apps.map(
  (app) => html`<li><div>
<p><strong><bdi>${app.name}</bdi></strong></p>
${allowed(words, html`${words.account.since} ${moment(words, app.since, 'day')}`, app)}</div>${end(app.withdrawAction, words.account.withdraw, words.account.withdrawLabel(app.name))}</li>
`,
)}</ul>`
}
</section>
${
  history.length > 0 &&
  html`<section class="card">
<h2>${words.account.history}</h2>
<ul class="rows">
${history.map(
  (one) => html`<li><div>
<p><strong><bdi>${one.name}</bdi></strong></p>
${allowed(words, html`${moment(words, one.since, 'minute')} – ${moment(words, one.until, 'minute')} · ${one.why}`, one)}</div></li>
`,
)}</ul>
</section>`
}
${
  links.length > 0 &&
  html`<section class="card">
<h2>${words.account.more}</h2>
<ul class="links">
${links.map(({ label, href }) => html`<li><a href="${href}">${label}</a></li>\n`)}
</ul>
</section>`
}`,
  });
}

const here: AccountProps['sessions'][number] = {
  current: true,
  device: 'Firefox on Linux',
  address: '203.0.113.7',
  signedInAt: '2026-11-20T08:12:00Z',
  lastSeenAt: '2026-11-20T09:40:12Z',
};

const plain: AccountProps = {
  account: { email: 'ada@example.com', name: 'Ada Lovelace' },
  sessions: [
    here,
    {
      current: false,
      device: 'Safari on iPhone',
      address: '2001:db8::17',
      signedInAt: '2026-11-18T17:03:00Z',
      lastSeenAt: '2026-11-20T06:55:00Z',
      endAction: '/account/sessions/2/end',
    },
  ],
  apps: [
    {
      name: 'Field Notes',
      scopes: ['openid', 'profile', 'email'],
      apis: [{ name: 'Orders', scopes: ['orders:read', 'orders:write'] }],
      since: '2026-10-02T10:00:00Z',
      withdrawAction: '/account/apps/1/withdraw',
    },
    {
      name: 'Grafana',
      scopes: ['openid', 'email', 'offline_access'],
      apis: [],
      since: '2026-11-01T10:00:00Z',
    },
    {
      name: 'Intranet',
      scopes: null,
      apis: [],
      since: '2026-11-02T10:00:00Z',
      withdrawAction: '/account/apps/3/withdraw',
    },
  ],
  history: [
    {
      name: 'Field Notes',
      scopes: ['openid', 'profile'],
      apis: [{ name: 'Orders', scopes: ['orders:read'] }],
      since: '2026-09-01T09:30:00Z',
      until: '2026-10-02T10:00:00Z',
      why: en.account.ended.widened,
    },
    {
      name: 'Calendar Sync',
      scopes: ['openid', 'offline_access'],
      apis: [],
      since: '2026-08-11T07:00:00Z',
      until: '2026-08-12T21:15:00Z',
      why: en.account.ended.revoked,
    },
  ],
  isAdministrator: true,
  signOutHref: '/oauth2/logout',
  csrf: 'csrf-token',
  links: [{ label: 'Try the demo app', href: '/demo' }],
};

export const examples = {
  plain,
  fresh: {
    ...plain,
    account: { email: 'ada@example.com', name: null },
    sessions: [{ ...here, address: null }],
    apps: [],
    history: [],
    isAdministrator: false,
    links: [],
  },
  hostile: {
    ...plain,
    account: { email: '"><script>alert(1)</script>', name: '<img src=x onerror=alert(1)>' },
    sessions: [
      {
        current: false,
        device: '</script>{{7*7}}" onmouseover="alert(1)',
        address: '<svg onload=alert(1)>',
        signedInAt: '<script>',
        lastSeenAt: '2026-99-99"><b>',
        endAction: 'javascript:alert(1)',
      },
    ],
    apps: [
      {
        name: '<img src=x onerror=alert(1)>',
        scopes: ['</code><script>'],
        apis: [{ name: '<script>', scopes: ['</code><b>'] }],
        since: 'x',
        withdrawAction: 'data:x',
      },
    ],
    history: [
      { name: '<img src=x>', scopes: ['<b>'], apis: [], since: '<', until: '>', why: '</p><script>' },
    ],
    links: [{ label: '<b>', href: 'javascript:alert(1)' }],
  },
  longWords: {
    ...plain,
    account: { email: `${'long.'.repeat(20)}@example.com`, name: 'N'.repeat(120) },
    sessions: [{ ...here, device: 'U'.repeat(200), endAction: '/x' }],
    apps: [
      {
        name: 'A'.repeat(150),
        scopes: ['s'.repeat(100)],
        apis: [{ name: 'P'.repeat(100), scopes: ['t'.repeat(100)] }],
        since: '2026-11-01T10:00:00Z',
        withdrawAction: '/x',
      },
    ],
  },
  rightToLeft: {
    ...plain,
    account: { email: 'aisha@example.com', name: 'عائشة 👩🏽‍🚀' },
    apps: [
      {
        name: 'دفتر الملاحظات',
        scopes: ['openid'],
        apis: [],
        since: '2026-11-01T10:00:00Z',
        withdrawAction: '/x',
      },
    ],
  },
} satisfies Record<string, AccountProps>;
