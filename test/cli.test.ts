// The command line as people and scripts use it: processes of its own, on a database beside it or on the embedded one.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { openEmbedded } from '../drizzle/embedded.ts';
import { commandLineDocument, documentPath } from '../server/cli/document.ts';
import { loadArgon2 } from '../server/passwords/argon2.ts';
import { emptyDatabase, freshDatabase, openPool, type TestDatabase, urlOf } from './harness/database.ts';
import { temporaryFolder } from './harness/folders.ts';
import { freePort, newKey, startServer } from './harness/server.ts';

const project = fileURLToPath(new URL('..', import.meta.url));
/** As `npm run gatehouse` has it. */
const compiled = join(project, 'node_modules', '.cache', 'compiled');
const GOOD = 'orchard lantern seventy-two kayak';
const BETTER = 'velvet compass nineteen walrus';

interface Ran {
  code: number | null;
  out: string;
  err: string;
  json(): unknown;
}

type Env = Readonly<Record<string, string>>;

/** `input` is what is written to standard input; without it, that is empty and closed. */
function start(env: Env, args: readonly string[], input = ''): { child: ChildProcess; ended: Promise<Ran> } {
  const { PATH = '', HOME = '', TMPDIR } = process.env;
  const child = spawn(process.execPath, ['server/cli.ts', ...args], {
    cwd: project,
    env: { PATH, HOME, NODE_COMPILE_CACHE: compiled, ...(TMPDIR ? { TMPDIR } : {}), ...env },
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  // A command that reads nothing may be gone before the input is written.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const ended = new Promise<Ran>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err, json: () => JSON.parse(out) as unknown }));
  });
  return { child, ended };
}

const cli = (env: Env, args: readonly string[], input?: string): Promise<Ran> =>
  start(env, args, input).ended;

const settingsFor = ({ app, owner }: Pick<TestDatabase, 'app' | 'owner'>, more: Env = {}): Env => ({
  DATABASE_URL: urlOf(app),
  DATABASE_OWNER_URL: urlOf(owner),
  ENCRYPTION_KEYS: newKey(),
  COOKIE_KEYS: newKey(),
  // The least that is allowed: what is tested here is not the hash.
  ARGON2_MEMORY: '7168',
  ARGON2_PASSES: '1',
  ...more,
});

interface Finding {
  check: string;
  state: string;
  says: string;
  mend?: string;
}

async function doctor(env: Env): Promise<Ran & { states: Record<string, string>; findings: Finding[] }> {
  const ran = await cli(env, ['doctor', '--json']);
  const { findings } = ran.json() as { findings: Finding[] };
  return { ...ran, findings, states: Object.fromEntries(findings.map((one) => [one.check, one.state])) };
}

/** Neither a stack nor a path into the code. */
const noStack = (t: Test, { err }: Ran) => t.notMatch(err, /\n\s+at |\.ts[:)]|node:internal/);

t.test('O2: accounts are made, changed and disabled, each act on record as the command line’s', async (t) => {
  const database = await freshDatabase(t);
  const env = settingsFor(database);
  const db = openPool(t, database.app, 2);
  const run = (...args: string[]) => cli(env, ['account', ...args]);

  const made = await cli(
    env,
    ['account', 'create', 'ada@example.org', '--name', 'Ada', '--role', 'super_admin', '--json'],
    `${GOOD}\n`,
  );
  t.equal(made.code, 0, made.err);
  const { id } = made.json() as { id: string };
  t.match(made.json(), { email: 'ada@example.org', name: 'Ada', roles: ['super_admin'], disabled: false });
  t.notMatch(made.out + made.err, /argon2|orchard/);

  const hashOf = async (who: string) => {
    const [row] = await db.$client<{ hash: string }[]>`
      SELECT password_hash AS hash FROM accounts WHERE email = ${who}`;
    return row?.hash ?? '';
  };
  const argon2 = loadArgon2();
  t.ok(
    await argon2.verify(await hashOf('ada@example.org'), GOOD),
    'the line break is no part of the password',
  );

  const file = join(temporaryFolder(t), 'password');
  writeFileSync(file, BETTER, { mode: 0o600 });
  t.equal((await run('create', 'grace@example.org', '--password-file', file)).code, 0);
  t.ok(await argon2.verify(await hashOf('grace@example.org'), BETTER));

  const listed = await run('list', '--json');
  t.match(listed.json(), [{ email: 'ada@example.org' }, { email: 'grace@example.org', roles: [] }]);
  t.equal((listed.json() as unknown[]).length, 2);
  t.match((await run('list', '--search', 'GRACE')).out, /^EMAIL[^\n]*\ngrace@example\.org[^\n]*\n$/);

  const changed = await cli(env, ['account', 'password', 'Grace@Example.org'], `${GOOD} again`);
  t.equal(changed.code, 0, changed.err);
  t.ok(await argon2.verify(await hashOf('grace@example.org'), `${GOOD} again`));

  t.equal((await run('disable', 'grace@example.org')).code, 0);
  t.match((await run('list')).out, /grace@example\.org.*disabled/);
  t.equal((await run('enable', 'grace@example.org')).code, 0);
  const last = await run('disable', id);
  t.same([last.code, last.err], [1, 'This is the last administrator; make another one first.\n']);

  const trail = await db.$client<{ what: string }[]>`
    SELECT DISTINCT actor_kind || ' ' || actor_id || ' ' || type AS what FROM audit_events ORDER BY what`;
  t.same(
    trail.map(({ what }) => what),
    [
      'system cli account.created',
      'system cli account.disabled',
      'system cli account.enabled',
      'system cli account.passwordChanged',
      'system cli role.granted',
    ],
  );
});

t.test(
  'O2: what cannot be done is a sentence and exit code 1; a wrong question is 2; never a stack',
  async (t) => {
    const database = await freshDatabase(t);
    const env = settingsFor(database);
    const secret = 'not-to-be-seen';
    const nowhere = `postgres://u:${secret}@127.0.0.1:${await freePort()}/d`;
    const away = { ...env, DATABASE_URL: nowhere, DATABASE_OWNER_URL: nowhere };
    const stranger = { ...env, DATABASE_URL: urlOf({ ...database.app, user: 'nobody-at-all' }) };

    await t.test('a password that breaks the rules makes no account', async (t) => {
      for (const [password, says] of [
        ['password1', /too short/],
        ['123456789012345', /guess|breach/],
        ['with\u0007bell in the middle of it', /control character/],
      ] as const) {
        const ran = await cli(env, ['account', 'create', 'ada.lovelace@example.org'], password);
        t.equal(ran.code, 1);
        t.match(ran.err, says);
        t.equal(ran.out, '');
        noStack(t, ran);
      }
      t.same((await cli(env, ['account', 'list', '--json'])).json(), []);
    });

    await t.test('failures', async (t) => {
      const rows: [Env, string[], string, number, RegExp][] = [
        [env, ['account', 'create', 'nobody'], GOOD, 1, /^This is not an e-mail address\.\n$/],
        [env, ['account', 'disable', 'nobody@example.org'], '', 1, /^There is no such account\.\n$/],
        [env, ['account', 'disable', "'; DROP TABLE accounts"], '', 1, /^There is no such account\.\n$/],
        [env, ['client', 'show', 'nothing'], '', 1, /^There is no such app\.\n$/],
        [
          away,
          ['account', 'list'],
          '',
          1,
          /^PostgreSQL at 127\.0\.0\.1:\d+ cannot be reached: .*ECONNREFUSED.*DATABASE_OWNER_URL/,
        ],
        [stranger, ['account', 'list'], '', 1, /^PostgreSQL at .* refuses: .*nobody-at-all/],
        [{ ...env, PORT: 'x' }, ['account', 'list'], '', 1, /PORT must be a whole number/],
        [{ ...env, ENCRYPTION_KEYS: newKey() }, ['account', 'list'], '', 1, /not in ENCRYPTION_KEYS/],
        [env, ['account', 'create', 'ada@example.org'], '', 2, /There is no password/],
        [env, ['account', 'create', 'ada@example.org', '--password-file', '/nowhere'], '', 2, /\/nowhere/],
        [
          env,
          ['account', 'create', 'ada@example.org', '--password', GOOD],
          '',
          2,
          /unknown option '--password'/,
        ],
        [env, ['account', 'create', 'ada@example.org', '--role', 'king'], GOOD, 2, /super_admin, admin/],
        [env, ['account', 'list', '--limit', '-1'], '', 2, /--limit/],
        [env, ['account'], '', 2, /create.*list/s],
        [env, ['keys', 'rotate', '--alg', 'HS256'], '', 2, /RS256, ES256, EdDSA/],
        [env, ['acount'], '', 2, /Did you mean account/],
        [env, [], '', 2, /setup-link/],
      ];
      for (const [settings, args, input, code, says] of rows) {
        const ran = await cli(settings, args, input);
        t.equal(ran.code, code, args.join(' '));
        t.match(ran.err, says);
        t.equal(ran.out, '');
        t.notMatch(ran.err, secret);
        noStack(t, ran);
      }
    });

    await t.test('with --json failures are JSON too', async (t) => {
      const ran = await cli(env, ['account', 'enable', 'nobody@example.org', '--json']);
      t.same(JSON.parse(ran.err), {
        error: { code: 'account.notFound', message: 'There is no such account.' },
      });
    });

    for (const args of [['--help'], ['--version'], ['account', 'create', '--help'], ['help', 'client']]) {
      const ran = await cli({}, args);
      t.same([ran.code, ran.err], [0, ''], args.join(' '));
    }
  },
);

t.test('O2: apps are registered and their secrets shown once', async (t) => {
  const database = await freshDatabase(t);
  const env = settingsFor(database);
  const db = openPool(t, database.app, 2);
  const run = (...args: string[]) => cli(env, ['client', ...args]);

  const made = await run(
    ...['create', '--redirect-uri', 'https://app.example/a', '--redirect-uri', 'https://app.example/b'],
    ...['My app', '--id', 'my-app', '--alg', 'RS256', '--no-nonce', '--json'],
  );
  t.equal(made.code, 0, made.err);
  const first = made.json() as { client_secret: string };
  t.match(first, {
    client_id: 'my-app',
    client_name: 'My app',
    redirect_uris: ['https://app.example/a', 'https://app.example/b'],
    id_token_signed_response_alg: 'RS256',
    require_nonce: false,
    require_pkce: true,
    client_secret: /^[\w-]{43}$/,
  });
  const hashes = async () => {
    const rows = await db.$client<{ hash: string }[]>`
      SELECT encode(secret_hash, 'hex') AS hash FROM client_secrets ORDER BY created_at`;
    return rows.map(({ hash }) => hash);
  };
  const digest = (secret: string) => createHash('sha256').update(secret).digest('hex');
  t.same(await hashes(), [digest(first.client_secret)]);

  const alone = await run('secret', 'remove', 'my-app');
  t.equal(alone.code, 2, 'the only secret is not removed by default');
  const second = (await run('secret', 'add', 'my-app', '--json')).json() as { client_secret: string };
  t.same(await hashes(), [digest(first.client_secret), digest(second.client_secret)]);
  t.match(await run('secret', 'add', 'my-app'), { code: 1, err: /two live secrets/ });

  const seen = (await run('show', 'my-app')).out + (await run('list')).out;
  t.match(seen, /My app/);
  t.match(seen, `…${second.client_secret.slice(-4)}`);
  t.notMatch(seen, first.client_secret);
  t.notMatch(seen, second.client_secret);

  t.equal((await run('secret', 'remove', 'my-app')).code, 0);
  t.same(await hashes(), [digest(second.client_secret)], 'the older one went');
  t.equal((await run('secret', 'remove', 'my-app', '--hint', second.client_secret.slice(-4))).code, 0);
  t.same(await hashes(), []);

  const open = await run('create', 'Page', '--public', '--redirect-uri', 'https://spa.example/', '--json');
  t.notOk(Object.hasOwn(open.json() as object, 'client_secret'), 'a public app has none');
  t.match(await run('create', 'Again', '--id', 'my-app', '--redirect-uri', 'https://app.example/'), {
    code: 1,
    err: /client_id already/,
  });
  const device = ['urn:ietf:params:oauth:grant-type:device_code'];
  t.match((await run('create', 'TV', '--public', '--device', '--json')).json(), {
    grant_types: ['refresh_token', ...device],
    redirect_uris: [],
  });
  const both = await run('create', 'Box', '--device', '--redirect-uri', 'https://box.example/', '--json');
  t.match(both.json(), { grant_types: ['authorization_code', 'refresh_token', ...device] });
  const wrong = await run('create', 'Bad', '--redirect-uri', 'http://app.example/', '--alg', 'none');
  t.equal(wrong.code, 1);
  t.match(wrong.err, /redirect_uris.*uses http/);
  t.match(wrong.err, /id_token_signed_response_alg.*not one of/);
});

t.test('O2, P5: apps that prove themselves by keys, and apps that register themselves', async (t) => {
  const database = await freshDatabase(t);
  const env = settingsFor(database);
  const db = openPool(t, database.app, 2);
  const run = (...args: string[]) => cli(env, ['client', ...args]);
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwks = (key: typeof publicKey) =>
    JSON.stringify({ keys: [{ ...key.export({ format: 'jwk' }), kid: 'one' }] });

  const piped = await cli(
    env,
    [
      'client',
      'create',
      'Batch',
      '--client-credentials',
      '--jwks',
      '-',
      '--auth-alg',
      'ES256',
      '--dpop',
      '--json',
    ],
    jwks(publicKey),
  );
  t.match(piped.json(), {
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    key_ids: ['one'],
    dpop_bound_access_tokens: true,
  });
  t.notOk(Object.hasOwn(piped.json() as object, 'client_secret'));
  const callback = ['--redirect-uri', 'https://app.example/cb'];
  const signing = await run(
    ...['create', 'Signs', ...callback, '--jwks-uri', 'https://app.example/keys', '--par', '--pairwise'],
    ...[
      '--request-object-alg',
      'ES256',
      '--signed-requests',
      '--auth-method',
      'client_secret_post',
      '--json',
    ],
  );
  t.match(signing.json(), {
    token_endpoint_auth_method: 'client_secret_post',
    jwks_uri: 'https://app.example/keys',
    require_pushed_authorization_requests: true,
    request_object_signing_alg: 'ES256',
    require_signed_request_object: true,
    subject_type: 'pairwise',
    client_secret: /^[\w-]{43}$/,
  });
  const bad = (input: string, ...args: string[]) =>
    cli(env, ['client', 'create', 'Bad', ...callback, ...args], input);
  t.match(await bad(jwks(privateKey), '--jwks', '-'), { code: 1, err: /private/ });
  t.match(await bad('no', '--jwks', '-'), { code: 2, err: /is no JSON/ });
  t.match(await bad('', '--jwks', '/nowhere'), { code: 2, err: /cannot be read \(ENOENT\)/ });
  t.match(await bad('', '--jwks', '-', '--public'), { code: 2, err: /leave --public/ });
  t.match(await bad('', '--auth-method', 'client_secret_jwt'), { code: 1, err: /not one of/ });
  t.match(await bad('', '--pairwise', '--sector-identifier-uri', 'https://10.0.0.1/'), {
    code: 1,
    err: /sector_identifier_uri could not be fetched: The host is not on the public Internet/,
  });

  t.match(await run('registration-token', 'create', '--uses', '0'), {
    code: 2,
    err: /--uses is a whole number/,
  });
  t.match(await run('registration-token', 'create', '--ttl', '1e9'), {
    code: 2,
    err: /--ttl is a whole number/,
  });
  const made = (
    await run('registration-token', 'create', '--uses', '5', '--note', 'For partners', '--json')
  ).json() as { name: string; token: string };
  t.match(made, { name: /^[0-9a-f]{12}$/, token: /^[\w-]{43}$/, uses_left: 5 });
  const any = await run('registration-token', 'create', '--uses', 'any');
  t.match(any.out, /uses_left +any\n.*shown this once.*DYNAMIC_REGISTRATION is off/s);
  const seen = await run('registration-token', 'list');
  t.match(seen.out, new RegExp(`${made.name} +5 .* For partners`));
  t.notMatch(seen.out, made.token);
  t.equal((await run('registration-token', 'revoke', made.name)).code, 0);
  t.match(await run('registration-token', 'revoke', made.name), {
    code: 1,
    err: /no such registration token/,
  });
  t.notMatch((await run('registration-token', 'list')).out, made.name);

  const { client_id: id } = signing.json() as { client_id: string };
  t.equal((await run('remove', id)).code, 0);
  t.match(await run('show', id), { code: 1, err: /no such app/ });
  t.match(await run('remove', id), { code: 1, err: /no such app/ });
  const trail = await db.$client<{ type: string; actor_id: string }[]>`
    SELECT type, actor_id FROM audit_events WHERE type ~ '^(registrationToken|client.removed)' ORDER BY id`;
  t.same(
    trail.map(({ type }) => type),
    ['registrationToken.created', 'registrationToken.created', 'registrationToken.revoked', 'client.removed'],
  );
  t.ok(trail.every(({ actor_id }) => actor_id === 'cli'));
});

t.test('O2, P5: APIs are registered, changed and switched off; apps are given them', async (t) => {
  const database = await freshDatabase(t);
  const env = settingsFor(database);
  const run = (...args: string[]) => cli(env, args);
  const uri = 'https://api.example.com/orders';

  const reader = await run('client', 'create', 'Orders API', '--id', 'orders-api', '--client-credentials');
  t.match(reader, { code: 0, out: /client_secret/ });
  const made = await run(
    ...['resource', 'create', uri, '--name', 'Orders', '--scope', 'orders:read', '--scope', 'orders:write'],
    ...['--opaque', '--access-token-ttl', '300', '--introspection-client', 'orders-api', '--json'],
  );
  t.match(made.json(), {
    resource: uri,
    name: 'Orders',
    scopes: ['orders:read', 'orders:write'],
    access_token_format: 'opaque',
    signing_alg: null,
    access_token_ttl: 300,
    introspection_client: 'orders-api',
    disabled_at: null,
  });
  t.match(await run('resource', 'create', uri, '--name', 'Orders'), {
    code: 1,
    err: /resource indicator already/,
  });
  t.match(await run('resource', 'create', 'urn:x:y'), { code: 2, err: /--name/ });
  t.match(await run('resource', 'create', `${uri}#x`, '--name', 'x'), { code: 1, err: /fragment/ });
  const changed = await run('resource', 'change', uri, '--jwt', '--alg', 'EdDSA', '--scope', 'orders:read');
  t.match(changed, { code: 0, out: /signing_alg +EdDSA/ });
  t.match(await run('resource', 'show', uri), { code: 0, out: /scopes +orders:read\n/ });
  t.match(await run('resource', 'show', 'https://other.example/'), { code: 1, err: /no such API/ });

  const app = await run(
    ...['client', 'create', 'Nightly export', '--id', 'nightly', '--client-credentials', '--resource', uri],
    ...['--scope', 'orders:read', '--json'],
  );
  t.match(app.json(), {
    grant_types: ['client_credentials'],
    resources: [uri],
    scopes: ['orders:read'],
    redirect_uris: [],
  });
  t.match(
    await run(
      'client',
      'create',
      'Bad',
      '--client-credentials',
      '--resource',
      uri,
      '--scope',
      'orders:write',
    ),
    { code: 1, err: /"orders:write" is a scope of none of its APIs/ },
  );
  const removed = (await run('client', 'resource', 'remove', 'nightly', uri, '--json')).json();
  const { client_secret, issuer, ...before } = app.json() as Record<string, unknown>;
  t.same(removed, { ...before, resources: [], scopes: [] });
  t.match(await run('client', 'resource', 'add', 'nightly', uri, '--scope', 'orders:read'), { code: 0 });
  t.match(await run('client', 'show', 'nightly'), { out: /resources +https:\/\/api\.example\.com\/orders/ });

  t.match(await run('resource', 'disable', uri), { code: 0, out: /No more tokens/ });
  t.match(await run('resource', 'list'), { out: /Orders +orders:read +EdDSA +20\S+ \S+ +20/ });
  t.match(await run('client', 'resource', 'add', 'orders-api', uri), { code: 1, err: /disabled/ });
  t.match(await run('resource', 'enable', uri), { code: 0 });
  t.match(await run('client', 'resource', 'add', 'orders-api', uri), { code: 0 });
});

t.test('O2: signing keys are listed and rotated', async (t) => {
  const env = settingsFor(await freshDatabase(t));
  t.same((await cli(env, ['keys', 'list', '--json'])).json(), []);
  const first = await cli(env, ['keys', 'rotate', '--json']);
  t.equal(first.code, 0, first.err);
  t.same(
    (first.json() as { alg: string }[]).map(({ alg }) => alg),
    ['RS256', 'ES256', 'EdDSA'],
  );
  t.equal((await cli(env, ['keys', 'rotate', '--alg', 'EdDSA', '--now'])).code, 0);
  const keys = (await cli(env, ['keys', 'list', '--json'])).json() as { alg: string; state: string }[];
  t.same(keys.map(({ alg, state }) => `${alg} ${state}`).sort(), [
    'ES256 active',
    'EdDSA active',
    'EdDSA next',
    'RS256 active',
  ]);
  t.equal((await cli(env, ['keys', 'rotate', '--alg', 'EdDSA', '--compromised'])).code, 0);
  t.notMatch((await cli(env, ['keys', 'list'])).out, /private|"d"/);
});

t.test('O2: commands at once on an empty database migrate it and leave links that work', async (t) => {
  const database = await emptyDatabase(t);
  const env = settingsFor(database, {
    ISSUER: 'https://id.example.org',
    TRUSTED_PROXIES: '10.0.0.1',
    ARGON2_PASSES: '5',
  });
  const ran = await Promise.all([
    cli(env, ['migrate', '--json']),
    cli(env, ['setup-link', '--json']),
    cli(env, ['setup-link']),
  ]);
  t.same(
    ran.map(({ code, err }) => [code, err]),
    [
      [0, ''],
      [0, ''],
      [0, ''],
    ],
  );
  const [migrated, link, text] = ran;
  t.match(migrated?.json(), { migrations: Number });
  t.match(link?.json(), { url: /^https:\/\/id\.example\.org\/setup\/[\w-]{43}$/, expiresAt: String });
  t.match(text?.out, /^https:\/\/id\.example\.org\/setup\/[\w-]{43}\n.*until 20/);
  await cli(env, ['account', 'create', 'ada@example.org', '--role', 'super_admin'], GOOD);
  t.match(await cli(env, ['setup-link']), { code: 1, out: '', err: 'An administrator exists already.\n' });
});

t.test('O2: doctor names what is wrong and what mends it', async (t) => {
  const database = await freshDatabase(t);
  const port = String(await freePort());
  const env = settingsFor(database, { PORT: port });

  const calm = await doctor(env);
  t.equal(calm.code, 0, calm.out);
  t.match(calm.states, {
    settings: 'ok',
    server: 'warning',
    database: 'ok',
    clock: 'ok',
    migrations: 'ok',
    roles: 'ok',
    encryption: 'ok',
    'signing keys': 'warning',
    administrator: 'warning',
  });
  for (const { state, mend, check } of calm.findings) t.equal(mend === undefined, state === 'ok', check);
  const db = openPool(t, database.app, 1);
  t.same([...(await db.$client`SELECT name FROM canaries`)], [], 'it has changed nothing');

  await cli(env, ['keys', 'rotate']);
  const ready = await doctor(env);
  t.equal(ready.states['signing keys'], 'ok');

  const faults: [string, Env, string, RegExp][] = [
    ['other keys', { ...env, ENCRYPTION_KEYS: newKey() }, 'encryption', /not in ENCRYPTION_KEYS/],
    ['no proxy', { ...env, ISSUER: 'https://localhost' }, 'proxies', /every request will be refused/],
    ['a setting', { ...env, SESSION_IDLE: 'soon' }, 'settings', /SESSION_IDLE must be/],
    [
      'no database',
      { ...env, DATABASE_URL: `postgres://u@127.0.0.1:${port}/d` },
      'database',
      /does not answer/,
    ],
    ['no owner', { ...env, DATABASE_OWNER_URL: `postgres://u@127.0.0.1:${port}/d` }, 'database', /as u/],
  ];
  for (const [title, settings, check, says] of faults) {
    const ran = await doctor(settings);
    const found = ran.findings.find((one) => one.state === 'fault');
    t.equal(ran.code, 1, title);
    t.match(found, { check, says, mend: /./ }, title);
    noStack(t, ran);
  }

  const { DATABASE_OWNER_URL: owner = '', DATABASE_URL: _, ...rest } = env;
  const one = await doctor({ ...rest, DATABASE_URL: owner });
  t.equal(one.code, 0, 'one role for both is allowed');
  t.match(
    one.findings.find(({ check }) => check === 'roles'),
    { state: 'warning', mend: /DATABASE_OWNER_URL/ },
  );

  const unmigrated = await doctor(settingsFor(await emptyDatabase(t), { PORT: port }));
  t.match(unmigrated.states, { database: 'ok', migrations: 'warning' });
});

t.test('O2: doctor looks at the certificate', async (t) => {
  const folder = temporaryFolder(t);
  const make = (name: string, days: string) => {
    const [cert, key] = [join(folder, `${name}-${days}.crt`), join(folder, `${name}-${days}.key`)];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', days];
    const names = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
    execFileSync('openssl', ['req', '-x509', ...kind, ...names, '-keyout', key, '-out', cert], {
      stdio: 'ignore',
    });
    return { TLS_CERT: cert, TLS_KEY: key };
  };
  const base = { PORT: String(await freePort()), DATA_DIR: join(folder, 'data') };
  const ours = make('localhost', '90');
  const rows: [Env, string, RegExp][] = [
    [ours, 'ok', /names localhost/],
    [make('elsewhere.example', '90'), 'fault', /does not name localhost/],
    [{ ...ours, TLS_KEY: make('localhost', '91').TLS_KEY }, 'fault', /is not the key/],
    [{ ...ours, TLS_CERT: ours.TLS_KEY }, 'fault', /not what it should be/],
    [make('localhost', '3'), 'warning', /ends on/],
  ];
  for (const [files, state, says] of rows) {
    const { findings } = await doctor({ ...base, ...files });
    t.match(
      findings.find(({ check }) => check === 'certificate'),
      { state, says },
    );
  }
  t.notOk(existsSync(base.DATA_DIR), 'nothing was made');
});

t.test('O2: health is about this very server', async (t) => {
  const port = await freePort();
  const env = { PORT: String(port), ISSUER: 'https://id.example.org', HOST: '0.0.0.0' };
  const none = await cli(env, ['health']);
  t.equal(none.code, 1);
  t.match(none.out, /nothing listens/);

  let host: string | undefined;
  let answer = '{"status":"ok"}';
  const server = createServer((request, response) => {
    host = request.headers.host;
    response.end(request.url === '/livez' ? answer : 'no');
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const alive = await cli(env, ['health', '--json']);
  t.equal(alive.code, 0, alive.out);
  t.match(alive.json(), { alive: true });
  t.equal(host, 'id.example.org');
  answer = '<h1>Welcome to nginx</h1>';
  t.match(await cli(env, ['health']), { code: 1, out: /not a Gatehouse/ });
});

t.test('O2: without a server commands start the embedded database for as long as they need it', async (t) => {
  const dataDir = join(temporaryFolder(t), 'data');
  const env = {
    DATA_DIR: dataDir,
    PORT: String(await freePort()),
    ARGON2_MEMORY: '7168',
    ARGON2_PASSES: '1',
  };
  const before = await doctor(env);
  t.match(before.states, { database: 'warning' });
  t.notOk(existsSync(dataDir), 'doctor makes none');

  const made = await Promise.all([
    cli(env, ['account', 'create', 'ada@example.org', '--role', 'super_admin'], GOOD),
    cli(env, ['account', 'create', 'grace@example.org'], GOOD),
  ]);
  t.same(
    made.map(({ code, err }) => [code, err]),
    [
      [0, ''],
      [0, ''],
    ],
  );
  const pidFile = join(dataDir, 'postgres', 'postmaster.pid');
  t.notOk(existsSync(pidFile), 'the last one out stopped it');
  t.equal(((await cli(env, ['account', 'list', '--json'])).json() as unknown[]).length, 2);
  t.match((await doctor(env)).states, { database: 'ok', administrator: 'ok', disk: 'ok', roles: 'ok' });

  const interrupted = start(env, ['account', 'list']);
  while (!existsSync(pidFile) && interrupted.child.exitCode === null) await sleep(5);
  interrupted.child.kill('SIGTERM');
  // It may have been done by then.
  t.ok([143, 0].includes((await interrupted.ended).code ?? -1));
  t.notOk(existsSync(pidFile), 'an interrupted one leaves nothing running');

  const other = await openEmbedded({ dataDir, role: 'command' });
  t.teardown(() => other.stop());
  t.equal((await cli(env, ['account', 'disable', 'grace@example.org'])).code, 0);
  t.ok(existsSync(pidFile), 'what others are using stays');
});

t.test('O2: beside a running server commands work on its database, and it takes them over', async (t) => {
  const dataDir = join(temporaryFolder(t), 'data');
  const server = await startServer(t, { env: { DATA_DIR: dataDir, ARGON2_MEMORY: '7168' } });
  const made = await cli(server.env, ['account', 'create', 'ada@example.org', '--role', 'super_admin'], GOOD);
  t.equal(made.code, 0, made.err);
  t.equal((await cli(server.env, ['health'])).code, 0);

  const report = await doctor(server.env);
  t.equal(report.code, 0, report.out);
  t.match(report.states, {
    server: 'ok',
    issuer: 'ok',
    database: 'ok',
    'signing keys': 'ok',
    administrator: 'ok',
  });
  const astray = await doctor({ ...server.env, ISSUER: server.address });
  t.equal(astray.code, 1);
  t.match(
    astray.findings.find(({ state }) => state === 'fault'),
    { check: 'issuer', says: /another Host/, mend: /Host header/ },
  );
  const kids = async () => {
    const { body } = await server.ask('/oauth2/jwks');
    return (JSON.parse(body) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
  };
  const rotated = await cli(server.env, ['keys', 'rotate', '--alg', 'ES256', '--json']);
  const [{ kid } = { kid: '' }] = rotated.json() as { kid: string }[];
  let published = false;
  for (const deadline = Date.now() + 10_000; !published && Date.now() < deadline; ) {
    published = (await kids()).includes(kid);
  }
  t.ok(published, 'the server publishes the new key');
  t.equal((await server.ask('/livez')).status, 200);
  t.equal(await server.stop(), 0);
});

t.test('O2: docs/cli.md is what the commands say', async (t) => {
  t.equal(readFileSync(documentPath, 'utf8'), await commandLineDocument());
});
