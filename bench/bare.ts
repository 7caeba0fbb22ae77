// oidc-provider as it comes, with an adapter, a tiny sign-in and nothing else: what the two reference servers have in
// common. Same endpoints, client, algorithms and lifetimes as ours; no audit, no limits, no pages worth the name.
import { generateKeyPairSync } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import Provider, { type Adapter, type Configuration } from 'oidc-provider';
import { API, CLIENT, PATHS, REDIRECT_URI } from './visitor.ts';

export interface Person {
  id: string;
  email: string;
  name: string;
}

export interface Bare {
  adapter: (model: string) => Adapter;
  find(id: string): Promise<Person | undefined>;
  /** The person's id when the password is right. */
  signIn(email: string, password: string): Promise<string | undefined>;
}

const DAY = 86_400;

async function bodyOf(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

async function grantTo(provider: Provider, accountId: string, scope: string): Promise<string> {
  const grant = new provider.Grant({ accountId, clientId: CLIENT });
  grant.addOIDCScope(scope);
  return grant.save();
}

export function serveBare({ adapter, find, signIn }: Bare): void {
  const { PORT, BENCH_SECRET } = process.env;
  if (!PORT || !BENCH_SECRET) throw new Error('bench/bench.ts starts this server');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const configuration: Configuration = {
    adapter,
    clients: [
      {
        client_id: CLIENT,
        client_secret: BENCH_SECRET,
        redirect_uris: [REDIRECT_URI],
        grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
        response_types: ['code'],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    jwks: {
      keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'bench', alg: 'ES256', use: 'sig' }],
    } as NonNullable<Configuration['jwks']>,
    routes: PATHS,
    scopes: ['openid', 'offline_access', 'profile', 'email'],
    claims: {
      openid: ['sub', 'auth_time', 'acr', 'amr'],
      profile: ['name'],
      email: ['email', 'email_verified'],
    },
    conformIdTokenClaims: false,
    cookies: { keys: ['a key of a bench'] },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          audience: API,
          scope: '',
          accessTokenFormat: 'jwt',
          accessTokenTTL: 900,
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
      revocation: { enabled: true },
    },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: async (_ctx, client, code) =>
      client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
    findAccount: async (_ctx, id) => {
      const person = await find(id);
      return (
        person && {
          accountId: id,
          claims: () => ({ sub: id, name: person.name, email: person.email, email_verified: true }),
        }
      );
    },
    // The company's own app, as in ours: no consent page unless it is asked for.
    loadExistingGrant: async (ctx) => {
      const { session, client, account, provider } = ctx.oidc;
      if (!session || !client || !account) return undefined;
      const known = ctx.oidc.result?.consent?.grantId ?? session.grantIdFor(client.clientId);
      const id = known ?? (await grantTo(provider, account.accountId, 'openid offline_access profile email'));
      return provider.Grant.find(id);
    },
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    ttl: {
      AccessToken: DAY,
      AuthorizationCode: 60,
      Grant: 30 * DAY,
      IdToken: 900,
      Interaction: 900,
      RefreshToken: 7 * DAY,
      Session: DAY,
    },
  };
  const provider = new Provider(`http://localhost:${PORT}`, configuration);
  const library = provider.callback();

  async function interaction(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'GET') {
      const { uid } = await provider.interactionDetails(request, response);
      response.setHeader('Content-Type', 'text/html');
      response.end(`<form method="post" action="/interaction/${uid}"><input name="email"></form>`);
      return;
    }
    const { prompt, session } = await provider.interactionDetails(request, response);
    const body = await bodyOf(request);
    let accountId = session?.accountId;
    if (prompt.name === 'login') {
      accountId = await signIn(body.get('email') ?? '', body.get('password') ?? '');
      if (!accountId) {
        response.statusCode = 401;
        response.end();
        return;
      }
      const login = { accountId, amr: ['pwd'], remember: true };
      await provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
      return;
    }
    const grantId = await grantTo(provider, accountId ?? '', 'openid offline_access profile email');
    await provider.interactionFinished(
      request,
      response,
      { consent: { grantId } },
      { mergeWithLastSubmission: true },
    );
  }

  createServer((request, response) => {
    if (!request.url?.startsWith('/interaction/')) {
      library(request, response);
      return;
    }
    interaction(request, response).catch((error) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  }).listen(Number(PORT), '127.0.0.1', () => console.log('ready'));
}
