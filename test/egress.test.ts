// What Gatehouse asks of other servers, against real ones on this machine's loopback addresses: 127.0.0.2 stands for
// an address that may be reached, 127.0.0.1 for one that may not. Only the resolver is ours where a name must change
// what it means.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import {
  createServer,
  get,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
  setGlobalProxyFromEnv,
} from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer as createRawServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { exportJWK, SignJWT } from 'jose';
import Provider from 'oidc-provider';
import t, { type Test } from 'tap';
import { createEgress, EgressError } from '../server/egress/egress.ts';
import { createLog } from '../server/lib/log.ts';
import { temporaryFolder } from './harness/folders.ts';

const OPEN = '127.0.0.2';
const CLOSED = '127.0.0.1';
/** Of example.com's kind: public, and never connected to here. */
const PUBLIC = '93.184.216.34';

interface Settings {
  networks?: readonly string[];
  timeout?: number;
  maxBytes?: number;
  loopback?: boolean;
  resolve?: (host: string) => Promise<readonly string[]>;
}

/** The client, with its log. Names mean what `resolve` says, or what the system says. */
function egress({ networks = [], timeout = 5, maxBytes = 65_536, loopback = false, resolve }: Settings = {}) {
  const logged: Record<string, unknown>[] = [];
  const log = createLog(
    { level: 'info', format: 'json' },
    { write: (line: string) => void logged.push(JSON.parse(line)) },
  );
  const settings = { privateNetworks: networks, timeout, maxBytes };
  return { ...createEgress(settings, { log, loopback, ...(resolve && { resolve }) }), logged };
}

/** Why it failed; anything but an EgressError, and success, is a fault of the test. */
async function reason(answer: Promise<unknown>): Promise<string> {
  try {
    await answer;
  } catch (error) {
    if (!(error instanceof EgressError)) throw error;
    if (/\d/.test(error.message) || error.cause !== undefined)
      throw new Error('says too much', { cause: error });
    return error.reason;
  }
  return 'answered';
}

const wrong = (check: () => void): string => {
  try {
    check();
  } catch (error) {
    if (error instanceof EgressError) return error.reason;
    throw error;
  }
  return 'fine';
};

interface Listening {
  port: number;
  /** Connections so far. */
  count(): number;
  sockets: Set<Socket>;
}

async function listening(t: Test, server: Server, host: string, port = 0): Promise<Listening> {
  let connections = 0;
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(port, host);
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, count: () => connections, sockets };
}

/** Waits until no connection is open; a test that waits for ever has found one that was left. */
async function allClosed({ sockets }: Listening): Promise<void> {
  while (sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 10));
}

const http = (t: Test, listener: RequestListener, host = OPEN, port = 0) =>
  listening(t, createServer(listener), host, port);

/** A server that is sent anything and answers with these bytes. */
const raw = (t: Test, answer: (socket: Socket) => void) =>
  listening(
    t,
    createRawServer((socket) => void socket.once('data', () => answer(socket))),
    OPEN,
  );

const hello: RequestListener = (_request, response) => void response.end('hello');

/** A certificate for names and addresses, and its key; trusted only after `setDefaultCACertificates`. */
function certificate(t: Test, names: string) {
  const folder = temporaryFolder(t);
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const names_ = ['-subj', '/CN=a test', '-addext', `subjectAltName=${names}`];
  execFileSync('openssl', ['req', '-x509', ...kind, ...names_, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  });
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
}

t.test('R55 ATK-A203 ASVS-V1.3.6: what is not a public address is refused in every spelling', async (t) => {
  const { check } = egress();
  const table: Record<string, string[]> = {
    loopback: ['127.0.0.1', '127.255.255.254', '[::1]', '[0:0:0:0:0:0:0:1]'],
    'IPv4 in other spellings': ['2130706433', '0x7f000001', '0x7f.1', '127.1', '0177.0.0.1', '017700000001'],
    'full-width digits and dots': ['１２７.0.0.1', '127。0。0。1', '%31%32%37.0.0.1'],
    'a dot at the end': ['127.0.0.1.', '10.0.0.1.'],
    mapped: ['[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::FFFF:a9fe:a9fe]', '[0:0:0:0:0:ffff:10.0.0.1]'],
    'compatible and translated': ['[::127.0.0.1]', '[::ffff:0:127.0.0.1]', '[::10.0.0.1]'],
    unspecified: ['0.0.0.0', '0', '0.1.2.3', '[::]'],
    private: ['10.0.0.1', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.0.1', '192.168.255.255'],
    'link-local': ['169.254.0.1', '169.254.255.255', '[fe80::1]', '[febf::1]'],
    metadata: [
      '169.254.169.254',
      '0xa9fea9fe',
      '2852039166',
      '100.100.100.200',
      '168.63.129.16',
      '192.0.0.192',
    ],
    'metadata in IPv6': ['[fd00:ec2::254]', '[fd20:ce::254]', '[::ffff:169.254.169.254]'],
    'of carriers': ['100.64.0.1', '100.127.255.255'],
    'unique local': ['[fc00::1]', '[fd12:3456::1]', '[fdff::1]'],
    'site-local': ['[fec0::1]'],
    NAT64: ['[64:ff9b::7f00:1]', '[64:ff9b::10.0.0.1]', '[64:ff9b:1::1]'],
    '6to4': ['[2002:7f00:1::1]', '[2002:a00:1::]', '192.88.99.1'],
    Teredo: ['[2001:0:53aa:64c::1]', '[2001::1]'],
    multicast: ['224.0.0.1', '239.255.255.255', '[ff02::1]', '[ff0e::1]'],
    broadcast: ['255.255.255.255', '4294967295'],
    reserved: ['240.0.0.1', '255.255.255.254', '[4000::1]', '[100::1]', '[5f00::1]', '[e000::1]'],
    benchmarks: ['198.18.0.1', '198.19.255.255', '[2001:2::1]'],
    documentation: ['192.0.2.1', '198.51.100.1', '203.0.113.1', '[2001:db8::1]', '[3fff::1]'],
    assignments: ['192.0.0.8', '192.31.196.1', '192.52.193.1', '192.175.48.1', '[2620:4f:8000::1]'],
  };
  for (const [kind, hosts] of Object.entries(table)) {
    for (const host of hosts) {
      t.equal(
        wrong(() => check(`https://${host}/`)),
        'blocked_address',
        `${kind}: ${host}`,
      );
    }
  }
  // The neighbours of those networks are somebody's servers.
  const open = [
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.0.0.1',
    '128.0.0.1',
  ];
  const more = [
    '169.253.0.1',
    '172.15.0.1',
    '172.32.0.1',
    '192.167.0.1',
    '192.169.0.1',
    '198.17.0.1',
    '198.20.0.1',
  ];
  const six = ['[2606:4700::1111]', '[2a00:1450::1]', '[2001:200::1]', '[2003::1]', '[::ffff:1.1.1.1]'];
  for (const host of [...open, ...more, ...six, '223.255.255.255', 'rp.example', 'localhost']) {
    t.equal(
      wrong(() => check(`https://${host}/`)),
      'fine',
      host,
    );
  }
});

t.test('R55 ATK-A203: URLs that are never asked', async (t) => {
  const server = await http(t, hello);
  const client = egress({ networks: [`${OPEN}/32`] });
  const table: [string, string][] = [
    ['file:///etc/passwd', 'bad_url'],
    ['gopher://rp.example/', 'bad_url'],
    ['ftp://rp.example/', 'bad_url'],
    ['data:text/plain,x', 'bad_url'],
    ['javascript:alert(1)', 'bad_url'],
    ['//rp.example/', 'bad_url'],
    ['rp.example', 'bad_url'],
    ['', 'bad_url'],
    ['https://', 'bad_url'],
    ['https://[fe80::1%25eth0]/', 'bad_url'],
    ['https://[fe80::1%eth0]/', 'bad_url'],
    ['https://rp.example:99999/', 'bad_url'],
    ['https://256.256.256.256/', 'bad_url'],
    ['https://user@rp.example/', 'bad_url'],
    ['https://user:pw@rp.example/', 'bad_url'],
    ['https://:pw@rp.example/', 'bad_url'],
    [`http://user:pw@${OPEN}:${server.port}/`, 'bad_url'],
    ['http://1.1.1.1/', 'insecure'],
    [`http://${CLOSED}/`, 'blocked_address'],
  ];
  for (const port of [1, 22, 25, 79, 110, 389, 445, 465, 587, 636, 993, 1023]) {
    table.push([`https://rp.example:${port}/`, 'blocked_port']);
  }
  for (const port of [2375, 2379, 3306, 5432, 6379, 6443, 9200, 10250, 11211, 27017]) {
    table.push([`http://${OPEN}:${port}/`, 'blocked_port']);
  }
  for (const [url, why] of table) {
    t.equal(
      wrong(() => client.check(url)),
      why,
      `saved: ${url}`,
    );
    t.equal(await reason(client.request(url)), why, `sent: ${url}`);
    t.equal(await reason(client.fetch(url)), why, `fetched: ${url}`);
  }
  for (const url of [
    'https://rp.example/',
    'https://rp.example:443/x',
    'https://rp.example:8443/',
    'http://rp.example/',
  ]) {
    t.equal(
      wrong(() => client.check(url)),
      'fine',
      url,
    );
  }
  t.equal(
    wrong(() => client.check(`http://${OPEN}:8080/`)),
    'fine',
  );
  t.equal(server.count(), 0, 'nothing was connected to');
});

t.test('R55 ATK-A203: a name is refused for any of its addresses, and nothing reaches them', async (t) => {
  const closed = await http(t, hello, CLOSED);
  const answers: Record<string, readonly string[]> = {
    'loopback.test': [CLOSED],
    'mixed.test': [PUBLIC, CLOSED],
    'last.test': [PUBLIC, '2606:4700::1111', '::ffff:10.0.0.1'],
    'mapped.test': ['::ffff:7f00:1'],
    'zone.test': ['fe80::1%eth0'],
    'odd.test': ['not an address'],
    'octal.test': ['0177.0.0.1'],
    'metadata.test': ['169.254.169.254'],
    'empty.test': [],
  };
  const client = egress({
    resolve: async (host) => {
      const found = answers[host];
      if (!found) throw Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });
      return found;
    },
  });
  for (const host of Object.keys(answers)) {
    const why = host === 'empty.test' ? 'unresolvable' : 'blocked_address';
    for (const scheme of ['https', 'http']) {
      t.equal(await reason(client.request(`${scheme}://${host}:${closed.port}/`)), why, `${scheme} ${host}`);
    }
  }
  t.equal(await reason(client.request('https://unknown.test/')), 'unresolvable');

  const system = egress();
  for (const host of ['localhost', 'LOCALHOST', CLOSED, '[::1]', '0.0.0.0', '127.1']) {
    for (const scheme of ['https', 'http']) {
      const answer = system.request(`${scheme}://${host}:${closed.port}/`);
      t.equal(await reason(answer), 'blocked_address', `${scheme} ${host}, by the system's resolver`);
    }
  }
  const rooted = await reason(system.request(`https://localhost.:${closed.port}/`));
  t.match(rooted, /^(blocked_address|unresolvable)$/, 'not every resolver knows it');
  t.equal(await reason(system.request('https://no-such-host.invalid/')), 'unresolvable');
  t.equal(closed.count(), 0, 'no connection was made');
  t.match(client.logged[0], {
    level: 'warn',
    host: `loopback.test:${closed.port}`,
    address: CLOSED,
    reason: 'blocked_address',
  });
});

t.test('R55 ATK-A203: a name that changes its meaning is connected to as it was checked', async (t) => {
  const open = await http(t, (request, response) => void response.end(request.headers.host));
  const closed = await http(t, hello, CLOSED, open.port);
  let asked = 0;
  const turns = egress({
    networks: [`${OPEN}/32`],
    resolve: async () => [asked++ === 0 ? OPEN : CLOSED],
  });
  const url = `http://rebinding.test:${open.port}/`;
  const first = await turns.request(url);
  t.equal(first.status, 200);
  t.equal(String(first.body), `rebinding.test:${open.port}`, 'the Host is the name');
  t.equal(asked, 1, 'asked once');
  t.equal(await reason(turns.request(url)), 'blocked_address', 'the second meaning is refused');
  t.equal(asked, 2);

  const both = egress({ networks: [`${OPEN}/32`], resolve: async () => [OPEN, CLOSED] });
  t.equal(await reason(both.request(url)), 'blocked_address');
  t.equal(open.count(), 1);
  t.equal(closed.count(), 0, 'never reached');
});

t.test('R55: settings and a local issuer open what they name, and nothing else', async (t) => {
  const open = await http(t, hello);
  const closed = await http(t, hello, CLOSED, open.port);
  const named = egress({ networks: [`${OPEN}/32`] });
  t.equal((await named.request(`http://${OPEN}:${open.port}/`)).status, 200);
  t.equal((await named.request(`http://[::ffff:${OPEN}]:${open.port}/`)).status, 200, 'as IPv6');
  t.equal(await reason(named.request(`http://${CLOSED}:${open.port}/`)), 'blocked_address');

  const local = egress({ loopback: true });
  t.equal((await local.request(`http://localhost:${closed.port}/`)).status, 200);
  t.equal((await local.request(`http://127.1:${closed.port}/`)).status, 200);
  t.equal(await reason(local.request('http://10.0.0.1/')), 'blocked_address');
  t.equal(await reason(local.request(`http://0.0.0.0:${closed.port}/`)), 'blocked_address');
  t.equal(
    wrong(() => local.check('http://[::1]:8080/')),
    'fine',
  );

  // Plain http is for networks that are allowed; a public server on port 80 could be anybody on the way.
  const plain = egress({ networks: ['10.0.0.0/8'], resolve: async () => [PUBLIC] });
  t.equal(await reason(plain.request('http://rp.example/')), 'insecure');
  const half = egress({ networks: ['10.0.0.0/8'], resolve: async () => ['10.0.0.1', PUBLIC] });
  t.equal(await reason(half.request('http://rp.example/')), 'insecure');

  const wide = egress({
    networks: ['10.0.0.0/8', '100.64.0.0/10', '169.254.0.0/16', '192.0.0.0/8', 'fc00::/7', '::/1'],
  });
  const never = [
    '169.254.169.254',
    '169.254.170.2',
    '100.100.100.200',
    '192.0.0.192',
    '[fd00:ec2::254]',
    '[::]',
  ];
  for (const host of never) {
    t.equal(
      wrong(() => wide.check(`http://${host}/`)),
      'blocked_address',
      `${host}, whatever is allowed`,
    );
  }
  t.equal(
    wrong(() => wide.check('http://169.254.1.1/')),
    'fine',
  );
  t.throws(() => egress({ networks: ['10.0.0.0/33'] }), 'a network that is none');
});

t.test('R55: TLS is for the name in the URL, and cannot be switched off', async (t) => {
  const ours = certificate(t, `DNS:rp.test,IP:${OPEN}`);
  const seen: { host: string | undefined; name: unknown }[] = [];
  const server = createSecureServer(ours, (request, response) => {
    seen.push({ host: request.headers.host, name: (request.socket as TLSSocket).servername });
    response.end('hello');
  });
  const { port } = await listening(t, server, OPEN);
  const client = egress({ networks: [`${OPEN}/32`], resolve: async () => [OPEN] });

  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  t.teardown(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED);
  t.equal(await reason(client.request(`https://rp.test:${port}/`)), 'tls', 'nobody vouches for it');
  delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;

  const before = getCACertificates('default');
  setDefaultCACertificates([...before, ours.cert]);
  t.teardown(() => setDefaultCACertificates(before));
  t.equal((await client.request(`https://rp.test:${port}/`)).status, 200);
  t.equal((await client.request(`https://rp.test.:${port}/`)).status, 200);
  t.equal((await client.request(`https://${OPEN}:${port}/`)).status, 200, 'by address');
  t.strictSame(seen, [
    { host: `rp.test:${port}`, name: 'rp.test' },
    { host: `rp.test.:${port}`, name: 'rp.test' },
    { host: `${OPEN}:${port}`, name: false },
  ]);
  t.equal(
    await reason(client.request(`https://other.test:${port}/`)),
    'tls',
    'a certificate for another name',
  );
  const named = client.request(`https://other.test:${port}/`, { headers: { host: 'rp.test' } });
  t.equal(await reason(named), 'tls', 'a Host header does not change whose it must be');
  t.equal(seen.length, 3, 'no request was sent to those');

  const plain = await http(t, hello);
  t.equal(await reason(client.request(`https://rp.test:${plain.port}/`)), 'tls', 'no TLS there');
});

t.test('R55 ATK-A206 ASVS-V15.3.2: redirects are returned, never followed', async (t) => {
  const target = await http(t, hello);
  const location = `http://${OPEN}:${target.port}/inside`;
  const server = await http(t, (request, response) => {
    response.writeHead(Number(request.url?.slice(1)), { location });
    response.end('moved');
  });
  const client = egress({ networks: [`${OPEN}/32`] });
  for (const status of [301, 302, 303, 307, 308]) {
    const url = `http://${OPEN}:${server.port}/${status}`;
    for (const method of ['GET', 'POST']) {
      const answer = await client.request(url, { method, headers: {}, body: '' });
      t.equal(answer.status, status);
      t.equal(answer.headers.get('location'), location);
    }
    for (const redirect of ['manual', 'follow', 'error'] as const) {
      const answer = await client.fetch(url, { redirect });
      t.strictSame([answer.status, answer.ok, await answer.text()], [status, false, 'moved'], redirect);
    }
  }
  t.equal(target.count(), 0, 'the target was not asked');
});

t.test('R55: one limit on the time of everything', async (t) => {
  const drip = (response: ServerResponse) => {
    const timer = setInterval(() => response.write('.'), 20);
    response.on('close', () => clearInterval(timer));
  };
  const server = await http(t, (request, response) => {
    if (request.url === '/headers') return;
    response.writeHead(200);
    response.write('some');
    if (request.url === '/drip') drip(response);
  });
  const silent = await listening(
    t,
    createRawServer((socket) => void socket.resume()),
    OPEN,
  );
  const early = await raw(t, (socket) => {
    const timer = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'), 10);
    socket.on('close', () => clearInterval(timer));
  });
  const client = egress({ networks: [`${OPEN}/32`], timeout: 0.3 });
  const cases: [string, Promise<unknown>][] = [
    ['no headers', client.request(`http://${OPEN}:${server.port}/headers`)],
    ['no end of the body', client.request(`http://${OPEN}:${server.port}/body`)],
    ['a body in drops', client.request(`http://${OPEN}:${server.port}/drip`)],
    ['TLS that never begins', client.request(`https://${OPEN}:${silent.port}/`)],
    ['hints without end', client.request(`http://${OPEN}:${early.port}/`)],
    ['fetch', client.fetch(`http://${OPEN}:${server.port}/drip`)],
    [
      'a resolver that does not answer',
      egress({ timeout: 0.3, resolve: () => new Promise(() => {}) }).request('https://rp.test/'),
    ],
    [
      'of this request',
      egress({ loopback: true, timeout: 60 }).request(`http://${OPEN}:${server.port}/drip`, { timeout: 0.3 }),
    ],
    [
      'by a signal',
      egress({ loopback: true, timeout: 60 }).fetch(`http://${OPEN}:${server.port}/drip`, {
        signal: AbortSignal.timeout(300),
      }),
    ],
  ];
  for (const [name, answer] of cases) t.equal(await reason(answer), 'timeout', name);

  const controller = new AbortController();
  const waiting = client.request(`http://${OPEN}:${server.port}/drip`, {
    signal: controller.signal,
    timeout: 60,
  });
  controller.abort();
  t.equal(await reason(waiting), 'aborted');
  const before = server.count();
  t.equal(
    await reason(client.request(`http://${OPEN}:${server.port}/`, { signal: AbortSignal.abort() })),
    'aborted',
  );
  t.equal(server.count(), before, 'nothing begins that is over');

  // An answer of the resolver that comes too late connects to nothing.
  let late: (addresses: string[]) => void = () => {};
  const slow = egress({
    networks: [`${OPEN}/32`],
    timeout: 0.1,
    resolve: () => new Promise((resolve) => (late = resolve)),
  });
  t.equal(await reason(slow.request(`http://slow.test:${server.port}/`)), 'timeout');
  late([OPEN]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.equal(server.count(), before);
  for (const one of [server, silent, early]) await allClosed(one);
});

t.test('R55 R59: names that nobody answers for leave threads to those who sign in', async (t) => {
  const asked: string[] = [];
  const open = new Map<string, () => void>();
  const resolve = (host: string) =>
    new Promise<readonly string[]>((done) => {
      asked.push(host);
      open.set(host, () => done([CLOSED]));
    });
  const client = egress({ timeout: 0.2, resolve });
  const names = Array.from({ length: 20 }, (_, at) => `${at}.slow.test`);
  const first = names.flatMap((name) => [
    client.request(`https://${name}/`),
    client.request(`https://${name}/a`),
  ]);
  for (const answer of first) t.equal(await reason(answer), 'timeout');
  t.same(asked, names.slice(0, 2), 'two names at a time, and each of them once');
  const again = client.request(`https://${names[0]}/`);
  open.get(names[1] as string)?.();
  await new Promise((resume) => setTimeout(resume, 20));
  t.same(asked, names.slice(0, 3), 'then the next');
  open.get(names[0] as string)?.();
  t.equal(await reason(again), 'blocked_address', 'who asked later hears the same answer');
  await new Promise((resume) => setTimeout(resume, 20));
  t.same(asked, names.slice(0, 4));
});

t.test('R55: one limit on the body, and one on the headers', async (t) => {
  let sent = 0;
  const pour = (response: ServerResponse) => {
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(16_384))) sent += 16_384;
    };
    response.on('drain', more);
    more();
  };
  const server = await http(t, (request, response) => {
    const size = Number(/\d+/.exec(request.url ?? ''));
    if (request.url === '/endless') return pour(response);
    if (request.url === '/announced')
      return void response.writeHead(200, { 'content-length': 1e12 }).write('x');
    if (request.url?.startsWith('/header'))
      return void response.setHeader('x-long', 'x'.repeat(size)).end('x');
    if (request.url?.startsWith('/chunks')) response.flushHeaders();
    response.end('x'.repeat(size));
  });
  const base = `http://${OPEN}:${server.port}`;
  const client = egress({ networks: [`${OPEN}/32`], maxBytes: 100_000 });
  for (const kind of ['size', 'chunks']) {
    t.equal(
      (await client.request(`${base}/${kind}/100000`)).body.length,
      100_000,
      `${kind}: to the last byte`,
    );
    t.equal(await reason(client.request(`${base}/${kind}/100001`)), 'too_large', kind);
    t.equal(await reason(client.fetch(`${base}/${kind}/100001`)), 'too_large', kind);
  }
  t.equal(await reason(client.request(`${base}/announced`)), 'too_large', 'not waited for');
  t.equal(await reason(client.request(`${base}/endless`)), 'too_large');
  t.ok(sent < 20_000_000, `the endless one was cut (${sent} bytes written)`);
  t.equal(
    await reason(client.request(`${base}/size/200`, { maxBytes: 100 })),
    'too_large',
    'of this request',
  );
  t.equal((await client.request(`${base}/size/200000`, { maxBytes: 200_000 })).body.length, 200_000);
  t.equal((await client.request(`${base}/header/10000`)).status, 200);
  t.equal(await reason(client.request(`${base}/header/17000`)), 'too_large');
});

t.test('R55: nothing is decompressed', async (t) => {
  const bomb = gzipSync(Buffer.alloc(50_000_000));
  t.ok(bomb.length < 60_000, 'a small bomb');
  const asked: unknown[] = [];
  const server = await http(t, (request, response) => {
    asked.push(request.headers['accept-encoding']);
    response.writeHead(200, { 'content-encoding': request.url?.slice(1) ?? '' }).end(bomb);
  });
  const client = egress({ networks: [`${OPEN}/32`] });
  for (const encoding of ['gzip', 'GZIP', 'br', 'deflate', 'zstd', 'gzip,gzip', 'identity,gzip']) {
    const url = `http://${OPEN}:${server.port}/${encoding}`;
    const headers = { 'accept-encoding': 'gzip' };
    t.equal(await reason(client.request(url, { headers })), 'encoded', encoding);
    t.equal(await reason(client.fetch(url, { headers })), 'encoded', encoding);
  }
  t.equal((await client.request(`http://${OPEN}:${server.port}/identity`)).body.length, bomb.length);
  t.strictSame([...new Set(asked)], ['identity']);

  const endless = await http(t, (_request, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' }).write('x');
  });
  t.equal(await reason(client.request(`http://${OPEN}:${endless.port}/`)), 'encoded');
  await allClosed(endless);
});

t.test('R55: servers that do not answer as they should', async (t) => {
  const client = egress({ networks: [`${OPEN}/32`], timeout: 3 });
  const answering = async (bytes: string | null) => {
    const { port } = await raw(t, (socket) =>
      bytes === null ? socket.resetAndDestroy() : socket.end(bytes, 'latin1'),
    );
    return reason(client.request(`http://${OPEN}:${port}/`));
  };
  t.equal(await answering(null), 'reset');
  t.equal(await answering(''), 'reset');
  t.equal(await answering('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'), 'reset', 'half a body');
  t.equal(
    await answering('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe'),
    'reset',
    'half a chunk',
  );
  t.equal(await answering('SSH-2.0-OpenSSH_9.6\r\n'), 'protocol');
  t.equal(await answering('HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n'), 'protocol');
  t.equal(await answering('HTTP/1.1 200 OK\r\nbad\u0000name: x\r\n\r\n'), 'protocol');
  t.equal(await answering('HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n'), 'protocol');
  t.equal(await answering('HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'), 'reset');
  t.equal(await answering('HTTP/1.1 200 OK\r\nx-odd: \u00e9\u00ff\r\n\r\nall of it'), 'answered');

  const gone = createRawServer();
  const { port } = await listening(t, gone, OPEN);
  gone.close();
  await once(gone, 'close');
  t.equal(await reason(client.request(`http://${OPEN}:${port}/`)), 'refused');
  t.match(client.logged.at(-1), {
    level: 'info',
    host: `${OPEN}:${port}`,
    reason: 'refused',
    code: 'ECONNREFUSED',
  });
});

t.test('R55: what is sent is what was asked for, and nothing of the connection can be', async (t) => {
  const requests: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = [];
  const server = await http(t, async (request, response) => {
    const { method = '', url = '', headers } = request;
    requests.push({ method, url, headers, body: await text(request) });
    response.setHeader('set-cookie', ['a=1', 'b=2']).setHeader('x-answer', 'yes').end('thanks');
  });
  const client = egress({ networks: [`${OPEN}/32`] });
  const url = `http://${OPEN}:${server.port}/path?a=b#fragment`;
  const answer = await client.request(url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Host: 'elsewhere.test',
      Connection: 'keep-alive',
      'Content-Length': '1',
      'Transfer-Encoding': 'chunked',
      Expect: '100-continue',
      Upgrade: 'h2c',
    },
    body: '{"a":"ä"}',
  });
  t.equal(answer.status, 200);
  t.equal(String(answer.body), 'thanks');
  t.equal(answer.headers.get('x-answer'), 'yes');
  t.strictSame(answer.headers.getSetCookie(), ['a=1', 'b=2']);
  t.strictSame(requests, [
    {
      method: 'POST',
      url: '/path?a=b',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'Gatehouse',
        host: `${OPEN}:${server.port}`,
        'accept-encoding': 'identity',
        'content-length': '10',
        connection: 'close',
      },
      body: '{"a":"ä"}',
    },
  ]);
  await client.request(url);
  t.equal(server.count(), 2, 'a connection for each');

  const asked = new Request(url, { method: 'POST', body: new URLSearchParams({ a: 'b c' }) });
  const fetched = await client.fetch(asked);
  t.strictSame([fetched.status, fetched.ok, await fetched.text()], [200, true, 'thanks']);
  t.match(requests.at(-1), {
    method: 'POST',
    headers: { 'content-type': /^application\/x-www-form-/ },
    body: 'a=b+c',
  });
  t.equal((await client.fetch(new URL(url))).headers.get('x-answer'), 'yes');
  t.match(requests.at(-1), { method: 'GET', headers: { 'content-length': undefined } });
  const stopped = new Request(url, { signal: AbortSignal.abort() });
  t.equal(await reason(client.fetch(stopped)), 'aborted');
  const before = server.count();

  for (const headers of [{ 'x-a': 'b\r\nx-c: d' }, { 'x a': 'b' }, { 'x-a': '\u0100' }] as Record<
    string,
    string
  >[]) {
    t.equal(await reason(client.request(url, { headers })), 'bad_request');
    t.equal(await reason(client.fetch(url, { headers })), 'bad_request');
  }
  for (const method of ['CONNECT', 'TRACE', 'PUT', 'HEAD', 'get\r\n']) {
    t.equal(await reason(client.request(url, { method })), 'bad_request', method);
    t.equal(await reason(client.fetch(url, { method })), 'bad_request', method);
  }
  t.equal(server.count(), before);
  await reason(client.request(`http://${CLOSED}:1234/path?code=of-somebody`));
  t.notMatch(JSON.stringify(client.logged), /path|somebody|fragment/, 'the log has hosts only');
});

t.test('R55: proxies of the environment are not used', async (t) => {
  const proxy = await http(t, hello, CLOSED);
  const server = await http(t, (_request, response) => void response.end('itself'));
  const through = `http://${CLOSED}:${proxy.port}`;
  const restore = setGlobalProxyFromEnv({ http_proxy: through, https_proxy: through, no_proxy: '' });
  t.teardown(restore);
  const url = `http://${OPEN}:${server.port}/`;
  const [answer] = (await once(get(url), 'response')) as [IncomingMessage];
  t.equal(await text(answer), 'hello', 'the proxy is there for others');
  const used = proxy.count();
  const client = egress({ networks: [`${OPEN}/32`] });
  t.equal(String((await client.request(url)).body), 'itself');
  t.equal(await (await client.fetch(url)).text(), 'itself');
  t.equal(await reason(client.request(`https://${OPEN}:${server.port}/`)), 'tls');
  t.equal(proxy.count(), used);
});

t.test('R55 ATK-A203 ATK-A206: the protocol library fetches through it', async (t) => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'app', use: 'sig', alg: 'ES256' };
  const logouts: string[] = [];
  const app: RequestListener = async (request, response) => {
    if (request.url === '/moved') return void response.writeHead(302, { location: '/jwks' }).end();
    if (request.url === '/jwks') return void response.end(JSON.stringify({ keys: [jwk] }));
    if (request.url === '/long')
      return void response.end(JSON.stringify({ keys: [jwk], pad: 'x'.repeat(70_000) }));
    logouts.push(`${request.method} ${request.headers['content-type']} ${await text(request)}`);
    response.writeHead(request.url === '/logout' ? 204 : 500).end();
  };
  const open = await http(t, app);
  const closed = await http(t, app, CLOSED, open.port);
  const { fetch } = egress({ networks: [`${OPEN}/32`] });
  const at = (host: string, path: string) => `http://${host}:${open.port}${path}`;
  const clientWith = (client_id: string, jwks_uri: string, backchannel_logout_uri: string) => ({
    client_id,
    token_endpoint_auth_method: 'private_key_jwt' as const,
    token_endpoint_auth_signing_alg: 'ES256' as const,
    id_token_signed_response_alg: 'ES256' as const,
    jwks_uri,
    backchannel_logout_uri,
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
  });
  const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const op = createServer();
  const { port } = await listening(t, op, CLOSED);
  const issuer = `http://${CLOSED}:${port}`;
  const provider = new Provider(issuer, {
    fetch,
    clientAuthMethods: ['private_key_jwt'],
    enabledJWA: { idTokenSigningAlgValues: ['ES256'], clientAuthSigningAlgValues: ['ES256'] },
    jwks: {
      keys: [{ ...(await exportJWK(signing.privateKey)), kid: 'op', use: 'sig', alg: 'ES256' }],
    } as never,
    features: { clientCredentials: { enabled: true }, backchannelLogout: { enabled: true } },
    clients: [
      clientWith('good', at(OPEN, '/jwks'), at(OPEN, '/logout')),
      clientWith('inside', at(CLOSED, '/jwks'), at(CLOSED, '/logout')),
      clientWith('moved', at(OPEN, '/moved'), at(OPEN, '/refuses')),
      clientWith('long', at(OPEN, '/long'), at('169.254.169.254', '/')),
    ],
  });
  op.on('request', provider.callback());

  const authenticate = async (id: string) => {
    const assertion = await new SignJWT({})
      .setProtectedHeader({ alg: 'ES256', kid: 'app' })
      .setIssuer(id)
      .setSubject(id)
      .setAudience(issuer)
      .setJti(`one of ${id}`)
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(pair.privateKey);
    const answer = await globalThis.fetch(`${issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
      }),
    });
    return answer.status;
  };
  t.equal(await authenticate('good'), 200, 'keys come from jwks_uri');
  for (const id of ['inside', 'moved', 'long'])
    t.ok((await authenticate(id)) >= 400, `${id} does not authenticate`);

  type LogsOut = { backchannelLogout(sub: string, sid: string): Promise<void> };
  const logout = async (id: string) =>
    ((await provider.Client.find(id)) as unknown as LogsOut).backchannelLogout('somebody', 'a session');
  await logout('good');
  t.equal(logouts.length, 1);
  t.match(logouts[0], /^POST application\/x-www-form-urlencoded(;charset=UTF-8)? logout_token=eyJ/);
  t.equal(await reason(logout('inside')), 'blocked_address');
  t.equal(await reason(logout('long')), 'blocked_address');
  await t.rejects(logout('moved'), /expected 200 OK/);
  t.equal(closed.count(), 0, 'nothing reached the closed address');
});
