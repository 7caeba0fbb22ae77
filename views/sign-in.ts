// The page that asks for a password. One sentence answers every failure alike; which half was wrong is never said.

import { field, form, formError } from './fields.ts';
import { frame } from './frame.ts';
import { type Html, html } from './html.ts';
import { en, type Words } from './words.ts';

export interface SignInProps {
  /** Posted: `_csrf`, `email`, `password`. */
  action: string;
  csrf: string;
  /** The app that asked, or null for the account's own pages. */
  clientName: string | null;
  /** Filled in already: from login_hint or from the failed try. */
  email: string;
  /** retryAfter: seconds; with it the fields are not marked as wrong. */
  error: { message: string; retryAfter?: number } | null;
  /** Posted with `_csrf` only: back to the app without signing in; `device`: none is behind this browser. */
  cancel: { action: string; device?: boolean } | null;
  /** Something to know before signing in, such as why the person is asked again. */
  notice: string | null;
}

export function signInPage(props: SignInProps, words: Words = en): Html {
  const { error, notice } = props;
  const wrong = error !== null && error.retryAfter === undefined ? 'form-error' : null;
  return frame(words, {
    title: words.signIn.title,
    password: true,
    content: html`
<h1>${words.signIn.title}</h1>
<p class="lead">${props.clientName === null ? words.signIn.toAccount : words.signIn.to(props.clientName)}</p>
${notice !== null && html`<div class="notice" role="status"><p>${notice}</p></div>`}
${
  error !== null &&
  formError(
    error.retryAfter === undefined
      ? error.message
      : [error.message, ' ', words.signIn.retry(words.common.duration(error.retryAfter))],
  )
}
${form({
  action: props.action,
  csrf: props.csrf,
  content: html`
${field(words, { name: 'email', label: words.common.email, type: 'email', value: props.email, autocomplete: 'username', autofocus: props.email === '', invalidBy: wrong })}
${field(words, { name: 'password', label: words.common.password, type: 'password', autocomplete: 'current-password', autofocus: props.email !== '', invalidBy: wrong })}
<button type="submit" class="primary">${words.signIn.submit}</button>`,
})}
${
  props.cancel !== null &&
  form({
    action: props.cancel.action,
    csrf: props.csrf,
    class: 'aside',
    content: html`<button type="submit" class="link">${words.signIn.cancel(props.cancel.device ? null : props.clientName)}</button>`,
  })
}`,
  });
}

const plain: SignInProps = {
  action: '/login/abc/password',
  csrf: 'csrf-token',
  clientName: 'Field Notes',
  email: '',
  error: null,
  cancel: { action: '/login/abc/cancel' },
  notice: null,
};

export const examples = {
  plain,
  account: { ...plain, clientName: null, cancel: null, email: 'ada@example.com' },
  wrong: {
    ...plain,
    email: 'ada@example.com',
    error: { message: 'The e-mail address or the password is wrong.' },
  },
  wait: {
    ...plain,
    email: 'ada@example.com',
    error: { message: 'Too many attempts. Wait a while and try again.', retryAfter: 1730 },
  },
  again: { ...plain, email: 'ada@example.com', notice: 'The app asks you to confirm that it is still you.' },
  hostile: {
    ...plain,
    clientName: '<img src=x onerror=alert(1)></script>{{7*7}}<%= 7*7 %>',
    email: '"><script>alert(1)</script>',
    error: { message: "<b onclick='x'>no</b>" },
    notice: '</main><script>alert(2)</script>',
  },
  longWords: {
    ...plain,
    clientName: 'Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft',
    email: `${'long.'.repeat(20)}name@example.com`,
  },
  rightToLeft: { ...plain, clientName: 'دفتر الملاحظات 🗒️', email: 'عائشة@example.com' },
} satisfies Record<string, SignInProps>;
