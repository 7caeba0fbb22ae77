// Why an app was refused: what is kept of it and what its developer reads. Every fault here is a request over HTTP.
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import t, { type Test } from 'tap';
import { addSecret, allSecretsOf, type ClientRow, type NewClient } from '../server/clients/clients.ts';
import { type Explanation, explain, lastOf, type Refusal } from '../server/refusals/refusals.ts';
import { create as createResource } from '../server/resources/resources.ts';
import {
  authorizePath,
  complete,
  PASSWORD,
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
];

t.test('X4: every refusal is explained to the developer', async (t) => {
  const app = await startApp(t, { REFRESH_REPLAY_WINDOW: '0', CLIENT_AUTH_LOCKOUT_ATTEMPTS: '1000' });
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
