// Speaks SMTP (RFC 5321) to the operator's own server, through nodemailer. It is not guarded as requests to addresses of
// others are (server/egress): nobody but the operator says where this leads, and it is often inside.
//
// The connection is TLS with a verified certificate or it is not used, except on this machine. Every try has an end:
// a server that hangs or trickles is left after `timeout` seconds.
import { domainToASCII } from 'node:url';
import type { NodemailerError } from 'nodemailer/lib/errors';
import type { SMTPPoolOptions } from 'nodemailer/lib/smtp-pool';
import { readSmtpUrl } from '../../config/smtp.ts';

export interface Envelope {
  /** Checked by lib/email.ts: it stands in a command and a header as it is. */
  to: string;
  from: { name: string; address: string };
  messageId: string;
  subject: string;
  text: string;
  html: string;
}

/** What came of it, to be kept (`failure`), and in words for the operator (`message`). */
export class SmtpError extends Error {
  override readonly name = 'SmtpError';
  /** False: the server refuses this mail, and would again. */
  readonly again: boolean;
  readonly failure: string;
  constructor(again: boolean, failure: string, sentence: string) {
    super(sentence);
    this.again = again;
    this.failure = failure;
  }
}

const CONNECTIONS = 3;

const FAILURES: Readonly<Record<string, string>> = {
  EDNS: 'dns',
  ETLS: 'tls',
  EAUTH: 'auth',
  ENOAUTH: 'auth',
  ETIMEDOUT: 'timeout',
  EABORT: 'timeout',
};

/** 5xx of which the mail is innocent: the order of commands, and that we have not signed in or encrypted. */
const OF_THE_SESSION: ReadonlySet<number> = new Set([503, 530, 534, 535, 538]);

type Thrown = Pick<NodemailerError, 'code' | 'command' | 'response' | 'responseCode' | 'message'>;

/** Only what is said of the recipient or of the mail itself is final: all else may be mended on the way. */
function judge(error: Thrown, at: string, timeout: number): SmtpError {
  const { code = '', command = '', response = '', responseCode = 0, message } = error;
  const known = FAILURES[code];
  if (known === 'timeout')
    return new SmtpError(true, known, `${at} did not answer within ${timeout} seconds.`);
  if (known === 'auth') {
    return new SmtpError(
      true,
      'auth',
      `${at} does not accept the user and password of SMTP_URL: ${response || message}`,
    );
  }
  if (known) return new SmtpError(true, known, `${at} cannot be used: ${message}`);
  const ofThisMail = (code === 'EENVELOPE' && command !== 'MAIL FROM') || code === 'EMESSAGE';
  if (responseCode > 0) {
    const final = ofThisMail && responseCode >= 500 && !OF_THE_SESSION.has(responseCode);
    return new SmtpError(!final, `smtp_${responseCode}`, `${at} answered to ${command}: ${response}`);
  }
  if (code === 'EENVELOPE')
    return new SmtpError(false, 'address', `${at} cannot be given this address: ${message}`);
  // Certificates are refused below SMTP.
  const failure = /certificate|altname/i.test(message) ? 'tls' : 'connection';
  return new SmtpError(true, failure, `${at} cannot be used: ${message}`);
}

/** Domains as every mail server knows them; what stands before the @ may need one that speaks SMTPUTF8. */
function inAscii(address: string): string {
  const at = address.lastIndexOf('@') + 1;
  return address.slice(0, at) + (domainToASCII(address.slice(at)) || address.slice(at));
}

interface SmtpSettings {
  url: string;
  /** Seconds one try may take. */
  timeout: number;
  /** By what name this server greets. */
  ownName: string;
}

export function createSmtp({ url, timeout, ownName }: SmtpSettings) {
  const { host, port, implicitTls, local, user, password } = readSmtpUrl(url);
  const at = `${host}:${port}`;
  const milliseconds = timeout * 1000;
  const stopping = new AbortController();
  const underWay = new Set<Promise<unknown>>();
  const options: SMTPPoolOptions & { pool: true } = {
    pool: true,
    maxConnections: CONNECTIONS,
    // The queue makes another try, and counts it.
    maxRequeues: 0,
    host,
    port,
    secure: implicitTls,
    requireTLS: !implicitTls && !local,
    name: ownName,
    ...(user !== null && password !== null ? { auth: { user, pass: password }, forceAuth: true } : {}),
    // A mail server of this machine has whatever certificate came with it.
    tls: { minVersion: 'TLSv1.2', rejectUnauthorized: !local },
    dnsTimeout: milliseconds,
    connectionTimeout: milliseconds,
    greetingTimeout: milliseconds,
    socketTimeout: milliseconds,
    logger: false,
  };
  // Loaded when needed: a server without mail can do without.
  let made: Promise<ReturnType<typeof open>> | null = null;
  const open = ({ createTransport }: typeof import('nodemailer')) => createTransport(options);
  const transport = () => {
    made ??= import('nodemailer').then(open);
    return made;
  };

  async function ask<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const signal = AbortSignal.any([AbortSignal.timeout(milliseconds), stopping.signal]);
    const asked = work(signal);
    underWay.add(asked);
    try {
      return await asked;
    } catch (error) {
      throw judge(error as Thrown, at, timeout);
    } finally {
      underWay.delete(asked);
    }
  }

  return {
    /** For a sentence. */
    at,

    /** What the server said when it took the mail. Throws SmtpError. */
    deliver: ({ to, from, messageId, subject, text, html }: Envelope): Promise<string> =>
      ask(async (signal) => {
        const [sender, recipient] = [inAscii(from.address), inAscii(to)];
        const { response } = await (await transport()).sendMail({
          envelope: { from: sender, to: [recipient] },
          from: { name: from.name, address: sender },
          to: { name: '', address: recipient },
          messageId,
          subject,
          text,
          html,
          headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
          xMailer: false,
          disableFileAccess: true,
          disableUrlAccess: true,
          signal,
        });
        return response;
      }),

    /** Connects, encrypts and signs in, without sending anything. Throws SmtpError. */
    verify: (): Promise<void> =>
      ask(async (signal) => {
        const ended = new Promise<never>((_, reject) => {
          const late = () => reject(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }));
          signal.addEventListener('abort', late, { once: true });
        });
        await Promise.race([(await transport()).verify(), ended]);
      }),

    /** Ends what is under way: it counts as failed. */
    async stop(): Promise<void> {
      stopping.abort();
      await Promise.allSettled(underWay);
      (await made)?.close();
    },
  };
}
