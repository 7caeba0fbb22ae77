// Why an app was refused: what is kept of it and what its developer reads. Every fault here is a request over HTTP.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import t from 'tap';
import { addSecret, allSecretsOf, type ClientRow, type NewClient } from '../server/clients/clients.ts';
import { type Explanation, explain, lastOf, type Refusal } from '../server/refusals/refusals.ts';
import { create as createResource } from '../server/resources/resources.ts';
import {
  authorizePath,
  complete,
  pkce,
  type Running,
  startApp,
  type TestClient,
  tokenRequest,
  tokens,
} from './harness/app.ts';

t.setTimeout(180_000);

/** The one refusal of an app, once it is written. */
async function refusalOf(app: Running, id: string, most = 5000): Promise<Refusal> {
  for (const deadline = Date.now() + most; ; await sleep(50)) {
    const [row] = await lastOf(app.op(), id, 1);
    if (row) return row;
    if (Date.now() > deadline)
      throw new Error(
        `nothing was noted for ${id}: ${app.lines.filter((line) => /noted|kinds of refused/.test(line)).at(-1)}`,
      );
  }
}

async function explained(app: Running, row: ClientRow, refusal: Refusal): Promise<Explanation> {
  return explain(refusal, { client: row, secrets: await allSecretsOf(app.op(), row.id), now: new Date() });
}

interface Sent {
  app: Running;
  client: TestClient;
}

interface Case {
  /** Row ids and what is wrong. */
  title: string;
  client?: Partial<NewClient>;
  send(sent: Sent): Promise<unknown>;
  endpoint: string;
  error: string;
  parameter: string;
  came?: string;
  registered?: string;
  why: RegExp;
  mend: RegExp;
}

const authorize =
  (more: Record<string, string | undefined>) =>
  ({ app, client }: Sent) =>
    app.visitor().get(authorizePath(client, pkce(), more));

const form = (
  app: Running,
  path: string,
  body: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Response> =>
  fetch(`${app.issuer}${path}`, { method: 'POST', headers, body: new URLSearchParams(body) });

const token =
  (body: Record<string, string>) =>
  ({ app, client }: Sent) =>
    tokenRequest(app.issuer, client, body);

const basic = (id: string, secret: string) =>
  `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`;

/** The key that apps of these tests sign with, and one that they have not registered. */
const [own, strange] = await Promise.all([generateKeyPair('ES256'), generateKeyPair('ES256')]);
const JWK = { ...(await exportJWK(own.publicKey)), kid: 'app-1', alg: 'ES256', use: 'sig' };
const seconds = () => Math.floor(Date.now() / 1000);

const signed = (
  claims: JWTPayload,
  header: Record<string, unknown> = {},
  key: CryptoKey = own.privateKey,
): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'app-1', ...header }).sign(key);

const MACHINE: Partial<NewClient> = {
  tokenEndpointAuthMethod: 'private_key_jwt',
  jwks: { keys: [JWK] },
  grantTypes: ['client_credentials'],
  redirectUris: [],
};

/** A token request with an assertion that has a fault; `twice`: sent again. */
const asserting =
  (
    more: (app: Running) => JWTPayload,
    {
      header = {},
      key = own.privateKey,
      twice = false,
    }: { header?: object; key?: CryptoKey; twice?: boolean } = {},
  ) =>
  async ({ app, client }: Sent) => {
    const all = {
      iss: client.id,
      sub: client.id,
      aud: app.issuer,
      jti: randomBytes(8).toString('hex'),
      exp: seconds() + 60,
      ...more(app),
    };
    const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
    const body = {
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await signed(given, header as Record<string, unknown>, key),
    };
    await form(app, '/oauth2/token', body);
    if (twice) await form(app, '/oauth2/token', body);
  };

/** A token request with a DPoP proof that has a fault. */
const proving =
  (more: JWTPayload, twice = false) =>
  async ({ app, client }: Sent) => {
    const claims = {
      htm: 'POST',
      htu: `${app.issuer}/oauth2/token`,
      iat: seconds(),
      jti: randomBytes(8).toString('hex'),
      ...more,
    };
    const { kid, use, alg, ...jwk } = JWK;
    const proof = await signed(claims, { typ: 'dpop+jwt', jwk, kid: undefined });
    const headers = { authorization: basic(client.id, client.secret ?? ''), dpop: proof };
    const body = { grant_type: 'client_credentials' };
    for (const _ of twice ? [1, 2] : [1]) await form(app, '/oauth2/token', body, headers);
  };
const DPOP: Pick<Case, 'client' | 'endpoint' | 'parameter'> = {
  client: { grantTypes: ['client_credentials'], redirectUris: [], dpopBoundAccessTokens: true },
  endpoint: 'token',
  parameter: 'DPoP',
};

/** What an app sends with its secret. */
const posting =
  (path: string, body: Record<string, string>) =>
  ({ app, client }: Sent) =>
    form(app, path, body, { authorization: basic(client.id, client.secret ?? '') });

/** A request object that has a fault, in an authorization request. */
const objecting =
  (more: (client: TestClient) => JWTPayload, key: CryptoKey = own.privateKey) =>
  async ({ app, client }: Sent) => {
    const proof = pkce();
    const request = await signed(
      {
        iss: client.id,
        aud: app.issuer,
        client_id: client.id,
        response_type: 'code',
        redirect_uri: client.redirectUri,
        scope: 'openid',
        nonce: 'n',
        code_challenge: proof.challenge,
        code_challenge_method: 'S256',
        exp: seconds() + 60,
        jti: randomBytes(8).toString('hex'),
        ...more(client),
      },
      {},
      key,
    );
    await app.visitor().get(authorizePath(client, proof, { request }));
  };
const OBJECTS: Partial<NewClient> = { jwks: { keys: [JWK] }, requestObjectSigningAlg: 'ES256' };

const AUTHORIZATION = { endpoint: 'authorization', error: 'invalid_request' };
const REDIRECT = {
  endpoint: 'authorization',
  error: 'invalid_redirect_uri',
  parameter: 'redirect_uri',
  mend: /^Let the app send https:\/\/rp\.test\/cb, or register what it sends/,
};

/** A code for the app, with a person of its own. */
async function codeFor({ app, client }: Sent): Promise<{ code: string; verifier: string }> {
  const proof = pkce();
  const browser = app.visitor();
  const first = await browser.get(authorizePath(client, proof));
  const { params } = await complete(browser, first, await app.person());
  const code = params.get('code');
  if (!code) throw new Error('no code');
  return { code, verifier: proof.verifier };
}

const redeem = (
  { app, client }: Sent,
  { code, verifier }: { code: string; verifier: string },
  more: Record<string, string> = {},
) =>
  tokenRequest(app.issuer, client, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: client.redirectUri,
    code_verifier: verifier,
    ...more,
  });

const redirects: [string, string, RegExp][] = [
  ['a slash too much', 'https://rp.test/cb/', /differs in a slash at the end, which is too much\.$/],
  ['http instead of https', 'http://rp.test/cb', /the scheme: http: instead of https:\.$/],
  ['a port', 'https://rp.test:8443/cb', /the port: 8443 instead of none\.$/],
  ['capitals in the path', 'https://rp.test/CB', /upper and lower case in the path\.$/],
  ['another host', 'https://www.rp.test/cb', /the host: www\.rp\.test instead of rp\.test\.$/],
  ['no path', 'https://rp.test', /the path: \/cb is missing\.$/],
  ['another path', 'https://rp.test/callback', /the path: \/callback instead of \/cb\.$/],
  ['a query', 'https://rp.test/cb?from=x', /a query \(\?…\), which is too much\.$/],
];

const CASES: Case[] = [
  ...redirects.map(
    ([what, uri, why]): Case => ({
      ...REDIRECT,
      title: `P1: redirect_uri with ${what}`,
      send: authorize({ redirect_uri: uri }),
      came: uri.replace(/=x$/, '=…'),
      registered: 'https://rp.test/cb',
      why,
    }),
  ),
  {
    ...REDIRECT,
    title: 'P1: redirect_uri on 127.0.0.1 instead of localhost',
    client: { redirectUris: ['https://rp.test/cb', 'http://localhost:3000/cb'] },
    send: authorize({ redirect_uri: 'http://127.0.0.1:3000/cb' }),
    came: 'http://127.0.0.1:3000/cb',
    why: /Nearest is http:\/\/localhost:3000\/cb; .*127\.0\.0\.1 instead of localhost, which are two hosts/,
    mend: /http:\/\/localhost:3000\/cb/,
  },
  {
    ...REDIRECT,
    title: 'P1: redirect_uri encoded twice',
    send: authorize({ redirect_uri: encodeURIComponent('https://rp.test/cb') }),
    came: 'percent-encoded: https://rp.test/cb',
    why: /its encoding: it was percent-encoded twice\.$/,
  },
  {
    ...AUTHORIZATION,
    title: 'P1: no redirect_uri',
    send: authorize({ redirect_uri: undefined }),
    parameter: 'redirect_uri',
    why: /missing required parameter 'redirect_uri'/,
    mend: /^Send it once/,
  },
  {
    ...AUTHORIZATION,
    title: 'P1: no PKCE',
    send: authorize({ code_challenge: undefined, code_challenge_method: undefined }),
    parameter: 'code_challenge',
    registered: 'PKCE is required',
    why: /has no code_challenge/,
    mend: /S256/,
  },
  {
    ...AUTHORIZATION,
    title: 'P1: plain PKCE',
    send: authorize({ code_challenge_method: 'plain' }),
    parameter: 'code_challenge_method',
    came: 'plain',
    registered: 'S256',
    why: /code_challenge_method is plain; only S256/,
    mend: /code_challenge_method=S256/,
  },
  {
    ...AUTHORIZATION,
    title: 'P1: PKCE without its method',
    send: authorize({ code_challenge_method: undefined }),
    parameter: 'code_challenge_method',
    why: /which then means plain/,
    mend: /code_challenge_method=S256/,
  },
  {
    ...AUTHORIZATION,
    title: 'P1: no nonce',
    send: authorize({ nonce: undefined }),
    parameter: 'nonce',
    registered: 'a nonce is required',
    why: /has no nonce/,
    mend: /new random nonce/,
  },
  {
    endpoint: 'authorization',
    error: 'invalid_scope',
    title: 'P7: a scope that is not allowed',
    client: { scopes: ['openid', 'email'] },
    send: authorize({ scope: 'openid profile' }),
    parameter: 'scope',
    came: 'openid profile',
    registered: 'openid email',
    why: /^The app may not ask for profile\.$/,
    mend: /Leave it out/,
  },
  {
    endpoint: 'authorization',
    error: 'invalid_request',
    title: 'P1: implicit flow',
    send: authorize({ response_type: 'id_token' }),
    parameter: 'response_type',
    came: 'id_token',
    registered: 'code',
    why: /response_type is id_token; only code/,
    mend: /response_type=code/,
  },
  {
    endpoint: 'token',
    error: 'invalid_request',
    title: 'P5: a grant the app is not registered for',
    send: token({ grant_type: 'client_credentials' }),
    parameter: 'grant_type',
    came: 'client_credentials',
    registered: 'authorization_code refresh_token',
    why: /registered for authorization_code refresh_token, not for client_credentials/,
    mend: /--client-credentials/,
  },
  {
    endpoint: 'token',
    error: 'invalid_client',
    title: 'ATK-A054: the secret in the form instead of the header',
    send: ({ app, client }) =>
      form(app, '/oauth2/token', {
        client_id: client.id,
        client_secret: client.secret ?? '',
        grant_type: 'refresh_token',
        refresh_token: 'none',
      }),
    parameter: 'token_endpoint_auth_method',
    came: 'client_secret_post',
    registered: 'client_secret_basic',
    why: /by client_secret_post, and is registered for client_secret_basic/,
    mend: /Authorization header \(HTTP Basic\)/,
  },
  {
    endpoint: 'token',
    error: 'invalid_client',
    title: 'P5: no secret',
    send: ({ app, client }) =>
      form(app, '/oauth2/token', {
        client_id: client.id,
        grant_type: 'refresh_token',
        refresh_token: 'none',
      }),
    parameter: 'token_endpoint_auth_method',
    came: 'none',
    registered: 'client_secret_basic',
    why: /by none, and is registered for client_secret_basic/,
    mend: /Authorization header/,
  },
  {
    endpoint: 'token',
    error: 'invalid_grant',
    title: 'P4: a code that expired',
    async send(sent) {
      const code = await codeFor(sent);
      await sent.app.db
        .$client`UPDATE authorization_codes SET expires_at = now() - interval '10 seconds' WHERE client_id = ${sent.client.id}`;
      await redeem(sent, code);
    },
    parameter: 'code',
    why: /redeemed too late/,
    mend: /Redeem the code in the request that brings it/,
  },
  {
    endpoint: 'token',
    error: 'invalid_grant',
    title: 'P4: a code used twice',
    async send(sent) {
      const code = await codeFor(sent);
      await redeem(sent, code);
      await redeem(sent, code);
    },
    parameter: 'code',
    why: /used before/,
    mend: /Redeem each code once/,
  },
  {
    endpoint: 'token',
    error: 'invalid_grant',
    title: 'P4: a code nobody issued',
    send: (sent) => redeem(sent, { code: 'nobody-issued-this', verifier: pkce().verifier }),
    parameter: 'code',
    why: /There is no such code/,
    mend: /whole and decoded once/,
  },
  {
    endpoint: 'token',
    error: 'invalid_grant',
    title: 'P4: a code of another app',
    async send(sent) {
      const other = await sent.app.client();
      await redeem(sent, await codeFor({ ...sent, client: other }));
    },
    parameter: 'code',
    came: 'authorization_code',
    why: /issued to another client_id/,
    mend: /client_id it was asked for with/,
  },
  {
    endpoint: 'token',
    error: 'invalid_grant',
    title: 'P1: another redirect_uri at the token endpoint',
    client: { redirectUris: ['https://rp.test/cb', 'https://rp.test/other'] },
    async send(sent) {
      await redeem(sent, await codeFor(sent), { redirect_uri: 'https://rp.test/other' });
    },
    parameter: 'redirect_uri',
    came: 'https://rp.test/other',
    why: /not the one of the authorization request/,
    mend: /same redirect_uri/,
  },
  {
    endpoint: 'token',
    error: 'invalid_grant',
    title: 'P1: another code_verifier',
    async send(sent) {
      await redeem(sent, await codeFor(sent), { code_verifier: pkce().verifier });
    },
    parameter: 'code_verifier',
    why: /not the one whose SHA-256/,
    mend: /Keep the code_verifier with the request/,
  },
  {
    endpoint: 'token',
    error: 'invalid_grant',
    title: 'P3: a refresh token used again',
    client: { refreshReplayWindow: 0 },
    async send({ app, client }) {
      const { body } = await tokens(app, client, await app.person());
      const refresh = { grant_type: 'refresh_token', refresh_token: body.refresh_token as string };
      await tokenRequest(app.issuer, client, refresh);
      await tokenRequest(app.issuer, client, refresh);
    },
    parameter: 'refresh_token',
    why: /a second time/,
    mend: /Store the new refresh token/,
  },
  {
    endpoint: 'token',
    error: 'invalid_grant',
    title: 'P3: a refresh token that is dead',
    send: token({ grant_type: 'refresh_token', refresh_token: 'nobody-issued-this' }),
    parameter: 'refresh_token',
    why: /no longer alive/,
    mend: /signed out/,
  },
  {
    title: 'P5: a wrong secret, with a second one that has expired',
    endpoint: 'token',
    error: 'invalid_client',
    async send({ app, client }) {
      await addSecret(app.op(), client.id);
      await app.db.$client`UPDATE client_secrets SET expires_at = now() - interval '1 day' WHERE id = (
        SELECT id FROM client_secrets WHERE client_id = ${client.id} ORDER BY created_at DESC LIMIT 1)`;
      await form(
        app,
        '/oauth2/token',
        { grant_type: 'refresh_token', refresh_token: 'none' },
        {
          authorization: basic(client.id, 'wrong'),
        },
      );
    },
    parameter: 'client_secret',
    came: 'client_secret_basic',
    why: /none of the app’s\. Valid: ….{4} \(of [\d-]{10}\)\. Expired: ….{4} \(of/,
    mend: /last four characters/,
  },
  {
    title: 'P5: secret in header and form at once',
    endpoint: 'token',
    error: 'invalid_request',
    send: posting('/oauth2/token', {
      client_secret: 'x',
      grant_type: 'refresh_token',
      refresh_token: 'none',
    }),
    parameter: 'token_endpoint_auth_method',
    came: 'client_secret_basic and client_secret_post',
    why: /more than one way/,
    mend: /Send only its secret in the Authorization header/,
  },
  {
    title: 'P5: an Authorization header that is no Basic one',
    endpoint: 'token',
    error: 'invalid_request',
    send: ({ app, client }) =>
      form(
        app,
        '/oauth2/token',
        { client_id: client.id, grant_type: 'refresh_token' },
        { authorization: 'Basic %%%' },
      ),
    parameter: 'Authorization',
    why: /not HTTP Basic/,
    mend: /base64\(client_id:secret\)/,
  },
  {
    title: 'P5: a parameter twice',
    endpoint: 'authorization',
    error: 'invalid_request',
    send: ({ app, client }) => app.visitor().get(`${authorizePath(client, pkce())}&nonce=again`),
    parameter: 'nonce',
    why: /nonce is in the request twice/,
    mend: /Send it once/,
  },
  {
    title: 'P5: an unknown grant type',
    endpoint: 'token',
    error: 'unsupported_grant_type',
    send: token({ grant_type: 'password', username: 'x', password: 'x' }),
    parameter: 'grant_type',
    came: 'password',
    why: /no grant type password/,
    mend: /OAuth 2\.1/,
  },
  {
    title: 'P1: a response_mode the app has not',
    endpoint: 'authorization',
    error: 'invalid_request',
    send: authorize({ response_mode: 'fragment' }),
    parameter: 'response_mode',
    came: 'fragment',
    registered: 'query form_post',
    why: /response_mode is fragment; the app may use query form_post/,
    mend: /--response-mode/,
  },
  {
    title: 'P1: a prompt that is none and another',
    endpoint: 'authorization',
    error: 'invalid_request',
    send: authorize({ prompt: 'none login' }),
    parameter: 'prompt',
    came: 'none login',
    why: /combines none with another/,
    mend: /Send none alone/,
  },
  {
    title: 'P1: max_age that is no number',
    endpoint: 'authorization',
    error: 'invalid_request',
    send: authorize({ max_age: 'soon' }),
    parameter: 'max_age',
    came: 'soon',
    why: /whole number/,
    mend: /digits/,
  },
  {
    title: 'P1: claims that are no JSON',
    endpoint: 'authorization',
    error: 'invalid_request',
    send: authorize({ claims: '{no json' }),
    parameter: 'claims',
    why: /not a JSON object/,
    mend: /valid JSON/,
  },
  {
    title: 'P1: acr_values nobody offers',
    endpoint: 'authorization',
    error: 'unmet_authentication_requirements',
    send: authorize({ acr_values: 'urn:example:gold' }),
    parameter: 'acr_values',
    why: /demands a kind of sign-in/,
    mend: /acr_values_supported/,
  },
  {
    title: 'P1: prompt=none and nobody is signed in',
    endpoint: 'authorization',
    error: 'login_required',
    send: authorize({ prompt: 'none' }),
    parameter: 'prompt',
    came: 'none',
    why: /Nobody is signed in/,
    mend: /without prompt=none/,
  },
  {
    title: 'P1: prompt=none and the person has to be asked',
    endpoint: 'authorization',
    error: 'consent_required',
    async send({ app, client }) {
      const other = await app.client();
      const { browser } = await tokens(app, other, await app.person());
      await browser.get(authorizePath(client, pkce(), { prompt: 'none' }));
    },
    parameter: 'prompt',
    came: 'none',
    why: /has to be asked first/,
    mend: /without prompt=none/,
  },
  {
    title: 'P8: post_logout_redirect_uri on another port',
    client: { postLogoutRedirectUris: ['https://rp.test/bye'] },
    endpoint: 'end_session',
    error: 'invalid_request',
    send: ({ app, client }) =>
      app
        .visitor()
        .get(
          `/oauth2/logout?${new URLSearchParams({ client_id: client.id, post_logout_redirect_uri: 'https://rp.test:444/bye' })}`,
        ),
    parameter: 'post_logout_redirect_uri',
    came: 'https://rp.test:444/bye',
    registered: 'https://rp.test/bye',
    why: /Nearest is https:\/\/rp\.test\/bye; it differs in the port: 444/,
    mend: /or register what it sends/,
  },
  {
    title: 'P8: an id_token_hint that is none',
    endpoint: 'authorization',
    error: 'invalid_request',
    send: authorize({ id_token_hint: 'not.a.jwt' }),
    parameter: 'id_token_hint',
    why: /not an ID token of this server/,
    mend: /whole ID token/,
  },
  {
    title: 'P7: an API the app has not',
    client: { resources: ['https://api.test/'], scopes: ['openid', 'read:things'] },
    endpoint: 'authorization',
    error: 'invalid_target',
    send: authorize({ resource: 'https://api.test' }),
    parameter: 'resource',
    came: 'https://api.test',
    registered: 'https://api.test/',
    why: /may not ask for tokens for https:\/\/api\.test; nearest is https:\/\/api\.test\//,
    mend: /exactly as it is registered/,
  },
  {
    title: 'P7: a scope of an API without naming the API',
    client: {
      grantTypes: ['client_credentials'],
      redirectUris: [],
      resources: ['https://api.test/'],
      scopes: ['read:things'],
    },
    endpoint: 'token',
    error: 'invalid_scope',
    send: token({ grant_type: 'client_credentials', scope: 'read:things' }),
    parameter: 'scope',
    came: 'read:things',
    why: /not without naming the API/,
    mend: /resource parameter/,
  },
  {
    title: 'P3: a refresh that asks for more',
    endpoint: 'token',
    error: 'invalid_scope',
    async send({ app, client }) {
      const { body } = await tokens(app, client, await app.person());
      const refresh_token = body.refresh_token as string;
      await tokenRequest(app.issuer, client, {
        grant_type: 'refresh_token',
        refresh_token,
        scope: 'openid email',
      });
    },
    parameter: 'scope',
    came: 'openid email',
    why: /was not granted/,
    mend: /Leave scope out/,
  },
  {
    title: 'P6: a page of an origin that is not registered',
    client: { public: true, allowedOrigins: ['https://rp.test'] },
    endpoint: 'token',
    error: 'invalid_request',
    send: ({ app, client }) =>
      form(
        app,
        '/oauth2/token',
        { client_id: client.id, grant_type: 'refresh_token', refresh_token: 'none' },
        {
          origin: 'https://www.rp.test',
        },
      ),
    parameter: 'Origin',
    came: 'https://www.rp.test',
    registered: 'https://rp.test',
    why: /A page of https:\/\/www\.rp\.test may not call/,
    mend: /--origin/,
  },
  {
    title: 'P5: no device flow for the app',
    endpoint: 'device_authorization',
    error: 'invalid_request',
    send: posting('/oauth2/device_authorization', { scope: 'openid' }),
    parameter: 'grant_type',
    why: /not for the device flow/,
    mend: /--device/,
  },
  {
    title: 'P5: a device code nobody issued',
    client: { grantTypes: ['urn:ietf:params:oauth:grant-type:device_code'], redirectUris: [] },
    endpoint: 'token',
    error: 'invalid_grant',
    send: token({ grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: 'none' }),
    parameter: 'device_code',
    why: /unknown here/,
    mend: /ask for a new one/,
  },
  {
    title: 'P9: introspection without its token',
    endpoint: 'introspection',
    error: 'invalid_request',
    send: posting('/oauth2/introspect', {}),
    parameter: 'token',
    why: /missing required parameter 'token'/,
    mend: /Send it once/,
  },
  {
    title: 'P9: revocation with a wrong secret',
    endpoint: 'revocation',
    error: 'invalid_client',
    send: ({ app, client }) =>
      form(app, '/oauth2/revoke', { token: 'x' }, { authorization: basic(client.id, 'wrong') }),
    parameter: 'client_secret',
    why: /none of the app’s/,
    mend: /blanks, a line break/,
  },

  ...(
    [
      [
        'another audience',
        asserting(() => ({ aud: 'https://other.test' })),
        'client_assertion.aud',
        /is https:\/\/other\.test, which is not this server/,
        /Set aud to the issuer/,
      ],
      [
        'one that has expired',
        asserting(() => ({ exp: seconds() - 60 })),
        'client_assertion.exp',
        /had expired/,
        /NTP/,
      ],
      [
        'no exp',
        asserting(() => ({ exp: undefined }) as never),
        'client_assertion.exp',
        /no exp/,
        /a minute ahead/,
      ],
      ['no jti', asserting(() => ({ jti: undefined }) as never), 'client_assertion.jti', /no jti/, /random/],
      [
        'one that is used again',
        asserting(() => ({}), { twice: true }),
        'client_assertion.jti',
        /used before/,
        /every request/,
      ],
      [
        'another issuer',
        asserting(() => ({ iss: 'somebody' })),
        'client_assertion.iss',
        /not both the client_id/,
        /Set both/,
      ],
      [
        'another kid',
        asserting(() => ({}), { header: { kid: 'app-2' } }),
        'client_assertion.kid',
        /alg ES256, kid app-2/,
        /same kid/,
      ],
      [
        'another key',
        asserting(() => ({}), { key: strange.privateKey }),
        'client_assertion',
        /signature of the assertion does not fit/,
        /very key/,
      ],
      [
        'one from the future',
        asserting(() => ({ iat: seconds() + 600 })),
        'client_assertion.iat',
        /clock is ahead/,
        /NTP/,
      ],
    ] as const
  ).map(
    ([what, send, parameter, why, mend]): Case => ({
      title: `P5: an assertion with a fault: ${what}`,
      client: MACHINE,
      endpoint: 'token',
      error: 'invalid_client',
      send,
      parameter,
      why,
      mend,
    }),
  ),
  {
    title: 'P5: an assertion in another algorithm',
    client: { ...MACHINE, tokenEndpointAuthSigningAlg: 'PS256' },
    endpoint: 'token',
    error: 'invalid_client',
    send: asserting(() => ({})),
    parameter: 'client_assertion',
    came: 'alg ES256, kid app-1',
    registered: 'PS256',
    why: /signed with alg ES256, kid app-1; the app is registered for PS256/,
    mend: /registered algorithm/,
  },

  {
    ...DPOP,
    title: 'P11: DPoP: another URL',
    error: 'invalid_dpop_proof',
    send: proving({ htu: 'https://other.test/' }),
    why: /htm or htu/,
    mend: /one proof per request/,
  },
  {
    ...DPOP,
    title: 'P11: DPoP: an old proof',
    error: 'use_dpop_nonce',
    send: proving({ iat: seconds() - 4000 }),
    why: /too far from this server’s clock/,
    mend: /NTP/,
  },
  {
    ...DPOP,
    title: 'P11: DPoP: a nonce nobody gave out',
    error: 'use_dpop_nonce',
    send: proving({ nonce: 'made-up' }),
    why: /asks for its nonce/,
    mend: /DPoP-Nonce/,
  },
  {
    ...DPOP,
    title: 'P11: DPoP: a proof used again',
    error: 'invalid_dpop_proof',
    send: proving({}, true),
    why: /used before/,
    mend: /random jti/,
  },
  {
    ...DPOP,
    title: 'P11: DPoP: none where it is needed',
    error: 'invalid_grant',
    send: token({ grant_type: 'client_credentials' }),
    why: /needs a DPoP proof/,
    mend: /Send the DPoP header/,
  },

  {
    title: 'P10: no pushed request where it is needed',
    client: { requirePushedAuthorizationRequests: true },
    endpoint: 'authorization',
    error: 'invalid_request',
    send: authorize({}),
    parameter: 'request_uri',
    why: /only with a pushed request/,
    mend: /pushed_authorization_request_endpoint/,
  },
  {
    title: 'P10: a request_uri nobody gave out',
    endpoint: 'authorization',
    error: 'invalid_request_uri',
    send: authorize({ request_uri: 'urn:ietf:params:oauth:request_uri:made-up' }),
    parameter: 'request_uri',
    why: /not one that this server gave out/,
    mend: /use its request_uri once/,
  },
  {
    title: 'P10: a pushed request with another redirect_uri',
    endpoint: 'pushed_authorization_request',
    error: 'invalid_request',
    async send(sent) {
      await posting('/oauth2/par', {
        client_id: sent.client.id,
        response_type: 'code',
        scope: 'openid',
        nonce: 'n',
        redirect_uri: 'https://rp.test/CB',
        code_challenge: pkce().challenge,
        code_challenge_method: 'S256',
      })(sent);
    },
    parameter: 'redirect_uri',
    came: 'https://rp.test/CB',
    why: /upper and lower case in the path/,
    mend: /register what it sends/,
  },
  {
    title: 'P10: a request object of another key',
    client: OBJECTS,
    endpoint: 'authorization',
    error: 'invalid_request_object',
    send: objecting(() => ({}), strange.privateKey),
    parameter: 'request',
    came: 'ES256',
    why: /could not be read or verified/,
    mend: /Register the public key/,
  },
  {
    title: 'P10: a request object that has expired',
    client: OBJECTS,
    endpoint: 'authorization',
    error: 'invalid_request_object',
    send: objecting(() => ({ exp: seconds() - 60 })),
    parameter: 'request',
    why: /has expired/,
    mend: /NTP/,
  },
  {
    title: 'P10: a request object for another server',
    client: OBJECTS,
    endpoint: 'authorization',
    error: 'invalid_request_object',
    send: objecting(() => ({ aud: 'https://other.test' })),
    parameter: 'request',
    why: /audience/,
    mend: /Set aud/,
  },
  {
    title: 'P10: request objects for an app that has none',
    endpoint: 'authorization',
    error: 'request_not_supported',
    send: objecting(() => ({})),
    parameter: 'request',
    why: /not enabled here, or not for this app/,
    mend: /plain parameters/,
  },
  {
    title: 'P10: no request object where it is needed',
    client: { ...OBJECTS, requireSignedRequestObject: true },
    endpoint: 'authorization',
    error: 'invalid_request',
    send: authorize({}),
    parameter: 'request',
    why: /and did not/,
    mend: /signed with the app’s key/,
  },
];

t.test('X4: every refusal is explained to the developer', async (t) => {
  const app = await startApp(t, {
    REFRESH_REPLAY_WINDOW: '0',
    CLIENT_AUTH_LOCKOUT_ATTEMPTS: '1000',
    DPOP_REQUIRE_NONCE: 'false',
  });
  await createResource(app.op(), { id: 'https://api.test/', name: 'An API', scopes: ['read:things'] });
  const clients = new Map<Case, TestClient>();
  for (const one of CASES) clients.set(one, await app.client(one.client));
  // A few at a time: people sign in, and each password costs what it costs.
  const waiting = [...clients];
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        await next[0].send({ app, client: next[1] });
      }
    }),
  );
  for (const [one, client] of clients) {
    await t.test(`X4 ${one.title}`, async (t) => {
      const refusal = await refusalOf(app, client.id);
      const { endpoint, error, parameter } = one;
      t.match(refusal, { endpoint, error, parameter, count: 1 });
      if (one.came !== undefined) t.equal(refusal.came, one.came);
      if (one.registered !== undefined) t.equal(refusal.registered, one.registered);
      const { why, mend } = await explained(app, client.row, refusal);
      t.match(why, one.why);
      t.match(mend, one.mend);
      t.ok(
        app.lines.some((line) => line.includes(refusal.requestId)),
        'its request is in the log',
      );
    });
  }
});

t.test('X4 P5: an app that changes itself and may not', async (t) => {
  const app = await startApp(t, { DYNAMIC_REGISTRATION: 'open' });
  const metadata = { redirect_uris: ['https://rp.test/cb'], token_endpoint_auth_method: 'none' };
  const send = async (url: string, method: string, body: unknown, bearer?: string) => {
    const response = await fetch(url, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Record<string, string> };
  };
  const { status, body } = await send(`${app.issuer}/oauth2/register`, 'POST', metadata);
  t.equal(status, 201);
  const { client_id: id = '', registration_client_uri: uri = '', registration_access_token: bearer } = body;
  const changed = {
    ...metadata,
    client_id: id,
    redirect_uris: ['https://rp.test/cb?key=a-secret#part', 'https://*.test/'],
  };
  t.equal((await send(uri, 'PUT', changed, bearer)).status, 400);
  t.equal((await send(uri, 'PUT', { ...metadata, client_id: id }, 'not-the-token')).status, 401);
  await refusalOf(app, id);
  const rows = await lastOf(app.op(), id, 10);
  t.equal(rows.length, 2);
  t.match(
    rows.find(({ error }) => error === 'invalid_redirect_uri'),
    { endpoint: 'registration', parameter: 'metadata', why: 'redirect_uris', came: null, count: 1 },
  );
  t.match(
    rows.find(({ error }) => error === 'invalid_token'),
    { endpoint: 'registration', parameter: 'registration_access_token', why: '', count: 1 },
  );
  t.notMatch(JSON.stringify(rows), /a-secret|not-the-token/);
});
