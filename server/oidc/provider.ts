// The protocol library's configuration: every feature set explicitly, so that an upgrade cannot switch one on
// (R25). One instance holds one set of signing keys; server/oidc/oidc.ts builds a new one when the keys change.
import { timingSafeEqual } from 'node:crypto';
import Provider, {
  type Configuration,
  errors,
  interactionPolicy,
  type KoaContextWithOIDC,
} from 'oidc-provider';
import type { Config } from '../../config/options.ts';
import { logoutPage, signedOutPage } from '../../views/logout.ts';
import { allClaimsOf, claimsByScope } from '../accounts/claims.ts';
import { entry } from '../audit/audit.ts';
import { AUTH_METHODS, CLIENT_SIGNING_ALGS, type KnownClients, OWN_CLIENT } from '../clients/clients.ts';
import { beyond, common, consented, isNothing, lockConsent, lookOf, NOTHING } from '../consents/consents.ts';
import type { KeySet } from '../keys/keys.ts';
import { SCOPES } from '../lib/scopes.ts';
import { mac, sameDigest, sha256 } from '../lib/secrets.ts';
import { isAcceptable } from '../lib/text.ts';
import { sidOf } from '../logouts/logouts.ts';
import type { KnownResources } from '../resources/resources.ts';
import { DEVICE_PAGE, deviceFlow, isDevicePage } from './device.ts';
import { accessOf, grantFor } from './grants.ts';
import { EXTRA_METADATA, type ExtraMetadata, unpackSecrets } from './metadata.ts';
import type { Subjects } from './pairwise.ts';
import { assertionCheck, rememberOnce, requestObjectCheck, spendRequestObject } from './proofs.ts';
import { REGISTRATION } from './registration.ts';
import {
  accessTokenTtl,
  askedOfApis,
  beforeRotation,
  describePerson,
  introspectionPolicy,
  resourceIndicators,
} from './resources.ts';
import * as rows from './rows.ts';
import { type Unit, unitOf } from './unit.ts';

/** Password only. `urn:gatehouse:aal2` (two factors) is not offered before factors exist. */
export const ACR_PASSWORD = 'urn:gatehouse:aal1';

export const ROUTES = {
  authorization: '/oauth2/authorize',
  token: '/oauth2/token',
  pushed_authorization_request: '/oauth2/par',
  userinfo: '/oauth2/userinfo',
  jwks: '/oauth2/jwks',
  introspection: '/oauth2/introspect',
  revocation: '/oauth2/revoke',
  device_authorization: '/oauth2/device_authorization',
  code_verification: DEVICE_PAGE,
  end_session: '/oauth2/logout',
} as const;

/** The subject of an ID token that the library verified when the request came in. */
const subjectOf = (idToken: unknown): unknown =>
  typeof idToken === 'string'
    ? JSON.parse(Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString()).sub
    : undefined;

/** One claim of the claims parameter (Core 5.5.1). */
interface ClaimRequest {
  essential?: unknown;
  value?: unknown;
  values?: unknown;
}

const rulesOf = (client: unknown) => client as ExtraMetadata;
/** Seconds by which the clocks of apps may differ. */
const CLOCK_TOLERANCE = 5;
const seconds = () => Math.floor(Date.now() / 1000);

/** Signs the library's cookies with HMAC-SHA-256, newest key first; its own default is SHA-1 (ATK-A238, R47). */
function cookieSigner(keys: readonly string[]) {
  const index = (data: string, signature: string): number => {
    const presented = Buffer.from(signature, 'base64url');
    return keys.findIndex((key) => {
      const wanted = mac(key, 'cookie', data);
      return presented.length === wanted.length && timingSafeEqual(presented, wanted);
    });
  };
  return {
    sign: (data: string): string => mac(keys[0] as string, 'cookie', data).toString('base64url'),
    index,
    verify: (data: string, signature: string): boolean => index(data, signature) >= 0,
  };
}

export interface ProviderParts {
  config: Config;
  clients: KnownClients;
  resources: KnownResources;
  adapter: NonNullable<Configuration['adapter']>;
  keySet: KeySet;
  /** Refuses a client authentication that follows too many failures (429). */
  beforeClientSecret(unit: Unit, clientId: string): Promise<void>;
  subjects: Subjects;
  renderError: NonNullable<Configuration['renderError']>;
  fetch: NonNullable<Configuration['fetch']>;
}

/** The app that asked; our own pages are none. */
const appName = ({ oidc: { client } }: KoaContextWithOIDC): string | null =>
  client && client.clientId !== OWN_CLIENT ? (client.clientName ?? null) : null;

const scopesOf = (ctx: KoaContextWithOIDC): string[] => [...ctx.oidc.requestParamOIDCScopes];

/**
 * The grant of this session and client (R40). Where it does not cover the request, it is widened without a
 * question only by what the person consented to before, or for the company's own apps.
 */
async function loadExistingGrant(ctx: KoaContextWithOIDC, { clients, config }: ProviderParts) {
  const { client, session, provider, account } = ctx.oidc;
  if (!client || !session || !account) return undefined;
  const answered = ctx.oidc.result?.consent?.grantId;
  const id = answered ?? session.grantIdFor(client.clientId);
  const grant = id ? await provider.Grant.find(id) : undefined;
  if (answered) return grant;

  const unit = unitOf();
  const known = await clients.find(client.clientId, unit.db());
  if (!known) return undefined;
  // What was granted to an app that has since changed its name or redirect URIs answers nothing (ASVS 10.7).
  const look = lookOf(known.row);
  const held = grant && unit.grants.get(grant.jti)?.look === look ? grant : undefined;
  const asked = { scopes: scopesOf(ctx), resources: askedOfApis(ctx) };
  const missing = beyond(asked, held ? accessOf(held as Parameters<typeof accessOf>[0]) : NOTHING);
  const claims = [...ctx.oidc.requestParamClaims].filter((claim) => !held?.getOIDCClaims().includes(claim));
  if (held && isNothing(missing) && claims.length === 0) return held;

  const { firstParty } = known.row;
  if (!firstParty) {
    await unit.writing();
    await lockConsent(unit.op(), account.accountId, client.clientId);
  }
  // What was allowed to the app elsewhere says nothing of this device, which may be anybody's (RFC 8628 5.4).
  const mayRemember = !firstParty && !isDevicePage(ctx);
  const remembered = mayRemember ? await consented(unit.op(), account.accountId, known.row) : NOTHING;
  const access = firstParty ? missing : common(missing, remembered);
  const moreClaims = firstParty ? claims : [];
  const accountEpoch = unit.epochs.get(account.accountId);
  if ((isNothing(access) && moreClaims.length === 0) || accountEpoch === undefined) return held;

  await unit.writing();
  const grantId = await grantFor(unit.op(), {
    sessionUid: session.uid,
    accountId: account.accountId,
    accountEpoch,
    clientId: client.clientId,
    look,
    access,
    claims: moreClaims,
    maxAge: config.tokens.grantMaxAge,
  });
  const about = { subject: account.accountId, client: client.clientId, session: session.uid, grant: grantId };
  unit.entries.push(
    entry('consent.given', about, { ...access, source: firstParty ? 'firstParty' : 'remembered' }),
  );
  unit.grants.delete(grantId);
  return provider.Grant.find(grantId);
}

function policy(config: Config): interactionPolicy.DefaultPolicy {
  const { Check, base } = interactionPolicy;
  const prompts = base();
  const login = prompts.get('login');
  if (!login) throw new Error('the library has no login prompt');

  // First of all checks: what is wrong with the request itself is answered to the app, not asked of the person.
  login.checks.add(
    new Check('request_rules', 'the request breaks a rule of this server', async (ctx) => {
      const { client, params } = ctx.oidc;
      if (!client || !params) return Check.NO_NEED_TO_PROMPT;
      await spendRequestObject(client.clientId);
      if (
        params.nonce === undefined &&
        !isDevicePage(ctx) &&
        scopesOf(ctx).includes('openid') &&
        rulesOf(client).require_nonce !== false
      ) {
        throw new errors.InvalidRequest('nonce is required');
      }
      // A claim asked for by itself is of a scope like any other: what the app may not have, it may not have so either.
      const may = client.scope?.split(' ') ?? [];
      for (const [scope, names] of Object.entries(claimsByScope)) {
        const strange = (names as readonly string[]).find((name) => ctx.oidc.requestParamClaims.has(name));
        if (strange !== undefined && !may.includes(scope))
          throw new errors.InvalidRequest(
            `claims: ${strange} is of the scope ${scope}, which this client may not ask for`,
          );
      }
      // acr_values is only a wish to the library (R45); here one that cannot be met is an error.
      const acrs = typeof params.acr_values === 'string' ? params.acr_values.split(' ') : [];
      if (acrs.length > 0 && !acrs.includes(ACR_PASSWORD)) {
        throw new errors.UnmetAuthenticationRequirements('none of the requested acr_values can be met');
      }
      // The library would ask for a sign-in again and again for what no sign-in can bring.
      const { acr, sub } = (ctx.oidc.claims.id_token ?? {}) as Record<
        string,
        ClaimRequest | null | undefined
      >;
      const unmet = (wanted: unknown[]) => !wanted.includes(ACR_PASSWORD);
      if (
        acr?.essential === true &&
        ((acr.value !== undefined && unmet([acr.value])) || (Array.isArray(acr.values) && unmet(acr.values)))
      ) {
        throw new errors.UnmetAuthenticationRequirements('the essential acr cannot be met');
      }
      // Nor does it look at id_token_hint once somebody has signed in: anybody would do (Core 3.1.2.1).
      const expected = subjectOf(params.id_token_hint) ?? sub?.value;
      if (ctx.oidc.result?.login && expected !== undefined && expected !== ctx.oidc.session?.accountId) {
        throw new errors.LoginRequired('another account than the requested one signed in');
      }
      return Check.NO_NEED_TO_PROMPT;
    }),
    0,
  );
  // A session whose account is gone, or past its absolute limit, is a sign-in page, not a fault (R34).
  login.checks.add(
    new Check('session_over', 'End-User authentication is required', 'login_required', (ctx) => {
      const { session, account } = ctx.oidc;
      if (!session?.accountId) return Check.NO_NEED_TO_PROMPT;
      const age = seconds() - (session.loginTs ?? 0);
      return !account || age > config.sessions.maxAge ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT;
    }),
    1,
  );

  const consent = prompts.get('consent');
  if (!consent) throw new Error('the library has no consent prompt');
  // The library asks about scopes alone; a token without any is good at an API, too.
  consent.checks.add(
    new Check('api_not_granted', 'requested resource not granted', 'consent_required', ({ oidc }) =>
      Object.keys(oidc.resourceServers ?? {}).some((id) => oidc.grant?.resources?.[id] === undefined)
        ? Check.REQUEST_PROMPT
        : Check.NO_NEED_TO_PROMPT,
    ),
  );
  // Of a public app on the person's own machine nobody knows who listens there. While developing, everything is there.
  consent.checks.add(
    new Check('loopback', 'whoever listens on the machine gets the answer', 'interaction_required', (ctx) =>
      config.server.issuer.startsWith('https:') &&
      ctx.oidc.client?.clientAuthMethod === 'none' &&
      String(ctx.oidc.params?.redirect_uri).startsWith('http:') &&
      !ctx.oidc.result?.consent
        ? Check.REQUEST_PROMPT
        : Check.NO_NEED_TO_PROMPT,
    ),
  );
  consent.checks.add(
    new Check('device', 'a device asks for access', 'interaction_required', (ctx) =>
      isDevicePage(ctx) &&
      ctx.oidc.client &&
      !rulesOf(ctx.oidc.client).first_party &&
      !ctx.oidc.result?.consent
        ? Check.REQUEST_PROMPT
        : Check.NO_NEED_TO_PROMPT,
    ),
  );
  return prompts;
}

async function findAccount(id: string): Promise<rows.AccountRow | null> {
  const unit = unitOf();
  const joined = unit.accounts.get(id);
  if (joined) return joined;
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return null;
  const [row] = await rows.run(unit.db(), rows.FIND_ACCOUNT, [id]);
  return row ? rows.accountOf(row) : null;
}

/** The features of this version, named one by one. */
const features = (parts: ProviderParts): Configuration['features'] =>
  ({
    attestClientAuth: { enabled: false },
    // What is said and registered; who sends is server/logouts.
    backchannelLogout: { enabled: true },
    ciba: { enabled: false },
    claimsParameter: {
      enabled: true,
      // Stored with the code as what it means, and there an escape becomes the character (R10).
      assertClaimsParameter: async (_ctx: unknown, claims: object) => {
        if (!isAcceptable(claims)) throw new errors.InvalidRequest('claims holds what cannot be stored');
      },
    },
    clientCredentials: { enabled: true },
    clientIdMetadataDocument: { enabled: false },
    deviceFlow: deviceFlow(parts),
    devInteractions: { enabled: false },
    dPoP: {
      enabled: true,
      // The same on every replica; with another newest key, apps are told a new nonce and repeat their request.
      nonceSecret: mac(parts.config.secrets.cookieKeys[0] as string, 'dpop nonce', ''),
      requireNonce: () => parts.config.tokens.dpopRequireNonce,
      allowReplay: false,
    },
    encryption: { enabled: false },
    externalSigningSupport: { enabled: false },
    fapi: { enabled: false },
    introspection: { enabled: true, allowedPolicy: introspectionPolicy(parts) },
    jwtIntrospection: { enabled: false },
    jwtResponseModes: { enabled: false },
    jwtUserinfo: { enabled: false },
    mTLS: { enabled: false },
    openid4vci: { enabled: false },
    pushedAuthorizationRequests: {
      enabled: true,
      requirePushedAuthorizationRequests: false,
      allowUnregisteredRedirectUris: false,
    },
    registration: { enabled: false },
    registrationManagement: { enabled: false },
    requestObjects: {
      enabled: true,
      requireSignedRequestObject: false,
      assertJwtClaimsAndHeader: async (
        ctx: KoaContextWithOIDC,
        claims: Record<string, unknown>,
        _header: unknown,
        client: { requestObjectSigningAlg?: string },
      ) => requestObjectCheck(ctx, claims, client, CLOCK_TOLERANCE),
    },
    resourceIndicators: resourceIndicators(parts),
    revocation: {
      enabled: true,
      // A stranger's token is answered like an unknown one: 200, and nothing happens (RFC 7009 2.2, ATK-A060).
      allowedPolicy: (_ctx: unknown, client: { clientId: string }, token: { clientId?: string }) =>
        token.clientId === client.clientId,
    },
    richAuthorizationRequests: { enabled: false },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: async (ctx: KoaContextWithOIDC, form: string) => {
        const xsrf = /name="xsrf" value="([^"]+)"/.exec(form)?.[1];
        if (!xsrf) throw new Error('the library’s logout form has no xsrf');
        const accountId = ctx.oidc.session?.accountId;
        const account = accountId ? await findAccount(accountId) : null;
        ctx.body = String(
          logoutPage({
            action: `${ROUTES.end_session}/confirm`,
            xsrf,
            clientName: appName(ctx),
            email: account?.email ?? null,
          }),
        );
      },
      postLogoutSuccessSource: async (ctx: KoaContextWithOIDC) => {
        const { accountId } = await ctx.oidc.provider.Session.get(ctx);
        const stayed = accountId !== undefined;
        ctx.type = 'html';
        ctx.body = String(signedOutPage({ stayed, clientName: appName(ctx), home: '/' }));
      },
    },
    rpMetadataChoices: { enabled: false },
    userinfo: { enabled: true },
    webMessageResponseMode: { enabled: false },
  }) as Configuration['features'];

export function createProvider(parts: ProviderParts): Provider {
  const { config, keySet } = parts;
  const { issuer } = config.server;
  const secure = issuer.startsWith('https:');
  const cookie = { httpOnly: true, sameSite: 'lax', signed: true, secure, overwrite: true } as const;
  if (config.secrets.cookieKeys.length === 0) throw new Error('COOKIE_KEYS is empty');

  const configuration: Configuration = {
    adapter: parts.adapter,
    jwks: keySet.jwks as NonNullable<Configuration['jwks']>,
    routes: ROUTES,
    scopes: [...SCOPES],
    claims: {
      iss: null,
      sid: null,
      // How and when the person proved to be here is in every ID token, asked for or not.
      openid: ['sub', 'auth_time', 'acr', 'amr'],
      profile: [...claimsByScope.profile],
      email: [...claimsByScope.email],
      address: [...claimsByScope.address],
      phone: [...claimsByScope.phone],
    },
    acrValues: [ACR_PASSWORD],
    responseTypes: ['code'],
    subjectTypes: ['public', 'pairwise'],
    pairwiseIdentifier: async (_ctx, accountId, client) => parts.subjects.of(client as never, accountId),
    // Looked at when it is registered (server/clients): no request of a person waits for another server.
    sectorIdentifierUriValidate: () => false,
    clientAuthMethods: [...AUTH_METHODS],
    clientDefaults: {
      grant_types: ['authorization_code'],
      response_types: ['code'],
      id_token_signed_response_alg: 'ES256',
      token_endpoint_auth_method: 'client_secret_basic',
    },
    // Served by server/oidc/registration.ts: the library knows nothing of it.
    ...(config.registration.mode === 'off'
      ? {}
      : { discovery: { registration_endpoint: `${issuer}${REGISTRATION}` } }),
    // No HMAC anywhere: client secrets are stored as hashes (R26, R27).
    enabledJWA: {
      idTokenSigningAlgValues: ['ES256', 'RS256', 'EdDSA'],
      clientAuthSigningAlgValues: [...CLIENT_SIGNING_ALGS],
      requestObjectSigningAlgValues: [...CLIENT_SIGNING_ALGS],
      dPoPSigningAlgValues: [...CLIENT_SIGNING_ALGS],
    },
    clockTolerance: CLOCK_TOLERANCE,
    assertJwtClientAuthClaimsAndHeader: assertionCheck({
      issuer,
      tolerance: CLOCK_TOLERANCE,
      beforeAuthentication: parts.beforeClientSecret,
    }),
    // The ID token carries the claims of its scopes: many apps never call userinfo.
    conformIdTokenClaims: false,
    allowOmittingSingleRegisteredRedirectUri: false,
    acceptQueryParamAccessTokens: false,
    enableHttpPostMethods: false,
    extraClientMetadata: { properties: [...EXTRA_METADATA] },
    clientBasedCORS: (_ctx, origin, client) => rulesOf(client).allowed_origins?.includes(origin) === true,
    cookies: {
      names: {
        // Only the session cookie can take __Host-: the other two are scoped to a path (R46).
        session: secure ? '__Host-gatehouse_session' : 'gatehouse_session',
        interaction: secure ? '__Secure-gatehouse_interaction' : 'gatehouse_interaction',
        resume: secure ? '__Secure-gatehouse_resume' : 'gatehouse_resume',
      },
      long: { ...cookie, path: '/' },
      short: { ...cookie },
      keys: cookieSigner(config.secrets.cookieKeys) as NonNullable<
        NonNullable<Configuration['cookies']>['keys']
      >,
    },
    features: features(parts),
    fetch: parts.fetch,
    formats: { customizers: { jwt: describePerson } },
    pkce: {
      required: (_ctx, client) =>
        client.clientAuthMethod === 'none' || rulesOf(client).require_pkce !== false,
    },
    rotateRefreshToken: async (ctx) => {
      await beforeRotation(ctx, parts);
      return true;
    },
    issueRefreshToken: async (_ctx, client, code) =>
      client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
    expiresWithSession: async (_ctx, code) => !code.scopes.has('offline_access'),
    loadExistingGrant: (ctx) => loadExistingGrant(ctx, parts),
    findAccount: async (_ctx, sub) => {
      const row = await findAccount(sub);
      return row ? { accountId: row.id, claims: () => ({ ...allClaimsOf(row) }) } : undefined;
    },
    interactions: {
      policy: policy(config),
      url: (_ctx, interaction) => `/interaction/${interaction.uid}`,
    },
    renderError: parts.renderError,
    ttl: {
      AccessToken: (ctx, token, client) => accessTokenTtl(parts, ctx, token, client),
      AuthorizationCode: config.tokens.authorizationCodeTtl,
      DeviceCode: config.tokens.deviceCodeTtl,
      ClientCredentials: (ctx, token, client) => accessTokenTtl(parts, ctx, token, client),
      Grant: config.tokens.grantMaxAge,
      IdToken: config.tokens.idTokenTtl,
      Interaction: config.sessions.interactionTtl,
      RefreshToken: (ctx, _token, client) => {
        const idle = rulesOf(client).refresh_token_idle ?? config.tokens.refreshTokenIdle;
        // The grant's end is the chain's end: no token outlives it (R38).
        const end = ctx.oidc.entities.Grant?.exp;
        return Math.max(1, end === undefined ? idle : Math.min(idle, end - seconds()));
      },
      // Idle, but never past the absolute limit.
      Session: (_ctx, session) => {
        const { idle, maxAge, interactionTtl } = config.sessions;
        // Nobody's session holds the state of a logout form, and lives as long as a person may take for one.
        if (!session.loginTs) return Math.min(idle, interactionTtl);
        return Math.max(1, Math.min(idle, session.loginTs + maxAge - seconds()));
      },
    },
  };

  const provider = new Provider(issuer, configuration);
  // Believes x-forwarded-* of the request; server/http has replaced them with what it resolved itself (R2).
  provider.proxy = true;
  const { prototype } = provider.Client as unknown as {
    prototype: {
      clientId: string;
      clientSecret: string;
      clientAuthMethod: string;
      compareClientSecret(actual: string): Promise<boolean>;
      backchannelLogout(): Promise<void>;
    };
  };
  rememberOnce(provider);
  // The library would send while the person waits, once, and only at this one kind of ending (R52).
  prototype.backchannelLogout = async () => {};
  prototype.compareClientSecret = async function (actual) {
    await parts.beforeClientSecret(unitOf(), this.clientId);
    // To the library either way of sending a secret does; here the registered one alone does (ATK-A054).
    const inBody = Provider.ctx?.oidc?.params?.client_secret !== undefined;
    if (inBody !== (this.clientAuthMethod === 'client_secret_post')) return false;
    const digest = sha256(actual);
    const now = Date.now();
    // Every hash is compared, so that the time says nothing about which of the two matched.
    return unpackSecrets(this.clientSecret).reduce(
      (ok, { hash, until }) => (sameDigest(hash, digest) && until > now) || ok,
      false,
    );
  };
  const session = provider.Session.prototype as unknown as {
    uid: string;
    sidFor(clientId: string): string;
    ensureClientContainer(clientId: string): void;
  };
  // Its own are random, kept in the session's payload: of two parallel sign-ins of one app, one would hold a sid that
  // no logout token names. What grantIdFor() keeps there is container enough.
  session.sidFor = function (clientId) {
    return sidOf(this.uid, clientId);
  };
  session.ensureClientContainer = () => {};
  return provider;
}
