// The pages of the first start: the first administrator, the first app, and what to give to that app.

import { field, form, formError } from './fields.ts';
import { frame } from './frame.ts';
import { attributes, type Html, html } from './html.ts';
import type { Way } from './problem.ts';
import { en, type Words } from './words.ts';

export interface SetupProps {
  /** Posted: `_csrf`, `name`, `email`, `password`, `passwordRepeat`. */
  action: string;
  csrf: string;
  values: { email: string; name: string };
  /** Field name, or `form` for the whole, to a sentence. */
  errors: Readonly<Record<string, string>>;
  /** Characters the password needs at least. */
  minLength: number;
}

export interface SetupAppProps {
  /** Posted: `_csrf`, `appId`, `name`, `kind` (`web` or `public`), `redirectUri`, `postLogoutUri` (may be empty). */
  action: string;
  csrf: string;
  /** There is no app yet: the page is a step of the setup. */
  first: boolean;
  /** The client_id the app will have: a form that is sent twice makes one app. */
  appId: string;
  values: { name: string; kind: 'web' | 'public'; redirectUri: string; postLogoutUri: string };
  /** Field name, or `form` for the whole, to a sentence. */
  errors: Readonly<Record<string, string>>;
  /** Where "Skip this for now" leads; null leaves it out. */
  skipHref: string | null;
}

export interface SetupAppDoneProps {
  clientId: string;
  /** Null for a public client. */
  clientSecret: string | null;
  issuer: string;
  redirectUri: string;
  /** `language` is a short name for people, such as `Node` or `shell`. */
  snippets: readonly { title: string; language: string; code: string }[];
  next: readonly Way[];
}

export interface SetupClosedProps {
  /** Without a link; with one that does not work; after the administrator was made. */
  kind: 'needed' | 'refused' | 'done';
  requestId: string;
}

const STEPS = 2;

export function setupPage({ action, csrf, values, errors, minLength }: SetupProps, words: Words = en): Html {
  return frame(words, {
    title: words.setup.title,
    password: true,
    content: html`
<p class="step">${words.setup.step(1, STEPS)}</p>
<h1>${words.setup.heading}</h1>
<p class="lead">${words.setup.intro}</p>
${errors.form !== undefined && formError(errors.form)}
${form({
  action,
  csrf,
  content: html`
${field(words, { name: 'name', label: words.common.name, value: values.name, autocomplete: 'name', error: errors.name, autofocus: Object.keys(errors).length === 0 })}
${field(words, { name: 'email', label: words.common.email, type: 'email', value: values.email, autocomplete: 'username', error: errors.email })}
${field(words, { name: 'password', label: words.common.password, type: 'password', autocomplete: 'new-password', hint: words.setup.passwordHint(minLength), error: errors.password })}
${field(words, { name: 'passwordRepeat', label: words.setup.passwordRepeat, type: 'password', autocomplete: 'new-password', error: errors.passwordRepeat })}
<button type="submit" class="primary">${words.setup.submit}</button>`,
})}`,
  });
}

/** Setup cannot go on here: says why, and what to do instead. */
export function setupClosedPage({ kind, requestId }: SetupClosedProps, words: Words = en): Html {
  const { heading, text } = words.setup.closed[kind];
  return frame(words, {
    title: words.setup.title,
    content: html`
<h1>${heading}</h1>
<p class="lead" role="alert">${text}</p>
${
  kind === 'done'
    ? html`<p class="ways"><a class="button primary" href="/account">${words.welcome.signIn}</a></p>`
    : html`<p>${words.setup.printLink}</p>
<pre><code>npm run setup-link</code></pre>
<p class="small quiet">${words.setup.printLinkMore}</p>`
}
<dl class="reference"><div><dt>${words.common.requestId}</dt><dd><code>${requestId}</code></dd></div></dl>`,
  });
}

export function setupAppPage(props: SetupAppProps, words: Words = en): Html {
  const { values, errors } = props;
  const radio = (kind: 'web' | 'public', label: string, more: string): Html => html`
<label class="option"><input ${attributes({ id: `kind-${kind}`, type: 'radio', name: 'kind', value: kind, checked: values.kind === kind, required: true })}><span>${label}<small>${more}</small></span></label>`;
  const title = props.first ? words.setup.appTitle : words.setup.appTitleMore;
  return frame(words, {
    title,
    content: html`
${props.first && html`<p class="step">${words.setup.step(2, STEPS)}</p>`}
<h1>${title}</h1>
<p class="lead">${words.setup.appIntro}</p>
${errors.form !== undefined && formError(errors.form)}
${form({
  action: props.action,
  csrf: props.csrf,
  content: html`
<input type="hidden" name="appId" value="${props.appId}">
${field(words, { name: 'name', label: words.setup.appName, value: values.name, autocomplete: 'off', hint: words.setup.appNameHint, error: errors.name, autofocus: Object.keys(errors).length === 0 })}
<fieldset ${attributes({ 'aria-describedby': errors.kind === undefined ? null : 'kind-error' })}>
<legend>${words.setup.kind}</legend>
${radio('web', words.setup.kindWeb, words.setup.kindWebMore)}
${radio('public', words.setup.kindPublic, words.setup.kindPublicMore)}
${errors.kind !== undefined && html`<p class="error" id="kind-error" role="alert">${errors.kind}</p>`}
</fieldset>
${field(words, { name: 'redirectUri', label: words.setup.redirectUri, type: 'url', value: values.redirectUri, autocomplete: 'off', hint: words.setup.redirectUriHint, error: errors.redirectUri })}
${field(words, { name: 'postLogoutUri', label: words.setup.postLogoutUri, type: 'url', value: values.postLogoutUri, autocomplete: 'off', optional: true, hint: words.setup.postLogoutUriHint, error: errors.postLogoutUri })}
<button type="submit" class="primary">${words.setup.appSubmit}</button>`,
})}
${props.skipHref !== null && html`<p class="aside"><a href="${props.skipHref}">${props.first ? words.setup.skip : words.setup.back}</a></p>`}`,
  });
}

export function setupAppDonePage(props: SetupAppDoneProps, words: Words = en): Html {
  const value = (label: string, text: string): Html =>
    html`<div><dt>${label}</dt><dd><code>${text}</code></dd></div>\n`;
  return frame(words, {
    title: words.setup.doneTitle,
    width: 'wide',
    content: html`
<h1>${words.setup.doneTitle}</h1>
<p class="lead">${words.setup.doneIntro}</p>
<section class="card">
<dl class="values">
${value(words.setup.issuer, props.issuer)}
${value(words.setup.clientId, props.clientId)}
${props.clientSecret !== null && value(words.setup.clientSecret, props.clientSecret)}
${value(words.setup.redirectUri, props.redirectUri)}
</dl>
${props.clientSecret !== null && html`<div class="notice warning"><p>${words.setup.secretOnce}</p></div>`}
</section>
${
  props.snippets.length > 0 &&
  html`<section class="card">
<h2>${words.setup.snippets}</h2>
${props.snippets.map(
  ({ title, language, code }, i) => html`
<details ${attributes({ open: i === 0 })}>
<summary>${title} <span class="quiet">${language}</span></summary>
<pre><code>${code}</code></pre>
</details>`,
)}
</section>`
}
<section class="card">
<h2>${words.setup.permanentTitle}</h2>
<p>${words.setup.permanentIntro}</p>
<ol class="plain">
${words.setup.permanent.map(([what, why]) => html`<li><strong>${what}</strong> ${why}</li>\n`)}
</ol>
</section>
${
  props.next.length > 0 &&
  html`<section class="card">
<h2>${words.setup.next}</h2>
<ul class="links">
${props.next.map(({ label, href }) => html`<li><a href="${href}">${label}</a></li>\n`)}
</ul>
</section>`
}`,
  });
}

const setup: SetupProps = {
  action: '/setup',
  csrf: 'csrf-token',
  values: { email: '', name: '' },
  errors: {},
  minLength: 15,
};
const app: SetupAppProps = {
  action: '/setup/app',
  csrf: 'csrf-token',
  first: true,
  appId: 'field-notes-7f3k',
  values: { name: '', kind: 'web', redirectUri: '', postLogoutUri: '' },
  errors: {},
  skipHref: '/account',
};
const done: SetupAppDoneProps = {
  clientId: 'field-notes-7f3k',
  clientSecret: 'an-example-of-a-secret-of-43-characters-xxx',
  issuer: 'http://localhost:3000',
  redirectUri: 'http://localhost:8080/callback',
  snippets: [
    {
      title: 'openid-client',
      language: 'Node',
      code: "import * as client from 'openid-client';\n\nconst config = await client.discovery(\n  new URL('http://localhost:3000'),\n  'field-notes-7f3k',\n  process.env.CLIENT_SECRET,\n);",
    },
    {
      title: 'curl',
      language: 'shell',
      code: 'curl -s http://localhost:3000/.well-known/openid-configuration | head -c 400',
    },
  ],
  next: [
    { label: 'Your account', href: '/account' },
    { label: 'Try the demo app', href: '/demo' },
  ],
};

export const examples = {
  setup: {
    plain: setup,
    errors: {
      ...setup,
      values: { email: 'ada', name: 'Ada Lovelace' },
      errors: {
        form: 'Some things need another look.',
        email: 'This is not an e-mail address.',
        password: 'The password is too short.',
        passwordRepeat: 'The two passwords are not the same.',
      },
    },
    hostile: {
      ...setup,
      values: { email: '"><script>alert(1)</script>', name: '<img src=x onerror=alert(1)>' },
      errors: {
        form: '</script>{{7*7}}',
        name: '<b>',
        email: "'>",
        password: '&amp;',
        passwordRepeat: '-->',
      },
    },
  } satisfies Record<string, SetupProps>,
  closed: {
    needed: { kind: 'needed', requestId: 'req-1' },
    refused: { kind: 'refused', requestId: '</code><script>alert(1)</script>' },
    done: { kind: 'done', requestId: 'req-1' },
  } satisfies Record<string, SetupClosedProps>,
  app: {
    plain: app,
    errors: {
      ...app,
      values: { name: 'Field Notes', kind: 'public', redirectUri: 'notes', postLogoutUri: '' },
      errors: {
        kind: 'Choose one.',
        redirectUri: 'A redirect URI begins with https://, or with http://localhost.',
      },
      first: false,
      skipHref: null,
    },
    hostile: {
      ...app,
      values: {
        name: '</title><script>',
        kind: 'web',
        redirectUri: 'javascript:alert(1)"',
        postLogoutUri: '" onfocus="x',
      },
      errors: { name: '<img src=x onerror=alert(1)>', postLogoutUri: '<svg/onload=alert(1)>' },
      appId: '"><script>alert(1)</script>',
      skipHref: 'javascript:alert(1)',
    },
  } satisfies Record<string, SetupAppProps>,
  done: {
    plain: done,
    public: { ...done, clientSecret: null, snippets: [], next: [] },
    hostile: {
      ...done,
      clientId: '<img src=x onerror=alert(1)>',
      redirectUri: `https://example.com/${'very-long/'.repeat(30)}`,
      snippets: [{ title: '<script>', language: '{{7*7}}', code: '</code></pre><script>alert(1)</script>' }],
      next: [{ label: 'x'.repeat(90), href: 'javascript:alert(1)' }],
    },
  } satisfies Record<string, SetupAppDoneProps>,
};
