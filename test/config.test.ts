// The settings: what is read from where, what is refused and in which words, and the documents that follow.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { configurationDocument, staleFiles, valuesSchema } from '../config/derive.ts';
import { loadConfig, SettingsError, withKeyFiles } from '../config/load.ts';
import { type Option, options } from '../config/options.ts';
import { temporaryFolder } from './harness/folders.ts';

const key = () => randomBytes(32).toString('base64');
const load = (env: NodeJS.ProcessEnv, cwd = '/nowhere') => loadConfig({ env, cwd });

function faultsOf(work: () => unknown): readonly string[] {
  try {
    work();
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
  return [];
}
const faults = (env: NodeJS.ProcessEnv, cwd?: string) => faultsOf(() => load(env, cwd));

function folderWith(t: Test, files: Record<string, string | Buffer> = {}): string {
  const folder = temporaryFolder(t);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

const withYaml = (t: Test, text: string, env: NodeJS.ProcessEnv = {}) => ({
  cwd: folderWith(t, { 'gatehouse.yaml': text }),
  env: { CONFIG_FILE: 'gatehouse.yaml', ...env },
});

/** What a server with its own PostgreSQL has to have. */
const production = () => ({
  ISSUER: 'https://id.example.com',
  TRUSTED_PROXIES: '10.0.0.0/8',
  DATABASE_URL: 'postgres://gatehouse:d4tabase-pw@db.example.com/gatehouse',
  ENCRYPTION_KEYS: key(),
  COOKIE_KEYS: key(),
});

t.test('O3: nothing has to be set', async (t) => {
  const { config, warnings } = load({}, '/srv/gatehouse');
  t.strictSame(warnings, []);
  t.match(config.server, {
    issuer: 'http://localhost:3000',
    host: '127.0.0.1',
    demo: true,
    dataDir: '/srv/gatehouse/data',
  });
  t.equal(config.tokens.accessTokenTtl, 900);
  t.equal(load({ PORT: '4321' }).config.server.issuer, 'http://localhost:4321');
  t.equal(load({ ISSUER: 'http://[::1]:3000' }).config.server.host, '::1');
  const real = load(production());
  t.strictSame(real.warnings, []);
  t.match(real.config.server, { issuer: 'https://id.example.com', host: /^(::|0\.0\.0\.0)$/, demo: false });
  t.equal(load({ ...production(), HOST: '10.1.2.3' }).config.server.host, '10.1.2.3');
});

t.test('O3: every default lies within its own bounds, every name is there once', async (t) => {
  const names = new Set<string>();
  for (const [room, settings] of Object.entries(options)) {
    for (const [name, option] of Object.entries(settings) as [string, Option][]) {
      t.notOk(names.has(option.env), `${option.env} is there once`);
      names.add(option.env).add(`${option.env}_FILE`);
      if (option.kind === 'integer' || option.kind === 'seconds') {
        t.ok(option.default >= option.min && option.default <= option.max, `${room}.${name}`);
      }
      if (option.kind === 'choice') t.ok(option.choices.includes(option.default), `${room}.${name}`);
    }
  }
});

t.test('O3: environment over file over default', async (t) => {
  const { cwd, env } = withYaml(
    t,
    'server:\n  port: 4000\n  demo: false\nsessions:\n  idle: "600"\n  maxAge:\nlockouts: {}\n',
    { PORT: '5000', SESSION_MAX_AGE: '' },
  );
  const { config } = load(env, cwd);
  t.match(config.server, { port: 5000, demo: false });
  t.equal(config.sessions.idle, 600, 'from the file');
  t.equal(config.sessions.maxAge, 86_400, 'empty in both: the default');
});

t.test('O3: lists, flags and texts as they are written', async (t) => {
  const proxies = (env: NodeJS.ProcessEnv, cwd?: string) => load(env, cwd).config.server.trustedProxies;
  const both = ['10.0.0.0/8', 'fd00::/8'];
  t.strictSame(proxies({ TRUSTED_PROXIES: ' 10.0.0.0/8, fd00::/8,' }), both);
  t.strictSame(proxies({ TRUSTED_PROXIES: '10.0.0.0/8\r\nfd00::/8\n' }), both);
  for (const yaml of [
    '[10.0.0.0/8, "fd00::/8"]',
    '10.0.0.0/8, fd00::/8',
    '\n    - 10.0.0.0/8\n    - fd00::/8',
  ]) {
    const { cwd, env } = withYaml(t, `server:\n  trustedProxies: ${yaml}\n`);
    t.strictSame(proxies(env, cwd), both, yaml);
  }
  for (const [text, value] of Object.entries({ true: true, On: true, '1': true, no: false, FALSE: false })) {
    t.equal(load({ DEMO: text }).config.server.demo, value, text);
  }
  // A password in YAML that looks like a number stays what was written.
  const { cwd, env } = withYaml(t, 'bootstrap:\n  adminEmail: a@example.com\n  adminPassword: 0123e5\n');
  t.equal(load(env, cwd).config.bootstrap.adminPassword, '0123e5');
  const alias = withYaml(t, 'sessions:\n  idle: &t 700\n  maxAge: *t\n');
  t.equal(load(alias.env, alias.cwd).config.sessions.maxAge, 700);
});

t.test('O3: every setting has a _FILE twin', async (t) => {
  const cwd = folderWith(t, {
    port: '4000\n',
    password: ' horse battery \n',
    keys: `${key()}\n${key()}\n`,
    empty: '\n',
    bytes: Buffer.from([0xff, 0xfe, 0x41]),
  });
  mkdirSync(join(cwd, 'folder'));
  const { config } = load(
    {
      PORT_FILE: 'port',
      BOOTSTRAP_ADMIN_EMAIL: 'a@example.com',
      BOOTSTRAP_ADMIN_PASSWORD_FILE: join(cwd, 'password'),
      ENCRYPTION_KEYS_FILE: 'keys',
    },
    cwd,
  );
  t.equal(config.server.port, 4000);
  t.equal(config.bootstrap.adminPassword, ' horse battery ', 'one line break goes, nothing else');
  t.equal(config.secrets.encryptionKeys.length, 2);
  const broken = {
    PORT: '1',
    PORT_FILE: 'port',
    LOG_LEVEL_FILE: 'none',
    HOST_FILE: 'empty',
    DEMO_FILE: 'folder',
    ISSUER_FILE: 'bytes',
  };
  t.strictSame(faults(broken, cwd), [
    'ISSUER_FILE: bytes cannot be read: it is not UTF-8 text.',
    'PORT and PORT_FILE are both set; keep one of them.',
    'HOST_FILE: empty is empty.',
    'DEMO_FILE: folder cannot be read: it is a folder.',
    'LOG_LEVEL_FILE: none cannot be read: there is no such file.',
  ]);
});

t.test('O3: values out of bounds or of another form', async (t) => {
  const table: [string, string, RegExp][] = [
    ['PORT', '0', /^PORT must be a whole number from 1 to 65535\.$/],
    ['PORT', '65536', /from 1 to 65535/],
    ['PORT', '3e3', /whole number/],
    ['PORT', '-1', /whole number/],
    ['PORT', '80.5', /whole number/],
    ['PORT', '9'.repeat(400), /whole number/],
    ['SESSION_IDLE', '2h', /^SESSION_IDLE must be a whole number of seconds from 1 to 2592000\.$/],
    ['REFRESH_REPLAY_WINDOW', '61', /from 0 to 60/],
    ['PASSWORD_MIN_LENGTH', '7', /from 8 to 256/],
    ['DEMO', 'maybe', /^DEMO must be true or false\.$/],
    ['LOG_LEVEL', 'verbose', /^LOG_LEVEL must be one of trace, debug, info, warn, error, silent\.$/],
    ['ISSUER', 'id.example.com', /^ISSUER is not an origin such as/],
    ['ISSUER', 'https://id.example.com/', /without a path or a trailing slash/],
    ['ISSUER', 'https://id.example.com/auth', /without a path/],
    ['ISSUER', 'https://id.example.com?x', /is not an origin/],
    ['ISSUER', 'ftp://id.example.com', /is not an origin/],
    ['ISSUER', 'https://id example.com', /is not an origin/],
    ['ISSUER', 'https://ID.example.com', /must be written as browsers write it: https:\/\/id\.example\.com$/],
    ['ISSUER', 'https://id.example.com:443', /browsers write it: https:\/\/id\.example\.com$/],
    ['ISSUER', 'https://me:pw@id.example.com', /^ISSUER must not contain a user name or password\.$/],
    ['ISSUER', 'https://id.example.com:99999', /is not an origin/],
    [
      'ISSUER',
      'http://id.example.com',
      /^ISSUER must begin with https.*set ISSUER=https:\/\/id\.example\.com/,
    ],
    ['ISSUER', 'http://192.168.1.10:3000', /must begin with https/],
    ['ISSUER', 'http://localhost.example.com', /must begin with https/],
    ['HOST', '0.0.0.0 ; x', /an address or host name/],
    ['TRUSTED_PROXIES', '10.0.0.0/8,proxy', /^TRUSTED_PROXIES item 2 is not an address or network/],
    ['TRUSTED_PROXIES', '10.0.0.0/33', /prefix length from 1 to 32/],
    ['TRUSTED_PROXIES', 'fd00::/129', /prefix length from 1 to 128/],
    ['TRUSTED_PROXIES', '10.0.0.0/8/8', /is not an address or network/],
    ['TRUSTED_PROXIES', '0.0.0.0/0', /is every address/],
    ['TRUSTED_PROXIES', '::/0', /is every address/],
    ['TRUSTED_PROXIES', 'fe80::1%eth0', /is not an address or network/],
    ['OUTBOUND_PRIVATE_NETWORKS', 'apps.internal', /^OUTBOUND_PRIVATE_NETWORKS item 1 is not an address/],
    ['OUTBOUND_PRIVATE_NETWORKS', '10.0.0.0/8,::/0', /^OUTBOUND_PRIVATE_NETWORKS item 2 is every address/],
    ['DATA_DIR', 'a\u0000b', /control character/],
    ['DATA_DIR', 'a'.repeat(4097), /longer than 4096/],
    ['BOOTSTRAP_ADMIN_EMAIL', 'root', /is not an e-mail address/],
    ['DATABASE_URL', 'mysql://u:p@h/d', /is not a PostgreSQL URL/],
    ['ENCRYPTION_KEYS', 'short', /^ENCRYPTION_KEYS item 1 is not 32 random bytes/],
    [
      'CONFIG_FILE',
      'missing.yaml',
      /^CONFIG_FILE: \/nowhere\/missing\.yaml cannot be read: there is no such/,
    ],
  ];
  for (const [name, value, says] of table) {
    const found = faults({ [name]: value });
    t.ok(
      found.some((fault) => says.test(fault)),
      `${name}=${JSON.stringify(value.slice(0, 40))}: ${found.join(' ')}`,
    );
  }
});

t.test('O3: settings that do not go together', async (t) => {
  const cwd = folderWith(t, { 'cert.pem': 'x', 'key.pem': 'x' });
  const tls = { TLS_CERT: 'cert.pem', TLS_KEY: 'key.pem' };
  const table: [NodeJS.ProcessEnv, RegExp | null][] = [
    [{ TLS_CERT: 'cert.pem' }, /^TLS_CERT and TLS_KEY belong together/],
    [
      { TLS_CERT: 'cert.pem', TLS_KEY: 'no.pem' },
      /^TLS_KEY: .*no\.pem cannot be read: there is no such file/,
    ],
    [{ ...tls, ISSUER: 'http://localhost:3000' }, /speaks https only/],
    [{ ...tls, ISSUER: 'https://localhost:3000' }, null],
    [{ DATABASE_URL: 'postgres://h/d', COOKIE_KEYS: key() }, /^ENCRYPTION_KEYS is required.*rand -base64 32/],
    [{ DATABASE_URL: 'postgres://h/d', ENCRYPTION_KEYS: key() }, /^COOKIE_KEYS is required/],
    [{ DATABASE_OWNER_URL: 'postgres://h/d' }, /without DATABASE_URL/],
    [{ BOOTSTRAP_ADMIN_EMAIL: 'a@example.com' }, /belong together/],
    [{ BOOTSTRAP_ADMIN_PASSWORD: 'x' }, /belong together/],
    [{ KEY_KEEP_AFTER: '899' }, /^KEY_KEEP_AFTER must be at least/],
    [{ KEY_KEEP_AFTER: '900' }, null],
    [{ ID_TOKEN_TTL: '86400', KEY_KEEP_AFTER: '86399' }, /at least ID_TOKEN_TTL/],
    [{ KEY_ROTATION_INTERVAL: '60', KEY_PUBLISH_AHEAD: '60' }, /shorter than KEY_ROTATION_INTERVAL/],
    [{ REQUEST_TIMEOUT: '5' }, /^HEADERS_TIMEOUT must not be longer/],
    [{ REQUEST_TIMEOUT: '5', HEADERS_TIMEOUT: '5' }, null],
    [{ PASSWORD_MIN_LENGTH: '20' }, /PASSWORD_MIN_LENGTH must not be longer/],
    [{ ARGON2_MEMORY: '7168', ARGON2_PASSES: '1' }, null],
    [{ ...production(), ARGON2_MEMORY: '7168', ARGON2_PASSES: '4' }, /too low to protect passwords/],
    [{ ...production(), ARGON2_MEMORY: '7168', ARGON2_PASSES: '5' }, null],
  ];
  for (const [env, says] of table) {
    const found = faults(env, cwd);
    const title = `${Object.keys(env).join(' ')}: ${found.join(' ')}`;
    if (says === null) t.strictSame(found, [], title);
    else
      t.ok(
        found.some((fault) => says.test(fault)),
        title,
      );
  }
  const secured = load({ ...tls }, cwd).config.server;
  t.equal(secured.issuer, 'https://localhost:3000');
  t.equal(secured.tlsKey, join(cwd, 'key.pem'));
});

t.test('O3: all faults at once, each with its place in the file', async (t) => {
  const { cwd, env } = withYaml(
    t,
    `server:
  prot: 3000
  issuer: [a, b]
  trustedProxies: {a: b}
sesions:
  idle: 5
sessions:
  idle: 0
  accessTokenTtl: 60
ISSUER: https://id.example.com
tokens: soon
lockouts:
  ACCOUNT_LOCKOUT_ATTEMPTS: 3
`,
    { PORT: 'x', LOG_LEVEL: 'loud' },
  );
  t.strictSame(faults(env, cwd), [
    'gatehouse.yaml:2:3: there is no setting “prot” under “server”. Did you mean “port”?',
    'gatehouse.yaml:4:19: server.trustedProxies must be a list of values.',
    'gatehouse.yaml:5:1: there are no settings under “sesions”. Did you mean “sessions”?',
    'gatehouse.yaml:9:3: there is no setting “accessTokenTtl” under “sessions”. It belongs under “tokens”.',
    'gatehouse.yaml:10:1: there are no settings under “ISSUER”. In this file it is written server: issuer.',
    'gatehouse.yaml:11:9: “tokens” must hold settings, each on its own line as “name: value”.',
    'gatehouse.yaml:13:3: there is no setting “ACCOUNT_LOCKOUT_ATTEMPTS” under “lockouts”. In this file it is written lockouts: accountAttempts.',
    'gatehouse.yaml:3:11: server.issuer takes one value, not a list.',
    'PORT must be a whole number from 1 to 65535.',
    'LOG_LEVEL must be one of trace, debug, info, warn, error, silent.',
    'gatehouse.yaml:8:9: sessions.idle must be a whole number of seconds from 1 to 2592000.',
  ]);
  t.throws(() => load(env, cwd), {
    message: /^Gatehouse cannot start with these settings:\n {2}- gate.*\n {2}- /s,
  });
});

t.test('O3: a slip in the YAML is told by line and column', async (t) => {
  const table: [string, string][] = [
    ['server:\n\tport: 3\n', 'gatehouse.yaml:2:1: a tab is used for indentation; use spaces.'],
    ['server:\n  port: 1\n  port: 2\n', 'gatehouse.yaml:3:3: this name is there twice.'],
    ['server:\n  host: "a\n', 'gatehouse.yaml:3:1: a quote, bracket or separator is missing.'],
    ['server:\n  host: @a\n', 'gatehouse.yaml:2:9: this value needs quotes.'],
    [
      'server:\n  host: !vault a\n',
      'gatehouse.yaml:2:9: tags (!name) are not used here; put the value in quotes.',
    ],
    ['- server\n', 'gatehouse.yaml:1:1: the file must hold rooms with settings, such as “server:”.'],
    ['---\nserver:\n---\nserver:\n', 'gatehouse.yaml:3:1: there is more than one document in the file.'],
  ];
  for (const [text, says] of table) {
    const { cwd, env } = withYaml(t, text);
    const found = faults(env, cwd);
    t.ok(found.includes(says), `${JSON.stringify(text)}: ${found.join(' ')}`);
  }
  for (const text of ['', '# nothing\n', '---\n', 'server:\n']) {
    const { cwd, env } = withYaml(t, text);
    t.strictSame(faults(env, cwd), [], JSON.stringify(text));
  }
});

t.test('O3: a variable that is nearly ours is warned of, others are not', async (t) => {
  const { warnings } = load({
    SESION_IDLE: '5',
    GATEHOUSE_PORT: '5',
    LOGLEVEL: 'info',
    DATABASE_URI: 'postgres://x',
    ISSUER_FLIE: 'x',
    HOSTNAME: 'web-1',
    PATH: '/bin',
    npm_config_cache: '/tmp',
    MAIL_HOST: 'x',
    GATEHOUSE_SERVICE_PORT: '80',
    POSTGRES_PASSWORD: 'x',
  });
  t.strictSame(warnings, [
    'DATABASE_URI is not read; did you mean DATABASE_URL?',
    'GATEHOUSE_PORT is not read; the setting is called PORT.',
    'ISSUER_FLIE is not read; did you mean ISSUER_FILE?',
    'LOGLEVEL is not read; did you mean LOG_LEVEL?',
    'SESION_IDLE is not read; did you mean SESSION_IDLE?',
  ]);
  t.strictSame(load({ GATEHOUSE_PORT: 'tcp://10.96.0.1:80' }).warnings, [], 'set by Kubernetes');
  t.match(load({ ...production(), TRUSTED_PROXIES: '', DEMO: 'on' }).warnings, [/TRUSTED_PROXIES/, /DEMO/]);
  t.match(load({ ISSUER: 'http://localhost:4000' }).warnings, [/listens on port 3000/]);
  t.equal(load({ PORT: '80' }).config.server.issuer, 'http://localhost', 'as browsers write it');
  t.strictSame(load({ PORT: '80', ISSUER: 'http://localhost' }).warnings, []);
  t.match(
    faults({ PORT: 'x', DATABASE_URI: 'x' }),
    [/^PORT/, /did you mean DATABASE_URL/],
    'beside a fault, too',
  );
});

t.test('ATK-A122: empty, sample and patterned keys refuse to start', async (t) => {
  const text = (words: string) => Buffer.from(words.padEnd(32, '!').slice(0, 32)).toString('base64');
  const sequence = Buffer.from([...Array(32).keys()]);
  const samples: [string, string][] = [
    ['zeros', Buffer.alloc(32).toString('base64')],
    ['ones', Buffer.alloc(32, 0xff).toString('base64url')],
    ['a sequence', sequence.toString('base64')],
    ['steps', Buffer.from(sequence.map((i) => 250 - 7 * i)).toString('base64')],
    ['a short one repeated', Buffer.alloc(32, randomBytes(8)).toString('base64')],
    ['a passphrase', text('correct horse battery staple')],
    ['changeme', 'changeme'.repeat(6).slice(0, 43)],
    ['change-me with noise', `change-me-${randomBytes(32).toString('base64url')}`.slice(0, 43)],
  ];
  for (const name of ['ENCRYPTION_KEYS', 'COOKIE_KEYS']) {
    t.match(faults({ ...production(), [name]: '' }), [new RegExp(`^${name} is required`)], 'empty');
    t.match(faults({ ...production(), [name]: ' , ' }), [new RegExp(`^${name} is required`)], 'a comma');
    for (const [kind, sample] of samples) {
      const found = faults({ ...production(), [name]: `${key()},${sample}` });
      t.match(found, [new RegExp(`^${name}: key 2 .*openssl rand`)], `${name} ${kind}: ${found.join(' ')}`);
      t.notOk(found.join().includes(sample), 'the key is not repeated');
    }
  }
  t.ok(configurationDocument().includes(sequence.toString('base64')), 'the key of the documentation is one');
  const one = key();
  t.match(faults({ ...production(), ENCRYPTION_KEYS: `${one},${one}` }), [/one key is there twice/]);
  const twin = Buffer.from(one, 'base64').toString('base64url');
  t.match(faults({ ...production(), ENCRYPTION_KEYS: one, COOKIE_KEYS: twin }), [/have a key in common/]);
  const refused = Array.from({ length: 1000 }, () => ({ ENCRYPTION_KEYS: key(), COOKIE_KEYS: key() })).filter(
    (env) => faults(env).length > 0,
  );
  t.strictSame(refused, [], 'random keys are taken');
});

t.test('ATK-A197: no fault and no warning repeats a value', async (t) => {
  const secret = 'hunter2-S3cret';
  const told: string[] = [];
  for (const settings of Object.values(options)) {
    for (const option of Object.values(settings) as Option[]) {
      told.push(...faults({ [option.env]: `${secret} \u0007` }));
    }
  }
  t.ok(told.length > 40, 'there were faults');
  const yaml = [
    `bootstrap:\n  adminPassword: *${secret}\n`,
    `bootstrap:\n  adminPassword: !${secret} x\n`,
    `bootstrap: {adminPassword:${secret}}\n`,
    `bootstrap:\n  adminPassword:${secret}\n`,
    `bootstrap:\n  adminEmail: a@example.com\n  adminPassword:${secret}\n`,
    `bootstrap:\n  adminPassword: "${secret}\n`,
    `bootstrap:\n  adminPassword: @${secret}\n`,
    `bootstrap:\n  adminPassword: "\\q${secret}"\n`,
    `bootstrap:\n  adminPassword: %${secret}: x\n`,
    `bootstrap:\n  adminPassword: [${secret}]\n`,
    `${secret}\n`,
    `${secret}: 1\n`,
    `"${secret}:": 1\n`,
    `secrets:\n  encryptionKeys: ${secret}\n`,
    `database:\n  url: postgres//u:${secret}@h\n`,
    `server:\n  issuer: https://u:${secret}@h\n`,
  ];
  for (const text of yaml) {
    const { cwd, env } = withYaml(t, text);
    const found = faults(env, cwd);
    t.not(found.length, 0, JSON.stringify(text));
    told.push(...found);
  }
  t.notMatch(told.join('\n'), /hunter2/);
  t.notMatch(load({ SESION_IDLE: secret, GATEHOUSE_PORT: secret }).warnings.join(), /hunter2/);
});

t.test('O3: key files of the embedded database', async (t) => {
  const cwd = folderWith(t);
  const { config } = load({}, cwd);
  const folder = config.server.dataDir;
  const first = withKeyFiles(config, { databaseExists: false });
  t.strictSame(first.created, [join(folder, 'encryption.keys'), join(folder, 'cookie.keys')]);
  t.equal(statSync(folder).mode & 0o777, 0o700);
  for (const path of first.created) t.equal(statSync(path).mode & 0o777, 0o600, path);
  t.strictSame(readdirSync(folder).sort(), ['cookie.keys', 'encryption.keys'], 'nothing unfinished stays');
  const [made] = first.config.secrets.encryptionKeys;
  t.strictSame(faults({ ...production(), ENCRYPTION_KEYS: made }), []);

  const again = withKeyFiles(config, { databaseExists: true });
  t.strictSame(again.created, []);
  t.strictSame(again.config.secrets, first.config.secrets);

  const added = key();
  writeFileSync(join(folder, 'encryption.keys'), `${added}\n\n${made}\r\n`);
  const both = withKeyFiles(config, { databaseExists: true }).config.secrets.encryptionKeys;
  t.strictSame(both, [added, made], 'newest first');

  const given = load({ ENCRYPTION_KEYS: key() }, cwd).config;
  t.strictSame(
    withKeyFiles(given, { databaseExists: true }).config.secrets.encryptionKeys,
    given.secrets.encryptionKeys,
  );

  const served = load(production(), folderWith(t)).config;
  t.strictSame(withKeyFiles(served, { databaseExists: false }), {
    config: served,
    created: [],
    warnings: [],
  });
  t.notOk(existsSync(served.server.dataDir), 'with DATABASE_URL nothing is written');
});

t.test('O3: a key file that is lost, spoiled or open to others', async (t) => {
  const { config } = load({}, folderWith(t));
  const folder = config.server.dataDir;
  const path = join(folder, 'encryption.keys');
  mkdirSync(folder);
  const found = (databaseExists = true) => faultsOf(() => withKeyFiles(config, { databaseExists }));

  t.match(found(), [/encryption\.keys is missing, but there is a database beside it.*Restore/]);
  t.notOk(existsSync(path), 'none is made in its place');

  for (const [text, says] of [
    ['', /is empty\. Restore it from a backup/],
    ['\n\n', /is empty/],
    [`${key()}\nspoiled-hunter2\n`, /encryption\.keys:2:1: this line is not 32 random bytes/],
    [`${Buffer.alloc(32).toString('base64')}\n`, /key 1 is a sample/],
  ] as const) {
    writeFileSync(path, text, { mode: 0o600 });
    const all = found(false);
    t.match(all, [says]);
    t.notMatch(all.join(), /hunter2/);
    t.equal(readFileSync(path, 'utf8'), text, 'the file is left as it is');
  }
  writeFileSync(path, `${key()}\n`);
  writeFileSync(join(folder, 'cookie.keys'), `${key()}\n`, { mode: 0o644 });
  t.match(withKeyFiles(config, { databaseExists: true }).warnings, [/can be read by other users.*chmod 600/]);
});

t.test('O3: the derived documents are current and complete', async (t) => {
  t.strictSame(staleFiles(), [], 'run node config/derive.ts');
  const document = configurationDocument();
  const schema = JSON.parse(valuesSchema());
  for (const option of Object.values(options).flatMap((settings) => Object.values(settings) as Option[])) {
    t.ok(document.includes(`| \`${option.env}\` |`), option.env);
    const values = schema.properties.settings.properties[option.env];
    const reference = schema.properties.secrets.properties[option.env];
    if (option.secret) {
      t.equal(values, undefined, `${option.env} is not taken as a value`);
      t.equal(reference.$ref, '#/$defs/secretReference');
    } else {
      t.ok(values.description.startsWith(option.says));
      t.equal(reference, undefined);
    }
  }
  t.equal(schema.properties.settings.properties.PORT.maximum, 65_535);
  const secrets = Object.keys(schema.properties.secrets.properties);
  for (const name of ['BOOTSTRAP_ADMIN_PASSWORD', 'COOKIE_KEYS', 'DATABASE_OWNER_URL', 'DATABASE_URL']) {
    t.ok(secrets.includes(name), `${name} comes from a Secret`);
  }
});
