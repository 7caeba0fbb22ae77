// What `gatehouse client check` holds against an app, case by case.
import { generateKeyPairSync } from 'node:crypto';
import t from 'tap';
import { adviceOn, allSecretsOf, type ClientRow, type NewClient } from '../server/clients/clients.ts';
import { startApp } from './harness/app.ts';

const DAY = 86_400_000;

const jwkOf = (bits: number) =>
  generateKeyPairSync('rsa', { modulusLength: bits }).publicKey.export({ format: 'jwk' });
const EC = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const _GOOD_KEY = { ...EC.publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256' };
const OTHER_KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
const WEAK = { ...jwkOf(2048), kid: 'weak', alg: 'RS256' };
const PRIVATE = { ...EC.privateKey.export({ format: 'jwk' }), kid: 'one' };

interface Case {
  title: string;
  client?: Partial<NewClient>;
  row?: Partial<ClientRow>;
  issuer?: string;
  /** Days since the secrets were made, of several: oldest first; with when they expire, in days. */
  secrets?: { age: number; expires?: number }[];
  fetched?: ClientRow['jwks'];
  says: [field: string, state: 'fault' | 'warning', says: RegExp][];
}

const CASES: Case[] = [
  { title: 'nothing is wrong', says: [] },
  {
    title: 'a localhost redirect URI in production',
    client: { redirectUris: ['https://rp.test/cb', 'http://localhost:3000/cb'] },
    says: [['redirect_uris', 'warning', /^http:\/\/localhost:3000\/cb is on the person’s own machine/]],
  },
  {
    title: 'a localhost redirect URI while developing',
    client: { redirectUris: ['http://localhost:3000/cb'] },
    issuer: 'http://localhost:3000',
    says: [],
  },
  {
    title: 'a redirect URI on another site than the app',
    client: { clientUri: 'https://app.example.com/', redirectUris: ['https://app.example.net/cb'] },
    says: [['redirect_uris', 'warning', /another site than the app’s page \(app\.example\.com\)/]],
  },
  {
    title: 'a redirect URI on a neighbour of the app',
    client: { clientUri: 'https://www.example.com/', redirectUris: ['https://login.example.com/cb'] },
    says: [],
  },
  {
    title: 'no PKCE and no nonce',
    client: { requirePkce: false, requireNonce: false },
    says: [
      ['require_pkce', 'warning', /is off/],
      ['require_nonce', 'warning', /is off/],
    ],
  },
  {
    title: 'a single-page app without an origin',
    client: { public: true },
    says: [['allowed_origins', 'warning', /single-page app cannot call the token endpoint/]],
  },
  {
    title: 'a disabled app',
    row: { disabledAt: new Date() },
    says: [['disabled', 'warning', /every request/]],
  },
  {
    title: 'an old secret',
    secrets: [{ age: 400 }],
    says: [['client_secret', 'warning', /older than a year/]],
  },
  {
    title: 'a secret that soon expires',
    secrets: [{ age: 1, expires: 5 }],
    says: [['client_secret', 'warning', /expires on \d{4}-\d\d-\d\d/]],
  },
  {
    title: 'two secrets for months',
    secrets: [{ age: 90 }, { age: 60 }],
    says: [['client_secret', 'warning', /still valid although there has been a newer one/]],
  },
  {
    title: 'no secret that is valid',
    secrets: [{ age: 90, expires: -1 }],
    says: [['client_secret', 'fault', /no valid secret/]],
  },
  {
    title: 'a row that the rules of today refuse',
    row: { scopes: ['profile'] },
    says: [['scopes', 'fault', /openid is missing/]],
  },
  {
    title: 'weak keys and keys without a name',
    client: { tokenEndpointAuthMethod: 'private_key_jwt', jwks: { keys: [WEAK, OTHER_KEY as never] } },
    says: [
      ['jwks', 'warning', /some without kid/],
      ['jwks', 'warning', /^key weak is for RS256/],
      ['jwks', 'warning', /^key weak is an RSA key of 2048 bits/],
    ],
  },
  {
    title: 'a private key that is published',
    client: { tokenEndpointAuthMethod: 'private_key_jwt', jwksUri: 'https://rp.test/jwks' },
    fetched: { keys: [PRIVATE as never] },
    says: [['jwks_uri', 'fault', /key 1 is a private or symmetric key/]],
  },
  {
    title: 'what is published is no key set',
    client: { tokenEndpointAuthMethod: 'private_key_jwt', jwksUri: 'https://rp.test/jwks' },
    fetched: { hello: 'world' } as never,
    says: [['jwks_uri', 'fault', /1 to 20 public keys/]],
  },
];

t.test('X4: what speaks against an app', async (t) => {
  const app = await startApp(t);
  const now = new Date();
  for (const {
    title,
    client = {},
    row,
    issuer = 'https://id.test',
    secrets,
    fetched = null,
    says,
  } of CASES) {
    await t.test(`X4 ${title}`, async (t) => {
      const made = await app.client(client);
      const advice = adviceOn(
        { ...made.row, ...row },
        {
          issuer,
          now,
          fetchedKeys: fetched,
          secrets: secrets
            ? secrets.map(({ age, expires }, at) => ({
                hint: `hin${at}`,
                createdAt: new Date(now.getTime() - age * DAY),
                expiresAt: expires === undefined ? null : new Date(now.getTime() + expires * DAY),
              }))
            : await allSecretsOf(app.op(), made.id),
        },
      );
      t.equal(advice.length, says.length, JSON.stringify(advice));
      for (const [at, [field, state, words]] of says.entries()) {
        t.match(advice[at], { field, state, says: words, mend: /\.$/ });
      }
    });
  }
});
