// A real SMTP server in the test's process, with TLS and STARTTLS, that keeps what it takes, read as mail programs read
// it, and fails as it is told: not there, silent, 4xx, 5xx, cut.
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import type { Test } from 'tap';

interface Received {
  /** Of the envelope. */
  from: string;
  to: string[];
  /** In their order, names in lower case, unfolded and as they came. */
  headers: [string, string][];
  messageId: string;
  /** With encoded words read. */
  subject: string;
  sender: string;
  text: string;
  html: string;
  raw: string;
  secure: boolean;
  user: string | null;
}

/** A status, silence, or the end of the connection. */
type Reply = number | 'hang' | 'cut';

export interface MailServer {
  port: number;
  /** All that was taken whole, in the order it came, whatever it was answered. */
  received: Received[];
  connections: number;
  /** Silent from the first moment. */
  silent: boolean;
  /** To MAIL FROM, RCPT TO and the end of the mail; 250 unless set. */
  onSender: () => Reply;
  onRecipient: (to: string) => Reply;
  onMail: (mail: Received) => Reply | Promise<Reply>;
  /** Distinct mails taken for this address. */
  of(to: string): Received[];
  close(): Promise<void>;
  /** Again on the same port. */
  open(): Promise<void>;
}

const unquoted = (text: string, space: boolean): Buffer =>
  Buffer.from(
    (space ? text.replaceAll('_', ' ') : text.replace(/=\r\n/g, '')).replace(/=([0-9A-F]{2})/gi, (_, hex) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    ),
    'latin1',
  );

/** RFC 2047. Neighbouring words belong together, also within one character. */
export function decodeWords(text: string): string {
  return text.replace(/=\?utf-8\?[bq]\?[^?]*\?=(?:\s+=\?utf-8\?[bq]\?[^?]*\?=)*/gi, (run) =>
    Buffer.concat(
      [...run.matchAll(/=\?utf-8\?([bq])\?([^?]*)\?=/gi)].map(([, how = '', word = '']) =>
        how.toLowerCase() === 'b' ? Buffer.from(word, 'base64') : unquoted(word, true),
      ),
    ).toString('utf8'),
  );
}

function split(raw: string): { headers: [string, string][]; body: string } {
  const end = raw.indexOf('\r\n\r\n');
  const lines = raw
    .slice(0, end)
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    assert.ok(colon > 0, `a header line: ${line}`);
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { headers, body: raw.slice(end + 4) };
}

const header = (headers: readonly [string, string][], name: string): string =>
  headers.find(([one]) => one === name)?.[1] ?? '';

function decoded({ headers, body }: ReturnType<typeof split>): string {
  assert.match(header(headers, 'content-type'), /charset=utf-8/i);
  const encoding = header(headers, 'content-transfer-encoding').toLowerCase();
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString('utf8');
  if (encoding === 'quoted-printable') return unquoted(body, false).toString('utf8');
  assert.equal(encoding, '7bit');
  return body;
}

function read(raw: string): Pick<Received, 'headers' | 'messageId' | 'subject' | 'sender' | 'text' | 'html'> {
  assert.doesNotMatch(raw, /[^\r]\n|\r[^\n]/, 'no bare line breaks');
  for (const line of raw.split('\r\n')) assert.ok(line.length <= 998, 'no line is too long');
  const { headers, body } = split(raw);
  const type = header(headers, 'content-type');
  assert.match(type, /^multipart\/alternative;/);
  const boundary = /boundary="([^"]+)"/.exec(type)?.[1] ?? '';
  const parts = body
    .split(`--${boundary}`)
    .slice(1, -1)
    .map((part) => split(part.replace(/^\r\n/, '').replace(/\r\n$/, '')));
  assert.deepEqual(
    parts.map((part) => header(part.headers, 'content-type').split(';')[0]),
    ['text/plain', 'text/html'],
  );
  const [text = '', html = ''] = parts.map((part) => decoded(part).replaceAll('\r\n', '\n'));
  return {
    headers,
    messageId: header(headers, 'message-id'),
    subject: decodeWords(header(headers, 'subject')),
    sender: decodeWords(header(headers, 'from')),
    text,
    html,
  };
}

const refusal = (code: number) => Object.assign(new Error('as the test says'), { responseCode: code });

/** Without credentials in `options` it wants none. */
export async function startSmtp(
  t: Test,
  {
    host = '127.0.0.1',
    login,
    ...options
  }: SMTPServerOptions & { host?: string; login?: { user: string; password: string } } = {},
): Promise<MailServer> {
  const sockets = new Map<number, Socket>();
  let server: SMTPServer;

  /** Answers in SMTP's way; `done` without an error is 250. */
  async function answer(
    reply: Reply | Promise<Reply>,
    session: { remotePort: number },
    done: (error?: Error | null) => void,
  ): Promise<void> {
    const what = await reply;
    if (what === 'cut') sockets.get(session.remotePort)?.destroy();
    else if (what !== 'hang') done(what < 300 ? null : refusal(what));
  }

  const me: MailServer = {
    port: 0,
    received: [],
    connections: 0,
    silent: false,
    onSender: () => 250,
    onRecipient: () => 250,
    onMail: () => 250,
    of: (to) => [
      ...new Map(
        me.received.filter((one) => one.to.includes(to)).map((one) => [one.messageId, one]),
      ).values(),
    ],
    async close() {
      for (const socket of sockets.values()) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
    async open() {
      server = new SMTPServer({
        authOptional: login === undefined,
        disabledCommands: [
          ...(login === undefined ? ['AUTH'] : []),
          // Else it would use a certificate of its own.
          ...(options.key === undefined ? ['STARTTLS'] : []),
        ],
        disableReverseLookup: true,
        socketTimeout: 600_000,
        closeTimeout: 100,
        logger: false,
        ...options,
        onConnect: (_session, done) => {
          if (!me.silent) done();
        },
        onAuth: ({ username, password }, _session, done) => {
          if (username === login?.user && password === login?.password) done(null, { user: username });
          else done(Object.assign(new Error('wrong user or password'), { responseCode: 535 }));
        },
        onMailFrom: (_address, session, done) => void answer(me.onSender(), session, done),
        onRcptTo: ({ address }, session, done) => void answer(me.onRecipient(address), session, done),
        onData: async (stream, session, done) => {
          const raw = (await buffer(stream)).toString('latin1');
          const { mailFrom, rcptTo } = session.envelope;
          const mail = {
            from: mailFrom ? mailFrom.address : '',
            to: rcptTo.map(({ address }) => address),
            ...read(raw),
            raw,
            secure: session.secure,
            user: typeof session.user === 'string' ? session.user : null,
          };
          me.received.push(mail);
          await answer(me.onMail(mail), session, done);
        },
      });
      server.on('error', () => {});
      server.server.on('connection', (socket: Socket) => {
        me.connections++;
        const port = socket.remotePort ?? 0;
        sockets.set(port, socket);
        socket.on('close', () => sockets.delete(port));
      });
      server.listen(me.port, host);
      await once(server.server, 'listening');
      me.port = (server.server.address() as AddressInfo).port;
    },
  };
  await me.open();
  t.teardown(() => me.close().catch(() => {}));
  return me;
}
