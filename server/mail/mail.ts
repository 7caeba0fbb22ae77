// Mails to people: made in the transaction of the act they tell of, sent by the queue until the operator's mail server has
// taken them (A14, O10). Nobody who signs in waits for that server.
//
// Sent at least once: a worker that dies between the last byte and the noting of the answer leaves the outcome unknown, and
// the mail is sent again under the same Message-ID. Without SMTP_URL mails wait, untried, and `gatehouse mail` shows them.
// Only the checked address of one recipient reaches a header; names stand in the body alone (ATK-A153).
import { randomUUIDv7 } from 'node:crypto';
import type { Config } from '../../config/options.ts';
import { readSender } from '../../config/smtp.ts';
import type { Mail as Written } from '../../views/mails/layout.ts';
import { type MailKind, mails, type PropsOf } from '../../views/mails/mails.ts';
import { entry, write } from '../audit/audit.ts';
import type { Outcome } from '../jobs/tries.ts';
import { checkEmail } from '../lib/email.ts';
import type { Log } from '../lib/log.ts';
import type { Op } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';
import type { KeyRing } from '../lib/seal.ts';
import { add, find, type Job, type MailRow, tries } from './outbox.ts';
import { createSmtp, SmtpError } from './smtp.ts';

export { list, outgoing, purge, rescue, retry, STATES } from './outbox.ts';
export { SmtpError };

/** Seconds beyond the longest try in which a worker notes what came of it. */
const MARGIN = 10;

const placeOf = (id: string) => ({ table: 'mails', column: 'props_sealed', row: id });

interface NewMail<K extends MailKind> {
  kind: K;
  to: string;
  /** Null: to an address that is nobody's. */
  accountId: string | null;
  props: Omit<PropsOf<K>, 'service'>;
}

interface MailParts {
  settings: Config['mail'];
  issuer: string;
  ring: KeyRing;
  log: Log;
}

export function createMail({ settings, issuer, ring, log }: MailParts) {
  const { smtpUrl, from, timeout, recipientLimit } = settings;
  const { host: service, hostname } = new URL(issuer);
  const smtp = smtpUrl === null ? null : createSmtp({ url: smtpUrl, timeout, ownName: hostname });

  const render = (kind: string, props: object): Written | null =>
    Object.hasOwn(mails, kind)
      ? mails[kind as MailKind]({ ...props, service } as PropsOf<MailKind> & never)
      : null;

  function opened(id: string, kind: string, sealed: Buffer): Written | null {
    return render(kind, JSON.parse(ring.open(sealed, placeOf(id)).toString()));
  }

  /** Throws SmtpError. */
  async function deliver(id: string, to: string, written: Written): Promise<string> {
    if (smtp === null || from === null) throw new Error('mail is not set up');
    return smtp.deliver({ ...written, to, from: readSender(from), messageId: `<${id}@${hostname}>` });
  }

  async function attempt(row: MailRow & { id: string }): Promise<Outcome<'sent' | 'refused' | 'given_up'>> {
    const { id, kind, recipient, props_sealed } = row;
    if (props_sealed === null) return { state: 'given_up', failure: 'no_content' };
    let written: Written | null;
    try {
      written = opened(id, kind, props_sealed);
    } catch (error) {
      log.error({ err: error, mail: id, kind }, 'a mail cannot be read');
      return { state: 'again', failure: 'unreadable' };
    }
    // Made by a newer version, which will send it.
    if (written === null) return { state: 'again', failure: 'unknown_kind' };
    try {
      await deliver(id, recipient, written);
      return { state: 'sent', failure: null };
    } catch (error) {
      if (!(error instanceof SmtpError)) throw error;
      return { state: error.again ? 'again' : 'refused', failure: error.failure };
    }
  }

  return {
    /** SMTP_URL is set. */
    ready: smtp !== null,
    /**
     * Makes a mail in the caller's transaction, as the last thing in it. False: too many of this kind went to this
     * address within an hour. Throws account.emailInvalid.
     */
    send<K extends MailKind>(op: Op, { kind, to, accountId, props }: NewMail<K>): Promise<boolean> {
      const id = randomUUIDv7();
      const propsSealed = ring.seal(JSON.stringify(props), placeOf(id));
      return add(op, { id, kind, recipient: checkEmail(to), accountId, propsSealed }, recipientLimit);
    },

    /** One try. Throws when there shall be another. */
    async deliver(op: Op, { id }: Job): Promise<void> {
      const done = await tries.work(op, id, {
        seconds: timeout + MARGIN,
        attempt,
        noted: async (op, { kind, recipient, account_id, attempts }, { state, failure }) => {
          const about = { subject: account_id };
          const personal = { to: recipient };
          if (failure === null) await write(op, [entry('mail.sent', about, { kind, attempts }, personal)]);
          else if (state === 'refused') {
            await write(op, [entry('mail.refused', about, { kind, failure }, personal)]);
          } else await write(op, [entry('mail.givenUp', about, { kind, failure, attempts }, personal)]);
        },
      });
      if (!done || done.settled.failure === null) return;
      const { state, failure } = done.settled;
      log.warn({ mail: id, kind: done.kind, failure }, `a mail was ${state}`);
    },

    /** The mail as it would be sent; null once its content is erased. Throws mail.notFound. */
    async show(op: Op, id: string) {
      const { propsSealed, ...row } = await find(op, id);
      return { ...row, content: propsSealed === null ? null : opened(id, row.kind, propsSealed) };
    },

    /** Sends a test mail now, past the queue; what the server answered. Throws account.emailInvalid, mail.notSetUp, SmtpError. */
    async test(op: Op, to: string): Promise<string> {
      const recipient = checkEmail(to);
      const written = render('test', {});
      if (smtp === null || written === null) throw new Problem('mail.notSetUp');
      const answer = await deliver(randomUUIDv7(), recipient, written);
      await write(op, [entry('mail.sent', {}, { kind: 'test', attempts: 1 }, { to: recipient })]);
      return answer;
    },

    async stop(): Promise<void> {
      await smtp?.stop();
    },
  };
}

export type Mail = ReturnType<typeof createMail>;

/**
 * Connects to the mail server, encrypts and signs in, without sending anything. Answers what it is called; null: there is
 * none. Throws SmtpError.
 */
export async function tryServer(
  { smtpUrl, timeout }: Pick<Config['mail'], 'smtpUrl' | 'timeout'>,
  issuer: string,
): Promise<string | null> {
  if (smtpUrl === null) return null;
  const smtp = createSmtp({ url: smtpUrl, timeout, ownName: new URL(issuer).hostname });
  try {
    await smtp.verify();
    return smtp.at;
  } finally {
    await smtp.stop();
  }
}
