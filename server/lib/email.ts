// E-mail addresses: which there are, and when two are one. What is let through here goes into the headers and the
// envelope of mails as it is: no line break, no quotes, lists, groups or comments, and nothing that a mail server
// would decode into another address (ATK-A153).
import { Problem } from './problems.ts';

const EMAIL_LENGTH = 254;

/** What addresses are compared by: NFKC, lower case, no space around. Any text has a key, also one that is no address. */
export const emailKey = (email: string): string =>
  email.normalize('NFKC').toLowerCase().normalize('NFKC').trim();

/**
 * One @, something before it, a domain of dotted labels (or `localhost`) after it; no space or control character, no
 * encoded word (RFC 2047).
 */
const EMAIL =
  /^(?!.*=\?)[^\s\p{C}@"(),:;<>[\\\]]{1,64}@(?:localhost|(?:[\p{L}\p{N}](?:[\p{L}\p{N}\p{M}-]{0,61}[\p{L}\p{N}\p{M}])?\.)+[\p{L}\p{N}](?:[\p{L}\p{N}\p{M}-]{0,61}[\p{L}\p{N}\p{M}]))$/u;

/** The address without the space around it. Throws account.emailInvalid. */
export function checkEmail(email: string): string {
  const trimmed = email.trim();
  for (const form of [trimmed, emailKey(trimmed)]) {
    if (form.length > EMAIL_LENGTH || !EMAIL.test(form)) throw new Problem('account.emailInvalid');
  }
  return trimmed;
}
