// The protocol as a certified third-party library (openid-client 6) sees it, over real HTTP, with a person in front:
// what is offered works as its specification says, and what must be refused is refused with its exact error.
import { createHmac, createPublicKey } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import * as oidc from 'openid-client';
import t from 'tap';
import { loadConfig } from '../config/load.ts';
import { disable } from '../server/accounts/accounts.ts';
import { addSecret, createKnownClients, type NewClient, removeSecret } from '../server/clients/clients.ts';
import { listOf as consentsOf, revoke as revokeConsent } from '../server/consents/consents.ts';
import { routesOf } from '../server/http/failures.ts';
import { createLockouts } from '../server/lockouts/lockouts.ts';
import { createAdapter } from '../server/oidc/adapter.ts';
import { createSubjects } from '../server/oidc/pairwise.ts';
import { createProvider } from '../server/oidc/provider.ts';
import { createKnownResources } from '../server/resources/resources.ts';
import {
  authorizePath,
  complete,
  PASSWORD,
  pkce,
  type Running,
  startApp,
  type TestClient,
  tokenRequest,
} from './harness/app.ts';
import { formsOf, type Page, type Visitor } from './harness/browser.ts';
import { newKey } from './harness/server.ts';

type Params = Record<string, string>;

/** An app with openid-client set up for it. */
interface Relying {
  config: oidc.Configuration;
  client: TestClient;
}

interface Attempt {
  browser: Visitor;
  page: Page;
  /** The redirect back to the app; null: the browser still stands on one of our pages. */
  callback: URL | null;
  /** What openid-client checks the answer against. */
  checks: { pkceCodeVerifier: string; expectedNonce: string; expectedState: string };
}

async function configure(
  app: Running,
  client: TestClient,
  auth?: oidc.ClientAuth,
): Promise<oidc.Configuration> {
  return oidc.discovery(
    new URL(app.issuer),
    client.id,
    {
      ...(client.secret ? { client_secret: client.secret } : {}),
      id_token_signed_response_alg: client.row.idTokenSignedResponseAlg,
    },
    auth ?? (client.secret ? oidc.ClientSecretBasic(client.secret) : oidc.None()),
    // Signatures of ID tokens are verified although TLS would do for the code flow.
    { execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks] },
  );
}

async function relying(app: Running, more: Partial<NewClient> = {}): Promise<Relying> {
  const client = await app.client(more);
  const post = client.row.tokenEndpointAuthMethod === 'client_secret_post';
  return { client, config: await configure(app, client, post ? oidc.ClientSecretPost() : undefined) };
}

/** What apps may sign with, sorted. */
const SIGNED_BY_APPS = ['ES256', 'Ed25519', 'EdDSA', 'PS256', 'RS256'];

/** A page that only posts itself on, as the library answers form_post and a change of account. */
const isRelay = (page: Page): boolean =>
  page.status === 200 && page.body.includes('document.forms[0].submit()');

/** As a browser with JavaScript goes: through our pages, and through the library's self-posting ones. */
async function drive(
  browser: Visitor,
  first: Page,
  person: { email: string; password?: string },
): Promise<Page> {
  let { page } = await complete(browser, first, person);
  while (
    isRelay(page) &&
    page.location === null &&
    formsOf(page.body)[0]?.action.startsWith(new URL(page.url).origin)
  ) {
    page = (await complete(browser, await browser.submit(page, /./, {}), person)).page;
  }
  return page;
}

const left = (page: Page): URL | null => (page.location === null ? null : new URL(page.location, page.url));

/** An authorization request by openid-client; without a person it stops at the first page. */
async function authorize(
  { config }: Relying,
  app: Running,
  person: { email: string; password?: string } | null,
  params: Params = {},
  { browser = app.visitor(), post = false }: { browser?: Visitor; post?: boolean } = {},
): Promise<Attempt> {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
  const expectedNonce = oidc.randomNonce();
  const expectedState = oidc.randomState();
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: 'https://rp.test/cb',
    scope: 'openid',
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    nonce: expectedNonce,
    state: expectedState,
    ...params,
  });
  const first = post
    ? await browser.post(url.pathname, Object.fromEntries(url.searchParams), {
        origin: 'https://rp.test',
        'sec-fetch-site': 'cross-site',
      })
    : await browser.get(url.href);
  const page = person ? await drive(browser, first, person) : await browser.follow(first);
  return { browser, page, callback: left(page), checks: { pkceCodeVerifier, expectedNonce, expectedState } };
}

/** From nothing to tokens, everything checked by openid-client. */
async function signIn(
  rp: Relying,
  app: Running,
  person: { email: string; password?: string },
  params: Params = {},
  options: { browser?: Visitor; post?: boolean } = {},
) {
  const { callback, checks, browser, page } = await authorize(rp, app, person, params, options);
  if (!callback)
    throw new Error(`no answer to the app: ${page.status} ${page.url} ${page.body.slice(0, 600)}`);
  const answer = await oidc.authorizationCodeGrant(rp.config, callback, checks);
  const claims = answer.claims();
  if (!claims) throw new Error('no ID token');
  return { ...answer, claims, browser, callback };
}

/** The OAuth error a call of openid-client was refused with. */
async function errorOf(call: Promise<unknown>): Promise<string> {
  try {
    const value = await call;
    return `no error: ${JSON.stringify(value)}`;
  } catch (error) {
    if (error instanceof oidc.ResponseBodyError || error instanceof oidc.AuthorizationResponseError)
      return error.error;
    if (error instanceof oidc.WWWAuthenticateChallengeError) {
      return error.cause[0]?.parameters.error ?? `challenge ${error.status}`;
    }
    return `${(error as { code?: string }).code ?? error}`;
  }
}

const errorIn = (attempt: { callback: URL | null }): string | null =>
  attempt.callback?.searchParams.get('error') ?? null;

const headerOf = (jwt: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(jwt.split('.')[0] as string, 'base64url').toString());

/** Which of our pages a browser stands on. */
function pageOf(page: Page): 'sign-in' | 'consent' | 'elsewhere' {
  const actions = formsOf(page.body).map(({ action }) => action);
  if (actions.some((action) => /^\/login\/[^/]+\/password$/.test(action))) return 'sign-in';
  return actions.some((action) => /^\/consent\/[^/]+$/.test(action)) ? 'consent' : 'elsewhere';
}

/** Waits for the clock of the library, which counts whole seconds. */
const nextSecond = (more = 0) => sleep(1000 - (Date.now() % 1000) + 20 + more * 1000);

t.setTimeout(170_000);

t.test('what is offered', async (t) => {
  const app = await startApp(t);

  await t.test('P1: R25: discovery names exactly what is offered', async (t) => {
    const at = (path: string) => `${app.issuer}${path}`;
    const expected = {
      acr_values_supported: ['urn:gatehouse:aal1'],
      authorization_endpoint: at('/oauth2/authorize'),
      authorization_response_iss_parameter_supported: true,
      claim_types_supported: ['normal'],
      backchannel_logout_session_supported: true,
      backchannel_logout_supported: true,
      claims_parameter_supported: true,
      claims_supported: [
        ...[
          'acr',
          'address',
          'amr',
          'auth_time',
          'birthdate',
          'email',
          'email_verified',
          'family_name',
          'gender',
        ],
        ...['given_name', 'iss', 'locale', 'middle_name', 'name', 'nickname', 'phone_number'],
        ...['phone_number_verified', 'picture', 'preferred_username', 'profile', 'sid', 'sub', 'updated_at'],
        ...['website', 'zoneinfo'],
      ],
      code_challenge_methods_supported: ['S256'],
      dpop_signing_alg_values_supported: SIGNED_BY_APPS,
      pushed_authorization_request_endpoint: at('/oauth2/par'),
      request_object_signing_alg_values_supported: SIGNED_BY_APPS,
      request_parameter_supported: true,
      device_authorization_endpoint: at('/oauth2/device_authorization'),
      end_session_endpoint: at('/oauth2/logout'),
      grant_types_supported: [
        'authorization_code',
        'client_credentials',
        'refresh_token',
        'urn:ietf:params:oauth:grant-type:device_code',
      ],
      id_token_signing_alg_values_supported: ['ES256', 'EdDSA', 'RS256'],
      introspection_endpoint: at('/oauth2/introspect'),
      issuer: app.issuer,
      jwks_uri: at('/oauth2/jwks'),
      request_uri_parameter_supported: false,
      response_modes_supported: ['form_post', 'fragment', 'query'],
      response_types_supported: ['code'],
      revocation_endpoint: at('/oauth2/revoke'),
      scopes_supported: ['address', 'email', 'offline_access', 'openid', 'phone', 'profile'],
      subject_types_supported: ['pairwise', 'public'],
      token_endpoint: at('/oauth2/token'),
      token_endpoint_auth_methods_supported: [
        ...['client_secret_basic', 'client_secret_post', 'none', 'private_key_jwt'],
      ],
      token_endpoint_auth_signing_alg_values_supported: SIGNED_BY_APPS,
      userinfo_endpoint: at('/oauth2/userinfo'),
    };
    for (const path of ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']) {
      const response = await fetch(at(path));
      const document = (await response.json()) as Record<string, unknown>;
      const sorted = Object.fromEntries(
        Object.entries(document).map(([name, value]) => [
          name,
          Array.isArray(value) ? value.toSorted() : value,
        ]),
      );
      t.strictSame(sorted, expected, path);
    }
    // The router knows no other path of the protocol.
    const paths = routesOf(app.app.http)
      .map(({ url }) => url)
      .filter((url) => url.startsWith('/oauth2'))
      .toSorted();
    t.strictSame(paths, [
      '/oauth2/authorize',
      '/oauth2/authorize/:uid',
      '/oauth2/device_authorization',
      '/oauth2/introspect',
      '/oauth2/jwks',
      '/oauth2/logout',
      '/oauth2/logout/confirm',
      '/oauth2/logout/success',
      '/oauth2/par',
      '/oauth2/revoke',
      '/oauth2/token',
      '/oauth2/userinfo',
    ]);
  });

  await t.test('R25: every feature of the library is decided upon, and these are on', async (t) => {
    const { config } = loadConfig({
      cwd: process.cwd(),
      env: {
        ISSUER: app.issuer,
        DATABASE_URL: 'postgres://x@127.0.0.1/x',
        ENCRYPTION_KEYS: newKey(),
        COOKIE_KEYS: newKey(),
      },
    });
    const clients = createKnownClients(app.db);
    const jwks = { keys: [] };
    const guarded = async () => Response.error();
    const provider = createProvider({
      config,
      clients,
      resources: createKnownResources(app.db),
      adapter: createAdapter({ clients, lockouts: createLockouts(config.lockouts), config }),
      keySet: { jwks } as never,
      subjects: createSubjects(),
      beforeClientSecret: async () => {},
      renderError: () => {},
      fetch: guarded,
    });
    // What the library made of it is not public; a test may look, an upgrade must not pass unseen.
    const inside = new URL('../node_modules/oidc-provider/lib/helpers/weak_cache.js', import.meta.url).href;
    const { default: instance } = (await import(inside)) as {
      default: (provider: object) => {
        configuration: { features: Record<string, { enabled: boolean }>; fetch: unknown };
      };
    };
    const { features, fetch } = instance(provider).configuration;
    t.equal(fetch, guarded, 'R55: its requests go where ours go');
    const on = Object.keys(features).filter((name) => features[name]?.enabled);
    t.strictSame(on.toSorted(), [
      'backchannelLogout',
      'claimsParameter',
      'clientCredentials',
      'dPoP',
      'deviceFlow',
      'introspection',
      'pushedAuthorizationRequests',
      'requestObjects',
      'resourceIndicators',
      'revocation',
      'rpInitiatedLogout',
      'userinfo',
    ]);
    t.strictSame(Object.keys(features).toSorted(), [
      ...['attestClientAuth', 'backchannelLogout', 'ciba', 'claimsParameter', 'clientCredentials'],
      ...['clientIdMetadataDocument', 'dPoP', 'devInteractions', 'deviceFlow', 'encryption'],
      ...['externalSigningSupport', 'fapi', 'introspection', 'jwtIntrospection', 'jwtResponseModes'],
      ...['jwtUserinfo', 'mTLS', 'openid4vci', 'pushedAuthorizationRequests', 'registration'],
      ...['registrationManagement', 'requestObjects', 'resourceIndicators', 'revocation'],
      ...['richAuthorizationRequests', 'rpInitiatedLogout', 'rpMetadataChoices', 'userinfo'],
      'webMessageResponseMode',
    ]);
  });

  await t.test('P1: code flow with PKCE, by GET and by POST, nonce, state and iss checked', async (t) => {
    const rp = await relying(app);
    const person = await app.person();
    for (const post of [false, true]) {
      const attempt = await authorize(rp, app, person, {}, { post });
      const callback = attempt.callback as URL;
      t.equal(`${callback.origin}${callback.pathname}`, 'https://rp.test/cb');
      t.strictSame([...callback.searchParams.keys()].toSorted(), ['code', 'iss', 'state']);
      t.equal(callback.searchParams.get('iss'), app.issuer);
      const answer = await oidc.authorizationCodeGrant(rp.config, callback, attempt.checks);
      t.equal(answer.token_type, 'bearer');
      t.equal(answer.expires_in, 900);
      t.equal(answer.refresh_token, undefined, 'no refresh token without offline_access');
      t.equal(answer.claims()?.sub, person.id);
      t.equal(answer.claims()?.aud, rp.client.id);
    }
    // What openid-client would not let through, were it otherwise.
    const wrong = await authorize(rp, app, person);
    const swapped = new URL(wrong.callback as URL);
    swapped.searchParams.set('iss', 'https://other.test');
    t.equal(
      await errorOf(oidc.authorizationCodeGrant(rp.config, swapped, wrong.checks)),
      'OAUTH_INVALID_RESPONSE',
    );
    const stateless = { ...wrong.checks, expectedState: 'another' };
    t.equal(
      await errorOf(oidc.authorizationCodeGrant(rp.config, wrong.callback as URL, stateless)),
      'OAUTH_INVALID_RESPONSE',
    );
    const other = { ...wrong.checks, expectedNonce: 'another' };
    t.not(await errorOf(oidc.authorizationCodeGrant(rp.config, wrong.callback as URL, other)), 'no error');
  });

  await t.test('P1: a POST is answered by a redirect that keeps SameSite=Lax cookies', async (t) => {
    const rp = await relying(app);
    const browser = app.visitor();
    const form = { client_id: rp.client.id, scope: 'openid email', state: 'a+b %2B é & =' };
    const page = await browser.post('/oauth2/authorize', form, { 'sec-fetch-site': 'cross-site' });
    t.equal(page.status, 303);
    const target = new URL(page.location as string, page.url);
    t.equal(target.pathname, '/oauth2/authorize');
    t.strictSame(Object.fromEntries(target.searchParams), form);
    const json = await fetch(`${app.issuer}/oauth2/authorize`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    t.equal(json.status, 415);
    const long = await browser.post('/oauth2/authorize', { ...form, state: 'x'.repeat(9000) });
    t.equal(long.status, 413);
  });

  await t.test(
    'P2: ID tokens in the algorithm of each client, RS256 with 3072 bits, never HS*',
    async (t) => {
      const person = await app.person();
      const jwks = (await (await fetch(`${app.issuer}/oauth2/jwks`)).json()) as {
        keys: (Record<string, string> & { kid: string; alg: string })[];
      };
      for (const alg of ['ES256', 'RS256', 'EdDSA'] as const) {
        const rp = await relying(app, { idTokenSignedResponseAlg: alg });
        const { id_token = '' } = await signIn(rp, app, person);
        const header = headerOf(id_token);
        t.equal(header.alg, alg);
        const key = jwks.keys.find(({ kid }) => kid === header.kid);
        t.equal(key?.alg, alg);
        t.equal(key?.use, 'sig');
        if (alg === 'RS256') {
          const { asymmetricKeyDetails } = createPublicKey({ key: key as never, format: 'jwk' });
          t.equal(asymmetricKeyDetails?.modulusLength, 3072);
        }
      }
      await t.rejects(app.client({ idTokenSignedResponseAlg: 'HS256' as never }), { code: 'client.invalid' });
    },
  );

  await t.test('P7: the claims of a scope are in the ID token and at userinfo, and no others', async (t) => {
    const person = await app.person();
    const stored = {
      given_name: 'Pat',
      phone_number: '+44 20 7946 0000',
      address: { locality: 'London', country: 'GB' },
      secret_note: 'never a claim',
    };
    await app.db
      .$client`UPDATE accounts SET claims = ${JSON.stringify(stored)}::text::jsonb WHERE id = ${person.id}`;
    const rp = await relying(app);
    const technical = new Set([
      'iss',
      'aud',
      'exp',
      'iat',
      'nonce',
      'sid',
      'at_hash',
      'auth_time',
      'acr',
      'amr',
    ]);
    const byScope: Record<string, string[]> = {
      openid: ['sub'],
      'openid profile': ['given_name', 'name', 'sub', 'updated_at'],
      'openid email': ['email', 'email_verified', 'sub'],
      'openid address': ['address', 'sub'],
      'openid phone': ['phone_number', 'phone_number_verified', 'sub'],
    };
    for (const [scope, expected] of Object.entries(byScope)) {
      const { claims, access_token } = await signIn(rp, app, person, { scope });
      const own = Object.keys(claims).filter((name) => !technical.has(name));
      t.strictSame(own.toSorted(), expected, `ID token: ${scope}`);
      const info = await oidc.fetchUserInfo(rp.config, access_token, person.id);
      t.strictSame(Object.keys(info).toSorted(), expected, `userinfo: ${scope}`);
      if (scope === 'openid email') {
        t.equal(info.email, person.email);
        t.equal(info.email_verified, false);
      }
      if (scope === 'openid address') t.strictSame(info.address, stored.address);
    }
    const { claims, access_token } = await signIn(rp, app, person, {
      scope: 'openid',
      claims: JSON.stringify({ id_token: { email: { essential: true } }, userinfo: { given_name: null } }),
    });
    t.equal(claims.email, person.email, 'a single claim asked for');
    const info = await oidc.fetchUserInfo(rp.config, access_token, person.id);
    t.equal(info.given_name, 'Pat');
  });

  await t.test('P1: userinfo by GET and by POST with the token in the header', async (t) => {
    const rp = await relying(app);
    const person = await app.person();
    const { access_token } = await signIn(rp, app, person, { scope: 'openid email' });
    for (const method of ['GET', 'POST']) {
      const response = await fetch(`${app.issuer}/oauth2/userinfo`, {
        method,
        headers: { authorization: `Bearer ${access_token}` },
      });
      t.equal(response.status, 200, method);
      t.match(response.headers.get('content-type'), /^application\/json/);
      t.equal(((await response.json()) as { sub: string }).sub, person.id);
    }
    const form = await fetch(`${app.issuer}/oauth2/userinfo`, {
      method: 'POST',
      body: new URLSearchParams({ access_token }),
    });
    t.equal(form.status, 200, 'RFC 6750 2.2');
    t.equal(await errorOf(oidc.fetchUserInfo(rp.config, 'x'.repeat(43), person.id)), 'invalid_token');
    const none = await fetch(`${app.issuer}/oauth2/userinfo`);
    t.equal(none.status, 401);
    t.match(none.headers.get('www-authenticate') ?? '', /^Bearer/);
  });

  await t.test('P1: form_post and fragment, only where the client has them', async (t) => {
    const rp = await relying(app, { responseModes: ['query', 'form_post', 'fragment'] });
    const person = await app.person();
    const posted = await authorize(rp, app, person, { response_mode: 'form_post' });
    t.equal(posted.callback, null);
    t.equal(posted.page.status, 200);
    const [form] = formsOf(posted.page.body);
    t.equal(form?.action, 'https://rp.test/cb');
    t.strictSame(Object.keys(form?.fields ?? {}).toSorted(), ['code', 'iss', 'state']);
    t.equal(form?.fields.iss, app.issuer);
    t.match(posted.page.headers.get('cache-control'), /no-store/);
    t.match(posted.page.body, /<noscript>/, 'goes on without JavaScript');
    const answer = await oidc.authorizationCodeGrant(
      rp.config,
      new Request('https://rp.test/cb', { method: 'POST', body: new URLSearchParams(form?.fields) }),
      posted.checks,
    );
    t.equal(answer.claims()?.sub, person.id);

    const inFragment = await authorize(rp, app, person, { response_mode: 'fragment' });
    t.equal(inFragment.callback?.search, '');
    t.match(inFragment.callback?.hash, /code=/);

    const refused = await authorize(rp, app, null, { response_mode: 'form_post', prompt: 'none' });
    const [error] = formsOf(refused.page.body);
    t.equal(error?.fields.error, 'login_required');
    t.equal(error?.fields.iss, app.issuer);

    const plain = await relying(app);
    t.equal(
      new URLSearchParams(
        (await authorize(plain, app, null, { response_mode: 'fragment' })).callback?.hash.slice(1),
      ).get('error'),
      'invalid_request',
    );
    for (const mode of ['query.jwt', 'web_message', 'bogus']) {
      t.equal(
        errorIn(await authorize(plain, app, null, { response_mode: mode })),
        'unsupported_response_mode',
        mode,
      );
    }
  });

  await t.test('P1: require_pkce and require_nonce can be off for one confidential client', async (t) => {
    const person = await app.person();
    const old = await relying(app, { requirePkce: false, requireNonce: false });
    const browser = app.visitor();
    const url = oidc.buildAuthorizationUrl(old.config, {
      redirect_uri: 'https://rp.test/cb',
      scope: 'openid',
    });
    const callback = left(await drive(browser, await browser.get(url.href), person)) as URL;
    const answer = await oidc.authorizationCodeGrant(old.config, callback, { idTokenExpected: true });
    t.equal(answer.claims()?.sub, person.id);
    t.equal(answer.claims()?.nonce, undefined);

    const strict = await relying(app);
    for (const [missing, why] of [
      ['code_challenge', 'Authorization Server policy requires PKCE to be used for this request'],
      ['nonce', 'nonce is required'],
    ] as const) {
      const refused = await browser.follow(
        await browser.get(
          authorizePath(strict.client, pkce(), {
            [missing]: undefined,
            ...(missing === 'code_challenge' ? { code_challenge_method: undefined } : {}),
          }),
        ),
      );
      const { searchParams } = left(refused) as URL;
      t.equal(searchParams.get('error'), 'invalid_request', missing);
      t.equal(searchParams.get('error_description'), why);
    }
    await t.rejects(app.client({ public: true, requirePkce: false }), { code: 'client.invalid' });
    await t.rejects(app.client({ public: true, requireNonce: false }), { code: 'client.invalid' });
    const seen = (await app.events('authorization.refused')).map(({ data }) => data.error);
    t.ok(seen.includes('invalid_request'));
  });

  await t.test(
    'P2: two live secrets, sent by basic and by post; a removed one is dead at once',
    async (t) => {
      const person = await app.person();
      for (const method of ['client_secret_basic', 'client_secret_post'] as const) {
        const rp = await relying(app, { tokenEndpointAuthMethod: method });
        const first = rp.client.secret as string;
        const second = await addSecret(app.op(), rp.client.id);
        await t.rejects(addSecret(app.op(), rp.client.id), { code: 'client.twoSecrets' });
        const auth = method === 'client_secret_basic' ? oidc.ClientSecretBasic : oidc.ClientSecretPost;
        const withFirst = { ...rp, config: await configure(app, rp.client, auth(first)) };
        const withSecond = { ...rp, config: await configure(app, rp.client, auth(second)) };
        t.ok((await signIn(withFirst, app, person)).access_token, `${method}: the first`);
        const { access_token } = await signIn(withSecond, app, person);
        t.ok(access_token, `${method}: the second`);
        await removeSecret(app.op(), rp.client.id, first.slice(-4));
        // As soon as the database has told this process, which is a matter of milliseconds and not of a cache's age.
        const removed = Date.now();
        while (
          (await errorOf(oidc.tokenIntrospection(withFirst.config, access_token))) !== 'invalid_client'
        ) {
          if (Date.now() - removed > 2000) break;
          await sleep(5);
        }
        t.equal(await errorOf(oidc.tokenIntrospection(withFirst.config, access_token)), 'invalid_client');
        t.equal((await oidc.tokenIntrospection(withSecond.config, access_token)).active, true);
      }
      const refused = await app.events('client.authenticationFailed');
      t.ok(refused.length >= 2);
      t.strictSame(refused[0]?.data, { endpoint: 'introspection' });
    },
  );
});

t.test('tokens', async (t) => {
  const app = await startApp(t, { REFRESH_REUSE_ENDS: 'family' });

  await t.test('P2: refresh rotates; the ID token keeps sub, auth_time and nonce', async (t) => {
    const rp = await relying(app);
    const person = await app.person();
    const first = await signIn(rp, app, person, { scope: 'openid email offline_access', prompt: 'consent' });
    t.equal(first.scope, 'openid email offline_access');
    const one = first.refresh_token as string;
    const second = await oidc.refreshTokenGrant(rp.config, one);
    const two = second.refresh_token as string;
    t.not(two, one);
    t.not(second.access_token, first.access_token);
    t.equal(second.claims()?.sub, person.id);
    t.equal(second.claims()?.auth_time, first.claims.auth_time);
    t.equal(second.claims()?.nonce, first.claims.nonce);
    const narrow = await oidc.refreshTokenGrant(rp.config, two, { scope: 'openid' });
    t.equal(narrow.scope, 'openid');
    t.equal((await oidc.fetchUserInfo(rp.config, narrow.access_token, person.id)).email, undefined);
    const wide = await oidc.refreshTokenGrant(rp.config, narrow.refresh_token as string);
    t.equal(wide.scope, 'openid email offline_access', 'narrowing once does not narrow the grant');
    t.equal(
      await errorOf(
        oidc.refreshTokenGrant(rp.config, wide.refresh_token as string, { scope: 'openid phone' }),
      ),
      'invalid_scope',
    );
  });

  await t.test('P3: a lost answer is repeated inside the window; later reuse ends the family', async (t) => {
    const rp = await relying(app);
    const person = await app.person();
    const first = await signIn(rp, app, person, { scope: 'openid offline_access', prompt: 'consent' });
    const one = first.refresh_token as string;
    const second = await oidc.refreshTokenGrant(rp.config, one);
    const again = await oidc.refreshTokenGrant(rp.config, one);
    t.equal(again.refresh_token, second.refresh_token, 'the same successor');
    const third = await oidc.refreshTokenGrant(rp.config, second.refresh_token as string);
    t.equal(await errorOf(oidc.refreshTokenGrant(rp.config, one)), 'invalid_grant', 'the successor was used');
    t.equal(await errorOf(oidc.refreshTokenGrant(rp.config, third.refresh_token as string)), 'invalid_grant');
    t.equal(await errorOf(oidc.fetchUserInfo(rp.config, third.access_token, person.id)), 'invalid_token');
    const [event] = (await app.events('token.reused')).filter(({ subject_id }) => subject_id === person.id);
    t.strictSame(event?.data, { kind: 'refresh', ended: 'family' });
  });

  await t.test('P2: revocation of either token; the answer has no content type', async (t) => {
    const rp = await relying(app);
    const person = await app.person();
    const params = { scope: 'openid offline_access', prompt: 'consent' };
    const first = await signIn(rp, app, person, params);
    await oidc.tokenRevocation(rp.config, first.access_token, { token_type_hint: 'access_token' });
    t.equal(await errorOf(oidc.fetchUserInfo(rp.config, first.access_token, person.id)), 'invalid_token');
    t.equal(
      await errorOf(oidc.refreshTokenGrant(rp.config, first.refresh_token as string)),
      'invalid_grant',
      'what was issued with it goes along (RFC 7009 2.1)',
    );
    const next = await signIn(rp, app, person, params, { browser: first.browser });
    const second = await oidc.refreshTokenGrant(rp.config, next.refresh_token as string);
    await oidc.tokenRevocation(rp.config, second.refresh_token as string);
    t.equal(
      await errorOf(oidc.refreshTokenGrant(rp.config, second.refresh_token as string)),
      'invalid_grant',
    );
    t.equal(await errorOf(oidc.fetchUserInfo(rp.config, second.access_token, person.id)), 'invalid_token');
    const kinds = (await app.events('token.revoked'))
      .filter(({ client_id }) => client_id === rp.client.id)
      .map(({ data }) => data.kind);
    t.strictSame(kinds, ['AccessToken', 'RefreshToken']);

    const response = await fetch(`${app.issuer}/oauth2/revoke`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${rp.client.id}:${rp.client.secret}`)}` },
      body: new URLSearchParams({ token: 'unknown' }),
    });
    t.equal(response.status, 200);
    t.equal(response.headers.get('content-type'), null);
    t.equal(await response.text(), '');
    t.equal(response.headers.get('cache-control'), 'no-store');
  });

  await t.test('P2: introspection: own tokens, a resource server; nobody else', async (t) => {
    const rp = await relying(app);
    const person = await app.person();
    const { access_token, refresh_token = '' } = await signIn(rp, app, person, {
      scope: 'openid offline_access',
      prompt: 'consent',
    });
    const own = await oidc.tokenIntrospection(rp.config, access_token);
    t.match(own, {
      active: true,
      client_id: rp.client.id,
      sub: person.id,
      scope: 'openid offline_access',
      token_type: 'Bearer',
      iss: app.issuer,
    });
    t.equal((own.exp as number) - (own.iat as number), 900);
    t.equal((await oidc.tokenIntrospection(rp.config, refresh_token)).active, true);

    const stranger = await relying(app);
    t.strictSame(await oidc.tokenIntrospection(stranger.config, access_token), { active: false });
    t.strictSame(await oidc.tokenIntrospection(stranger.config, 'unknown'), { active: false });
    const open = await relying(app, { public: true });
    const answer = await oidc.tokenIntrospection(open.config, access_token).catch((error: Error) => error);
    t.not((answer as { active?: boolean }).active, true, 'a public client learns nothing');

    // R35: an account that was disabled has no live token.
    await disable(app.op(), person.id);
    t.strictSame(await oidc.tokenIntrospection(rp.config, access_token), { active: false });
    t.equal(await errorOf(oidc.refreshTokenGrant(rp.config, refresh_token)), 'invalid_grant');
  });

  await t.test('P1: a public client: no secret, PKCE alone, rotation as for all', async (t) => {
    const rp = await relying(app, { public: true });
    const person = await app.person();
    const first = await signIn(rp, app, person, { scope: 'openid offline_access', prompt: 'consent' });
    const second = await oidc.refreshTokenGrant(rp.config, first.refresh_token as string);
    t.not(second.refresh_token, first.refresh_token);
    t.equal((await oidc.fetchUserInfo(rp.config, second.access_token, person.id)).sub, person.id);
    await oidc.tokenRevocation(rp.config, second.refresh_token as string);
    t.equal(
      await errorOf(oidc.refreshTokenGrant(rp.config, second.refresh_token as string)),
      'invalid_grant',
    );
  });

  await t.test('P2: lifetimes of a client are its own, and never longer than the setting', async (t) => {
    const rp = await relying(app, { accessTokenTtl: 60 });
    const long = await relying(app, { accessTokenTtl: 86_400 });
    const person = await app.person();
    t.equal((await signIn(rp, app, person)).expires_in, 60);
    const { expires_in, claims } = await signIn(long, app, person);
    t.equal(expires_in, 900);
    t.equal(claims.exp - claims.iat, 900);
  });
});

t.test('the person in front', async (t) => {
  const app = await startApp(t);

  await t.test('P7: prompt: none, login, consent, together, and what is not a prompt', async (t) => {
    const rp = await relying(app);
    const person = await app.person();
    const browser = app.visitor();
    const ask = (prompt: string, more: Params = {}) =>
      authorize(rp, app, null, { prompt, ...more }, { browser });

    t.equal(errorIn(await ask('none')), 'login_required');
    await signIn(await relying(app), app, person, {}, { browser });
    t.equal(errorIn(await ask('none')), 'consent_required');
    const first = await signIn(rp, app, person, {}, { browser });
    const silent = await ask('none');
    t.ok(silent.callback?.searchParams.get('code'), 'none: a code without a page');
    t.equal(pageOf((await ask('login')).page), 'sign-in');
    t.equal(pageOf((await ask('consent')).page), 'consent');
    const both = await ask('login consent');
    t.equal(pageOf(both.page), 'sign-in');
    const form = await browser.submit(both.page, /\/password$/, { email: person.email, password: PASSWORD });
    t.equal(pageOf(await browser.follow(form)), 'consent');
    for (const prompt of ['none login', 'none consent', 'bogus', 'create', 'select_account', 'LOGIN']) {
      t.equal(errorIn(await ask(prompt)), 'invalid_request', prompt);
    }

    await nextSecond();
    const again = await signIn(rp, app, person, { prompt: 'login' }, { browser });
    t.ok(
      (again.claims.auth_time as number) > (first.claims.auth_time as number),
      'auth_time is the new sign-in',
    );
    t.equal(again.claims.acr, 'urn:gatehouse:aal1');
    t.strictSame(again.claims.amr, ['pwd']);
    await nextSecond();
    const later = await signIn(rp, app, person, { prompt: 'consent' }, { browser });
    t.equal(later.claims.auth_time, again.claims.auth_time, 'consenting is not signing in');
  });

  await t.test('P7: max_age forces a sign-in when it is over, 0 always', async (t) => {
    const rp = await relying(app);
    const person = await app.person();
    const browser = app.visitor();
    const first = await signIn(rp, app, person, { max_age: '1000' }, { browser });
    const relaxed = await authorize(rp, app, null, { max_age: '1000' }, { browser });
    t.ok(relaxed.callback?.searchParams.get('code'));
    await nextSecond(1);
    const over = await authorize(rp, app, null, { max_age: '1' }, { browser });
    t.equal(pageOf(over.page), 'sign-in');
    t.equal(
      errorIn(await authorize(rp, app, null, { max_age: '1', prompt: 'none' }, { browser })),
      'login_required',
    );
    const fresh = await authorize(rp, app, person, { max_age: '1' }, { browser });
    const answer = await oidc.authorizationCodeGrant(rp.config, fresh.callback as URL, {
      ...fresh.checks,
      maxAge: 1,
    });
    t.ok((answer.claims()?.auth_time as number) > (first.claims.auth_time as number));
    t.equal(pageOf((await authorize(rp, app, null, { max_age: '0' }, { browser })).page), 'sign-in');
    t.equal(
      errorIn(await authorize(rp, app, null, { max_age: '0', prompt: 'none' }, { browser })),
      'login_required',
      'max_age=0 with prompt=none',
    );
    const client = await relying(app, { defaultMaxAge: 1 });
    await nextSecond(1);
    t.equal(pageOf((await authorize(client, app, null, {}, { browser })).page), 'sign-in', 'default_max_age');
  });

  await t.test('P7: login_hint fills the form, escaped; ui_locales and display are taken', async (t) => {
    const rp = await relying(app);
    const hint = '"><script>alert(1)</script>@example.org';
    const { page } = await authorize(rp, app, null, {
      login_hint: hint,
      ui_locales: 'de fr-CA',
      display: 'page',
    });
    t.equal(pageOf(page), 'sign-in');
    t.equal(formsOf(page.body)[0]?.fields.email, hint);
    t.notMatch(page.body, /<script>alert/);
    t.match(page.body, /Test App/);
  });

  await t.test('P7: acr_values and essential claims: met, or refused with the error for it', async (t) => {
    const rp = await relying(app);
    const person = await app.person();
    const browser = app.visitor();
    const aal1 = 'urn:gatehouse:aal1';
    const essential = (acr: object) => JSON.stringify({ id_token: { acr: { essential: true, ...acr } } });
    const met = [
      { acr_values: aal1 },
      { acr_values: `urn:gatehouse:aal2 ${aal1}` },
      { claims: essential({ value: aal1 }) },
      { claims: essential({ values: ['urn:gatehouse:aal2', aal1] }) },
    ];
    for (const params of met) {
      t.equal((await signIn(rp, app, person, params, { browser })).claims.acr, aal1, JSON.stringify(params));
    }
    const unmet = [
      { acr_values: 'urn:gatehouse:aal2' },
      { acr_values: 'urn:gatehouse:aal2', prompt: 'none' },
      { acr_values: 'urn:gatehouse:aal2', prompt: 'login' },
      { claims: essential({ value: 'urn:gatehouse:aal2' }) },
      { claims: essential({ values: ['urn:gatehouse:aal2', 'other'] }) },
    ];
    for (const params of unmet) {
      for (const who of [browser, app.visitor()]) {
        const refused = await authorize(rp, app, null, params, { browser: who });
        t.equal(errorIn(refused), 'unmet_authentication_requirements', JSON.stringify(params));
      }
    }
    const odd = await authorize(rp, app, null, { claims: essential({ values: aal1 }) }, { browser });
    t.equal(errorIn(odd), 'invalid_request', 'values that are no list');
    const asSub = (value: string) => JSON.stringify({ id_token: { sub: { value } } });
    t.ok((await signIn(rp, app, person, { claims: asSub(person.id) }, { browser })).claims);
    const other = await app.person();
    const hinted = await authorize(rp, app, null, { claims: asSub(other.id), prompt: 'none' }, { browser });
    t.equal(errorIn(hinted), 'login_required', 'somebody else is signed in');
  });

  await t.test(
    'P7: somebody else than the app asked for signs in: login_required, no endless page',
    async (t) => {
      const rp = await relying(app);
      const wanted = await app.person();
      const other = await app.person();
      const { id_token = '' } = await signIn(rp, app, wanted);
      for (const params of [
        { id_token_hint: id_token },
        { claims: JSON.stringify({ id_token: { sub: { value: wanted.id } } }) },
      ]) {
        t.equal((await signIn(rp, app, wanted, params)).claims.sub, wanted.id);
        t.equal(
          errorIn(await authorize(rp, app, other, params)),
          'login_required',
          JSON.stringify(Object.keys(params)),
        );
      }
    },
  );
});

t.test('consent', async (t) => {
  const app = await startApp(t);
  const scopesOn = (page: Page) => {
    const [asked = '', held = ''] = page.body.split('You have already allowed it to:');
    return { asked, held };
  };

  await t.test('P9: remembered across sessions, asked again when widened, and what is listed', async (t) => {
    const rp = await relying(app);
    const person = await app.person();
    await signIn(rp, app, person, { scope: 'openid email' });
    const browser = app.visitor();
    const elsewhere = await relying(app);
    await signIn(elsewhere, app, person, {}, { browser });
    const remembered = await authorize(rp, app, null, { scope: 'openid email' }, { browser });
    t.ok(remembered.callback?.searchParams.get('code'), 'a new session, no question');

    const wider = await authorize(rp, app, null, { scope: 'openid email phone' }, { browser });
    t.equal(pageOf(wider.page), 'consent');
    const { asked, held } = scopesOn(wider.page);
    t.match(asked, /telephone/);
    t.notMatch(asked, /See your e-mail address/);
    t.match(held, /See your e-mail address/);
    t.equal(
      errorIn(await authorize(rp, app, null, { scope: 'openid email phone', prompt: 'none' }, { browser })),
      'consent_required',
    );
    const refused = await browser.submit(wider.page, /^\/consent\/[^/]+$/, { decision: 'deny' });
    t.equal(errorIn({ callback: left(await browser.follow(refused)) }), 'access_denied');
    t.equal(pageOf((await authorize(rp, app, null, { scope: 'openid phone' }, { browser })).page), 'consent');
    const { claims } = await signIn(rp, app, person, { scope: 'openid email phone' }, { browser });
    t.equal(claims.sub, person.id);
    const [inForce, ...rest] = await consentsOf(app.op(), person.id);
    t.equal(rest.length, 1, 'one of each app');
    t.strictSame(inForce?.scopes, ['openid', 'email', 'phone']);
    const history = (await consentsOf(app.op(), person.id, 'all')).map(({ endReason }) => endReason);
    t.strictSame(history, [null, null, 'widened']);
    const refusals = (await app.events('consent.refused')).filter(
      ({ subject_id }) => subject_id === person.id,
    );
    t.equal(refusals.length, 1);
  });

  await t.test('P9: an app that looks different from what was allowed asks again', async (t) => {
    const person = await app.person();
    for (const change of ['name', 'redirect']) {
      const rp = await relying(app);
      const { browser } = await signIn(rp, app, person);
      const { id } = rp.client;
      if (change === 'name') await app.db.$client`UPDATE clients SET name = 'Other' WHERE id = ${id}`;
      else
        await app.db
          .$client`UPDATE clients SET redirect_uris = array_append(redirect_uris, 'https://new.test/') WHERE id = ${id}`;
      await app.db.$client`SELECT pg_notify('gatehouse_clients', ${id})`;
      const fresh = app.visitor();
      await signIn(await relying(app), app, person, {}, { browser: fresh });
      for (const who of [fresh, browser]) {
        await sleep(50);
        const { page } = await authorize(rp, app, null, {}, { browser: who });
        t.equal(
          pageOf(page),
          'consent',
          `${change}: ${who === browser ? 'the same session' : 'a new session'}`,
        );
      }
    }
  });

  await t.test('P9: withdrawn access: tokens dead at once, asked again', async (t) => {
    const rp = await relying(app);
    const person = await app.person();
    const params = { scope: 'openid offline_access', prompt: 'consent' };
    const { browser, access_token, refresh_token = '' } = await signIn(rp, app, person, params);
    t.equal(await revokeConsent(app.op(), person.id, rp.client.id), true);
    t.equal(await errorOf(oidc.fetchUserInfo(rp.config, access_token, person.id)), 'invalid_token');
    t.equal(await errorOf(oidc.refreshTokenGrant(rp.config, refresh_token)), 'invalid_grant');
    t.equal(pageOf((await authorize(rp, app, null, {}, { browser })).page), 'consent');
  });

  await t.test('P9: the company’s own app asks nothing, and only what it may', async (t) => {
    const rp = await relying(app, { firstParty: true, scopes: ['openid', 'email'] });
    const person = await app.person();
    const browser = app.visitor();
    const { page } = await authorize(rp, app, null, { scope: 'openid email' }, { browser });
    const form = await browser.submit(page, /\/password$/, { email: person.email, password: PASSWORD });
    t.ok(left(await browser.follow(form))?.searchParams.get('code'), 'straight from the sign-in to the app');
    t.equal(errorIn(await authorize(rp, app, null, { scope: 'openid phone' }, { browser })), 'invalid_scope');
    const given = (await app.events('consent.given')).filter(({ subject_id }) => subject_id === person.id);
    t.strictSame(
      given.map(({ data }) => data),
      [{ scopes: ['openid', 'email'], resources: {}, source: 'firstParty' }],
    );
  });

  await t.test(
    'P9: R41: "use another account" on the consent page; nothing of the first person is left',
    async (t) => {
      const rp = await relying(app);
      const [one, two] = [await app.person(), await app.person()];
      const browser = app.visitor();
      const other = await relying(app);
      const first = await signIn(other, app, one, {}, { browser });
      const params = { scope: 'openid email offline_access', prompt: 'consent' };
      const asked = await authorize(rp, app, null, params, { browser });
      t.equal(pageOf(asked.page), 'consent');
      t.match(asked.page.body, new RegExp(one.email));
      const before = browser.cookies().find(({ name }) => name === 'gatehouse_session')?.value;
      const start = await browser.follow(await browser.submit(asked.page, /\/switch$/, {}));
      t.equal(pageOf(start), 'sign-in');
      const callback = left(await drive(browser, start, two)) as URL;
      const answer = await oidc.authorizationCodeGrant(rp.config, callback, asked.checks);
      t.equal(answer.claims()?.sub, two.id);
      t.ok(answer.refresh_token, 'what was asked for is not lost on the way');
      t.equal(await errorOf(oidc.fetchUserInfo(other.config, first.access_token, one.id)), 'invalid_token');
      const old = app.visitor();
      old.setCookie('gatehouse_session', before ?? '');
      t.equal(
        errorIn(await authorize(other, app, null, { prompt: 'none' }, { browser: old })),
        'login_required',
      );
      const ended = (await app.events('session.ended')).filter(({ subject_id }) => subject_id === one.id);
      t.equal(ended.length, 1);
    },
  );

  await t.test('R41: prompt=login, and somebody else signs in', async (t) => {
    const rp = await relying(app);
    const [one, two] = [await app.person(), await app.person()];
    const { browser, access_token } = await signIn(rp, app, one);
    const { claims } = await signIn(rp, app, two, { prompt: 'login' }, { browser });
    t.equal(claims.sub, two.id);
    t.equal(await errorOf(oidc.fetchUserInfo(rp.config, access_token, one.id)), 'invalid_token');
    const silent = await signIn(rp, app, two, { prompt: 'none' }, { browser });
    t.equal(silent.claims.sub, two.id);
    const started = (await app.events('session.started')).map(({ subject_id }) => subject_id);
    t.equal(started.filter((id) => id === two.id).length, 1);
  });
});

t.test('signing out', async (t) => {
  const app = await startApp(t);
  const register = () => relying(app, { postLogoutRedirectUris: ['https://rp.test/bye'] });

  await t.test(
    'P5: RP-initiated logout by GET and by POST, with and without hint and redirect',
    async (t) => {
      const rp = await register();
      const person = await app.person();
      const withRedirect = { post_logout_redirect_uri: 'https://rp.test/bye', state: 'a b&c' };
      for (const post of [false, true]) {
        for (const by of ['hint', 'client_id'] as const) {
          for (const redirect of [true, false]) {
            const label = `${post ? 'POST' : 'GET'}, ${by}${redirect ? ', redirect' : ''}`;
            const { browser, access_token, id_token = '' } = await signIn(rp, app, person);
            const url = oidc.buildEndSessionUrl(rp.config, {
              ...(by === 'hint' ? { id_token_hint: id_token } : {}),
              ...(redirect ? withRedirect : {}),
            });
            const page = await browser.follow(
              post
                ? await browser.post(url.pathname, Object.fromEntries(url.searchParams), {
                    'sec-fetch-site': 'cross-site',
                  })
                : await browser.get(url.href),
            );
            t.equal(page.status, 200, label);
            t.match(page.body, new RegExp(person.email), 'says who is signed out');
            const silent = await authorize(rp, app, null, { prompt: 'none' }, { browser });
            t.ok(silent.callback?.searchParams.get('code'), 'nothing happens before the person has said so');
            const asked = await browser.get(url.href);
            const done = await browser.follow(
              await browser.submit(asked, /logout\/confirm$/, { logout: 'yes' }),
            );
            if (redirect) t.equal(new URL(done.location ?? '').searchParams.get('state'), 'a b&c', label);
            else t.match(done.body, /signed out/i, label);
            t.equal(
              errorIn(await authorize(rp, app, null, { prompt: 'none' }, { browser })),
              'login_required',
            );
            t.equal(await errorOf(oidc.fetchUserInfo(rp.config, access_token, person.id)), 'invalid_token');
          }
        }
      }
      const bare = await signIn(rp, app, person);
      const page = await bare.browser.get('/oauth2/logout');
      const done = await bare.browser.follow(await bare.browser.submit(page, /confirm$/, { logout: 'yes' }));
      t.equal(done.status, 200);
      t.match(done.body, /signed out/i);
      const ended = await app.events('session.ended');
      t.equal(ended.length, 9);
      t.strictSame(ended[0]?.data, { reason: 'logout' });
    },
  );

  await t.test(
    'P5: "stay signed in" keeps the session; without a session the page just says so',
    async (t) => {
      const rp = await register();
      const person = await app.person();
      const { browser } = await signIn(rp, app, person);
      const page = await browser.get(oidc.buildEndSessionUrl(rp.config, {}).href);
      const stayed = await browser.follow(await browser.submit(page, /confirm$/, {}));
      t.equal(stayed.status, 200);
      t.ok(
        (await authorize(rp, app, null, { prompt: 'none' }, { browser })).callback?.searchParams.get('code'),
      );
      t.equal(
        (await app.events('session.ended')).filter(({ subject_id }) => subject_id === person.id).length,
        0,
      );
      t.notMatch(stayed.body, /You are signed out/i, 'the page tells the truth');
      t.match(stayed.body, /still signed in/);
      const bare = await browser.get('/oauth2/logout');
      t.match((await browser.follow(await browser.submit(bare, /confirm$/, {}))).body, /still signed in/);

      const nobody = app.visitor();
      const relay = await nobody.get(
        oidc.buildEndSessionUrl(rp.config, { post_logout_redirect_uri: 'https://rp.test/bye' }).href,
      );
      t.equal(isRelay(relay), true);
      t.equal((await nobody.submit(relay, /confirm$/, {})).location, 'https://rp.test/bye');
    },
  );

  await t.test(
    'R37: offline_access outlives a logout; what is bound to the session dies with it',
    async (t) => {
      const rp = await relying(app);
      const bound = await relying(app);
      const person = await app.person();
      const browser = app.visitor();
      const offline = await signIn(
        rp,
        app,
        person,
        { scope: 'openid offline_access', prompt: 'consent' },
        { browser },
      );
      const session = await signIn(bound, app, person, { scope: 'openid' }, { browser });
      const page = await browser.get('/oauth2/logout');
      await browser.submit(page, /confirm$/, { logout: 'yes' });
      t.equal(
        await errorOf(oidc.fetchUserInfo(bound.config, session.access_token, person.id)),
        'invalid_token',
      );
      t.equal((await oidc.tokenIntrospection(bound.config, session.access_token)).active, false);
      const next = await oidc.refreshTokenGrant(rp.config, offline.refresh_token as string);
      t.equal((await oidc.fetchUserInfo(rp.config, next.access_token, person.id)).sub, person.id);
      t.equal(errorIn(await authorize(rp, app, null, { prompt: 'none' }, { browser })), 'login_required');
    },
  );
});

t.test('lifetimes', async (t) => {
  const params = { scope: 'openid offline_access', prompt: 'consent' };

  await t.test('P2: code, access token, ID token, refresh idle and grant end', async (t) => {
    const app = await startApp(t, {
      AUTHORIZATION_CODE_TTL: '1',
      ACCESS_TOKEN_TTL: '2',
      ID_TOKEN_TTL: '3',
      REFRESH_TOKEN_IDLE: '3',
      GRANT_MAX_AGE: '5',
    });
    const rp = await relying(app);
    const [late, idle, busy] = [await app.person(), await app.person(), await app.person()];
    const { callback, checks } = await authorize(rp, app, late);
    await nextSecond(1);
    t.equal(
      await errorOf(oidc.authorizationCodeGrant(rp.config, callback as URL, checks)),
      'invalid_grant',
      'the code is over',
    );
    const [refusal] = await app.events('token.refused');
    t.match(refusal?.data, { error: 'invalid_grant', grantType: 'authorization_code' });

    const one = await signIn(rp, app, idle, params);
    t.equal(one.expires_in, 2);
    t.equal(one.claims.exp - one.claims.iat, 3);
    const busyBrowser = app.visitor();
    const two = await signIn(rp, app, busy, params, { browser: busyBrowser });
    const began = Date.now();
    let token = two.refresh_token as string;
    let refreshed = 0;
    let end = '';
    while (end === '' && Date.now() - began < 20_000) {
      await sleep(300);
      const next = await oidc.refreshTokenGrant(rp.config, token).catch((error: unknown) => error);
      if (next instanceof oidc.ResponseBodyError) end = next.error;
      else token = (next as oidc.TokenEndpointResponse).refresh_token as string;
      refreshed += 1;
    }
    t.equal(end, 'invalid_grant', 'the grant’s end is the chain’s end');
    t.ok(refreshed > 2, 'although it was never idle');
    t.ok(Date.now() - began > 3500);
    t.equal(
      await errorOf(oidc.fetchUserInfo(rp.config, one.access_token, idle.id)),
      'invalid_token',
      'access token',
    );
    t.equal((await oidc.tokenIntrospection(rp.config, one.access_token)).active, false);
    t.equal(
      await errorOf(oidc.refreshTokenGrant(rp.config, one.refresh_token as string)),
      'invalid_grant',
      'idle',
    );
    const again = await authorize(rp, app, null, {}, { browser: busyBrowser });
    t.ok(again.callback?.searchParams.get('code'), 'a new grant from what was allowed before');
  });

  await t.test('A13 ATK-A169: a session ends idle, and at its absolute limit however active', async (t) => {
    const app = await startApp(t, { SESSION_IDLE: '2', SESSION_MAX_AGE: '5' });
    const rp = await relying(app);
    const person = await app.person();
    const silent = (browser: Visitor) => authorize(rp, app, null, { prompt: 'none' }, { browser });
    const idle = await signIn(rp, app, person);
    t.ok((await silent(idle.browser)).callback?.searchParams.get('code'));
    const { browser } = await signIn(rp, app, person);
    const began = Date.now();
    let error: string | null = null;
    while (error === null && Date.now() - began < 9000) {
      await sleep(500);
      error = errorIn(await silent(browser));
    }
    t.equal(error, 'login_required');
    t.ok(Date.now() - began > 3500, 'use keeps it beyond the idle limit');
    t.ok(Date.now() - began < 7000, 'and not beyond the absolute one');
    t.equal(errorIn(await silent(idle.browser)), 'login_required', 'idle');
    t.equal(await errorOf(oidc.fetchUserInfo(rp.config, idle.access_token, person.id)), 'invalid_token');
    t.equal((await signIn(rp, app, person, {}, { browser })).claims.sub, person.id, 'and in again');
  });

  await t.test('A1: an interaction ends; its page says so and leads on', async (t) => {
    const app = await startApp(t, { INTERACTION_TTL: '1' });
    const rp = await relying(app);
    const person = await app.person();
    const { browser, page, checks } = await authorize(rp, app, null);
    await nextSecond(1);
    const late = await browser.submit(page, /\/password$/, { email: person.email, password: PASSWORD });
    t.equal(late.status, 400);
    t.match(late.body, /expired/);
    for (const path of [page.url, page.url.replace('/login/', '/interaction/')]) {
      t.equal((await browser.get(path)).status, 400);
    }
    const [, href = ''] = /class="button primary" href="([^"]+)"/.exec(late.body) ?? [];
    const callback = left(await drive(browser, await browser.get(href.replaceAll('&amp;', '&')), person));
    const answer = await oidc.authorizationCodeGrant(rp.config, callback as URL, checks);
    t.equal(answer.claims()?.sub, person.id, 'the same request, as the app began it');
  });
});

t.test('at rest', async (t) => {
  const cookieKey = newKey();
  const app = await startApp(t, {
    COOKIE_KEYS: cookieKey,
    CLIENT_AUTH_LOCKOUT_ATTEMPTS: '100000',
    PAGE_RATE_LIMIT: '0',
  });

  await t.test('R18: ATK-A236: nothing that is stored works as a credential', async (t) => {
    const rp = await relying(app);
    const person = await app.person();
    const browser = app.visitor();
    await signIn(rp, app, person, { scope: 'openid offline_access', prompt: 'consent' }, { browser });
    const proof = pkce();
    const first = await signIn(
      rp,
      app,
      person,
      { scope: 'openid offline_access', prompt: 'consent' },
      { browser },
    );
    const { refresh_token = '' } = await oidc.refreshTokenGrant(rp.config, first.refresh_token as string);
    const unspent = await browser.follow(await browser.get(authorizePath(rp.client, proof)));
    const code = left(unspent)?.searchParams.get('code') ?? '';
    const open = (await authorize(rp, app, null, {}, { browser: app.visitor() })).page;
    const session = browser.cookies().find(({ name }) => name === 'gatehouse_session')?.value ?? '';

    // The database alone was stolen, and for good measure the cookie keys, too: hashes are what protects.
    const signed = (value: string) =>
      `gatehouse_session=${value}; gatehouse_session.sig=${createHmac(
        'sha256',
        Buffer.from(cookieKey, 'base64'),
      )
        .update(`gatehouse cookie\ngatehouse_session=${value}`)
        .digest('base64url')}`;
    const works: Record<string, (value: string) => Promise<boolean>> = {
      'access token': async (value) => {
        const headers = { authorization: `Bearer ${value}` };
        return (await fetch(`${app.issuer}/oauth2/userinfo`, { headers })).status === 200;
      },
      'refresh token': async (value) =>
        (await tokenRequest(app.issuer, rp.client, { grant_type: 'refresh_token', refresh_token: value }))
          .status === 200,
      code: async (value) =>
        (
          await tokenRequest(app.issuer, rp.client, {
            grant_type: 'authorization_code',
            code: value,
            redirect_uri: rp.client.redirectUri,
            code_verifier: proof.verifier,
          })
        ).status === 200,
      'client secret': async (value) =>
        (
          await tokenRequest(
            app.issuer,
            { id: rp.client.id, secret: value },
            { grant_type: 'refresh_token', refresh_token: 'unknown' },
          )
        ).status !== 401,
      'session cookie': async (value) => {
        const headers = { cookie: signed(value) };
        const response = await fetch(`${app.issuer}${authorizePath(rp.client, proof, { prompt: 'none' })}`, {
          headers,
          redirect: 'manual',
        });
        return response.headers.get('location')?.includes('code=') === true;
      },
      interaction: async (value) => {
        const response = await fetch(`${app.issuer}/interaction/${encodeURIComponent(value)}`, {
          headers: { cookie: `gatehouse_browser=${value}` },
          redirect: 'manual',
        });
        return response.status === 303;
      },
    };

    const stored = new Set<string>();
    const take = (value: unknown): void => {
      if (value instanceof Uint8Array) {
        const bytes = Buffer.from(value);
        for (const encoding of ['hex', 'base64', 'base64url', 'latin1'] as const)
          take(bytes.toString(encoding));
      } else if (Array.isArray(value)) value.forEach(take);
      else if (typeof value === 'object' && value !== null) Object.values(value).forEach(take);
      else if (typeof value === 'string' && value.length >= 16 && /^[\x21-\x7e]+$/.test(value))
        stored.add(value);
    };
    const tables = await app.db.$client<{ name: string }[]>`
      SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
      WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`;
    let readable = 0;
    for (const { name } of tables) {
      // Of one table the server itself may not read (migrations), a thief of its rights may not either.
      const rows = await app.db.$client.unsafe(`SELECT * FROM ${name}`).catch(() => null);
      if (rows === null) continue;
      readable += 1;
      for (const row of rows) take(row);
    }
    t.ok(readable > 20, `${readable} tables read`);
    t.ok(stored.size > 50, `${stored.size} values tried`);
    for (const [what, real] of Object.entries({
      refresh_token,
      code,
      session,
      secret: rp.client.secret ?? '',
    })) {
      t.notOk(stored.has(real), `${what} is not stored in clear`);
    }
    const worked: string[] = [];
    for (const value of stored) {
      for (const [kind, works_] of Object.entries(works))
        if (await works_(value)) worked.push(`${kind}: ${value}`);
    }
    t.strictSame(worked, []);
    t.equal(open.status, 200);

    // The same questions with the real values: the test can fail.
    t.equal(await works['access token']?.(first.access_token), true);
    t.equal(await works.code?.(code), true);
    t.equal(await works['refresh token']?.(refresh_token), true);
    t.equal(await works['client secret']?.(rp.client.secret ?? ''), true);
    t.equal(await works['session cookie']?.(session), true);
  });
});
