// Tokens for APIs (RFC 8707): which API an app may name, what its tokens look like and how long they live, and who may
// ask about them. An app gets tokens for the APIs it is registered for, with the scopes that both have; of another API
// it does not learn whether there is one. A token is good at one API alone, so none can replay it at another (ATK-A059).
import { type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { Config } from '../../config/options.ts';
import type { KnownClients } from '../clients/clients.ts';
import { sidOf } from '../logouts/logouts.ts';
import { type KnownResources, LONGEST_JWT, scopesAt } from '../resources/resources.ts';
import type { ExtraMetadata } from './metadata.ts';
import { unitOf } from './unit.ts';

export interface ResourceParts {
  config: Pick<Config, 'tokens'>;
  clients: KnownClients;
  resources: KnownResources;
}

/** The library’s client, as far as its features get to see it. */
interface Caller {
  clientId: string;
  clientAuthMethod?: string | undefined;
}

const rulesOf = (client: unknown) => client as ExtraMetadata;
const seconds = () => Math.floor(Date.now() / 1000);

const noTarget = () =>
  new errors.InvalidTarget('the requested resource is not one that this client may ask tokens for');

const isMachine = (ctx: KoaContextWithOIDC): boolean =>
  ctx.oidc.route === 'token' && ctx.oidc.params?.grant_type === 'client_credentials';

const wordsOf = (scope: string | undefined): string[] => scope?.split(' ').filter(Boolean) ?? [];

/** An app in its own name has nobody to ask: what it cannot have is refused, not left out. */
function refuseStrangeScopes(ctx: KoaContextWithOIDC, allowed: readonly string[]): void {
  const strange = [...ctx.oidc.requestParamScopes].find((scope) => !allowed.includes(scope));
  if (strange === undefined) return;
  const says =
    allowed.length > 0 ? 'requested scope is not allowed' : 'a scope goes with the resource it is of';
  throw new errors.InvalidScope(says, strange);
}

type Info = Awaited<ReturnType<ReturnType<typeof resourceIndicators>['getResourceServerInfo']>>;

export const resourceIndicators = ({ resources }: Pick<ResourceParts, 'resources'>) => ({
  enabled: true,
  /** None is assumed. Of several that are named or granted, a token request says which one it means. */
  defaultResource: async (ctx: KoaContextWithOIDC, _client: unknown, oneOf?: string[]) => {
    if (oneOf === undefined && isMachine(ctx)) refuseStrangeScopes(ctx, []);
    return oneOf;
  },
  /** What was granted for an API is for that API, named again or not. */
  useGrantedResource: async () => true,
  getResourceServerInfo: async (ctx: KoaContextWithOIDC, indicator: string, client: Caller) => {
    const { resources: allowed, api_scopes: ofClient } = rulesOf(client);
    if (!allowed?.includes(indicator)) throw noTarget();
    const row = await resources.find(indicator, unitOf().db());
    if (!row) throw noTarget();
    const scopes = scopesAt(row, ofClient ?? []);
    if (isMachine(ctx)) refuseStrangeScopes(ctx, scopes);
    return {
      audience: row.id,
      scope: scopes.join(' '),
      accessTokenFormat: row.accessTokenFormat,
      ...(row.accessTokenTtl === null ? {} : { accessTokenTTL: row.accessTokenTtl }),
      jwt: { sign: { alg: row.signingAlg } },
    };
  },
});

/** What an authorization request asks of the APIs it names. */
export const askedOfApis = ({ oidc }: KoaContextWithOIDC): Record<string, string[]> =>
  Object.fromEntries(
    Object.entries(oidc.resourceServers ?? {}).map(([id, { scope }]) => [
      id,
      wordsOf(scope).filter((one) => oidc.requestParamScopes.has(one)),
    ]),
  );

/**
 * Before a refresh token is spent: can it be served at all? Refused afterwards, the app would be left with a spent
 * token, and its next try would look like theft (P3).
 */
export async function beforeRotation(ctx: KoaContextWithOIDC, parts: ResourceParts): Promise<void> {
  const { client, params, entities } = ctx.oidc;
  const token = entities.RefreshToken;
  if (!client || !token) throw new Error('a rotation without its token');
  const granted = [token.resource ?? []].flat();
  const wanted = params?.resource === undefined ? granted : [params.resource as string | string[]].flat();
  if (wanted.length > 1) throw new errors.InvalidTarget('name the one resource that the token is for');
  const [indicator] = wanted;
  if (indicator === undefined) return;
  if (!granted.includes(indicator)) throw noTarget();
  await resourceIndicators(parts).getResourceServerInfo(ctx, indicator, client);
}

/** Seconds. The shortest of what the setting, the app and the API say; nobody can withdraw a JWT, so it ends soon. */
export function accessTokenTtl(
  { config }: Pick<ResourceParts, 'config'>,
  ctx: KoaContextWithOIDC | undefined,
  token: object,
  client: unknown,
): number {
  const { resourceServer } = token as { resourceServer?: Info };
  const limits = [
    config.tokens.accessTokenTtl,
    rulesOf(client).access_token_ttl ?? undefined,
    resourceServer?.accessTokenTTL,
  ];
  if (resourceServer?.accessTokenFormat === 'jwt') {
    const end = ctx?.oidc.entities.Grant?.exp;
    // An opaque token ends with its grant at the next look; nobody looks for a JWT.
    limits.push(LONGEST_JWT, end === undefined ? undefined : end - seconds());
  }
  return Math.max(1, Math.min(...limits.filter((limit) => limit !== undefined)));
}

/** RFC 9068 2.2: when and how the person proved to be here, and the session it was in (R32). */
export const describePerson: NonNullable<
  NonNullable<NonNullable<Configuration['formats']>['customizers']>['jwt']
> = (ctx, token, { payload }) => {
  const { AuthorizationCode, DeviceCode, RefreshToken } = ctx.oidc.entities;
  const source = AuthorizationCode ?? DeviceCode ?? RefreshToken;
  if (token.kind !== 'AccessToken' || !source) return;
  const { sessionUid, clientId } = token as { sessionUid?: string; clientId: string };
  Object.assign(payload as object, {
    auth_time: source.authTime,
    acr: source.acr,
    amr: source.amr,
    sid: sessionUid === undefined ? undefined : sidOf(sessionUid, clientId),
  });
};

/**
 * Who may ask about a token (R31): the confidential app it was issued to, and for access tokens the client of the API
 * they are meant for. To anybody else a token is like one that never was.
 */
export function introspectionPolicy({ clients, resources }: ResourceParts) {
  return async (
    _ctx: unknown,
    client: Caller,
    token: { clientId: string; kind: string; aud?: string | string[] },
  ): Promise<boolean> => {
    if (client.clientAuthMethod === 'none') return false;
    const own = token.clientId === client.clientId;
    if (token.aud === undefined || token.kind === 'RefreshToken') return own;
    const db = unitOf().db();
    const api = typeof token.aud === 'string' ? await resources.find(token.aud, db) : null;
    if (!api) return false;
    if (own) return true;
    // The library asks for the app next, and has no answer where it is disabled.
    return api.introspectionClientId === client.clientId && (await clients.find(token.clientId, db)) !== null;
  };
}
