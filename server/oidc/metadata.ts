// A stored client in the library's words, and our own per-client rules beside them.
import type { KnownClient } from '../clients/clients.ts';

/** Metadata the library does not know; kept on its Client under these names. */
export interface ExtraMetadata {
  require_pkce: boolean;
  require_nonce: boolean;
  first_party: boolean;
  resource_server: boolean;
  allowed_origins: string[];
  access_token_ttl: number | undefined;
  refresh_token_idle: number | undefined;
}

export const EXTRA_METADATA = [
  'require_pkce',
  'require_nonce',
  'first_party',
  'resource_server',
  'allowed_origins',
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

export function metadataOf({ row, secrets }: KnownClient): Record<string, unknown> {
  return {
    client_id: row.id,
    client_name: row.name,
    application_type: row.applicationType,
    token_endpoint_auth_method: row.tokenEndpointAuthMethod,
    ...(row.tokenEndpointAuthMethod === 'none' ? {} : { client_secret: packSecrets(secrets) }),
    grant_types: row.grantTypes,
    response_types: ['code'],
    response_modes: row.responseModes,
    redirect_uris: row.redirectUris,
    post_logout_redirect_uris: row.postLogoutRedirectUris,
    scope: row.scopes.join(' '),
    id_token_signed_response_alg: row.idTokenSignedResponseAlg,
    ...(row.clientUri === null ? {} : { client_uri: row.clientUri }),
    ...(row.initiateLoginUri === null ? {} : { initiate_login_uri: row.initiateLoginUri }),
    ...(row.defaultMaxAge === null ? {} : { default_max_age: row.defaultMaxAge }),
    require_pkce: row.requirePkce,
    require_nonce: row.requireNonce,
    first_party: row.firstParty,
    resource_server: row.resourceServer,
    allowed_origins: row.allowedOrigins,
    ...(row.accessTokenTtl === null ? {} : { access_token_ttl: row.accessTokenTtl }),
    ...(row.refreshTokenIdle === null ? {} : { refresh_token_idle: row.refreshTokenIdle }),
  };
}
