// Pages for when something is in the way. Each says what happened, what to do, and offers a way forward; they
// show a stable code and the request id that finds the log line, and nothing of what happened inside (ATK-A020).

import { frame } from './frame.ts';
import { type Html, html } from './html.ts';
import { en, type Words } from './words.ts';

export interface Way {
  label: string;
  href: string;
}

export interface ProblemProps {
  /** From the problem table, or an OAuth error code. */
  code: string;
  /** Without it: a title that suits the code. */
  title?: string;
  message: string;
  requestId: string;
  /** The first one is the most likely. Without any: a link to the start page. */
  actions?: readonly Way[];
}

export interface WrongHostProps {
  /** As the browser sent it. */
  host: string;
  issuer: string;
}

export interface ExpiredProps {
  kind: 'expired' | 'finished' | 'otherBrowser';
  requestId: string;
  /** Back to the app, or on with the sign-in. */
  continueTo: Way | null;
  home: string;
}

const ways = (all: readonly Way[]): Html =>
  html`<p class="ways">${all.map(
    ({ label, href }, i) =>
      html`<a class="${i === 0 ? 'button primary' : 'button secondary'}" href="${href}">${label}</a>\n`,
  )}</p>`;

/** What to pass on when asking for help. */
export const reference = (words: Words, requestId: string, code: string | null): Html => html`
<dl class="reference">
${code !== null && html`<div><dt>${words.problem.code}</dt><dd><code>${code}</code></dd></div>`}
<div><dt>${words.common.requestId}</dt><dd><code>${requestId}</code></dd></div>
</dl>`;

export function problemPage(props: ProblemProps, words: Words = en): Html {
  const suited = Object.hasOwn(words.problem.titles, props.code)
    ? words.problem.titles[props.code]
    : undefined;
  const title = props.title ?? suited ?? words.problem.fallbackTitle;
  const actions = props.actions ?? [];
  return frame(words, {
    title,
    content: html`
<h1>${title}</h1>
<p class="lead" role="alert">${props.message}</p>
${ways(actions.length > 0 ? actions : [{ label: words.common.toStart, href: '/' }])}
<p class="small quiet">${words.problem.tell}</p>
${reference(words, props.requestId, props.code)}`,
  });
}

export const wrongHostPage = ({ host, issuer }: WrongHostProps, words: Words = en): Html =>
  frame(words, {
    title: words.problem.wrongHostTitle,
    content: html`
<h1>${words.problem.wrongHostHeading}</h1>
<p>${words.problem.wrongHost(host, issuer)}</p>
${ways([{ label: words.problem.wrongHostGo, href: issuer }])}
<section class="rule">
<h2>${words.problem.wrongHostFix}</h2>
<p>${words.problem.wrongHostSetting(host)}</p>
</section>`,
  });

export const expiredPage = ({ kind, requestId, continueTo, home }: ExpiredProps, words: Words = en): Html =>
  frame(words, {
    title: words.expired[kind].heading,
    content: html`
<h1>${words.expired[kind].heading}</h1>
<p class="lead">${words.expired[kind].text}</p>
${continueTo === null && kind !== 'finished' && html`<p>${words.expired.again}</p>`}
${ways([...(continueTo === null ? [] : [continueTo]), { label: words.common.toStart, href: home }])}
${reference(words, requestId, null)}`,
  });

const requestId = '0192d3a4-7c1e-7b1a-9f53-0a4e6f5b2c11';

export const examples = {
  problem: {
    notFound: { code: 'request.notFound', message: 'There is nothing at this address.', requestId },
    fault: {
      code: 'server.fault',
      message: 'Something went wrong on our side.',
      requestId,
      actions: [
        { label: 'Try again', href: '/login/abc' },
        { label: 'Go to the start page', href: '/' },
      ],
    },
    titled: {
      code: 'invalid_request',
      title: 'The app sent a wrong request',
      message: 'redirect_uri did not match.',
      requestId,
    },
    hostile: {
      code: 'constructor<script>',
      message: '<img src=x onerror=alert(1)></script>{{7*7}}',
      requestId: '"><script>alert(1)</script>',
      actions: [{ label: '<svg onload=alert(1)>', href: 'javascript:alert(1)' }],
    },
    longWords: { code: 'x'.repeat(120), message: 'm'.repeat(300), requestId: 'r'.repeat(100) },
  } satisfies Record<string, ProblemProps>,
  wrongHost: {
    plain: { host: '192.168.1.20:3000', issuer: 'http://localhost:3000' },
    hostile: { host: '<img src=x onerror=alert(1)>', issuer: 'https://id.example.com' },
    longWords: { host: `${'a'.repeat(60)}.`.repeat(4), issuer: 'https://id.example.com' },
  } satisfies Record<string, WrongHostProps>,
  expired: {
    expired: {
      kind: 'expired',
      requestId,
      continueTo: { label: 'Back to Field Notes', href: 'https://notes.example.com' },
      home: '/',
    },
    finished: { kind: 'finished', requestId, continueTo: null, home: '/account' },
    otherBrowser: { kind: 'otherBrowser', requestId, continueTo: null, home: '/' },
    hostile: {
      kind: 'expired',
      requestId: '</code><script>',
      continueTo: { label: '<script>', href: 'data:text/html,x' },
      home: 'javascript:0',
    },
  } satisfies Record<string, ExpiredProps>,
};
