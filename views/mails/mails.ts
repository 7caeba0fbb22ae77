// Every mail there is, by the name it has in the database, the audit trail and on the command line.
import { passwordChangedMail, signedOutEverywhereMail, tokenReusedMail } from './account.ts';
import { testMail } from './trial.ts';

export const mails = {
  passwordChanged: passwordChangedMail,
  signedOutEverywhere: signedOutEverywhereMail,
  tokenReused: tokenReusedMail,
  test: testMail,
};

export type MailKind = keyof typeof mails;
/** What a mail of this kind is made of; all of it can be written as JSON. */
export type PropsOf<K extends MailKind> = Parameters<(typeof mails)[K]>[0];
