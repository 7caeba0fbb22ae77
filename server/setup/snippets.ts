// What a developer pastes to connect an app: complete, with this server's addresses and this app's values. Every value
// is quoted for the language it stands in, for a redirect URI may hold what a shell or a template would act upon.
import { ROUTES } from '../oidc/oidc.ts';

export interface Described {
  issuer: string;
  clientId: string;
  /** Null for a public client. */
  clientSecret: string | null;
  redirectUri: string;
}

export interface Snippet {
  title: string;
  language: string;
  code: string;
}

/** Grafana's generic OAuth always answers here. It sends no nonce, so an app with this path is not asked for one. */
export const isGrafana = (redirectUri: string): boolean =>
  URL.parse(redirectUri)?.pathname.endsWith('/login/generic_oauth') === true;

const isOauth2Proxy = (redirectUri: string): boolean =>
  URL.parse(redirectUri)?.pathname.endsWith('/oauth2/callback') === true;

const js = (text: string) =>
  `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
const shell = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
/** Of an ini file: in backticks nothing is a comment. URIs in canonical form hold no backtick in front of the query. */
const ini = (text: string) => (/[;#"]/.test(text) ? `\`${text}\`` : text);

const SCOPE = 'openid profile email';

const loopback = (redirectUri: string): boolean =>
  /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])[:/]/.test(redirectUri);

function node({ issuer, clientId, clientSecret, redirectUri }: Described): Snippet {
  const insecure = issuer.startsWith('http:');
  const authentication =
    clientSecret === null ? 'client.None()' : 'client.ClientSecretBasic(process.env.CLIENT_SECRET)';
  const port = URL.parse(redirectUri)?.port;
  const listen = loopback(redirectUri) ? port || '80' : 'process.env.PORT ?? 8080';
  const start = clientSecret === null ? 'node app.mjs' : `CLIENT_SECRET=${shell(clientSecret)} node app.mjs`;
  return {
    title: 'openid-client',
    language: 'Node',
    code: `// app.mjs, a whole app. To install and start it:
//   npm install openid-client@6
//   ${start}
import { createServer } from 'node:http';
import * as client from 'openid-client';

const redirectUri = ${js(redirectUri)};
const config = await client.discovery(
  new URL(${js(issuer)}),
  ${js(clientId)},
  undefined,
  ${authentication},${insecure ? '\n  // Plain http is for localhost only.\n  { execute: [client.allowInsecureRequests] },' : ''}
);
// By state; a real app keeps this in the session of the browser.
const pending = new Map();

createServer(async (request, response) => {
  const url = new URL(request.url, redirectUri);
  if (url.pathname !== new URL(redirectUri).pathname) {
    const codeVerifier = client.randomPKCECodeVerifier();
    const state = client.randomState();
    const nonce = client.randomNonce();
    pending.set(state, { codeVerifier, nonce });
    const location = client.buildAuthorizationUrl(config, {
      redirect_uri: redirectUri,
      scope: ${js(SCOPE)},
      code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    });
    response.writeHead(302, { location: location.href }).end();
    return;
  }
  const state = url.searchParams.get('state');
  const { codeVerifier, nonce } = pending.get(state) ?? {};
  pending.delete(state);
  try {
    const tokens = await client.authorizationCodeGrant(config, url, {
      pkceCodeVerifier: codeVerifier,
      expectedState: state,
      expectedNonce: nonce,
    });
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(tokens.claims(), null, 2));
  } catch (error) {
    response.writeHead(400).end(\`Sign-in failed: \${error.message}\`);
  }
}).listen(${listen});`,
  };
}

function oauth2Proxy({ issuer, clientId, clientSecret, redirectUri }: Described): Snippet {
  const url = URL.parse(redirectUri);
  const insecure = url?.protocol === 'http:';
  const address = loopback(redirectUri) ? `127.0.0.1:${url?.port || '80'}` : '127.0.0.1:4180';
  const hint = isOauth2Proxy(redirectUri)
    ? ''
    : `# oauth2-proxy answers at /oauth2/callback: add the app with that redirect URI.\n`;
  return {
    title: 'oauth2-proxy',
    language: 'shell',
    code: `${hint}# An account whose e-mail address is not verified yet gets in by the last line only.
oauth2-proxy \\
  --provider=oidc \\
  --oidc-issuer-url=${shell(issuer)} \\
  --client-id=${shell(clientId)} \\
  --client-secret=${shell(clientSecret ?? '')} \\
  --redirect-url=${shell(redirectUri)} \\
  --scope=${shell(SCOPE)} \\
  --code-challenge-method=S256 \\
  --insecure-oidc-skip-nonce=false \\
  --http-address=${address} \\
  --upstream=http://127.0.0.1:8081 \\
  --email-domain='*' \\
  --cookie-secret="$(openssl rand -base64 32 | tr -- '+/' '-_')" \\
${insecure ? '  --cookie-secure=false \\\n' : ''}  --insecure-oidc-allow-unverified-email=true`,
  };
}

function grafana({ issuer, clientId, clientSecret, redirectUri }: Described): Snippet {
  const root = isGrafana(redirectUri)
    ? redirectUri.replace(/login\/generic_oauth(\?.*)?$/, '')
    : 'https://grafana.example.com/';
  const hint = isGrafana(redirectUri)
    ? ''
    : `; Grafana answers at ${root}login/generic_oauth: add the app with that redirect URI.
; Then no nonce is asked of it: Grafana sends none, and is protected by PKCE.\n`;
  return {
    title: 'Grafana',
    language: 'grafana.ini',
    code: `${hint}[server]
root_url = ${ini(root)}

[auth.generic_oauth]
enabled = true
name = Gatehouse
client_id = ${ini(clientId)}
client_secret = ${ini(clientSecret ?? '')}
scopes = ${SCOPE}
auth_url = ${issuer}${ROUTES.authorization}
token_url = ${issuer}${ROUTES.token}
api_url = ${issuer}${ROUTES.userinfo}
auth_style = InHeader
use_pkce = true
allow_sign_up = true`,
  };
}

function curl({ issuer, clientId, clientSecret, redirectUri }: Described): Snippet {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: SCOPE,
    code_challenge_method: 'S256',
  });
  const authentication =
    clientSecret === null
      ? `--data-urlencode client_id=${shell(clientId)}`
      : `--user ${shell(`${clientId}:${clientSecret}`)}`;
  return {
    title: 'curl',
    language: 'shell',
    code: `verifier=$(openssl rand -hex 32)
challenge=$(printf %s "$verifier" | openssl dgst -sha256 -binary | openssl base64 -A | tr '+/' '-_' | tr -d =)
echo 'Open this address, sign in, and copy the code from the address you are sent to:'
echo ${shell(`${issuer}${ROUTES.authorization}?${query}`)}"&code_challenge=$challenge&state=$(openssl rand -hex 16)&nonce=$(openssl rand -hex 16)"
printf 'Code: '; read -r code
curl --silent --show-error ${shell(`${issuer}${ROUTES.token}`)} \\
  ${authentication} \\
  --data grant_type=authorization_code \\
  --data-urlencode redirect_uri=${shell(redirectUri)} \\
  --data-urlencode code="$code" \\
  --data code_verifier="$verifier"`,
  };
}

/** The one that fits the redirect URI comes first. Software that needs a secret is left out for public clients. */
export function snippetsOf(app: Described): Snippet[] {
  if (app.clientSecret === null) return [node(app), curl(app)];
  const all = [node(app), oauth2Proxy(app), grafana(app), curl(app)];
  const first = isGrafana(app.redirectUri) ? 2 : isOauth2Proxy(app.redirectUri) ? 1 : 0;
  const [fitting] = all.splice(first, 1);
  return fitting ? [fitting, ...all] : all;
}
