// Dynamic registration (RFC 7591, OpenID Connect Dynamic Client Registration 1.0) and its management (RFC 7592). Our own
// routes: the library stores secrets in clear, knows none of our rules, and takes what only an operator may set.
//
// An app that registered itself is a stranger: never first-party, PKCE and a nonce always, no API, no browser origin;
// without an operator's token also nothing in its own name and no devices (whose link it could send to anybody). What is
// not named in FIELDS is ignored, as RFC 7591 2 demands; what is, goes through the rules of server/clients.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../../config/options.ts';
import { type Database, inTransaction } from '../../drizzle/database.ts';
import {
  type ClientRow,
  checked,
  checkSector,
  DEVICE_CODE,
  hasSecret,
  type KnownClient,
  type NewClient,
  ownsSecret,
} from '../clients/clients.ts';
import {
  checkInitial,
  managed,
  type Registered,
  type Right,
  register,
  reregister,
  spend,
  unused,
} from '../clients/registration.ts';
import { endApp } from '../consents/consents.ts';
import type { Egress } from '../egress/egress.ts';
import { opOf } from '../http/arrival.ts';
import { actingAs, type Op } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';
import { isStandard } from '../lib/scopes.ts';
import { rejectText } from '../lib/text.ts';
import type { Lockouts } from '../lockouts/lockouts.ts';
import { metadataOf } from './metadata.ts';
import { knowsByOthers } from './pairwise.ts';

export const REGISTRATION = '/oauth2/register';

type Kind = 'text' | 'texts' | 'flag' | 'number' | 'keys';

/** What an app may say of itself, and where that is kept. */
const FIELDS = {
  redirect_uris: ['redirectUris', 'texts'],
  client_name: ['name', 'text'],
  application_type: ['applicationType', 'text'],
  token_endpoint_auth_method: ['tokenEndpointAuthMethod', 'text'],
  token_endpoint_auth_signing_alg: ['tokenEndpointAuthSigningAlg', 'text'],
  grant_types: ['grantTypes', 'texts'],
  post_logout_redirect_uris: ['postLogoutRedirectUris', 'texts'],
  jwks: ['jwks', 'keys'],
  jwks_uri: ['jwksUri', 'text'],
  id_token_signed_response_alg: ['idTokenSignedResponseAlg', 'text'],
  dpop_bound_access_tokens: ['dpopBoundAccessTokens', 'flag'],
  require_pushed_authorization_requests: ['requirePushedAuthorizationRequests', 'flag'],
  request_object_signing_alg: ['requestObjectSigningAlg', 'text'],
  require_signed_request_object: ['requireSignedRequestObject', 'flag'],
  subject_type: ['subjectType', 'text'],
  sector_identifier_uri: ['sectorIdentifierUri', 'text'],
  backchannel_logout_uri: ['backchannelLogoutUri', 'text'],
  backchannel_logout_session_required: ['backchannelLogoutSessionRequired', 'flag'],
  client_uri: ['clientUri', 'text'],
  logo_uri: ['logoUri', 'text'],
  policy_uri: ['policyUri', 'text'],
  tos_uri: ['tosUri', 'text'],
  contacts: ['contacts', 'texts'],
  initiate_login_uri: ['initiateLoginUri', 'text'],
  default_max_age: ['defaultMaxAge', 'number'],
} as const satisfies Record<string, readonly [keyof NewClient, Kind]>;

/** Said by an answer beside FIELDS. */
const ALSO = ['client_id', 'response_types', 'scope'] as const;

const isText = (value: unknown): value is string => typeof value === 'string';
const KINDS: Readonly<Record<Kind, [test: (value: unknown) => boolean, says: string]>> = {
  text: [isText, 'is a string'],
  texts: [(value) => Array.isArray(value) && value.every(isText), 'is an array of strings'],
  flag: [(value) => typeof value === 'boolean', 'is true or false'],
  number: [(value) => typeof value === 'number', 'is a number'],
  keys: [(value) => typeof value === 'object' && !Array.isArray(value), 'is an object'],
};

const invalid = (field: string, says: string) =>
  new Problem('client.invalid', {
    details: { [field]: says },
    message: `The app’s settings are not valid: ${field} ${says}.`,
  });

type Body = Readonly<Record<string, unknown>>;

/** Of a kind, or absent; null and nothing are absent too (RFC 7592 2.2). */
function valueIn(body: Body, field: string, kind: Kind): unknown {
  const value = body[field];
  if (value === undefined || value === null || value === '') return undefined;
  const [test, says] = KINDS[kind];
  if (!test(value)) throw invalid(field, says);
  return value;
}

const words = (text: unknown): string[] => String(text).split(' ').filter(Boolean);

/** With the defaults of the norms, which are not ours: one grant type, RS256. */
function inputOf(body: Body, right: Right): NewClient {
  const given = Object.entries(FIELDS).flatMap(([field, [key, kind]]) => {
    const value = valueIn(body, field, kind);
    return value === undefined ? [] : [[key, value] as const];
  });
  const input = {
    redirectUris: [] as string[],
    grantTypes: ['authorization_code'],
    idTokenSignedResponseAlg: 'RS256',
    ...Object.fromEntries(given),
  } as Omit<NewClient, 'name' | 'grantTypes'> & { name?: string; grantTypes: string[] };
  const scope = valueIn(body, 'scope', 'text');
  const responseTypes = (valueIn(body, 'response_types', 'texts') ?? []) as string[];
  if (responseTypes.some((one) => one !== 'code')) throw invalid('response_types', 'can only be code');
  if (responseTypes.length > 0 && !input.grantTypes.includes('authorization_code'))
    throw invalid('grant_types', 'needs authorization_code for the response type code');
  const alone = ['client_credentials', DEVICE_CODE].find((one) => input.grantTypes.includes(one));
  if (right === 'open' && alone !== undefined)
    throw invalid('grant_types', `has ${alone}, for which an app needs a token of the operator’s`);
  const [first] = input.redirectUris;
  const url = first === undefined ? null : URL.parse(first);
  return {
    ...input,
    name: input.name ?? (url?.host || url?.protocol.replace(/:$/, '') || 'App without a name'),
    ...(scope === undefined ? {} : { scopes: words(scope) }),
  };
}

/** What an app cannot say of itself stays what an operator made it. */
function kept(before: ClientRow, input: NewClient): NewClient {
  if (knowsByOthers(before, input))
    throw invalid(
      'subject_type',
      'cannot become pairwise, nor a pairwise app move to another host: register a new app',
    );
  const api = before.scopes.filter((scope) => !isStandard(scope));
  return {
    ...input,
    ...(api.length > 0 && input.scopes ? { scopes: [...new Set([...input.scopes, ...api])] } : {}),
    ...(api.length > 0 && !input.scopes ? { scopes: before.scopes } : {}),
    registeredBy: before.registeredBy,
    resources: before.resources,
    allowedOrigins: before.allowedOrigins,
    responseModes: before.responseModes,
    requirePkce: before.requirePkce || input.tokenEndpointAuthMethod === 'none',
    requireNonce: before.requireNonce || input.tokenEndpointAuthMethod === 'none',
    accessTokenTtl: before.accessTokenTtl,
    refreshTokenIdle: before.refreshTokenIdle,
    refreshReplayWindow: before.refreshReplayWindow,
  };
}

/** As the library knows it, without secrets and without what only an operator sets. */
function described(row: ClientRow): Record<string, unknown> {
  const all = metadataOf({ row, secrets: [] });
  return Object.fromEntries(
    [...ALSO, ...Object.keys(FIELDS)].flatMap((field) => (field in all ? [[field, all[field]]] : [])),
  );
}

/** The token of an Authorization header; null: there is none. */
function bearer(request: FastifyRequest): string | null {
  const { authorization } = request.headers;
  if (authorization === undefined) return null;
  return /^bearer ([A-Za-z0-9._~+/-]{1,200}=*)$/i.exec(authorization)?.[1] ?? '';
}

function bodyOf(request: FastifyRequest): Body {
  const { body } = request;
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new Problem('request.invalid');
  rejectText(body);
  return body as Body;
}

/** RFC 7591 3.2.2; the others are those of our protocol endpoints. */
function errorOf({ code, details }: Problem): string | null {
  if (code === 'registrationToken.invalid') return 'invalid_token';
  if (code === 'client.managed') return 'access_denied';
  if (code !== 'client.invalid') return null;
  return Object.keys(details ?? {})[0] === 'redirect_uris'
    ? 'invalid_redirect_uri'
    : 'invalid_client_metadata';
}

/** What a PUT must not say, or only as it is (RFC 7592 2.2). */
const ISSUED = [
  'registration_access_token',
  'registration_client_uri',
  'client_secret_expires_at',
  'client_id_issued_at',
];

/** Milliseconds for which an app that came without a token may wait for the first person who lets it in. */
const PATIENCE = 7 * 86_400_000;
const BATCH = 100;

/** Removes those that nobody has let in, each by itself. */
export async function removeUnused(op: Op): Promise<void> {
  for (const id of await unused(op, new Date(op.now.getTime() - PATIENCE), BATCH)) {
    await endApp(op, id, 'unused');
  }
}

export interface RegistrationParts {
  config: Pick<Config, 'server' | 'registration'>;
  db: Database;
  lockouts: Lockouts;
  egress: Pick<Egress, 'request'>;
  /** The library's own look at a client, as it will take it at every request (R22). Throws an error of the library. */
  validate(metadata: Readonly<Record<string, unknown>>): Promise<void>;
  /** For the app's developer; `why` repeats nothing of what came. */
  refused(clientId: string, refusal: { error: string; why: string }, request: FastifyRequest): Promise<void>;
}

export function registrationRoutes(app: FastifyInstance, parts: RegistrationParts): void {
  const { config, db, lockouts, egress } = parts;
  const { mode, perAddress, unused: most } = config.registration;
  if (mode === 'off') return;
  const { issuer } = config.server;

  /** Everything that can be found out before a transaction. */
  async function judge(input: NewClient): Promise<void> {
    const row = checked(input);
    await checkSector(egress, row);
    const described = { ...row, firstParty: false } as unknown as ClientRow;
    await parts.validate(metadataOf({ row: described, secrets: [] } satisfies KnownClient));
  }

  const answer = ({ client, secret, token }: Registered) => ({
    ...described(client),
    client_id_issued_at: Math.floor(client.createdAt.getTime() / 1000),
    ...(secret === null ? {} : { client_secret: secret }),
    ...(ownsSecret(client) ? { client_secret_expires_at: 0 } : {}),
    registration_access_token: token,
    registration_client_uri: `${issuer}${REGISTRATION}/${client.id}`,
  });

  async function count(op: Op): Promise<void> {
    const counted = await lockouts.reserveRegistration(op, op.by.request?.address ?? '', perAddress);
    if (!counted.allowed) throw new Problem('request.tooMany', { retryAfter: counted.retryAfter });
  }

  /** By what right a stranger asks; without a token their address is counted. */
  async function admit(op: Op, request: FastifyRequest): Promise<string | null> {
    const token = bearer(request);
    if (token !== null || mode === 'token') {
      await checkInitial(op, token ?? '');
      return token;
    }
    await count(op);
    return null;
  }

  async function held(request: FastifyRequest<{ Params: { clientId: string } }>) {
    const { clientId } = request.params;
    const token = bearer(request) ?? '';
    const op = actingAs(opOf(db, request), 'client', clientId);
    return { op, token, clientId, ...(await managed(op, clientId, token)) };
  }

  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    const parse = scope.getDefaultJsonParser('error', 'error');
    scope.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) =>
      body === '' ? done(null, undefined) : parse(request, body as string, done),
    );
    scope.addHook('onRequest', async (_request, reply) => {
      reply.header('cache-control', 'no-store');
    });
    const otherwise = scope.errorHandler;
    scope.setErrorHandler(async (error, request: FastifyRequest, reply: FastifyReply) => {
      const problem = error instanceof Problem ? error : null;
      const code = problem && errorOf(problem);
      if (!problem || !code) return otherwise(error as never, request, reply);
      if (problem.status === 401) {
        const fault = bearer(request) === null ? '' : ', error="invalid_token"';
        reply.header('www-authenticate', `Bearer realm="${issuer}"${fault}`);
      }
      const { details = {} } = problem;
      const { clientId } = request.params as { clientId?: string };
      // The sentences quote values; the names of the fields are ours.
      const why = problem.status === 401 ? '' : Object.keys(details).join(', ') || problem.message;
      if (clientId !== undefined) await parts.refused(clientId, { error: code, why }, request);
      const all = Object.entries(details).map(([field, says]) => `${field} ${says}`);
      return reply
        .code(problem.status)
        .send({ error: code, error_description: all.length > 1 ? all.join('; ') : problem.message });
    });
    const route = { config: { protocol: true } as object };
    const one = `${REGISTRATION}/:clientId`;
    interface One {
      Params: { clientId: string };
    }

    scope.post(REGISTRATION, route, async (request, reply) => {
      const op = opOf(db, request);
      const initial = await admit(op, request);
      const input = inputOf(bodyOf(request), initial === null ? 'open' : 'token');
      await judge(input);
      return reply.code(201).send(answer(await register(op, input, { initial, most })));
    });

    scope.get<One>(one, route, async (request) => {
      const { client, token } = await held(request);
      return answer({ client, secret: null, token });
    });

    scope.put<One>(one, route, async (request) => {
      const mine = await held(request);
      const body = bodyOf(request);
      const issued = ISSUED.find((field) => body[field] !== undefined);
      if (issued !== undefined) throw invalid(issued, 'is not for the app to say');
      if (body.client_id !== mine.clientId) throw invalid('client_id', 'is not that of this app');
      if (body.client_secret !== undefined && !(await hasSecret(mine.op, mine.clientId, body.client_secret)))
        throw invalid('client_secret', 'is not that of this app');
      const input = inputOf(body, mine.right);
      const next = kept(mine.client, input);
      // A change that fails costs nothing: else a stranger would have any address asked as often as he likes.
      const elsewhere = (next.sectorIdentifierUri ?? null) !== mine.client.sectorIdentifierUri;
      if (mine.right === 'open' && next.sectorIdentifierUri && elsewhere) await count(mine.op);
      await judge(next);
      return answer(await reregister(mine.op, mine, mine.token, (before) => kept(before, input)));
    });

    scope.delete<One>(one, route, async (request, reply) => {
      const { op, clientId, token } = await held(request);
      await inTransaction(op, async (op) => {
        await spend(op, clientId, token);
        await endApp(op, clientId, 'app');
      });
      return reply.code(204).send();
    });
  });
}
