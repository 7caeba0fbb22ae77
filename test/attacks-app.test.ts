// Attacks on the whole server: what a stranger, a flood, another site or a copied database gets. Each test bears the
// number of the attack in test/attack-ids.json. One deployment here is the usual one in production: https by a trusted
// proxy in front. Hashes are counted at the argon2 library, so that "nothing was evaluated" is seen and not inferred.
import { createHmac } from 'node:crypto';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { loadConfig } from '../config/load.ts';
import { postgres } from '../drizzle/postgres.ts';
import { create as createAccount, disable, SUPER_ADMIN } from '../server/accounts/accounts.ts';
import { routesOf } from '../server/http/failures.ts';
import { newSecret } from '../server/lib/secrets.ts';
import { createPasswords } from '../server/passwords/passwords.ts';
import { grant } from '../server/roles/roles.ts';
import {
  authorizePath,
  PASSWORD,
  pkce,
  type Running,
  startApp,
  tokenRequest,
  tokens,
} from './harness/app.ts';
import { formsOf, type Page, type Visitor } from './harness/browser.ts';

t.setTimeout(240_000);

const root = t;
const shared: { guesses?: Promise<Running>; forms?: Promise<Running> } = {};
/** One server for the tests about guessing: a low limit for one name, none to speak of for an address. */
const guesses = () =>
  (shared.guesses ??= startApp(root, { ACCOUNT_LOCKOUT_ATTEMPTS: '5', ADDRESS_LOCKOUT_ATTEMPTS: '100000' }));
/** And one for the tests about forms, sessions and faults. */
const forms = () => (shared.forms ??= startApp(root, { DEMO: 'true', LOG_LEVEL: 'debug' }));

/** Every password whose hash was computed, in order. */
const evaluated: { phc: string; password: string }[] = [];
const require = createRequire(import.meta.url);
for (const name of ['@node-rs/argon2', 'argon2']) {
  const library = loaded(name);
  if (!library) continue;
  const { verify } = library;
  library.verify = (phc, password) => {
    evaluated.push({ phc, password });
    return verify(phc, password);
  };
}

interface Verifier {
  verify(phc: string, password: string): Promise<boolean>;
}
function loaded(name: string): Verifier | null {
  try {
    return require(name) as Verifier;
  } catch {
    return null;
  }
}

const ISSUER = 'https://idp.test';

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
  path: string;
}

/** A browser behind the trusted proxy: the proxy adds the address it saw and that it spoke https. */
function proxied(running: Running, jar = new Map<string, string>()) {
  const { port } = new URL(running.issuer);
  const cookies: string[] = [];
  function send(
    method: string,
    path: string,
    {
      headers = {},
      body = '',
    }: { headers?: Record<string, string | string[]>; body?: string | undefined } = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const cookie = [...jar].map((pair) => pair.join('=')).join('; ');
      const request = httpRequest(
        {
          host: '127.0.0.1',
          port,
          path,
          method,
          agent: false,
          headers: {
            host: 'idp.test',
            'x-forwarded-proto': 'https',
            'x-forwarded-for': '198.51.100.7',
            accept: 'text/html',
            ...(cookie ? { cookie } : {}),
            ...(method === 'POST'
              ? {
                  'content-type': 'application/x-www-form-urlencoded',
                  origin: ISSUER,
                  'sec-fetch-site': 'same-origin',
                }
              : {}),
            'content-length': String(Buffer.byteLength(body)),
            ...headers,
          },
        },
        (response) => {
          for (const line of response.headers['set-cookie'] ?? []) {
            cookies.push(line);
            const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
            if (value === '' || /expires=Thu, 01 Jan 1970|max-age=0/i.test(line)) jar.delete(name);
            else jar.set(name, value);
          }
          text(response).then(
            (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body, path }),
            reject,
          );
        },
      );
      request.on('error', reject);
      request.end(body);
    });
  }
  const me = {
    jar,
    cookies,
    send,
    get: (path: string, headers: Record<string, string | string[]> = {}) => send('GET', path, { headers }),
    post: (path: string, form: Record<string, string>, headers: Record<string, string | string[]> = {}) =>
      send('POST', path, { headers, body: new URLSearchParams(form).toString() }),
    /** Follows redirects within the issuer, signs in and consents; the last answer, and where it leads away to. */
    async walk(
      path: string,
      email: string,
    ): Promise<{ answer: Answer; seen: Answer[]; away: string | null }> {
      const seen: Answer[] = [];
      let answer = await me.get(path);
      for (let step = 0; step < 12; step++) {
        seen.push(answer);
        const { location } = answer.headers;
        if (location) {
          const next = new URL(location, `${ISSUER}${answer.path}`);
          if (next.origin !== ISSUER) return { answer, seen, away: location };
          answer = await me.get(next.pathname + next.search);
          continue;
        }
        const form = formsOf(answer.body).find(({ action }) => /\/password$|^\/consent\/[^/]+$/.test(action));
        if (!form) break;
        answer = await me.post(form.action, { ...form.fields, email, password: PASSWORD, decision: 'allow' });
      }
      return { answer, seen, away: null };
    },
  };
  return me;
}

const behindProxy = (t: Test, env: Record<string, string> = {}) =>
  startApp(t, { ISSUER, TRUSTED_PROXIES: '127.0.0.1', DEMO: 'true', ...env });

/** A sign-in page of a fresh browser. */
const signInPage = async (
  running: Running,
  browser: Visitor = running.visitor(),
): Promise<[Visitor, Page]> => {
  const client = await running.client();
  return [browser, await browser.follow(await browser.get(authorizePath(client, pkce())))];
};

const tryPassword = (
  [browser, page]: [Visitor, Page],
  email: string,
  password: string,
  headers: Record<string, string> = {},
) => browser.submit(page, /\/password$/, { email, password }, headers);

const addresses = async (running: Running): Promise<string[]> => {
  const rows = await running.db.$client<{ address: string }[]>`
    SELECT DISTINCT host(p.address) AS address FROM audit_events e JOIN audit_personal p ON p.event_id = e.id
    WHERE e.type IN ('signIn.failed', 'signIn.throttled')`;
  return rows.map(({ address }) => address);
};

/** A page without what differs by design: tokens, ids, times, and what the visitor typed. */
const bare = ({ status, headers, body }: Page, typed: string) => ({
  status,
  headers: [...headers].filter(([name]) => !/^(date|x-request-id)$/.test(name)),
  body: body
    .replaceAll(typed, 'TYPED')
    .replace(/name="_csrf" value="[^"]+"/g, 'CSRF')
    .replace(/\/login\/[\w-]+\//g, '/login/UID/')
    .replaceAll(headers.get('x-request-id') ?? 'none', 'REQUEST'),
});

// ---- 3: host, proxies, HTTP ----------------------------------------------------------------------------------------

t.test('behind a trusted proxy that speaks https', async (t) => {
  const running = await behindProxy(t, { ADDRESS_LOCKOUT_ATTEMPTS: '6', ACCOUNT_LOCKOUT_ATTEMPTS: '4' });
  const client = await running.client({ postLogoutRedirectUris: ['https://rp.test/out'] });
  const person = await running.person();
  const authorize = (more: Record<string, string | undefined> = {}) => authorizePath(client, pkce(), more);

  t.test('ATK-A069 ATK-A070: no header moves the origin of a link', async (t) => {
    const visitor = proxied(running);
    for (const headers of [
      { 'x-forwarded-host': 'evil.test' },
      { forwarded: 'host=evil.test;proto=http;for=1.2.3.4' },
      { 'x-forwarded-port': '81', 'x-forwarded-prefix': '/evil', 'x-original-url': '/evil' },
      { 'x-forwarded-server': 'evil.test', 'x-host': 'evil.test' },
    ]) {
      for (const path of ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']) {
        const { status, body } = await visitor.get(path, headers);
        t.equal(status, 200);
        const urls = body.match(/"https?:[^"]+"/g) ?? [];
        t.ok(urls.length >= 6);
        t.same(
          urls.filter((url) => !url.startsWith(`"${ISSUER}`)),
          [],
          `${path} ${JSON.stringify(headers)}`,
        );
      }
      const { seen, away } = await proxied(running).walk(authorize(), person.email);
      t.ok(away?.startsWith('https://rp.test/cb?'), 'signed in');
      t.equal(new URL(away as string).searchParams.get('iss'), ISSUER);
      t.notMatch(JSON.stringify(seen), /evil\.test|localhost/);
    }
    for (const host of [
      'evil.test',
      'idp.test.evil.test',
      'idp.test:444',
      'evil.test:443',
      'idp.test@evil.test',
    ]) {
      const answer = await visitor.get('/.well-known/openid-configuration', { host });
      t.equal(answer.status, 421, host);
      t.notMatch(answer.body, /authorization_endpoint/);
      t.equal((await visitor.get(authorize(), { host })).status, 421);
    }
  });

  t.test(
    'ATK-A074 ATK-A073: the right-most hop that is not ours is the one on record and counted',
    async (t) => {
      const visitor = proxied(running);
      const start = await visitor.walk(authorize(), 'nobody@example.org');
      const form = formsOf(start.answer.body)[0];
      t.ok(form, 'a sign-in page');
      for (const forwarded of ['127.0.0.1, 203.0.113.9', '10.0.0.1, ::1, 203.0.113.9']) {
        const headers = {
          'x-forwarded-for': forwarded,
          'x-real-ip': '9.9.9.9',
          'cf-connecting-ip': '8.8.8.8',
        };
        const fields = {
          ...form?.fields,
          email: `a${forwarded.length}@example.org`,
          password: 'wrong password wrong',
        };
        t.equal((await visitor.post(form?.action as string, fields, headers)).status, 401);
      }
      const found = await addresses(running);
      t.ok(found.includes('203.0.113.9'));
      t.notOk(
        found.some((address) => /^(9\.|8\.|10\.|::1|127\.)/.test(address)),
        found.join(),
      );
    },
  );

  t.test(
    'ATK-A076 ATK-A104: one password against many names from one /64 is stopped by the network',
    async (t) => {
      const visitor = proxied(running);
      const { answer } = await visitor.walk(authorize(), 'nobody@example.org');
      const form = formsOf(answer.body)[0];
      const from = evaluated.length;
      for (let at = 0; at < 14; at++) {
        const refused = await visitor.post(
          form?.action as string,
          { ...form?.fields, email: `spray-${at}@example.org`, password: 'Summer2026! Summer2026!' },
          { 'x-forwarded-for': `2001:db8:1:1::${at.toString(16)}` },
        );
        t.equal(refused.status, 401);
      }
      t.equal(evaluated.length - from, 6, 'as many guesses as one address has');
      const throttled = await running.events('signIn.throttled');
      t.ok(throttled.filter(({ data }) => data.by === 'address').length >= 8);
      const other = await visitor.post(
        form?.action as string,
        { ...form?.fields, email: person.email, password: PASSWORD },
        { 'x-forwarded-for': '2001:db8:1:2::1' },
      );
      t.equal(other.status, 303, 'the neighbouring network signs in');
    },
  );

  t.test('ATK-A105: one name guessed from many networks is stopped by the name', async (t) => {
    const victim = await running.person();
    const visitor = proxied(running);
    const { answer } = await visitor.walk(authorize(), 'nobody@example.org');
    const form = formsOf(answer.body)[0];
    const from = evaluated.length;
    for (let at = 0; at < 20; at++) {
      await visitor.post(
        form?.action as string,
        { ...form?.fields, email: victim.email, password: `guess number ${at} of it` },
        { 'x-forwarded-for': `198.18.${at}.1` },
      );
    }
    t.equal(evaluated.length - from, 4);
    const right = await visitor.post(
      form?.action as string,
      { ...form?.fields, email: victim.email, password: PASSWORD },
      { 'x-forwarded-for': '198.18.99.1' },
    );
    t.equal(right.status, 401, 'the right one neither');
  });

  t.test('ATK-A118: every cookie of every flow', async (t) => {
    const visitor = proxied(running);
    await visitor.walk(authorize({ scope: 'openid offline_access', prompt: 'consent' }), person.email);
    await visitor.get('/account');
    await visitor.walk('/account/sign-in', person.email);
    await visitor.get('/demo');
    await visitor.get('/setup');
    await visitor.get(`/setup/${newSecret()}`);
    const out = await visitor.get('/oauth2/logout');
    const form = formsOf(out.body)[0];
    await visitor.post(form?.action ?? '', { ...form?.fields, logout: 'yes' });
    t.ok(visitor.cookies.length >= 8, `${visitor.cookies.length} cookies`);
    t.ok(visitor.cookies.some((line) => line.startsWith('__Host-gatehouse_session=')));
    for (const line of visitor.cookies) {
      t.match(line, /^__(Host|Secure)-/, line);
      t.match(line, /; secure/i, line);
      t.match(line, /; httponly/i, line);
      t.match(line, /; samesite=(lax|strict)/i, line);
      t.match(line, line.startsWith('__Host-') ? /; path=\/(;|$)/i : /; path=\/./i, line);
      t.notMatch(line, /domain=/i, line);
      t.ok(Buffer.byteLength(line) < 4096, line);
    }
  });

  t.test('ATK-A088: oversized headers and cookies', async (t) => {
    const visitor = proxied(running);
    for (const headers of [
      { cookie: `a=${'x'.repeat(20_000)}` },
      { cookie: Array.from({ length: 200 }, (_, at) => `c${at}=1`).join('; ') },
      { ['x'.repeat(2048)]: '1' },
      { 'user-agent': 'x'.repeat(17_000) },
    ] as Record<string, string>[]) {
      for (const path of [authorize(), '/account', '/oauth2/userinfo']) {
        t.equal((await visitor.get(path, headers)).status, 431);
      }
    }
    t.equal((await visitor.get('/readyz')).status, 200);
  });

  t.test('ATK-A080: no spelling of a path is another door', async (t) => {
    const signedIn = proxied(running);
    await signedIn.walk('/account/sign-in', person.email);
    t.match((await signedIn.get('/account')).body, person.email, 'the page itself');
    const stranger = proxied(running);
    for (const path of [
      ...['/%61ccount', '//account', '/ACCOUNT', '/account/', '/account%2f', '/account;x=1', '/./account'],
      ...[
        '/x/../account',
        '/account%00',
        '/account%20',
        '/account.html',
        '/account/x.css',
        '/account/%2e%2e/account',
      ],
      ...['/account?', '/account/./', '\\account', '/account#x', '/account%3f', '/%2faccount', '/account//'],
    ]) {
      const { status, body } = await stranger.get(path);
      t.ok(status === 303 || (status >= 400 && status < 500), `${path} ${status}`);
      t.notMatch(body, person.email);
    }
    for (const path of [
      '/%61ccount/apps/x/withdraw',
      '/ACCOUNT/apps/x/withdraw',
      '//account/apps/x/withdraw',
    ]) {
      const { status } = await signedIn.post(path, {});
      t.ok(status >= 400 && status < 500, `no way round the form token: ${path} ${status}`);
    }
  });

  t.test('ATK-A092: nothing but the assets is a file, and nothing personal is cached', async (t) => {
    const visitor = proxied(running);
    await visitor.walk('/account/sign-in', person.email);
    for (const path of [
      ...['/assets/..%2f..%2fpackage.json', '/assets/%2e%2e/%2e%2e/package.json', '/assets/../package.json'],
      ...['/assets/', '/assets', '/.env', '/.git/config', '/package.json', '/server/main.ts', '/data/keys'],
      ...['/account/profile/x.css', '/account/x.js', '/account.css', '/oauth2/userinfo/x.png', '/assets/%00'],
    ]) {
      const { status, headers, body } = await visitor.get(path);
      t.ok(status === 404 || status === 400, `${path} ${status}`);
      t.equal(headers['cache-control'], 'no-store');
      t.notMatch(body, person.email);
    }
    for (const path of ['/account', '/', '/setup', authorize({ prompt: 'login' })]) {
      t.equal((await visitor.get(path)).headers['cache-control'], 'no-store', path);
    }
  });

  t.test(
    'ATK-A089 ATK-A090 O11: every route and every error carries the headers and refuses frames',
    async (t) => {
      const visitor = proxied(running);
      const walk = await visitor.walk(authorize({ response_mode: 'form_post' }), person.email);
      t.match(walk.answer.body, /<form[^>]+action="https:\/\/rp\.test\/cb"/, 'the form_post page');
      const answers: Answer[] = [...walk.seen, walk.answer];
      const add = async (method: string, path: string, more: Parameters<typeof visitor.send>[2] = {}) =>
        answers.push(await visitor.send(method, path, more));

      for (const { url, methods } of routesOf(running.app.http)) {
        const path = url.replace(/:[^/]+|\*/g, 'x');
        for (const method of methods) {
          await add(method, path);
          await add(method, path, { headers: { accept: 'application/json' } });
        }
        await add('DELETE', path);
      }
      await add('GET', authorize({ client_id: 'nobody' }));
      await add('GET', authorize({ redirect_uri: 'https://evil.test/' }));
      await add('GET', authorize({ prompt: 'none', nonce: undefined }));
      await add('GET', authorize({ prompt: 'none', response_mode: 'form_post', max_age: '0' }));
      await add('GET', '/oauth2/authorize/nosuchthing');
      await add('GET', '/oauth2/logout?id_token_hint=x');
      await add('GET', '/oauth2/logout');
      await add('GET', '/interaction/nosuchthing');
      await add('GET', '/nothing');
      await add('GET', '/%zz');
      await add('GET', '/x'.repeat(300));
      await add('GET', '/account', { headers: { host: 'evil.test' } });
      await add('GET', '/account', { headers: { 'x-forwarded-proto': 'http' } });
      await add('POST', '/oauth2/token', { body: 'x'.repeat(70_000) });
      await add('POST', '/login/x/password', { body: 'x'.repeat(70_000) });
      await add('POST', '/login/x/password', { body: '{', headers: { 'content-type': 'application/json' } });
      await add('PROPFIND', '/account');
      await add('TRACE', '/account');
      const out = await visitor.get('/oauth2/logout');
      answers.push(out);
      const form = formsOf(out.body)[0];
      const confirmed = await visitor.post(form?.action ?? '', { ...form?.fields, logout: 'yes' });
      answers.push(confirmed, await visitor.get('/oauth2/logout/success'));

      for (const path of ['/oauth2/token', '/oauth2/jwks', '/.well-known/openid-configuration']) {
        const asked = await visitor.send('OPTIONS', path, { headers: { accept: 'application/json' } });
        t.equal(asked.status, 405, `OPTIONS ${path} that is no preflight`);
        t.ok(JSON.parse(asked.body));
        answers.push(asked);
      }
      t.ok(answers.length > 120, `${answers.length} answers`);
      const wrong: string[] = [];
      for (const { status, headers, body, path } of answers) {
        const csp = String(headers['content-security-policy']);
        const good = {
          frames: csp.includes("frame-ancestors 'none'") && headers['x-frame-options'] === 'DENY',
          csp: ["default-src 'none'", "object-src 'none'", "base-uri 'none'", "script-src 'self'"].every(
            (part) => csp.includes(part),
          ),
          inline: !csp.includes('unsafe'),
          sniffing: headers['x-content-type-options'] === 'nosniff',
          hsts: /^max-age=\d{8,}; includeSubDomains/.test(String(headers['strict-transport-security'])),
          referrer: headers['referrer-policy'] === 'same-origin',
          permissions: headers['permissions-policy'] !== undefined,
          silent: headers.server === undefined && headers['x-powered-by'] === undefined,
          isolated:
            !/^\/(account|device|setup)(\/|\?|$)/.test(path) ||
            headers['cross-origin-opener-policy'] === 'same-origin',
          cached: headers['cache-control'] !== undefined,
          named: headers['x-request-id'] !== undefined,
          // The demo app cannot reach an issuer that exists in this test only.
          honest: status < 500 || /^\/demo\/(device\/)?start$/.test(path),
          typed:
            body === '' || /^[a-z-]+\/[a-z+-]+(; charset=utf-8)?$/i.test(String(headers['content-type'])),
        };
        const bad = Object.entries(good).filter(([, ok]) => !ok);
        if (bad.length > 0)
          wrong.push(`${status} ${path.slice(0, 60)}: ${bad.map(([name]) => name).join(', ')}`);
      }
      t.same(wrong, []);
    },
  );

  t.test('ATK-A202: nothing about the inside on the public listener', async (t) => {
    const visitor = proxied(running);
    for (const path of [
      ...[
        '/metrics',
        '/docs',
        '/api/docs',
        '/openapi.json',
        '/debug',
        '/debug/pprof',
        '/health',
        '/health?verbose=1',
      ],
      ...[
        '/status',
        '/server-status',
        '/env',
        '/actuator',
        '/admin',
        '/console',
        '/graphql',
        '/.well-known/security',
      ],
      ...['/oauth2/register', '/reg', '/oauth2/device'],
    ]) {
      t.equal((await visitor.get(path)).status, 404, path);
    }
    for (const path of ['/livez', '/readyz', '/livez?verbose=1', '/readyz?full=true']) {
      t.same(JSON.parse((await visitor.get(path)).body), { status: 'ok' }, path);
    }
  });
});

t.test(
  'ATK-A073: forwarding headers of an untrusted peer change neither the counters nor the record',
  async (t) => {
    const running = await startApp(t, { ADDRESS_LOCKOUT_ATTEMPTS: '5' });
    const door = await signInPage(running);
    const from = evaluated.length;
    for (let at = 0; at < 15; at++) {
      const forged = {
        'x-forwarded-for': `198.51.100.${at}`,
        'x-real-ip': `198.51.101.${at}`,
        'cf-connecting-ip': `198.51.102.${at}`,
        'true-client-ip': `198.51.103.${at}`,
        'x-client-ip': `198.51.104.${at}`,
        forwarded: `for=198.51.105.${at}`,
      };
      t.equal(
        (await tryPassword(door, `someone-${at}@example.org`, 'wrong password wrong', forged)).status,
        401,
      );
    }
    t.equal(evaluated.length - from, 5);
    t.same(await addresses(running), ['127.0.0.1']);
  },
);

t.test('ATK-A086 ATK-A087: slow and ambiguous senders at the doors of the library', async (t) => {
  const running = await startApp(t, { HEADERS_TIMEOUT: '1', REQUEST_TIMEOUT: '2', PAGE_RATE_LIMIT: '40' });
  const { port, host } = new URL(running.issuer);
  const person = await running.person();
  const client = await running.client();
  let open = 0;
  const ends: Promise<void>[] = [];
  for (let at = 0; at < 120; at++) {
    const socket = connect(Number(port), '127.0.0.1');
    open++;
    ends.push(
      new Promise((resolve) => {
        socket.on('error', () => {});
        socket.on('close', () => {
          open--;
          resolve();
        });
      }),
    );
    socket.resume();
    socket.write(
      at % 2
        ? `POST /oauth2/token HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 900\r\n\r\na`
        : `GET /oauth2/authorize HTTP/1.1\r\nHost: ${host}\r\nX-Slow: a`,
    );
  }
  const { body } = await tokens(running, client, person);
  t.ok(body.access_token, 'an honest person signs in meanwhile');
  t.ok(open > 0, `${open} slow ones still there`);
  await Promise.race([Promise.all(ends), sleep(6000)]);
  t.equal(open, 0, 'all of them are ended');

  const send = (bytes: string) =>
    new Promise<string>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () => socket.write(bytes));
      let received = '';
      socket.setEncoding('latin1').on('data', (chunk: string) => {
        received += chunk;
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(received));
      socket.setTimeout(5000, () => {
        received += 'STILL OPEN';
        socket.destroy();
      });
    });
  const form = 'Content-Type: application/x-www-form-urlencoded\r\n';
  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
  for (const path of ['/oauth2/token', '/login/x/password']) {
    for (const shape of [
      `Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
      `Content-Length: 4\r\nContent-Length: 5\r\n\r\na=bc${smuggled}`,
      `Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${smuggled}`,
      `Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`,
      `X-A: b\r\n folded\r\nContent-Length: 0\r\n\r\n`,
      `X-A: a\0b\r\nContent-Length: 0\r\n\r\n`,
      `Content-Length : 3\r\n\r\na=b${smuggled}`,
    ]) {
      const answer = await send(`POST ${path} HTTP/1.1\r\nHost: ${host}\r\n${form}${shape}`);
      t.match(answer, /^HTTP\/1\.1 400 /, JSON.stringify(shape.slice(0, 40)));
      t.equal(answer.match(/HTTP\/1\.1 /g)?.length, 1, 'one answer, and the connection closes');
      t.notMatch(answer, /STILL OPEN/);
    }
  }

  // And many fast ones: one ceiling for all pages together, whoever they claim to be; none for the protocol.
  const statuses: number[] = [];
  for (let at = 0; at < 60; at++) {
    const path = ['/', '/login/x', '/consent/x', '/account', '/setup'][at % 5] as string;
    const answer = await running.visitor().get(path, { 'x-forwarded-for': `198.51.100.${at}` });
    statuses.push(answer.status);
    if (answer.status === 429) t.ok(Number(answer.headers.get('retry-after')) >= 1);
  }
  t.ok(statuses.filter((status) => status === 429).length >= 20, statuses.join());
  t.not(statuses[0], 429);
  const again = await tokenRequest(running.issuer, client, {
    grant_type: 'refresh_token',
    refresh_token: body.refresh_token as string,
  });
  t.equal(again.status, 200);
});

// ---- 4: sign-in, passwords, lockout ---------------------------------------------------------------------------------

t.test(
  'ATK-A094 ATK-A095: nobody, wrong, disabled, without a password and locked look the same and cost the same',
  async (t) => {
    const running = await guesses();
    const names = ['unknown', 'wrong00', 'disable', 'nopassw', 'locked0'].map(
      (name) => `${name}@example.org`,
    );
    const [unknown = '', wrong = '', disabled = '', bareAccount = '', locked = ''] = names;
    await running.person(wrong);
    await running.person(locked);
    await disable(running.op(), (await running.person(disabled)).id);
    await createAccount(running.op(), { email: bareAccount, name: null, passwordHash: null, by: 'cli' });
    const door = await signInPage(running);
    for (let at = 0; at < 5; at++) await tryPassword(door, locked, 'wrong password wrong');

    const from = evaluated.length;
    const reference = bare(await tryPassword(door, unknown, PASSWORD), unknown);
    t.equal(reference.status, 401);
    t.match(reference.body, /The e-mail address or the password is wrong/);
    for (const [email, password] of [
      [wrong, 'wrong password wrong'],
      [disabled, PASSWORD],
      [disabled, 'wrong password wrong'],
      [bareAccount, PASSWORD],
      [bareAccount, ''],
      [locked, PASSWORD],
      [locked, 'wrong password wrong'],
      [unknown, 'x'.repeat(300)],
      [wrong, 'x'.repeat(300)],
    ] as const) {
      t.same(
        bare(await tryPassword(door, email, password), email),
        reference,
        `${email} ${password.slice(0, 8)}`,
      );
    }
    const work = evaluated.slice(from);
    t.equal(work.length, 6, 'one hash for each that was not refused unseen');
    const parameters = (phc: string) => phc.split('$').slice(1, 4).join('$').split(/[$,]/).sort().join();
    t.equal(new Set(work.map(({ phc }) => parameters(phc))).size, 1, 'of the same cost');

    await running.op().db.$client`DELETE FROM failures`;
    const took: Record<string, number[]> = { known: [], unknown: [] };
    for (let at = 0; at < 24; at++) {
      const kind = at % 2 ? 'known' : 'unknown';
      const email = kind === 'known' ? wrong : `unknow${at % 10}@example.org`;
      const start = performance.now();
      await tryPassword(door, email, 'wrong password wrong');
      took[kind]?.push(performance.now() - start);
      if (at % 4 === 3) await running.op().db.$client`DELETE FROM failures`;
    }
    const median = (times: number[] = []) => times.sort((a, b) => a - b)[times.length >> 1]?.toFixed(1);
    t.comment(`medians in ms: known ${median(took.known)}, unknown ${median(took.unknown)}`);
    t.equal(evaluated.length - from - 6, 24, 'a hash for every one of them');
  },
);

t.test('ATK-A100: the right password is refused while the name is locked, in the same words', async (t) => {
  const running = await guesses();
  const { email, id } = await running.person();
  const door = await signInPage(running);
  let refused = bare(await tryPassword(door, email, 'wrong password wrong'), email);
  for (let at = 0; at < 4; at++)
    refused = bare(await tryPassword(door, email, 'wrong password wrong'), email);
  const from = evaluated.length;
  t.same(bare(await tryPassword(door, email, PASSWORD), email), refused);
  t.equal(evaluated.length, from, 'and not even looked at');
  const started = (await running.events('lockout.started')).filter((one) => one.subject_id === id);
  t.match(started, [{ data: { by: 'account', seconds: 1800 } }]);
  t.match((await running.events('signIn.throttled')).at(-1), { data: { by: 'account' } });
  await running.db.$client`UPDATE failures SET resets_at = now()`;
  t.equal((await tryPassword(door, email, PASSWORD)).status, 303, 'the lock ends by itself');
});

t.test('ATK-A101: of 80 parallel posts no more than the limit are evaluated', async (t) => {
  const running = await guesses();
  await running.db.$client`DELETE FROM failures`;
  const { email } = await running.person();
  const door = await signInPage(running);
  const from = evaluated.length;
  const wrong = Array.from({ length: 79 }, (_, at) => tryPassword(door, email, `wrong password ${at}`));
  // The right one comes last: when the others have taken all there is to take.
  for (let full = false; !full; ) {
    const [row] = await running.db.$client<
      { n: number }[]
    >`SELECT max(count)::int AS n FROM failures WHERE scope = 'sign_in.account'`;
    full = (row?.n ?? 0) >= 5;
  }
  const right = await tryPassword(door, email, PASSWORD);
  const answers = await Promise.all(wrong);
  t.equal(right.status, 401);
  t.ok(answers.every(({ status }) => status === 401));
  const tried = evaluated.slice(from);
  t.equal(tried.length, 5);
  t.notOk(tried.some(({ password }) => password === PASSWORD));
});

t.test('ATK-A108 ATK-A109 ATK-A110: passwords are whole, bounded and exact', async (t) => {
  const running = await guesses();
  const passwords = createPasswords(hashing(), { words: [] });
  const door = await signInPage(running);
  const withPassword = async (password: string) => {
    const email = `${newSecret()
      .slice(0, 12)
      .toLowerCase()
      .replace(/[^a-z0-9]/g, 'x')}@example.org`;
    await createAccount(running.op(), {
      email,
      name: null,
      passwordHash: await passwords.hash(password),
      by: 'cli',
    });
    return email;
  };
  /** Whether a fresh browser gets in. */
  const opens = async (email: string, password: string) =>
    (await tryPassword(await signInPage(running), email, password)).status === 303;

  const a72 = 'a'.repeat(72);
  const cut = await withPassword(`${a72}b`);
  t.equal(await opens(cut, `${a72}c`), false, 'nothing is cut at 72');
  t.equal(await opens(cut, a72), false);
  t.equal(await opens(cut, `${a72}b`), true);

  const spaced = await withPassword(' lead and trail ');
  t.equal(await opens(spaced, 'lead and trail'), false, 'nothing is trimmed');
  t.equal(await opens(spaced, ' lead and trail '), true);
  const prefix = await withPassword('password before nul');
  const nul = await tryPassword(door, prefix, 'password before nul\0more');
  t.equal(nul.status, 400, 'U+0000 is refused at the door');
  const composed = await withPassword('caf\u00e9 au lait caf\u00e9');
  t.equal(await opens(composed, 'cafe\u0301 au lait cafe\u0301'), true, 'one spelling of one text');

  for (const length of [8, 15, 64, 256]) {
    const password = 'é!'.repeat(length).slice(0, length);
    t.equal(await opens(await withPassword(password), password), true, `${length} characters`);
  }
  const from = evaluated.length;
  t.equal((await tryPassword(door, cut, 'x'.repeat(257))).status, 401);
  t.equal((await tryPassword(door, cut, '\u{1f600}'.repeat(257))).status, 401);
  t.equal((await tryPassword(door, cut, 'x'.repeat(60_000))).status, 401);
  t.equal((await tryPassword(door, cut, 'x'.repeat(65_536))).status, 413);
  t.equal((await tryPassword(door, cut, 'x'.repeat(1_048_576)).catch(() => ({ status: 413 }))).status, 413);
  t.equal(evaluated.length, from, 'too long ones cost no hash');
});

/** Settings of passwords as the server has them by default. */
function hashing() {
  return loadConfig({
    cwd: process.cwd(),
    env: {
      DATABASE_URL: 'postgres://nobody@127.0.0.1/none',
      ENCRYPTION_KEYS: newSecret(),
      COOKIE_KEYS: newSecret(),
    },
  }).config.passwords;
}

t.test('ATK-A112: more sign-ins than hashes can be made are put off, and nothing else waits', async (t) => {
  const running = await startApp(t, {
    HASH_CONCURRENCY: '1',
    HASH_QUEUE: '4',
    ARGON2_PASSES: '8',
    ADDRESS_LOCKOUT_ATTEMPTS: '1000',
  });
  const person = await running.person();
  const client = await running.client();
  const { body } = await tokens(running, client, person);
  const door = await signInPage(running);
  const from = evaluated.length;
  // Thirty at a time for as long as the others need to be served.
  let over = false;
  const answers: Page[] = [];
  const flood = Promise.all(
    Array.from({ length: 30 }, async (_, sender) => {
      for (let at = 0; !over && at < 20; at++) {
        answers.push(await tryPassword(door, `flood-${sender}-${at}@example.org`, 'x'.repeat(64)));
      }
    }),
  );
  while (!answers.some(({ status }) => status === 503)) await sleep(5);
  const live = await fetch(`${running.issuer}/livez`);
  const refreshed = await tokenRequest(running.issuer, client, {
    grant_type: 'refresh_token',
    refresh_token: body.refresh_token as string,
  });
  over = true;
  t.equal(live.status, 200, 'the process is seen alive');
  t.equal(refreshed.status, 200, 'tokens are refreshed');
  await flood;
  const busy = answers.filter(({ status }) => status === 503);
  t.equal(answers.filter(({ status }) => status === 401).length + busy.length, answers.length);
  t.ok(busy.length >= 20, `${busy.length} of ${answers.length} put off`);
  t.ok(busy.every(({ headers }) => Number(headers.get('retry-after')) >= 1));
  t.equal(evaluated.length - from, answers.length - busy.length);
  const [row] = await running.db.$client<{ n: number }[]>`
    SELECT sum(count)::int AS n FROM failures WHERE scope = 'sign_in.account'`;
  t.equal(row?.n, answers.length - busy.length, 'who was put off has failed at nothing');
});

// ---- forms and sessions ---------------------------------------------------------------------------------------------

t.test('ATK-A122: a new server has no account, and none can be guessed', async (t) => {
  const running = await forms();
  t.same(await running.db.$client`SELECT id FROM accounts`, []);
  t.same(await running.db.$client`SELECT id FROM clients WHERE id NOT LIKE 'gatehouse-%'`, []);
  const door = await signInPage(running);
  for (const [email, password] of [
    ['admin', 'admin'],
    ['admin@localhost', 'password'],
    ['root', ''],
    ['', ''],
  ] as const) {
    t.equal((await tryPassword(door, email, password)).status, 401);
  }
});

/** What a forged request could have changed. */
const state = async (running: Running) => {
  const counts: Record<string, unknown> = {};
  for (const table of [
    'accounts',
    'clients',
    'client_secrets',
    'consents',
    'grants',
    'access_tokens',
    'refresh_tokens',
    'authorization_codes',
    'account_roles',
    'setup_tokens',
  ]) {
    const [row] = await running.db.$client.unsafe(
      `SELECT count(*)::int AS n, md5(coalesce(string_agg(t::text, '' ORDER BY t::text), '')) AS sum FROM ${table} t`,
    );
    counts[table] = { ...row };
  }
  const [sessions] = await running.db.$client`
    SELECT count(*)::int AS n, count(ended_at)::int AS ended, count(account_id)::int AS signed FROM sessions`;
  const [interactions] = await running.db.$client`
    SELECT count(finished_at)::int AS finished, count(password_at)::int AS proved, count(taken_at)::int AS taken FROM interactions`;
  return { ...counts, sessions: { ...sessions }, interactions: { ...interactions } };
};

t.test(
  'ATK-A114 ATK-A115 ATK-A116: forms of other sites, other browsers and other sign-ins do nothing',
  async (t) => {
    const running = await forms();
    const person = await running.person();
    const client = await running.client({ postLogoutRedirectUris: ['https://rp.test/out'] });
    // With every right there is, so that only the form's own guard is left to refuse.
    await grant(running.op(), person.id, SUPER_ADMIN);
    const victim = running.visitor();
    await tokens(running, client, person, { browser: victim });
    await victim.follow(await victim.get('/account/sign-in'));
    const account = await victim.get('/account');
    t.match(account.body, person.email, 'signed in');
    const half = await victim.follow(await victim.get(authorizePath(client, pkce(), { prompt: 'login' })));
    const other = await victim.follow(await victim.get(authorizePath(client, pkce(), { prompt: 'login' })));
    const asked = await victim.follow(await victim.get(authorizePath(client, pkce(), { prompt: 'consent' })));
    const [, attackersPage] = await signInPage(running);
    const csrfOf = (page: Page) =>
      formsOf(page.body).find(({ fields }) => fields._csrf)?.fields._csrf as string;
    const uidOf = (page: Page) => new URL(page.url).pathname.split('/').at(-1) as string;

    const pages: Record<string, { uid: string; csrf: string }> = {
      login: { uid: uidOf(half), csrf: csrfOf(half) },
      consent: { uid: uidOf(asked), csrf: csrfOf(asked) },
      account: { uid: 'x', csrf: csrfOf(account) },
    };
    const routes = routesOf(running.app.http).filter(({ url }) => !url.startsWith('/oauth2/'));
    const changing = routes.filter(({ methods }) =>
      [...methods].some((one) => !/^(GET|HEAD|OPTIONS)$/.test(one)),
    );
    t.ok(changing.length >= 6, `${changing.length} routes that change something`);
    const urls = new Set(changing.map(({ url }) => url));
    for (const url of [
      '/login/:uid/password',
      '/login/:uid/cancel',
      '/consent/:uid',
      '/consent/:uid/switch',
      '/device',
    ])
      t.ok(urls.has(url), url);

    const before = await state(running);
    const sessions = victim.cookies().filter(({ name }) => name.includes('session'));
    for (const { url } of changing) {
      const room = url.split('/')[1] as string;
      const own = pages[room] ?? { uid: 'x', csrf: csrfOf(account) };
      const path = url.replace(':uid', own.uid).replace(/:[^/]+/g, client.id);
      const fields = { email: person.email, password: PASSWORD, decision: 'allow', name: 'x', logout: 'yes' };
      const refuse = async (
        why: string,
        form: Record<string, string>,
        headers: Record<string, string> = {},
        browser: Visitor = victim.clone(),
      ) => {
        const answer = await browser.post(path, { ...fields, ...form }, headers);
        t.equal(answer.status, 403, `${url}: ${why}`);
        t.match(answer.body, /request\.(crossSite|formExpired)/, `${url}: ${why}`);
        t.notMatch(answer.headers.get('set-cookie') ?? '', /session=/);
      };
      await refuse('no token', {});
      await refuse('empty token', { _csrf: '' });
      await refuse('a token of another browser', { _csrf: csrfOf(attackersPage) });
      await refuse('a token of another sign-in', { _csrf: csrfOf(other) });
      await refuse('Origin of another site', { _csrf: own.csrf }, { origin: 'https://evil.test' });
      await refuse('Origin: null', { _csrf: own.csrf }, { origin: 'null' });
      await refuse('cross-site', { _csrf: own.csrf }, { 'sec-fetch-site': 'cross-site' });
      await refuse('same-site', { _csrf: own.csrf }, { 'sec-fetch-site': 'same-site' });
      const plain = await victim
        .clone()
        .post(path, { ...fields, _csrf: own.csrf }, { 'content-type': 'text/plain' });
      t.equal(plain.status, 415, `${url}: text/plain`);
      const json = await victim.clone().post(path, {}, { 'content-type': 'application/json' });
      t.equal(json.status, 415, `${url}: JSON`);

      // A116: by GET, HEAD or another name of the method.
      const full = victim.clone();
      const query = `?${new URLSearchParams({ ...fields, _csrf: own.csrf })}`;
      const isPage = routes.some((one) => one.url === url && one.methods.has('GET'));
      for (const method of ['GET', 'HEAD']) {
        const answer = await fetch(`${running.issuer}${path}${query}`, {
          method,
          redirect: 'manual',
          headers: {
            cookie: full
              .cookies()
              .map(({ name, value }) => `${name}=${value}`)
              .join('; '),
            'x-http-method-override': 'POST',
            accept: 'text/html',
          },
        });
        await answer.text();
        if (!isPage) t.equal(answer.status, 405, `${method} ${url}`);
        else t.ok(answer.status < 500, `${method} ${url} shows a page`);
      }
    }
    // What the sign-in library itself takes: its confirmation has a token of its own.
    const confirm = await victim
      .clone()
      .post(
        '/oauth2/logout/confirm',
        { logout: 'yes' },
        { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' },
      );
    t.equal(confirm.status, 400);
    const forged = await victim.clone().post('/oauth2/logout/confirm', { logout: 'yes', xsrf: newSecret() });
    t.equal(forged.status, 400);
    t.same(await state(running), before, 'nothing happened');
    t.same(
      victim.cookies().filter(({ name }) => name.includes('session')),
      sessions,
    );
    t.equal((await victim.get('/account')).status, 200, 'still signed in');
  },
);

t.test('ATK-A117: the session identifier is new after a sign-in, and the old one is nobody’s', async (t) => {
  const running = await forms();
  const person = await running.person();
  const client = await running.client();
  const session = (browser: Visitor) =>
    browser.cookies().find(({ name }) => name === 'gatehouse_session')?.value;
  const probe = async (browser: Visitor) => {
    const page = await browser.get(authorizePath(client, pkce(), { prompt: 'none' }));
    return new URL(page.location as string).searchParams.get('error') ?? 'signed in';
  };

  const chosen = running.visitor();
  const planted = newSecret();
  chosen.setCookie('gatehouse_session', planted);
  chosen.setCookie(
    'gatehouse_session.sig',
    createHmac('sha256', 'guess').update(planted).digest('base64url'),
  );
  await tokens(running, client, person, { browser: chosen });
  t.not(session(chosen), planted, 'a value chosen by another is not taken');
  t.equal(await probe(chosen), 'signed in');

  // A real one from before: of a person who signed out and whose browser an attacker has copied.
  const copied = chosen.clone();
  const before = session(chosen);
  const page = await chosen.follow(await chosen.get(authorizePath(client, pkce(), { prompt: 'login' })));
  await chosen.follow(await chosen.submit(page, /\/password$/, { email: person.email, password: PASSWORD }));
  t.ok(session(chosen));
  t.not(session(chosen), before, 'signing in again changes it');
  t.equal(await probe(copied), 'login_required', 'the copied cookie is dead');
  t.equal(await probe(chosen), 'signed in');

  const anonymous = running.visitor();
  await anonymous.get('/oauth2/logout');
  const early = anonymous.clone();
  const first = session(anonymous);
  await tokens(running, client, person, { browser: anonymous });
  t.not(session(anonymous), first ?? 'none');
  t.equal(await probe(early), 'login_required');
});

t.test('ATK-A120: no parameter sends a person to another site', async (t) => {
  const running = await forms();
  const person = await running.person();
  const client = await running.client({ postLogoutRedirectUris: ['https://rp.test/out'] });
  const browser = running.visitor();
  await tokens(running, client, person, { browser });
  const targets = [
    ...[
      'https://evil.test',
      '//evil.test',
      '/\\evil.test',
      'https:evil.test',
      '/%09/evil.test',
      'javascript:alert(1)',
    ],
    ...[
      '/%2f%2fevil.test',
      '/account/../../evil.test',
      'https://localhost@evil.test',
      '\thttps://evil.test',
      'data:text/html,x',
    ],
  ];
  const names = [
    'return_to',
    'returnTo',
    'next',
    'redirect',
    'redirect_uri',
    'url',
    'continue',
    'state',
    'iss',
  ];
  const paths = [
    '/',
    '/account',
    '/account/sign-in',
    '/account/signed-in',
    '/demo',
    '/demo/callback',
    '/setup',
    '/oauth2/logout',
    '/oauth2/logout/success',
  ];
  for (const target of targets) {
    for (const path of paths) {
      const query = new URLSearchParams(names.map((name): [string, string] => [name, target]));
      const page = await browser.follow(await browser.get(`${path}?${query}`));
      t.notMatch(page.location ?? '', /evil|javascript|data:/, `${path} ${target}`);
      t.notMatch(page.body, /(href|action)="[^"]*(evil\.test|javascript:|data:text)/, `${path} ${target}`);
    }
  }
  // A sign-in to the account pages that carries such a wish ends at the account pages.
  const fresh = running.visitor();
  let page = await fresh.follow(
    await fresh.get(`/account/sign-in?${new URLSearchParams({ next: '//evil.test' })}`),
  );
  page = await fresh.follow(
    await fresh.submit(page, /\/password$/, { email: person.email, password: PASSWORD }),
  );
  t.equal(page.url, `${running.issuer}/account`);
  // And a sign-out that does.
  for (const target of targets) {
    const query = new URLSearchParams({ post_logout_redirect_uri: target, client_id: client.id });
    const page = await browser.get(`/oauth2/logout?${query}`);
    t.equal(page.location, null, target);
    t.notMatch(page.body, /evil/);
  }
});

// ---- 8, 12: logs, storage, faults -----------------------------------------------------------------------------------

t.test('ATK-A193 ATK-A084: what a visitor sends stays in its field', async (t) => {
  const running = await forms();
  const [browser, page] = await signInPage(running);
  const agent = `Mozilla/5.0 {"event":"login.success"} %s%n \${jndi:ldap://x} ${'u'.repeat(9000)}`;
  const names = [
    'a\n{"level":"info","msg":"signed in"}@example.org',
    'esc\u001b[31m@example.org',
    `%s%n\${jndi:ldap://x}@example.org`,
    `${'x'.repeat(319)}\u{1f600}@example.org`,
    'line\u2028separator@example.org',
    '__proto__',
  ];
  for (const email of names) {
    const answer = await browser.submit(
      page,
      /\/password$/,
      { email, password: 'wrong password wrong' },
      { 'user-agent': agent },
    );
    t.equal(answer.status, 401, `name ${names.indexOf(email)}`);
  }
  const rows = await running.db.$client<{ device: string; data: { identifier: string } }[]>`
    SELECT p.device, p.data FROM audit_events e JOIN audit_personal p ON p.event_id = e.id
    WHERE e.type = 'signIn.failed' AND p.device LIKE 'Mozilla/5.0 {"event"%'`;
  t.equal(rows.length, names.length);
  for (const { device, data } of rows) {
    t.ok(device.length <= 400, 'the browser’s name is cut');
    t.ok(data.identifier.length <= 320);
  }
  t.ok(running.lines.length > 10);
  for (const line of running.lines) {
    t.equal(line.trimEnd().split('\n').length, 1, 'one line');
    const said = JSON.parse(line) as Record<string, unknown>;
    t.not(said.msg, 'signed in');
    t.ok(line.length < 10_000);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what must not be there
    t.notMatch(line, /\u001b|\u2028/);
  }
});

t.test(
  'ATK-A197 ATK-A235 ATK-A236 ATK-A238: what is in the logs, in the trail and in a copy of the database',
  async (t) => {
    const running = await startApp(t, { LOG_LEVEL: 'trace', CLIENT_AUTH_LOCKOUT_ATTEMPTS: '100000' });
    const { issuer } = running;
    const person = await running.person();
    const client = await running.client({ postLogoutRedirectUris: ['https://rp.test/out'] });
    const secrets: Record<string, string> = { password: PASSWORD, 'client secret': client.secret as string };
    const wrongPassword = 'Sesame open the 4th door';
    const wrongSecret = newSecret();
    Object.assign(secrets, { 'wrong password': wrongPassword, 'wrong client secret': wrongSecret });

    const [browser, page] = await signInPage(running);
    await browser.submit(page, /\/password$/, { email: person.email, password: wrongPassword });
    const keep = (name: string, values: Record<string, unknown>) => {
      for (const field of ['access_token', 'refresh_token', 'id_token']) {
        if (typeof values[field] === 'string') secrets[`${name} ${field}`] = values[field] as string;
      }
    };
    const first = await tokens(running, client, person, { browser, scope: 'openid email offline_access' });
    keep('first', first.body);
    secrets['spent code'] = first.code;
    await tokenRequest(
      issuer,
      { id: client.id, secret: wrongSecret },
      { grant_type: 'refresh_token', refresh_token: newSecret() },
    );
    const refreshed = await tokenRequest(issuer, client, {
      grant_type: 'refresh_token',
      refresh_token: first.body.refresh_token as string,
    });
    keep('refreshed', refreshed.body);
    // A code that is never redeemed, and requests with credentials where they do not belong.
    const proof = pkce();
    const unspent = await browser.get(authorizePath(client, proof, { state: 'unspent' }));
    secrets['unspent code'] = new URL((await browser.follow(unspent)).location as string).searchParams.get(
      'code',
    ) as string;
    await fetch(`${issuer}/oauth2/userinfo?access_token=${refreshed.body.access_token}`).then((answer) =>
      answer.text(),
    );
    await fetch(`${issuer}/account?code=${secrets['unspent code']}&token=${client.secret}`, {
      redirect: 'manual',
    }).then((answer) => answer.text());
    await fetch(`${issuer}/oauth2/userinfo`, {
      headers: { authorization: `Bearer ${refreshed.body.access_token}` },
    }).then((answer) => answer.text());
    await fetch(`${issuer}/oauth2/introspect`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}` },
      body: new URLSearchParams({ token: refreshed.body.refresh_token as string }),
    }).then((answer) => answer.text());
    await browser.get('/account');
    for (const { name, value } of browser.cookies()) secrets[`cookie ${name}`] = value;
    t.ok(Object.keys(secrets).length >= 14, Object.keys(secrets).join(', '));
    t.ok(secrets['unspent code'] && secrets['refreshed refresh_token'], 'a full run');

    const spellings = (value: string) => [
      value,
      encodeURIComponent(value),
      Buffer.from(value).toString('base64').replace(/=+$/, ''),
      Buffer.from(value).toString('hex'),
      ...(/^[\w-]{43}$/.test(value) ? [Buffer.from(value, 'base64url').toString('hex')] : []),
    ];
    const tables = await running.db.$client<{ name: string }[]>`
    SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`;
    t.ok(tables.length >= 18);
    const dump = new Map<string, Record<string, unknown>[]>();
    const superuser = postgres({ ...running.database.superuser, database: running.database.name, max: 1 });
    t.teardown(() => superuser.end());
    for (const { name } of tables) {
      const rows = await superuser.unsafe(`SELECT to_jsonb(t) AS row FROM public."${name}" t`);
      dump.set(
        name,
        rows.map(({ row }) => row as Record<string, unknown>),
      );
    }
    const logs = running.lines.join('\n');
    t.ok(running.lines.length > 12, 'the log has lines');
    const trail = JSON.stringify([...dump].filter(([name]) => name.startsWith('audit_')));
    t.ok(trail.length > 2000);
    const whole = JSON.stringify([...dump]);
    const hits: string[] = [];
    for (const [name, value] of Object.entries(secrets)) {
      // An interaction's uid is in addresses and on its row; alone it opens nothing, as is seen below.
      const isUid = /^cookie gatehouse_(interaction|resume)$/.test(name);
      for (const spelling of spellings(value)) {
        if (logs.includes(spelling) && !isUid) hits.push(`the log: ${name}`);
        if (trail.includes(spelling)) hits.push(`the audit trail: ${name}`);
        if (whole.includes(spelling) && !isUid) hits.push(`the database: ${name}`);
      }
    }
    t.same(hits, [], 'no secret is anywhere');

    // A236: every stored value, as whatever it could be taken for.
    const stored = new Set<string>();
    const collect = (value: unknown): void => {
      if (typeof value === 'string') {
        if (value.length >= 16 && value.length <= 700 && !/\s/.test(value)) {
          stored.add(value);
          if (value.startsWith('\\x')) {
            stored.add(value.slice(2));
            stored.add(Buffer.from(value.slice(2), 'hex').toString('base64url'));
          }
        }
      } else if (typeof value === 'object' && value !== null) Object.values(value).forEach(collect);
    };
    for (const rows of dump.values()) collect(rows);
    t.ok(stored.size > 60, `${stored.size} stored values`);
    const opened: string[] = [];
    for (const value of stored) {
      const bearer = await fetch(`${issuer}/oauth2/userinfo`, {
        headers: { authorization: `Bearer ${value}` },
      }).catch(() => null);
      if (bearer?.status === 200) opened.push(`bearer ${value}`);
      await bearer?.text();
      for (const form of [
        { grant_type: 'refresh_token', refresh_token: value },
        {
          grant_type: 'authorization_code',
          code: value,
          redirect_uri: client.redirectUri,
          code_verifier: proof.verifier,
        },
      ]) {
        if ((await tokenRequest(issuer, client, form)).status === 200)
          opened.push(`${form.grant_type} ${value}`);
      }
      const asSecret = await tokenRequest(
        issuer,
        { id: client.id, secret: value },
        { grant_type: 'refresh_token', refresh_token: 'x' },
      );
      if (asSecret.status !== 401) opened.push(`client secret ${value}: ${asSecret.status}`);
      const thief = running.visitor();
      thief.setCookie('gatehouse_session', value);
      const home = await thief.get('/account');
      if (home.status === 200) opened.push(`session ${value}`);
      if (/^[\w-]{43}$/.test(value)) {
        for (const path of ['/interaction', '/login', '/consent', '/oauth2/authorize', '/setup']) {
          const door = await thief.get(`${path}/${value}`);
          if (door.status < 400) opened.push(`${path} ${value}`);
        }
      }
    }
    t.same(opened, [], 'no stored value is a credential');
    const still = await tokenRequest(issuer, client, {
      grant_type: 'refresh_token',
      refresh_token: secrets['refreshed refresh_token'] as string,
    });
    t.equal(still.status, 200, 'while the real one is');

    // A235
    const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4/i;
    for (const [name, value] of Object.entries(secrets)) {
      if (/password|id_token|\.sig$/.test(name)) continue;
      t.match(value, /^[A-Za-z0-9_-]{43,}$/, `${name}: 256 bits`);
      t.notMatch(value, UUID4, name);
    }
    const many = Array.from({ length: 10_000 }, newSecret);
    t.equal(new Set(many).size, many.length);
    const bits = Buffer.concat(many.map((one) => Buffer.from(one, 'base64url')));
    let ones = 0;
    for (const byte of bits) for (let at = byte; at; at &= at - 1) ones++;
    const total = bits.length * 8;
    t.equal(total, many.length * 256, '256 bits each');
    t.ok(Math.abs(ones - total / 2) < 6 * Math.sqrt(total / 4), 'as many ones as zeroes');

    // A238
    const { keys } = (await (await fetch(`${issuer}/oauth2/jwks`)).json()) as {
      keys: Record<string, string>[];
    };
    for (const key of keys) {
      t.match(key, { use: 'sig', kid: /./, alg: /^(RS256|PS256|ES256|EdDSA)$/ });
      if (key.kty === 'RSA')
        t.ok(Buffer.from(key.n as string, 'base64url').length >= 384, '3072 bits or more');
      else t.match(key.crv, /^(P-256|Ed25519)$/);
      t.strictSame(
        [key.d, key.p, key.q, key.k],
        [undefined, undefined, undefined, undefined],
        'public parts only',
      );
    }
    const header = JSON.parse(
      Buffer.from((first.body.id_token as string).split('.')[0] as string, 'base64url').toString(),
    );
    t.match(header.alg, /^(ES256|RS256|PS256|EdDSA)$/);
    for (const { password_hash: hash } of dump.get('accounts') ?? [])
      t.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    const signature = browser.cookies().find(({ name }) => name === 'gatehouse_session.sig')?.value as string;
    t.equal(Buffer.from(signature, 'base64url').length, 32, 'cookies are signed with SHA-256');
  },
);

t.test('ATK-A240: faults inside say nothing outside', async (t) => {
  const running = await forms();
  const person = await running.person();
  const client = await running.client();
  const { browser, body } = await tokens(running, client, person);
  const superuser = postgres({
    ...running.database.superuser,
    database: running.database.name,
    max: 1,
    onnotice: () => {},
  });
  t.teardown(() => superuser.end());
  const door = await signInPage(running);
  const INSIDE =
    /relation|does not exist|column|accounts|refresh_tokens|node_modules|\.ts:|at \w+ \(|42P01|postgres/i;

  const broken = async (table: string, work: () => Promise<{ status: number; text: string; id: string }>) => {
    await superuser.unsafe(`ALTER TABLE ${table} RENAME TO hidden`);
    const from = running.lines.length;
    try {
      const { status, text, id } = await work();
      t.equal(status, 500, table);
      t.notMatch(text, INSIDE);
      t.match(text, id, 'the answer names the request');
      const logged = running.lines
        .slice(from)
        .filter((line) => line.includes(id) && /"level":"error"/.test(line));
      t.ok(logged.length > 0, 'and the log has why');
      t.match(logged.join(), /relation/);
    } finally {
      await superuser.unsafe(`ALTER TABLE hidden RENAME TO ${table}`);
    }
  };
  const read = async (page: Page) => ({
    status: page.status,
    text: page.body,
    id: page.headers.get('x-request-id') as string,
  });
  await broken('accounts', async () => read(await tryPassword(door, person.email, PASSWORD)));
  await broken('accounts', async () => read(await browser.get('/account')));
  await broken('interactions', async () => read(await running.visitor().get(authorizePath(client, pkce()))));
  await broken('refresh_tokens', async () => {
    const answer = await tokenRequest(running.issuer, client, {
      grant_type: 'refresh_token',
      refresh_token: body.refresh_token as string,
    });
    t.equal(answer.body.error, 'server_error');
    return {
      status: answer.status,
      text: JSON.stringify(answer.body),
      id: answer.headers.get('x-request-id') as string,
    };
  });
  // Rows that hold what no code of ours would write.
  await running.db.$client`UPDATE sessions SET payload = '"not an object"'::jsonb`;
  const odd = await browser.get(authorizePath(client, pkce(), { prompt: 'none' }));
  t.ok(odd.status < 600);
  t.notMatch(odd.body, INSIDE);
  await running.db.$client`UPDATE clients SET redirect_uris = '{}' WHERE id = ${client.id}`;
  const invalid = await running.visitor().get(authorizePath(client, pkce()));
  t.notMatch(invalid.body, INSIDE);

  const other = await running.client();
  const after = await tokens(running, other, person);
  t.ok(after.body.access_token, 'and it goes on');
});
