// What an app may be registered as, in a developer's words where it may not (R22, R29): exact https redirect URIs, no
// wildcard, no fragment, no userinfo, no script scheme (RFC 9700 2.1, RFC 8252 7); public keys only; settings that
// contradict one another are refused when written, not when somebody signs in.
import { createPublicKey, randomUUIDv7 } from 'node:crypto';
import type { clients } from '../../drizzle/schema/clients.ts';
import { Problem } from '../lib/problems.ts';
import { isScope, SCOPES } from '../lib/scopes.ts';
import { isName } from '../lib/text.ts';

type ClientRow = typeof clients.$inferSelect;

/** What a new app is described by; everything else has its default. */
export interface NewClient {
  /** Generated when absent. */
  id?: string;
  name: string;
  /** A public client keeps no secret: single-page, mobile and desktop apps. */
  public?: boolean;
  applicationType?: ClientRow['applicationType'];
  tokenEndpointAuthMethod?: ClientRow['tokenEndpointAuthMethod'];
  grantTypes?: string[];
  redirectUris: string[];
  postLogoutRedirectUris?: string[];
  allowedOrigins?: string[];
  scopes?: string[];
  /** Resource indicators of the APIs it may ask tokens for. */
  resources?: string[];
  jwks?: ClientRow['jwks'];
  jwksUri?: string | null;
  tokenEndpointAuthSigningAlg?: string | null;
  dpopBoundAccessTokens?: boolean;
  requirePushedAuthorizationRequests?: boolean;
  requestObjectSigningAlg?: string | null;
  requireSignedRequestObject?: boolean;
  subjectType?: ClientRow['subjectType'];
  sectorIdentifierUri?: string | null;
  backchannelLogoutUri?: string | null;
  backchannelLogoutSessionRequired?: boolean;
  registeredBy?: ClientRow['registeredBy'];
  logoUri?: string | null;
  policyUri?: string | null;
  tosUri?: string | null;
  contacts?: string[];
  responseModes?: string[];
  idTokenSignedResponseAlg?: ClientRow['idTokenSignedResponseAlg'];
  requirePkce?: boolean;
  requireNonce?: boolean;
  firstParty?: boolean;
  clientUri?: string | null;
  initiateLoginUri?: string | null;
  accessTokenTtl?: number | null;
  refreshTokenIdle?: number | null;
  refreshReplayWindow?: number | null;
  defaultMaxAge?: number | null;
}

export const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';
const GRANT_TYPES = ['authorization_code', 'refresh_token', 'client_credentials', DEVICE_CODE] as const;
export const RESPONSE_MODES = ['query', 'form_post', 'fragment'] as const;
export const SIGNING_ALGS = ['ES256', 'RS256', 'EdDSA'] as const;
export const AUTH_METHODS = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const;
/** What clients may sign with: client assertions, request objects, DPoP proofs. No HMAC, no `none` (R26). */
export const CLIENT_SIGNING_ALGS = ['ES256', 'RS256', 'PS256', 'EdDSA', 'Ed25519'] as const;

const CONTROL = /[\p{Cc}\p{Cs}]/u;

/**
 * What is wrong with a URI an app wants registered, in a developer's words; null when nothing is.
 * `web`: https, or http on a loopback host while developing. `native`: also private-use schemes with a dot
 * (RFC 8252 7.1) and loopback IP addresses, whose port is free at use (7.3).
 */
export function uriFault(
  uri: string,
  kind: 'web' | 'native',
  role: 'redirect' | 'link' = 'redirect',
): string | null {
  if (uri.length > 2000) return 'is longer than 2000 characters';
  if (/[^\x21-\x7e]/.test(uri))
    return 'contains spaces, control or non-ASCII characters; encode them (hosts as punycode)';
  if (uri.includes('*')) return 'contains a wildcard; register each URI in full';
  if (uri.includes('\\')) return 'contains a backslash';
  if (uri.includes('#')) return 'has a fragment (#…), which is never sent to a server';
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(uri)?.[1];
  if (!scheme) return 'is not absolute; begin with https://';
  const url = URL.parse(uri);
  if (!url) return 'is not a URI';
  if (scheme === 'https' || scheme === 'http') {
    if (!uri.startsWith(`${scheme}://`)) return `is not a URI; write ${scheme}://host/path`;
    if (url.username || url.password || /^[a-z]+:\/\/[^/?]*@/.test(uri))
      return 'carries a user name or password';
    if (uri !== url.href && `${uri}/` !== url.href)
      return `is not in its canonical form; register ${url.href}`;
    const loopback = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
    if (scheme === 'http' && !loopback) return 'uses http; only https is allowed except on localhost';
    return null;
  }
  if (role === 'redirect' && kind === 'native' && scheme === scheme.toLowerCase() && scheme.includes('.'))
    return null;
  return kind === 'native'
    ? `uses the scheme ${scheme}:; a native app’s own scheme is a reversed domain name such as com.example.app:`
    : `uses the scheme ${scheme}:; only https is allowed`;
}

export const quoted = (text: string) => JSON.stringify(text.slice(0, 200));

/** What is wrong with one public key of a client, in words; null when nothing is. */
function keyFault(jwk: Record<string, unknown>): string | null {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return 'is not a JWK (RFC 7517)';
  if (['d', 'p', 'q', 'k', 'oth'].some((member) => member in jwk))
    return 'is a private or symmetric key: register the public one only, and replace this one, which is now known';
  if (jwk.use !== undefined && jwk.use !== 'sig')
    return `has use ${quoted(String(jwk.use))}; only sig is of use here`;
  if (jwk.alg !== undefined && !(CLIENT_SIGNING_ALGS as readonly unknown[]).includes(jwk.alg))
    return `has alg ${quoted(String(jwk.alg))}, which is not one of ${CLIENT_SIGNING_ALGS.join(', ')}`;
  if (jwk.kid !== undefined && (typeof jwk.kid !== 'string' || jwk.kid.length > 200))
    return 'has a kid that is no text';
  try {
    const key = createPublicKey({ key: jwk as never, format: 'jwk' });
    const { asymmetricKeyType: type, asymmetricKeyDetails: facts } = key;
    if (type === 'rsa' && (facts?.modulusLength ?? 0) < 2048) return 'is an RSA key of less than 2048 bits';
    if (type === 'ec' && facts?.namedCurve !== 'prime256v1') return 'is on another curve than P-256';
    if (type !== 'rsa' && type !== 'ec' && type !== 'ed25519')
      return `is of a kind that signs nothing here (${type})`;
    return null;
  } catch {
    return 'is not a valid public key (RSA, EC P-256 or Ed25519)';
  }
}

function checkKeys(
  row: Pick<ClientRow, 'jwks' | 'jwksUri' | 'requestObjectSigningAlg' | 'requireSignedRequestObject'> & {
    tokenEndpointAuthMethod: string;
    tokenEndpointAuthSigningAlg: string | null;
  },
  details: Record<string, string>,
): void {
  const { jwks } = row;
  if (jwks !== null && row.jwksUri !== null)
    details.jwks = 'goes with jwks_uri no further: give one of the two';
  if (jwks !== null) {
    if (!Array.isArray(jwks?.keys) || jwks.keys.length === 0 || jwks.keys.length > 20)
      details.jwks = 'is an object with a member keys of 1 to 20 public keys';
    else {
      const at = jwks.keys.findIndex((jwk) => keyFault(jwk) !== null);
      if (at >= 0) details.jwks = `key ${at + 1} ${keyFault(jwks.keys[at] as Record<string, unknown>)}`;
      else {
        const kids = jwks.keys.map(({ kid }) => kid).filter((kid) => kid !== undefined);
        if (new Set(kids).size !== kids.length) details.jwks = 'has the same kid twice';
      }
    }
  }
  const keys = jwks !== null || row.jwksUri !== null;
  if (row.tokenEndpointAuthMethod === 'private_key_jwt' && !keys)
    details.jwks = 'is needed for private_key_jwt: give jwks or jwks_uri';
  if (row.tokenEndpointAuthMethod !== 'private_key_jwt' && row.tokenEndpointAuthSigningAlg !== null)
    details.token_endpoint_auth_signing_alg = 'goes with private_key_jwt alone';
  if (row.requestObjectSigningAlg !== null && !keys)
    details.request_object_signing_alg = 'needs the keys that sign: give jwks or jwks_uri';
  if (row.requireSignedRequestObject && row.requestObjectSigningAlg === null)
    details.require_signed_request_object = 'needs request_object_signing_alg';
}

/** The row of a new app with its defaults. Throws client.invalid with what is wrong, field by field. */
export function checked(input: NewClient): Omit<typeof clients.$inferInsert, 'createdAt' | 'updatedAt'> {
  const details: Record<string, string> = {};
  const grantTypes = input.grantTypes ?? ['authorization_code', 'refresh_token'];
  /** It signs people in, and does not only act in its own name. */
  const people = grantTypes.includes('authorization_code') || grantTypes.includes(DEVICE_CODE);
  const row = {
    id: input.id ?? randomUUIDv7(),
    name: input.name.trim(),
    applicationType: input.applicationType ?? ('web' as const),
    tokenEndpointAuthMethod: input.public
      ? ('none' as const)
      : (input.tokenEndpointAuthMethod ?? 'client_secret_basic'),
    grantTypes,
    redirectUris: input.redirectUris,
    postLogoutRedirectUris: input.postLogoutRedirectUris ?? [],
    allowedOrigins: input.allowedOrigins ?? [],
    scopes: input.scopes ?? (people ? [...SCOPES] : []),
    resources: input.resources ?? [],
    jwks: input.jwks ?? null,
    jwksUri: input.jwksUri ?? null,
    tokenEndpointAuthSigningAlg: input.tokenEndpointAuthSigningAlg ?? null,
    dpopBoundAccessTokens: input.dpopBoundAccessTokens ?? false,
    requirePushedAuthorizationRequests: input.requirePushedAuthorizationRequests ?? false,
    requestObjectSigningAlg: input.requestObjectSigningAlg ?? null,
    requireSignedRequestObject: input.requireSignedRequestObject ?? false,
    subjectType: input.subjectType ?? ('public' as const),
    sectorIdentifierUri: input.sectorIdentifierUri ?? null,
    backchannelLogoutUri: input.backchannelLogoutUri ?? null,
    backchannelLogoutSessionRequired: input.backchannelLogoutSessionRequired ?? true,
    registeredBy: input.registeredBy ?? ('operator' as const),
    logoUri: input.logoUri ?? null,
    policyUri: input.policyUri ?? null,
    tosUri: input.tosUri ?? null,
    contacts: input.contacts ?? [],
    responseModes: input.responseModes ?? ['query', 'form_post'],
    idTokenSignedResponseAlg: input.idTokenSignedResponseAlg ?? ('ES256' as const),
    requirePkce: input.requirePkce ?? true,
    requireNonce: input.requireNonce ?? true,
    firstParty: input.firstParty ?? false,
    clientUri: input.clientUri ?? null,
    initiateLoginUri: input.initiateLoginUri ?? null,
    accessTokenTtl: input.accessTokenTtl ?? null,
    refreshTokenIdle: input.refreshTokenIdle ?? null,
    refreshReplayWindow: input.refreshReplayWindow ?? null,
    defaultMaxAge: input.defaultMaxAge ?? null,
  };

  if (row.name.length > 100 || !isName(row.name))
    details.name = 'needs 1 to 100 characters, none of which is a control character or turns text round';
  if (!/^[A-Za-z0-9._~-]{3,100}$/.test(row.id))
    details.client_id = 'may have letters, digits and . _ ~ - (3 to 100 of them)';

  const everyUri = (field: string, uris: readonly string[], role: 'redirect' | 'link') => {
    if (uris.length > 100) details[field] = 'has more than 100 URIs';
    if (new Set(uris).size !== uris.length) details[field] = 'has the same URI twice';
    for (const uri of uris) {
      const fault = uriFault(uri, row.applicationType, role);
      if (fault) details[field] = `${quoted(uri)} ${fault}`;
    }
  };
  everyUri('redirect_uris', row.redirectUris, 'redirect');
  everyUri('post_logout_redirect_uris', row.postLogoutRedirectUris, 'redirect');
  const links = {
    client_uri: row.clientUri,
    initiate_login_uri: row.initiateLoginUri,
    logo_uri: row.logoUri,
    policy_uri: row.policyUri,
    tos_uri: row.tosUri,
    jwks_uri: row.jwksUri,
    sector_identifier_uri: row.sectorIdentifierUri,
    backchannel_logout_uri: row.backchannelLogoutUri,
  };
  for (const [field, uri] of Object.entries(links)) if (uri !== null) everyUri(field, [uri], 'link');
  // By their norms, on localhost too; the library would refuse the app at every request.
  for (const field of ['initiate_login_uri', 'sector_identifier_uri'] as const) {
    if (links[field]?.startsWith('http:'))
      details[field] = `${quoted(links[field])} uses http; only https is allowed`;
  }
  for (const origin of row.allowedOrigins) {
    const fault =
      uriFault(origin, 'web', 'link') ?? (URL.parse(origin)?.origin === origin ? null : 'is not an origin');
    if (fault) details.allowed_origins = `${quoted(origin)} ${fault}; write https://app.example.com`;
  }
  if (row.grantTypes.includes('authorization_code') && row.redirectUris.length === 0) {
    details.redirect_uris = 'needs at least one URI for the authorization code flow';
  }

  const only = (field: string, values: readonly string[], allowed: readonly string[]) => {
    const strange = values.find((value) => !allowed.includes(value));
    if (strange !== undefined) details[field] = `${quoted(strange)} is not one of ${allowed.join(', ')}`;
  };
  only('application_type', [row.applicationType], ['web', 'native']);
  only('token_endpoint_auth_method', [row.tokenEndpointAuthMethod], AUTH_METHODS);
  only('id_token_signed_response_alg', [row.idTokenSignedResponseAlg], SIGNING_ALGS);
  only('grant_types', row.grantTypes, GRANT_TYPES);
  if (row.tokenEndpointAuthSigningAlg !== null)
    only('token_endpoint_auth_signing_alg', [row.tokenEndpointAuthSigningAlg], CLIENT_SIGNING_ALGS);
  if (row.requestObjectSigningAlg !== null)
    only('request_object_signing_alg', [row.requestObjectSigningAlg], CLIENT_SIGNING_ALGS);
  only('subject_type', [row.subjectType], ['public', 'pairwise']);
  // Scopes beyond the standard ones are those of its resources; clients.ts asks whether they exist.
  if (row.resources.length === 0) only('scopes', row.scopes, SCOPES);
  const strange = row.scopes.find((scope) => !isScope(scope));
  if (strange !== undefined) details.scopes = `${quoted(strange)} is not a scope (RFC 6749 3.3)`;
  only('response_modes', row.responseModes, RESPONSE_MODES);
  if (people && !row.scopes.includes('openid')) details.scopes = 'openid is missing';
  if (details.grant_types === undefined && !people && !row.grantTypes.includes('client_credentials'))
    details.grant_types = `needs one of authorization_code, ${DEVICE_CODE}, client_credentials`;
  if (!people && row.grantTypes.includes('refresh_token'))
    details.grant_types = 'refresh_token goes with authorization_code or the device flow';
  if (!row.grantTypes.includes('authorization_code') && row.redirectUris.length > 0)
    details.redirect_uris = 'are only used with authorization_code, which is not among grant_types';
  if (row.responseModes.length === 0) details.response_modes = 'needs at least one';

  if (row.tokenEndpointAuthMethod === 'none') {
    if (!row.requirePkce) details.require_pkce = 'cannot be off: a public client cannot do without PKCE';
    if (!row.requireNonce) details.require_nonce = 'can only be off for a confidential client';
  }
  if (row.tokenEndpointAuthMethod === 'none' && row.grantTypes.includes('client_credentials'))
    details.grant_types =
      'client_credentials needs a confidential client: it has nothing else to prove itself with';
  checkKeys(row, details);
  if (row.subjectType === 'pairwise' && row.sectorIdentifierUri === null) {
    const hosts = new Set(row.redirectUris.map((uri) => URL.parse(uri)?.host || uri));
    if (hosts.size !== 1 || !/^https?:/.test(row.redirectUris[0] ?? ''))
      details.sector_identifier_uri =
        'is needed: pairwise subjects are per host, and the redirect URIs have not one';
  }
  if (row.subjectType === 'pairwise' && row.grantTypes.includes(DEVICE_CODE)) {
    // No redirect URI says whose app it is: where its keys are does.
    if (row.jwksUri === null)
      details.jwks_uri = 'is needed: by it a pairwise app of the device flow belongs to its sector';
    if (row.sectorIdentifierUri === null)
      details.sector_identifier_uri = 'is needed for a pairwise app of the device flow';
    if (row.tokenEndpointAuthMethod !== 'private_key_jwt')
      details.subject_type = 'pairwise goes with the device flow only where the app uses private_key_jwt';
  }
  if (row.contacts.length > 10 || row.contacts.some((one) => one.length > 254 || CONTROL.test(one)))
    details.contacts = 'takes up to 10 addresses';
  const bounded = (field: string, value: number | null, min: number, max: number) => {
    if (value !== null && (!Number.isInteger(value) || value < min || value > max)) {
      details[field] = `is a whole number of seconds from ${min} to ${max}`;
    }
  };
  bounded('access_token_ttl', row.accessTokenTtl, 1, 86_400);
  bounded('refresh_token_idle', row.refreshTokenIdle, 1, 31_536_000);
  bounded('refresh_replay_window', row.refreshReplayWindow, 0, 60);
  bounded('default_max_age', row.defaultMaxAge, 0, 31_536_000);

  refuse(details);
  return row;
}

/** Throws client.invalid with what is wrong, field by field; nothing where there is nothing. */
export function refuse(details: Record<string, string>): void {
  const [first] = Object.entries(details);
  if (!first) return;
  throw new Problem('client.invalid', {
    details,
    message: `The app’s settings are not valid: ${first[0]} ${first[1]}.`,
  });
}
