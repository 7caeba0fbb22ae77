// Every route under wrong types, huge and deep bodies, broken encodings: an answer below 500 with a stable code, the
// security headers on it, and a server that goes on. Routes are taken from the server itself, so a new one is fuzzed too:
// once on the HTTP base alone, and once on the whole server with a database, where valid credentials open the doors that
// nonsense alone stops at.
import { randomBytes } from 'node:crypto';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import type { FastifyInstance } from 'fastify';
import t, { type Test } from 'tap';
import { loadConfig } from '../config/load.ts';
import { DEVICE_CODE } from '../server/clients/clients.ts';
import { type KnownRoute, routesOf } from '../server/http/failures.ts';
import { createHttp } from '../server/http/http.ts';
import { mountLibrary } from '../server/http/mount.ts';
import { createLog } from '../server/lib/log.ts';
import { problems } from '../server/lib/problems.ts';
import { authorizePath, PASSWORD, pkce, startApp, tokens } from './harness/app.ts';
import { formsOf } from './harness/browser.ts';

t.setTimeout(300_000);

const HOST = 'localhost:4000';
const RUNS = Number(process.env.FUZZ_RUNS ?? 60);

async function base(t: Test): Promise<{ app: FastifyInstance; port: number }> {
  const key = () => randomBytes(32).toString('base64');
  const { config } = loadConfig({
    env: {
      ISSUER: `http://${HOST}`,
      LOG_LEVEL: 'silent',
      DATABASE_URL: 'postgres://nobody@127.0.0.1/none',
      ENCRYPTION_KEYS: key(),
      COOKIE_KEYS: key(),
    },
    cwd: tmpdir(),
  });
  const app = createHttp(config, { log: createLog(config.log), ready: async () => true });
  app.get('/things/:id', async (request) => ({ params: request.params, query: request.query }));
  app.post('/things', async (request) => ({ body: request.body }));
  app.put('/things/:id/parts/:part', async (request) => ({ params: request.params, body: request.body }));
  mountLibrary(app, [{ method: ['GET', 'POST'], path: '/oauth2/thing' }], () => async (raw, response) => {
    response.end(JSON.stringify({ body: await text(raw) }));
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => app.close());
  return { app, port: (app.server.address() as AddressInfo).port };
}

interface Shot {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | Buffer;
}

function fire(port: number, { method, path, headers, body }: Shot, host = HOST) {
  return new Promise<{ status: number; headers: IncomingHttpHeaders; body: string } | null>(
    (resolve, reject) => {
      const request = httpRequest(
        {
          host: '127.0.0.1',
          port,
          path,
          method,
          agent: false,
          headers: { host, ...headers, 'content-length': String(Buffer.byteLength(body)) },
        },
        (response) => {
          text(response).then(
            (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
            // Our answer came while we were still sending, and the connection was closed.
            () => resolve(null),
          );
        },
      );
      request.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'EPIPE' || error.code === 'ECONNRESET') resolve(null);
        else reject(error);
      });
      request.end(body);
    },
  );
}

const VALUES = [
  ...[
    '',
    'a',
    '0',
    '-1',
    '%00',
    '%',
    '%zz',
    '%ff',
    '%c0%af',
    '%F0%9F%98%80',
    '..',
    '%2e%2e%2f',
    '~',
    '.',
    '%20',
  ],
  ...[
    "'",
    '"',
    '<script>',
    '%0d%0aX-Injected:1',
    '__proto__',
    'constructor',
    'null',
    '[]',
    '{}',
    '#{7*7}',
    '{{7*7}}',
  ],
  ...[
    'x'.repeat(199),
    'x'.repeat(201),
    '00000000-0000-7000-8000-000000000000',
    '9'.repeat(40),
    '%ED%A0%80',
    '*',
  ],
];
const NAMES = ['id', 'email', 'password', '_csrf', 'client_id', 'state', 'code', 'a[b]', '__proto__', 'x'];

const value = fc.constantFrom(...VALUES);
const query = fc.oneof(
  fc.constant(''),
  fc
    .array(fc.tuple(fc.constantFrom(...NAMES), value), { maxLength: 4 })
    .map((pairs) => `?${pairs.map(([name, text]) => `${name}=${text}`).join('&')}`),
);
const wide = fc.constantFrom(
  '['.repeat(30_000),
  `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
  `{${Array.from({ length: 4000 }, (_, at) => `"k${at}":${at}`).join(',')}}`,
  `"${'x'.repeat(70_000)}"`,
  'a=1&'.repeat(10_000),
  '{"__proto__":{"admin":true}}',
  '{"a":"\\u0000"}',
  '{"a":"\\ud800"}',
  '{"a":1e999}',
  '\ufeff{}',
  '{"a":1}{"a":2}',
);
const fields = fc
  .array(fc.tuple(fc.constantFrom(...NAMES), value), { maxLength: 5 })
  .map((pairs) => pairs.map(([name, text]) => `${name}=${text}`).join('&'));
const body = fc.oneof(
  fields,
  wide,
  fc.json({ maxDepth: 4 }),
  fc.dictionary(fc.constantFrom(...NAMES), fc.jsonValue()).map((object) => JSON.stringify(object)),
  fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
);
const type = fc.constantFrom(
  ...['application/json', 'application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data', ''],
  ...['application/json; charset=utf-16', 'application/x-www-form-urlencoded; charset=x', 'a/b/c', ',', '/'],
);
const extra = fc.constantFrom<Record<string, string>>(
  {},
  { accept: 'text/html' },
  { authorization: 'Basic %%%' },
  { authorization: `Basic ${Buffer.from('a:b:c\0').toString('base64')}` },
  { authorization: 'Bearer ' },
  { authorization: 'DPoP x', dpop: 'x.y.z' },
  { cookie: 'gatehouse_browser=x; =; ;;; a=%zz; __proto__=1' },
  { origin: 'null', 'sec-fetch-site': 'cross-site' },
  { 'x-forwarded-for': '<script>', 'x-forwarded-proto': 'gopher' },
  { 'content-encoding': 'gzip' },
  { 'x-http-method-override': 'DELETE' },
  { range: 'bytes=0-99999999999', 'if-none-match': '*' },
  { 'accept-language': 'x'.repeat(5000), 'user-agent': '\x80\xff' },
);

const shotAt = (route: KnownRoute): fc.Arbitrary<Shot> =>
  fc
    .record({
      method: fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom(...route.methods) },
        {
          weight: 1,
          arbitrary: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY'),
        },
      ),
      parts: fc.array(value, { minLength: 8, maxLength: 8 }),
      query,
      body: fc.oneof({ weight: 1, arbitrary: fc.constant('') }, { weight: 3, arbitrary: body }),
      type,
      extra,
    })
    .map(({ method, parts, query, body, type, extra }) => {
      let at = 0;
      const path = route.url.replace(/:[^/]+|\*/g, () => (parts[at++ % 8] as string).replaceAll(' ', '%20'));
      return {
        method,
        path: path + query,
        headers: { ...extra, ...(type ? { 'content-type': type } : {}) },
        body,
      };
    });

const INSIDE = /node_modules|\bat [\w.<>]+ \(|\.(ts|js|mjs):\d|postgres|SELECT |22P05|22021/;

function isStable(answer: { status: number; headers: IncomingHttpHeaders; body: string }): boolean {
  const { status, headers, body } = answer;
  if (status >= 500) return false;
  if (headers['x-frame-options'] !== 'DENY' || headers['x-injected'] !== undefined) return false;
  const id = headers['x-request-id'];
  if (typeof id !== 'string' || id.length < 36) return false;
  if (status < 400 || body === '') return true;
  if (INSIDE.test(body)) return false;
  // A page says which request it was; a form that is shown again says it beside the field.
  if (headers['content-type']?.startsWith('text/html')) return body.includes(id) || body.includes('<form');
  const said = JSON.parse(body) as { error: string | { code: string }; meta?: { requestId: string } };
  if (typeof said.error === 'string') return /^[a-z_]+$/.test(said.error);
  return said.error.code in problems && said.meta?.requestId === id;
}

t.test(
  'O4 ATK-A082 ATK-A083 ATK-A084: every route under fuzz answers below 500 with a stable code',
  async (t) => {
    const { app, port } = await base(t);
    const routes = routesOf(app);
    t.ok(routes.length >= 6, `${routes.length} routes`);
    let shots = 0;
    for (const route of routes) {
      await fc.assert(
        fc.asyncProperty(shotAt(route), async (shot) => {
          const answer = await fire(port, shot);
          shots++;
          return answer === null || isStable(answer);
        }),
        { numRuns: RUNS, interruptAfterTimeLimit: 20_000 },
      );
    }
    t.ok(shots >= routes.length * Math.min(RUNS, 20), `${shots} requests`);
    t.equal((await fire(port, { method: 'GET', path: '/livez', headers: {}, body: '' }))?.status, 200);
    t.equal(({} as { admin?: boolean }).admin, undefined);
  },
);

/** What the real server must never have said to its log while it was shot at. */
function faults(lines: readonly string[]): string[] {
  return lines.filter((line) => {
    const { level } = JSON.parse(line) as { level: string };
    return level === 'error' || level === 'fatal' || /"22021"|"22P05"/.test(line);
  });
}

t.test('O4 ATK-A082 ATK-A083 ATK-A084: every route of the whole server under fuzz', async (t) => {
  const running = await startApp(t, { LOG_LEVEL: 'debug', PAGE_RATE_LIMIT: '0', DEMO: 'true' });
  const port = Number(new URL(running.issuer).port);
  const host = new URL(running.issuer).host;
  const routes = routesOf(running.app.http);
  t.ok(routes.length >= 30, `${routes.length} routes`);

  const person = await running.person();
  const client = await running.client();
  const browser = running.visitor();
  await tokens(running, client, person, { browser });
  const signIn = await browser.follow(
    await browser.get(authorizePath(client, pkce(), { prompt: 'login', state: 's' })),
  );
  const uid = new URL(signIn.url).pathname.split('/').at(-1) as string;
  const csrf = formsOf(signIn.body)[0]?.fields._csrf as string;
  const cookie = browser
    .cookies()
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ');
  const origin = running.issuer;

  let shots = 0;
  const holds = async (shot: Shot) => {
    const answer = await fire(port, shot, host);
    shots++;
    return answer === null || isStable(answer);
  };
  const limits = { interruptAfterTimeLimit: 15_000 };
  for (const route of routes) {
    if (route.url.startsWith('/assets/')) continue;
    await fc.assert(fc.asyncProperty(shotAt(route), holds), { numRuns: Math.ceil(RUNS / 2), ...limits });
  }
  t.same(faults(running.lines), [], 'no fault was logged by a stranger');

  // The same person, signed in and half-way through a sign-in, with a valid form token.
  const inside = (route: KnownRoute): fc.Arbitrary<Shot> =>
    fc.record({ shot: shotAt(route), fields }).map(({ shot, fields }) => ({
      ...shot,
      method: route.methods.has('POST') ? 'POST' : shot.method,
      path: route.url.replace(':uid', uid).replace(/:[^/]+/g, 'x'),
      headers: {
        ...shot.headers,
        cookie,
        origin,
        'sec-fetch-site': 'same-origin',
        accept: 'text/html',
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: `_csrf=${csrf}&${fields.replaceAll('_csrf', 'decision')}`,
    }));
  for (const route of routes) {
    if (!/^\/(login|consent|interaction|account|setup|demo|device|oauth2\/authorize\/:uid)\b/.test(route.url))
      continue;
    // These would end what the rest stands on.
    if (/cancel|sign-out|logout/.test(route.url)) continue;
    await fc.assert(fc.asyncProperty(inside(route), holds), { numRuns: Math.ceil(RUNS / 4), ...limits });
  }
  t.same(faults(running.lines), [], 'nor by a person with valid forms');
  t.ok(shots > routes.length * 10, `${shots} requests`);
  t.equal((await fire(port, { method: 'GET', path: '/readyz', headers: {}, body: '' }, host))?.status, 200);
  t.equal(({} as { admin?: boolean }).admin, undefined);
  t.equal((await browser.get('/livez')).status, 200);
});

t.test('O4 ATK-A084: the protocol with valid credentials and one parameter gone wrong', async (t) => {
  const running = await startApp(t, {
    LOG_LEVEL: 'debug',
    ACCOUNT_LOCKOUT_ATTEMPTS: '100',
    ADDRESS_LOCKOUT_ATTEMPTS: '10000',
    CLIENT_AUTH_LOCKOUT_ATTEMPTS: '10000',
    USER_CODE_LOCKOUT_ATTEMPTS: '10000',
  });
  const port = Number(new URL(running.issuer).port);
  const host = new URL(running.issuer).host;
  const person = await running.person();
  const client = await running.client();
  const open = await running.client({ public: true });
  const tv = await running.client({
    public: true,
    grantTypes: [DEVICE_CODE, 'refresh_token'],
    redirectUris: [],
  });
  const { body: issued, browser } = await tokens(running, client, person);
  const basic = `Basic ${Buffer.from(`${encodeURIComponent(client.id)}:${client.secret}`).toString('base64')}`;
  const cookie = browser
    .cookies()
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ');
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const jwt = (payload: unknown) =>
    [{ alg: 'ES256' }, payload, {}]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');

  // Just past every length at which text is cut, with a character of two units on the cut.
  const long = fc
    .constantFrom(199, 253, 254, 299, 319, 399, 4095, 5000)
    .map((length) => `${'x'.repeat(length)}\u{1f600}y`);
  const odd = fc
    .oneof(
      long,
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.constantFrom(
        '',
        ' ',
        '\0',
        '\ud800',
        '-1',
        '1e99',
        'NaN',
        '{}',
        '[]',
        'null',
        '__proto__',
        '%00',
        '%',
      ),
      fc.constantFrom(
        '{"id_token":{"__proto__":{"essential":true}}}',
        '{"userinfo":[]}',
        '{"id_token":{"acr":{"values":[[]]}}}',
        '{"userinfo":{"email":{"value":"\\u0000"}}}',
        '{"id_token":{"\\ud800":null}}',
      ),
      fc.constantFrom(
        jwt({ iss: '\0', sub: '\0', aud: '\0', client_id: '\0' }),
        jwt({ iss: client.id, sub: [] }),
        jwt([]),
        jwt(null),
      ),
      fc.constantFrom(
        'none',
        'login consent',
        'code token',
        'form_post',
        'fragment',
        'openid offline_access',
        'javascript:0',
      ),
    )
    .map((text) => encodeURIComponent(text.toWellFormed()));

  const authorize = [
    ...['scope', 'state', 'nonce', 'prompt', 'max_age', 'ui_locales', 'login_hint', 'acr_values', 'claims'],
    ...['response_type', 'response_mode', 'redirect_uri', 'client_id', 'id_token_hint', 'display', 'request'],
    ...[
      'request_uri',
      'registration',
      'code_challenge',
      'code_challenge_method',
      'claims_locales',
      'resource',
      'web_message_uri',
    ],
  ];
  const atToken = [
    ...[
      'grant_type',
      'code',
      'redirect_uri',
      'code_verifier',
      'refresh_token',
      'scope',
      'client_id',
      'client_secret',
    ],
    ...[
      'client_assertion',
      'client_assertion_type',
      'token',
      'token_type_hint',
      'access_token',
      'resource',
      'device_code',
    ],
    ...[
      'dpop_jkt',
      'user_code',
      'claims',
      'request',
      'request_uri',
      'max_age',
      'acr_values',
      'id_token_hint',
      'prompt',
    ],
  ];
  const machine = fc
    .record({
      path: fc.constantFrom(
        '/oauth2/token',
        '/oauth2/introspect',
        '/oauth2/revoke',
        '/oauth2/userinfo',
        '/oauth2/device_authorization',
        '/oauth2/par',
      ),
      kind: fc.constantFrom(
        'authorization_code',
        'refresh_token',
        'client_credentials',
        'password',
        DEVICE_CODE,
      ),
      app: fc.constantFrom(open, tv),
      auth: fc.constantFrom<Record<string, string>>(
        { authorization: basic },
        {},
        { authorization: `Bearer ${issued.access_token}` },
      ),
      odd: fc.array(fc.tuple(fc.constantFrom(...atToken), odd), { maxLength: 3 }),
    })
    .map(({ path, kind, app, auth, odd }): Shot => {
      const asked = new URL(`http://x${authorizePath(open, pkce())}`).searchParams;
      const fields = new Map([
        ...(path === '/oauth2/par'
          ? [...asked].map(([name, text]) => [name, encodeURIComponent(text)] as const)
          : []),
        ['grant_type', kind],
        ['client_id', auth.authorization ? client.id : app.id],
        ...odd,
      ]);
      return {
        method: 'POST',
        path,
        headers: { ...form, ...auth },
        body: [...fields].map((pair) => pair.join('=')).join('&'),
      };
    });
  const visiting = fc
    .record({
      method: fc.constantFrom('GET', 'POST'),
      path: fc.constantFrom('/oauth2/authorize', '/oauth2/logout'),
      cookie: fc.constantFrom(
        cookie,
        '',
        'gatehouse_session=x; gatehouse_session.sig=y; gatehouse_browser=z',
      ),
      accept: fc.constantFrom('text/html', 'application/json', '*/*'),
      odd: fc.array(fc.tuple(fc.constantFrom(...authorize, 'post_logout_redirect_uri', 'logout_hint'), odd), {
        maxLength: 3,
      }),
    })
    .map(({ method, path, cookie, accept, odd }): Shot => {
      const base = new URL(`http://x${authorizePath(client, pkce())}`).searchParams;
      const fields = new Map([
        ...[...base].map(([name, text]) => [name, encodeURIComponent(text)] as const),
        ...odd,
      ]);
      const query = [...fields].map((pair) => pair.join('=')).join('&');
      return method === 'GET'
        ? { method, path: `${path}?${query}`, headers: { cookie, accept }, body: '' }
        : { method, path, headers: { ...form, cookie, accept }, body: query };
    });
  const holds = async (shot: Shot) => {
    const answer = await fire(port, shot, host);
    return answer === null || isStable(answer);
  };
  const limits = { interruptAfterTimeLimit: 15_000 };
  await fc.assert(fc.asyncProperty(machine, holds), { numRuns: RUNS * 4, ...limits });
  t.same(faults(running.lines), [], 'machines');
  await fc.assert(fc.asyncProperty(visiting, holds), { numRuns: RUNS * 4, ...limits });
  t.same(faults(running.lines), [], 'browsers');

  // The pages where people enter the codes of devices, with their form tokens right.
  const guesser = running.visitor();
  const entry = await guesser.get('/device');
  const begun = await fetch(`${running.issuer}/oauth2/device_authorization`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: tv.id, scope: 'openid' }),
  });
  const { user_code: userCode } = (await begun.json()) as { user_code: string };
  const entered = fc.record({
    user_code: fc.oneof(
      long,
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.constantFrom('', '%', userCode, `${userCode}\u200b`),
    ),
    answer: fc.constantFrom(
      {},
      { confirm: '' },
      { abort: '' },
      { confirm: '\ud800' },
      { xsrf: '' },
      { user_code: userCode, x: 'y' },
    ),
  });
  await fc.assert(
    fc.asyncProperty(entered, async ({ user_code, answer }) => {
      const fields = Object.entries({ user_code, ...answer }).map(([name, text]) => [
        name,
        String(text).toWellFormed(),
      ]);
      const page = await guesser.clone().submit(entry, /^\/device$/, Object.fromEntries(fields));
      // The right code, and whatever stands for a confirmation, goes on to the sign-in.
      const goesOn = page.status === 303 && page.location?.startsWith('/interaction/');
      return page.status < 500 && (goesOn || page.body.includes('href="/'));
    }),
    { numRuns: RUNS * 2, ...limits },
  );
  t.same(faults(running.lines), [], 'the pages of devices');

  // The sign-in form itself, with everything right but what is typed.
  const other = running.visitor();
  const page = await other.follow(await other.get(authorizePath(client, pkce())));
  const typed = fc.record({
    email: fc.oneof(long, fc.string({ unit: 'binary' })),
    password: fc.oneof(long, fc.string({ unit: 'binary' })),
  });
  await fc.assert(
    fc.asyncProperty(typed, async ({ email, password }) => {
      const answer = await other.submit(page, /password$/, {
        email: email.toWellFormed(),
        password: password.toWellFormed(),
      });
      return answer.status === 401 || answer.status === 400;
    }),
    { numRuns: RUNS, ...limits },
  );
  t.same(faults(running.lines), [], 'the sign-in form');
  const last = await other.submit(page, /password$/, { email: person.email, password: PASSWORD });
  t.equal(last.status, 303, 'and it still signs in');
});

t.test('O4 ATK-A087: bytes that are hardly HTTP end in 4xx or a closed connection', async (t) => {
  const { port } = await base(t);
  const pieces = [
    ...[
      'GET ',
      'POST ',
      'PRI ',
      '/',
      '/things',
      '*',
      ' HTTP/1.1',
      ' HTTP/9.9',
      '\r\n',
      '\n',
      '\r',
      '\0',
      ' ',
    ],
    ...[
      `Host: ${HOST}`,
      'Host:',
      'Content-Length: 5',
      'Content-Length: -1',
      'Transfer-Encoding: chunked',
      '5',
      'x',
    ],
    ...[
      'Connection: close',
      'Expect: 100-continue',
      'Upgrade: h2c',
      ': ',
      '0\r\n\r\n',
      '\x16\x03\x01',
      '\xff\xfe',
    ],
  ];
  const bytes = fc
    .array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 14 })
    .map((parts) => Buffer.from(parts.join(''), 'latin1'));
  const send = (bytes: Buffer) =>
    new Promise<string>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.end(bytes));
      let received = '';
      socket.setEncoding('latin1').on('data', (chunk: string) => {
        received += chunk;
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(received));
    });
  await fc.assert(
    fc.asyncProperty(bytes, async (bytes) => !/^HTTP\/1.1 5/m.test(await send(bytes))),
    { numRuns: RUNS * 3, interruptAfterTimeLimit: 20_000 },
  );
  t.equal((await fire(port, { method: 'GET', path: '/livez', headers: {}, body: '' }))?.status, 200);
});
