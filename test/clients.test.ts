// Apps and what they may register; their two secrets; what is remembered of them in memory.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { closeDatabase, openDatabase } from '../drizzle/database.ts';
import {
  addSecret,
  create,
  createKnownClients,
  ensureOwn,
  find,
  list,
  removeSecret,
  secretsOf,
  uriFault,
} from '../server/clients/clients.ts';
import { type Op, systemOp } from '../server/lib/op.ts';
import { Problem } from '../server/lib/problems.ts';
import { sha256 } from '../server/lib/secrets.ts';
import { freshDatabase } from './harness/database.ts';

t.setTimeout(120_000);

const good: [uri: string, kind: 'web' | 'native'][] = [
  ['https://rp.test/cb', 'web'],
  ['https://rp.test', 'web'],
  ['https://rp.test:8443/cb?tenant=1', 'web'],
  ['http://localhost:3000/cb', 'web'],
  ['http://127.0.0.1/cb', 'native'],
  ['http://[::1]/cb', 'native'],
  ['com.example.app:/callback', 'native'],
  ['com.example.app://callback', 'native'],
];

const bad: [uri: string, kind: 'web' | 'native', why: RegExp][] = [
  ['https://*.rp.test/cb', 'web', /wildcard/],
  ['https://rp.test/*', 'web', /wildcard/],
  ['https://rp.test/cb#x', 'web', /fragment/],
  ['https://rp.test@evil.test/cb', 'web', /user name/],
  ['https://a:b@rp.test/cb', 'web', /user name/],
  ['https://@rp.test/cb', 'web', /user name/],
  ['https://rp.test\\@evil.test/cb', 'web', /backslash/],
  ['https://rp.test/a/../cb', 'web', /canonical/],
  ['https://rp.test/%2e%2e/cb', 'web', /canonical/],
  ['HTTPS://rp.test/cb', 'web', /scheme|canonical|URI/],
  ['https://RP.test/cb', 'web', /canonical/],
  ['https://rp.test:443/cb', 'web', /canonical/],
  ['http://rp.test/cb', 'web', /https/],
  ['http://127.0.0.1.evil.test/cb', 'web', /https/],
  ['http://127.1/cb', 'native', /canonical/],
  ['https:rp.test/cb', 'web', /URI/],
  ['//rp.test/cb', 'web', /absolute/],
  ['/cb', 'web', /absolute/],
  ['javascript:alert(1)', 'web', /scheme/],
  ['JaVaScRiPt:alert(1)', 'native', /scheme/],
  ['\tjavascript:alert(1)', 'web', /spaces/],
  ['data:text/html,x', 'native', /scheme/],
  ['vbscript:x', 'web', /scheme/],
  ['blob:https://rp.test/x', 'web', /scheme/],
  ['file:///etc/passwd', 'native', /scheme/],
  ['com.example.app:/cb', 'web', /scheme/],
  ['myapp:/cb', 'native', /reversed domain/],
  ['https://rp.test/ä', 'web', /non-ASCII/],
  ['https://rp.test/c b', 'web', /spaces/],
  [`https://rp.test/${'x'.repeat(2000)}`, 'web', /2000/],
];

t.test('P1 ATK-A006 ATK-A007: what may be registered as a redirect URI, and why not', async (t) => {
  for (const [uri, kind] of good) t.equal(uriFault(uri, kind), null, uri);
  for (const [uri, kind, why] of bad)
    t.match(uriFault(uri, kind) ?? 'accepted', why, JSON.stringify(uri).slice(0, 80));
  t.match(
    uriFault('com.example.app:/x', 'native', 'link') ?? 'accepted',
    /scheme/,
    'a link to people is https',
  );
});

t.test('clients', async (t) => {
  const database = await freshDatabase(t);
  const settings = { poolSize: 4, statementTimeout: 10, lockTimeout: 5 };
  const db = openDatabase(database.app, settings);
  t.teardown(() => closeDatabase(db));
  const op = (): Op => systemOp(db, 'test');
  const details = async (work: Promise<unknown>): Promise<Record<string, string>> => {
    const error = await work.then(
      () => null,
      (error: unknown) => error,
    );
    if (!(error instanceof Problem)) throw error ?? new Error('accepted');
    t.equal(error.code, 'client.invalid');
    return { ...error.details };
  };

  await t.test('P1: every faulty field is named at once, and nothing is stored', async (t) => {
    const faults = await details(
      create(
        op(),
        {
          id: 'a b',
          name: ' ',
          public: true,
          redirectUris: ['https://rp.test/cb', 'https://rp.test/cb'],
          postLogoutRedirectUris: ['javascript:alert(1)'],
          allowedOrigins: ['https://rp.test/path'],
          clientUri: 'data:text/html,x',
          initiateLoginUri: 'http://rp.test/',
          scopes: ['profile'],
          grantTypes: ['authorization_code', 'password'],
          responseModes: ['jwt'],
          requirePkce: false,
          requireNonce: false,
          accessTokenTtl: 0,
          refreshTokenIdle: 1.5,
          refreshReplayWindow: 61,
          defaultMaxAge: -1,
        },
        'cli',
      ),
    );
    t.same(Object.keys(faults).sort(), [
      'access_token_ttl',
      'allowed_origins',
      'client_id',
      'client_uri',
      'default_max_age',
      'grant_types',
      'initiate_login_uri',
      'name',
      'post_logout_redirect_uris',
      'redirect_uris',
      'refresh_replay_window',
      'refresh_token_idle',
      'require_nonce',
      'require_pkce',
      'response_modes',
      'scopes',
    ]);
    t.same(await list(op()), []);
  });

  await t.test(
    'D6 ATK-A235: two live secrets of 256 random bits, stored as hashes, told apart by their ends',
    async (t) => {
      const { client, secret } = await create(
        op(),
        { name: 'App', redirectUris: ['https://rp.test/cb'] },
        'cli',
      );
      t.match(secret, /^[\w-]{43}$/);
      const second = await addSecret(op(), client.id);
      t.not(second, secret);
      await t.rejects(addSecret(op(), client.id), { code: 'client.twoSecrets' });
      t.same(
        (await secretsOf(op(), client.id)).map(({ hint }) => hint),
        [secret?.slice(-4), second.slice(-4)],
      );
      const stored = await db.$client`SELECT * FROM client_secrets`;
      t.notMatch(JSON.stringify(stored), new RegExp(`${secret}|${second}`));
      t.same(await removeSecret(op(), client.id, second.slice(-4)), { hint: second.slice(-4) });
      t.equal((await secretsOf(op(), client.id)).length, 1);
      await t.rejects(removeSecret(op(), client.id, 'none'), { code: 'client.notFound' });
      const events =
        await db.$client`SELECT type FROM audit_events WHERE client_id = ${client.id} ORDER BY id`;
      t.same(
        events.map((event) => event.type),
        ['client.created', 'client.secretAdded', 'client.secretRemoved'],
      );
    },
  );

  await t.test('D6: of many who add a second secret at once one succeeds', async (t) => {
    const { client } = await create(op(), { name: 'Racing', redirectUris: ['https://rp.test/cb'] }, 'cli');
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => addSecret(op(), client.id)));
    t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    t.equal((await secretsOf(op(), client.id)).length, 2);
  });

  await t.test('an id is taken once', async (t) => {
    const again = () =>
      create(op(), { id: 'wiki', name: 'Wiki', redirectUris: ['https://rp.test/cb'] }, 'cli');
    const outcomes = await Promise.allSettled([again(), again(), again()]);
    t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    await t.rejects(again(), { code: 'client.exists' });
  });

  await t.test(
    'O1: the server’s own app is made once by replicas that start together, and follows the issuer',
    async (t) => {
      const own = (issuer: string) => ({
        id: 'gatehouse-x',
        name: 'Own',
        public: true,
        redirectUris: [`${issuer}/back`],
      });
      await Promise.all(Array.from({ length: 8 }, () => ensureOwn(op(), own('https://a.test'))));
      await ensureOwn(op(), own('https://b.test'));
      t.same((await find(op(), 'gatehouse-x'))?.redirectUris, ['https://b.test/back']);
      const events =
        await db.$client`SELECT type FROM audit_events WHERE client_id = 'gatehouse-x' ORDER BY id`;
      t.same(
        events.map((event) => event.type),
        ['client.created', 'client.changed'],
      );
    },
  );

  await t.test('R21: a replica forgets a client the moment another changes it', async (t) => {
    const other = openDatabase(database.app, settings);
    t.teardown(() => closeDatabase(other));
    const known = createKnownClients(other);
    await known.start();
    t.teardown(() => known.stop());
    const { client, secret } = await create(
      op(),
      { name: 'Known', redirectUris: ['https://rp.test/cb'] },
      'cli',
    );
    t.equal(await known.find('nobody'), null);
    const before = await known.find(client.id);
    t.ok(before?.secrets[0]?.hash.equals(sha256(secret ?? '')));
    t.equal(await known.find(client.id), before, 'from memory');
    await removeSecret(op(), client.id, null);
    for (let waited = 0; (await known.find(client.id))?.secrets.length !== 0 && waited < 1000; waited += 20)
      await sleep(20);
    t.same((await known.find(client.id))?.secrets, []);
  });
});
