// The protocol room: hosts oidc-provider on our storage. Owns the session cookie, grants, codes, tokens and
// interactions, and gives the rest of the server three things: the routes, the person behind a request, and the
// interactions of the sign-in pages.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { inject } from 'light-my-request';
import type Provider from 'oidc-provider';
import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { Config } from '../../config/options.ts';
import { type Database, isUnavailable } from '../../drizzle/database.ts';
import { deviceEndPage } from '../../views/device.ts';
import { expiredPage, problemPage } from '../../views/problem.ts';
import { en } from '../../views/words.ts';
import { signOutEverywhere } from '../accounts/accounts.ts';
import { tellTokenReused } from '../accounts/notices.ts';
import { entry } from '../audit/audit.ts';
import type { ClientRow, KnownClients } from '../clients/clients.ts';
import type { Egress } from '../egress/egress.ts';
import { factsOf, opOf } from '../http/arrival.ts';
import type { Browser } from '../http/browser.ts';
import { mountLibrary } from '../http/mount.ts';
import type { KeySet } from '../keys/keys.ts';
import type { Log } from '../lib/log.ts';
import { actingAs, type By, type Op } from '../lib/op.ts';
import { Problem, problems } from '../lib/problems.ts';
import { sha256 } from '../lib/secrets.ts';
import type { Lockouts } from '../lockouts/lockouts.ts';
import type { Mail } from '../mail/mail.ts';
import type { Refusals, Seen } from '../refusals/refusals.ts';
import type { KnownResources } from '../resources/resources.ts';
import { noteEnded, tellOfEnded } from '../sessions/sessions.ts';
import { createAdapter } from './adapter.ts';
import { addInterval } from './device.ts';
import { fetchSeldom } from './fetched.ts';
import { beginAgain, InteractionOver, load } from './interactions.ts';
import { letInOrigin } from './origins.ts';
import {
  isFailedAuthentication,
  noteOutcome,
  type Refusal,
  reasonOf,
  refusedOf,
  WAITING,
} from './outcome.ts';
import { createSubjects } from './pairwise.ts';
import { createProvider, ROUTES } from './provider.ts';
import { registrationRoutes } from './registration.ts';
import { type AccountRow, run, TOUCH_SESSION } from './rows.ts';
import { createUnit, currentUnit, runUnit, type Unit, unitOf, writeEntries } from './unit.ts';

export { ACR_PASSWORD, ROUTES } from './provider.ts';

export interface OidcParts {
  config: Config;
  db: Database;
  clients: KnownClients;
  resources: KnownResources;
  lockouts: Lockouts;
  refusals: Refusals;
  browser: Browser;
  log: Log;
  egress: Pick<Egress, 'fetch' | 'request'>;
  mail: Pick<Mail, 'send'>;
}

/** The person behind a request, by the session cookie. */
export interface SignedIn {
  sessionUid: string;
  account: AccountRow;
  /** Time of the last credential check. */
  loginAt: Date;
}

export interface People {
  of(request: FastifyRequest): SignedIn;
  op(request: FastifyRequest): Op;
}

/** Documents that only change with the keys, rendered once by the library itself. */
const DOCUMENTS = [
  '/.well-known/openid-configuration',
  '/.well-known/oauth-authorization-server',
  ROUTES.jwks,
] as const;
const isDocument = (path: string): boolean => (DOCUMENTS as readonly string[]).includes(path);
/** Seconds; short beside the lead with which a key is published before it signs. */
const DOCUMENT_AGE = 60;
const RETRY_SECONDS = 2;
/** A request that came as a form goes on as a URL, and has to fit into one. */
const LONGEST_FORM = 8000;

const LOGOUT_CONFIRM = `${ROUTES.end_session}/confirm`;
const LOGOUT_DONE = `${ROUTES.end_session}/success`;
const RESUME = `${ROUTES.authorization}/:uid`;
const DEVICE_RESUME = `${ROUTES.code_verification}/:uid`;
const RESUMED = new RegExp(`^(${ROUTES.authorization}|${ROUTES.code_verification})/[\\w-]+$`);

const MOUNTED = [
  { method: 'GET' as const, path: ROUTES.authorization },
  { method: 'GET' as const, path: RESUME },
  { method: ['POST' as const, 'OPTIONS' as const], path: ROUTES.token },
  { method: ['POST' as const, 'OPTIONS' as const], path: ROUTES.pushed_authorization_request },
  { method: ['GET' as const, 'POST' as const, 'OPTIONS' as const], path: ROUTES.userinfo },
  { method: ['POST' as const, 'OPTIONS' as const], path: ROUTES.introspection },
  { method: ['POST' as const, 'OPTIONS' as const], path: ROUTES.revocation },
  { method: ['POST' as const, 'OPTIONS' as const], path: ROUTES.device_authorization },
  { method: 'GET' as const, path: ROUTES.end_session },
  { method: 'POST' as const, path: LOGOUT_CONFIRM },
  { method: 'GET' as const, path: LOGOUT_DONE },
  ...DOCUMENTS.map((path) => ({ method: 'OPTIONS' as const, path })),
];
/** Browsers reach these with cookies; the rest are machines. */
const PEOPLE = new Set<string>([
  ROUTES.authorization,
  RESUME,
  ROUTES.end_session,
  LOGOUT_CONFIRM,
  LOGOUT_DONE,
  ROUTES.code_verification,
  DEVICE_RESUME,
]);

interface Generation {
  provider: Provider;
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  documents: ReadonlyMap<string, Buffer>;
}

export function createOidc({
  config,
  db,
  clients,
  resources,
  lockouts,
  refusals,
  browser,
  log,
  egress,
  mail,
}: OidcParts) {
  const subjects = createSubjects();
  const fetchKeys = fetchSeldom(egress);
  const adapter = createAdapter({ clients, lockouts, config });
  const issuer = new URL(config.server.issuer);
  let current: Generation | null = null;

  const generation = (): Generation => {
    if (!current) throw new Problem('server.unavailable', { retryAfter: RETRY_SECONDS });
    return current;
  };

  async function beforeClientSecret(unit: Unit, clientId: string): Promise<void> {
    const blocked = await lockouts.clientAuthBlocked(unit.op(), { clientId, address: unit.facts.address });
    if (!blocked) return;
    unit.retryAfter = blocked.retryAfter;
    const refused = new errors.CustomOIDCProviderError(
      'temporarily_unavailable',
      'too many failed client authentications',
    );
    throw Object.assign(refused, { status: 429, statusCode: 429, expose: true });
  }

  /** The page for an interaction that is over: what happened, and on to the app or back to the start. */
  async function overPage(
    { kind, continueTo }: InteractionOver,
    requestId: string,
    on?: Database,
  ): Promise<string> {
    const again = ROUTES.code_verification;
    if (continueTo?.href === again) {
      const over = kind === 'finished' ? 'answered' : 'late';
      return String(deviceEndPage({ kind: over, clientName: null, again, requestId }));
    }
    const app = continueTo ? await clients.find(continueTo.clientId, on) : null;
    // A finished sign-in must not be repeated for an app that has its answer: back to the app's own start.
    const start = app?.row.initiateLoginUri ?? app?.row.clientUri;
    // What was pushed or signed is only the app's to send again.
    const signed = app?.row.requirePushedAuthorizationRequests || app?.row.requireSignedRequestObject;
    const anew = signed ? start : continueTo?.href;
    const href = kind === 'finished' ? (start ?? anew) : anew;
    const way = app && href ? { label: app.row.name, href } : null;
    return String(expiredPage({ kind, requestId, continueTo: way, home: '/' }));
  }

  async function renderError(
    ctx: KoaContextWithOIDC,
    out: { error: string; error_description?: string | undefined },
    error: Error,
  ): Promise<void> {
    const unit = unitOf();
    ctx.type = 'html';
    if (ctx.oidc.route === 'end_session_confirm') {
      // The library knows one form per session: any page with one that was opened since has made this one worthless.
      const code = 'request.formExpired';
      const actions = [{ label: en.common.signOut, href: ROUTES.end_session }];
      const { message } = problems[code];
      ctx.body = String(problemPage({ code, message, requestId: unit.facts.id, actions }));
      return;
    }
    if (!(error instanceof errors.SessionNotFound)) {
      ctx.body = String(problemPage({ code: out.error, message: sentenceOf(out), requestId: unit.facts.id }));
      return;
    }
    // The person came back to a sign-in that is over: its row says where to go on.
    const uid = /\/([\w-]+)$/.exec(ctx.path)?.[1] ?? '';
    const over = await load(unit.op(), uid, unit.browserHash).then(
      // Not over in itself, but the session it began with is.
      (state) => new InteractionOver('expired', { clientId: state.clientId, href: beginAgain(state) }),
      (fault: unknown) => {
        if (fault instanceof InteractionOver) return fault;
        throw fault;
      },
    );
    ctx.body = await overPage(over, unit.facts.id, unit.db());
  }

  /** Theft of a refresh token ends the account's sessions and tokens, or the family alone, by setting (P3). */
  async function endReused(unit: Unit): Promise<void> {
    const { reuse } = unit;
    if (!reuse) return;
    const whole = reuse.kind === 'refresh' && config.tokens.refreshReuseEnds === 'account';
    const about = { subject: reuse.accountId, client: reuse.clientId, grant: reuse.grantId };
    unit.entries.push(
      entry('token.reused', about, { kind: reuse.kind, ended: whole ? 'account' : 'family' }),
    );
    await unit.writing();
    const op = { ...unit.op(), by: { kind: 'client' as const, id: reuse.clientId, request: unit.facts } };
    if (whole) await signOutEverywhere(op, reuse.accountId, 'reuse');
    if (reuse.kind !== 'refresh') return;
    const app = (await clients.find(reuse.clientId, op.db))?.row.name ?? null;
    await tellTokenReused(op, mail, reuse.accountId, { app, ended: whole ? 'account' : 'family' });
  }

  /** The sessions this request ended, and the app of one that another request was ending meanwhile. */
  async function noteEndings(unit: Unit, by: Pick<By, 'kind' | 'id'>, client: string | null): Promise<void> {
    const ended = [...unit.endedSessions].flatMap(([uid, { accountId }]) =>
      accountId ? [{ uid, accountId, reason: 'logout' }] : [],
    );
    if (ended.length === 0 && unit.overtaken === null) return;
    const op = { ...unit.op(), by: { ...by, request: unit.facts } };
    await noteEnded(op, ended, client);
    if (unit.overtaken !== null) await tellOfEnded(op, unit.overtaken);
  }

  const refusalsOf = new WeakMap<object, Refusal>();

  /** Our rules around every request of the library: one transaction, its audit rows, and honest failure. */
  async function around(ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> {
    const unit = unitOf();
    try {
      await next();
      if (!isDocument(ctx.path)) await letInOrigin(ctx, unit.op());
      if (ctx.status >= 500) throw unit.fault ?? new Error(`the library answered ${ctx.status}`);
      if (unit.replayedSuccessor !== null && ctx.status === 200) {
        ctx.body = { ...(ctx.body as object), refresh_token: unit.replayedSuccessor };
      }
      addInterval(ctx, config.tokens.devicePollInterval);
      if (unit.outdatedSession) dropSessionCookie(ctx);
      const by = noteOutcome(ctx, unit, refusalsOf.get(ctx) ?? null);
      await endReused(unit);
      await noteEndings(unit, by, ctx.oidc.client?.clientId ?? null);
      await writeEntries(unit, by);
      await unit.finish('commit');
      if (isFailedAuthentication(ctx)) await countFailure(ctx, unit);
      await tellDeveloper(ctx, unit);
      if (unit.retryAfter !== null) ctx.set('Retry-After', String(unit.retryAfter));
      // Some browser clients choke on an empty text/plain; RFC 7009 asks for no content at all.
      if (ctx.oidc.route === 'revocation' && ctx.status === 200) ctx.remove('Content-Type');
    } catch (fault) {
      const cause = await unit.finish('rollback', fault).catch((error) => {
        log.warn({ err: error, requestId: unit.facts.id }, 'rollback failed');
        return fault;
      });
      await letInOrigin(ctx, null);
      answerFault(ctx, unit, cause);
    }
  }

  /** A parallel request of the same browser has given its session another identifier: that answer's cookie counts. */
  function dropSessionCookie(ctx: KoaContextWithOIDC): void {
    const name = ctx.oidc.provider.cookieName('session');
    const lines = [ctx.response.get('set-cookie') as string | string[]].flat().filter(Boolean);
    const kept = lines.filter((line) => !line.startsWith(`${name}=`) && !line.startsWith(`${name}.sig=`));
    if (kept.length > 0) ctx.set('Set-Cookie', kept);
    else ctx.remove('Set-Cookie');
  }

  /** For `gatehouse client why`. What cannot be found out about the app is no reason to fail its request. */
  async function tellDeveloper(ctx: KoaContextWithOIDC, unit: Unit): Promise<void> {
    const refusal = refusalsOf.get(ctx);
    const refused = refusal && refusedOf(ctx, refusal);
    if (refused) await noteFor(refused.clientId, { ...refused, requestId: unit.facts.id, at: unit.now });
  }

  async function noteFor(clientId: string, seen: Seen): Promise<void> {
    try {
      const known = await clients.find(clientId);
      if (known) refusals.note(known.row, seen);
    } catch (fault) {
      log.warn({ err: fault, requestId: seen.requestId }, 'a refused request could not be noted for its app');
    }
  }

  async function countFailure(ctx: KoaContextWithOIDC, unit: Unit): Promise<void> {
    const clientId = ctx.oidc.client?.clientId ?? String(ctx.oidc.params?.client_id ?? '');
    const op = { ...unit.op(), db };
    await lockouts.countClientAuthFailure(op, { clientId, address: unit.facts.address });
  }

  function answerFault(ctx: KoaContextWithOIDC, unit: Unit, fault: unknown): void {
    const away = isUnavailable(fault) || (fault instanceof Problem && fault.status === 503);
    const code = away ? 'server.unavailable' : 'server.fault';
    if (away)
      log.warn({ err: fault, requestId: unit.facts.id }, 'protocol request refused: database unavailable');
    else log.error({ err: fault, requestId: unit.facts.id }, 'protocol request failed');
    for (const name of ['Set-Cookie', 'Location', 'WWW-Authenticate']) ctx.remove(name);
    const { status, message } = problems[code];
    ctx.status = status;
    if (away) ctx.set('Retry-After', String(RETRY_SECONDS));
    ctx.set('Cache-Control', 'no-store');
    if (ctx.accepts('json', 'html') === 'html') {
      ctx.type = 'html';
      ctx.body = String(problemPage({ code, message, requestId: unit.facts.id }));
    } else {
      const error = away ? 'temporarily_unavailable' : 'server_error';
      ctx.body = { error, error_description: message, request_id: unit.facts.id };
    }
  }

  /** The library's events are synchronous and outside the transaction (R57): they only leave a note. */
  function listen(provider: Provider): void {
    const refused = (
      ctx: KoaContextWithOIDC,
      error: Error & { error_description?: string; error_detail?: string },
    ) => {
      const why = reasonOf(error);
      refusalsOf.set(ctx, { error: error.message, why });
      // The audit trail knows only registered apps; a client_id with a slip in it is nowhere else.
      const claimed = ctx.oidc.params?.client_id;
      const client =
        ctx.oidc.client?.clientId ?? (typeof claimed === 'string' ? claimed.slice(0, 100) : undefined);
      const requestId = currentUnit()?.facts.id;
      if (WAITING.has(error.message)) return;
      log.info({ requestId, client, error: error.message, why }, 'protocol request refused');
    };
    const emitter: NodeJS.EventEmitter = provider;
    for (const kind of [
      'authorization',
      'device_authorization',
      'pushed_authorization_request',
      'code_verification',
      'device_resume',
      'grant',
      'userinfo',
      'introspection',
      'revocation',
      'end_session',
    ]) {
      emitter.on(`${kind}.error`, refused);
    }
    provider.on('server_error', (_ctx, error) => {
      const unit = currentUnit();
      if (unit) unit.fault = error;
    });
  }

  async function documentsOf(handle: Generation['handle']): Promise<Map<string, Buffer>> {
    const documents = new Map<string, Buffer>();
    const unit = createUnit(db, { id: 'start', address: '127.0.0.1', userAgent: null }, null);
    for (const url of DOCUMENTS) {
      const answer = await inject(
        (request, response) => {
          void runUnit(unit, () =>
            handle(request as unknown as IncomingMessage, response as unknown as ServerResponse),
          );
        },
        {
          method: 'GET',
          url,
          headers: { host: issuer.host, 'x-forwarded-proto': issuer.protocol.slice(0, -1) },
        },
      );
      if (answer.statusCode !== 200) throw new Error(`the library answered ${answer.statusCode} for ${url}`);
      documents.set(url, answer.rawPayload);
    }
    return documents;
  }

  /** Its client model, as it would be made of these at every request (R22). */
  async function validate(metadata: Readonly<Record<string, unknown>>): Promise<void> {
    const { Client } = generation().provider as unknown as {
      Client: { validate(metadata: object): Promise<void> };
    };
    try {
      await Client.validate(metadata);
    } catch (error) {
      if (!(error instanceof errors.InvalidClientMetadata)) throw error;
      const says = error.error_description ?? error.message;
      throw new Problem('client.invalid', { message: `The app’s settings are not valid: ${says}.` });
    }
  }

  /** Null: nobody, or the session is over. Being asked is a use of it. Read on the primary at every call (R21, R48). */
  async function signedIn(request: FastifyRequest, reply: FastifyReply): Promise<SignedIn | null> {
    const { provider } = generation();
    const unit = createUnit(db, factsOf(request), null);
    return runUnit(unit, async () => {
      const ctx = provider.createContext(request.raw, reply.raw) as unknown as KoaContextWithOIDC;
      const session = await provider.Session.get(ctx);
      const account = session.accountId ? unit.accounts.get(session.accountId) : undefined;
      if (!account || !session.loginTs) return null;
      const { idle, maxAge } = config.sessions;
      if (Date.now() / 1000 - session.loginTs > maxAge) return null;
      await run(db, TOUCH_SESSION, [session.uid, unit.now.toISOString(), idle, maxAge]);
      return { sessionUid: session.uid, account, loginAt: new Date(session.loginTs * 1000) };
    });
  }

  return {
    /** Takes over a set of signing keys: a new library instance; requests under way finish on the old one (R53). */
    async use(keySet: KeySet): Promise<void> {
      const provider = createProvider({
        config,
        clients,
        resources,
        adapter,
        keySet,
        beforeClientSecret,
        renderError,
        fetch: fetchKeys,
        subjects,
      });
      provider.use(around as Parameters<Provider['use']>[0]);
      listen(provider);
      const handle = provider.callback() as unknown as Generation['handle'];
      current = { provider, handle, documents: await documentsOf(handle) };
    },

    ready: (): boolean => current !== null,

    mount(app: FastifyInstance): void {
      for (const path of DOCUMENTS) {
        const type = path === ROUTES.jwks ? 'application/jwk-set+json' : 'application/json';
        app.get(path, (_request, reply) =>
          reply
            .header('content-type', `${type}; charset=utf-8`)
            .header('cache-control', `public, max-age=${DOCUMENT_AGE}`)
            .header('access-control-allow-origin', '*')
            .send(generation().documents.get(path)),
        );
      }
      const guard = (request: FastifyRequest) => browser.checkForm(request, ROUTES.code_verification);
      const device = [
        { method: ['GET' as const, 'POST' as const], path: ROUTES.code_verification, guard },
        { method: 'GET' as const, path: DEVICE_RESUME, guard },
      ];
      mountLibrary(app, [...MOUNTED, ...device], (request, reply) => {
        // The router decodes a path before it compares, the library does not.
        const path = (request.raw.url ?? '').split('?', 1)[0] as string;
        const { url } = request.routeOptions;
        if (path !== url && !(url?.endsWith('/:uid') && RESUMED.test(path)))
          throw new Problem('request.notFound');
        // The library answers preflights only, and knows no other OPTIONS.
        const { origin, 'access-control-request-method': wanted } = request.headers;
        if (request.method === 'OPTIONS' && !(origin && wanted))
          throw new Problem('request.methodNotAllowed');
        const hash = PEOPLE.has(request.routeOptions.url ?? '') ? sha256(browser.id(request, reply)) : null;
        const unit = createUnit(db, factsOf(request), hash);
        if (url === ROUTES.code_verification || url === DEVICE_RESUME) {
          // A link with a code fills in the form and does nothing else; the library would post it at once.
          const query = new URL(request.raw.url ?? '', issuer).searchParams;
          const typed = request.method === 'GET' ? (query.get('user_code') ?? '').slice(0, 50) : '';
          unit.device = { csrf: browser.token(request, reply, ROUTES.code_verification), typed };
          request.raw.url = path;
        }
        const { handle } = generation();
        return (raw, response) => runUnit(unit, () => handle(raw, response));
      });
      registrationRoutes(app, {
        config,
        db,
        lockouts,
        egress,
        validate,
        refused: (clientId, refusal, request) =>
          noteFor(clientId, {
            ...refusal,
            endpoint: 'registration',
            received: { params: {}, headers: {} },
            requestId: request.id,
            at: new Date(),
          }),
      });
      // The library would take these as forms only with SameSite=None cookies (R51). A redirect keeps ours Lax.
      app.register(async (scope) => {
        scope.removeAllContentTypeParsers();
        const form = 'application/x-www-form-urlencoded';
        scope.addContentTypeParser(form, { parseAs: 'string' }, (_request, body, done) => done(null, body));
        for (const path of [ROUTES.authorization, ROUTES.end_session]) {
          scope.post(path, { config: { protocol: true } as object }, (request, reply) => {
            if (typeof request.body !== 'string') throw new Problem('request.unsupportedMediaType');
            if (request.body.length > LONGEST_FORM) throw new Problem('request.tooLarge');
            return reply.redirect(`${path}?${new URLSearchParams(request.body)}`, 303);
          });
        }
      });
    },

    signedIn,

    /** The `sub` by which an app knows an account. */
    subjectOf: (client: ClientRow, accountId: string): string => subjects.of(client, accountId),
    /** Before the first request: the secret of which pairwise subjects are made. */
    usePairwiseSecret: subjects.use,

    /** What interactions are bound to: the hash of the browser cookie, set now if there is none. */
    browserHash: (request: FastifyRequest, reply: FastifyReply): Buffer => sha256(browser.id(request, reply)),

    /**
     * Asks for a person in every route of a scope, before its form tokens are looked at; nobody is sent to sign in
     * and comes back to `next`. Answers who it is, and what they do.
     */
    askPerson(scope: FastifyInstance, next: string): People {
      const people = new WeakMap<FastifyRequest, SignedIn>();
      scope.addHook('preHandler', async (request, reply) => {
        const person = await signedIn(request, reply);
        if (!person) return reply.redirect(`/account/sign-in?next=${next}`, 303);
        people.set(request, person);
      });
      const of = (request: FastifyRequest): SignedIn => {
        const person = people.get(request);
        if (!person) throw new Problem('signIn.required');
        return person;
      };
      return { of, op: (request) => actingAs(opOf(db, request), 'account', of(request).account.id) };
    },

    /** In this scope, an interaction that is over says so and shows the way on; other failures go their usual way. */
    helpPeople(scope: FastifyInstance): void {
      const otherwise = scope.errorHandler;
      scope.setErrorHandler(async (error, request, reply) => {
        if (!(error instanceof InteractionOver)) return otherwise(error as FastifyError, request, reply);
        return reply
          .code(error.status)
          .type('text/html; charset=utf-8')
          .send(await overPage(error, request.id));
      });
    },
  };
}

export type Oidc = ReturnType<typeof createOidc>;

/** The library's public description, as a sentence; a person who meets an unknown app gets words of ours. */
function sentenceOf({
  error,
  error_description: said = error,
}: {
  error: string;
  error_description?: string | undefined;
}): string {
  if (error === 'invalid_client') return en.problem.unknownApp;
  return `${said.charAt(0).toUpperCase()}${said.slice(1)}${/[.!?]$/.test(said) ? '' : '.'}`;
}
