// docs/integrate/ as a reader takes it: every snippet marked `run` is pasted and started, and whoever it connects signs
// in, in a real Chromium, at two replicas of which no two requests in a row meet the same one. What runs are other
// people's clients: openid-client, express-openid-connect, oidc-client-ts, Apache's mod_auth_openidc.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { snippetsOf } from '../server/setup/snippets.ts';
import { authorizePath, PASSWORD, pkce, type TestClient, tokenRequest } from './harness/app.ts';
import { launch, openTab } from './harness/chromium.ts';
import { appAsks, userinfo } from './harness/fleet.ts';
import { startBehindProxy } from './harness/proxy.ts';
import { freePort } from './harness/server.ts';
import { type Desk, listening, openDesk, type Running, readSnippets } from './harness/snippets.ts';

t.setTimeout(240_000);

/** Snippets that no test runs, by page and a line of theirs, with the reason. */
const NOT_RUN: readonly { page: string; line: string; because: string }[] = [
  { page: 'single-page.md', line: 'npm install oidc-client-ts@3', because: 'fetches packages' },
  {
    page: 'oauth2-proxy.md',
    line: '# An account whose e-mail address is not verified yet gets in by the last line only.',
    because: 'neither in Debian nor on npm',
  },
  { page: 'grafana.md', line: '[server]', because: 'neither in Debian nor on npm' },
];

const behind = await startBehindProxy(t);
const browser: Browser = await launch(t);
const { issuer } = behind;
const replica = behind.at(0);
const used = new Set<string>();
const keyOf = ({ page, code }: { page: string; code: string }) => `${page}\n${code}`;

/** A desk whose reader has made the app by the page's own line, and exported its secret. */
async function deskFor(t: Test, page: string, create = 'gatehouse client create'): Promise<Desk> {
  const desk = await openDesk(t, page, { issuer, env: { ...replica.env, COOKIE_SECRET: newSecret() } });
  t.teardown(() => {
    for (const snippet of desk.used) used.add(keyOf(snippet));
  });
  const said = await desk.shell(create);
  const secret = /^client_secret +(\S+)$/m.exec(said)?.[1];
  if (secret) desk.env.CLIENT_SECRET = secret;
  return desk;
}

const newSecret = () => randomBytes(32).toString('hex');

const openAt = (t: Test, ...origins: string[]): Promise<Page> => openTab(t, browser, [issuer, ...origins]);

async function signIn(page: Page, { email }: { email: string }): Promise<void> {
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

const allow = (page: Page): Promise<void> => page.getByRole('button', { name: 'Allow' }).click();

const textOf = (page: Page): Promise<string> => page.locator('body').innerText();

/** Signs out at Gatehouse, and waits until the app has answered that it knows. */
async function endElsewhere(tab: Page, { id }: { id: string }): Promise<void> {
  const other = await tab.context().newPage();
  await other.goto(`${issuer}/oauth2/logout`);
  await other.getByRole('button', { name: /^sign out/i }).click();
  await other.locator('h1', { hasText: 'signed out' }).waitFor();
  await other.close();
  let state = '';
  for (let tries = 0; tries < 200 && state !== 'delivered'; tries++) {
    await sleep(50);
    // The latest: signing out at the app itself made one, too.
    const [last] = await behind.db.$client<{ state: string }[]>`
      SELECT state FROM logout_deliveries WHERE account_id = ${id} ORDER BY created_at DESC LIMIT 1`;
    state = last?.state ?? '';
  }
  if (state !== 'delivered') throw new Error(`the delivery is ${state || 'not there'}`);
}

t.test('P1 P5 P6: web.md: Express signs in, signs out, and hears of what ends elsewhere', async (t) => {
  const desk = await deskFor(t, 'web.md');
  const app = desk.node('app.mjs');
  const origin = `http://localhost:${desk.port(8080)}`;
  await listening(origin, app);
  const person = await behind.person();
  const tab = await openAt(t, origin);

  await tab.goto(`${origin}/notes`);
  await signIn(tab, person);
  await allow(tab);
  await tab.waitForURL(`${origin}/notes`);
  t.match(JSON.parse(await textOf(tab)), { sub: person.id, email: person.email, name: 'Pat Person' });

  await tab.goto(`${origin}/logout`);
  await tab.getByRole('button', { name: /^sign out/i }).click();
  await tab.waitForURL(`${origin}/`);
  t.match(await textOf(tab), 'Nobody');

  await tab.goto(`${origin}/login`);
  await signIn(tab, person);
  await tab.waitForURL(`${origin}/`);
  t.match(await textOf(tab), 'Signed in');
  await endElsewhere(tab, person);
  await tab.goto(`${origin}/`);
  t.match(await textOf(tab), 'Nobody', 'its session is over');
  await app.stop();
});

t.test('P1: web.md: openid-client alone', async (t) => {
  const desk = await openDesk(t, 'web.md', { issuer, env: replica.env });
  const [shown] = readSnippets().filter(({ run }) => run === 'bare.mjs');
  const [setup] = snippetsOf({
    issuer: 'http://localhost:3000',
    clientId: 'wiki',
    clientSecret: 'YOUR_SECRET',
    redirectUri: 'http://localhost:8080/callback',
  });
  t.equal(shown?.code, `${setup?.code}\n`, 'the page shows what the setup page shows');
  const { id, secret } = await behind.client({
    redirectUris: [`http://localhost:${desk.port(8080)}/callback`],
  });
  desk.env.CLIENT_SECRET = secret ?? '';
  const path = desk.save('bare.mjs');
  writeFileSync(path, readFileSync(path, 'utf8').replace("'wiki'", `'${id}'`));
  const app = desk.start(process.execPath, [path]);
  for (const snippet of desk.used) used.add(keyOf(snippet));
  const origin = `http://localhost:${desk.port(8080)}`;
  await listening(origin, app);
  const person = await behind.person();
  const tab = await openAt(t, origin);
  await tab.goto(origin);
  await signIn(tab, person);
  await allow(tab);
  await tab.waitForURL(`${origin}/callback**`);
  t.match(JSON.parse(await textOf(tab)), { sub: person.id, email: person.email, iss: issuer });
  await app.stop();
});

/** What `python3 -m http.server` is to the page. */
async function serveFolder(t: Test, folder: string, port: number): Promise<void> {
  const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript' };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const path = join(folder, pathname === '/' ? 'index.html' : pathname);
    response.writeHead(existsSync(path) ? 200 : 404, {
      'content-type': types[extname(path)] ?? 'text/plain',
    });
    response.end(existsSync(path) ? readFileSync(path) : '');
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
}

t.test('P1: single-page.md: the page signs in, by popup too, and signs out', async (t) => {
  const desk = await deskFor(t, 'single-page.md');
  desk.save('index.html');
  const library = 'oidc-client-ts.min.js';
  writeFileSync(
    join(desk.folder, library),
    readFileSync(join(desk.folder, 'node_modules/oidc-client-ts/dist/browser', library)),
  );
  await serveFolder(t, desk.folder, desk.port(8080));
  const origin = `http://localhost:${desk.port(8080)}`;
  const person = await behind.person();
  const tab = await openAt(t, origin);
  const who = tab.locator('#who');

  await tab.goto(origin);
  await tab.locator('#in').click();
  await signIn(tab, person);
  await allow(tab);
  await tab.waitForURL(`${origin}/`);
  await who.filter({ hasText: `Signed in: ${person.email}` }).waitFor();

  await tab.locator('#out').click();
  await tab.getByRole('button', { name: /^sign out/i }).click();
  await tab.waitForURL(`${origin}/`);
  await who.filter({ hasText: 'Nobody' }).waitFor();

  const opens = tab.waitForEvent('popup');
  await tab.locator('#popup').click();
  const popup = await opens;
  await signIn(popup, person);
  const closed = popup.waitForEvent('close');
  await allow(popup);
  await closed;
  await who.filter({ hasText: `Signed in: ${person.email}` }).waitFor();
  const stored = await tab.evaluate(`sessionStorage.getItem('oidc.user:${issuer}:notes')`);
  const { access_token, refresh_token } = JSON.parse(stored as string);
  t.equal(await userinfo(replica, access_token), 200);
  t.type(refresh_token, 'string');
});

t.test('P1 P3 P5: native.md: a command line on loopback, and a scheme of its own', async (t) => {
  const desk = await deskFor(t, 'native.md');
  const program = desk.node('login.mjs');
  const [, address = ''] = await program.says(/^Open (.*)$/m);
  const loopback = new URL(address).searchParams.get('redirect_uri') ?? '';
  const person = await behind.person();
  // An address of a private scheme has the origin `null`.
  const tab = await openAt(t, new URL(loopback).origin, 'null');
  await tab.goto(address);
  await signIn(tab, person);
  await allow(tab);
  await tab.waitForURL(`${loopback}**`);
  t.equal(await program.ended, 0, program.output);
  t.match(program.output, `Signed in as ${person.email}\n`);
  t.match(program.output, /Renewed for \d+ seconds\nSigned out\n/);

  const own = new URL(address);
  own.searchParams.set('redirect_uri', 'com.example.notes:/callback');
  const gone = tab.waitForEvent('requestfailed').catch(() => undefined);
  void tab.goto(own.href).catch(() => {});
  await allow(tab);
  const left = await gone;
  t.match(left?.url() ?? '', /^com\.example\.notes:\/callback\?code=/);
});

t.test('P5: machine.md: by secret with curl, by key with openid-client', async (t) => {
  const desk = await deskFor(t, 'machine.md');
  const token = JSON.parse(await desk.shell('curl'));
  t.match(token, { token_type: 'Bearer', scope: 'orders:read', access_token: /\./ });
  t.equal(token.refresh_token, undefined);

  const keys = desk.node('keys.mjs');
  t.equal(await keys.ended, 0, keys.output);
  await desk.shell('--jwks jwks.json');
  const job = desk.node('import.mjs');
  t.equal(await job.ended, 0, job.output);
  t.match(JSON.parse(job.output), { token_type: 'bearer', scope: 'orders:write', access_token: /\./ });
});

t.test('P5: device.md: a device is let in by its code', async (t) => {
  const desk = await deskFor(t, 'device.md');
  const device = desk.node('device.mjs');
  const [, address = '', code = ''] = await device.says(/^Open (\S+) and enter (\S+)$/m);
  const person = await behind.person();
  const tab = await openAt(t);
  await tab.goto(address);
  await tab.getByLabel(/code/i).fill(code);
  await tab.locator('main form button[type=submit]').first().click();
  t.match(await textOf(tab), code, 'the page shows the code to compare');
  await tab.getByRole('button', { name: 'Continue' }).click();
  await signIn(tab, person);
  await allow(tab);
  t.equal(await device.ended, 0, device.output);
  t.match(device.output, `Signed in as ${person.email}\n`);
  t.match(device.output, /Renewed for \d+ seconds/);
});

t.test('P2 P5: api.md: jose checks a JWT, introspection an opaque token; nobody else’s pass', async (t) => {
  const desk = await deskFor(t, 'api.md', 'parts-list');
  const api = desk.node('api.mjs');
  const at = `http://localhost:${desk.port(8081)}/`;
  await listening(at, api);
  t.match(JSON.parse(await desk.shell('parts:read |')), { sub: 'parts-list', parts: ['bolt', 'nut'] });

  const machine = { id: 'parts-list', secret: desk.env.CLIENT_SECRET ?? '' };
  const bearer = async (url: string, token: string) =>
    (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status;
  const tokenOf = async (client: { id: string; secret: string }, form: Record<string, string>) =>
    String(
      (await tokenRequest(issuer, client, { grant_type: 'client_credentials', ...form })).body.access_token,
    );
  const parts = { resource: 'https://api.example.com/parts' };
  t.equal((await fetch(at)).status, 401);
  t.equal(await bearer(at, await tokenOf(machine, parts)), 403, 'without the scope');
  t.equal(await bearer(at, await tokenOf(machine, {})), 401, 'a token for no API');
  const good = await tokenOf(machine, { ...parts, scope: 'parts:read' });
  t.equal(await bearer(at, good), 200);
  t.equal(await bearer(at, `${good.slice(0, -6)}AAAAAA`), 401, 'another signature');

  const said = await desk.shell('billing-api');
  desk.env.CLIENT_SECRET = /^client_secret +(\S+)$/m.exec(said)?.[1] ?? '';
  const billing = desk.node('billing.mjs');
  const there = `http://localhost:${desk.port(8082)}/`;
  await listening(there, billing);
  const asker = await behind.client({
    redirectUris: [],
    grantTypes: ['client_credentials'],
    resources: ['https://api.example.com/billing'],
    scopes: ['billing:read'],
  });
  const payer = { id: asker.id, secret: asker.secret ?? '' };
  const opaque = await tokenOf(payer, { resource: 'https://api.example.com/billing', scope: 'billing:read' });
  t.equal(await bearer(there, opaque), 200);
  t.equal(await bearer(there, good), 401, 'a token for another API');
  t.equal((await fetch(there)).status, 401);
  await appAsks(replica, asker, '/oauth2/revoke', { token: opaque });
  t.equal(await bearer(there, opaque), 401, 'once revoked, at the next request');
});

const NGINX = [process.env.NGINX_PATH, '/usr/sbin/nginx'].find((path) => path && existsSync(path));

t.test(
  'P1 P5: nginx.md: auth_request and its gate',
  { skip: NGINX ? false : 'nginx is not installed here' },
  async (t) => {
    const desk = await deskFor(t, 'nginx.md');
    const gate = desk.node('gate.mjs');
    await listening(`http://127.0.0.1:${desk.port(8081)}`, gate);
    await serveHeaders(t, desk.port(8082));
    const { folder } = desk;
    const included = desk.save('site.conf');
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off;
pid ${folder}/pid;
error_log stderr;
${process.getuid?.() === 0 ? 'user root;' : ''}
events {}
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((one) => `${one}_temp_path ${folder}/${one};`).join('\n  ')}
  include ${included};
}
`,
    );
    const nginx = desk.start(NGINX ?? '', ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')]);
    const origin = `http://localhost:${desk.port(8080)}`;
    await listening(origin, nginx);
    const person = await behind.person();
    const tab = await openAt(t, origin);
    await tab.goto(`${origin}/chapter?a=1&b=2`);
    await signIn(tab, person);
    await allow(tab);
    await tab.waitForURL(`${origin}/chapter?a=1&b=2`);
    await tab.setExtraHTTPHeaders({ 'X-User': 'somebody-else' });
    await tab.goto(`${origin}/`);
    t.match(JSON.parse(await textOf(tab)), { 'x-user': person.id, 'x-email': person.email });
    await tab.setExtraHTTPHeaders({});
    t.equal((await fetch(`${origin}/gate/check`)).status, 404, 'the question is nginx’s own');
    const away = await fetch(`${origin}//example.org/`, { redirect: 'manual' });
    t.match(away.headers.get('location'), new RegExp(`^${issuer}/oauth2/authorize`));

    await tab.goto(`${origin}/gate/logout`);
    await tab.getByRole('button', { name: /^sign out/i }).click();
    await tab.waitForURL(/\/login\//);
    t.ok(await tab.getByLabel('Password', { exact: true }).isVisible(), 'it asks again');
    await nginx.stop();
  },
);

t.test('O2: what the pages say of faults is what `client why` shows', async (t) => {
  const desk = await openDesk(t, 'README.md', { issuer, env: replica.env });
  const REDIRECT = 'redirect_uri is compared character by character';
  const faults: Record<string, string[]> = {
    'web.md': [
      REDIRECT,
      'has no nonce',
      'has no code_challenge (PKCE',
      'is registered for client_secret_basic',
      'The secret is none of the app’s',
    ],
    'single-page.md': ['has no nonce'],
    'native.md': [REDIRECT, 'invalid_grant'],
    'apache.md': [REDIRECT, 'has no code_challenge (PKCE'],
    'nginx.md': [REDIRECT],
    'oauth2-proxy.md': [REDIRECT, 'has no code_challenge (PKCE', 'has no nonce'],
    'grafana.md': [REDIRECT, 'has no code_challenge (PKCE', 'has no nonce'],
    'machine.md': ['The secret is none of the app’s', 'The app may not ask for', 'invalid_target'],
    'device.md': ['not for the device flow'],
    'api.md': ['invalid_target'],
  };
  const client = await behind.client({
    redirectUris: ['https://app.example.com/callback'],
    grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
  });
  const asked = behind.browser();
  const wrong: Record<string, string | undefined>[] = [
    { redirect_uri: 'https://app.example.com/callback/' },
    { nonce: undefined },
    { code_challenge: undefined, code_challenge_method: undefined },
  ];
  for (const more of wrong) await asked.get(authorizePath(client, pkce(), more));
  const machine = { grant_type: 'client_credentials' };
  const token = (form: Record<string, string>, as: Pick<TestClient, 'id' | 'secret'> = client) =>
    tokenRequest(issuer, as, form);
  await token(
    { ...machine, client_id: client.id, client_secret: client.secret ?? '' },
    { id: client.id, secret: null },
  );
  await token(machine, { id: client.id, secret: 'x'.repeat(43) });
  await token({ ...machine, scope: 'orders:burn' });
  await token({ ...machine, resource: 'https://api.example.com/nowhere' });
  await token({ grant_type: 'refresh_token', refresh_token: 'x'.repeat(43) });
  await appAsks(replica, client, '/oauth2/device_authorization', { scope: 'openid' });

  let said = '';
  const wanted = [...new Set(Object.values(faults).flat())];
  for (let tries = 0; tries < 15 && !wanted.every((words) => said.includes(words)); tries++) {
    const why = desk.start(join(desk.folder, 'bin', 'gatehouse'), [
      'client',
      'why',
      client.id,
      '--last',
      '50',
    ]);
    await why.ended;
    said = why.output;
  }
  for (const words of wanted) t.ok(said.includes(words), `${words} is shown:\n${said}`);
  for (const [page, all] of Object.entries(faults)) {
    const text = readFileSync(new URL(`../docs/integrate/${page}`, import.meta.url), 'utf8');
    for (const words of all) t.ok(text.includes(`\`${words}\``), `${page} names ${words}`);
  }
});

/** A site that shows the headers it was sent. */
async function serveHeaders(t: Test, port: number): Promise<void> {
  const site = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(request.headers));
  }).listen(port, '127.0.0.1');
  await once(site, 'listening');
  t.teardown(() => {
    site.closeAllConnections();
    site.close();
  });
}

const APACHE = '/usr/sbin/apache2';
const MODULES = '/usr/lib/apache2/modules';
const apacheIs = existsSync(APACHE) && existsSync(join(MODULES, 'mod_auth_openidc.so'));

/** Apache in a folder of its own, with the page's configuration in it. */
function startApache(desk: Desk, name: string, backend: number): Running {
  const { folder } = desk;
  const included = desk.save(name);
  const load = [
    'mpm_event',
    'authn_core',
    'authz_core',
    'authz_user',
    'mime',
    'dir',
    'filter',
    'include',
    'proxy',
    'proxy_http',
    'auth_openidc',
  ];
  const documents = join(folder, 'site');
  mkdirSync(join(documents, 'secure'), { recursive: true });
  writeFileSync(join(documents, 'index.html'), 'For everybody');
  writeFileSync(join(documents, 'secure', 'index.shtml'), '<pre><!--#printenv --></pre>');
  // Its workers are another user, who reads the site.
  chmodSync(folder, 0o755);
  writeFileSync(
    join(folder, 'httpd.conf'),
    `ServerRoot ${folder}
ServerName localhost
Listen 127.0.0.1:${desk.port(8080)}
PidFile ${folder}/pid
ErrorLog ${folder}/error.log
TypesConfig /dev/null
DefaultRuntimeDir ${folder}
Mutex posixsem
${load.map((one) => `LoadModule ${one}_module ${MODULES}/mod_${one}.so`).join('\n')}
${process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''}
DocumentRoot ${documents}
<Directory ${documents}>
  Options +Includes
  AddType text/html .shtml
  AddOutputFilter INCLUDES .shtml
  DirectoryIndex index.shtml index.html
</Directory>
ProxyPass /secure/behind http://127.0.0.1:${backend}/
Include ${included}
`,
  );
  return desk.start(APACHE, ['-f', join(folder, 'httpd.conf'), '-DFOREGROUND']);
}

t.test(
  'P1 P5 P6: apache.md: mod_auth_openidc',
  { skip: apacheIs ? false : 'apache2 with mod_auth_openidc is not installed here' },
  async (t) => {
    const desk = await deskFor(t, 'apache.md');
    const backend = await freePort();
    await serveHeaders(t, backend);
    const apache = startApache(desk, 'intranet.conf', backend);
    const origin = `http://localhost:${desk.port(8080)}`;
    await listening(origin, apache);
    const person = await behind.person();
    const tab = await openAt(t, origin);
    await tab.goto(`${origin}/`);
    t.match(await textOf(tab), 'For everybody');
    await tab.goto(`${origin}/secure/`);
    await signIn(tab, person);
    await allow(tab);
    await tab.waitForURL(`${origin}/secure/`);
    const environment = await textOf(tab);
    t.match(environment, `OIDC_CLAIM_email=${person.email}\n`);
    t.match(environment, 'OIDC_CLAIM_name=Pat Person\n');
    t.match(environment, `REMOTE_USER=${person.id}`);

    await tab.setExtraHTTPHeaders({ OIDC_CLAIM_sub: 'somebody-else' });
    await tab.goto(`${origin}/secure/behind`);
    t.match(JSON.parse(await textOf(tab)), { oidc_claim_sub: person.id, oidc_claim_email: person.email });
    await tab.setExtraHTTPHeaders({});

    await tab.goto(`${origin}/secure/callback?logout=${encodeURIComponent(`${origin}/`)}`);
    await tab.getByRole('button', { name: /^sign out/i }).click();
    await tab.waitForURL(`${origin}/`);
    await tab.goto(`${origin}/secure/`);
    t.ok(await tab.getByLabel('Password', { exact: true }).isVisible(), 'it asks again');

    await signIn(tab, person);
    await tab.waitForURL(`${origin}/secure/`);
    await endElsewhere(tab, person);
    await tab.goto(`${origin}/secure/`);
    t.ok(await tab.getByLabel('Password', { exact: true }).isVisible(), 'what ended elsewhere ended here');
    await apache.stop();
  },
);

t.test('O1: oauth2-proxy.md, grafana.md: what the pages show is what the setup page shows', async (t) => {
  for (const [page, title, id, redirectUri] of [
    ['oauth2-proxy.md', 'oauth2-proxy', 'tools', 'http://localhost:8080/oauth2/callback'],
    ['grafana.md', 'Grafana', 'grafana', 'http://localhost:8080/login/generic_oauth'],
  ] as const) {
    const desk = await deskFor(t, page);
    t.type(desk.env.CLIENT_SECRET, 'string', 'the app is made');
    const described = {
      issuer: 'http://localhost:3000',
      clientId: id,
      clientSecret: 'YOUR_SECRET',
      redirectUri,
    };
    const wanted = snippetsOf(described).find((one) => one.title === title)?.code;
    const shown = readSnippets().filter((one) => one.page === page && one.run === null);
    t.same(
      shown.map(({ code }) => code),
      [`${wanted}\n`],
    );
  }
});

t.test('O1: every snippet is run, or named with its reason', async (t) => {
  const snippets = readSnippets();
  t.ok(snippets.length > 5);
  const idle = snippets.filter(({ run }) => run === null);
  t.same(
    idle.map(({ page, code }) => `${page}: ${code.split('\n')[0]}`).sort(),
    NOT_RUN.map(({ page, line }) => `${page}: ${line}`).sort(),
  );
  const untouched = snippets.filter((one) => one.run !== null && !used.has(keyOf(one)));
  const excused = [...(apacheIs ? [] : ['apache.md']), ...(NGINX ? [] : ['nginx.md'])];
  t.same(
    untouched.filter(({ page }) => !excused.includes(page)).map(({ page, run }) => `${page}: ${run}`),
    [],
    'none is marked and not run',
  );
});
