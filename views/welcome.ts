// What is at `/` for somebody who is not signed in, once there is an administrator.

import { frame } from './frame.ts';
import { type Html, html } from './html.ts';
import { en, type Words } from './words.ts';

export interface WelcomeProps {
  accountHref: string;
  /** Null where the demo app is off. */
  demoHref: string | null;
  docsHref: string | null;
}

export const welcomePage = ({ accountHref, demoHref, docsHref }: WelcomeProps, words: Words = en): Html =>
  frame(words, {
    title: words.welcome.title,
    content: html`
<h1>${words.welcome.heading}</h1>
<p class="lead">${words.welcome.intro}</p>
<p class="ways"><a class="button primary" href="${accountHref}">${words.welcome.signIn}</a>
${demoHref !== null && html`<a class="button secondary" href="${demoHref}">${words.welcome.demo}</a>`}</p>
${docsHref !== null && html`<p class="aside"><a href="${docsHref}">${words.welcome.docs}</a></p>`}`,
  });

export const examples = {
  plain: { accountHref: '/account', demoHref: '/demo', docsHref: 'https://docs.example.com/' },
  bare: { accountHref: '/account', demoHref: null, docsHref: null },
  hostile: { accountHref: 'javascript:alert(1)', demoHref: '//evil.example', docsHref: '/\\evil.example' },
} satisfies Record<string, WelcomeProps>;
