// What speaks against a stored app although its settings are allowed, for its developer and the operator: each with how
// to mend it. Settings that contradict one another are faults, and are those of rules.ts. Pure.
import { createPublicKey } from 'node:crypto';
import type { clients } from '../../drizzle/schema/clients.ts';
import { Problem } from '../lib/problems.ts';
import { checked } from './rules.ts';

type ClientRow = typeof clients.$inferSelect;

export interface Advice {
  /** The setting, by its name in the protocol. */
  field: string;
  /** fault: the app cannot work so. */
  state: 'fault' | 'warning';
  says: string;
  mend: string;
}

export interface Circumstances {
  /** The server's own. */
  issuer: string;
  now: Date;
  /** Its secrets, expired ones too. */
  secrets: readonly { hint: string; createdAt: Date; expiresAt: Date | null }[];
  /** The key set at its jwks_uri, where it has one that could be fetched. */
  fetchedKeys: ClientRow['jwks'];
}

const DAY = 86_400_000;
const OLD_SECRET = 365 * DAY;
/** Two secrets are for changing over. */
const CHANGING_OVER = 30 * DAY;
const STRONG_RSA = 3072;

const warning = (field: string, says: string, mend: string): Advice => ({
  field,
  state: 'warning',
  says,
  mend,
});
const fault = (field: string, says: string, mend: string): Advice => ({ field, state: 'fault', says, mend });

/** What the rules say today, also of a row that was written under older ones. */
function againstTheRules(row: ClientRow, fetchedKeys: ClientRow['jwks']): Advice[] {
  const rules = (input: ClientRow): [string, string][] => {
    try {
      checked(input);
      return [];
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'client.invalid') throw error;
      return Object.entries(error.details ?? {});
    }
  };
  const fetched = fetchedKeys === null ? [] : rules({ ...row, jwks: fetchedKeys, jwksUri: null });
  return [
    ...rules(row).map(([field, says]) => fault(field, says, 'Change the setting.')),
    ...fetched
      .filter(([field]) => field === 'jwks')
      .map(([, says]) =>
        fault('jwks_uri', `What is published there ${says}`, 'Publish public keys only (RFC 7517).'),
      ),
  ];
}

const siteOf = (uri: string): string | null => {
  const url = URL.parse(uri);
  return url && /^https?:$/.test(url.protocol) ? url.hostname : null;
};

const beneath = (host: string, other: string) => host === other || host.endsWith(`.${other}`);
/** Beneath one another, or neighbours beneath one name that is not a whole top level. */
function related(a: string, b: string): boolean {
  const parent = a.split('.').slice(1).join('.');
  return beneath(a, b) || beneath(b, a) || (parent.includes('.') && beneath(b, parent));
}

function ofUris(row: ClientRow, issuer: string): Advice[] {
  const developing = issuer.startsWith('http:');
  const home = row.clientUri === null ? null : siteOf(row.clientUri);
  return row.redirectUris.flatMap((uri) => {
    const url = URL.parse(uri);
    const site = siteOf(uri);
    const loopback = site !== null && ['localhost', '127.0.0.1', '[::1]'].includes(site);
    const found: Advice[] = [];
    if (url?.protocol === 'http:' && !developing && row.applicationType === 'web')
      found.push(
        warning(
          'redirect_uris',
          `${uri} is on the person’s own machine: whatever listens there gets the code`,
          'Register the app that is being developed as one of its own, and remove this URI here.',
        ),
      );
    if (home !== null && site !== null && !loopback && !related(site, home))
      found.push(
        warning(
          'redirect_uris',
          `${uri} is on another site than the app’s page (${home}): people are taken where they did not come from`,
          'Make sure that both are the app’s.',
        ),
      );
    return found;
  });
}

function ofSecrets(row: ClientRow, { secrets, now }: Circumstances): Advice[] {
  const method = row.tokenEndpointAuthMethod;
  if (method !== 'client_secret_basic' && method !== 'client_secret_post') return [];
  const live = secrets.filter(({ expiresAt }) => expiresAt === null || expiresAt > now);
  const another = 'Make another (gatehouse client secret add), change over, and remove this one.';
  const [older, newer] = live;
  return [
    ...(live.length === 0
      ? [fault('client_secret', 'has no valid secret', 'Make one: gatehouse client secret add.')]
      : []),
    ...live.flatMap(({ hint, createdAt, expiresAt }) => [
      ...(now.getTime() - createdAt.getTime() > OLD_SECRET
        ? [warning('client_secret', `…${hint} is older than a year`, another)]
        : []),
      ...(expiresAt !== null && expiresAt.getTime() - now.getTime() < CHANGING_OVER
        ? [warning('client_secret', `…${hint} expires on ${expiresAt.toISOString().slice(0, 10)}`, another)]
        : []),
    ]),
    ...(older && newer && now.getTime() - newer.createdAt.getTime() > CHANGING_OVER
      ? [
          warning(
            'client_secret',
            `…${older.hint} is still valid although there has been a newer one for a month`,
            `Remove it: gatehouse client secret remove --hint ${older.hint}.`,
          ),
        ]
      : []),
  ];
}

/** Of keys that the rules allow. */
function ofKeys(keys: readonly Record<string, unknown>[], field: string): Advice[] {
  const found: Advice[] = [];
  if (keys.length > 1 && keys.some(({ kid }) => kid === undefined))
    found.push(
      warning(
        field,
        'has several keys, and some without kid',
        'Give each a kid, and name it in what is signed.',
      ),
    );
  for (const [at, jwk] of keys.entries()) {
    const name = jwk.kid === undefined ? `key ${at + 1}` : `key ${String(jwk.kid)}`;
    if (jwk.alg === 'RS256')
      found.push(
        warning(
          field,
          `${name} is for RS256 (PKCS #1 v1.5), which newer profiles refuse`,
          'Sign with ES256 or PS256.',
        ),
      );
    if (jwk.kty !== 'RSA') continue;
    const { modulusLength = 0 } =
      createPublicKey({ key: jwk as never, format: 'jwk' }).asymmetricKeyDetails ?? {};
    if (modulusLength < STRONG_RSA)
      found.push(
        warning(
          field,
          `${name} is an RSA key of ${modulusLength} bits`,
          `Replace it by one of P-256, or of ${STRONG_RSA} bits: less is held good until 2030 only.`,
        ),
      );
  }
  return found;
}

/** Everything that can be said of an app without asking other servers; faults first. */
export function adviceOn(row: ClientRow, circumstances: Circumstances): Advice[] {
  const { issuer, fetchedKeys } = circumstances;
  const rules = againstTheRules(row, fetchedKeys);
  const browser = row.tokenEndpointAuthMethod === 'none' && row.applicationType === 'web';
  const people = row.grantTypes.includes('authorization_code');
  return [
    ...rules,
    ...ofSecrets(row, circumstances),
    ...(row.disabledAt === null
      ? []
      : [
          warning(
            'disabled',
            'is disabled: every request of it is refused',
            'Enable it if that is not meant.',
          ),
        ]),
    ...ofUris(row, issuer),
    ...(people && !row.requirePkce
      ? [
          warning(
            'require_pkce',
            'is off: a code that somebody intercepts or injects is good',
            'Let the app send code_challenge with S256, then require it.',
          ),
        ]
      : []),
    ...(people && !row.requireNonce
      ? [
          warning(
            'require_nonce',
            'is off: an ID token can be replayed to the app',
            'Let the app send a nonce and compare it, then require it.',
          ),
        ]
      : []),
    ...(people && browser && row.allowedOrigins.length === 0
      ? [
          warning(
            'allowed_origins',
            'is empty: the pages of a single-page app cannot call the token endpoint',
            'Register the origin of its pages (--origin); an app on a server keeps a secret instead.',
          ),
        ]
      : []),
    // Keys that are no keys have been named above.
    ...(rules.length === 0
      ? [...ofKeys(row.jwks?.keys ?? [], 'jwks'), ...ofKeys(fetchedKeys?.keys ?? [], 'jwks_uri')]
      : []),
  ].sort((a, b) => Number(a.state !== 'fault') - Number(b.state !== 'fault'));
}
