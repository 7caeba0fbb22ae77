// Signing out: the question (an app may ask for it, only the person may decide it) and what comes after.

import { frame } from './frame.ts';
import { type Html, html } from './html.ts';
import { en, type Words } from './words.ts';

export interface LogoutProps {
  /** Posted: `xsrf` and, for yes, `logout`. The protocol library takes both names as they are. */
  action: string;
  xsrf: string;
  /** The app that asks, or null when the person came by themselves. */
  clientName: string | null;
  email: string | null;
}

export interface SignedOutProps {
  /** The person chose not to. */
  stayed: boolean;
  clientName: string | null;
  home: string;
}

export const logoutPage = ({ action, xsrf, clientName, email }: LogoutProps, words: Words = en): Html =>
  frame(words, {
    title: words.logout.title,
    content: html`
<h1>${words.logout.heading}</h1>
${
  (clientName !== null || email !== null) &&
  html`<p class="lead">${clientName !== null && [words.logout.asked(clientName), ' ']}${email !== null && words.logout.account(email)}</p>`
}
<p>${words.logout.everywhere}</p>
<form method="post" action="${action}" class="choice">
<input type="hidden" name="xsrf" value="${xsrf}">
<button type="submit" class="secondary">${words.logout.no}</button>
<button type="submit" name="logout" value="yes" class="primary">${words.logout.yes}</button>
</form>`,
  });

export const signedOutPage = ({ stayed, clientName, home }: SignedOutProps, words: Words = en): Html =>
  frame(words, {
    title: stayed ? words.logout.stayedTitle : words.logout.doneTitle,
    content: html`
<h1>${stayed ? words.logout.stayedHeading : words.logout.doneHeading}</h1>
<p class="lead">${clientName !== null && [words.logout.doneFrom(clientName), ' ']}${stayed ? words.logout.stayed : words.logout.done}</p>
<p class="ways"><a class="button secondary" href="${home}">${words.common.toStart}</a></p>`,
  });

export const examples = {
  logout: {
    plain: {
      action: '/oauth2/logout/confirm',
      xsrf: 'x',
      clientName: 'Field Notes',
      email: 'ada@example.com',
    },
    alone: { action: '/oauth2/logout/confirm', xsrf: 'x', clientName: null, email: null },
    hostile: {
      action: 'javascript:alert(1)',
      xsrf: '"><script>',
      clientName: '<img src=x onerror=alert(1)>',
      email: '</script>{{7*7}}',
    },
    longWords: {
      action: '/x',
      xsrf: 'x',
      clientName: 'W'.repeat(90),
      email: `${'long.'.repeat(20)}@example.com`,
    },
  } satisfies Record<string, LogoutProps>,
  signedOut: {
    plain: { stayed: false, clientName: null, home: '/' },
    stayed: { stayed: true, clientName: 'Field Notes', home: '/' },
    fromApp: { stayed: false, clientName: 'Field Notes', home: '/' },
    hostile: { stayed: false, clientName: '<img src=x onerror=alert(1)>', home: 'javascript:alert(1)' },
    rightToLeft: { stayed: false, clientName: 'دفتر الملاحظات 🗒️', home: '/' },
  } satisfies Record<string, SignedOutProps>,
};
