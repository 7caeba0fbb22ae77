// Mails to people: what became of them, and whether the mail server takes any. While there is none, this is where they are.
import { type Command, Option } from 'commander';
import { list, retry, STATES } from '../mail/mail.ts';
import { mailOf, withStore } from './open.ts';
import { asFacts, command, facts, group, minute, prints, table, UsageError } from './terminal.ts';

const listMails = (options: { state?: string; limit: string }) => {
  const limit = Number(options.limit);
  if (!/^\d{1,5}$/.test(options.limit) || limit < 1) throw new UsageError('--limit takes a number from 1.');
  return withStore(async (op, { config }) => {
    const listed = await list(op, { state: options.state ?? null, limit });
    const rows = table(
      ['MADE', 'TO', 'KIND', 'STATE', 'TRIES', 'LAST TRY', 'LAST FAILURE', 'ID'],
      listed.map((one) => [
        minute(one.createdAt),
        one.recipient,
        one.kind,
        one.state,
        String(one.attempts),
        minute(one.lastAttemptAt),
        one.lastFailure ?? '-',
        one.id,
      ]),
      'There are none.',
    );
    const waiting = config.mail.smtpUrl === null ? '\n\nSMTP_URL is not set: no mail is sent.' : '';
    return { json: listed, text: rows + waiting };
  });
};

const showMail = (id: string) =>
  withStore(async (op, store) => {
    const { content, ...row } = await mailOf(store).show(op, id);
    const { recipient: to, ...more } = row;
    const heading = facts({ to, ...(content ? { subject: content.subject } : {}), ...asFacts(more) });
    const text = content ? lines(content.text) : 'It has been sent, and its content is erased.';
    return { json: { ...row, content }, text: `${heading}\n\n${text}` };
  });

/** Without what a terminal would obey. */
const lines = (text: string) => text.replace(/[^\P{Cc}\n]/gu, '').trimEnd();

const retryMail = (id: string) =>
  withStore(async (op, { config }) => {
    await retry(op, id);
    const text =
      config.mail.smtpUrl === null
        ? 'It waits until SMTP_URL is set.'
        : 'A running server sends it once more, now.';
    return { json: { id, state: 'pending' }, text };
  });

const testMail = (to: string) =>
  withStore(async (op, store) => {
    const mail = mailOf(store);
    try {
      const answer = await mail.test(op, to);
      return {
        json: { to, answer },
        text: `The mail server took a mail to ${to} and said: ${lines(answer)}`,
      };
    } finally {
      await mail.stop();
    }
  });

export function add(program: Command): void {
  const mail = group(program, 'mail', 'Shows the mails to people and what became of them.');
  command(mail, 'list', 'Lists mails that wait, and those settled in the last 30 days, the latest first.')
    .addOption(new Option('--state <state>', 'in this state alone').choices(STATES))
    .option('--limit <number>', 'at most so many', '100')
    .action(prints(listMails));
  command(mail, 'show <id>', 'Prints a mail that has not been sent.').action(prints(showMail));
  command(mail, 'retry <id>', 'Sends a mail once more, now, unless it has been sent.').action(
    prints(retryMail),
  );
  command(mail, 'test <address>', 'Sends a test mail now, and prints what the mail server says.').action(
    prints(testMail),
  );
}
