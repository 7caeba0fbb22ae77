// Why requests of apps are refused, in a developer's words: one table from the reasons that the protocol library and
// our own rules give to what was at fault and how to mend it. Pure. A reason that stands in no line is shown as it is.
import type { ClientRow } from '../clients/clients.ts';
import { isStandard } from '../lib/scopes.ts';
import type { QuoteName, Quotes } from './quotes.ts';
import { nearest } from './uris.ts';

export interface SecretFact {
  hint: string;
  createdAt: Date;
  expiresAt: Date | null;
}

/** What is kept of a refusal, as far as it is explained by. */
export interface Refused {
  error: string;
  parameter: string;
  /** The reason of the library. */
  why: string;
  registered: string | null;
  came: string | null;
}

export interface Explanation {
  parameter: string;
  registered: string | null;
  came: string | null;
  why: string;
  mend: string;
}

interface Facts extends Refused {
  client: ClientRow;
  secrets: readonly SecretFact[];
  now: Date;
}

type Words = string | ((facts: Facts) => string);

interface Line {
  /** Of `error: reason`. */
  says: RegExp;
  /** Where the reason alone does not tell. */
  when?: (quotes: Quotes, client: ClientRow) => boolean;
  /** From a set that requests cannot widen: it is a part of the row's key. `$1`: the first group of `says`. */
  parameter: string;
  came?: QuoteName;
  registered?: (client: ClientRow) => string;
  why: Words;
  mend: Words;
}

const list = (values: readonly string[]): string => values.join(' ') || 'none';
const day = (at: Date): string => at.toISOString().slice(0, 10);
const words = (text: string | null): string[] => (text ?? '').split(' ').filter(Boolean);

const AUTHENTICATION: Readonly<Record<string, string>> = {
  none: 'no secret at all: a public client sends its client_id alone',
  client_secret_basic: 'its secret in the Authorization header (HTTP Basic)',
  client_secret_post: 'its secret in the form, as client_secret',
  private_key_jwt: 'an assertion that it signs with its own key (client_assertion)',
};

/** By redirect URIs of one kind: what is the matter, and what to do. */
function ofUris(
  name: string,
  uris: (client: ClientRow) => readonly string[],
): Pick<Line, 'parameter' | 'came' | 'registered' | 'why' | 'mend'> {
  return {
    parameter: name,
    came: name as QuoteName,
    registered: (client) => list(uris(client)),
    why: ({ came, client }) => {
      const like = nearest(came ?? '', uris(client));
      if (!like) return `The app has no ${name} registered at all.`;
      if (like.differences.length === 0)
        return `It is like ${like.uri}, which is registered now: it has been registered since, or differs only in the values of its query.`;
      return `${name} is compared character by character. Nearest is ${like.uri}; it differs in ${like.differences.join('; ')}.`;
    },
    mend: ({ came, client }) => {
      const like = nearest(came ?? '', uris(client));
      if (!like) return `Register the ${name} exactly as the app sends it.`;
      return `Let the app send ${like.uri}, or register what it sends, exactly.`;
    },
  };
}

const SOURCES = [
  { grant: 'authorization_code', name: 'code', thing: 'authorization code' },
  { grant: 'refresh_token', name: 'refresh_token', thing: 'refresh token' },
  {
    grant: 'urn:ietf:params:oauth:grant-type:device_code',
    name: 'device_code',
    thing: 'device code',
  },
];

/** What a token request is made with. */
const ofSources = SOURCES.flatMap(({ grant, name, thing }): Line[] => {
  const when = ({ grant_type: asked }: Quotes) => asked === grant;
  return [
    {
      says: /^invalid_grant: client mismatch/,
      when,
      parameter: name,
      came: 'grant_type',
      why: `The ${thing} was issued to another client_id.`,
      mend: `Redeem it with the client_id it was asked for with; look for settings of two apps or environments that are mixed up.`,
    },
    {
      says: /^invalid_grant: (grant not found|grant is expired|accountId mismatch|.*referenced account not found)/,
      when,
      parameter: name,
      came: 'grant_type',
      why: `What the person had allowed is over: withdrawn, ended by a sign-out or too old; the ${thing} ended with it.`,
      mend: 'Send the person through a new authorization request.',
    },
  ];
});

const signIn = 'Send the person to a new authorization request without prompt=none.';
const assertion = (says: RegExp, why: Words, mend: Words, more: Partial<Line> = {}): Line => ({
  says,
  parameter: 'client_assertion',
  came: 'assertion',
  why,
  mend,
  ...more,
});
const dpop = (says: RegExp, why: string, mend: string): Line => ({ says, parameter: 'DPoP', why, mend });
const requestObject = (says: RegExp, why: string, mend: string): Line => ({
  says,
  parameter: 'request',
  came: 'request_alg',
  registered: (client) => client.requestObjectSigningAlg ?? 'none',
  why,
  mend,
});
const clock =
  'Set the clock of the app’s machine by a time service (NTP); 5 seconds of difference are allowed.';

/** The first line that fits counts. */
const LINES: readonly Line[] = [
  // Where people are sent.
  {
    says: /^invalid_re(direct_uri|quest): redirect_uri did not match/,
    ...ofUris('redirect_uri', (client) => client.redirectUris),
  },
  {
    says: /post_logout_redirect_uri not registered/,
    ...ofUris('post_logout_redirect_uri', (client) => client.postLogoutRedirectUris),
  },
  {
    says: /^invalid_grant: authorization code redirect_uri mismatch/,
    parameter: 'redirect_uri',
    came: 'redirect_uri',
    registered: ({ redirectUris }) => list(redirectUris),
    why: 'The redirect_uri of the token request is not the one of the authorization request that the code came from.',
    mend: 'Send the same redirect_uri, character by character, in both requests.',
  },

  // PKCE and nonce.
  {
    says: /requires PKCE|^invalid_request: code_challenge must be provided/,
    parameter: 'code_challenge',
    registered: ({ requirePkce }) => (requirePkce ? 'PKCE is required' : 'PKCE is not required'),
    came: 'code_challenge_method',
    why: 'The authorization request has no code_challenge (PKCE, RFC 7636).',
    mend: 'Let the app’s library use PKCE with S256: a new code_verifier per request, its SHA-256 in base64url as code_challenge. Only an old confidential app should be registered without (--no-pkce).',
  },
  {
    says: /code_challenge_method/,
    parameter: 'code_challenge_method',
    came: 'code_challenge_method',
    registered: () => 'S256',
    why: ({ came }) =>
      came === null
        ? 'code_challenge came without code_challenge_method, which then means plain; only S256 is allowed.'
        : `code_challenge_method is ${came}; only S256 is allowed.`,
    mend: 'Send code_challenge_method=S256, and as code_challenge the SHA-256 of the code_verifier in base64url.',
  },
  {
    says: /code_challenge must|code_challenge contains/,
    parameter: 'code_challenge',
    why: 'The code_challenge is not 43 to 128 characters of A-Z a-z 0-9 - . _ ~.',
    mend: 'Encode the SHA-256 of the code_verifier as base64url without padding; it has 43 characters.',
  },
  {
    says: /code_verifier does not match/,
    parameter: 'code_verifier',
    why: 'The code_verifier is not the one whose SHA-256 was sent as code_challenge.',
    mend: 'Keep the code_verifier with the request (in its session, by its state) and send that one; a second tab or a second sign-in often overwrites it. code_challenge is base64url(SHA-256(code_verifier)) without padding.',
  },
  {
    says: /code_verifier must be provided/,
    parameter: 'code_verifier',
    why: 'The authorization request used PKCE, but the token request has no code_verifier.',
    mend: 'Send the code_verifier that belongs to the code_challenge of the authorization request.',
  },
  {
    says: /code_verifier (must be|contains)/,
    parameter: 'code_verifier',
    why: 'The code_verifier is not 43 to 128 characters of A-Z a-z 0-9 - . _ ~.',
    mend: 'Make it from 32 random bytes in base64url without padding.',
  },
  {
    says: /nonce is required$/,
    parameter: 'nonce',
    registered: ({ requireNonce }) => (requireNonce ? 'a nonce is required' : 'a nonce is not required'),
    why: 'The authorization request asks for openid and has no nonce.',
    mend: 'Send a new random nonce with each request and compare it with the nonce of the ID token. Only an old confidential app should be registered without (--no-nonce).',
  },

  // What is asked for.
  {
    says: /^invalid_scope: (requested scope is not allowed|a scope goes with the resource)/,
    parameter: 'scope',
    came: 'scope',
    registered: ({ scopes }) => list(scopes),
    why: ({ came, client }) => {
      const strange = words(came).filter((scope) => !client.scopes.includes(scope));
      if (strange.length === 0)
        return 'The app may ask for these scopes, but not without naming the API they are of as resource.';
      const unknown = strange.filter((scope) => !isStandard(scope));
      const why = `The app may not ask for ${strange.join(' ')}.`;
      return unknown.length === 0
        ? why
        : `${why} ${unknown.join(' ')} ${unknown.length === 1 ? 'is no scope' : 'are no scopes'} of OpenID Connect, and of none of the app’s APIs.`;
    },
    mend: ({ came, client }) =>
      words(came).every((scope) => client.scopes.includes(scope))
        ? 'Send the resource parameter with the API’s identifier.'
        : 'Leave it out of the scope parameter, look for a slip in its name, or allow it: gatehouse client resource add for the scopes of an API.',
  },
  {
    says: /scope contains invalid characters/,
    parameter: 'scope',
    came: 'scope',
    why: 'The scope parameter has characters that no scope may have.',
    mend: 'Separate scopes by one space each; encode it once only.',
  },
  {
    says: /^invalid_scope: refresh token missing requested/,
    parameter: 'scope',
    came: 'scope',
    why: 'A refresh request asks for a scope that the refresh token was not granted.',
    mend: 'Leave scope out of refresh requests, or ask the person for more in a new authorization request.',
  },
  {
    says: /openid scope must be requested/,
    parameter: 'scope',
    came: 'scope',
    registered: ({ scopes }) => list(scopes),
    why: 'The request uses what belongs to OpenID Connect without the scope openid.',
    mend: 'Add openid to the scope parameter.',
  },
  {
    says: /response_mode/,
    when: ({ response_mode: asked }) => asked !== undefined,
    parameter: 'response_mode',
    came: 'response_mode',
    registered: ({ responseModes }) => list(responseModes),
    why: ({ came, registered }) => `response_mode is ${came ?? 'missing'}; the app may use ${registered}.`,
    mend: 'Leave response_mode out, or register the app with this mode (--response-mode).',
  },
  {
    // What is not code comes with a response_mode that nobody wrote.
    says: /^unsupported_response_type|requested response_(type|mode) is not allowed/,
    parameter: 'response_type',
    came: 'response_type',
    registered: ({ grantTypes }) => (grantTypes.includes('authorization_code') ? 'code' : 'none'),
    why: ({ came, registered }) =>
      registered === 'none'
        ? 'The app is not registered to sign people in through a browser (authorization_code).'
        : `response_type is ${came ?? 'missing'}; only code is supported. Implicit and hybrid flows put tokens into URLs.`,
    mend: ({ registered }) =>
      registered === 'none'
        ? 'Register the app with a redirect URI.'
        : 'Use the authorization code flow with PKCE: response_type=code.',
  },
  {
    says: /^unsupported_grant_type/,
    parameter: 'grant_type',
    came: 'grant_type',
    registered: ({ grantTypes }) => list(grantTypes),
    why: ({ came }) => `There is no grant type ${came ?? ''} here.`,
    mend: 'Use authorization_code, refresh_token, client_credentials or the device code; the password grant and implicit are gone from OAuth 2.1.',
  },
  {
    says: /grant type is not allowed|is not allowed for this client$/,
    parameter: 'grant_type',
    came: 'grant_type',
    registered: ({ grantTypes }) => list(grantTypes),
    why: ({ came, registered }) =>
      `The app is registered for ${registered}${came ? `, not for ${came}` : ', not for the device flow'}.`,
    mend: 'Register the app for this grant (--device, --client-credentials), or use one that it has.',
  },
  {
    says: /^invalid_target/,
    parameter: 'resource',
    came: 'resource',
    registered: ({ resources }) => list(resources),
    why: ({ came, why, client }) => {
      if (/single resource|name the one/.test(why))
        return 'A token is for one API; several were named or granted.';
      if (/absolute URI|fragment/.test(why)) return 'The resource is not an absolute URI without a fragment.';
      const like = came === null ? null : nearest(came, client.resources);
      if (came !== null && client.resources.includes(came))
        return 'The app may ask for this API, but it was not granted in what this token comes from, is disabled, or was allowed since.';
      return `The app may not ask for tokens for ${came ?? 'this API'}${like ? `; nearest is ${like.uri}` : ''}.`;
    },
    mend: ({ why }) =>
      /single resource|name the one/.test(why)
        ? 'Send one resource in the token request; ask again for each API.'
        : 'Send the API’s identifier exactly as it is registered, in the authorization request too, or allow it: gatehouse client resource add.',
  },
  {
    says: /unsupported prompt|prompt none must/,
    parameter: 'prompt',
    came: 'prompt',
    registered: () => 'none, or login, consent in any combination',
    why: ({ came }) => `prompt is ${came ?? 'missing'}, which is unknown, or combines none with another.`,
    mend: 'Send none alone, or login and consent.',
  },
  {
    says: /invalid max_age/,
    parameter: 'max_age',
    came: 'max_age',
    why: 'max_age is not a whole number of seconds.',
    mend: 'Send digits only, or leave it out.',
  },
  {
    says: /^unmet_authentication_requirements/,
    parameter: 'acr_values',
    why: 'The request demands a kind of sign-in (acr) that this server does not offer.',
    mend: 'Ask for one of acr_values_supported in the discovery document, or for none.',
  },
  {
    says: /^invalid_request: .*claims( parameter|\.)/,
    parameter: 'claims',
    why: 'The claims parameter is not a JSON object with id_token or userinfo (OpenID Connect Core 5.5).',
    mend: 'Send valid JSON, encoded once, or leave claims out and use scopes.',
  },
  {
    says: /^invalid_(request|client): .*id_token_hint/,
    parameter: 'id_token_hint',
    why: 'The id_token_hint is not an ID token of this server for this client_id, or is cut.',
    mend: 'Send the whole ID token that this app got last, and the client_id it was issued to; or leave the hint out.',
  },
  {
    says: /registration_not_supported/,
    parameter: 'registration',
    why: 'The registration parameter (self-issued providers) is not supported.',
    mend: 'Leave it out; register the app beforehand.',
  },

  // Who asks.
  {
    says: /^invalid_client: .*(invalid secret provided|does not match the registered client auth)/,
    when: ({ method }, client) => method !== client.tokenEndpointAuthMethod,
    parameter: 'token_endpoint_auth_method',
    came: 'method',
    registered: ({ tokenEndpointAuthMethod }) => tokenEndpointAuthMethod,
    why: ({ came, registered }) =>
      `The app proves who it is by ${came}, and is registered for ${registered}.`,
    mend: ({ registered }) =>
      `Set the app’s library to ${registered}: ${AUTHENTICATION[registered ?? ''] ?? 'see its registration'}. Or register it for the other way.`,
  },
  {
    says: /^invalid_client: .*(invalid secret provided|client secret is expired)/,
    parameter: 'client_secret',
    came: 'method',
    why: ({ secrets, now }) => {
      const live = secrets.filter(({ expiresAt }) => expiresAt === null || expiresAt > now);
      const over = secrets.filter((secret) => !live.includes(secret));
      const named = (some: readonly SecretFact[]) =>
        some.map(({ hint, createdAt }) => `…${hint} (of ${day(createdAt)})`).join(', ');
      return `The secret is none of the app’s. ${live.length > 0 ? `Valid: ${named(live)}.` : 'It has no valid one.'}${over.length > 0 ? ` Expired: ${named(over)}.` : ''}`;
    },
    mend: 'Compare the last four characters with what the app is configured with; look for blanks, a line break or a percent-encoding around it. A lost secret is replaced by gatehouse client secret add.',
  },
  {
    says: /too many failed client authentications/,
    parameter: 'client_secret',
    came: 'method',
    why: 'Too many wrong secrets came for this app from this address; more are not looked at for a while.',
    mend: 'Mend the secret first, then wait as long as Retry-After says. If the app is right, somebody else tries its client_id.',
  },
  {
    says: /only be provided using one mechanism/,
    parameter: 'token_endpoint_auth_method',
    came: 'method',
    registered: ({ tokenEndpointAuthMethod }) => tokenEndpointAuthMethod,
    why: ({ came }) => `The request proves who it is in more than one way: ${came}.`,
    mend: ({ registered }) => `Send only ${AUTHENTICATION[registered ?? ''] ?? registered}.`,
  },
  {
    says: /authorization header value format|properly encoded|in the Authorization header/,
    parameter: 'Authorization',
    came: 'method',
    registered: ({ tokenEndpointAuthMethod }) => tokenEndpointAuthMethod,
    why: 'The Authorization header is not HTTP Basic with client_id and secret.',
    mend: 'Send Basic base64(client_id:secret), both percent-encoded first (RFC 6749 2.3.1), without a line break.',
  },
  {
    says: /^invalid_request: client_id mismatch/,
    parameter: 'client_id',
    came: 'method',
    why: 'Two different client_ids are in one request: in its parameters, and in its Authorization header, assertion or id_token_hint.',
    mend: 'Leave client_id out of the form, or send the same.',
  },
  {
    says: /^invalid_request: origin not allowed for client/,
    parameter: 'Origin',
    came: 'origin',
    registered: ({ allowedOrigins }) => list(allowedOrigins),
    why: ({ came }) => `A page of ${came ?? 'another origin'} may not call this endpoint for the app (CORS).`,
    mend: 'Register the app with this origin (--origin): scheme, host and port without a path, as the browser sends it. An app with a secret belongs on a server, not in a browser.',
  },

  // Assertions.
  assertion(
    /^invalid_client: .*alg mismatch/,
    ({ came, registered }) =>
      `The assertion is signed with ${came}; the app is registered for ${registered}.`,
    'Sign it with the registered algorithm, or register the other one.',
    { registered: (client) => client.tokenEndpointAuthSigningAlg ?? 'what its keys allow' },
  ),
  assertion(
    /^invalid_client: .*\baud\b/,
    ({ came }) => `The audience of the assertion is ${came ?? 'missing'}, which is not this server.`,
    'Set aud to the issuer as the discovery document has it, character by character.',
    { parameter: 'client_assertion.aud', came: 'assertion_aud' },
  ),
  assertion(
    /^invalid_client: .*jwt expired/,
    'The assertion had expired when it came.',
    `Make a new assertion for every request, with exp a minute ahead. ${clock}`,
    { parameter: 'client_assertion.exp' },
  ),
  assertion(
    /^invalid_client: .*(expiration must be specified|\bexp is)/,
    'The assertion has no exp, or one more than five minutes ahead.',
    'Set exp to a minute ahead.',
    { parameter: 'client_assertion.exp' },
  ),
  assertion(
    /^invalid_client: .*(not active yet|in the future)/,
    'The assertion is from the future: the app’s clock is ahead of this server’s.',
    clock,
    { parameter: 'client_assertion.iat' },
  ),
  assertion(
    /^invalid_client: .*(only be used once|already used)/,
    'The assertion was used before: its jti came a second time.',
    'Make a new assertion with a new random jti for every request, retries included.',
    { parameter: 'client_assertion.jti' },
  ),
  assertion(
    /^invalid_client: .*\bjti\b/,
    'The assertion has no jti, or one that is too long.',
    'Set jti to a new random value in every assertion.',
    { parameter: 'client_assertion.jti' },
  ),
  assertion(
    /^invalid_client: .*\b(iss|sub)\b/,
    'iss and sub of the assertion are not both the client_id.',
    'Set both to the client_id.',
    { parameter: 'client_assertion.iss' },
  ),
  assertion(
    /^invalid_client: .*no applicable key found/,
    ({ came }) => `None of the app’s public keys is the one the assertion names (${came ?? 'no kid'}).`,
    'Register the public key (or publish it at jwks_uri) with the same kid and alg before signing with it.',
    {
      parameter: 'client_assertion.kid',
      registered: ({ jwks, jwksUri }) =>
        jwksUri ?? `kid ${list((jwks?.keys ?? []).map(({ kid }) => String(kid ?? 'none')))}`,
    },
  ),
  assertion(
    /^invalid_client: .*signature verification failed/,
    'The signature of the assertion does not fit the registered public key.',
    'Register the public part of the very key that signs; look for keys of another environment, or a kid that was used again.',
  ),
  assertion(
    /client_assertion|^invalid_client: (client authentication failed|.*(jwt|JWT|JWS|token))/,
    'The client_assertion is not a JWT as RFC 7523 has it, or has no client_assertion_type.',
    'Send client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer and a signed JWT with iss, sub, aud, exp and jti.',
  ),

  // What tokens are asked for with.
  {
    says: /^invalid_grant: authorization code is expired/,
    parameter: 'code',
    why: 'The code was redeemed too late: codes live for a minute or so (AUTHORIZATION_CODE_TTL).',
    mend: 'Redeem the code in the request that brings it. If the app does, look at what holds it up, a breakpoint or a queue.',
  },
  {
    says: /^invalid_grant: authorization code already consumed/,
    parameter: 'code',
    why: 'The code was used before; what had been issued with it was withdrawn, in case it was stolen.',
    mend: 'Redeem each code once: no retry, no reload of the callback page, no second handler (React’s strict mode runs effects twice). Redirect away from the callback at once.',
  },
  {
    says: /^invalid_grant: authorization code not found/,
    parameter: 'code',
    why: 'There is no such code: it is another server’s, cut, expired long ago, or the session it was issued in has ended.',
    mend: 'Send the code parameter of the callback whole and decoded once, to the issuer that it came from.',
  },
  {
    says: /^invalid_grant: refresh token already used/,
    parameter: 'refresh_token',
    why: 'A refresh token was used a second time after its replay window. That is how theft looks: it and all its successors were ended, by default everything of the person.',
    mend: 'Store the new refresh token of every answer before using the answer, and let one process refresh at a time (a lock), so that no old one is sent again.',
  },
  {
    says: /^invalid_grant: refresh token is expired/,
    parameter: 'refresh_token',
    why: 'The refresh token was not used for longer than it lives.',
    mend: 'Send the person through a new authorization request; refresh more often, or raise refresh_token_idle.',
  },
  {
    says: /^invalid_grant: refresh token not found/,
    parameter: 'refresh_token',
    why: 'The refresh token is no longer alive: revoked, expired, ended with a sign-out, a withdrawn consent or a password change; or it is cut, or another server’s.',
    mend: 'Treat this answer as signed out: forget the tokens and send the person through a new authorization request.',
  },
  ...ofSources,
  {
    says: /device code (not found|already consumed)/,
    parameter: 'device_code',
    why: 'The device code is unknown here, or was redeemed before.',
    mend: 'Redeem the device code once, and ask for a new one afterwards.',
  },
  {
    says: /^expired_token/,
    parameter: 'device_code',
    why: 'Nobody entered the device’s code in time.',
    mend: 'Ask for a new device code and show it.',
  },

  // DPoP.
  dpop(
    /^use_dpop_nonce: (?!.*\biat\b)/,
    'The server asks for its nonce in DPoP proofs. A first request without one is answered so; that alone is no fault.',
    'Repeat the request with a new proof that has the nonce of the DPoP-Nonce header of the answer, and keep the latest one.',
  ),
  dpop(
    /ht[um] mismatch/,
    'htm or htu of the DPoP proof is not the method and the URL of this request.',
    'Make one proof per request: htm the method in capitals, htu the endpoint as in the discovery document, without its query. Behind a proxy use the public URL.',
  ),
  dpop(
    /DPoP proof (must have a )?iat/,
    'The iat of the DPoP proof is missing, or too far from this server’s clock.',
    `Make a new proof for every request. ${clock}`,
  ),
  dpop(
    /DPoP proof JWT Replay|DPoP proof must have a jti/,
    'The DPoP proof was used before, or has no jti.',
    'Make a new proof with a new random jti for every request, retries included.',
  ),
  dpop(
    /DPoP proof JWT not provided|missing DPoP proof|failed jkt|thumbprint does not match/,
    'The request needs a DPoP proof with the key that the code, token or app is bound to, and has none or one of another key.',
    'Send the DPoP header at every request to the token endpoint, and keep the key as long as the tokens.',
  ),
  dpop(
    /^invalid_dpop_proof|DPoP/,
    'The DPoP proof is not valid (RFC 9449 4.2).',
    'Let a library make it: typ dpop+jwt, an asymmetric alg, the public key as jwk, jti, htm, htu and iat.',
  ),

  // Request objects and pushed requests.
  {
    says: /Pushed Authorization Request must be used/,
    parameter: 'request_uri',
    registered: () => 'require_pushed_authorization_requests',
    why: 'The app may begin only with a pushed request (RFC 9126).',
    mend: 'Post the parameters to pushed_authorization_request_endpoint, then send client_id and the request_uri of its answer only.',
  },
  {
    says: /^invalid_request_uri|^request_uri_not_supported/,
    parameter: 'request_uri',
    why: 'The request_uri is not one that this server gave out, has expired, or was used before.',
    mend: 'Push the request anew right before each redirect, and use its request_uri once.',
  },
  requestObject(
    /Request Object must be used/,
    'The app has to send its parameters in a signed request object (RFC 9101), and did not.',
    'Send the request parameter, a JWT signed with the app’s key.',
  ),
  requestObject(
    /^request_not_supported/,
    'Request objects are not enabled here, or not for this app.',
    'Send plain parameters, or push them.',
  ),
  requestObject(
    /^invalid_request_object.*(unsupported signed request alg|preregistered alg)/,
    'The request object is signed with another algorithm than the registered one.',
    'Sign it with the registered algorithm (request_object_signing_alg).',
  ),
  requestObject(
    /^invalid_request_object.*(client_id|response_type)/,
    'client_id or response_type in the request object is not that of the request around it.',
    'Send the same values inside and outside.',
  ),
  requestObject(
    /^invalid_request_object.*(expired|not active|future|\bexp is)/,
    'The request object has expired, is from the future, or has no exp at most five minutes ahead.',
    `Make a new one for every request. ${clock}`,
  ),
  requestObject(
    /^invalid_request_object.*audience/,
    'The audience of the request object is not this server.',
    'Set aud to the issuer as the discovery document has it.',
  ),
  requestObject(
    /^invalid_request_object/,
    'The request object could not be read or verified with the app’s registered keys.',
    'Register the public key that signs it, with its kid, and send a signed JWT with iss (the client_id) and aud (the issuer).',
  ),

  // Registration of itself.
  {
    says: /^invalid_token/,
    parameter: 'registration_access_token',
    why: 'The registration access token is missing, or not the one of this app: each change of the app replaces it.',
    mend: 'Keep the registration_access_token of every answer, and send the last one as Bearer. A lost one is not replaced: let an administrator change the app.',
  },
  {
    says: /^access_denied: .*administrator/,
    parameter: 'registration_access_token',
    why: 'The app did not register itself, or an administrator has taken it over: it does not change itself.',
    mend: 'Ask an administrator for the change.',
  },
  {
    says: /^invalid_(redirect_uri|client_metadata)/,
    parameter: 'metadata',
    why: ({ why }) => `The app may not be registered so; at fault: ${why}.`,
    mend: 'The answer (error_description) says what is wrong with each field; gatehouse client check --redirect-uri judges a redirect URI.',
  },

  // What a person or their session decides: no fault of the app.
  {
    says: /^login_required/,
    parameter: 'prompt',
    came: 'prompt',
    why: 'Nobody is signed in, or not recently enough, or another person than the request names; with prompt=none nobody could be asked.',
    mend: `This is an ordinary answer to prompt=none. ${signIn}`,
  },
  {
    says: /^(consent|interaction|account_selection)_required/,
    parameter: 'prompt',
    came: 'prompt',
    why: 'The person has to be asked first (for consent, or because the app runs on their own machine); prompt=none forbids asking.',
    mend: `This is an ordinary answer to prompt=none. ${signIn}`,
  },
  {
    says: /^access_denied/,
    parameter: 'person',
    why: 'The person declined, or gave up.',
    mend: 'Nothing is wrong with the request: let the app say so and offer to try again.',
  },

  // What is missing, or there twice.
  {
    says: /missing required parameters? '(\w+)'/,
    parameter: '$1',
    why: ({ why, parameter }) =>
      why === '' ? `${parameter} is missing.` : `The request is incomplete: ${why}.`,
    mend: 'Send it once, in the query of an authorization request and in the form of the others (application/x-www-form-urlencoded, not JSON).',
  },
  {
    says: /'([\w.]+)'.* must not be provided twice/,
    parameter: '$1',
    why: ({ parameter }) => `${parameter} is in the request twice.`,
    mend: 'Send it once; often it stands in a configured URL and is appended again.',
  },
];

const parameterOf = ({ parameter }: Line, match: RegExpExecArray): string =>
  parameter === '$1' ? (match[1] ?? '').slice(0, 50) : parameter;

/** What a refusal is kept as. */
export function diagnose(
  refused: { error: string; why: string },
  quotes: Quotes,
  client: ClientRow,
): { parameter: string; registered: string | null; came: string | null } {
  for (const line of LINES) {
    const match = line.says.exec(`${refused.error}: ${refused.why}`);
    if (!match || line.when?.(quotes, client) === false) continue;
    return {
      parameter: parameterOf(line, match),
      registered: line.registered?.(client) ?? null,
      came: (line.came && quotes[line.came]) ?? null,
    };
  }
  return { parameter: '', registered: null, came: null };
}

/** In words what was wrong and how to mend it. */
export function explain(
  refused: Refused,
  { client, secrets = [], now }: { client: ClientRow; secrets?: readonly SecretFact[]; now: Date },
): Explanation {
  const facts: Facts = { ...refused, client, secrets, now };
  const say = (text: Words): string => (typeof text === 'string' ? text : text(facts));
  const { parameter, registered, came } = refused;
  for (const line of LINES) {
    const match = line.says.exec(`${refused.error}: ${refused.why}`);
    if (!match || parameterOf(line, match) !== parameter) continue;
    return { parameter, registered, came, why: say(line.why), mend: say(line.mend) };
  }
  return {
    parameter,
    registered,
    came,
    why: refused.why === '' ? `The request was answered ${refused.error}.` : `${refused.why}.`,
    mend: 'The log has more under the request id; compare the request with the discovery document.',
  };
}
