// The HTTP base over real connections: who a request is from, what is refused before a room sees it, what every answer
// carries. Raw sockets where an HTTP client would mend the request.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import fc from 'fast-check';
import type { FastifyInstance } from 'fastify';
import Provider from 'oidc-provider';
import t, { type Test } from 'tap';
import { loadConfig } from '../config/load.ts';
import { factsOf } from '../server/http/arrival.ts';
import { createBrowser, formToken } from '../server/http/browser.ts';
import { allowFormTarget } from '../server/http/headers.ts';
import { createHttp } from '../server/http/http.ts';
import { limitPages } from '../server/http/limits.ts';
import { mountLibrary } from '../server/http/mount.ts';
import { canonicalAddress, networkKey, parseNetworks } from '../server/lib/addresses.ts';
import { createLog } from '../server/lib/log.ts';
import { Problem } from '../server/lib/problems.ts';
import { isStorable, rejectText } from '../server/lib/text.ts';
import { assets, assetUrl } from '../views/assets.ts';

const HOST = 'localhost:4000';
const key = () => randomBytes(32).toString('base64');

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

interface Ask {
  method?: string;
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
}

interface Running {
  app: FastifyInstance;
  port: number;
  logged: Record<string, unknown>[];
  ask(path: string, ask?: Ask): Promise<Answer>;
  /** Sends bytes, gives everything that comes back until the connection closes or `wait` ms pass. */
  raw(bytes: string | Buffer, wait?: number): Promise<{ text: string; closed: boolean }>;
}

interface Failure {
  success: boolean;
  error: { code: string; message: string; details?: Record<string, string> };
  meta: { timestamp: string; version: string; requestId: string };
}
const failureOf = (answer: Answer) => JSON.parse(answer.body) as Failure;
const codeOf = (answer: Answer) => failureOf(answer).error.code;

/** The base with a handful of routes like those of the rooms. */
async function start(
  t: Test,
  env: Record<string, string> = {},
  add: (app: FastifyInstance) => void = () => {},
): Promise<Running> {
  const { config } = loadConfig({
    env: {
      ISSUER: `http://${HOST}`,
      HOST: '127.0.0.1',
      LOG_FORMAT: 'json',
      DATABASE_URL: 'postgres://nobody@127.0.0.1/none',
      ENCRYPTION_KEYS: key(),
      COOKIE_KEYS: `${key()},${key()}`,
      ...env,
    },
    cwd: tmpdir(),
  });
  const logged: Record<string, unknown>[] = [];
  const log = createLog(config.log, {
    write: (line: string) => void logged.push(JSON.parse(line) as Record<string, unknown>),
  });
  let isReady = true;
  const app = createHttp(config, {
    log,
    ready: async () => {
      if (!isReady) throw new Error('the database is away');
      return true;
    },
  });
  app.get('/facts', async (request) => ({
    ...factsOf(request),
    headers: request.raw.headers,
    rawHeaders: request.raw.rawHeaders,
  }));
  app.post('/echo', async (request) => ({ body: request.body, query: request.query }));
  app.get('/echo/:id', async (request) => ({ params: request.params, query: request.query }));
  app.get('/page', async (_request, reply) => reply.type('text/html').send('<p>page'));
  app.get('/account', async (_request, reply) => reply.type('text/html').send('<p>account'));
  app.get('/unready', async () => {
    isReady = false;
    return {};
  });
  app.get('/fault', async () => {
    throw new Error('inner reason in /etc/shadow');
  });
  app.post(
    '/strict',
    {
      schema: {
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['email'],
          properties: { email: { type: 'string', maxLength: 100 }, age: { type: 'integer' } },
        },
      },
    },
    async (request) => ({ body: request.body }),
  );
  mountLibrary(
    app,
    [
      { method: ['GET', 'POST'], path: '/oauth2/thing' },
      { method: 'POST', path: '/oauth2/broken' },
    ],
    () => async (raw, response) => {
      if (raw.url === '/oauth2/broken') throw new Error('inner library fault');
      const body = await text(raw);
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ body, facts: factsOf(raw), headers: raw.headers }));
    },
  );
  add(app);
  await app.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => app.close());
  const { port } = app.server.address() as AddressInfo;

  return {
    app,
    port,
    logged,
    raw: (bytes, wait = 3000) =>
      new Promise((resolve) => {
        const socket = connect(port, '127.0.0.1');
        let received = '';
        const done = (closed: boolean) => {
          clearTimeout(timer);
          socket.destroy();
          resolve({ text: received, closed });
        };
        const timer = setTimeout(done, wait, false);
        socket.setEncoding('latin1');
        socket.on('data', (chunk: string) => {
          received += chunk;
        });
        socket.on('error', () => {});
        socket.on('close', () => done(true));
        socket.write(bytes);
      }),
    ask: (path, { method = 'GET', headers = {}, body } = {}) =>
      new Promise((resolve, reject) => {
        const request = httpRequest(
          {
            host: '127.0.0.1',
            port,
            path,
            method,
            agent: false,
            headers: {
              host: new URL(config.server.issuer).host,
              ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
              ...headers,
            },
          },
          (response) => {
            text(response).then(
              (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
              reject,
            );
          },
        );
        request.on('error', reject);
        request.end(body);
      }),
  };
}

const form = { 'content-type': 'application/x-www-form-urlencoded' };
const json = { 'content-type': 'application/json' };
const page = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

t.test('R4: one address has one written form', async (t) => {
  const cases: [string, string | null][] = [
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:CB00:7107', '203.0.113.7'],
    ['0:0:0:0:0:ffff:203.0.113.7', '203.0.113.7'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:0db8:0000:0000:0001:0000:0000:0001', '2001:db8::1:0:0:1'],
    ['::', '::'],
    ['fe80::1%eth0', null],
    ['203.0.113.07', null],
    ['203.0.113', null],
    ['3405803783', null],
    ['0xcb.0.113.7', null],
    ['[::1]', null],
    [' 203.0.113.7', null],
    ['203.0.113.7:80', null],
    ['', null],
    ['unknown', null],
  ];
  for (const [raw, want] of cases) t.equal(canonicalAddress(raw), want, raw);

  const group = fc.integer({ min: 0, max: 0xffff });
  const groups8 = fc.tuple(group, group, group, group, group, group, group, group);
  fc.assert(
    fc.property(groups8, fc.boolean(), fc.boolean(), (groups, pad, upper) => {
      const spelled = groups.map((one) => one.toString(16).padStart(pad ? 4 : 1, '0')).join(':');
      const plain = groups.map((one) => one.toString(16)).join(':');
      const address = canonicalAddress(upper ? spelled.toUpperCase() : spelled);
      return address !== null && address === canonicalAddress(plain) && canonicalAddress(address) === address;
    }),
  );
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      const mapped = canonicalAddress(`::ffff:${address}`);
      return mapped === address && canonicalAddress(address) === address && networkKey(address) === address;
    }),
  );
  fc.assert(
    fc.property(groups8, groups8, (one, other) => {
      const key = (groups: number[]) =>
        networkKey(canonicalAddress(groups.map((each) => each.toString(16)).join(':')) as string);
      const neighbour = [...one.slice(0, 4), ...other.slice(4)];
      const mapped = [one, other, neighbour].some((groups) => groups.slice(0, 5).every((each) => each === 0));
      const distinct = one.slice(0, 4).join() !== other.slice(0, 4).join();
      return mapped || (key(one) === key(neighbour) && (key(one) !== key(other)) === distinct);
    }),
  );
  fc.assert(
    fc.property(fc.string(), (garbage) => {
      const address = canonicalAddress(garbage);
      return address === null || canonicalAddress(address) === address;
    }),
  );
  t.equal(networkKey('2001:db8:1:1::7'), '2001:db8:1:1::/64');
  t.equal(networkKey('::1'), '::/64');
});

t.test('ATK-A077 R4: networks hold addresses in every spelling', async (t) => {
  const networks = parseNetworks(['203.0.113.0/24', '2001:db8::/32', '::1', '::ffff:10.0.0.0/104']);
  const inside = ['203.0.113.7', '::ffff:203.0.113.7', '::FFFF:cb00:7107', '2001:DB8::9', '0:0:0:0:0:0:0:1'];
  for (const address of [...inside, '10.9.8.7']) t.equal(networks.has(address), true, address);
  const outside = ['203.0.114.7', '2001:db9::', '::2', '11.0.0.1', 'fe80::1%eth0', '', 'nonsense'];
  for (const address of outside) t.equal(networks.has(address), false, address);
  t.equal(parseNetworks([]).has('127.0.0.1'), false);
  const wrong = ['10.0.0.0/33', '2001:db8::/129', 'x', '', '10.0.0.0/', '10.0.0.0/-1', '10.0.0.0/8/8'];
  for (const entry of [...wrong, '::ffff:10.0.0.0/90', 'localhost']) {
    t.throws(() => parseNetworks([entry]), /is not an address or network/, entry);
  }
});

t.test('ATK-A069 R1: only the host of the issuer is answered', async (t) => {
  const server = await start(t);
  const strange = ['evil.test', 'localhost', 'localhost:4001', 'localhost:4000.evil.test', 'localhost.:4000'];
  for (const host of [...strange, '127.0.0.1:4000', 'evil@localhost:4000']) {
    const answer = await server.ask('/facts', { headers: { host } });
    t.equal(answer.status, 421, host);
    t.equal(codeOf(answer), 'request.wrongHost');
  }
  const written = await server.ask('/facts', { headers: { host: 'LOCALHOST:4000' } });
  t.equal(written.status, 200, 'names have no case');
  const evil = { host: 'evil.test' };
  t.equal((await server.ask('/nothing', { headers: evil })).status, 421, 'unknown paths too');
  t.equal((await server.ask('/%zz', { headers: evil })).status, 400);
  t.equal((await server.ask('/oauth2/thing', { headers: evil })).status, 421, 'library routes too');

  const people = await server.ask('/', { headers: { host: 'evil.test<script>', ...page } });
  t.equal(people.status, 421);
  t.match(people.headers['content-type'], 'text/html');
  t.match(people.body, 'ISSUER', 'the page names the setting');
  t.match(people.body, `http://${HOST}`);
  t.notMatch(people.body, 'test<script>');
  const style = await server.ask(assetUrl('gatehouse.css'), { headers: evil });
  t.equal(style.status, 200, 'that page has its style');

  for (const path of ['/livez', '/readyz']) {
    const probe = await server.ask(path, { headers: { host: '10.0.0.7:8080' } });
    t.equal(probe.status, 200);
    t.notMatch(probe.body, /localhost|4000|\d\.\d/);
  }
});

t.test('ATK-A069 R1: request targets in other forms', async (t) => {
  const server = await start(t);
  const targets = ['http://evil.test/facts', `http://${HOST}/facts`, '*', '//facts', '//evil.test/facts'];
  for (const target of [...targets, 'facts', '/\\evil.test', '/facts#x', '/facts\xe9']) {
    const request = `GET ${target} HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`;
    const { text } = await server.raw(Buffer.from(request, 'latin1'));
    t.match(text, /^HTTP\/1.1 400 /, target);
    t.notMatch(text, 'rawHeaders');
  }
  const lines = `Host: ${HOST}\r\nHost: evil.test\r\nConnection: close`;
  t.match(
    (await server.raw(`GET /facts HTTP/1.1\r\n${lines}\r\n\r\n`)).text,
    /^HTTP\/1.1 400 /,
    'two Host lines',
  );
  const none = await server.raw('GET /facts HTTP/1.1\r\nConnection: close\r\n\r\n');
  t.match(none.text, /^HTTP\/1.1 400 /, 'no Host line');
  const old = await server.raw('GET /facts HTTP/1.0\r\n\r\n');
  t.match(old.text, /^HTTP\/1.1 421 /, 'HTTP/1.0 without Host');
  const tunnel = await server.raw(`CONNECT evil.test:443 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  t.notMatch(tunnel.text, ' 200 ');
  t.equal(tunnel.closed, true);
});

t.test('ATK-A070 ATK-A073 R2: nobody but a trusted proxy says where a request comes from', async (t) => {
  const server = await start(t);
  const lies = {
    'x-forwarded-for': '198.51.100.1',
    'x-forwarded-host': 'evil.test',
    'x-forwarded-proto': 'https',
    'x-forwarded-port': '444',
    'x-forwarded-prefix': '/x',
    forwarded: 'for=198.51.100.1;host=evil.test;proto=https',
    'x-real-ip': '198.51.100.1',
    'x-client-ip': '198.51.100.1',
    'true-client-ip': '198.51.100.1',
    'cf-connecting-ip': '198.51.100.1',
  };
  for (const path of ['/facts', '/oauth2/thing']) {
    const answer = JSON.parse((await server.ask(path, { headers: lies })).body);
    t.equal((answer.facts ?? answer).address, '127.0.0.1', path);
    t.equal(
      answer.headers['x-forwarded-for'],
      '127.0.0.1',
      'what stands behind us sees only what we found out',
    );
    t.equal(answer.headers['x-forwarded-proto'], 'http');
    const left = Object.keys(answer.headers).filter((name) => /forwarded|-ip$/.test(name));
    t.same(left.sort(), ['x-forwarded-for', 'x-forwarded-proto']);
    if (answer.rawHeaders) t.notMatch(answer.rawHeaders.join('\n'), /198\.51\.100|evil\.test/);
  }
});

t.test('ATK-A074 ATK-A076 ATK-A077 R2: the right-most hop that is not a trusted proxy', async (t) => {
  const server = await start(t, { TRUSTED_PROXIES: '127.0.0.0/8,10.0.0.0/8' });
  const addressFor = async (forwarded: string | string[]) => {
    const answer = await server.ask('/facts', { headers: { 'x-forwarded-for': forwarded } });
    return answer.status === 200 ? (JSON.parse(answer.body).address as string) : answer.status;
  };
  t.equal(await addressFor('127.0.0.1, 203.0.113.9'), '203.0.113.9');
  t.equal(await addressFor(['127.0.0.1', '198.51.100.1, 203.0.113.9']), '203.0.113.9', 'two lines');
  t.equal(await addressFor('198.51.100.1, 203.0.113.9, 10.1.1.1'), '203.0.113.9', 'through two proxies');
  t.equal(await addressFor('10.1.1.1, 10.2.2.2'), '10.1.1.1', 'all of them proxies: the first');
  t.equal(await addressFor('::ffff:203.0.113.9'), '203.0.113.9', 'mapped');
  t.equal(await addressFor('2001:DB8:1:1:0:0:0:7'), '2001:db8:1:1::7');
  t.equal(await addressFor('203.0.113.9:52000'), '203.0.113.9', 'some proxies add the port');
  t.equal(await addressFor('[2001:db8::9]:443'), '2001:db8::9');
  const garbage = [
    'unknown',
    '',
    '203.0.113.9, ',
    '203.0.113.999',
    'fe80::1%eth0',
    '<script>',
    "1.2.3.4' or 1=1",
  ];
  for (const one of garbage) t.equal(await addressFor(one), 400, `denied: ${one}`);
  t.equal(
    await addressFor('<script>, 203.0.113.9'),
    '203.0.113.9',
    'what stands left of the client does not matter',
  );
  const keys = new Set<string>();
  for (let at = 0; at < 20; at++) keys.add(networkKey(String(await addressFor(`2001:db8:1:1:${at}::${at}`))));
  t.equal(keys.size, 1, 'a subscriber with a /64 is one');
  t.equal(JSON.parse((await server.ask('/facts')).body).address, '127.0.0.1', 'no header: the proxy itself');
});

t.test('R2: with an https issuer, plain http goes no further', async (t) => {
  const direct = await start(t, { ISSUER: 'https://id.example.com' });
  const seen = await direct.ask('/page?x=1', { headers: page });
  t.equal(seen.status, 308);
  t.equal(seen.headers.location, 'https://id.example.com/page?x=1');
  t.equal(seen.headers['strict-transport-security'], 'max-age=63072000; includeSubDomains');
  t.equal(codeOf(await direct.ask('/facts')), 'request.insecure');
  const posted = await direct.ask('/echo', { method: 'POST', headers: { ...page, ...form }, body: 'a=1' });
  t.equal(posted.status, 403, 'what was posted has been read on the way already: no redirect');
  const protocol = await direct.ask('/oauth2/thing');
  t.equal(protocol.status, 403);
  t.equal(JSON.parse(protocol.body).error, 'invalid_request', 'in the form of its RFC');
  const claim = { 'x-forwarded-proto': 'https' };
  const unlisted = await direct.ask('/page', { headers: { ...page, ...claim } });
  t.equal(unlisted.status, 403, 'not a redirect: a browser behind a forgotten proxy would go in circles');
  t.match(unlisted.body, 'TRUSTED_PROXIES');
  t.equal((await direct.ask('/livez')).status, 200);

  const behind = await start(t, { ISSUER: 'https://id.example.com', TRUSTED_PROXIES: '127.0.0.1' });
  t.equal((await behind.ask('/page', { headers: claim })).status, 200);
  const port = await behind.ask('/facts', { headers: { ...claim, host: 'id.example.com:443' } });
  t.equal(port.status, 200, 'the default port may be written');
  t.equal((await behind.ask('/page', { headers: { ...page, 'x-forwarded-proto': 'http' } })).status, 308);
  t.equal((await behind.ask('/facts', { headers: { 'x-forwarded-proto': 'https, http' } })).status, 403);
  t.equal((await behind.ask('/facts')).status, 403);
  const facts = JSON.parse((await behind.ask('/facts', { headers: claim })).body);
  t.equal(facts.headers['x-forwarded-proto'], 'https');
});

t.test('R3: facts of a request', async (t) => {
  const server = await start(t);
  const headers = {
    'user-agent': `Browser \t/1 ${'x'.repeat(600)}`,
    'x-request-id': 'mine',
    'request-id': 'mine',
  };
  const facts = JSON.parse((await server.ask('/facts', { headers })).body);
  t.match(
    facts.id,
    /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    'ours, whatever was sent',
  );
  t.equal(facts.userAgent.length, 400);
  t.notMatch(facts.userAgent, /\t/);
  t.equal(JSON.parse((await server.ask('/facts')).body).userAgent, null);
  t.throws(() => factsOf({} as IncomingMessage), /arrival hook/);
});

t.test('R5 R7 R9: the library gets the body unread and its answers carry our headers', async (t) => {
  const server = await start(t);
  const send = (body: string, headers: Record<string, string> = form) =>
    server.ask('/oauth2/thing', { method: 'POST', headers, body });
  for (const body of ['a=1&b=2', 'x'.repeat(100), `v=${'y'.repeat(56 * 1024 - 2)}`]) {
    const answer = await send(body);
    t.equal(answer.status, 200);
    t.equal(JSON.parse(answer.body).body, body, `${body.length} bytes`);
    t.match(answer.headers['content-security-policy'], "frame-ancestors 'none'");
    t.equal(answer.headers['cache-control'], 'no-store');
    t.equal(answer.headers['x-content-type-options'], 'nosniff');
  }
  t.equal(JSON.parse((await send('')).body).body, '');
  t.equal(JSON.parse((await send('plain', { 'content-type': 'text/plain' })).body).body, 'plain', 'any type');
  t.equal((await send(`v=${'y'.repeat(56 * 1024)}`)).status, 413);
  t.equal(
    (await server.ask('/oauth2/thing?a=1&a=2')).status,
    200,
    'doubled parameters are its own to refuse',
  );

  const chunked = 'Content-Type: text/plain\r\nTransfer-Encoding: chunked';
  const head = `POST /oauth2/thing HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n${chunked}\r\n\r\n`;
  const socket = connect(server.port, '127.0.0.1');
  const answer = text(socket);
  for (const piece of [head, '5\r\nhello\r\n', '6\r\n wor', 'ld\r\n', '0\r\n\r\n']) {
    socket.write(piece);
    await sleep(30);
  }
  t.match(await answer, '"body":"hello world"', 'in pieces');
  const flood = await server.raw(`${head}${`1000\r\n${'z'.repeat(4096)}\r\n`.repeat(20)}`);
  t.match(flood.text, /^HTTP\/1.1 413 /, 'chunked without end');
  t.equal(flood.closed, true);
  t.match((await server.raw(`${head}0\r\n\r\n`)).text, '"body":""');

  const broken = await server.ask('/oauth2/broken', { method: 'POST', headers: form, body: 'a=1' });
  t.equal(broken.status, 500);
  t.same(JSON.parse(broken.body), {
    error: 'server_error',
    error_description: 'Something went wrong on our side.',
  });
  t.match(JSON.stringify(server.logged), 'inner library fault', 'the reason is in the log');
});

t.test('R5 R9: the real library reads what was put back', async (t) => {
  const secret = 'x'.repeat(43);
  const provider = new Provider(`http://${HOST}`, {
    clients: [
      {
        client_id: 'app',
        client_secret: secret,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
    routes: { token: '/oauth2/token' },
  });
  provider.proxy = true;
  const callback = provider.callback();
  const warnings: string[] = [];
  const { warn } = console;
  console.warn = (...parts: unknown[]) => void warnings.push(parts.join(' '));
  t.teardown(() => {
    console.warn = warn;
  });
  const server = await start(t, {}, (app) =>
    mountLibrary(app, [{ method: 'POST', path: '/oauth2/token' }], () => callback),
  );
  const body = `grant_type=client_credentials&client_id=app&client_secret=${secret}`;
  const answer = await server.ask('/oauth2/token', { method: 'POST', headers: form, body });
  t.equal(answer.status, 200, answer.body);
  t.ok(JSON.parse(answer.body).access_token);
  t.equal(answer.headers['x-frame-options'], 'DENY');
  const refused = await server.ask('/oauth2/token', {
    method: 'POST',
    headers: form,
    body: `${body}&scope=a%00b`,
  });
  t.equal(refused.status, 400);
  t.equal(JSON.parse(refused.body).error, 'invalid_request');
  t.notMatch(warnings.join('\n'), 'already parsed');
});

t.test('ATK-A080 R5 R6: no spelling of a path gets round a guard', async (t) => {
  let guarded = 0;
  const server = await start(t, {}, (app) => {
    app.register(
      async (scope) => {
        scope.addHook('onRequest', async () => {
          guarded++;
          throw new Problem('signIn.required');
        });
        scope.get('/users', async () => ({ data: 'people' }));
      },
      { prefix: '/api/v1/admin' },
    );
  });
  const spellings = [
    ...['/api/v1/admin/users', '/api/v1/%61dmin/users', '/api/v1/%2561dmin/users', '//api/v1/admin/users'],
    ...['/api//v1/admin/users', '/API/v1/admin/users', '/api/v1/ADMIN/users', '/api/v1/admin/users/'],
    ...['/api%2fv1/admin/users', '/api/v1/admin%2fusers', '/api/v1/admin/users;x=1', '/api/v1/admin;/users'],
    ...[
      '/./api/v1/admin/users',
      '/x/../api/v1/admin/users',
      '/api/v1/admin/users%00',
      '/api/v1/admin/users%2e',
    ],
    ...[
      '/api/v1/admin/./users',
      '/api\\v1\\admin\\users',
      '/api/v1/admin/users?x',
      '/api/v1/admin/users%3fx',
    ],
    ...['/api/v1/admin/users%23', '/%2fapi/v1/admin/users', '/api/v1/admin/users%20', '/ａpi/v1/admin/users'],
  ];
  for (const path of spellings) {
    const { text } = await server.raw(`GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
    t.match(text, /^HTTP\/1.1 40[0134] /, path);
    t.notMatch(text, 'people');
  }
  t.ok(guarded >= 2, 'the guard ran where the router found the route');
});

t.test('R8: what does not exist', async (t) => {
  const server = await start(t);
  const missing = await server.ask('/nothing');
  t.equal(missing.status, 404);
  t.equal(codeOf(missing), 'request.notFound');
  t.match(failureOf(missing), { success: false, meta: { version: '1', timestamp: /^\d{4}-.*Z$/ } });
  t.equal(missing.headers['cache-control'], 'no-store');
  const people = await server.ask('/nothing', { headers: page });
  t.equal(people.status, 404);
  t.match(people.headers['content-type'], 'text/html');
  t.match(people.body, 'request.notFound');
  const api = await server.ask('/api/v1/nothing', { headers: page });
  t.equal(api.headers['content-type'], 'application/json; charset=utf-8');
  const wrong = await server.ask('/facts', { method: 'DELETE' });
  t.equal(wrong.status, 405);
  t.equal(wrong.headers.allow, 'GET, HEAD');
  t.equal(codeOf(wrong), 'request.methodNotAllowed');
  t.equal((await server.ask('/echo/7', { method: 'PUT' })).headers.allow, 'GET, HEAD');
  t.equal((await server.ask('/oauth2/broken')).headers.allow, 'POST');
  for (const method of ['TRACE', 'PROPFIND', 'PURGE', 'SEARCH', 'M-SEARCH']) {
    const known = await server.ask('/facts', { method });
    t.equal(known.status, 405, `${method} ${known.body}`);
    t.match((await server.ask('/nothing', { method })).status, method === 'TRACE' ? 405 : 404, method);
  }
  t.equal((await server.ask('/nothing', { method: 'HEAD' })).body, '');
});

t.test('R10: text no database can hold is refused at the door', async (t) => {
  const server = await start(t);
  const basic = (credentials: string) => ({
    headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
  });
  const post = (headers: Record<string, string>, body: string) => ({ method: 'POST', headers, body });
  const refused: [string, Ask][] = [
    ['/echo/a%00b', {}],
    ['/echo/a?x=%00', {}],
    ['/echo/a?%00=x', {}],
    ['/oauth2/thing?state=%00', {}],
    ['/echo', post(form, 'name=a%00b')],
    ['/echo', post(form, 'na%00me=a')],
    ['/echo', post(form, 'name=a\0b')],
    ['/echo', post(json, '{"name":"a\\u0000b"}')],
    ['/echo', post(json, '{"list":[{"deep":"\\ud800"}]}')],
    ['/echo', post(json, '{"\\udfff":1}')],
    ['/oauth2/thing', post(form, 'state=a%00b')],
    ['/oauth2/thing', post(form, 'state=a\0b')],
    ['/oauth2/thing', post(json, '{"client_name":"a\\u0000"}')],
    ['/oauth2/thing', post(json, '{"client_name":"\\ud800"}')],
    ['/oauth2/thing', basic('a%00b:secret')],
    ['/oauth2/thing', basic('a\0b:secret')],
  ];
  for (const [path, ask] of refused) {
    const answer = await server.ask(path, ask);
    t.equal(answer.status, 400, `${path} ${ask.body ?? ''}: ${answer.body}`);
    t.match(answer.body, /not allowed|forbiddenCharacter/);
  }
  const broken = [
    '/echo/%',
    '/echo/%zz',
    '/echo/%ff',
    '/echo/%c0%80',
    '/echo/a?x=%ed%a0%80',
    '/%',
    '/facts?%f',
  ];
  for (const path of [...broken, '/oauth2/thing?x=%ff']) {
    const answer = await server.ask(path);
    t.equal(answer.status, 400, path);
    t.equal(answer.headers['x-frame-options'], 'DENY');
  }
  const fine = await server.ask('/echo', post(form, 'name=%F0%9F%98%80%2500'));
  t.same(JSON.parse(fine.body).body, { name: '😀%00' }, 'text of a percent sign and two noughts is text');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (sample) => {
      const storable = !sample.includes('\0') && Buffer.from(sample).toString() === sample;
      if (isStorable(sample) !== storable) return false;
      try {
        rejectText([{ a: { [`k${sample}`]: 1 } }]);
        return storable;
      } catch {
        return !storable;
      }
    }),
  );
  t.equal(isStorable('\ud800'), false);
});

t.test('ATK-A082: prototypes stay as they are', async (t) => {
  const server = await start(t);
  const bodies = [
    '{"__proto__":{"role":"admin"}}',
    '{"a":[{"__proto__":{"role":"admin"}}]}',
    '{"constructor":{"prototype":{"role":"admin"}}}',
    '{"a":{"constructor":{"prototype":{"role":"admin"}}}}',
    '{"\\u005f_proto__":{"role":"admin"}}',
    '{"prototype":1}',
  ];
  for (const body of bodies) {
    for (const path of ['/echo', '/strict', '/oauth2/thing']) {
      const answer = await server.ask(path, { method: 'POST', headers: json, body });
      t.equal(answer.status, 400, `${path} ${body} ${answer.body}`);
    }
  }
  const queries = [
    '__proto__[role]=admin',
    '__proto__=x',
    'constructor[prototype][role]=admin',
    'constructor=x',
  ];
  for (const query of [...queries, 'a[__proto__]=1']) {
    t.equal((await server.ask(`/echo/a?${query}`)).status, 400, query);
    t.equal((await server.ask('/echo', { method: 'POST', headers: form, body: query })).status, 400, query);
  }
  t.equal(({} as { role?: string }).role, undefined);
});

t.test('ATK-A083 R9: large and deep bodies', async (t) => {
  const server = await start(t);
  const nested = (n: number) => '['.repeat(n) + ']'.repeat(n);
  const keys = (n: number) => `{${Array.from({ length: n }, (_, at) => `"k${at}":1`).join(',')}}`;
  const cases: [string, string, Record<string, string>, number][] = [
    ['10 MiB', `{"a":"${'x'.repeat(10 * 1024 * 1024)}"}`, json, 413],
    ['100 000 arrays', nested(100_000), json, 413],
    ['30 000 arrays', nested(30_000), json, 400],
    ['33 levels', `{"a":${nested(33)}}`, json, 400],
    ['5 000 keys', keys(5000), json, 400],
    ['many fields', 'a=1&'.repeat(15_000), form, 400],
    ['1 MiB name', `name=${'x'.repeat(1024 * 1024)}`, form, 413],
    ['no JSON', '{', json, 400],
    ['nothing', '', json, 400],
    ['XML', '<a/>', { 'content-type': 'application/xml' }, 415],
    ['multipart', '--x', { 'content-type': 'multipart/form-data; boundary=x' }, 415],
    ['no type', 'a=1', {}, 415],
  ];
  for (const [name, body, headers, status] of cases) {
    const before = performance.now();
    const sent = server.ask('/echo', { method: 'POST', headers, body });
    const answer = await sent.catch((error: NodeJS.ErrnoException) => {
      // Closed while we were still sending, as it should be.
      if (status === 413 && (error.code === 'EPIPE' || error.code === 'ECONNRESET')) return null;
      throw error;
    });
    if (answer) t.equal(answer.status, status, name);
    else t.pass(`${name}: closed`);
    t.ok(performance.now() - before < 2000, name);
  }
  const shallow = await server.ask('/echo', { method: 'POST', headers: json, body: `{"a":${nested(20)}}` });
  t.equal(shallow.status, 200);
});

t.test('ATK-A084: types are not bent', async (t) => {
  const server = await start(t);
  const strict = (body: unknown) =>
    server.ask('/strict', { method: 'POST', headers: json, body: JSON.stringify(body) });
  t.equal((await strict({ email: 'a@b.c', age: 3 })).status, 200);
  for (const email of [1, true, null, [], {}, { $ne: '' }, ['a@b.c']]) {
    const answer = await strict({ email });
    t.equal(answer.status, 400, JSON.stringify(email));
    t.match(failureOf(answer).error, { code: 'request.invalid', details: { email: /string/ } });
  }
  t.equal((await strict({ email: 'a@b.c', age: '3' })).status, 400);
  t.equal(
    (await strict({ email: 'a@b.c', role: 'admin' })).status,
    400,
    'unknown fields are refused, not dropped',
  );
  t.match(failureOf(await strict({})).error.details, { email: /required/ });
  for (const body of [null, 1, 'x', [], true])
    t.equal((await strict(body)).status, 400, JSON.stringify(body));
  for (const body of ['a=1&a=2', 'username[]=a', 'a[$ne]=', 'a[b][c]=1']) {
    t.equal((await server.ask('/echo', { method: 'POST', headers: form, body })).status, 400, body);
    t.equal((await server.ask(`/echo/a?${body}`)).status, 400, body);
  }
});

t.test('ATK-A086 R9: slow senders are put off, others are served', async (t) => {
  const server = await start(t, { HEADERS_TIMEOUT: '1', REQUEST_TIMEOUT: '2', KEEP_ALIVE_TIMEOUT: '1' });
  const sockets: { socket: Socket; kind: string; closed: Promise<unknown>; answer: string }[] = [];
  const open = (kind: string, first: string) => {
    const socket = connect(server.port, '127.0.0.1');
    const entry = {
      socket,
      kind,
      closed: new Promise((resolve) => socket.once('close', resolve)),
      answer: '',
    };
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      entry.answer += chunk;
    });
    socket.on('error', () => {});
    if (first) socket.write(first);
    sockets.push(entry);
  };
  const began = performance.now();
  for (let at = 0; at < 300; at++) open('headers', `GET /facts HTTP/1.1\r\nHost: ${HOST}\r\nX-A: `);
  const lines = `Host: ${HOST}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1024`;
  for (let at = 0; at < 50; at++) open('body', `POST /echo HTTP/1.1\r\n${lines}\r\n\r\na=`);
  for (let at = 0; at < 50; at++) open('library body', `POST /oauth2/thing HTTP/1.1\r\n${lines}\r\n\r\na=`);
  for (let at = 0; at < 20; at++) open('silence', '');
  const drip = setInterval(() => {
    for (const { socket, kind } of sockets) if (kind !== 'silence' && socket.writable) socket.write('a');
  }, 200);
  t.teardown(() => clearInterval(drip));
  await sleep(500);
  const asked = performance.now();
  t.equal((await server.ask('/facts')).status, 200);
  t.ok(performance.now() - asked < 1000, 'a normal request stays under a second');
  await Promise.race([Promise.all(sockets.map(({ closed }) => closed)), sleep(10_000)]);
  clearInterval(drip);
  t.comment(`all closed after ${Math.round(performance.now() - began)} ms`);
  for (const kind of ['headers', 'body', 'library body', 'silence']) {
    const open = sockets.filter((entry) => entry.kind === kind && !entry.socket.destroyed);
    t.equal(open.length, 0, `${kind}: none open`);
  }
  const told = sockets.filter(({ answer }) => answer.startsWith('HTTP/1.1 408 '));
  t.ok(told.length >= 300, `${told.length} were told so`);
  t.match(told[0]?.answer, /x-frame-options: DENY/i);
  for (const { socket } of sockets) socket.destroy();
});

t.test('ATK-A087: shapes that two servers read differently', async (t) => {
  const server = await start(t);
  const get = (rest: string) => `GET /facts HTTP/1.1\r\nHost: ${HOST}\r\n${rest}\r\n`;
  const post = (rest: string) => `POST /echo HTTP/1.1\r\nHost: ${HOST}\r\n${rest}`;
  const smuggled = get('');
  const shapes: Record<string, string> = {
    'length and chunked': post('Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG'),
    'two lengths': post('Content-Length: 0\r\nContent-Length: 5\r\n\r\n'),
    'two equal lengths': post('Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello'),
    'list of lengths': post('Content-Length: 5, 5\r\n\r\nhello'),
    'signed length': post('Content-Length: +5\r\n\r\nhello'),
    xchunked: post('Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'),
    'chunked, then not': post('Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n'),
    'bare LF': `GET /facts HTTP/1.1\nHost: ${HOST}\n\n`,
    'bare LF in a header': get('X-A: b\nX-C: d\r\n'),
    'NUL in a header': get('X-A: b\0c\r\n'),
    'folded header': get('X-A: b\r\n c\r\n'),
    'space before the colon': post('Content-Length : 5\r\n\r\nhello'),
    'bad chunk size': post(
      'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n',
    ),
    'no version': `GET /facts\r\nHost: ${HOST}\r\n\r\n`,
    'HTTP/2 preface': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    TLS: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  };
  for (const [name, bytes] of Object.entries(shapes)) {
    const { text, closed } = await server.raw(Buffer.from(bytes + smuggled, 'latin1'));
    t.match(text, /^HTTP\/1.1 400 /, name);
    t.equal(closed, true, `${name}: connection closed`);
    t.equal(text.split('HTTP/1.1 ').length, 2, `${name}: one answer, nothing smuggled`);
    t.match(text, /\r\nX-Content-Type-Options: nosniff\r\n/i, name);
    t.match(text, /\r\nConnection: close\r\n/i, name);
    t.notMatch(text, 'HPE_');
  }
  t.match((await server.raw(get('Expect: miracles\r\n'))).text, /^HTTP\/1.1 417 /);
  const early = await server.raw(
    `POST /nothing HTTP/1.1\r\nHost: ${HOST}\r\nContent-Type: text/plain\r\nContent-Length: 70000\r\n\r\n${smuggled}`,
  );
  t.match(early.text, /^HTTP\/1.1 4\d\d /);
  t.equal(early.text.split('HTTP/1.1 ').length, 2, 'the body of a refused request is never a request');
});

t.test('ATK-A088: oversized headers', async (t) => {
  const server = await start(t);
  const many = (count: number, line: (at: number) => string) =>
    Array.from({ length: count }, (_, at) => line(at));
  const big: Record<string, string> = {
    '20 KiB cookie': `Cookie: a=${'x'.repeat(20 * 1024)}\r\n`,
    '200 cookies': `Cookie: ${many(200, (at) => `c${at}=1`).join('; ')}\r\n`,
    '200 Cookie lines': many(200, (at) => `Cookie: c${at}=1\r\n`).join(''),
    '2 KiB header name': `${'x'.repeat(2048)}: 1\r\n`,
    '500 headers': many(500, (at) => `X-${at}: 1\r\n`).join(''),
    'long target': '',
  };
  for (const [name, lines] of Object.entries(big)) {
    const target = lines === '' ? `/facts?${'x'.repeat(20_000)}` : '/facts';
    const { text } = await server.raw(
      `GET ${target} HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n${lines}\r\n`,
    );
    t.match(text, /^HTTP\/1.1 431 /, name);
    t.match(text, /\r\nX-Frame-Options: DENY\r\n/i, name);
  }
  t.equal((await server.ask('/facts')).status, 200, 'healthy');
});

const EVERY_ANSWER: Record<string, RegExp> = {
  'content-security-policy': /default-src 'none'.*frame-ancestors 'none'.*base-uri 'none'.*object-src 'none'/,
  'x-content-type-options': /^nosniff$/,
  'x-frame-options': /^DENY$/,
  'x-xss-protection': /^0$/,
  'referrer-policy': /^same-origin$/,
  'permissions-policy': /camera=\(\)/,
  'strict-transport-security': /^max-age=63072000; includeSubDomains$/,
};

t.test('ATK-A089 ATK-A090 O11: security headers on every answer', async (t) => {
  const server = await start(t, { ISSUER: 'https://id.example.com', TRUSTED_PROXIES: '127.0.0.1' });
  const answers: [string, Ask?][] = [
    ['/page'],
    ['/account'],
    ['/account/x'],
    ['/facts'],
    ['/livez'],
    ['/readyz'],
    ['/nothing'],
    ['/nothing', { headers: page }],
    ['/fault'],
    ['/fault', { headers: page }],
    ['/oauth2/thing'],
    ['/oauth2/broken', { method: 'POST', headers: form, body: 'a=1' }],
    ['/facts', { method: 'DELETE' }],
    ['/facts', { method: 'TRACE' }],
    ['/facts', { method: 'PROPFIND' }],
    ['/facts', { method: 'OPTIONS' }],
    ['/facts', { method: 'HEAD' }],
    ['/echo', { method: 'POST', headers: form, body: 'x'.repeat(70_000) }],
    ['/echo', { method: 'POST', headers: json, body: '{' }],
    ['/%zz'],
    ['/x'.repeat(300)],
    [`/echo/${'x'.repeat(300)}`],
    ['/facts', { headers: { host: 'evil.test' } }],
    ['/page', { headers: { ...page, 'x-forwarded-proto': 'http' } }],
    [assetUrl('gatehouse.css')],
  ];
  const isolated = new Set(['/account', '/account/x']);
  for (const [path, ask = {}] of answers) {
    const answer = await server.ask(path, {
      ...ask,
      headers: { 'x-forwarded-proto': 'https', ...ask.headers },
    });
    const { headers } = answer;
    const name = `${ask.method ?? 'GET'} ${path.slice(0, 40)} ${answer.status}`;
    for (const [header, want] of Object.entries(EVERY_ANSWER))
      t.match(headers[header], want, `${name} ${header}`);
    t.match(
      headers['cache-control'],
      path.startsWith('/assets/') ? /immutable/ : /^no-store$/,
      `${name} cache`,
    );
    const opener = isolated.has(path) ? 'same-origin' : undefined;
    t.equal(headers['cross-origin-opener-policy'], opener, `${name} opener`);
    const resource = path.startsWith('/oauth2/') ? undefined : 'same-origin';
    t.equal(headers['cross-origin-resource-policy'], resource, `${name} resource`);
    t.equal(headers.server, undefined);
    t.equal(headers['x-powered-by'], undefined);
  }
  const plain = await start(t);
  t.equal(
    (await plain.ask('/page')).headers['strict-transport-security'],
    undefined,
    'not on http://localhost',
  );
});

t.test('O11: a form may end at one app, and only there', async (t) => {
  const targets = [
    'https://app.example.com/cb?x=1',
    'http://127.0.0.1:5555/cb',
    'com.example.app:/cb',
    'http://[::1]:5555/cb',
    "javascript:alert(1);script-src 'unsafe-inline'",
    'no url',
  ];
  const server = await start(t, {}, (app) => {
    app.get('/allow/:at', async (request, reply) => {
      allowFormTarget(reply, targets[Number((request.params as { at: string }).at)] as string);
      return {};
    });
  });
  const formAction = async (path: string) =>
    String((await server.ask(path)).headers['content-security-policy'])
      .split('; ')
      .find((one) => one.startsWith('form-action'));
  t.equal(await formAction('/allow/0'), "form-action 'self' https://app.example.com");
  t.equal(await formAction('/allow/1'), "form-action 'self' http://127.0.0.1:5555");
  t.equal(await formAction('/allow/2'), "form-action 'self' com.example.app:");
  t.equal(await formAction('/allow/3'), "form-action 'self' http:");
  t.notMatch(await formAction('/allow/4'), 'unsafe');
  t.equal(await formAction('/allow/5'), "form-action 'self'");
  t.equal(await formAction('/page'), "form-action 'self'", 'the next page starts anew');
  t.equal(await formAction('/oauth2/thing'), undefined, 'the library posts to redirect URIs of any app');
});

t.test('ATK-A092: only the files we mean to show', async (t) => {
  const server = await start(t);
  const paths = [
    ...[
      '/assets/..%2f..%2fpackage.json',
      '/assets/%2e%2e/.env',
      '/assets/../package.json',
      '/assets/',
      '/assets',
    ],
    ...['/.git/config', '/.env', '/package.json', '/assets/gatehouse.css', '/account/profile/x.css'],
    ...['/assets/..%5c..%5cpackage.json', '/assets/%252e%252e%252fpackage.json'],
  ];
  for (const path of paths) {
    const { text } = await server.raw(`GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
    t.match(text, /^HTTP\/1.1 404 /, path);
    t.match(text, /cache-control: no-store/i);
  }
  t.ok(assets.size > 0);
  for (const [path, { body, type }] of assets) {
    const answer = await server.ask(path);
    t.equal(answer.status, 200);
    t.equal(answer.headers['content-type'], type);
    t.equal(answer.headers['cache-control'], 'public, max-age=31536000, immutable');
    t.equal(answer.body, body.toString());
  }
  t.equal((await server.ask('/account')).headers['cache-control'], 'no-store');
});

t.test(
  'O4: failures have a code and a request id that finds the log line, and say nothing else',
  async (t) => {
    const away = Object.assign(new Error('connect ECONNREFUSED 10.0.0.9:5432'), { code: 'ECONNREFUSED' });
    const unstorable = Object.assign(new Error('invalid byte sequence'), { code: '22021' });
    const server = await start(t, {}, (app) => {
      app.get('/problem', async (_request, reply) => {
        reply.header('etag', '"x"').header('x-kept', '1');
        const more = { retryAfter: 6.2, details: { email: 'is wrong' }, cause: new Error('inner') };
        throw new Problem('request.tooMany', more);
      });
      app.get('/away', async () => {
        throw new Error('query failed', { cause: away });
      });
      app.get('/unstorable', async () => {
        throw unstorable;
      });
      app.get('/nonsense', async () => {
        throw null;
      });
      app.get('/middle', (request, reply) => {
        reply.hijack();
        reply.raw.write('half');
        app.errorHandler(Object.assign(new Error('later'), { code: 'LATER', name: 'Error' }), request, reply);
      });
    });
    const problem = await server.ask('/problem');
    t.equal(problem.status, 429);
    t.equal(problem.headers['retry-after'], '7');
    t.equal(problem.headers['x-kept'], '1');
    t.equal(problem.headers.etag, undefined);
    t.match(failureOf(problem), {
      success: false,
      error: { code: 'request.tooMany', details: { email: 'is wrong' } },
    });
    t.notMatch(problem.body, 'inner');

    const fault = await server.ask('/fault');
    t.equal(fault.status, 500);
    t.equal(codeOf(fault), 'server.fault');
    const people = await server.ask('/fault', { headers: page });
    for (const body of [fault.body, people.body]) t.notMatch(body, /inner reason|shadow|at .*\.ts|node:/);
    const id = failureOf(fault).meta.requestId;
    t.match(people.body, /[0-9a-f]{8}-[0-9a-f]{4}-7/);
    await sleep(50);
    const about = server.logged.filter((line) => JSON.stringify(line).includes(id));
    t.match(JSON.stringify(about), 'inner reason', 'the reason is in the log under that id');
    const line = about.find(({ msg }) => msg === 'request');
    t.match(line, {
      method: 'GET',
      path: '/fault',
      status: 500,
      requestId: id,
      address: '127.0.0.1',
      ms: Number,
    });

    const unavailable = await server.ask('/away');
    t.equal(unavailable.status, 503);
    t.equal(codeOf(unavailable), 'server.unavailable');
    t.equal(unavailable.headers['retry-after'], '5');
    t.notMatch(unavailable.body, /ECONN|5432/);
    t.equal(codeOf(await server.ask('/unstorable')), 'request.forbiddenCharacter');
    t.equal((await server.ask('/nonsense')).status, 500);
    await t.rejects(server.ask('/middle'), 'half an answer does not look whole');

    await server.ask('/page?code=sensitive');
    await sleep(50);
    t.ok(server.logged.some(({ path }) => path === '/page'));
    t.notMatch(JSON.stringify(server.logged), 'sensitive', 'no query in the log');

    t.equal((await server.ask('/readyz')).status, 200);
    await server.ask('/unready');
    const unready = await server.ask('/readyz');
    t.equal(unready.status, 503);
    t.notMatch(unready.body, 'away');
    t.equal((await server.ask('/livez')).status, 200, 'alive all the same');
  },
);

t.test('R2 R5: the ceiling for pages counts resolved addresses', async (t) => {
  const limited = (scope: FastifyInstance, limit: number) =>
    scope.register(async (pages) => {
      await limitPages(pages, limit);
      pages.get(`/limited/${limit}`, async () => ({}));
      mountLibrary(
        pages,
        [{ method: 'GET', path: `/limited/${limit}/library` }],
        () => (_raw, response) => response.end(),
      );
    });
  const server = await start(t, { TRUSTED_PROXIES: '127.0.0.1' }, (app) => {
    limited(app, 3);
    limited(app, 0);
  });
  const from = (address: string, path = '/limited/3') =>
    server.ask(path, { headers: { 'x-forwarded-for': address } });
  for (let at = 0; at < 3; at++) t.equal((await from(`2001:db8:1:1::${at}`)).status, 200);
  const over = await from('2001:db8:1:1::ffff');
  t.equal(over.status, 429, 'one /64 is one');
  t.equal(codeOf(over), 'request.tooMany');
  t.ok(Number(over.headers['retry-after']) > 0 && Number(over.headers['retry-after']) <= 60);
  t.equal((await from('198.51.100.1, 2001:db8:1:1::9')).status, 429, 'whatever stands further left');
  t.equal((await from('2001:db8:1:2::1')).status, 200, 'another subscriber');
  for (let at = 0; at < 3; at++) await from('203.0.113.9', '/limited/3/library');
  t.equal((await from('203.0.113.9', '/limited/3/library')).status, 429, 'routes of the library too');
  for (let at = 0; at < 10; at++) t.equal((await from('203.0.113.9', '/limited/0')).status, 200);
});

t.test('R2: requests without a socket of their own go the same way', async (t) => {
  const server = await start(t);
  const inject = (host: string) => server.app.inject({ url: '/facts', headers: { host } });
  t.equal((await inject(HOST)).json().address, '127.0.0.1');
  t.equal((await inject('evil.test')).statusCode, 421);
});

t.test('R43: forms come from our own pages, in the browser they were made for', async (t) => {
  for (const issuer of [`http://${HOST}`, 'https://id.example.com']) {
    const keys = [key(), key()];
    const browser = createBrowser(issuer, keys);
    const server = await start(t, { ISSUER: issuer, TRUSTED_PROXIES: '127.0.0.1' }, (app) => {
      app.register(async (scope) => {
        browser.guard(scope, (request) => (request.params as { uid: string }).uid);
        scope.get('/form/:uid', async (request, reply) => {
          const { uid } = request.params as { uid: string };
          const old = formToken(keys.slice(1), browser.id(request, reply), uid);
          return { token: browser.token(request, reply, uid), old };
        });
        scope.post('/form/:uid', async () => ({ done: true }));
        scope.delete('/form/:uid', async () => ({ done: true }));
      });
      mountLibrary(app, [{ method: 'GET', path: '/oauth2/begin' }], (request, reply) => {
        browser.id(request, reply);
        return (_raw, response) => {
          response.appendHeader('set-cookie', 'library=1');
          response.end();
        };
      });
    });
    const proxy = { 'x-forwarded-proto': new URL(issuer).protocol.slice(0, -1) };
    const cookieForm = issuer.startsWith('https')
      ? /^__Host-gatehouse_browser=[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Lax$/
      : /^gatehouse_browser=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/;
    const first = await server.ask('/form/a', { headers: proxy });
    const set = String(first.headers['set-cookie']?.[0]);
    t.match(set, cookieForm);
    const cookie = set.split(';')[0] as string;
    const begun = await server.ask('/oauth2/begin', { headers: proxy });
    t.match(begun.headers['set-cookie'], [cookieForm, 'library=1'], 'beside the cookies of the library');
    const again = await server.ask('/form/a', { headers: { ...proxy, cookie } });
    t.equal(again.headers['set-cookie'], undefined, 'the cookie stays');
    const { token, old } = JSON.parse(again.body) as { token: string; old: string };
    t.equal(JSON.parse(first.body).token, token);

    const post = async (uid: string, body: string, headers: Record<string, string> = {}, method = 'POST') => {
      const own = { cookie, origin: issuer, 'sec-fetch-site': 'same-origin' };
      const answer = await server.ask(`/form/${uid}`, {
        method,
        headers: { ...proxy, ...form, ...own, ...headers },
        body,
      });
      return answer.status === 200 ? 'done' : codeOf(answer);
    };
    t.equal(await post('a', `_csrf=${token}`), 'done');
    t.equal(await post('a', `_csrf=${old}`), 'done', 'a form made before the keys were rotated');
    t.equal(await post('a', `_csrf=${token}`, { 'sec-fetch-site': 'none' }), 'done');
    const foreign = [
      'https://evil.test',
      'null',
      `${issuer}.evil.test`,
      `${issuer}1`,
      'http://id.example.com',
      '',
    ];
    for (const origin of foreign) {
      t.equal(await post('a', `_csrf=${token}`, { origin }), 'request.crossSite', `Origin: ${origin}`);
    }
    for (const site of ['cross-site', 'same-site', 'nonsense']) {
      t.equal(await post('a', `_csrf=${token}`, { 'sec-fetch-site': site }), 'request.crossSite', site);
    }
    t.equal(await post('b', `_csrf=${token}`), 'request.formExpired', 'another interaction');
    t.equal(await post('a', 'x=1'), 'request.formExpired', 'no token');
    t.equal(await post('a', `_csrf=${token.slice(1)}A`), 'request.formExpired', 'wrong token');
    t.equal(await post('a', `_csrf=${'A'.repeat(43)}`), 'request.formExpired');
    t.equal(await post('a', `_csrf=${token}`, { cookie: 'x=1' }), 'request.formExpired', 'no browser cookie');
    const other = cookie.replace(/=.*/, `=${randomBytes(32).toString('base64url')}`);
    t.equal(await post('a', `_csrf=${token}`, { cookie: other }), 'request.formExpired', 'another browser');
    t.equal(await post('a', `{"_csrf":"${token}"}`, json), 'request.unsupportedMediaType', 'forms only');
    t.equal(
      await post('a', `_csrf=${token}`, { 'content-type': 'text/plain' }),
      'request.unsupportedMediaType',
    );
    t.equal(
      await post('a', 'x=1', {}, 'DELETE'),
      'request.formExpired',
      'every method that changes something',
    );
    const short = await server.ask('/form/a', {
      headers: { ...proxy, cookie: cookie.replace(/=.*/, '=short') },
    });
    t.ok(short.headers['set-cookie'], 'a malformed cookie is replaced');
    const expired = await server.ask('/form/a?x=1', {
      method: 'POST',
      headers: { ...proxy, ...page, ...form, cookie },
      body: 'a=1',
    });
    t.match(expired.body, 'href="/form/a"', 'the page leads back to the form');
  }
});

t.test('R1: TLS of our own, with a certificate that is read again', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-tls-'));
  const cert = join(folder, 'cert.pem');
  const keyFile = join(folder, 'key.pem');
  t.teardown(() => {
    // Only what mkdtemp made.
    if (folder.startsWith(join(tmpdir(), 'gatehouse-tls-'))) rmSync(folder, { recursive: true });
  });
  const make = (name: string) => {
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    const files = ['-subj', `/CN=${name}`, '-keyout', keyFile, '-out', cert];
    execFileSync('openssl', ['req', '-x509', ...kind, ...files], { stdio: 'ignore' });
  };
  make('first.example');
  const server = await start(t, { ISSUER: 'https://id.example.com', TLS_CERT: cert, TLS_KEY: keyFile });
  const { port } = server;
  const get = async () => {
    const request = httpsRequest({
      host: '127.0.0.1',
      port,
      path: '/facts',
      agent: false,
      rejectUnauthorized: false,
      headers: { host: 'id.example.com' },
    });
    request.end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const name = String((response.socket as TLSSocket).getPeerCertificate().subject.CN);
    response.resume();
    return { status: response.statusCode, name, hsts: response.headers['strict-transport-security'] };
  };
  t.match(await get(), { status: 200, name: 'first.example', hsts: /max-age/ });

  const old = await new Promise<string>((resolve) => {
    const socket = tlsConnect({
      host: '127.0.0.1',
      port,
      rejectUnauthorized: false,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    socket.on('secureConnect', () => resolve('connected'));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
  });
  t.not(old, 'connected', `nothing below TLS 1.2: ${old}`);
  const plain = await server.raw('GET /facts HTTP/1.1\r\nHost: id.example.com\r\n\r\n', 1000);
  t.notMatch(plain.text, ' 200 ');

  writeFileSync(keyFile, 'half written');
  await sleep(4500);
  t.match(await get(), { status: 200, name: 'first.example' }, 'a renewal half done changes nothing');
  make('second.example');
  const until = Date.now() + 10_000;
  while ((await get()).name !== 'second.example' && Date.now() < until) await sleep(250);
  t.equal((await get()).name, 'second.example');
});
