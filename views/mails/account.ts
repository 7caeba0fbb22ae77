// Mails that tell people what happened to their account.
import { type Html, html } from '../html.ts';
import { moment } from '../time.ts';
import { en, type Words } from '../words.ts';
import { type Mail, type MailProps, mail, nameInMail } from './layout.ts';

/** Something happened at a time, to somebody who may have a name. */
export interface AccountMailProps extends MailProps {
  name: string | null;
  /** ISO 8601. */
  at: string;
}

export interface PasswordChangedProps extends AccountMailProps {
  by: 'person' | 'operator';
}

export interface TokenReusedProps extends AccountMailProps {
  /** The app that was handed it. */
  app: string | null;
  ended: 'family' | 'account';
}

const told = (props: AccountMailProps, words: Words, subject: string, ...paragraphs: readonly Html[]): Mail =>
  mail(
    props,
    {
      subject,
      paragraphs: [
        words.mails.greeting(nameInMail(props.name)),
        ...paragraphs,
        html`${words.mails.unexpected}`,
      ],
    },
    words,
  );

export function passwordChangedMail(props: PasswordChangedProps, words: Words = en): Mail {
  const { subject, text, ended } = words.mails.passwordChanged;
  return told(props, words, subject, text[props.by](moment(words, props.at, 'minute')), html`${ended}`);
}

export function signedOutEverywhereMail(props: AccountMailProps, words: Words = en): Mail {
  const { subject, text, again } = words.mails.signedOutEverywhere;
  return told(props, words, subject, text(moment(words, props.at, 'minute')), html`${again}`);
}

export function tokenReusedMail(props: TokenReusedProps, words: Words = en): Mail {
  const { subject, text, means, ended } = words.mails.tokenReused;
  const app = nameInMail(props.app);
  return told(
    props,
    words,
    subject,
    text(app, moment(words, props.at, 'minute')),
    html`${means}`,
    html`${ended[props.ended]}`,
  );
}

const plain: AccountMailProps = {
  service: 'id.example.com',
  name: 'Ada Lovelace',
  at: '2026-11-20T08:12:00.000Z',
};
const nameless = { ...plain, name: null };
const hostile = {
  ...plain,
  service: '"><script>alert(1)</script>',
  name: '<b onclick="alert(1)">&amp;"\'\r\nBcc evil {{7*7}}',
};
const rightToLeft = { ...plain, name: '\u202eעדה לאבלייס\u202c' };

export const examples = {
  passwordChanged: {
    plain: { ...plain, by: 'person' },
    operator: { ...nameless, by: 'operator' },
    hostile: { ...hostile, by: 'person' },
    rightToLeft: { ...rightToLeft, by: 'person' },
    long: { ...plain, name: 'Hubert Blaine '.repeat(40), by: 'person' },
    link: { ...plain, name: 'You have won! Go to evil.example now', by: 'person' },
    emoji: { ...plain, name: 'Zoë 👩🏽‍🔬 “Ω” O’Neil', by: 'person' },
  },
  signedOutEverywhere: { plain, nameless, hostile },
  tokenReused: {
    plain: { ...plain, app: 'Field Notes', ended: 'account' },
    family: { ...plain, app: null, ended: 'family' },
    hostile: { ...hostile, app: '<img onerror=alert(1)>\n\n--\n{{7*7}}', ended: 'account' },
    link: { ...plain, app: 'https://evil.example/login', ended: 'account' },
  },
} satisfies {
  passwordChanged: Record<string, PasswordChangedProps>;
  signedOutEverywhere: Record<string, AccountMailProps>;
  tokenReused: Record<string, TokenReusedProps>;
};
