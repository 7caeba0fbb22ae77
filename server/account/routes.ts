// A person's own pages. Signing in to them is the same code flow any app uses, by a client of our own, so there is one
// way in and one session. Where the sign-in returns to is chosen from a list, never taken from an address (ATK-A120).
import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../../config/options.ts';
import { accountPage } from '../../views/account.ts';
import { problemPage } from '../../views/problem.ts';
import { en } from '../../views/words.ts';
import { SUPER_ADMIN } from '../accounts/accounts.ts';
import { ensureOwn, OWN_CLIENT } from '../clients/clients.ts';
import { listOf as consentsOf, lastingWithoutConsent, revoke } from '../consents/consents.ts';
import type { Browser } from '../http/browser.ts';
import { sendPage } from '../http/page.ts';
import type { Op } from '../lib/op.ts';
import { newSecret } from '../lib/secrets.ts';
import type { Oidc } from '../oidc/oidc.ts';
import { ROUTES } from '../oidc/oidc.ts';
import { named } from '../resources/resources.ts';
import { rolesOf } from '../roles/roles.ts';
import { listOf as sessionsOf } from '../sessions/sessions.ts';

export interface AccountRouteParts {
  config: Config;
  browser: Browser;
  oidc: Oidc;
}

const SIGNED_IN = '/account/signed-in';
const HOME = '/account';
/** Where a sign-in may lead to, by the name it has in `state`. */
const DESTINATIONS: Readonly<Record<string, string>> = { account: HOME, app: '/setup/app' };

/** The client of these pages, made or brought up to date at start. */
export const ensureAccountClient = (op: Op, issuer: string): Promise<void> =>
  ensureOwn(op, {
    id: OWN_CLIENT,
    name: 'Your account',
    public: true,
    firstParty: true,
    grantTypes: ['authorization_code'],
    scopes: ['openid'],
    redirectUris: [`${issuer}${SIGNED_IN}`],
    postLogoutRedirectUris: [`${issuer}/`],
  });

const same = (a: string, b: string) =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

export async function accountRoutes(scope: FastifyInstance, parts: AccountRouteParts): Promise<void> {
  await scope.register(async (scope) => signingIn(scope, parts));
  await scope.register(async (scope) => ownPages(scope, parts));
}

interface Query {
  Querystring: Record<string, string | undefined>;
}

function signingIn(scope: FastifyInstance, { config, browser, oidc }: AccountRouteParts): void {
  const { issuer } = config.server;
  const now = () => Math.floor(Date.now() / 1000);

  // Bound to the browser by its cookie and signed, instead of kept in a cookie of its own: so any number of tabs may
  // sign in at once, and each comes back to where it was going.
  const signature = (request: FastifyRequest, reply: FastifyReply, what: string) =>
    browser.token(request, reply, `account sign-in ${what}`);

  function stateFor(request: FastifyRequest, reply: FastifyReply, destination: string): string {
    const what = `${destination}.${now() + config.sessions.interactionTtl}`;
    return `${what}.${signature(request, reply, what)}`;
  }

  /** The destination's path, or null for a state that is not ours, not of this browser, or too old. */
  function destinationOf(request: FastifyRequest, reply: FastifyReply, state: string): string | null {
    const [, what = '', name = '', until = '', mac = ''] = /^(([a-z]+)\.(\d+))\.([\w-]+)$/.exec(state) ?? [];
    if (!same(mac, signature(request, reply, what)) || Number(until) < now()) return null;
    return DESTINATIONS[name] ?? null;
  }

  scope.get<Query>('/account/sign-in', async (request, reply) => {
    const { next, login_hint: hint } = request.query;
    const [destination = 'account'] = Object.entries(DESTINATIONS).find(([, path]) => path === next) ?? [];
    // The code that comes back is never redeemed: only the session the sign-in left in this browser matters. So nobody
    // knows the verifier of this challenge, and a stolen code is worth nothing.
    const challenge = createHash('sha256').update(newSecret()).digest('base64url');
    const query = new URLSearchParams({
      client_id: OWN_CLIENT,
      response_type: 'code',
      scope: 'openid',
      redirect_uri: `${issuer}${SIGNED_IN}`,
      state: stateFor(request, reply, destination),
      nonce: newSecret(),
      code_challenge: challenge,
      code_challenge_method: 'S256',
      ...(hint ? { login_hint: hint.slice(0, 254) } : {}),
    });
    return reply.redirect(`${ROUTES.authorization}?${query}`, 303);
  });

  scope.get<Query>(SIGNED_IN, async (request, reply) => {
    const { state = '', iss, error } = request.query;
    const destination = destinationOf(request, reply, state);
    const failed = (code: string, message: string) =>
      sendPage(
        reply,
        problemPage({
          code,
          title: en.account.notSignedInTitle,
          message,
          requestId: request.id,
          actions: [
            { label: en.account.signInAgain, href: signInHref(destination ?? HOME) },
            { label: en.common.toStart, href: '/' },
          ],
        }),
        400,
      );
    if (destination === null || iss !== issuer) return failed('signIn.stale', en.account.staleSignIn);
    if (error === 'access_denied') return failed('access_denied', en.account.abandoned);
    if (error !== undefined) return failed('signIn.required', en.account.notSignedIn);
    // Going on without a session would send the browser in circles.
    if (!(await oidc.signedIn(request, reply))) return failed('signIn.required', en.account.cookiesNeeded);
    return reply.redirect(destination, 303);
  });
}

const signInHref = (next: string) => `/account/sign-in?${new URLSearchParams({ next })}`;

function ownPages(scope: FastifyInstance, { config, browser, oidc }: AccountRouteParts): void {
  const { demo } = config.server;
  // Who it is comes before the form token, which is bound to the session.
  const people = oidc.askPerson(scope, HOME);
  browser.guard(scope, (request) => people.of(request).sessionUid);

  const signOut = new URLSearchParams({ client_id: OWN_CLIENT });

  scope.get(HOME, async (request, reply) => {
    const { account, sessionUid } = people.of(request);
    const op = people.op(request);
    const [sessions, all, own, roles] = await Promise.all([
      sessionsOf(op, account.id),
      consentsOf(op, account.id, 'all'),
      lastingWithoutConsent(op, account.id),
      rolesOf(op, account.id),
    ]);
    const apis = new Map(
      (await named(op, [...new Set(all.flatMap((one) => Object.keys(one.resources)))])).map((api) => [
        api.id,
        api.name,
      ]),
    );
    const shown = (one: (typeof all)[number]) => ({
      name: one.name ?? one.clientId,
      scopes: one.scopes,
      apis: Object.entries(one.resources).map(([id, scopes]) => ({ name: apis.get(id) ?? id, scopes })),
      since: one.grantedAt.toISOString(),
    });
    const withdrawAction = (clientId: string) => `/account/apps/${encodeURIComponent(clientId)}/withdraw`;
    const isAdministrator = roles.includes(SUPER_ADMIN);
    return sendPage(
      reply,
      accountPage({
        account: { email: account.email, name: account.name },
        sessions: sessions.map((one) => ({
          current: one.uid === sessionUid,
          device: deviceOf(one.userAgent),
          address: one.address,
          signedInAt: (one.loginAt ?? one.createdAt).toISOString(),
          lastSeenAt: one.lastSeenAt.toISOString(),
        })),
        apps: [
          ...all
            .filter(({ endedAt }) => endedAt === null)
            .map((one) => ({ ...shown(one), withdrawAction: withdrawAction(one.clientId) })),
          ...own.map(({ clientId, name, since }) => ({
            name,
            scopes: null,
            apis: [],
            since: since.toISOString(),
            withdrawAction: withdrawAction(clientId),
          })),
        ],
        history: all.flatMap((one) =>
          one.endedAt === null
            ? []
            : [
                {
                  ...shown(one),
                  until: one.endedAt.toISOString(),
                  why: en.account.ended[one.endReason ?? 'account'],
                },
              ],
        ),
        isAdministrator,
        signOutHref: `${ROUTES.end_session}?${signOut}`,
        csrf: browser.token(request, reply, sessionUid),
        links: [
          ...(isAdministrator ? [{ label: en.account.addApp, href: '/setup/app' }] : []),
          ...(demo ? [{ label: en.welcome.demo, href: '/demo' }] : []),
        ],
      }),
    );
  });

  scope.post<{ Params: { clientId: string } }>('/account/apps/:clientId/withdraw', async (request, reply) => {
    const { account } = people.of(request);
    // Withdrawn already, in another tab: the list says so.
    await revoke(people.op(request), account.id, request.params.clientId);
    return reply.redirect(HOME, 303);
  });
}

/** In this order: later ones name themselves after earlier ones. */
const PROGRAMS: readonly (readonly [RegExp, string])[] = [
  [/\bEdg(?:A|iOS)?\//, 'Edge'],
  [/\b(?:OPR|Opera)\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\b(?:Firefox|FxiOS)\//, 'Firefox'],
  [/\b(?:Chrome|Chromium|CriOS|HeadlessChrome)\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
  [/^curl\//, 'curl'],
];
const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\b(?:Macintosh|Mac OS X)\b/, 'macOS'],
  [/\bLinux\b/, 'Linux'],
];

/** Browser and system in plain words. What the browser says of itself is a hint for its owner, never a proof. */
function deviceOf(userAgent: string | null): string {
  const match = (names: typeof PROGRAMS) => names.find(([pattern]) => pattern.test(userAgent ?? ''))?.[1];
  const [program, system] = [match(PROGRAMS), match(SYSTEMS)];
  return program && system
    ? en.account.device(program, system)
    : (program ?? system ?? en.account.unknownDevice);
}
