// A stored client in the library's words, and our own per-client rules beside them.
import type { KnownClient } from '../clients/clients.ts';
import { isStandard } from '../lib/scopes.ts';

/** Metadata the library does not know; kept on its Client under these names. */
export interface ExtraMetadata {
  require_pkce: boolean;
  require_nonce: boolean;
  first_party: boolean;
  allowed_origins: string[];
  /** Resource indicators it may ask tokens for. */
  resources: string[];
  /** Scopes of those: the library lets a client's own `scope` have standard ones only. */
  api_scopes: string[];
  access_token_ttl: number | undefined;
  refresh_token_idle: number | undefined;
}

export const EXTRA_METADATA = [
  'require_pkce',
  'require_nonce',
  'first_party',
  'allowed_origins',
  'resources',
  'api_scopes',
  'access_token_ttl',
  'refresh_token_idle',
] as const satisfies (keyof ExtraMetadata)[];

const SECRETS = 'sha256:';

/** Secrets are stored and compared as hashes (R27): the library only ever holds this text, which signs nothing. */
const packSecrets = (secrets: KnownClient['secrets']): string =>
  SECRETS + secrets.map(({ hash, until }) => `${hash.toString('base64url')}@${until}`).join(',');

export function unpackSecrets(packed: string): { hash: Buffer; until: number }[] {
  if (!packed.startsWith(SECRETS)) return [];
  return packed
    .slice(SECRETS.length)
    .split(',')
    .filter(Boolean)
    .map((one) => {
      const [hash = '', until = '0'] = one.split('@');
      return { hash: Buffer.from(hash, 'base64url'), until: Number(until) };
    });
}

/** Left out where nothing is set: the library takes null for a value. */
const set = (values: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));

/** By the client in memory, which is made anew when its row changes; the library asks several times per request. */
const made = new WeakMap<KnownClient, Readonly<Record<string, unknown>>>();

export function metadataOf(client: KnownClient): Readonly<Record<string, unknown>> {
  const known = made.get(client) ?? Object.freeze(metadataFrom(client));
  made.set(client, known);
  return known;
}

function metadataFrom({ row, secrets }: KnownClient): Record<string, unknown> {
  const method = row.tokenEndpointAuthMethod;
  const standard = row.scopes.filter(isStandard);
  const secretHeld = method === 'client_secret_basic' || method === 'client_secret_post';
  return {
    client_id: row.id,
    client_name: row.name,
    application_type: row.applicationType,
    token_endpoint_auth_method: method,
    ...(secretHeld ? { client_secret: packSecrets(secrets) } : {}),
    grant_types: row.grantTypes,
    response_types: row.grantTypes.includes('authorization_code') ? ['code'] : [],
    response_modes: row.responseModes,
    redirect_uris: row.redirectUris,
    post_logout_redirect_uris: row.postLogoutRedirectUris,
    // Only an app without people has none, and gets none but those of its APIs.
    ...(standard.length > 0 ? { scope: standard.join(' ') } : {}),
    id_token_signed_response_alg: row.idTokenSignedResponseAlg,
    subject_type: row.subjectType,
    dpop_bound_access_tokens: row.dpopBoundAccessTokens,
    require_pushed_authorization_requests: row.requirePushedAuthorizationRequests,
    require_signed_request_object: row.requireSignedRequestObject,
    ...set({
      token_endpoint_auth_signing_alg: row.tokenEndpointAuthSigningAlg,
      jwks: row.jwks,
      jwks_uri: row.jwksUri,
      request_object_signing_alg: row.requestObjectSigningAlg,
      sector_identifier_uri: row.sectorIdentifierUri,
      client_uri: row.clientUri,
      logo_uri: row.logoUri,
      policy_uri: row.policyUri,
      tos_uri: row.tosUri,
      initiate_login_uri: row.initiateLoginUri,
      default_max_age: row.defaultMaxAge,
      access_token_ttl: row.accessTokenTtl,
      refresh_token_idle: row.refreshTokenIdle,
    }),
    ...(row.backchannelLogoutUri === null
      ? {}
      : {
          backchannel_logout_uri: row.backchannelLogoutUri,
          backchannel_logout_session_required: row.backchannelLogoutSessionRequired,
        }),
    ...(row.contacts.length > 0 ? { contacts: row.contacts } : {}),
    require_pkce: row.requirePkce,
    require_nonce: row.requireNonce,
    first_party: row.firstParty,
    allowed_origins: row.allowedOrigins,
    resources: row.resources,
    api_scopes: row.scopes.filter((scope) => !isStandard(scope)),
  };
}
