// Tokens for APIs: what an app gets in its own name and in a person's, in which form and for how long, what people are
// asked and remembered for, and that a token says nothing and opens nothing anywhere but where it is meant to.
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import * as oidc from 'openid-client';
import t, { type Test } from 'tap';
import { closeDatabase, openDatabase } from '../drizzle/database.ts';
import { disable as disableAccount } from '../server/accounts/accounts.ts';
import { DEVICE_CODE, type NewClient, setResource } from '../server/clients/clients.ts';
import { purge } from '../server/oidc/jobs.ts';
import {
  change,
  create,
  indicatorFault,
  type NewResource,
  type ResourceRow,
} from '../server/resources/resources.ts';
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

t.setTimeout(180_000);

const ORDERS = 'https://orders.example.com/api';
const PARCELS = 'https://parcels.example.com';
const OFFLINE = 'openid offline_access';

let count = 0;
/** An API of its own for each test, unless it is named. */
function api(app: Running, more: Partial<NewResource> = {}): Promise<ResourceRow> {
  count++;
  return create(app.op(), {
    id: `https://api-${count}.example.com/`,
    name: `API ${count}`,
    scopes: ['orders:read', 'orders:write'],
    ...more,
  });
}

const machine = (app: Running, more: Partial<NewClient> = {}): Promise<TestClient> =>
  app.client({ grantTypes: ['client_credentials'], redirectUris: [], ...more });

const ownToken = (app: Running, client: TestClient, more: Record<string, string> = {}) =>
  tokenRequest(app.issuer, client, { grant_type: 'client_credentials', ...more });

async function ask(
  app: Running,
  path: string,
  client: { id: string; secret: string | null },
  token: string,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(app.issuer + path, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${client.id}:${client.secret}`)}` },
    body: new URLSearchParams({ token }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) };
}
const introspect = async (app: Running, client: TestClient, token: unknown) =>
  (await ask(app, '/oauth2/introspect', client, token as string)).body;

const userinfo = async (app: Running, token: unknown) =>
  (await fetch(`${app.issuer}/oauth2/userinfo`, { headers: { authorization: `Bearer ${token}` } })).status;

const INACTIVE = { active: false };
const errorAt = (page: Page) => new URL(page.location ?? 'x:').searchParams.get('error');
const isConsent = (page: Page) => formsOf(page.body).some(({ action }) => /^\/consent\/[^/]+$/.test(action));

/** Signs in as far as the consent page, or past it where none is asked. */
async function toConsent(
  browser: Visitor,
  client: TestClient,
  person: { email: string },
  more: Record<string, string>,
  resources: string[] = [],
): Promise<{ page: Page; verifier: string }> {
  const proof = pkce();
  const named = resources.map((id) => `&resource=${encodeURIComponent(id)}`).join('');
  const first = authorizePath(client, proof, more) + named;
  let page = await browser.follow(await browser.get(first));
  if (formsOf(page.body).some(({ action }) => /\/password$/.test(action))) {
    page = await browser.follow(
      await browser.submit(page, /\/password$/, { email: person.email, password: PASSWORD }),
    );
  }
  return { page, verifier: proof.verifier };
}

async function codeTokens(
  app: Running,
  client: TestClient,
  person: { email: string },
  {
    scope,
    resources = [],
    browser = app.visitor(),
    ...form
  }: { scope: string; resources?: string[]; browser?: Visitor } & Record<string, unknown>,
) {
  const prompt = scope.includes('offline_access') ? { prompt: 'consent' } : {};
  const { page, verifier } = await toConsent(browser, client, person, { scope, ...prompt }, resources);
  const { params } = await complete(browser, page, person);
  return tokenRequest(app.issuer, client, {
    grant_type: 'authorization_code',
    code: params.get('code') ?? '',
    redirect_uri: client.redirectUri,
    code_verifier: verifier,
    ...(form as Record<string, string>),
  });
}

const refresh = (app: Running, client: TestClient, token: unknown, more: Record<string, string> = {}) =>
  tokenRequest(app.issuer, client, {
    grant_type: 'refresh_token',
    refresh_token: token as string,
    ...more,
  });

function refused(
  t: Test,
  answer: { status: number; body: Record<string, unknown> },
  error: string,
  says = error,
) {
  t.equal(answer.status, 400, says);
  t.equal(answer.body.error, error, says);
  t.equal(answer.body.access_token, undefined, says);
}

t.test('in an app’s own name', async (t) => {
  const app = await startApp(t);
  const jwks = createRemoteJWKSet(new URL(`${app.issuer}/oauth2/jwks`));

  await t.test('P5, ATK-A060: client_credentials: an opaque token, introspected, revoked', async (t) => {
    const client = await machine(app);
    const answer = await ownToken(app, client);
    t.equal(answer.status, 200);
    const { access_token, ...rest } = answer.body;
    t.strictSame(rest, { expires_in: 900, token_type: 'Bearer' });
    const seen = await introspect(app, client, access_token);
    t.match(seen, { active: true, client_id: client.id, iss: app.issuer, token_type: 'Bearer' });
    t.notOk('sub' in seen || 'aud' in seen || 'scope' in seen);
    const [row] = await app.db.$client`SELECT * FROM client_tokens WHERE client_id = ${client.id}`;
    t.equal(JSON.stringify(row).includes(access_token as string), false, 'R18: only its hash is stored');
    t.equal(await userinfo(app, access_token), 401, 'nobody is signed in with it');
    t.strictSame(await introspect(app, await machine(app), access_token), INACTIVE);
    const stranger = await ask(app, '/oauth2/revoke', await machine(app), access_token as string);
    t.equal(stranger.status, 200);
    t.equal(
      (await introspect(app, client, access_token)).active,
      true,
      'ATK-A060: not a stranger’s to revoke',
    );
    t.equal((await ask(app, '/oauth2/revoke', client, access_token as string)).status, 200);
    t.strictSame(await introspect(app, client, access_token), INACTIVE);
    const mine = (events: { client_id: string | null }[]) =>
      events.filter(({ client_id }) => client_id === client.id).length;
    t.equal(mine(await app.events('token.issued')), 0, 'thousands a second are no rows of the audit trail');
    t.equal(mine(await app.events('token.revoked')), 1);
    t.equal((await ownToken(app, { ...client, secret: 'wrong' })).status, 401);
    t.equal(mine(await app.events('client.authenticationFailed')), 1, 'what is refused is');
  });

  await t.test(
    'P2, P5: openid-client; a JWT (RFC 9068) for each algorithm, verified with our JWKS',
    async (t) => {
      for (const signingAlg of ['ES256', 'RS256', 'EdDSA'] as const) {
        const { id } = await api(app, { signingAlg });
        const client = await machine(app, { resources: [id], scopes: ['orders:read'] });
        const config = await oidc.discovery(
          new URL(app.issuer),
          client.id,
          {},
          oidc.ClientSecretBasic(client.secret as string),
          { execute: [oidc.allowInsecureRequests] },
        );
        const answer = await oidc.clientCredentialsGrant(config, { resource: id, scope: 'orders:read' });
        t.match(answer, { token_type: 'bearer', expires_in: 900, scope: 'orders:read' });
        const { payload, protectedHeader } = await jwtVerify(answer.access_token, jwks, {
          issuer: app.issuer,
          audience: id,
          typ: 'at+jwt',
          algorithms: [signingAlg],
        });
        t.equal(typeof protectedHeader.kid, 'string');
        const { iat = 0, exp = 0, jti, ...claims } = payload;
        t.strictSame(claims, {
          iss: app.issuer,
          aud: id,
          sub: client.id,
          client_id: client.id,
          scope: 'orders:read',
        });
        t.equal(exp - iat, 900);
        t.match(jti, /^[\w-]{20,}$/);
        const again = await oidc.clientCredentialsGrant(config, { resource: id, scope: 'orders:read' });
        t.not(decodeJwt(again.access_token).jti, jti);
        const [rows] = await app.db
          .$client`SELECT count(*)::int AS n FROM client_tokens WHERE client_id = ${client.id}`;
        t.equal(rows?.n, 0, 'a JWT needs no row');
        // RFC 7662: what is checked by the API itself is not asked about, by anybody.
        const asked = await ask(app, '/oauth2/introspect', client, answer.access_token);
        t.match(asked, { status: 400, body: { error: 'unsupported_token_type' } });
        t.equal(await userinfo(app, answer.access_token), 401, 'ATK-A059');
      }
    },
  );

  await t.test(
    'P5, ATK-A047: scopes are those of the API and of the app; what is beyond is refused',
    async (t) => {
      const { id } = await api(app);
      const client = await machine(app, { resources: [id], scopes: ['orders:read'] });
      for (const scope of ['admin', 'orders:write', 'orders:read admin', 'openid', 'orders:read openid']) {
        refused(t, await ownToken(app, client, { resource: id, scope }), 'invalid_scope', scope);
      }
      for (const scope of ['orders:read', 'admin', 'openid', 'openid profile offline_access']) {
        refused(t, await ownToken(app, client, { scope }), 'invalid_scope', `${scope}, without the API`);
      }
      const bare = await ownToken(app, client, { resource: id });
      t.equal(bare.status, 200);
      t.equal(decodeJwt(bare.body.access_token as string).scope, undefined, 'none asked for, none given');
      const refusals = (await app.events('token.refused')).filter(({ client_id }) => client_id === client.id);
      t.equal(refusals.length, 9);
      t.equal(refusals[0]?.data.grantType, 'client_credentials');
    },
  );

  await t.test('P5, R25: who may name what: unknown, foreign, disabled, several', async (t) => {
    const mine = await api(app);
    const foreign = await api(app);
    const client = await machine(app, { resources: [mine.id], scopes: ['orders:read'] });
    const sentences = new Set<unknown>();
    for (const resource of [
      foreign.id,
      'https://unknown.example.com/',
      mine.id.slice(0, -1),
      'constructor:x',
    ]) {
      const answer = await ownToken(app, client, { resource, scope: 'orders:read' });
      refused(t, answer, 'invalid_target', resource);
      sentences.add(answer.body.error_description);
    }
    await change(app.op(), mine.id, { disabled: true });
    await settle(app, mine.id);
    const disabled = await ownToken(app, client, { resource: mine.id });
    refused(t, disabled, 'invalid_target', 'disabled');
    sentences.add(disabled.body.error_description);
    t.equal(sentences.size, 1, 'one sentence for all: what there is stays unknown');
    await change(app.op(), mine.id, { disabled: false });
    await settle(app, mine.id);
    t.equal((await ownToken(app, client, { resource: mine.id })).status, 200);

    const both = await machine(app, { resources: [mine.id, foreign.id] });
    const body = new URLSearchParams({ grant_type: 'client_credentials' });
    for (const id of [mine.id, foreign.id]) body.append('resource', id);
    const response = await fetch(`${app.issuer}/oauth2/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${both.id}:${both.secret}`)}` },
      body,
    });
    t.equal(response.status, 400);
    t.equal(((await response.json()) as { error: string }).error, 'invalid_target');
  });

  await t.test('P5: resource under nonsense: a clean refusal each time', async (t) => {
    const { id } = await api(app);
    const client = await machine(app, { resources: [id] });
    const person = await app.client({ resources: [id], firstParty: true });
    const values = [
      'orders',
      '/relative',
      '//host/path',
      `${id}#fragment`,
      `${id}#`,
      `${id}\u0000`,
      '\u0000',
      `${id} `,
      ` ${id}`,
      id.toUpperCase(),
      `${id}?x=1`,
      `https://${'a'.repeat(5000)}.example.com/`,
      'https://☃.example/',
      'javascript:alert(1)',
      '__proto__',
      '[object Object]',
      '%00',
      '\ud800',
    ];
    for (const resource of values) {
      const says = JSON.stringify(resource).slice(0, 60);
      const answer = await ownToken(app, client, { resource });
      t.equal(answer.status, 400, says);
      t.match(answer.body.error, /^invalid_(target|request)$|^request\.forbiddenCharacter$/, says);
      const page = await app
        .visitor()
        .get(`${authorizePath(person, pkce())}&resource=${encodeURIComponent(resource.toWellFormed())}`);
      t.ok(page.status < 500, says);
      t.notMatch(page.location ?? '', /[?&]code=/, says);
      t.notMatch(page.location ?? '', /\/interaction\//, says);
    }
    const many = Array.from({ length: 200 }, () => `resource=${encodeURIComponent(id)}`).join('&');
    for (const query of [many, 'resource[]=x', 'resource[a]=b', 'resource=', 'resource']) {
      const page = await app.visitor().get(`${authorizePath(person, pkce())}&${query}`);
      t.ok(page.status < 500, query.slice(0, 40));
    }
    t.equal(app.lines.filter((line) => /protocol request failed/.test(line)).length, 0);
  });

  await t.test(
    'P2: lifetimes: the shortest of setting, app and API; a JWT fifteen minutes at most',
    async (t) => {
      const short = await startApp(t, { ACCESS_TOKEN_TTL: '3600' });
      const lifetime = async (
        on: Running,
        ofApi: Partial<NewResource> | null,
        ofClient: number | null = null,
      ): Promise<unknown> => {
        const resource = ofApi ? [(await api(on, ofApi)).id] : [];
        const client = await machine(on, { resources: resource, accessTokenTtl: ofClient });
        const { body } = await ownToken(on, client, resource[0] ? { resource: resource[0] } : {});
        const token = body.access_token as string;
        const times = token.includes('.') ? decodeJwt(token) : await introspect(on, client, token);
        t.equal((times.exp as number) - (times.iat as number), body.expires_in);
        return body.expires_in;
      };
      const opaque = { accessTokenFormat: 'opaque' } as const;
      t.equal(await lifetime(short, null), 3600);
      t.equal(await lifetime(short, null, 60), 60);
      t.equal(await lifetime(short, {}), 900, 'a JWT, whatever the setting');
      t.equal(await lifetime(short, { accessTokenTtl: 120 }), 120);
      t.equal(await lifetime(short, { accessTokenTtl: 120 }, 60), 60);
      t.equal(await lifetime(short, opaque), 3600);
      t.equal(
        await lifetime(short, { ...opaque, accessTokenTtl: 7200 }),
        3600,
        'never longer than the setting',
      );
      t.equal(await lifetime(short, { ...opaque, accessTokenTtl: 30 }, 60), 30);
      t.equal(await lifetime(app, { ...opaque, accessTokenTtl: 7200 }), 900);

      const quick = await startApp(t, { ACCESS_TOKEN_TTL: '1' });
      const client = await machine(quick);
      const { body } = await ownToken(quick, client);
      await new Promise((resolve) => setTimeout(resolve, 1100));
      t.strictSame(
        await introspect(quick, client, body.access_token),
        INACTIVE,
        'over by our clock, to the second',
      );
      const left = async () => (await quick.db.$client`SELECT 1 FROM client_tokens`).length;
      await purge(quick.op());
      t.equal(await left(), 1);
      await purge({ ...quick.op(), now: new Date(Date.now() + 3_700_000) });
      t.equal(await left(), 0, 'an hour later it is gone');
    },
  );

  await t.test(
    'P5, R31, ATK-A060: an opaque token is told of to its API’s own client, and to no other',
    async (t) => {
      const reader = await machine(app);
      const { id } = await api(app, { accessTokenFormat: 'opaque', introspectionClientId: reader.id });
      const otherReader = await machine(app);
      await api(app, { accessTokenFormat: 'opaque', introspectionClientId: otherReader.id });
      const client = await machine(app, { resources: [id], scopes: ['orders:read'] });
      const { body } = await ownToken(app, client, { resource: id, scope: 'orders:read' });
      const token = body.access_token;
      t.notMatch(token, /\./);
      for (const asking of [reader, client]) {
        t.match(await introspect(app, asking, token), {
          active: true,
          aud: id,
          scope: 'orders:read',
          client_id: client.id,
          iss: app.issuer,
        });
      }
      t.strictSame(await introspect(app, otherReader, token), INACTIVE);
      t.strictSame(await introspect(app, await machine(app, { resources: [id] }), token), INACTIVE);

      await change(app.op(), id, { disabled: true });
      await settle(app, id);
      for (const asking of [reader, client]) t.strictSame(await introspect(app, asking, token), INACTIVE);
      await change(app.op(), id, { disabled: false });
      await settle(app, id);
      t.equal((await introspect(app, reader, token)).active, true);

      await app.db.$client`UPDATE clients SET disabled_at = now() WHERE id = ${client.id}`;
      await app.db.$client`SELECT pg_notify('gatehouse_clients', ${client.id})`;
      await settle(app, id);
      t.strictSame(await introspect(app, reader, token), INACTIVE, 'a disabled app’s tokens are dead');
      t.equal((await ownToken(app, client)).status, 401);
    },
  );

  await t.test('P2: a JWT in an app’s own name needs no database', async (t) => {
    const { id } = await api(app);
    const client = await machine(app, { resources: [id], scopes: ['orders:read'] });
    const form = { resource: id, scope: 'orders:read' };
    t.equal((await ownToken(app, client, form)).status, 200);
    const owner = openDatabase(
      app.database.owner,
      { poolSize: 1, statementTimeout: 10, lockTimeout: 10 },
      'test locks',
    );
    const tables = 'clients, client_secrets, resources, client_tokens, failures, audit_events';
    try {
      await owner.$client.begin(async (sql) => {
        await sql.unsafe(`LOCK TABLE ${tables} IN ACCESS EXCLUSIVE MODE`);
        const answers = await Promise.all(Array.from({ length: 20 }, () => ownToken(app, client, form)));
        t.ok(answers.every(({ status }) => status === 200));
      });
    } finally {
      await closeDatabase(owner);
    }
  });

  await t.test('P5: an app’s APIs may change: more, fewer, none', async (t) => {
    const [one, two] = [await api(app), await api(app, { scopes: ['orders:read', 'parcels:read'] })];
    const client = await machine(app, { resources: [one.id], scopes: ['orders:write'] });
    t.equal((await ownToken(app, client, { resource: one.id, scope: 'orders:write' })).status, 200);
    refused(t, await ownToken(app, client, { resource: two.id }), 'invalid_target');
    await setResource(app.op(), client.id, two.id, ['parcels:read']);
    await settle(app, one.id);
    t.equal((await ownToken(app, client, { resource: two.id, scope: 'parcels:read' })).status, 200);
    t.equal((await ownToken(app, client, { resource: one.id, scope: 'orders:write' })).status, 200);
    const row = await setResource(app.op(), client.id, one.id, null);
    t.strictSame([row.resources, row.scopes], [[two.id], ['parcels:read']]);
    await settle(app, one.id);
    refused(t, await ownToken(app, client, { resource: one.id }), 'invalid_target');
    const nowhere = setResource(app.op(), client.id, 'https://unknown.example.com/', []);
    await t.rejects(nowhere, { code: 'client.invalid', message: /registered here/ });
    await t.rejects(setResource(app.op(), client.id, one.id, ['parcels:read']), { code: 'client.invalid' });
    await t.rejects(setResource(app.op(), client.id, one.id, null), { code: 'resource.notFound' });
    await t.rejects(setResource(app.op(), 'nobody', one.id, []), { code: 'client.notFound' });
  });
});

/** Notifications travel by another connection: what they drop from memory is gone a moment later. */
async function settle(app: Running, _id: string): Promise<void> {
  const token = `settle-${++count}`;
  await app.db.$client`SELECT pg_notify('gatehouse_resources', ${token})`;
  await new Promise((resolve) => setTimeout(resolve, 100));
}

t.test('registration', async (t) => {
  const app = await startApp(t);

  await t.test('P5: what an API may be, in a developer’s words', async (t) => {
    for (const id of [
      ORDERS,
      PARCELS,
      'urn:example:api',
      'api://orders',
      'http://localhost:4000/v1',
      'https://x.test/?v=1',
    ])
      t.equal(indicatorFault(id), null, id);
    const faults: Record<string, RegExp> = {
      orders: /absolute/,
      '/v1': /absolute/,
      '': /absolute/,
      [`${ORDERS}#x`]: /fragment/,
      'https://bücher.example/': /ASCII/,
      'https://api.example.com/a b': /spaces/,
      'https://api.example.com/\u0000': /control/,
      'HTTPS://api.example.com/': /canonical form; register https:\/\/api\.example\.com\//,
      'https://api.example.com:443/': /canonical/,
      'https://api.example.com/a/../b': /canonical/,
      'https://user:pass@api.example.com/': /user name/,
      'https://*.example.com/': /wildcard/,
      'javascript:alert(1)': /javascript/,
      [`https://api.example.com/${'x'.repeat(600)}`]: /500/,
    };
    for (const [id, pattern] of Object.entries(faults)) {
      t.match(indicatorFault(id), pattern, id);
      await t.rejects(api(app, { id }), { code: 'resource.invalid', message: pattern });
    }
    const open = await app.client({ public: true });
    const wrong: [Partial<NewResource>, string, RegExp][] = [
      [{ name: ' ' }, 'name', /1 to 100/],
      [{ name: 'a\u0007b' }, 'name', /1 to 100/],
      [{ scopes: ['a b'] }, 'scopes', /not a scope/],
      [{ scopes: ['openid'] }, 'scopes', /of the server itself/],
      [{ scopes: ['x', 'x'] }, 'scopes', /twice/],
      [{ accessTokenTtl: 901 }, 'access_token_ttl', /1 to 900 for JWTs/],
      [{ accessTokenTtl: 0 }, 'access_token_ttl', /1 to 900/],
      [{ accessTokenTtl: 1.5 }, 'access_token_ttl', /whole number/],
      [{ accessTokenFormat: 'opaque', accessTokenTtl: 90_000 }, 'access_token_ttl', /1 to 86400/],
      [{ accessTokenFormat: 'paseto' as never }, 'access_token_format', /jwt, opaque/],
      [{ signingAlg: 'HS256' as never }, 'signing_alg', /ES256, RS256, EdDSA/],
      [{ introspectionClientId: 'nobody' }, 'introspection_client', /not the client_id/],
      [{ introspectionClientId: open.id }, 'introspection_client', /public client/],
    ];
    for (const [more, field, pattern] of wrong) {
      const fault = (await api(app, more).catch((error: unknown) => error)) as {
        code: string;
        details: Record<string, string>;
      };
      t.equal(fault.code, 'resource.invalid', field);
      t.match(fault.details[field], pattern, field);
    }
    t.equal((await app.events('resource.created')).length, 0, 'nothing was stored');
  });

  await t.test('P5: made once, changed with its record, found by its clients', async (t) => {
    await api(app, { id: ORDERS, name: 'Orders' });
    await t.rejects(api(app, { id: ORDERS }), { code: 'resource.exists' });
    await t.rejects(change(app.op(), 'https://nowhere.test/', { name: 'x' }), { code: 'resource.notFound' });
    t.equal((await change(app.op(), ORDERS, { name: 'Orders' })).version, 0, 'no change, no version');
    await t.rejects(change(app.op(), ORDERS, { accessTokenTtl: 1000 }), { code: 'resource.invalid' });
    const changed = await change(app.op(), ORDERS, { name: 'All orders', scopes: ['orders:read'] });
    t.match(changed, { name: 'All orders', version: 1, scopes: ['orders:read'] });
    t.strictSame(
      (await app.events('resource.changed')).map(({ data }) => data),
      [{ resource: ORDERS, fields: ['name', 'scopes'] }],
    );
    t.strictSame(
      (await app.events('resource.created')).map(({ data }) => data),
      [{ resource: ORDERS }],
    );

    const wanting = (more: Partial<NewClient>) => app.client(more).catch((error: Error) => error);
    t.match(await wanting({ resources: [ORDERS, 'https://x.test/'] }), {
      code: 'client.invalid',
      message: /resources "https:\/\/x\.test\/" is not an API that is registered here/,
    });
    t.match(await wanting({ resources: [ORDERS], scopes: ['openid', 'orders:write'] }), {
      code: 'client.invalid',
      message: /"orders:write" is a scope of none of its APIs/,
    });
    t.match(await wanting({ scopes: ['openid', 'orders:read'] }), { code: 'client.invalid' });
    await change(app.op(), ORDERS, { disabled: true });
    t.match(await wanting({ resources: [ORDERS] }), { code: 'client.invalid', message: /disabled/ });
  });
});

t.test('in a person’s name', async (t) => {
  const app = await startApp(t);
  const jwks = createRemoteJWKSet(new URL(`${app.issuer}/oauth2/jwks`));
  const reader = await machine(app);
  await api(app, { id: ORDERS, name: 'Orders <b>of</b> all' });
  await api(app, {
    id: PARCELS,
    name: 'Parcel tracking',
    scopes: ['parcels:read', 'orders:read'],
    accessTokenFormat: 'opaque',
    introspectionClientId: reader.id,
  });
  const scopes = [...OFFLINE.split(' '), 'email', 'orders:read', 'orders:write', 'parcels:read'];
  const wanting = (more: Partial<NewClient> = {}) =>
    app.client({ resources: [ORDERS, PARCELS], scopes, ...more });

  await t.test(
    'P2, R32, ATK-A058, ATK-A059: the code flow for an API: claims of the JWT, the ID token beside it',
    async (t) => {
      const client = await wanting();
      const person = await app.person();
      const { body } = await codeTokens(app, client, person, {
        scope: `${OFFLINE} email orders:read`,
        resources: [ORDERS],
      });
      const { payload } = await jwtVerify(body.access_token as string, jwks, {
        issuer: app.issuer,
        audience: ORDERS,
        typ: 'at+jwt',
      });
      t.match(payload, {
        sub: person.id,
        client_id: client.id,
        scope: 'orders:read',
        acr: 'urn:gatehouse:aal1',
        amr: ['pwd'],
      });
      t.equal(body.scope, 'orders:read', 'scopes of the ID token are none of the API’s');
      t.equal(typeof payload.auth_time, 'number');
      t.match(payload.jti, /^[\w-]{20,}$/);
      t.match(payload.sid, /^[\w-]{43}$/);
      t.equal((payload.exp ?? 0) - (payload.iat ?? 0), 900);
      for (const claim of ['email', 'nonce', 'name']) t.notOk(claim in payload, claim);
      const id = decodeJwt(body.id_token as string);
      t.match(id, { aud: client.id, email: person.email, auth_time: payload.auth_time });
      t.not(decodeProtectedHeader(body.id_token as string).typ, 'at+jwt', 'ATK-A058');

      // ATK-A059: what is for an API opens nothing here.
      t.equal(await userinfo(app, body.access_token), 401);
      const opaque = await codeTokens(app, client, person, {
        scope: 'openid parcels:read',
        resources: [PARCELS],
      });
      t.equal(await userinfo(app, opaque.body.access_token), 403, 'no openid in it');
      const hint = authorizePath(client, pkce(), {
        id_token_hint: body.access_token as string,
        prompt: 'none',
      });
      t.match(
        errorAt(await app.visitor().get(hint)),
        /^(invalid_request|login_required)$/,
        'nor is it an ID token',
      );
      const sid = await sidAfterRefresh(body.refresh_token);
      t.equal(sid, payload.sid, 'the same session');
      async function sidAfterRefresh(token: unknown) {
        const { body } = await refresh(app, client, token);
        return decodeJwt(body.access_token as string).sid;
      }
    },
  );

  await t.test('P2: without an API, a token for userinfo; scopes of APIs are left out', async (t) => {
    const client = await wanting();
    const { body } = await codeTokens(app, client, await app.person(), { scope: 'openid email orders:read' });
    t.equal(body.scope, 'openid email');
    t.equal(await userinfo(app, body.access_token), 200);
    t.strictSame(await introspect(app, reader, body.access_token), INACTIVE, 'R31: own client only');
    t.equal((await introspect(app, client, body.access_token)).active, true);
  });

  await t.test('P2: several APIs: one token each; refreshing narrows and never widens', async (t) => {
    const client = await wanting();
    const person = await app.person();
    const scope = `${OFFLINE} orders:read orders:write`;
    const undecided = await codeTokens(app, client, person, { scope, resources: [ORDERS, PARCELS] });
    refused(t, undecided, 'invalid_target', 'which of the two?');
    const { body } = await codeTokens(app, client, person, {
      scope,
      resources: [ORDERS, PARCELS],
      resource: ORDERS,
    });
    t.match(decodeJwt(body.access_token as string), { aud: ORDERS, scope: 'orders:read orders:write' });

    let token = body.refresh_token;
    const next = async (more: Record<string, string>) => {
      const answer = await refresh(app, client, token, more);
      if (answer.status === 200) token = answer.body.refresh_token;
      return answer;
    };
    const parcels = await next({ resource: PARCELS });
    t.equal(parcels.body.scope, 'orders:read');
    t.match(await introspect(app, reader, parcels.body.access_token), {
      active: true,
      aud: PARCELS,
      sub: person.id,
      client_id: client.id,
      scope: 'orders:read',
    });
    const narrow = await next({ resource: ORDERS, scope: 'orders:read' });
    t.equal(decodeJwt(narrow.body.access_token as string).scope, 'orders:read');
    const whole = await next({ resource: ORDERS });
    t.equal(whole.body.scope, 'orders:read orders:write', 'narrowed once, not for good');
    refused(t, await next({ resource: ORDERS, scope: 'orders:read parcels:read' }), 'invalid_scope');

    // What is refused has spent nothing, or the next try would look like theft.
    const before = token;
    for (const resource of ['https://unknown.example.com/', `${ORDERS}#x`, 'x'])
      refused(t, await next({ resource }), 'invalid_target', resource);
    refused(t, await next({}), 'invalid_target', 'which of the two?');
    await change(app.op(), ORDERS, { disabled: true });
    await settle(app, ORDERS);
    refused(t, await next({ resource: ORDERS }), 'invalid_target', 'disabled');
    await change(app.op(), ORDERS, { disabled: false });
    await settle(app, ORDERS);
    const [spent] = await app.db.$client`SELECT count(*)::int AS n FROM refresh_tokens
      WHERE client_id = ${client.id} AND account_id = ${person.id} AND consumed_at IS NULL`;
    t.equal(spent?.n, 1);
    t.equal(token, before);
    t.equal((await next({ resource: ORDERS })).status, 200);
    t.equal((await app.events('token.reused')).length, 0);
    // One API only: it need not be named again.
    const one = await codeTokens(app, client, person, { scope, resources: [ORDERS] });
    const other = await refresh(app, client, one.body.refresh_token, { resource: PARCELS });
    refused(t, other, 'invalid_target', 'not granted');
    const same = await refresh(app, client, one.body.refresh_token);
    t.equal(decodeJwt(same.body.access_token as string).aud, ORDERS);
    const [issued] = (await app.events('token.refreshed')).filter(({ client_id }) => client_id === client.id);
    t.match(issued?.data, { resource: PARCELS, scope: 'orders:read' });
  });

  await t.test(
    'P9, ATK-A025: the page names the API and its scopes; more asks again, the same does not',
    async (t) => {
      const client = await wanting({ name: 'Shop' });
      const person = await app.person();
      const browser = app.visitor();
      const lists = (page: Page) =>
        [...page.body.matchAll(/<(ul|h2) class="((?:scopes|api)[^"]*)">([\s\S]*?)<\/\1>/g)].map(
          ([, , kind, content = '']) => [kind, content.replace(/<small>.*?<\/small>|<[^>]+>/g, '').trim()],
        );
      const first = await toConsent(browser, client, person, { scope: 'openid orders:read' }, [ORDERS]);
      t.ok(isConsent(first.page));
      t.strictSame(lists(first.page), [
        ['scopes', 'Know that it is you'],
        ['api', 'At Orders &lt;b&gt;of&lt;/b&gt; all'],
        ['scopes', 'Use orders:read'],
      ]);
      t.ok((await complete(browser, first.page, person)).params.get('code'));

      const silent = await toConsent(browser, client, person, { scope: 'openid orders:read' }, [ORDERS]);
      t.match(silent.page.location, /[?&]code=/, 'in the same session');
      const wider = await toConsent(browser, client, person, { scope: 'openid orders:read orders:write' }, [
        ORDERS,
      ]);
      t.strictSame(lists(wider.page), [
        ['api', 'At Orders &lt;b&gt;of&lt;/b&gt; all'],
        ['scopes', 'Use orders:write'],
        ['scopes held', 'Know that it is you'],
        ['api', 'At Orders &lt;b&gt;of&lt;/b&gt; all'],
        ['scopes held', 'Use orders:read'],
      ]);
      await complete(browser, wider.page, person);

      // The same scope elsewhere is another permission, and an API without any scope is one too.
      const bare = await toConsent(browser, client, person, { scope: 'openid' }, [PARCELS]);
      t.strictSame(lists(bare.page).slice(0, 2), [
        ['api', 'At Parcel tracking'],
        ['scopes', 'Use it in your name'],
      ]);
      const none = authorizePath(client, pkce(), { prompt: 'none' });
      t.equal(
        errorAt(await browser.get(`${none}&resource=${encodeURIComponent(PARCELS)}`)),
        'consent_required',
      );
      const denied = await browser.follow(
        await browser.submit(bare.page, /^\/consent\/[^/]+$/, { decision: 'deny' }),
      );
      t.equal(errorAt(denied), 'access_denied');
      const both = await toConsent(browser, client, person, { scope: 'openid orders:read' }, [
        ORDERS,
        PARCELS,
      ]);
      t.strictSame(lists(both.page).slice(0, 2), [
        ['api', 'At Parcel tracking'],
        ['scopes', 'Use orders:read'],
      ]);
      // Another account, in another browser, is asked for both as well.
      const second = app.visitor();
      const there = await toConsent(second, client, person, { scope: 'openid orders:read' }, [
        ORDERS,
        PARCELS,
      ]);
      const form = await second.follow(await second.submit(there.page, /\/switch$/, {}));
      const fields = { email: (await app.person()).email, password: PASSWORD };
      // The one who was there before is signed out by a page that posts itself.
      const relay = await second.follow(await second.submit(form, /\/password$/, fields));
      const asked = await second.follow(await second.submit(relay, /./, {}));
      t.strictSame(
        lists(asked)
          .filter(([kind]) => kind === 'api')
          .map(([, name]) => name),
        ['At Orders &lt;b&gt;of&lt;/b&gt; all', 'At Parcel tracking'],
      );
      await complete(browser, both.page, person);

      // Remembered in another browser, for all of it and for parts.
      const elsewhere = app.visitor();
      const again = await toConsent(elsewhere, client, person, { scope: 'openid orders:read orders:write' }, [
        ORDERS,
        PARCELS,
      ]);
      t.match(again.page.location, /[?&]code=/);
      const given = (await app.events('consent.given')).filter(({ client_id }) => client_id === client.id);
      t.strictSame(given.at(-1)?.data, {
        scopes: ['openid'],
        resources: { [ORDERS]: ['orders:read', 'orders:write'], [PARCELS]: ['orders:read'] },
        source: 'remembered',
      });
      const rows = await app.db.$client`SELECT resource_scopes, end_reason FROM consents
      WHERE client_id = ${client.id} ORDER BY granted_at`;
      t.strictSame(
        rows.map(({ resource_scopes, end_reason }) => [resource_scopes, end_reason]),
        [
          [{ [ORDERS]: ['orders:read'] }, 'widened'],
          [{ [ORDERS]: ['orders:read', 'orders:write'] }, 'widened'],
          [{ [ORDERS]: ['orders:read', 'orders:write'], [PARCELS]: ['orders:read'] }, null],
        ],
      );
    },
  );

  await t.test('P9, R49: what is allowed is what the page showed', async (t) => {
    const client = await wanting({ name: 'Before' });
    const { id } = await api(app, { scopes: ['notes:read'] });
    await setResource(app.op(), client.id, id, ['notes:read']);
    await settle(app, id);
    const person = await app.person();
    const browser = app.visitor();
    const scope = { scope: 'openid notes:read notes:delete' };
    const consents = () => app.db.$client`SELECT 1 FROM consents WHERE client_id = ${client.id}`;
    const changes: [() => Promise<unknown>, RegExp][] = [
      [
        async () => {
          await change(app.op(), id, { scopes: ['notes:read', 'notes:delete'] });
          await setResource(app.op(), client.id, id, ['notes:read', 'notes:delete']);
        },
        /notes:delete/,
      ],
      [() => change(app.op(), id, { name: 'Renamed API' }), /Renamed API/],
      [
        async () => {
          await app.db.$client`UPDATE clients SET name = 'After' WHERE id = ${client.id}`;
          await app.db.$client`SELECT pg_notify('gatehouse_clients', ${client.id})`;
        },
        /After/,
      ],
    ];
    let { page } = await toConsent(browser, client, person, scope, [id]);
    for (const [change, shows] of changes) {
      t.ok(isConsent(page));
      t.notMatch(page.body, shows);
      await change();
      await settle(app, id);
      page = await browser.follow(await browser.submit(page, /^\/consent\/[^/]+$/, { decision: 'allow' }));
      t.match(page.body, shows, 'asked again, with what it is now');
      t.equal((await consents()).length, 0, 'nothing was recorded');
    }
    t.ok((await complete(browser, page, person)).params.get('code'));
    t.equal((await consents()).length, 1);
  });

  await t.test('P9, R40: the company’s own app asks nothing, and only what it may', async (t) => {
    const client = await wanting({ firstParty: true, scopes: ['openid', 'orders:read'] });
    const { body } = await codeTokens(app, client, await app.person(), {
      scope: 'openid orders:read orders:write',
      resources: [ORDERS],
    });
    t.equal(body.scope, 'orders:read', 'the app is not registered for the other');
  });

  await t.test(
    'P9, ASVS V10.4.9, ASVS V10.7.3: the account page: what is allowed, what was, and its end',
    async (t) => {
      const client = await wanting({ name: 'Shop' });
      const own = await wanting({
        name: 'Intranet',
        firstParty: true,
        public: true,
        grantTypes: ['refresh_token', DEVICE_CODE],
        redirectUris: [],
      });
      const person = await app.person();
      const browser = app.visitor();
      const scope = `${OFFLINE} parcels:read`;
      await codeTokens(app, client, person, { scope: 'openid', browser });
      const { body } = await codeTokens(app, client, person, { scope, resources: [PARCELS], browser });
      const ours = await deviceTokens(own, scope, PARCELS);
      t.equal((await introspect(app, reader, body.access_token)).active, true);
      // The company's own app on a device: it keeps its access, and nobody was asked for consent.
      async function deviceTokens(on: TestClient, scope: string, resource: string) {
        const begun = await fetch(`${app.issuer}/oauth2/device_authorization`, {
          method: 'POST',
          body: new URLSearchParams({ client_id: on.id, scope, resource }),
        });
        const { user_code, device_code } = (await begun.json()) as Record<string, string>;
        let page = await browser.submit(await browser.get('/device'), /^\/device$/, {
          user_code: user_code as string,
        });
        page = await browser.follow(await browser.submit(page, /^\/device$/, { confirm: 'yes' }));
        t.match(page.body, /is connected/);
        return tokenRequest(app.issuer, on, { grant_type: DEVICE_CODE, device_code: device_code as string });
      }
      const sections = async () => {
        const page = await browser.follow(await browser.get('/account'));
        return {
          page,
          text: page.body
            .split('<section')
            .map((one) => one.replace(/<style[\s\S]*?<\/style>|<[^>]+>/g, ' ').replace(/\s+/g, ' ')),
        };
      };
      const first = await sections();
      t.match(
        first.text[2],
        /Connected apps Shop Since .* openid offline_access At Parcel tracking : parcels:read/,
      );
      t.match(first.text[2], /Intranet Since .* · An app of this service/);
      t.match(
        first.text[3],
        /Earlier permissions Shop .* – .* UTC · replaced by a later answer of yours · openid/,
      );

      const withdraw = async (id: string) => {
        const { page } = await sections();
        await browser.submit(page, new RegExp(`^/account/apps/${id}/withdraw$`), {});
      };
      await withdraw(client.id);
      t.strictSame(await introspect(app, reader, body.access_token), INACTIVE, 'dead at once');
      refused(t, await refresh(app, client, body.refresh_token), 'invalid_grant');
      t.equal((await introspect(app, reader, ours.body.access_token)).active, true, 'nothing else ended');
      await withdraw(own.id);
      t.strictSame(await introspect(app, reader, ours.body.access_token), INACTIVE);
      refused(t, await refresh(app, own, ours.body.refresh_token), 'invalid_grant');
      const after = await sections();
      t.match(after.text[2], /No app uses your account/);
      t.match(after.text[3], /withdrawn by you · openid offline_access At Parcel tracking : parcels:read/);
      const back = await toConsent(browser, client, person, { scope: 'openid' });
      t.ok(isConsent(back.page), 'what was withdrawn is asked for again');
    },
  );

  await t.test('P2, R38: a JWT ends with its grant at the latest', async (t) => {
    const short = await startApp(t, { GRANT_MAX_AGE: '120', REFRESH_TOKEN_IDLE: '100' });
    const { id } = await api(short);
    const client = await short.client({ resources: [id], scopes: [...OFFLINE.split(' '), 'orders:read'] });
    const { body } = await codeTokens(short, client, await short.person(), {
      scope: `${OFFLINE} orders:read`,
      resources: [id],
    });
    const again = await refresh(short, client, body.refresh_token);
    const [grant] = await short.db.$client<{ end: number }[]>`
      SELECT ceil(extract(epoch FROM expires_at))::int AS end FROM grants WHERE client_id = ${client.id}`;
    for (const one of [body, again.body]) {
      const { exp = 0, iat = 0 } = decodeJwt(one.access_token as string);
      t.ok(exp <= (grant?.end ?? 0) && exp - iat > 60, `${exp - iat} s`);
      t.equal(one.expires_in, exp - iat);
    }
  });

  await t.test('P5, R31, R35: what ends the tokens of a person at an API', async (t) => {
    const scope = `${OFFLINE} parcels:read`;
    const issue = async () => {
      const client = await wanting();
      const person = await app.person();
      const { body } = await codeTokens(app, client, person, { scope, resources: [PARCELS] });
      t.equal((await introspect(app, reader, body.access_token)).active, true);
      t.strictSame(
        await introspect(app, reader, body.refresh_token),
        INACTIVE,
        'a refresh token is no business of an API',
      );
      t.equal((await introspect(app, client, body.refresh_token)).active, true);
      return { client, person, body };
    };
    const one = await issue();
    await disableAccount(app.op(), one.person.id);
    t.strictSame(await introspect(app, reader, one.body.access_token), INACTIVE, 'a disabled account');
    const two = await issue();
    await ask(app, '/oauth2/revoke', two.client, two.body.refresh_token as string);
    t.strictSame(await introspect(app, reader, two.body.access_token), INACTIVE, 'a revoked refresh token');
    const three = await issue();
    await app.db.$client`UPDATE clients SET disabled_at = now() WHERE id = ${three.client.id}`;
    await app.db.$client`SELECT pg_notify('gatehouse_clients', ${three.client.id})`;
    await settle(app, PARCELS);
    t.strictSame(await introspect(app, reader, three.body.access_token), INACTIVE, 'a disabled app');
    // An API whose client is taken away is told nothing more; another one takes over.
    const four = await issue();
    const successor = await machine(app);
    await change(app.op(), PARCELS, { introspectionClientId: successor.id });
    await settle(app, PARCELS);
    t.strictSame(await introspect(app, reader, four.body.access_token), INACTIVE);
    t.equal((await introspect(app, successor, four.body.access_token)).active, true);
  });
});
