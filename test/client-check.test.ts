// `gatehouse client check`: what will be refused, or is unwise, before anybody is refused. As processes of their own.
import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import type { NewClient } from '../server/clients/clients.ts';
import { addSecret } from '../server/clients/clients.ts';
import { freshDatabase, openPool, urlOf } from './harness/database.ts';
import { castOn } from './harness/fleet.ts';
import { newKey } from './harness/server.ts';

t.setTimeout(180_000);

const project = fileURLToPath(new URL('..', import.meta.url));

interface Finding {
  field: string;
  state: 'fault' | 'warning';
  says: string;
  mend: string;
}

interface Ran {
  code: number;
  out: string;
  err: string;
}

async function prepare(t: Test) {
  const database = await freshDatabase(t);
  const db = openPool(t, database.app, 2);
  const { PATH = '', HOME = '' } = process.env;
  const env = {
    PATH,
    HOME,
    NODE_COMPILE_CACHE: `${project}node_modules/.cache/compiled`,
    ENCRYPTION_KEYS: newKey(),
    COOKIE_KEYS: newKey(),
    DATABASE_URL: urlOf(database.app),
    DATABASE_OWNER_URL: urlOf(database.owner),
  };
  const run = (args: readonly string[], more: Record<string, string> = {}): Promise<Ran> =>
    new Promise((resolve) => {
      execFile(
        process.execPath,
        ['server/cli.ts', 'client', 'check', ...args],
        { cwd: project, env: { ...env, ...more } },
        (fault, out, err) => resolve({ code: fault ? Number(fault.code) : 0, out, err }),
      );
    });
  return {
    db,
    run,
    ...castOn(db),
    async findings(id: string, more: Record<string, string> = {}) {
      const { code, out, err } = await run([id, '--json'], more);
      if (out === '') throw new Error(err);
      return { code, findings: (JSON.parse(out) as { findings: Finding[] }).findings };
    },
  };
}

const PRODUCTION = { ISSUER: 'https://idp.example.org', TRUSTED_PROXIES: '127.0.0.1' };

t.test('X4: gatehouse client check judges a stored app', async (t) => {
  const { db, run, findings, client, op } = await prepare(t);
  const publicKey = (bits?: number) =>
    (bits
      ? generateKeyPairSync('rsa', { modulusLength: bits })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
    ).publicKey.export({ format: 'jwk' }) as Record<string, unknown>;

  await t.test('X4: an app without faults', async (t) => {
    const { id } = await client();
    t.match(await run([id]), { code: 0, out: 'Nothing is wrong with this app.\n' });
  });

  await t.test('X4 P1: warnings leave the exit code 0', async (t) => {
    const { id } = await client({
      requirePkce: false,
      requireNonce: false,
      redirectUris: ['http://localhost:3000/cb'],
    });
    const { code, findings: found } = await findings(id, PRODUCTION);
    t.equal(code, 0);
    t.match(
      found.map(({ field, state }) => [field, state]),
      [
        ['redirect_uris', 'warning'],
        ['require_pkce', 'warning'],
        ['require_nonce', 'warning'],
      ],
    );
    const developing = await findings(id);
    t.notOk(
      developing.findings.some(({ field }) => field === 'redirect_uris'),
      'http on localhost is right while developing',
    );
  });

  await t.test('X4: secrets: old, expired, one too many', async (t) => {
    const old = await client();
    await db.$client`UPDATE client_secrets SET created_at = now() - interval '400 days' WHERE client_id = ${old.id}`;
    t.match(await findings(old.id), {
      code: 0,
      findings: [{ field: 'client_secret', state: 'warning', says: /is older than a year/ }],
    });
    await db.$client`UPDATE client_secrets SET expires_at = now() - interval '1 day' WHERE client_id = ${old.id}`;
    t.match(await findings(old.id), {
      code: 1,
      findings: [{ field: 'client_secret', state: 'fault', says: 'has no valid secret' }],
    });
    const two = await client();
    await addSecret(op(), two.id);
    await db.$client`UPDATE client_secrets SET created_at = now() - interval '40 days' WHERE client_id = ${two.id}`;
    t.match(await findings(two.id), {
      findings: [{ field: 'client_secret', says: /still valid although there has been a newer one/ }],
    });
  });

  await t.test('X4: a row that the rules would refuse today', async (t) => {
    const { id } = await client();
    await db.$client`UPDATE clients SET redirect_uris = '{https://rp.test/*}' WHERE id = ${id}`;
    const { code, out } = await run([id]);
    t.equal(code, 1);
    t.match(out, /^fault +redirect_uris "https:\/\/rp\.test\/\*" contains a wildcard/);
  });

  await t.test('X4 R55: jwks_uri is asked for as the server would', async (t) => {
    const answers: Record<string, [number, string]> = {
      '/good': [200, JSON.stringify({ keys: [{ ...publicKey(), kid: 'a' }] })],
      '/private': [
        200,
        JSON.stringify({
          keys: [generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })],
        }),
      ],
      '/weak': [200, JSON.stringify({ keys: [{ ...publicKey(2048), kid: 'b' }] })],
      '/text': [200, 'keys'],
    };
    let asked = 0;
    const server = createServer((request, response) => {
      asked++;
      const [status, body] = answers[request.url ?? ''] ?? [404, ''];
      response.writeHead(status).end(body);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const base = `http://localhost:${(server.address() as AddressInfo).port}`;
    const at = async (path: string, more: Record<string, string> = {}) => {
      const keys: Partial<NewClient> = {
        tokenEndpointAuthMethod: 'private_key_jwt',
        jwksUri: `${base}${path}`,
      };
      const { id } = await client(keys);
      return findings(id, more);
    };
    t.same(await at('/good'), { code: 0, findings: [] });
    t.match(await at('/private'), {
      code: 1,
      findings: [{ field: 'jwks_uri', says: /private or symmetric key/ }],
    });
    t.match(await at('/weak'), {
      code: 0,
      findings: [{ field: 'jwks_uri', says: /RSA key of 2048 bits/ }],
    });
    t.match(await at('/text'), { code: 1, findings: [{ field: 'jwks_uri', says: 'is no JSON' }] });
    t.match(await at('/none'), {
      code: 1,
      findings: [{ field: 'jwks_uri', says: 'answers 404 instead of 200' }],
    });
    t.equal(asked, 5);
    const { code, findings: found } = await at('/good', PRODUCTION);
    t.equal(code, 1);
    t.match(
      found.filter(({ field, state }) => field === 'jwks_uri' && state === 'fault'),
      [{ says: /cannot be fetched/ }],
      'this machine is not asked where the issuer is public',
    );
    t.equal(asked, 5);
  });

  await t.test('X4 P6: a back-channel address that is never told', async (t) => {
    const { id } = await client({ backchannelLogoutUri: 'https://10.0.0.7/logout' });
    t.match(await findings(id, PRODUCTION), {
      code: 1,
      findings: [{ field: 'backchannel_logout_uri', state: 'fault', mend: /OUTBOUND_PRIVATE_NETWORKS/ }],
    });
    t.match(await findings(id, { ...PRODUCTION, OUTBOUND_PRIVATE_NETWORKS: '10.0.0.0/8' }), { code: 0 });
  });

  await t.test('X4: an app nobody knows', async (t) => {
    t.match(await run(['nobody-knows-this']), { code: 1, out: '', err: /./ });
  });
});

t.test('X4: gatehouse client check --redirect-uri explains one URI and stores nothing', async (t) => {
  const { run, client, db } = await prepare(t);
  const judge = (uri: string, ...more: string[]) => run(['--redirect-uri', uri, ...more]);
  t.match(await judge('https://rp.test/cb'), { code: 0, out: /Nothing is wrong/ });
  const cases: [string, RegExp, ...string[]][] = [
    ['https://rp.test/cb#part', /has a fragment/],
    ['https://*.rp.test/cb', /contains a wildcard/],
    ['http://rp.test/cb', /uses http; only https/],
    ['https://RP.test/cb', /not in its canonical form; register https:\/\/rp\.test\/cb/],
    ['javascript:alert(1)', /uses the scheme javascript:/],
    ['/cb', /is not absolute/],
    ['myapp://cb', /reversed domain name/, '--native'],
  ];
  for (const [uri, says, ...more] of cases) {
    t.match(await judge(uri, ...more), { code: 1, out: says }, uri);
  }
  t.match(await judge('com.example.app:/cb', '--native'), { code: 0 });

  const { id } = await client();
  t.match(await run([id, '--redirect-uri', 'https://rp.test/cb']), { code: 0, out: /is registered/ });
  t.match(await run([id, '--redirect-uri', 'https://rp.test/cb/']), {
    code: 1,
    out: /nearest is https:\/\/rp\.test\/cb, it differs in a slash at the end/,
  });
  const [row] = await db.$client`SELECT redirect_uris, version FROM clients WHERE id = ${id}`;
  t.match(row, { redirect_uris: ['https://rp.test/cb'], version: 0 });
  t.match(await run([]), { code: 2, err: /Name an app, or a URI/ });
});
