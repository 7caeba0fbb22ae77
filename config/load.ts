// Reads the settings: environment over YAML file over default, every setting also from `<ENV>_FILE`.
// All faults are told at once and in words. A fault never repeats a value, since any value may be a credential
// that was put in the wrong place. Unsafe settings refuse to start (ASVS 13.2.3; sample keys, plain http).
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { type Config, type Option, options, type Settings } from './options.ts';
import { readSmtpUrl } from './smtp.ts';

/** Everything that is wrong with the settings, one sentence each. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(
      `Gatehouse cannot start with these settings:\n${faults.map((fault) => `  - ${fault}`).join('\n')}\nEvery setting is described in docs/configuration.md.`,
    );
    this.faults = faults;
  }
}

interface Known {
  room: string;
  name: string;
  option: Option;
}

const known: readonly Known[] = Object.entries(options).flatMap(([room, settings]) =>
  Object.entries(settings).map(([name, option]) => ({ room, name, option: option as Option })),
);
const envNames: readonly string[] = [
  'CONFIG_FILE',
  ...known.flatMap(({ option }) => [option.env, `${option.env}_FILE`]),
];

/** Optimal string alignment: insertions, deletions, replacements and swaps of neighbours. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(
        (above[j] as number) + 1,
        (row[j - 1] as number) + 1,
        (above[j - 1] as number) + same,
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (before[j - 2] as number) + 1);
      }
      row.push(least);
    }
    before = above;
    above = row;
  }
  return above[b.length] as number;
}

function nearest(name: string, names: readonly string[], most: number): string | undefined {
  let best: string | undefined;
  let least = most + 1;
  for (const candidate of names) {
    if (Math.abs(candidate.length - name.length) >= least) continue;
    const away = distance(name.toLowerCase(), candidate.toLowerCase());
    if (away < least) [best, least] = [candidate, away];
  }
  return best;
}

/** What was given for a setting, and where, for the fault. */
interface Given {
  raw: string | readonly string[];
  label: string;
}

const CONTROL = /\p{Cc}/u;
const LONGEST = 4096;

/** The value, or what is wrong with it. */
function parse(option: Option, raw: string | readonly string[]): { value: unknown } | { fault: string } {
  if (option.kind === 'list') {
    const items = (typeof raw === 'string' ? raw.split(/[,\r\n]/) : raw)
      .map((item) => item.trim())
      .filter((item) => item !== '');
    const odd = items.findIndex((item) => CONTROL.test(item) || (option.item && !option.item.test(item)));
    if (odd !== -1) {
      return { fault: `item ${odd + 1} is not ${option.form ?? 'text without control characters'}.` };
    }
    return { value: items };
  }
  if (typeof raw !== 'string') return { fault: 'takes one value, not a list.' };
  switch (option.kind) {
    case 'text':
      if (CONTROL.test(raw)) return { fault: 'contains a control character or a line break.' };
      if (raw.length > LONGEST) return { fault: `is longer than ${LONGEST} characters.` };
      if (option.pattern && !option.pattern.test(raw)) return { fault: `is not ${option.form}.` };
      return { value: raw };
    case 'integer':
    case 'seconds': {
      const unit = option.kind === 'seconds' ? 'a whole number of seconds' : 'a whole number';
      const text = raw.trim();
      const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      if (!(value >= option.min && value <= option.max)) {
        return { fault: `must be ${unit} from ${option.min} to ${option.max}.` };
      }
      return { value };
    }
    case 'flag': {
      const text = raw.trim().toLowerCase();
      if (!/^(true|false|1|0|yes|no|on|off)$/.test(text)) return { fault: 'must be true or false.' };
      return { value: /^(true|1|yes|on)$/.test(text) };
    }
    case 'choice': {
      const value = raw.trim();
      if (!option.choices.includes(value)) return { fault: `must be one of ${option.choices.join(', ')}.` };
      return { value };
    }
  }
}

const REASONS: Record<string, string> = {
  ENOENT: 'there is no such file',
  EACCES: 'it may not be read by this user',
  EPERM: 'it may not be read by this user',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is not a folder',
};
const reason = (error: unknown): string => {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return REASONS[code] ?? (code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'it is not UTF-8 text' : code);
};

const NOT_WRITTEN: Record<string, string> = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'it is on a read-only file system',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota is used up',
  EEXIST: 'it is not a folder',
  ENOTDIR: 'a part of its path is not a folder',
  ENOENT: 'it cannot be made there',
};

const readText = (path: string) => new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));

/** The library's own messages may quote the file, and with it a password. */
const YAML_FAULTS: Record<string, string> = {
  BAD_INDENT: 'the indentation does not fit',
  TAB_AS_INDENT: 'a tab is used for indentation; use spaces',
  DUPLICATE_KEY: 'this name is there twice',
  MISSING_CHAR: 'a quote, bracket or separator is missing',
  BAD_SCALAR_START: 'this value needs quotes',
  UNEXPECTED_TOKEN: 'this is not expected here',
  BLOCK_AS_IMPLICIT_KEY: 'a name and its value must stand on one line',
  MULTILINE_IMPLICIT_KEY: 'a name must stand on one line, followed by a colon and a space',
  TAG_RESOLVE_FAILED: 'tags (!name) are not used here; put the value in quotes',
  BAD_DQ_ESCAPE: 'there is an unknown escape in this quoted text',
  MULTIPLE_DOCS: 'there is more than one document in the file',
};

/** Names from the file are repeated only if they look like names: `{password:secret}` is one key to YAML. */
const shown = (name: string) => (/^[A-Za-z][A-Za-z0-9_]{0,40}$/.test(name) ? `“${name}”` : 'this name');

function readYaml(path: string, label: string, faults: string[]): Map<Option, Given> {
  const found = new Map<Option, Given>();
  let text: string;
  try {
    text = readText(path);
  } catch (error) {
    faults.push(`CONFIG_FILE: ${path} cannot be read: ${reason(error)}.`);
    return found;
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number | undefined) => {
    const { line, col } = lines.linePos(offset ?? 0);
    return `${label}:${line}:${col}`;
  };
  for (const error of [...document.errors, ...document.warnings]) {
    faults.push(
      `${at(error.pos[0])}: ${YAML_FAULTS[error.code] ?? `this is not valid YAML (${error.code})`}.`,
    );
  }
  if (faults.length > 0) return found;

  const settled = (node: unknown): unknown => (isAlias(node) ? node.resolve(document) : node);
  const offsetOf = (node: unknown) => (node as Node | null)?.range?.[0];
  const isEmpty = (node: unknown) => node == null || (isScalar(node) && node.value === null);
  // The text as written, so that 0123 or 1e5 as a password stay what they are.
  const scalarText = (node: unknown): string | undefined =>
    isScalar(node)
      ? typeof node.value === 'string'
        ? node.value
        : (node.source ?? String(node.value))
      : undefined;

  const root = settled(document.contents);
  if (isEmpty(root)) return found;
  if (!isMap(root)) {
    faults.push(`${at(offsetOf(root))}: the file must hold rooms with settings, such as “server:”.`);
    return found;
  }
  const suggest = (name: string, names: readonly string[]) => {
    const byEnv = known.find(({ option }) => option.env === name.toUpperCase());
    const elsewhere = known.find((setting) => setting.name === name);
    const near = nearest(name, names, Math.max(2, Math.floor(name.length / 3)));
    if (byEnv) return ` In this file it is written ${byEnv.room}: ${byEnv.name}.`;
    if (near !== undefined) return ` Did you mean “${near}”?`;
    if (elsewhere) return ` It belongs under “${elsewhere.room}”.`;
    return ` There are: ${names.join(', ')}.`;
  };
  for (const pair of root.items) {
    const room = scalarText(settled(pair.key)) ?? '';
    const settings = known.filter((setting) => setting.room === room);
    if (settings.length === 0) {
      faults.push(
        `${at(offsetOf(pair.key))}: there are no settings under ${shown(room)}.${suggest(room, Object.keys(options))}`,
      );
      continue;
    }
    const group = settled(pair.value);
    if (isEmpty(group)) continue;
    if (!isMap(group)) {
      faults.push(
        `${at(offsetOf(pair.value))}: “${room}” must hold settings, each on its own line as “name: value”.`,
      );
      continue;
    }
    for (const entry of group.items) {
      const name = scalarText(settled(entry.key)) ?? '';
      const setting = settings.find((one) => one.name === name);
      if (!setting) {
        faults.push(
          `${at(offsetOf(entry.key))}: there is no setting ${shown(name)} under “${room}”.${suggest(
            name,
            settings.map((one) => one.name),
          )}`,
        );
        continue;
      }
      const node = settled(entry.value);
      const where = `${at(offsetOf(entry.value) ?? offsetOf(entry.key))}: ${room}.${name}`;
      if (isEmpty(node)) {
        if (isAlias(entry.value)) faults.push(`${where} refers to a name that is not defined; use quotes.`);
        continue;
      }
      const items = isSeq(node) ? node.items.map((item) => scalarText(settled(item))) : undefined;
      const raw = items?.every((item) => item !== undefined) ? items : scalarText(node);
      if (raw === undefined) {
        faults.push(`${where} must be ${setting.option.kind === 'list' ? 'a list of values' : 'one value'}.`);
        continue;
      }
      found.set(setting.option, { raw, label: where });
    }
  }
  return found;
}

/** From the variable or its `_FILE` twin. An empty variable counts as not set (`X=${X:-}` in compose files). */
function readVariable(
  option: Option,
  env: NodeJS.ProcessEnv,
  cwd: string,
  faults: string[],
): Given | undefined {
  const twin = `${option.env}_FILE`;
  const value = env[option.env];
  const file = env[twin];
  if (value && file) {
    faults.push(`${option.env} and ${twin} are both set; keep one of them.`);
    return undefined;
  }
  if (value) return { raw: value, label: option.env };
  if (!file) return undefined;
  try {
    const raw = readText(resolve(cwd, file)).replace(/\r?\n$/, '');
    if (raw !== '') return { raw, label: `${twin} (${file})` };
    faults.push(`${twin}: ${file} is empty.`);
  } catch (error) {
    faults.push(`${twin}: ${file} cannot be read: ${reason(error)}.`);
  }
  return undefined;
}

/** Names of other programs that are one slip away from ours. */
const OTHERS = new Set(['SSL_CERT_FILE', 'SSL_KEY_FILE']);

function nearMisses(env: NodeJS.ProcessEnv): string[] {
  const warnings: string[] = [];
  for (const name of Object.keys(env).sort()) {
    if (envNames.includes(name) || OTHERS.has(name) || !env[name]) continue;
    const bare = name.replace(/^(GATEHOUSE|GH)_+/i, '').toUpperCase();
    if (envNames.includes(bare)) {
      // Kubernetes sets <SERVICE>_PORT=tcp://… in every pod beside a service of that name.
      if (bare !== 'PORT' || !/^\w+:\/\/[\d.:[\]a-f]+$/.test(env[name])) {
        warnings.push(`${name} is not read; the setting is called ${bare}.`);
      }
      continue;
    }
    if (bare.length < 6) continue;
    const squeezed = bare.replaceAll('_', '');
    const near =
      envNames.find((ours) => ours.replaceAll('_', '') === squeezed) ??
      nearest(bare, envNames, bare.length >= 10 ? 2 : 1);
    if (near !== undefined) warnings.push(`${name} is not read; did you mean ${near}?`);
  }
  return warnings;
}

const MAKE_KEY = 'make one with: openssl rand -base64 32';
const keyBytes = (key: string) => Buffer.from(key, 'base64');

/**
 * Why a key is no random key: zeros, repetitions, sequences (docs/configuration.md shows one), text. Random bytes
 * fail this less than once in 10^9.
 */
function weakness(key: string): string | undefined {
  const bytes = keyBytes(key);
  if (bytes.length !== 32) return 'is not 32 bytes';
  const steps = new Set(bytes.subarray(1).map((byte, i) => (byte - (bytes[i] as number)) & 255));
  if (new Set(bytes).size < 16 || steps.size < 8) return 'is a sample or a pattern, not a random key';
  if (bytes.every((byte) => byte >= 0x20 && byte < 0x7f)) return 'is written text, not random bytes';
  if (/change-?_?me|insecure|not-?_?secret|(sample|example|default|secret)-?_?key/i.test(key)) {
    return 'is a sample, not a random key';
  }
  return undefined;
}

function keyFaults(label: string, keys: readonly string[]): string[] {
  const faults: string[] = [];
  for (const [index, key] of keys.entries()) {
    const weak = weakness(key);
    if (weak) faults.push(`${label}: key ${index + 1} ${weak}; ${MAKE_KEY}`);
  }
  const bytes = keys.map((key) => keyBytes(key).toString('hex'));
  if (new Set(bytes).size !== bytes.length) faults.push(`${label}: one key is there twice.`);
  return faults;
}

/** What is wrong with an address or network; `all` says why one that is every address makes no sense. */
function networkFault(text: string, all: string): string | undefined {
  const [address = '', prefix, ...more] = text.split('/');
  const family = address.includes('%') ? 0 : isIP(address);
  const longest = family === 4 ? 32 : 128;
  if (family === 0 || more.length > 0) return 'is not an address or network such as 10.0.0.0/8.';
  if (prefix === undefined) return undefined;
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > longest) {
    return `must have a prefix length from 1 to ${longest}.`;
  }
  if (Number(prefix) === 0) return `is every address: ${all}`;
  return undefined;
}

const LOCAL = /^(localhost|127\.0\.0\.1|\[::1\])$/;

/** Sign-in pages, cookies and tokens are only safe on plain http if they never leave the machine. */
const isLocalOrigin = (origin: string): boolean => LOCAL.test(new URL(origin).hostname);

function smtpFault(url: string): string | undefined {
  try {
    readSmtpUrl(url);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function portOf(origin: string): number {
  const { port, protocol } = new URL(origin);
  return Number(port || (protocol === 'https:' ? 443 : 80));
}

function issuerFault(issuer: string): string | undefined {
  if (issuer.includes('@')) return 'must not contain a user name or password.';
  if (!URL.canParse(issuer)) return 'is not an origin such as https://id.example.com.';
  const url = new URL(issuer);
  if (url.origin !== issuer) return `must be written as browsers write it: ${url.origin}`;
  if (url.protocol === 'http:' && !LOCAL.test(url.hostname)) {
    return `must begin with https, because passwords and tokens travel over it; set ISSUER=https://${url.host} and give TLS_CERT and TLS_KEY, or put a proxy that speaks TLS in front. Plain http is for localhost only.`;
  }
  return undefined;
}

const everyAddress = () =>
  Object.values(networkInterfaces()).some((all) => all?.some((one) => one.family === 'IPv6'))
    ? '::'
    : '0.0.0.0';

/** Why a file cannot be read, if so. */
const unreadable = (path: string): string | undefined => {
  try {
    accessSync(path, constants.R_OK);
    return statSync(path).isDirectory() ? 'it is a folder' : undefined;
  } catch (error) {
    return reason(error);
  }
};

/**
 * The settings of this process. Throws SettingsError with every fault at once. Paths come back absolute, seen
 * from `cwd`. Without DATABASE_URL the keys may still be missing: `withKeyFiles` adds them.
 */
export function loadConfig(input: { env: NodeJS.ProcessEnv; cwd: string }): {
  config: Config;
  /** Sentences for the log: allowed, but probably not meant. */
  warnings: string[];
} {
  const { env, cwd } = input;
  const faults: string[] = [];
  const warnings = nearMisses(env);
  const file = env.CONFIG_FILE;
  const fromFile = file ? readYaml(resolve(cwd, file), file, faults) : new Map<Option, Given>();

  /** Settings with a fault of their own: rules between settings leave them alone. */
  const faulty = new Set<string>();
  const values: Record<string, Record<string, unknown>> = {};
  for (const { room, name, option } of known) {
    const before = faults.length;
    const given = readVariable(option, env, cwd, faults) ?? fromFile.get(option);
    const parsed = given && parse(option, given.raw);
    if (given && parsed && 'fault' in parsed) faults.push(`${given.label} ${parsed.fault}`);
    if (faults.length > before) faulty.add(option.env);
    values[room] ??= {};
    values[room][name] = parsed && 'value' in parsed ? parsed.value : option.default;
  }
  const settings = values as unknown as Settings;

  /** Adds the sentence unless one of the settings it speaks of is wrong already. */
  const rule = (about: readonly string[], broken: boolean, sentence: string, list = faults) => {
    if (broken && !about.some((name) => faulty.has(name))) list.push(sentence);
  };
  const { server, database, secrets, tokens, keys, sessions, passwords, bootstrap, egress, mail } = settings;

  const tls = server.tlsCert !== null && server.tlsKey !== null;
  rule(
    ['TLS_CERT', 'TLS_KEY'],
    (server.tlsCert === null) !== (server.tlsKey === null),
    'TLS_CERT and TLS_KEY belong together; one of them is missing.',
  );
  const tlsCert = server.tlsCert && resolve(cwd, server.tlsCert);
  const tlsKey = server.tlsKey && resolve(cwd, server.tlsKey);
  for (const [name, path] of [
    ['TLS_CERT', tlsCert],
    ['TLS_KEY', tlsKey],
  ] as const) {
    const why = path && unreadable(path);
    rule([name], Boolean(why), `${name}: ${path} cannot be read: ${why}.`);
  }

  // As browsers write it: without the port that goes without saying.
  const ownIssuer = new URL(`${tls ? 'https' : 'http'}://localhost:${server.port}`).origin;
  const wrongIssuer = server.issuer === null ? undefined : issuerFault(server.issuer);
  rule(['ISSUER'], wrongIssuer !== undefined, `ISSUER ${wrongIssuer}`);
  if (wrongIssuer !== undefined) faulty.add('ISSUER');
  const issuer = faulty.has('ISSUER') ? ownIssuer : (server.issuer ?? ownIssuer);
  const local = isLocalOrigin(issuer);
  rule(
    ['ISSUER', 'TLS_CERT', 'TLS_KEY'],
    tls && issuer.startsWith('http:'),
    'ISSUER begins with http, but with TLS_CERT and TLS_KEY the server speaks https only.',
  );
  rule(
    ['ISSUER', 'PORT'],
    local && server.trustedProxies.length === 0 && server.host === null && portOf(issuer) !== server.port,
    `ISSUER is ${issuer}, but the server listens on port ${server.port}.`,
    warnings,
  );
  rule(
    ['ISSUER', 'TRUSTED_PROXIES', 'TLS_CERT', 'TLS_KEY'],
    !local && !tls && server.trustedProxies.length === 0,
    'TRUSTED_PROXIES is empty: behind a proxy every visitor has the address of the proxy in logs, the audit trail and lockouts.',
    warnings,
  );
  for (const [name, list, all] of [
    ['TRUSTED_PROXIES', server.trustedProxies, 'anyone could claim any address. Name the proxies.'],
    ['OUTBOUND_PRIVATE_NETWORKS', egress.privateNetworks, 'nothing would be guarded. Name the networks.'],
  ] as const) {
    for (const [index, network] of list.entries()) {
      const fault = networkFault(network, all);
      rule([name], fault !== undefined, `${name} item ${index + 1} ${fault}`);
    }
  }
  rule(
    ['HEADERS_TIMEOUT', 'REQUEST_TIMEOUT'],
    server.headersTimeout > server.requestTimeout,
    'HEADERS_TIMEOUT must not be longer than REQUEST_TIMEOUT.',
  );
  rule(
    ['DEMO', 'ISSUER'],
    server.demo === true && !local,
    'DEMO is on: the demo app shows tokens and requests to whoever signs in to it. Turn it off for real use.',
    warnings,
  );

  rule(
    ['DATABASE_URL', 'DATABASE_OWNER_URL'],
    database.ownerUrl !== null && database.url === null,
    'DATABASE_OWNER_URL is set without DATABASE_URL; it names the same database as another role.',
  );
  for (const [name, list] of [
    ['ENCRYPTION_KEYS', secrets.encryptionKeys],
    ['COOKIE_KEYS', secrets.cookieKeys],
  ] as const) {
    rule(
      [name, 'DATABASE_URL'],
      database.url !== null && list.length === 0,
      `${name} is required with DATABASE_URL, the same for every replica; ${MAKE_KEY}`,
    );
    for (const fault of keyFaults(name, list)) rule([name], true, fault);
  }
  const sealing = new Set(secrets.encryptionKeys.map((key) => keyBytes(key).toString('hex')));
  rule(
    ['ENCRYPTION_KEYS', 'COOKIE_KEYS'],
    secrets.cookieKeys.some((key) => sealing.has(keyBytes(key).toString('hex'))),
    'ENCRYPTION_KEYS and COOKIE_KEYS have a key in common; each needs its own.',
  );
  rule(
    ['BOOTSTRAP_ADMIN_EMAIL', 'BOOTSTRAP_ADMIN_PASSWORD'],
    (bootstrap.adminEmail === null) !== (bootstrap.adminPassword === null),
    'BOOTSTRAP_ADMIN_EMAIL and BOOTSTRAP_ADMIN_PASSWORD belong together; one of them is missing.',
  );
  const wrongMail = mail.smtpUrl === null ? undefined : smtpFault(mail.smtpUrl);
  rule(['SMTP_URL'], wrongMail !== undefined, `SMTP_URL ${wrongMail}.`);
  rule(
    ['SMTP_URL', 'MAIL_FROM'],
    mail.smtpUrl !== null && mail.from === null,
    'MAIL_FROM is required with SMTP_URL: the address that mails are from.',
  );

  for (const [name, ttl] of [
    ['ACCESS_TOKEN_TTL', tokens.accessTokenTtl],
    ['ID_TOKEN_TTL', tokens.idTokenTtl],
  ] as const) {
    rule(
      ['KEY_KEEP_AFTER', name],
      keys.keepAfter < ttl,
      `KEY_KEEP_AFTER must be at least ${name}, else tokens outlive the key that verifies them.`,
    );
  }
  rule(
    ['KEY_ROTATION_INTERVAL', 'KEY_PUBLISH_AHEAD'],
    keys.publishAhead >= keys.rotateEvery,
    'KEY_PUBLISH_AHEAD must be shorter than KEY_ROTATION_INTERVAL.',
  );
  rule(
    ['KEY_PUBLISH_AHEAD', 'KEY_REFRESH_INTERVAL'],
    keys.publishAhead < keys.refreshEvery,
    'KEY_PUBLISH_AHEAD is shorter than KEY_REFRESH_INTERVAL: a replica may not know a key yet when another one signs with it.',
    warnings,
  );
  rule(
    ['SESSION_IDLE', 'SESSION_MAX_AGE'],
    sessions.idle > sessions.maxAge,
    'SESSION_IDLE is longer than SESSION_MAX_AGE and never matters.',
    warnings,
  );
  rule(
    ['REFRESH_TOKEN_IDLE', 'GRANT_MAX_AGE'],
    tokens.refreshTokenIdle > tokens.grantMaxAge,
    'REFRESH_TOKEN_IDLE is longer than GRANT_MAX_AGE and never matters.',
    warnings,
  );
  rule(
    ['PASSWORD_MIN_LENGTH', 'PASSWORD_MIN_LENGTH_SINGLE_FACTOR'],
    passwords.minLength > passwords.minLengthSingleFactor,
    'PASSWORD_MIN_LENGTH must not be longer than PASSWORD_MIN_LENGTH_SINGLE_FACTOR.',
  );
  // The weakest of the settings OWASP names: 7 MiB with 5 passes; the others multiply to more.
  rule(
    ['ARGON2_MEMORY', 'ARGON2_PASSES', 'ISSUER'],
    !local && passwords.hashMemory * passwords.hashPasses < 7168 * 5,
    'ARGON2_MEMORY and ARGON2_PASSES are too low to protect passwords; multiplied they must give at least 35840 (19456 with 2 passes is usual).',
  );

  // A setting that is missing may be there under a name that is nearly right.
  if (faults.length > 0) throw new SettingsError([...faults, ...nearMisses(env)]);
  const config: Config = {
    ...settings,
    server: {
      ...server,
      issuer,
      host: server.host ?? (local ? (issuer.includes('[::1]') ? '::1' : '127.0.0.1') : everyAddress()),
      demo: server.demo ?? local,
      dataDir: resolve(cwd, server.dataDir),
      tlsCert,
      tlsKey,
    },
  };
  for (const room of Object.values(config)) Object.freeze(room);
  return { config: Object.freeze(config), warnings };
}

function parseKeyFile(path: string): string[] {
  let text: string;
  try {
    text = readText(path);
  } catch (error) {
    throw new SettingsError([`${path} cannot be read: ${reason(error)}.`]);
  }
  const { item, form } = options.secrets.encryptionKeys;
  const faults: string[] = [];
  const keys: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    if (item?.test(line.trim())) keys.push(line.trim());
    else faults.push(`${path}:${index + 1}:1: this line is not ${form}.`);
  }
  if (faults.length === 0) faults.push(...keyFaults(path, keys));
  if (keys.length === 0 && faults.length === 0) {
    faults.push(`${path} is empty. Restore it from a backup; what it sealed cannot be read without it.`);
  }
  if (faults.length > 0) throw new SettingsError(faults);
  return keys;
}

/** Appears whole or not at all, and never over a file that is there. False: another process was faster. */
function createKeyFile(path: string): boolean {
  const unfinished = `${path}.${randomBytes(6).toString('hex')}.new`;
  const fd = openSync(unfinished, 'wx', 0o600);
  try {
    writeSync(fd, `${randomBytes(32).toString('base64url')}\n`);
    fsyncSync(fd);
    linkSync(unfinished, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    closeSync(fd);
    rmSync(unfinished);
  }
}

/** The key file of the embedded database that holds the keys that seal. */
export const encryptionKeyFile = (config: Config): string => join(config.server.dataDir, 'encryption.keys');

/**
 * Puts a fresh key before those in the file; returns all of them. The file is at every moment the old one or the new one, whole. Throws
 * SettingsError where it does not hold exactly `keys`, or cannot be written.
 */
export function prependKey(path: string, keys: readonly string[]): string[] {
  const there = parseKeyFile(path);
  if (there.join() !== keys.join()) {
    throw new SettingsError([`${path} has changed since it was read; nothing was written.`]);
  }
  const all = [randomBytes(32).toString('base64url'), ...there];
  const unfinished = `${path}.${randomBytes(6).toString('hex')}.new`;
  try {
    const fd = openSync(unfinished, 'wx', 0o600);
    try {
      writeSync(fd, `${all.join('\n')}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(unfinished, path);
    syncFolder(dirname(path));
    return all;
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw new SettingsError([`${path} cannot be written: ${reason(error)}.`]);
  }
}

function syncFolder(folder: string) {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

interface KeyFiles {
  config: Config;
  /** Paths of files made just now. */
  created: string[];
  warnings: string[];
}

/**
 * Adds the keys of the embedded database: `encryption.keys` and `cookie.keys` in DATA_DIR, one key per line,
 * newest first; made on the first start. Keys that are set win. Call it before the database is made, so that a
 * database is never without its keys; with `databaseExists` a missing encryption.keys is refused, since new keys
 * would not open what is there. With DATABASE_URL nothing is read or written.
 */
export function withKeyFiles(config: Config, { databaseExists }: { databaseExists: boolean }): KeyFiles {
  const result: KeyFiles = { config, created: [], warnings: [] };
  if (config.database.url !== null) return result;
  const folder = config.server.dataDir;
  const keysFrom = (name: string, given: readonly string[], irreplaceable: boolean) => {
    if (given.length > 0) return given;
    const path = join(folder, name);
    let mode = existsSync(path) ? statSync(path).mode : undefined;
    if (mode === undefined) {
      if (irreplaceable && databaseExists) {
        throw new SettingsError([
          `${path} is missing, but there is a database beside it whose secrets only its keys can open. Restore the file from your backup, or set ENCRYPTION_KEYS.`,
        ]);
      }
      try {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        if (createKeyFile(path)) result.created.push(path);
        syncFolder(folder);
      } catch (error) {
        const { code = '' } = error as NodeJS.ErrnoException;
        throw new SettingsError([
          `DATA_DIR: ${folder} cannot be written: ${NOT_WRITTEN[code] ?? code}. The embedded database is kept there; with DATABASE_URL no folder is needed.`,
        ]);
      }
      mode = statSync(path).mode;
    }
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      result.warnings.push(
        `${path} can be read by other users of this machine; run: chmod 600 ${basename(path)}`,
      );
    }
    return parseKeyFile(path);
  };
  const { encryptionKeys, cookieKeys } = config.secrets;
  result.config = Object.freeze({
    ...config,
    secrets: Object.freeze({
      encryptionKeys: keysFrom(basename(encryptionKeyFile(config)), encryptionKeys, true),
      // Lost cookie keys end sessions and open forms, nothing more.
      cookieKeys: keysFrom('cookie.keys', cookieKeys, false),
    }),
  });
  return result;
}
