// The settings table: one record per setting. Environment name, `*_FILE` twin, YAML path, docs/configuration.md
// and helm/values.schema.json all derive from it. A setting is read as `config.<room>.<name>`.
// Durations are seconds; every one may be set as low as 1 so that tests can wait for it.

interface Common {
  env: string;
  /** What it does and when to change it, in a sentence or two. */
  says: string;
  /** A credential: never logged or shown, readable from `<ENV>_FILE`. */
  secret?: true;
}

interface TextOption<D extends string | null> extends Common {
  kind: 'text';
  default: D;
  pattern?: RegExp;
  /** What the pattern asks for, in words. */
  form?: string;
}
interface NumberOption extends Common {
  kind: 'integer' | 'seconds';
  default: number;
  min: number;
  max: number;
}
interface FlagOption<D extends boolean | null> extends Common {
  kind: 'flag';
  default: D;
}
interface ChoiceOption<C extends string> extends Common {
  kind: 'choice';
  default: C;
  choices: readonly C[];
}
interface ListOption extends Common {
  kind: 'list';
  default: readonly string[];
  item?: RegExp;
  form?: string;
}

export type Option =
  | TextOption<string>
  | TextOption<null>
  | NumberOption
  | FlagOption<boolean>
  | FlagOption<null>
  | ChoiceOption<string>
  | ListOption;

function text(
  env: string,
  fallback: string,
  says: string,
  more?: Partial<TextOption<string>>,
): TextOption<string>;
function text(env: string, fallback: null, says: string, more?: Partial<TextOption<null>>): TextOption<null>;
function text(env: string, fallback: string | null, says: string, more: object = {}): unknown {
  return { kind: 'text', env, default: fallback, says, ...more };
}
const integer = (
  env: string,
  fallback: number,
  [min, max]: [number, number],
  says: string,
): NumberOption => ({
  kind: 'integer',
  env,
  default: fallback,
  min,
  max,
  says,
});
const seconds = (env: string, fallback: number, max: number, says: string, min = 1): NumberOption => ({
  kind: 'seconds',
  env,
  default: fallback,
  min,
  max,
  says,
});
function flag(env: string, fallback: boolean, says: string): FlagOption<boolean>;
function flag(env: string, fallback: null, says: string): FlagOption<null>;
function flag(env: string, fallback: boolean | null, says: string): unknown {
  return { kind: 'flag', env, default: fallback, says };
}
const choice = <const C extends string>(
  env: string,
  fallback: NoInfer<C>,
  choices: readonly C[],
  says: string,
): ChoiceOption<C> => ({ kind: 'choice', env, default: fallback, choices, says });
const list = (env: string, says: string, more: Partial<ListOption> = {}): ListOption => ({
  kind: 'list',
  env,
  default: [],
  says,
  ...more,
});

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** 32 random bytes as base64url or base64, the form of every key in ENCRYPTION_KEYS and COOKIE_KEYS. */
const KEY_PATTERN = /^[A-Za-z0-9_+/-]{43}=?$/;
const KEY_FORM = '32 random bytes in base64 or base64url (`openssl rand -base64 32`)';

const POSTGRES = {
  pattern: /^postgres(ql)?:\/\//,
  form: 'a PostgreSQL URL such as postgres://user:password@host:5432/database',
};

export const options = {
  server: {
    issuer: text(
      'ISSUER',
      null,
      'The public origin, exactly as browsers and apps reach it: it is the issuer of every token and the root of every link. `http://localhost:<PORT>` when not set; https everywhere else.',
      {
        pattern: /^https?:\/\/[^/?#\s]+$/,
        form: 'an origin such as https://id.example.com, without a path or a trailing slash',
      },
    ),
    port: integer('PORT', 3000, [1, 65535], 'The port to listen on.'),
    host: text(
      'HOST',
      null,
      'The address to listen on. Without it: 127.0.0.1 when the issuer is localhost, else every address.',
      { pattern: /^[A-Za-z0-9_.:%-]+$/, form: 'an address or host name such as 0.0.0.0, without a port' },
    ),
    tlsCert: text(
      'TLS_CERT',
      null,
      'PEM file of the certificate chain. With `TLS_KEY`, the server speaks TLS itself; both files are read again when they change.',
    ),
    tlsKey: text('TLS_KEY', null, "PEM file of the certificate's private key."),
    trustedProxies: list(
      'TRUSTED_PROXIES',
      'Addresses or networks (CIDR) of the reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed. Nobody else’s are.',
      {
        form: 'an address or network such as 10.0.0.0/8',
      },
    ),
    dataDir: text('DATA_DIR', './data', 'Where the embedded database and the generated key files live.'),
    bodyLimit: integer('BODY_LIMIT', 65_536, [1024, 10_485_760], 'Largest request body in bytes.'),
    pageRateLimit: integer(
      'PAGE_RATE_LIMIT',
      3000,
      [0, 1_000_000],
      'Requests for pages that one address (IPv6: one /64) may make per minute and process; 0: no limit. A ceiling against floods; sign-ins have tighter ones.',
    ),
    requestTimeout: seconds(
      'REQUEST_TIMEOUT',
      20,
      10 * MINUTE,
      'A request that has not arrived in full by then is ended.',
    ),
    headersTimeout: seconds(
      'HEADERS_TIMEOUT',
      10,
      10 * MINUTE,
      'Request headers that have not arrived by then end the connection.',
    ),
    keepAliveTimeout: seconds(
      'KEEP_ALIVE_TIMEOUT',
      65,
      HOUR,
      'An idle connection is closed after this; keep it above that of the proxy in front.',
    ),
    shutdownGrace: seconds(
      'SHUTDOWN_GRACE',
      15,
      10 * MINUTE,
      'How long a stopping server lets requests under way finish.',
    ),
    demo: flag(
      'DEMO',
      null,
      'The built-in demo app at `/demo`. Without it: on when the issuer is localhost, off elsewhere.',
    ),
  },
  log: {
    level: choice(
      'LOG_LEVEL',
      'info',
      ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
      'The least severity that is logged.',
    ),
    format: choice(
      'LOG_FORMAT',
      'auto',
      ['auto', 'json', 'pretty'],
      '`auto` writes for people on a terminal and JSON elsewhere.',
    ),
  },
  database: {
    url: text(
      'DATABASE_URL',
      null,
      'A PostgreSQL server to use, as the role that runs the server. Without it Gatehouse starts its own in DATA_DIR.',
      { secret: true, ...POSTGRES },
    ),
    ownerUrl: text(
      'DATABASE_OWNER_URL',
      null,
      'The same database as the role that owns the tables and migrates. Without it DATABASE_URL does both, and the server could alter its own audit trail.',
      { secret: true, ...POSTGRES },
    ),
    poolSize: integer('DATABASE_POOL_SIZE', 10, [2, 200], 'Connections per process.'),
    statementTimeout: seconds(
      'DATABASE_STATEMENT_TIMEOUT',
      10,
      HOUR,
      'A statement that takes longer is cancelled.',
    ),
    lockTimeout: seconds(
      'DATABASE_LOCK_TIMEOUT',
      5,
      HOUR,
      'Waiting longer than this for a row is given up with 503.',
    ),
  },
  secrets: {
    encryptionKeys: list(
      'ENCRYPTION_KEYS',
      'Keys that seal secrets in the database, newest first; keep old ones until everything is sealed anew. Generated into DATA_DIR with the embedded database; required with DATABASE_URL.',
      {
        item: KEY_PATTERN,
        form: KEY_FORM,
        secret: true,
      },
    ),
    cookieKeys: list(
      'COOKIE_KEYS',
      'Keys that sign cookies and form tokens, newest first; keep an old one for SESSION_MAX_AGE. Generated into DATA_DIR with the embedded database; required with DATABASE_URL.',
      {
        item: KEY_PATTERN,
        form: KEY_FORM,
        secret: true,
      },
    ),
  },
  bootstrap: {
    adminEmail: text(
      'BOOTSTRAP_ADMIN_EMAIL',
      null,
      'With BOOTSTRAP_ADMIN_PASSWORD: makes the first administrator at start, once, instead of the setup link.',
      { pattern: /^[^\s@]+@[^\s@]+$/, form: 'an e-mail address' },
    ),
    adminPassword: text(
      'BOOTSTRAP_ADMIN_PASSWORD',
      null,
      'The first administrator’s password; the password rules apply.',
      { secret: true },
    ),
    setupLinkTtl: seconds('SETUP_LINK_TTL', HOUR, DAY, 'How long a setup link works.'),
  },
  sessions: {
    idle: seconds('SESSION_IDLE', 2 * HOUR, 30 * DAY, 'A session unused for this long is over.'),
    maxAge: seconds(
      'SESSION_MAX_AGE',
      DAY,
      YEAR,
      'A session is over this long after the sign-in, however active.',
    ),
    expireEvery: seconds(
      'SESSION_EXPIRE_INTERVAL',
      30,
      HOUR,
      'How often sessions past a limit are looked for, to tell their apps. To Gatehouse itself they are over at once.',
    ),
    interactionTtl: seconds(
      'INTERACTION_TTL',
      15 * MINUTE,
      DAY,
      'How long a person may take for one sign-in.',
    ),
  },
  tokens: {
    authorizationCodeTtl: seconds(
      'AUTHORIZATION_CODE_TTL',
      60,
      10 * MINUTE,
      'Lifetime of an authorization code.',
    ),
    dpopRequireNonce: flag(
      'DPOP_REQUIRE_NONCE',
      true,
      'DPoP proofs must carry a nonce of this server (RFC 9449 section 8): a stolen proof is of no use later. Off for apps that cannot repeat a request with one.',
    ),
    deviceCodeTtl: seconds(
      'DEVICE_CODE_TTL',
      10 * MINUTE,
      HOUR,
      'How long a device waits for a person to enter its code and allow it.',
    ),
    devicePollInterval: seconds(
      'DEVICE_POLL_INTERVAL',
      5,
      MINUTE,
      'How long a waiting device pauses between two questions; one that asks sooner is slowed down by five seconds each time.',
    ),
    accessTokenTtl: seconds(
      'ACCESS_TOKEN_TTL',
      15 * MINUTE,
      DAY,
      'Lifetime of an access token; a client may have a shorter one.',
    ),
    idTokenTtl: seconds('ID_TOKEN_TTL', 15 * MINUTE, DAY, 'Lifetime of an ID token.'),
    refreshTokenIdle: seconds(
      'REFRESH_TOKEN_IDLE',
      7 * DAY,
      YEAR,
      'A refresh token unused for this long is dead.',
    ),
    grantMaxAge: seconds(
      'GRANT_MAX_AGE',
      30 * DAY,
      5 * YEAR,
      'The end of every chain of refreshes, counted from the sign-in.',
    ),
    refreshReplayWindow: seconds(
      'REFRESH_REPLAY_WINDOW',
      10,
      MINUTE,
      'Parallel uses of one refresh token get the same successor for this long, or until it is used. 0: any second use is theft.',
      0,
    ),
    refreshReuseEnds: choice(
      'REFRESH_REUSE_ENDS',
      'account',
      ['account', 'family'],
      'What a reused refresh token ends: everything of the account, or the tokens of that one sign-in.',
    ),
  },
  keys: {
    rotateEvery: seconds(
      'KEY_ROTATION_INTERVAL',
      90 * DAY,
      5 * YEAR,
      'A signing key is replaced after this long.',
    ),
    publishAhead: seconds(
      'KEY_PUBLISH_AHEAD',
      DAY,
      30 * DAY,
      'A new key is in the JWKS for this long before it signs; longer than any app caches the JWKS.',
    ),
    keepAfter: seconds(
      'KEY_KEEP_AFTER',
      DAY,
      YEAR,
      'A replaced key stays in the JWKS for this long; longer than any token lives.',
    ),
    refreshEvery: seconds(
      'KEY_REFRESH_INTERVAL',
      5,
      MINUTE,
      'How often a replica looks for new keys if it was not told of them.',
    ),
  },
  passwords: {
    minLength: integer(
      'PASSWORD_MIN_LENGTH',
      8,
      [8, 256],
      'Shortest password where a second factor protects the account.',
    ),
    minLengthSingleFactor: integer(
      'PASSWORD_MIN_LENGTH_SINGLE_FACTOR',
      15,
      [8, 256],
      'Shortest password where it is the only factor.',
    ),
    hashMemory: integer('ARGON2_MEMORY', 19_456, [7168, 4_194_304], 'argon2id memory in KiB.'),
    hashPasses: integer('ARGON2_PASSES', 2, [1, 20], 'argon2id passes.'),
    hashParallelism: integer('ARGON2_PARALLELISM', 1, [1, 16], 'argon2id lanes.'),
    hashConcurrency: integer(
      'HASH_CONCURRENCY',
      0,
      [0, 64],
      'Password hashes computed at once; 0: one less than the processors, at least one.',
    ),
    hashQueue: integer(
      'HASH_QUEUE',
      32,
      [1, 10_000],
      'Sign-ins that may wait for a hash; more are answered 503 with Retry-After.',
    ),
  },
  lockouts: {
    accountAttempts: integer(
      'ACCOUNT_LOCKOUT_ATTEMPTS',
      5,
      [1, 100],
      'Wrong passwords for one account before it is locked.',
    ),
    accountDuration: seconds(
      'ACCOUNT_LOCKOUT_DURATION',
      1800,
      DAY,
      'How long a locked account refuses passwords.',
    ),
    addressAttempts: integer(
      'ADDRESS_LOCKOUT_ATTEMPTS',
      50,
      [1, 100_000],
      'Wrong passwords from one address (IPv6: one /64), whatever the account, before it is refused.',
    ),
    addressDuration: seconds(
      'ADDRESS_LOCKOUT_DURATION',
      900,
      DAY,
      'The time in which they count, and for which the address is refused.',
    ),
    userCodeAttempts: integer(
      'USER_CODE_LOCKOUT_ATTEMPTS',
      20,
      [1, 100_000],
      'Wrong device codes entered from one address (IPv6: one /64) before it is refused.',
    ),
    userCodeDuration: seconds(
      'USER_CODE_LOCKOUT_DURATION',
      900,
      DAY,
      'The time in which they count, and for which the address is refused.',
    ),
    clientAuthAttempts: integer(
      'CLIENT_AUTH_LOCKOUT_ATTEMPTS',
      20,
      [1, 100_000],
      'Failed client authentications from one address for one client before both together are refused; five times as many refuse the address.',
    ),
    clientAuthDuration: seconds(
      'CLIENT_AUTH_LOCKOUT_DURATION',
      300,
      DAY,
      'The time in which they count, and for which they are refused.',
    ),
  },
  registration: {
    mode: choice(
      'DYNAMIC_REGISTRATION',
      'off',
      ['off', 'token', 'open'],
      'Whether apps may register themselves (RFC 7591): with a token of `gatehouse client registration-token create`, or anyone. People are told that nobody has checked such an app.',
    ),
    perAddress: integer(
      'DYNAMIC_REGISTRATION_LIMIT',
      20,
      [1, 100_000],
      'How many apps may be registered without a token from one address (IPv6: one /64) in an hour.',
    ),
    unused: integer(
      'DYNAMIC_REGISTRATION_UNUSED',
      1000,
      [1, 1_000_000],
      'How many apps that came without a token may wait for the first person who lets them in; then no more are taken. After a week without one they are removed.',
    ),
  },
  egress: {
    privateNetworks: list(
      'OUTBOUND_PRIVATE_NETWORKS',
      'Addresses or networks (CIDR) that Gatehouse may send requests to although they are not public, also over plain http: apps or sign-in services of your own network. Whoever can register an app can make it send requests there.',
      { form: 'an address or network such as 10.1.2.0/24' },
    ),
    timeout: seconds(
      'OUTBOUND_TIMEOUT',
      5,
      MINUTE,
      'A request to another server that is not answered in full by then is given up.',
    ),
    maxBytes: integer(
      'OUTBOUND_MAX_BYTES',
      65_536,
      [1024, 10_485_760],
      'The longest answer of another server that is read, in bytes.',
    ),
  },
  mail: {
    smtpUrl: text(
      'SMTP_URL',
      null,
      'The mail server that takes the mails to people: `smtp://` with STARTTLS, which is required except on localhost, or `smtps://`. User and password percent-encoded. Without it mails wait, and `gatehouse mail` shows them.',
      {
        secret: true,
        pattern: /^smtps?:\/\/\S+$/,
        form: 'an SMTP URL such as smtp://user:password@mail.example.com:587',
      },
    ),
    from: text(
      'MAIL_FROM',
      null,
      'Who mails are from: an address that the mail server lets this user send from, with or without a name. Required with SMTP_URL.',
      {
        pattern:
          /^(?:[^<>"\\\p{C}]{0,100} <[^\s\p{C}@"(),:;<>[\\\]]{1,64}@[\p{L}\p{N}.-]{1,189}>|[^\s\p{C}@"(),:;<>[\\\]]{1,64}@[\p{L}\p{N}.-]{1,189})$/u,
        form: 'an address such as no-reply@example.com or Example <no-reply@example.com>',
      },
    ),
    timeout: seconds(
      'MAIL_TIMEOUT',
      60,
      10 * MINUTE,
      'A mail that the mail server has not taken by then is tried again later. Too short a time sends mails twice.',
    ),
    recipientLimit: integer(
      'MAIL_RECIPIENT_LIMIT',
      5,
      [1, 1000],
      'How many mails of one kind may go to one address in an hour. More are not made: nobody can have somebody’s mailbox filled.',
    ),
  },
  jobs: {
    purgeEvery: seconds(
      'PURGE_INTERVAL',
      5 * MINUTE,
      DAY,
      'How often expired rows are removed, in small batches.',
    ),
  },
} as const;

type ValueOf<O> = O extends { kind: 'text'; default: infer D }
  ? D extends null
    ? string | null
    : string
  : O extends { kind: 'integer' | 'seconds' }
    ? number
    : O extends { kind: 'flag'; default: infer D }
      ? D extends null
        ? boolean | null
        : boolean
      : O extends ChoiceOption<infer C>
        ? C
        : readonly string[];

type Options = typeof options;
/** What the settings say, before anything is resolved: `null` where a default depends on other settings. */
export type Settings = { [R in keyof Options]: { [K in keyof Options[R]]: ValueOf<Options[R][K]> } };

/** Settings with every dependent default resolved (config/load.ts). */
export type Config = Omit<Settings, 'server'> & {
  server: Omit<Settings['server'], 'issuer' | 'host' | 'demo'> & {
    issuer: string;
    host: string;
    demo: boolean;
  };
};
