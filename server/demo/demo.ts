// The built-in demo app: a relying app like any other, on a certified client library, that reaches this server by real
// HTTP at its issuer and shows every request. It is a public client, so that no secret of it is stored, and not a
// first-party one, so that consent is seen. It is for trying out on localhost: what it knows of a visitor stays in the
// memory of this process, for 15 minutes, under a random cookie; with replicas each has its own.
import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import * as client from 'openid-client';
import type { Config } from '../../config/options.ts';
import type { Database } from '../../drizzle/database.ts';
import { type DemoResultProps, demoDevicePage, demoHomePage, demoResultPage } from '../../views/demo.ts';
import { problemPage } from '../../views/problem.ts';
import { en } from '../../views/words.ts';
import { DEMO_CLIENT, DEVICE_CODE, ensureOwn } from '../clients/clients.ts';
import type { Browser } from '../http/browser.ts';
import { sendPage } from '../http/page.ts';
import { type Op, systemOp } from '../lib/op.ts';
import { newSecret } from '../lib/secrets.ts';
import { ROUTES } from '../oidc/oidc.ts';
import { administratorExists } from '../roles/roles.ts';

export interface DemoRouteParts {
  config: Config;
  db: Database;
  browser: Browser;
}

const SCOPE = 'openid profile email offline_access';
const HOME = '/demo';
const RESULT = '/demo/result';
const DEVICE = '/demo/device';

/** The demo's client, made or brought up to date at start. */
export const ensureDemoClient = (op: Op, issuer: string): Promise<void> =>
  ensureOwn(op, {
    id: DEMO_CLIENT,
    name: 'Demo app',
    public: true,
    grantTypes: ['authorization_code', 'refresh_token', DEVICE_CODE],
    scopes: SCOPE.split(' '),
    redirectUris: [`${issuer}${HOME}/callback`],
    postLogoutRedirectUris: [`${issuer}${HOME}`],
    clientUri: `${issuer}${HOME}`,
  });

const MINUTE = 60_000;
const LIFE = 15 * MINUTE;
const MOST_VISITS = 1000;
/** Sign-ins one browser may have begun at once, and steps that are kept of one. */
const MOST_PENDING = 5;
const MOST_STEPS = 20;
/** Seconds. */
const PATIENCE = 10;

type Step = DemoResultProps['steps'][number];
type StepName = keyof typeof en.demo.stepTitles;

/** One sign-in: the library as it was set up for it, with the keys it keeps, and what it did. */
interface Trial {
  library: client.Configuration;
  steps: Step[];
}

interface Pending extends Trial {
  state: string;
  nonce: string;
  verifier: string;
}

interface Result extends Trial {
  claims: Record<string, unknown>;
  sub: string;
  accessToken: string;
  idToken: string;
  refreshToken: string | null;
  notice: DemoResultProps['notice'];
  openSteps: number[];
}

/** A device that waits for its person. */
interface Waiting extends Trial {
  issued: client.DeviceAuthorizationResponse;
  /** Seconds between two polls, and when the next one may be. */
  interval: number;
  nextAt: number;
  /** The steps before the first poll: only the last poll is kept. */
  begun: number;
}

interface Visit {
  until: number;
  waiting: Waiting | null;
  pending: Pending[];
  result: Result | null;
}

/** Visits by the hash of their cookie, oldest first; a full house shows the oldest out. */
function createVisits() {
  const visits = new Map<string, Visit>();
  const keyOf = (id: string) => createHash('sha256').update(id).digest('base64url');

  return {
    find(id: string | null): Visit | null {
      const visit = id === null ? undefined : visits.get(keyOf(id));
      return visit && visit.until > Date.now() ? visit : null;
    },
    begin(): { id: string; visit: Visit } {
      const now = Date.now();
      for (const [key, { until }] of visits) {
        if (until > now && visits.size < MOST_VISITS) break;
        visits.delete(key);
      }
      const id = newSecret();
      const visit: Visit = { until: now + LIFE, pending: [], waiting: null, result: null };
      visits.set(keyOf(id), visit);
      return { id, visit };
    },
    end(id: string | null): void {
      if (id !== null) visits.delete(keyOf(id));
    },
  };
}

/** Enough to recognise a secret by, not to use it. */
const shortened = (value: string): string => (value.length > 16 ? `${value.slice(0, 12)}…` : '…');

const SECRETS = new Set([
  'code',
  'code_verifier',
  'device_code',
  'access_token',
  'refresh_token',
  'id_token',
  'id_token_hint',
]);

const shown = (name: string, value: unknown): unknown =>
  SECRETS.has(name) && typeof value === 'string' ? shortened(value) : value;

const parametersOf = (parameters: URLSearchParams): string[] =>
  [...parameters].map(([name, value], i) => `${i === 0 ? '' : '&'}${name}=${shown(name, value)}`);

const targetOf = (url: URL): string =>
  [`${url.pathname}${url.search ? '?' : ''}`, ...parametersOf(url.searchParams)].join('\n  ');

/** JSON laid out for reading, its secrets shortened; any other body as it is, cut. */
function bodyOf(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), shown, 2);
  } catch {
    return text.slice(0, 2000);
  }
}

const HEADERS_SHOWN = ['content-type', 'cache-control', 'www-authenticate', 'retry-after'];

/** A fetch that notes what it does. */
function recording(steps: Step[]): client.CustomFetch {
  return async (target, options) => {
    const url = new URL(target);
    const body = options.body instanceof URLSearchParams ? options.body : null;
    const headers = new Headers(options.headers);
    const bearer = headers
      .get('authorization')
      ?.replace(/^Bearer (.*)$/, (_, token: string) => `Bearer ${shortened(token)}`);
    const request = [
      `${options.method} ${targetOf(url)}`,
      `host: ${url.host}`,
      ...(bearer ? [`authorization: ${bearer}`] : []),
      ...(body ? ['content-type: application/x-www-form-urlencoded', '', ...parametersOf(body)] : []),
    ].join('\n');

    const response = await fetch(url, options as RequestInit);
    const text = await response.text();
    const answer = [
      `${response.status} ${response.statusText}`,
      ...HEADERS_SHOWN.flatMap((name) => {
        const value = response.headers.get(name);
        return value === null ? [] : [`${name}: ${value}`];
      }),
      '',
      bodyOf(text),
    ].join('\n');
    note(steps, nameOf(url, body), request, answer);
    return new Response(text, response);
  };
}

function nameOf(url: URL, body: URLSearchParams | null): StepName {
  if (url.pathname === ROUTES.jwks) return 'jwks';
  if (url.pathname === ROUTES.userinfo) return 'userinfo';
  if (url.pathname === ROUTES.device_authorization) return 'device';
  if (url.pathname === ROUTES.token && body?.get('grant_type') === DEVICE_CODE) return 'poll';
  if (url.pathname === ROUTES.token) return body?.get('grant_type') === 'refresh_token' ? 'refresh' : 'code';
  return 'discovery';
}

function note(steps: Step[], name: StepName, request: string, response: string): void {
  steps.push({ title: en.demo.stepTitles[name], note: en.demo.stepNotes[name], request, response });
  if (steps.length > MOST_STEPS) steps.splice(0, steps.length - MOST_STEPS);
}

/** Header and payload of a JWT for reading; null for an opaque token. Not a check: the library has checked it. */
function decoded(token: string): string | null {
  const parts = token.split('.');
  if (parts.length !== 3) return null;
  try {
    return parts
      .slice(0, 2)
      .map((part) => JSON.stringify(JSON.parse(Buffer.from(part, 'base64url').toString()), null, 2))
      .join('\n.\n');
  } catch {
    return null;
  }
}

const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)/;

/** The code of the fault at the bottom of a failed fetch; null when the server was reached. */
function connectionFault(error: unknown): string | null {
  for (let at = error, deep = 0; at instanceof Error && deep < 6; at = at.cause, deep++) {
    const { code } = at as NodeJS.ErrnoException;
    if (code && (UNTRUSTED.test(code) || /^(E[A-Z]+|UND_ERR_\w+|ERR_TLS\w*|ERR_SSL\w*)$/.test(code)))
      return code;
    if (at.name === 'TimeoutError') return 'ETIMEDOUT';
  }
  return null;
}

export async function demoRoutes(
  scope: FastifyInstance,
  { config, db, browser }: DemoRouteParts,
): Promise<void> {
  const { issuer } = config.server;
  const secure = issuer.startsWith('https:');
  const cookieName = secure ? '__Secure-gatehouse_demo' : 'gatehouse_demo';
  const cookie = { path: HOME, httpOnly: true, sameSite: 'lax', secure } as const;
  const visits = createVisits();

  function idOf(request: FastifyRequest): string | null {
    const sent = request.cookies[cookieName];
    return sent !== undefined && /^[A-Za-z0-9_-]{43}$/.test(sent) ? sent : null;
  }

  function visitOf(request: FastifyRequest, reply: FastifyReply): Visit {
    const present = visits.find(idOf(request));
    if (present) return present;
    const { id, visit } = visits.begin();
    reply.setCookie(cookieName, id, { ...cookie, maxAge: LIFE / 1000 });
    return visit;
  }

  /** Signed in from here on: under a cookie nobody can have known before. */
  function arrive(request: FastifyRequest, reply: FastifyReply, result: Result): void {
    visits.end(idOf(request));
    const { id, visit } = visits.begin();
    reply.setCookie(cookieName, id, { ...cookie, maxAge: LIFE / 1000 });
    visit.result = result;
  }

  async function begin(): Promise<Trial> {
    const steps: Step[] = [];
    const library = await client.discovery(new URL(issuer), DEMO_CLIENT, undefined, client.None(), {
      [client.customFetch]: recording(steps),
      timeout: PATIENCE,
      // The signature is checked too, though the token comes straight from the server: here the check is to be seen.
      execute: [client.enableNonRepudiationChecks, ...(secure ? [] : [client.allowInsecureRequests])],
    });
    return { library, steps };
  }

  const tryAgain = [
    { label: en.demo.tryAgain, href: HOME },
    { label: en.common.toStart, href: '/' },
  ];

  /** What went wrong between the demo app and this server, for whoever is setting it up. */
  function faultPage(error: unknown, request: FastifyRequest, reply: FastifyReply) {
    const page = (code: string, message: string, status: number) =>
      sendPage(reply, problemPage({ code, message, requestId: request.id, actions: tryAgain }), status);
    const connection = connectionFault(error);
    if (connection !== null) {
      request.log.warn({ err: error, requestId: request.id }, 'the demo app cannot reach the issuer');
      const words = UNTRUSTED.test(connection) ? en.demo.untrusted : en.demo.unreachable;
      return page(connection, words(issuer), 502);
    }
    if (error instanceof client.AuthorizationResponseError) {
      if (error.error === 'access_denied') return page(error.error, en.demo.denied, 400);
      return page(error.error, `${en.demo.refused} ${error.error_description ?? error.error}`, 400);
    }
    if (error instanceof client.ResponseBodyError) {
      if (error.error === 'access_denied') return page(error.error, en.demo.denied, 400);
      if (error.error === 'expired_token') return page(error.error, en.demo.expired, 400);
      return page(error.error, `${en.demo.refused} ${error.error_description ?? error.error}`, 400);
    }
    if (error instanceof client.ClientError) {
      const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
      return page(error.code ?? 'invalid_response', `${en.demo.refused} ${error.message}${cause}`, 400);
    }
    throw error;
  }

  scope.get(HOME, async (_request, reply) =>
    sendPage(
      reply,
      demoHomePage({
        startHref: `${HOME}/start`,
        deviceHref: `${DEVICE}/start`,
        configured: await administratorExists(systemOp(db, 'demo')),
      }),
    ),
  );

  scope.get(`${HOME}/start`, async (request, reply) => {
    let trial: Trial;
    try {
      trial = await begin();
    } catch (error) {
      return faultPage(error, request, reply);
    }
    const pending: Pending = {
      ...trial,
      state: client.randomState(),
      nonce: client.randomNonce(),
      verifier: client.randomPKCECodeVerifier(),
    };
    const url = client.buildAuthorizationUrl(trial.library, {
      redirect_uri: `${issuer}${HOME}/callback`,
      scope: SCOPE,
      // A refresh token comes only with consent given now (OIDC Core 11).
      prompt: 'consent',
      state: pending.state,
      nonce: pending.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(pending.verifier),
      code_challenge_method: 'S256',
    });
    note(trial.steps, 'authorization', `GET ${targetOf(url)}\nhost: ${url.host}`, '');

    const visit = visitOf(request, reply);
    visit.pending = [...visit.pending, pending].slice(-MOST_PENDING);
    return reply.redirect(`${url.pathname}${url.search}`, 303);
  });

  scope.get(`${HOME}/callback`, async (request, reply) => {
    const url = new URL(request.url, issuer);
    const before = visits.find(idOf(request));
    const pending = before?.pending.find(({ state }) => state === url.searchParams.get('state'));
    if (!before || !pending) {
      const gone = { code: 'demo.gone', message: en.demo.gone, requestId: request.id, actions: tryAgain };
      return sendPage(reply, problemPage(gone), 400);
    }
    before.pending = before.pending.filter((one) => one !== pending);
    const { library, steps } = pending;
    const asked = steps.findIndex(({ title }) => title === en.demo.stepTitles.authorization);
    const response = `303 See Other\nlocation: ${issuer}${targetOf(url)}`;
    if (steps[asked]) steps[asked] = { ...steps[asked], response };
    try {
      const tokens = await client.authorizationCodeGrant(library, url, {
        pkceCodeVerifier: pending.verifier,
        expectedState: pending.state,
        expectedNonce: pending.nonce,
        idTokenExpected: true,
      });
      const shown = { library, steps, notice: null, openSteps: [asked + 1] };
      arrive(request, reply, resultOf(tokens, shown));
    } catch (error) {
      return faultPage(error, request, reply);
    }
    return reply.redirect(RESULT, 303);
  });

  scope.get(`${DEVICE}/start`, async (request, reply) => {
    try {
      const { library, steps } = await begin();
      const issued = await client.initiateDeviceAuthorization(library, { scope: SCOPE });
      const interval = issued.interval ?? 5;
      const nextAt = Date.now() + interval * 1000;
      visitOf(request, reply).waiting = { library, steps, issued, interval, nextAt, begun: steps.length };
    } catch (error) {
      return faultPage(error, request, reply);
    }
    return reply.redirect(DEVICE, 303);
  });

  /** One question of the device; null while nobody has answered. */
  async function ask(waiting: Waiting): Promise<Result | null> {
    const { library, steps, issued, begun } = waiting;
    waiting.nextAt = Date.now() + waiting.interval * 1000;
    steps.splice(begun);
    try {
      const tokens = await client.genericGrantRequest(library, DEVICE_CODE, {
        device_code: issued.device_code,
      });
      return resultOf(tokens, { library, steps, notice: null, openSteps: [begun] });
    } catch (error) {
      const code = error instanceof client.ResponseBodyError ? error.error : null;
      if (code === 'slow_down') waiting.interval += 5;
      else if (code !== 'authorization_pending') throw error;
      return null;
    }
  }

  scope.get(DEVICE, async (request, reply) => {
    const visit = visits.find(idOf(request));
    const waiting = visit?.waiting;
    if (!waiting) return reply.redirect(visit?.result ? RESULT : HOME, 303);
    if (Date.now() >= waiting.nextAt) {
      try {
        const result = await ask(waiting);
        if (result) {
          arrive(request, reply, result);
          return reply.redirect(RESULT, 303);
        }
      } catch (error) {
        visit.waiting = null;
        return faultPage(error, request, reply);
      }
    }
    const { issued, interval } = waiting;
    // A little later than the interval: the page that comes too soon asks nobody.
    reply.header('refresh', String(interval + 1));
    return sendPage(
      reply,
      demoDevicePage({
        userCode: issued.user_code,
        address: issued.verification_uri,
        completeAddress: issued.verification_uri_complete ?? issued.verification_uri,
        interval,
        checkHref: DEVICE,
        home: HOME,
      }),
    );
  });

  await scope.register(async (scope) => {
    browser.guard(scope, (request) => `demo ${idOf(request) ?? ''}`);

    scope.get(RESULT, async (request, reply) => {
      const result = visits.find(idOf(request))?.result;
      if (!result) return reply.redirect(HOME, 303);
      return sendPage(
        reply,
        demoResultPage({
          steps: result.steps,
          openSteps: result.openSteps,
          notice: result.notice,
          idTokenClaims: result.claims,
          tokens: [
            { name: en.demo.tokenNames.id, value: result.idToken },
            { name: en.demo.tokenNames.access, value: result.accessToken },
            ...(result.refreshToken === null
              ? []
              : [{ name: en.demo.tokenNames.refresh, value: result.refreshToken }]),
          ].map((token) => ({ ...token, decoded: decoded(token.value) })),
          refreshAction: result.refreshToken === null ? null : `${HOME}/refresh`,
          userinfoAction: `${HOME}/userinfo`,
          logoutAction: `${HOME}/logout`,
          csrf: browser.token(request, reply, `demo ${idOf(request) ?? ''}`),
        }),
      );
    });

    /** One request in the visitor's name; a refusal is a step like any other. */
    async function act(
      request: FastifyRequest,
      reply: FastifyReply,
      work: (result: Result) => Promise<Result>,
      words: { done: string; refused: string },
    ) {
      const visit = visits.find(idOf(request));
      if (!visit?.result) return reply.redirect(HOME, 303);
      const { steps } = visit.result;
      let text = words.done;
      try {
        visit.result = await work(visit.result);
      } catch (error) {
        const answered =
          error instanceof client.ResponseBodyError || error instanceof client.WWWAuthenticateChallengeError;
        if (!answered) return faultPage(error, request, reply);
        text = words.refused;
      }
      visit.result = {
        ...visit.result,
        notice: { text, step: steps.length },
        openSteps: [steps.length],
      };
      return reply.redirect(RESULT, 303);
    }

    scope.post(`${HOME}/refresh`, (request, reply) =>
      act(
        request,
        reply,
        async (result) =>
          resultOf(await client.refreshTokenGrant(result.library, result.refreshToken ?? ''), result),
        { done: en.demo.refreshed, refused: en.demo.refreshRefused },
      ),
    );

    scope.post(`${HOME}/userinfo`, (request, reply) =>
      act(
        request,
        reply,
        async (result) => {
          await client.fetchUserInfo(result.library, result.accessToken, result.sub);
          return result;
        },
        { done: en.demo.userinfoAnswered, refused: en.demo.userinfoRefused },
      ),
    );

    // Leaves the demo, then asks the server to end its session as well; there the person decides.
    scope.post(`${HOME}/logout`, async (request, reply) => {
      const result = visits.find(idOf(request))?.result;
      visits.end(idOf(request));
      reply.clearCookie(cookieName, cookie);
      if (!result) return reply.redirect(HOME, 303);
      const url = client.buildEndSessionUrl(result.library, {
        id_token_hint: result.idToken,
        post_logout_redirect_uri: `${issuer}${HOME}`,
      });
      return reply.redirect(`${url.pathname}${url.search}`, 303);
    });
  });
}

/** What a token answer leaves; what it does not bring anew stays as it was. */
function resultOf(
  tokens: Awaited<ReturnType<typeof client.authorizationCodeGrant>>,
  before: Trial & Pick<Result, 'notice' | 'openSteps'> & Partial<Result>,
): Result {
  const claims = tokens.claims();
  return {
    library: before.library,
    steps: before.steps,
    notice: before.notice,
    openSteps: before.openSteps,
    claims: claims ? { ...claims } : (before.claims ?? {}),
    sub: claims?.sub ?? before.sub ?? '',
    accessToken: tokens.access_token,
    idToken: tokens.id_token ?? before.idToken ?? '',
    refreshToken: tokens.refresh_token ?? before.refreshToken ?? null,
  };
}
