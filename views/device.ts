// Letting a device in (RFC 8628): the code it shows is entered, what it means is said before it is done, and the device
// takes it from there. Whoever was talked into entering somebody else's code is told so here (5.4).

import { field, form } from './fields.ts';
import { frame } from './frame.ts';
import { type Html, html } from './html.ts';
import { reference } from './problem.ts';
import { en, type Words } from './words.ts';

export interface DeviceCodeProps {
  /** Posted: `_csrf`, `xsrf` and `user_code`; the protocol library takes the last two as they are. */
  action: string;
  csrf: string;
  xsrf: string;
  /** Filled in already: from the device's link or from the failed try. */
  userCode: string;
  error: string | null;
}

export interface DeviceConfirmProps {
  /** Posted: `_csrf`, `xsrf`, `user_code` and either `confirm` or `abort`. */
  action: string;
  csrf: string;
  xsrf: string;
  /** As the device shows it. */
  userCode: string;
  clientName: string;
  /** What is known of the device; it says the second of itself. */
  address: string | null;
  userAgent: string | null;
  /** Who is signed in already. */
  email: string | null;
}

export interface DeviceEndProps {
  kind: 'allowed' | 'denied' | 'answered' | 'late' | 'expired' | 'used';
  clientName: string | null;
  /** Where another code is entered. */
  again: string | null;
  /** Shown where something is in the way. */
  requestId: string | null;
}

export function deviceCodePage(props: DeviceCodeProps, words: Words = en): Html {
  const linked = props.userCode !== '' && props.error === null;
  return frame(words, {
    title: words.device.title,
    content: html`
<h1>${words.device.heading}</h1>
<p class="lead">${linked ? words.device.compareLink : words.device.intro}</p>
${form({
  action: props.action,
  csrf: props.csrf,
  content: html`
<input type="hidden" name="xsrf" value="${props.xsrf}">
${field(words, { name: 'user_code', label: words.device.code, type: 'code', value: props.userCode, autocomplete: 'off', hint: words.device.codeHint, error: props.error, autofocus: !linked })}
<button type="submit" class="primary">${words.device.next}</button>`,
})}`,
  });
}

export const deviceConfirmPage = (props: DeviceConfirmProps, words: Words = en): Html =>
  frame(words, {
    title: words.device.confirmTitle(props.clientName),
    content: html`
<h1>${words.device.confirmHeading(props.clientName)}</h1>
<p>${words.device.compare}</p>
<p class="user-code"><code>${props.userCode}</code></p>
<dl class="values">
<div><dt>${words.device.app}</dt><dd><bdi>${props.clientName}</bdi></dd></div>
<div><dt>${words.device.address}</dt><dd>${props.address === null ? words.device.notKnown : html`<bdi>${props.address}</bdi>`}</dd></div>
<div><dt>${words.device.userAgent}</dt><dd>${props.userAgent === null ? words.device.notKnown : html`<bdi>${props.userAgent}</bdi>`}</dd></div>
${props.email !== null && html`<div><dt>${words.device.account}</dt><dd><bdi>${props.email}</bdi></dd></div>`}
</dl>
<div class="notice warning"><p><strong>${words.device.ownOnly}</strong> ${words.device.phishing}</p></div>
${form({
  action: props.action,
  csrf: props.csrf,
  class: 'choice',
  content: html`
<input type="hidden" name="xsrf" value="${props.xsrf}">
<input type="hidden" name="user_code" value="${props.userCode}">
<button type="submit" name="abort" value="yes" class="secondary">${words.device.deny}</button>
<button type="submit" name="confirm" value="yes" class="primary">${words.device.allow}</button>`,
})}`,
  });

export function deviceEndPage(
  { kind, clientName, again, requestId }: DeviceEndProps,
  words: Words = en,
): Html {
  const { heading, text } = words.device.ends[kind];
  return frame(words, {
    title: heading,
    content: html`
<h1>${heading}</h1>
<p class="lead">${text(clientName)}</p>
<p class="ways">${again !== null && html`<a class="button primary" href="${again}">${words.device.again}</a>\n`}<a class="button secondary" href="/">${words.common.toStart}</a></p>
${requestId !== null && reference(words, requestId, null)}`,
  });
}

const entry: DeviceCodeProps = {
  action: '/device',
  csrf: 'csrf-token',
  xsrf: 'xsrf-token',
  userCode: '',
  error: null,
};

const confirm: DeviceConfirmProps = {
  action: '/device',
  csrf: 'csrf-token',
  xsrf: 'xsrf-token',
  userCode: 'WDJB-MJHT',
  clientName: 'Living Room TV',
  address: '203.0.113.7',
  userAgent: 'TVPlayer/4.2 (Linux; tv)',
  email: 'ada@example.com',
};

export const examples = {
  code: {
    plain: entry,
    linked: { ...entry, userCode: 'WDJB-MJHT' },
    wrong: {
      ...entry,
      userCode: 'WDJB-MJHX',
      error: 'No device shows this code. Compare it letter by letter.',
    },
    hostile: {
      ...entry,
      userCode: '"><script>alert(1)</script>',
      error: '<img src=x onerror=alert(1)>{{7*7}}',
    },
  } satisfies Record<string, DeviceCodeProps>,
  confirm: {
    plain: confirm,
    signedOut: { ...confirm, email: null, userAgent: null, address: null },
    hostile: {
      ...confirm,
      userCode: '"><script>alert(1)</script>',
      clientName: '<img src=x onerror=alert(1)>{{7*7}}',
      address: '</dd><script>',
      userAgent: '<svg onload=alert(1)>',
      email: "'onmouseover='alert(1)",
    },
    longWords: {
      ...confirm,
      clientName: 'Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft',
      address: '2001:0db8:85a3:0000:0000:8a2e:0370:7334',
      userAgent: 'M'.repeat(400),
      email: `${'long.'.repeat(20)}name@example.com`,
    },
    rightToLeft: { ...confirm, clientName: 'تلفاز غرفة الجلوس 📺' },
  } satisfies Record<string, DeviceConfirmProps>,
  end: {
    allowed: { kind: 'allowed', clientName: 'Living Room TV', again: null, requestId: null },
    denied: { kind: 'denied', clientName: 'Living Room TV', again: '/device', requestId: 'req-1' },
    answered: { kind: 'answered', clientName: null, again: '/device', requestId: 'req-1' },
    late: { kind: 'late', clientName: null, again: '/device', requestId: 'req-1' },
    expired: { kind: 'expired', clientName: null, again: '/device', requestId: 'req-1' },
    used: { kind: 'used', clientName: null, again: '/device', requestId: 'req-1' },
    hostile: {
      kind: 'allowed',
      clientName: '<script>alert(1)</script>{{7*7}}',
      again: 'javascript:alert(1)',
      requestId: '</code><script>',
    },
  } satisfies Record<string, DeviceEndProps>,
};
