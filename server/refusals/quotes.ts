// What of a refused request may be kept for its app's developer: the one list of it. Everything else (codes, tokens,
// secrets, assertions, verifiers, state, nonce, hints, the Authorization header) is never looked at, so that no refusal
// becomes a place where credentials can be read (R58). Cut, and without what a terminal would obey.
import type { IncomingHttpHeaders } from 'node:http';

/** A refused request as it came. */
export interface Received {
  params: Readonly<Record<string, unknown>>;
  headers: IncomingHttpHeaders;
}

/** Parameters that are quoted as they came. */
const PLAIN = [
  'scope',
  'response_type',
  'response_mode',
  'grant_type',
  'code_challenge_method',
  'prompt',
  'max_age',
] as const;
const URIS = ['redirect_uri', 'post_logout_redirect_uri', 'resource'] as const;

export type QuoteName =
  | (typeof PLAIN)[number]
  | (typeof URIS)[number]
  | 'origin'
  | 'method'
  | 'assertion'
  | 'assertion_aud'
  | 'request_alg';
export type Quotes = Readonly<Partial<Record<QuoteName, string>>>;

const LONGEST = 300;

/** Cut, on one line, and whole again where the cut went through a character. */
export const clean = (text: string): string =>
  text
    .slice(0, LONGEST)
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '')
    .toWellFormed();

/** Says of a URI that it was percent-encoded once too often; the rest is shown decoded. */
export const ENCODED = 'percent-encoded: ';

/** Scheme, host, path and the names of the query's parameters, spelled as they came; values are left out. */
export function withoutValues(uri: string): string {
  if (/^[a-z][a-z0-9+.-]*%(25)*3a/i.test(uri)) {
    let plain = uri;
    for (let round = 0; round < 3 && /^[a-z][a-z0-9+.-]*%/i.test(plain); round++) {
      try {
        plain = decodeURIComponent(plain);
      } catch {
        return `${ENCODED}…`;
      }
    }
    return /^[a-z][a-z0-9+.-]*%/i.test(plain) ? `${ENCODED}…` : ENCODED + withoutValues(plain);
  }
  const end = uri.search(/[?#]|%(25)*(3f|23)/i);
  const base = end < 0 ? uri : uri.slice(0, end);
  const rest = end < 0 ? '' : uri.slice(end);
  const opaque = /^([a-z][a-z0-9+.-]*:)(?![/\d])/i.exec(base);
  if (opaque) return `${opaque[1]}…`;
  const open = base.replace(/^([^/]*\/+)?[^/]*(@|%(25)*40)/i, '$1…@');
  if (rest === '') return open;
  if (!rest.startsWith('?')) return `${open}${rest.startsWith('#') ? '#' : ''}…`;
  const [query = '', fragment] = rest.slice(1).split('#', 2);
  // What has no `=` may as well be a value.
  const names = query
    .split('&')
    .filter(Boolean)
    .map((one) => (one.includes('=') ? `${one.slice(0, one.indexOf('='))}=…` : '…'));
  return `${open}?${names.join('&')}${fragment === undefined ? '' : '#…'}`;
}

/** Header and payload of a JWT nobody has verified; null where it is none. */
function read(jwt: unknown): { header: Record<string, unknown>; payload: Record<string, unknown> } | null {
  if (typeof jwt !== 'string') return null;
  const [header, payload] = jwt.split('.').map((part): unknown => {
    try {
      return JSON.parse(Buffer.from(part, 'base64url').toString());
    } catch {
      return null;
    }
  });
  const isObject = (value: unknown) => typeof value === 'object' && value !== null;
  return isObject(header) && isObject(payload) ? ({ header, payload } as ReturnType<typeof read>) : null;
}

/** By what an app tried to prove who it is. */
function methodOf({ params, headers }: Received): string {
  const used = [
    ...(headers.authorization === undefined
      ? []
      : [/^basic /i.test(headers.authorization) ? 'client_secret_basic' : 'another Authorization header']),
    ...(params.client_secret ? ['client_secret_post'] : []),
    ...(params.client_assertion ? ['private_key_jwt'] : []),
  ];
  return used.join(' and ') || 'none';
}

const short = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 100) : 'none');

export function quotesOf(received: Received): Quotes {
  const { params, headers } = received;
  const quotes: Partial<Record<QuoteName, string>> = { method: methodOf(received) };
  for (const name of PLAIN) {
    const value = params[name];
    if (typeof value === 'string') quotes[name] = clean(value);
  }
  for (const name of URIS) {
    const value = [params[name]].flat().filter((one) => typeof one === 'string');
    if (value.length > 0) quotes[name] = clean(value.map(withoutValues).join(' '));
  }
  if (headers.origin !== undefined) quotes.origin = clean(withoutValues(headers.origin));
  const assertion = read(params.client_assertion);
  if (assertion) {
    const { header, payload } = assertion;
    quotes.assertion = clean(`alg ${short(header.alg)}, kid ${short(header.kid)}`);
    const audience = [payload.aud].flat().filter((one) => typeof one === 'string');
    quotes.assertion_aud = clean(audience.map(withoutValues).join(' ') || 'none');
  }
  const request = read(params.request);
  if (request) quotes.request_alg = clean(short(request.header.alg));
  return quotes;
}
