// Mails to people over real SMTP (A14, O10): what is in them, how often they come, and what becomes of them when the mail
// server, or the server that sends, is away.
import { execFile, execFileSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { loadConfig, type SettingsError } from '../config/load.ts';
import { type Database, inTransaction } from '../drizzle/database.ts';
import { setPassword } from '../server/accounts/accounts.ts';
import { tellPasswordChanged } from '../server/accounts/notices.ts';
import { createLog } from '../server/lib/log.ts';
import { type Op, systemOp } from '../server/lib/op.ts';
import { createKeyRing } from '../server/lib/seal.ts';
import { createMail, list, type Mail, purge, rescue, retry } from '../server/mail/mail.ts';
import * as account from '../views/mails/account.ts';
import { nameInMail, type Mail as Written } from '../views/mails/layout.ts';
import * as trial from '../views/mails/trial.ts';
import { authorizePath, pkce, startApp, tokenRequest, tokens } from './harness/app.ts';
import { freshDatabase, openPool } from './harness/database.ts';
import { atOnce, startFleet } from './harness/fleet.ts';
import { temporaryFolder } from './harness/folders.ts';
import { freePort, newKey, type ServerProcess, startServer } from './harness/server.ts';
import { decodeWords, type MailServer, startSmtp } from './harness/smtp.ts';

t.setTimeout(300_000);
const project = fileURLToPath(new URL('..', import.meta.url));
const FROM = 'Gatehouse “Tests”, Zoë <no-reply@example.org>';

async function until(what: string, holds: () => boolean | Promise<boolean>, seconds = 15): Promise<void> {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(25)) if (await holds()) return;
  throw new Error(`not within ${seconds} s: ${what}`);
}

const address = (): string => `person-${randomBytes(5).toString('hex')}@example.org`;

const settingsFor = (port: number, more: Record<string, string> = {}): Record<string, string> => ({
  SMTP_URL: `smtp://localhost:${port}`,
  MAIL_FROM: FROM,
  MAIL_TIMEOUT: '3',
  ...more,
});

/** The room on a database, with the settings of a server. */
function mailWith(key: string, more: Record<string, string> = {}): Mail {
  const env = {
    DATABASE_URL: 'postgres://localhost/x',
    ENCRYPTION_KEYS: key,
    COOKIE_KEYS: newKey(),
    ...more,
  };
  const { config } = loadConfig({ cwd: process.cwd(), env });
  return createMail({
    settings: config.mail,
    issuer: 'http://localhost:3000',
    ring: createKeyRing([key]),
    log: createLog({ level: 'silent', format: 'json' }),
  });
}

interface Row {
  id: string;
  state: string;
  attempts: number;
  failure: string | null;
  content: boolean;
}

const rowsOf = async (db: Database, to: string): Promise<Row[]> =>
  (
    await db.$client`
    SELECT id, state, attempts, last_failure AS failure, props_sealed IS NOT NULL AS content FROM mails
    WHERE recipient = ${to} ORDER BY id`
  ).map((row) => ({ ...row }) as Row);

const settled = (db: Database, to: string, state: string, seconds?: number) =>
  until(
    `the mail to ${to} is ${state}`,
    async () => {
      const rows = await rowsOf(db, to);
      return rows.length > 0 && rows.every((row) => row.state === state);
    },
    seconds,
  );

async function cli(env: Readonly<Record<string, string>>, ...args: string[]): Promise<string> {
  const { PATH = '', HOME = '' } = process.env;
  const options = { cwd: project, env: { PATH, HOME, ...env } };
  return (await promisify(execFile)(process.execPath, ['server/cli.ts', ...args], options)).stdout;
}

const props = (name: string | null) => ({ name, at: '2026-11-20T08:12:00.000Z', by: 'person' as const });

const send = (mail: Mail, op: Op, to: string, name: string | null = 'Pat') =>
  mail.send(op, { kind: 'passwordChanged', to, accountId: null, props: props(name) });

t.test('A14 ATK-A153 ATK-A198: every example mail, hostile values too', async (t) => {
  const all: Record<string, Written> = {};
  for (const [name, one] of Object.entries(account.examples.passwordChanged)) {
    all[`passwordChanged, ${name}`] = account.passwordChangedMail(one as account.PasswordChangedProps);
  }
  for (const [name, one] of Object.entries(account.examples.signedOutEverywhere)) {
    all[`signedOutEverywhere, ${name}`] = account.signedOutEverywhereMail(one);
  }
  for (const [name, one] of Object.entries(account.examples.tokenReused)) {
    all[`tokenReused, ${name}`] = account.tokenReusedMail(one as account.TokenReusedProps);
  }
  for (const [name, one] of Object.entries(trial.examples)) all[`test, ${name}`] = trial.testMail(one);
  const unescaped = (html: string) =>
    html
      .replace(/<[^>]*>/g, '')
      .replace(
        /&(amp|lt|gt|quot|#39);/g,
        (_, name: string) => ({ amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" })[name] ?? '',
      );
  for (const [name, { subject, text, html }] of Object.entries(all)) {
    t.matchSnapshot({ subject, text, html }, name);
    t.notMatch(subject, /[\r\n]/);
    t.notMatch(html, /<(script|img|link|iframe|form|a)\b|\b(src|href|on\w+)="|url\(/i, 'nothing is loaded');
    t.notMatch(text, /[\u202a-\u202e\u2066-\u2069]|\r/u, 'nothing reorders the text');
    const paragraphs = [...html.matchAll(/<p [^>]*>([\s\S]*?)<\/p>/g)].map(([, one = '']) => unescaped(one));
    t.same(text.replace('-- \n', '').trimEnd().split('\n\n'), paragraphs, 'text and markup say the same');
  }
  t.equal(nameInMail('a\r\n b'), 'a b');
  for (const bad of [
    'evil.example',
    'see https://x',
    'x@y.z',
    'ｅｖｉｌ．ｅｘａｍｐｌｅ',
    'evil。example',
    '\u200b',
    '',
  ]) {
    t.equal(nameInMail(bad), null, bad);
  }
});

t.test('O10: settings of mail that cannot work are refused, and no password is repeated', async (t) => {
  const faults = (env: Record<string, string>): readonly string[] => {
    try {
      loadConfig({ cwd: process.cwd(), env });
      return [];
    } catch (error) {
      return (error as SettingsError).faults;
    }
  };
  const from = { MAIL_FROM: 'a@example.org' };
  t.same(faults({ SMTP_URL: 'smtp://mail.example.org', ...from }), []);
  t.same(faults({ SMTP_URL: 'smtps://us%40er:p%2Fw@mail.example.org:465/', ...from }), []);
  for (const url of [
    'http://mail.example.org',
    'smtp://user:geheim%zz@mail.example.org',
    'smtp://user:geheim/x@mail.example.org',
    'smtp://user@mail.example.org',
    'smtp://mail.example.org/path?tls=geheim',
    'smtp://user:geheim%0d%0a@mail.example.org',
    'smtp://',
  ]) {
    const found = faults({ SMTP_URL: url, ...from });
    t.equal(found.length, 1, url);
    t.match(found[0], /^SMTP_URL /);
    t.notMatch(found[0], /geheim/);
  }
  t.match(faults({ SMTP_URL: 'smtp://mail.example.org' }), [/MAIL_FROM is required/]);
  for (const bad of ['nobody', 'a@b.c, d@e.f', 'A <a@b.c> <d@e.f>', '"a"@b.c', 'A "x" <a@b.c>']) {
    t.match(faults({ SMTP_URL: 'smtp://mail.example.org', MAIL_FROM: bad }), [/^MAIL_FROM is not/], bad);
  }
});

t.test('one server', async (t) => {
  const smtp = await startSmtp(t);
  const key = newKey();
  const app = await startApp(t, settingsFor(smtp.port, { ENCRYPTION_KEYS: key, REFRESH_REPLAY_WINDOW: '1' }));
  const mail = mailWith(key, settingsFor(smtp.port));
  t.teardown(() => mail.stop());
  const reset = () => {
    smtp.onSender = () => 250;
    smtp.onRecipient = () => 250;
    smtp.onMail = () => 250;
  };

  await t.test('A14 O10: a changed password is told, with the act or not at all', async (t) => {
    const { id, email } = await app.person();
    await t.rejects(
      inTransaction(app.op(), async (op) => {
        await setPassword(op, id, 'not a hash', 'cli');
        await tellPasswordChanged(op, mail, id, 'operator');
        throw new Error('undone');
      }),
      /undone/,
    );
    t.same(await rowsOf(app.db, email), []);
    await inTransaction(app.op(), async (op) => {
      await setPassword(op, id, 'not a hash', 'cli');
      await tellPasswordChanged(op, mail, id, 'operator');
    });
    await settled(app.db, email, 'sent');
    const [one, ...more] = smtp.of(email);
    t.same(more, []);
    const [row] = await rowsOf(app.db, email);
    t.match(row, { attempts: 1, failure: null, content: false }, 'its content is erased');
    t.equal(one?.messageId, `<${row?.id}@localhost>`);
    t.equal(one?.subject, 'Your password was changed');
    t.match(
      one?.text,
      /^Hello Pat Person,\n\nThe password of your account was changed by an administrator on /,
    );
    t.match(one?.html, /<bdi class="name">Pat Person<\/bdi>/);
    t.match(one?.text, /Sent automatically by localhost:\d+\./);
    const [event] = await app.events('mail.sent');
    t.match(event, { subject_id: id, data: { kind: 'passwordChanged', attempts: 1 } });
    t.notMatch(JSON.stringify(event?.data), email, 'the address is in the personal part alone');
    const sides = await app.db.$client`SELECT data FROM audit_personal WHERE data ->> 'to' = ${email}`;
    t.equal(sides.length, 1);
    t.notOk(
      app.lines.some((line) => line.includes(email)),
      'nor in the log',
    );
  });

  await t.test(
    'P3 A14: a refresh token that is used again ends everything, and its owner is told once',
    async (t) => {
      const client = await app.client({ name: 'Field Notes' });
      const { id, email } = await app.person();
      const { body } = await tokens(app, client, { email });
      const use = (refresh_token: string) =>
        tokenRequest(app.issuer, client, { grant_type: 'refresh_token', refresh_token });
      const second = (await use(body.refresh_token as string)).body.refresh_token as string;
      t.equal((await use(second)).status, 200);
      t.equal((await use(body.refresh_token as string)).status, 400);
      await settled(app.db, email, 'sent');
      t.equal(smtp.of(email).length, 1);
      t.match(smtp.of(email)[0], {
        subject: 'Access to your account was used twice',
        text: /the app Field Notes presented a key[\s\S]*signed out on all devices/,
      });
      t.match(await app.events('token.reused'), [{ subject_id: id, data: { ended: 'account' } }]);
    },
  );

  await t.test(
    'A14: both parts, names and senders in every script, one recipient, no tracking',
    async (t) => {
      const names = [
        'Zoë Müller-Ärgernis',
        '👩🏽‍🔬 Ω “quoted” O’Neil \\ "x"',
        'עדה לאבלייס',
        'x'.repeat(300),
        '李小龍'.repeat(10),
        'two\r\nlines\u2028and\u0000more',
        '.',
        '=?utf-8?q?=62?= =\r\n.\r\n',
      ];
      for (const name of names) {
        const to = address();
        await send(mail, app.op(), to, name);
        await settled(app.db, to, 'sent');
        const [one] = smtp.of(to);
        const shown = nameInMail(name);
        t.ok(
          one?.text.startsWith(shown === null ? 'Hello,\n' : `Hello ${shown},\n`),
          escape(name.slice(0, 40)),
        );
        t.same(one?.to, [to]);
        t.equal(one?.from, 'no-reply@example.org');
        t.match(one?.sender, /Gatehouse “Tests”, Zoë"? <no-reply@example\.org>$/);
        const headers = (one?.headers ?? []).map(([header]) => header);
        t.equal(new Set(headers).size, headers.length, 'each header once');
        t.same(
          headers.filter(
            (header) =>
              !/^(from|to|subject|message-id|date|mime-version|content-type|auto-submitted|x-auto-response-suppress)$/.test(
                header,
              ),
          ),
          [],
          'no other header',
        );
        const value = (header: string) => one?.headers.find(([found]) => found === header)?.[1];
        t.equal(value('to'), to);
        t.equal(value('auto-submitted'), 'auto-generated');
      }
    },
  );

  await t.test('A14: addresses of every script', async (t) => {
    const end = randomBytes(3).toString('hex');
    const names = {
      [`zoë-${end}@example.org`]: null,
      [`a-${end}@bücher.example`]: `a-${end}@xn--bcher-kva.example`,
    };
    for (const [to, arrives] of Object.entries(names)) {
      await send(mail, app.op(), to);
      await settled(app.db, to, 'sent');
      const one = smtp.received.at(-1);
      // The test's server reads what it is given in ASCII.
      t.same(one?.to, [to]);
      t.equal(
        Buffer.from(one?.headers.find(([header]) => header === 'to')?.[1] ?? '', 'latin1').toString(),
        arrives ?? to,
      );
    }
  });

  await t.test('ATK-A153: an address cannot carry a header, a command or a second recipient', async (t) => {
    const before = smtp.received.length;
    for (const bad of [
      'a@example.org\r\nBcc: evil@example.net',
      'a@example.org\nRCPT TO:<evil@example.net>',
      'a@example.org\u2028Bcc: evil@example.net',
      'a@example.org, evil@example.net',
      'a@example.org;evil@example.net',
      '"a\r\nBcc: x"@example.org',
      '"a@evil.example,"@example.org',
      'A <a@example.org>',
      '<a@example.org>',
      'a@example.org>\r\nDATA',
      'a (x)@example.org',
      'group:a@example.org;',
      '=?utf-8?q?evil=40example.net?=@example.org',
      'a@example.org\0',
      `${'a'.repeat(10_240)}@example.org`,
      '',
    ]) {
      t.throws(() => send(mail, app.op(), bad), { code: 'account.emailInvalid' }, escape(bad.slice(0, 60)));
    }
    const odd = `a%0d%0abcc:evil+'{}|~-${randomBytes(3).toString('hex')}`.replace(':', '');
    await send(mail, app.op(), `${odd}@example.org`);
    await settled(app.db, `${odd}@example.org`, 'sent');
    t.same(
      smtp.received.slice(before).map(({ to }) => to),
      [[`${odd}@example.org`]],
      'what is a strange but valid address is one recipient',
    );
  });

  await t.test('O10: a mail server that is down, then back: the mail comes later, once', async (t) => {
    const to = address();
    await smtp.close();
    await send(mail, app.op(), to);
    await until('it was tried', async () => (await rowsOf(app.db, to))[0]?.failure === 'connection');
    t.match(await rowsOf(app.db, to), [{ state: 'pending', content: true }]);
    await smtp.open();
    await settled(app.db, to, 'sent', 30);
    t.equal(smtp.received.filter((one) => one.to.includes(to)).length, 1);
  });

  for (const where of ['greeting', 'end of the mail'] as const) {
    await t.test(`O10: a mail server that hangs at the ${where} keeps no page waiting`, async (t) => {
      const tos = Array.from({ length: 8 }, address);
      if (where === 'greeting') {
        await smtp.close();
        await smtp.open();
        smtp.silent = true;
      } else smtp.onMail = () => 'hang';
      const connections = smtp.connections;
      for (const to of tos) await send(mail, app.op(), to);
      await until('it hangs', () => smtp.connections > connections || where !== 'greeting');
      const { email } = await app.person();
      const client = await app.client({ firstParty: true });
      const began = Date.now();
      const page = await app.visitor().get(authorizePath(client, pkce()));
      t.equal(page.status, 303);
      const { body } = await tokens(app, client, { email }, { scope: 'openid' });
      t.ok(body.id_token);
      t.ok(Date.now() - began < 2500, `a whole sign-in took ${Date.now() - began} ms`);
      await until(
        'a try has timed out',
        async () => (await rowsOf(app.db, tos[0] as string))[0]?.failure === 'timeout',
      );
      smtp.silent = false;
      reset();
      for (const to of tos) await settled(app.db, to, 'sent', 40);
      for (const to of tos) t.equal(smtp.of(to).length, 1, 'one mail, by its Message-ID');
    });
  }

  await t.test('O10: what says later is tried later; a cut connection, too', async (t) => {
    const to = address();
    const replies = [451, 'cut', 421, 250] as const;
    let at = 0;
    smtp.onMail = () => replies[at++] ?? 500;
    await send(mail, app.op(), to);
    await settled(app.db, to, 'sent', 30);
    reset();
    const all = smtp.received.filter((one) => one.to.includes(to));
    t.equal(all.length, 4);
    t.equal(new Set(all.map(({ messageId }) => messageId)).size, 1, 'always the same mail');
    t.match(await rowsOf(app.db, to), [{ attempts: 4, failure: null }]);
  });

  await t.test('O10: a full mailbox is waited for, one that is not there is not', async (t) => {
    const [full, gone, spam, from] = [address(), address(), address(), address()];
    smtp.onRecipient = (to) => (to === full ? 452 : to === gone ? 550 : 250);
    smtp.onMail = ({ to }) => (to[0] === spam ? 554 : 250);
    await send(mail, app.op(), full);
    await send(mail, app.op(), gone);
    await send(mail, app.op(), spam);
    await settled(app.db, gone, 'refused');
    await settled(app.db, spam, 'refused');
    await until('it was tried', async () => (await rowsOf(app.db, full))[0]?.failure === 'smtp_452');
    reset();
    await settled(app.db, full, 'sent', 30);
    t.match(await rowsOf(app.db, gone), [{ attempts: 1, failure: 'smtp_550', content: true }]);
    t.match(await rowsOf(app.db, spam), [{ attempts: 1, failure: 'smtp_554' }]);
    const refused = await app.events('mail.refused');
    t.same(refused.map(({ data }) => data.failure).sort(), ['smtp_550', 'smtp_554']);
    t.ok(app.lines.some((line) => line.includes('a mail was refused') && line.includes('smtp_550')));
    t.notOk(app.lines.some((line) => line.includes(gone)));
    // What is wrong with our own settings is no fault of the recipient.
    smtp.onSender = () => 553;
    await send(mail, app.op(), from);
    await until('it was tried', async () => (await rowsOf(app.db, from))[0]?.failure === 'smtp_553');
    reset();
    await settled(app.db, from, 'sent', 30);
    const unsigned = address();
    smtp.onRecipient = () => 530;
    await send(mail, app.op(), unsigned);
    await until('it was tried', async () => (await rowsOf(app.db, unsigned))[0]?.failure === 'smtp_530');
    reset();
    await settled(app.db, unsigned, 'sent', 30);
    const [{ id = '' } = {}] = await rowsOf(app.db, gone);
    await retry(app.op(), id);
    await settled(app.db, gone, 'sent');
    await t.rejects(retry(app.op(), id), { code: 'mail.sent' });
    await t.rejects(retry(app.op(), randomUUID()), { code: 'mail.notFound' });
    await t.rejects(retry(app.op(), 'x'), { code: 'mail.notFound' });
  });

  await t.test('O10: after the last try it is given up, and reported', async (t) => {
    const to = address();
    smtp.onMail = () => 451;
    await send(mail, app.op(), to);
    await until('it was tried', async () => (await rowsOf(app.db, to))[0]?.failure === 'smtp_451');
    await app.db.$client`UPDATE mails SET attempts = 35 WHERE recipient = ${to}`;
    await settled(app.db, to, 'given_up');
    reset();
    t.match(await rowsOf(app.db, to), [{ attempts: 36, failure: 'smtp_451' }]);
    t.match((await app.events('mail.givenUp')).at(-1), { data: { failure: 'smtp_451', attempts: 36 } });
  });

  await t.test(
    'ATK-A152: one mailbox gets so many mails of a kind in an hour, however many ask at once',
    async (t) => {
      const victim = address();
      const made = await atOnce(40, (turn) =>
        send(
          mail,
          app.op(),
          turn % 2 ? victim : victim.replace('person', 'PERSON').replace('example', 'Example'),
        ),
      );
      t.equal(made.filter(Boolean).length, 5);
      const other = await mail.send(app.op(), { kind: 'test', to: victim, accountId: null, props: {} });
      t.ok(other, 'another kind is another matter');
      t.ok(await send(mail, app.op(), address()), 'so is another person');
      const events = (await app.events('mail.limitReached')).filter(
        ({ data }) => data.kind === 'passwordChanged',
      );
      t.match(events, [{ data: { limit: 5 } }], 'on record once');
      t.equal(
        await send(mail, { ...app.op(), now: new Date(Date.now() + 3_601_000) }, victim),
        true,
        'an hour later',
      );
    },
  );

  await t.test('O10: many workers at one mail: sent once', async (t) => {
    const to = address();
    const rows = app.db.$client;
    smtp.onMail = async () => {
      await sleep(300);
      return 250;
    };
    await send(mail, app.op(), to);
    const [{ id = '' } = {}] = await rowsOf(app.db, to);
    const outcomes = await Promise.allSettled(atOnceSettled(20, () => mail.deliver(app.op(), { id })));
    t.ok(outcomes.length === 20);
    await settled(app.db, to, 'sent');
    await mail.deliver(app.op(), { id });
    reset();
    t.equal(smtp.received.filter((one) => one.to.includes(to)).length, 1);
    const [jobs] = await rows`SELECT count(*)::int AS n FROM audit_personal WHERE data ->> 'to' = ${to}`;
    t.equal(jobs?.n, 1);
  });

  await t.test('O10: a mail that lost its job gets another; settled ones go after 30 days', async (t) => {
    const to = address();
    await smtp.close();
    await send(mail, app.op(), to);
    await app.db.$client`DELETE FROM pgboss.job WHERE name = 'mail.deliver'`;
    await smtp.open();
    await rescue(app.op());
    await sleep(1500);
    t.match(await rowsOf(app.db, to), [{ state: 'pending' }], 'not while a job may be there');
    await app.db.$client`
      UPDATE mails SET created_at = now() - interval '3 hours', last_attempt_at = NULL WHERE recipient = ${to}`;
    await rescue(app.op());
    await settled(app.db, to, 'sent');
    const waiting = address();
    await app.db.$client`
      INSERT INTO mails (id, kind, recipient, created_at) VALUES (${randomUUID()}, 'test', ${waiting}, now() - interval '90 days')`;
    await app.db.$client`UPDATE mails SET settled_at = now() - interval '31 days' WHERE recipient = ${to}`;
    await purge(app.op());
    t.same(await rowsOf(app.db, to), []);
    t.equal((await rowsOf(app.db, waiting)).length, 1, 'what waits is kept');
    t.ok((await list(app.op(), { state: 'sent', limit: 1000 })).length > 5, 'and what is younger');
    await app.db.$client`DELETE FROM mails WHERE recipient = ${waiting}`;
  });
});

const atOnceSettled = <T>(count: number, work: () => Promise<T>): Promise<T>[] =>
  Array.from({ length: count }, work);

t.test('O10: two processes, 200 mails made by twenty at once: each arrives once', async (t) => {
  const smtp = await startSmtp(t);
  const key = newKey();
  const fleet = await startFleet(t, {
    env: settingsFor(smtp.port, { ENCRYPTION_KEYS: key, MAIL_TIMEOUT: '20' }),
  });
  const mail = mailWith(key);
  const tos = Array.from({ length: 200 }, address);
  const left = [...tos];
  await atOnce(20, async () => {
    for (let to = left.pop(); to !== undefined; to = left.pop()) await send(mail, fleet.op(), to);
  });
  await until(
    'all are sent',
    async () => {
      const [row] = await fleet.db.$client`SELECT count(*)::int AS n FROM mails WHERE state = 'sent'`;
      return row?.n === 200;
    },
    60,
  );
  t.equal(smtp.received.length, 200);
  t.same(new Set(smtp.received.flatMap(({ to }) => to)), new Set(tos));
  const [row] = await fleet.db.$client`SELECT count(*)::int AS n FROM audit_events WHERE type = 'mail.sent'`;
  t.equal(row?.n, 200);
});

t.test(
  'O10: killed between the last byte and the noting of it: again, under the same Message-ID',
  async (t) => {
    const smtp = await startSmtp(t);
    const key = newKey();
    const fleet = await startFleet(t, { count: 1, env: settingsFor(smtp.port, { ENCRYPTION_KEYS: key }) });
    const [server] = fleet.servers as [ServerProcess];
    const to = address();
    smtp.onMail = async () => {
      if (smtp.received.length === 1) await server.kill();
      return 250;
    };
    await send(mailWith(key), fleet.op(), to);
    await server.exited;
    t.match(await rowsOf(fleet.db, to), [{ state: 'pending', attempts: 1, failure: null, content: true }]);
    const { PORT: _, ...env } = server.env;
    await startServer(t, { env, port: await freePort() });
    await settled(fleet.db, to, 'sent', 90);
    t.equal(smtp.received.length, 2);
    t.equal(smtp.of(to).length, 1, 'one mail to whoever looks at the Message-ID');
  },
);

t.test(
  'O10: while SMTP_URL is unset mails wait in an outbox that the command line shows; then they go',
  async (t) => {
    const fleet = await startFleet(t, { count: 1 });
    const [server] = fleet.servers as [ServerProcess];
    const { email } = await fleet.person('waiting@example.org');
    const { PORT: _, ...env } = server.env;
    t.match(await cli(env, 'mail', 'list'), /There are none\.\n\nSMTP_URL is not set/);
    await cli(env, 'account', 'sign-out', email);
    await sleep(3000);
    t.match(
      await rowsOf(fleet.db, email),
      [{ state: 'pending', attempts: 0, failure: null, content: true }],
      'no try is spent',
    );
    const [row] = await rowsOf(fleet.db, email);
    t.match(
      await cli(env, 'mail', 'list'),
      new RegExp(`${email} +signedOutEverywhere +pending +0 .*${row?.id}`),
    );
    t.match(JSON.parse(await cli(env, 'mail', 'list', '--state', 'pending', '--json')), [
      { id: row?.id, recipient: email },
    ]);
    const shown = await cli(env, 'mail', 'show', row?.id ?? '');
    t.match(shown, /subject +You were signed out everywhere\n/);
    t.match(shown, /\n\nHello Pat Person,\n\nAn administrator signed your account out/);
    t.match(JSON.parse(await cli(env, 'mail', 'show', row?.id ?? '', '--json')), {
      content: { text: /^Hello Pat/ },
    });
    await t.rejects(cli(env, 'mail', 'show', 'x'), /There is no such mail/);
    await t.rejects(cli(env, 'mail', 'test', email), /set SMTP_URL and MAIL_FROM/);
    t.match(await cli(env, 'mail', 'retry', row?.id ?? ''), /waits until SMTP_URL is set/);

    await server.stop();
    const smtp = await startSmtp(t);
    const withMail = { ...env, ...settingsFor(smtp.port) };
    await startServer(t, { env: withMail, port: await freePort() });
    await settled(fleet.db, email, 'sent', 20);
    t.equal(smtp.received.length, 1);
    t.match(await cli(withMail, 'mail', 'show', row?.id ?? ''), /its content is erased/);
    await t.rejects(cli(withMail, 'mail', 'retry', row?.id ?? ''), /has been sent already/);
    t.match(
      await cli(withMail, 'mail', 'test', 'me@example.org'),
      /took a mail to me@example\.org and said: 250/,
    );
    t.match(smtp.of('me@example.org')[0], { subject: /^A test mail from localhost:\d+$/ });
    smtp.onRecipient = () => 550;
    await t.rejects(cli(withMail, 'mail', 'test', 'me@example.org'), /answered to RCPT TO: 550/);
    await smtp.close();
    await t.rejects(
      cli(withMail, 'mail', 'test', 'me@example.org'),
      /localhost:\d+ cannot be used: .*ECONNREFUSED/,
    );
    await cli(
      { ...withMail, SMTP_URL: '', MAIL_FROM: '' },
      'account',
      'password',
      email,
      '--password-file',
      passwordFile(t),
    );
    const [, changed] = await rowsOf(fleet.db, email);
    t.match(changed, { state: 'pending' }, 'a password set by the operator is told as well');
  },
);

function passwordFile(t: Test): string {
  const path = join(temporaryFolder(t), 'password');
  execFileSync('sh', ['-c', `printf 'orchard lantern seventy-two kayak' > '${path}'`]);
  return path;
}

/** Not the machine's own by name, so that the rules for servers elsewhere hold; only Linux answers there unasked. */
const ELSEWHERE = '127.0.0.2';
const skip = process.platform !== 'linux' && 'needs an address that is not localhost';

t.test(
  'O10 ASVS-V12.3.1: a mail server elsewhere is spoken to encrypted, with a trusted certificate, or not at all',
  { skip },
  async (t) => {
    const folder = temporaryFolder(t);
    const certificate = (name: string, names: string) => {
      const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
      const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
      const subject = ['-subj', '/CN=a test', '-addext', `subjectAltName=${names}`];
      execFileSync('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', cert], {
        stdio: 'ignore',
      });
      return { path: cert, cert: execFileSync('cat', [cert]), key: execFileSync('cat', [key]) };
    };
    const right = certificate('right', `IP:${ELSEWHERE}`);
    const wrong = certificate('wrong', 'DNS:mail.example.net');
    const login = { user: 'us@er', password: 'p/w:%ü' };
    const servers = {
      starttls: await startSmtp(t, { host: ELSEWHERE, cert: right.cert, key: right.key, login }),
      implicit: await startSmtp(t, {
        host: ELSEWHERE,
        cert: right.cert,
        key: right.key,
        secure: true,
        login,
      }),
      wrongName: await startSmtp(t, { host: ELSEWHERE, cert: wrong.cert, key: wrong.key, login }),
      plain: await startSmtp(t, { host: ELSEWHERE }),
    };
    const database = await freshDatabase(t);
    const db = openPool(t, database.app, 2);
    const { urlOf } = await import('./harness/database.ts');
    const base = {
      DATABASE_URL: urlOf(database.app),
      DATABASE_OWNER_URL: urlOf(database.owner),
      ENCRYPTION_KEYS: newKey(),
      COOKIE_KEYS: newKey(),
    };
    const credentials = `${encodeURIComponent(login.user)}:${encodeURIComponent(login.password)}`;
    const url = (server: MailServer, scheme = 'smtp', who = `${credentials}@`) =>
      `${scheme}://${who}${ELSEWHERE}:${server.port}`;
    const env = (SMTP_URL: string, ca: string | null) => ({
      ...base,
      SMTP_URL,
      MAIL_FROM: FROM,
      MAIL_TIMEOUT: '5',
      ...(ca === null ? {} : { NODE_EXTRA_CA_CERTS: ca }),
    });
    const finding = async (settings: Record<string, string>) => {
      const out = await cli(settings, 'doctor', '--json').catch((error: { stdout: string }) => error.stdout);
      const { findings } = JSON.parse(out) as { findings: { check: string; state: string; says: string }[] };
      return findings.find(({ check }) => check === 'mail');
    };

    const good = env(url(servers.starttls), right.path);
    t.match(await finding(good), { state: 'ok', says: /127\.0\.0\.2:\d+ lets this server send/ });
    t.equal(servers.starttls.received.length, 0, 'the doctor sends nothing');
    await cli(good, 'mail', 'test', 'a@example.org');
    await cli(env(url(servers.implicit, 'smtps'), right.path), 'mail', 'test', 'a@example.org');
    for (const server of [servers.starttls, servers.implicit]) {
      t.match(server.received, [{ secure: true, user: login.user }]);
    }
    const refused: Record<string, [Record<string, string>, RegExp]> = {
      untrusted: [env(url(servers.starttls), null), /self-signed|certificate/i],
      'untrusted, implicit': [env(url(servers.implicit, 'smtps'), null), /self-signed|certificate/i],
      'another name': [env(url(servers.wrongName), wrong.path), /altnames|certificate/i],
      'no STARTTLS': [env(url(servers.plain, 'smtp', ''), right.path), /STARTTLS/],
      'wrong password': [
        env(url(servers.starttls, 'smtp', 'us%40er:no@'), right.path),
        /does not accept the user and password/,
      ],
    };
    for (const [name, [settings, says]] of Object.entries(refused)) {
      t.match(await finding(settings), { state: 'fault', says }, name);
      await t.rejects(cli(settings, 'mail', 'test', 'b@example.org'), says, name);
    }
    t.match(await finding(base), { state: 'warning', says: /no mail server/ });
    for (const server of Object.values(servers))
      t.notOk(server.of('b@example.org').length, 'nothing was sent');
    const sent = await db.$client`SELECT data FROM audit_events WHERE type = 'mail.sent'`;
    t.equal(sent.length, 2);
    t.equal(systemOp(db, 'test').by.id, 'test');
  },
);

t.test('harness: encoded words are read as mail programs read them', async (t) => {
  t.equal(decodeWords('=?UTF-8?Q?a_=C3?= =?utf-8?q?=BC?= b =?utf-8?B?w7w=?='), 'a ü b ü');
});
