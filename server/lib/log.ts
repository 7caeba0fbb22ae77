// The log. One line per event whatever the input; no credential in it, wherever one turns up (ASVS 16.2.5, 16.4.1).
// Fields are cleaned by name at any depth and by what their text looks like; requests and errors are reduced to
// allow-lists, since their objects hold everything. A person's password has no look: log it under no other name.
import { createRequire } from 'node:module';
import { type DestinationStream, type Logger, pino } from 'pino';
import type { Config } from '../../config/options.ts';

export type Log = Logger;

const REDACTED = '[redacted]';
const LONGEST_TEXT = 4096;
const LONGEST_LIST = 100;
const DEEPEST = 6;

/** Matched against names in lower case without `-` and `_`. */
const SECRET_NAME =
  /password|passwd|passphrase|secrets?$|secrethash|authorization$|cookies?$|apikeys?$|tokens?$|tokenhint$|assertion$|verifier$|challenge$|credentials?$|privatekey|privatejwk|sealed$|^otp$|totp$|seed$|(device|user|recovery|backup|authorization)codes?$|^(encryption|cookie)keys$|^(database|owner)url$|^jwt$|^(d|dp|dq|qi|k)$/;
/** Our problem codes, SQLSTATEs and errno names; any other `code` may be an authorization code. */
const ERROR_CODE = /^([a-z][A-Za-z]*\.[a-z][A-Za-z]*|[A-Z][A-Z_]{3,}|[0-9A-Z]{5})$/;

function isSecret(name: string, value: unknown): boolean {
  if (value === null || value === undefined || typeof value === 'boolean') return false;
  const plain = name.toLowerCase().replace(/[-_]/g, '');
  if (plain === 'code') return typeof value !== 'string' || !ERROR_CODE.test(value);
  return SECRET_NAME.test(plain);
}

const NAMED =
  'password|passwd|secret|token|authorization|cookie|assertion|code_verifier|id_token_hint|api_?key|otp';
const LOOKS: readonly [RegExp, string][] = [
  // Drizzle puts the bound values behind its statement.
  [/(\bFailed query:[\s\S]*?)\n?params:[\s\S]*$/, '$1'],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*-----|$)/g, REDACTED],
  // “Basic authentication failed” is a sentence.
  [/\b((?i:Bearer|Basic|DPoP))\s+(?![a-z]{1,14}\b)[\w.~+/=-]{6,}/g, `$1 ${REDACTED}`],
  [/\beyJ[\w-]{6,}\.[\w.-]+/g, REDACTED],
  [/(:\/\/)[^/\s@:]{0,64}:[^\s@]{0,256}@/g, `$1${REDACTED}@`],
  [/([?&#](?:code|device_code|user_code)=)[^&\s"#]*/gi, `$1${REDACTED}`],
  [new RegExp(`((?:${NAMED})s?=)[^&\\s"';]+`, 'gi'), `$1${REDACTED}`],
  // JSON, also within JSON, where the quotes are escaped.
  [
    new RegExp(
      `((?:${NAMED}|[{,]\\\\*"code)s?\\\\*"\\s*:\\s*)(\\\\*")(?:(?!\\2)(?:\\\\.|[^]))*(?:\\2|$)`,
      'gi',
    ),
    `$1$2${REDACTED}$2`,
  ],
  // 256 random bits in base64url: our codes, tokens, client secrets, cookies and links.
  [/(?<![\w-])(?=[-_]*[A-Za-z0-9])[\w-]{43,}(?![\w-])/g, REDACTED],
];

/** Cut so that no part of a credential is left that its look would have given away. */
function shortened(text: string): string {
  let end = LONGEST_TEXT;
  while (end > LONGEST_TEXT - 512 && /[\w.~+/=-]/.test(text.charAt(end - 1))) end--;
  return `${text.slice(0, end)}… (${text.length} characters)`;
}

/** Most fields: ids, names of routes and events. None of the looks can be in these. */
const PLAIN = /^[\w-]{0,42}$/;

function cleanText(text: string): string {
  if (PLAIN.test(text)) return text;
  let clean = text.length > LONGEST_TEXT ? shortened(text) : text;
  for (const [look, instead] of LOOKS) clean = clean.replace(look, instead);
  return clean;
}

interface ErrorLike extends Error {
  code?: unknown;
  status?: unknown;
  statusCode?: unknown;
  error?: unknown;
  error_description?: unknown;
  error_detail?: unknown;
  table_name?: unknown;
  constraint_name?: unknown;
  routine?: unknown;
}

/** PostgreSQL's data exceptions (class 22) quote the value they dislike. */
const messageOf = (error: ErrorLike): string =>
  cleanText(
    typeof error.code === 'string' && /^22...$/.test(error.code)
      ? error.message.replace(/"[^"]*"|: .*$/gs, '…')
      : error.message,
  );

/** An allow-list: postgres.js and Drizzle hang the statement and its bound values on their errors. */
function errorFacts(error: ErrorLike, deep = 0): Record<string, unknown> {
  const facts: Record<string, unknown> = { type: cleanText(error.name), message: messageOf(error) };
  for (const name of ['code', 'error', 'table_name', 'constraint_name', 'routine'] as const) {
    const value = error[name];
    if (typeof value === 'string') facts[name] = cleanText(value.slice(0, 200));
  }
  for (const name of ['error_description', 'error_detail'] as const) {
    const value = error[name];
    if (typeof value === 'string') facts[name] = cleanText(value);
  }
  const status = error.status ?? error.statusCode;
  if (typeof status === 'number') facts.status = status;
  // The frames only: the first lines of a stack repeat the message.
  const frames = error.stack?.match(/^\s+at .*$/gm)?.slice(0, 20);
  if (frames) facts.stack = cleanText(frames.map((frame) => frame.trim()).join('\n'));
  if (deep < 3) {
    if (error.cause instanceof Error) facts.cause = errorFacts(error.cause, deep + 1);
    else if (typeof error.cause === 'string') facts.cause = cleanText(error.cause);
    if (error instanceof AggregateError) {
      facts.errors = error.errors
        .slice(0, 5)
        .map((one) => (one instanceof Error ? errorFacts(one, deep + 1) : typeof one));
    }
  }
  return facts;
}

interface RequestLike {
  id?: unknown;
  ip?: unknown;
  method?: unknown;
  url?: unknown;
  routeOptions?: { url?: unknown };
  socket?: { remoteAddress?: unknown };
}

/** Never the query string or a header; of an unknown path no part that could be a token. */
function requestFacts(request: RequestLike): Record<string, unknown> {
  const route = request.routeOptions?.url;
  const facts: Record<string, unknown> = { method: String(request.method).slice(0, 20) };
  if (typeof request.id === 'string' || typeof request.id === 'number') {
    facts.id = cleanText(String(request.id).slice(0, 100));
  }
  if (typeof route === 'string') facts.route = route;
  else {
    facts.path = String(request.url ?? '')
      .replace(/[?#].*$/s, '')
      .replace(/[^/]{20,}/g, '…')
      .slice(0, 200);
  }
  const address = request.ip ?? request.socket?.remoteAddress;
  if (typeof address === 'string') facts.address = address.slice(0, 45);
  return facts;
}

function clean(name: string, value: unknown, deep: number): unknown {
  if (isSecret(name, value)) return REDACTED;
  switch (typeof value) {
    case 'string':
      // A key id is a hash of the public key and looks like a secret.
      return name === 'kid' ? value.slice(0, 100) : cleanText(value);
    case 'bigint':
      return String(value);
    case 'object':
      break;
    default:
      return value;
  }
  if (value === null) return null;
  if (value instanceof Error) return errorFacts(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof URL) return `${value.origin}${value.pathname}`;
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof Map || value instanceof Set) return `[${value.size} entries]`;
  if ((name === 'req' || name === 'request') && 'method' in value) return requestFacts(value);
  if ((name === 'res' || name === 'reply') && 'statusCode' in value) return { status: value.statusCode };
  if (deep >= DEEPEST) return '[deep]';
  if (Array.isArray(value)) return value.slice(0, LONGEST_LIST).map((item) => clean('', item, deep + 1));
  return cleanFields(value, deep + 1);
}

function cleanFields(fields: object, deep = 0): Record<string, unknown> {
  const cleaned: Record<string, unknown> = {};
  for (const name of Object.keys(fields).slice(0, LONGEST_LIST)) {
    let value: unknown;
    try {
      value = clean(name, (fields as Record<string, unknown>)[name], deep);
    } catch {
      value = '[unreadable]';
    }
    Object.defineProperty(cleaned, cleanText(name), { value, enumerable: true });
  }
  return cleaned;
}

/** What JSON leaves as it is but viewers and terminals act on: C1 controls, line separators, text direction. */
const ACTIVE = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const escapeActive = (line: string) =>
  line.replace(ACTIVE, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);

/**
 * pino-pretty prints texts raw. Escapes of control characters are doubled, so that a terminal shows them instead
 * of obeying, and line breaks are indented, so that no text looks like a line of its own.
 */
const tame = (line: string) =>
  escapeActive(line).replace(/\\(\\|n|[rbft]|u00[0189][0-9a-f]|u007f|u20[0-9a-f]{2})/g, (all, what) =>
    what === '\\' ? all : what === 'n' ? '\\n    ' : `\\${all}`,
  );

const isPretty = (settings: Config['log']) =>
  settings.format === 'pretty' || (settings.format === 'auto' && process.stdout.isTTY === true);

function prettyStream(to: DestinationStream | undefined): DestinationStream {
  const pretty = createRequire(import.meta.url)('pino-pretty') as (options: object) => DestinationStream;
  return pretty({
    colorize: to === undefined,
    ignore: 'pid',
    singleLine: true,
    sync: true,
    translateTime: 'SYS:HH:MM:ss.l',
    ...(to === undefined ? {} : { destination: to }),
  });
}

/** `to` is standard output unless given. Written at once, so that the last line before a crash is there. */
export function createLog(settings: Config['log'], to?: DestinationStream): Log {
  const pretty = isPretty(settings);
  const same = (value: unknown) => value;
  const log = pino(
    {
      level: settings.level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }), log: cleanFields },
      // The fields are clean already; these keep Fastify from putting its own serializers in their place.
      serializers: { req: same, res: same, err: same, msg: cleanText },
      hooks: {
        logMethod(args, method) {
          const [first, text, ...rest] = args as [unknown, string | undefined, ...unknown[]];
          const error = first instanceof Error ? first : (first as { err?: unknown } | null)?.err;
          if (!(error instanceof Error)) return method.apply(this, args);
          const fields = first instanceof Error ? { err: first } : (first as object);
          return method.apply(this, [fields, text ?? messageOf(error), ...rest] as Parameters<typeof method>);
        },
        streamWrite: pretty ? tame : escapeActive,
      },
    },
    pretty ? prettyStream(to) : (to ?? pino.destination({ dest: 1, sync: true })),
  );
  // pino does not pass the fields of a child through `formatters.log`.
  const child = log.child;
  log.child = function (this: Log, fields: object, options?: object) {
    return child.call(this, cleanFields(fields), options);
  } as typeof log.child;
  return log;
}

/**
 * Tells the operator something the redaction would swallow: the one-time setup link. A box for people, one line
 * of JSON elsewhere. Only for what is meant to be read in the log.
 */
export function announce(
  settings: Config['log'],
  title: string,
  facts: Readonly<Record<string, string>>,
  to: { write(text: string): unknown } = process.stdout,
): void {
  if (!isPretty(settings)) {
    const line = { level: 'info', time: new Date().toISOString(), pid: process.pid, ...facts, msg: title };
    to.write(`${escapeActive(JSON.stringify(line))}\n`);
    return;
  }
  const wide = Math.max(...Object.keys(facts).map((name) => name.length));
  const lines = [
    title,
    '',
    ...Object.entries(facts).map(
      ([name, value]) => `${name.padEnd(wide)}  ${value.replace(/\p{Cc}/gu, ' ')}`,
    ),
  ];
  const width = Math.max(...lines.map((line) => line.length));
  const rule = '─'.repeat(width + 2);
  to.write(`\n╭${rule}╮\n${lines.map((line) => `│ ${line.padEnd(width)} │\n`).join('')}╰${rule}╯\n\n`);
}
