// The mail with which an operator tries whether mails arrive.
import { html } from '../html.ts';
import { en, type Words } from '../words.ts';
import { type Mail, type MailProps, mail } from './layout.ts';

export const testMail = (props: MailProps, words: Words = en): Mail =>
  mail(
    props,
    { subject: words.mails.test.subject(props.service), paragraphs: [html`${words.mails.test.text}`] },
    words,
  );

export const examples: Readonly<Record<string, MailProps>> = {
  plain: { service: 'id.example.com' },
  hostile: { service: '<b>"\'&' },
};
