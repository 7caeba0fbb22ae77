// Every route under wrong types, huge and deep bodies, broken encodings: an answer below 500 with a stable code, the
// security headers on it, and a server that goes on. Routes are taken from the server itself, so a new one is fuzzed too.
import { randomBytes } from 'node:crypto';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import type { FastifyInstance } from 'fastify';
import t, { type Test } from 'tap';
import { loadConfig } from '../config/load.ts';
import { type KnownRoute, routesOf } from '../server/http/failures.ts';
import { createHttp } from '../server/http/http.ts';
import { mountLibrary } from '../server/http/mount.ts';
import { createLog } from '../server/lib/log.ts';
import { problems } from '../server/lib/problems.ts';

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

function fire(port: number, { method, path, headers, body }: Shot) {
  return new Promise<{ status: number; headers: IncomingHttpHeaders; body: string } | null>(
    (resolve, reject) => {
      const request = httpRequest(
        {
          host: '127.0.0.1',
          port,
          path,
          method,
          agent: false,
          headers: { host: HOST, ...headers, 'content-length': String(Buffer.byteLength(body)) },
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

function isStable(answer: { status: number; headers: IncomingHttpHeaders; body: string }): boolean {
  if (answer.status >= 500) return false;
  if (answer.headers['x-frame-options'] !== 'DENY' || answer.headers['x-injected'] !== undefined)
    return false;
  if (answer.status < 400 || answer.body === '') return true;
  if (answer.headers['content-type']?.startsWith('text/html')) return answer.body.includes('request');
  const said = JSON.parse(answer.body) as { error: string | { code: string } };
  return typeof said.error === 'string' ? /^[a-z_]+$/.test(said.error) : said.error.code in problems;
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
