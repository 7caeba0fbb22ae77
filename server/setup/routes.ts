// The pages of the first start. A setup link is spent by a form, never by opening it: mail scanners and previews open
// links. Opening it moves the token out of the address into a cookie, so that it stays in no history, log or Referer.
// Who then signs in with the new account adds the first app.
import { randomUUIDv7 } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../../config/options.ts';
import type { Database } from '../../drizzle/database.ts';
import { problemPage } from '../../views/problem.ts';
import { setupAppDonePage, setupAppPage, setupClosedPage, setupPage } from '../../views/setup.ts';
import { en } from '../../views/words.ts';
import { SUPER_ADMIN } from '../accounts/accounts.ts';
import { entry, write } from '../audit/audit.ts';
import { create, DEMO_CLIENT, list, type NewClient, OWN_CLIENT } from '../clients/clients.ts';
import { opOf } from '../http/arrival.ts';
import type { Browser } from '../http/browser.ts';
import { limitPages } from '../http/limits.ts';
import { sendPage } from '../http/page.ts';
import { checkEmail } from '../lib/email.ts';
import type { Log } from '../lib/log.ts';
import type { Op } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';
import type { Oidc } from '../oidc/oidc.ts';
import type { Passwords } from '../passwords/passwords.ts';
import { rolesOf } from '../roles/roles.ts';
import { completeSetup, tokenState } from './setup.ts';
import { isGrafana, snippetsOf } from './snippets.ts';

export interface SetupRouteParts {
  config: Config;
  db: Database;
  browser: Browser;
  oidc: Oidc;
  passwords: Passwords;
  log: Log;
}

const TOKEN = /^[A-Za-z0-9_-]{43}$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const FORM = 'setup';
/** Requests with a link, per address: each refused one is a row in the audit trail. */
const ATTEMPTS = 30;
const ATTEMPTS_SECONDS = 15 * 60;

/** Problems of the form's fields, which its page shows beside them. */
const FIELD_OF: Readonly<Record<string, string>> = {
  'account.emailInvalid': 'email',
  'account.emailTaken': 'email',
  'password.mismatch': 'passwordRepeat',
};

/** A field of a posted form; '' when it is missing or no text. */
function field(request: FastifyRequest, name: string): string {
  const value = (request.body as Record<string, unknown> | null | undefined)?.[name];
  return typeof value === 'string' ? value : '';
}

export async function setupRoutes(scope: FastifyInstance, parts: SetupRouteParts): Promise<void> {
  await scope.register(async (scope) => firstAdministrator(scope, parts));
  await scope.register(async (scope) => firstApp(scope, parts));
}

async function firstAdministrator(
  scope: FastifyInstance,
  { config, db, browser, passwords, log }: SetupRouteParts,
): Promise<void> {
  const secure = config.server.issuer.startsWith('https:');
  const name = secure ? '__Secure-gatehouse_setup' : 'gatehouse_setup';
  // Not Strict: a link opened from a mail or a chat is a navigation from another site, and the redirect after it would
  // come without the cookie. Lax is enough for a form that carries a token of its own.
  const cookie = { path: '/setup', httpOnly: true, sameSite: 'lax', secure } as const;

  function tokenOf(request: FastifyRequest): string | null {
    const sent = request.cookies[name];
    return sent !== undefined && TOKEN.test(sent) ? sent : null;
  }

  function closed(request: FastifyRequest, reply: FastifyReply, kind: 'needed' | 'refused' | 'done') {
    const status = { needed: 403, refused: 403, done: 409 }[kind];
    reply.clearCookie(name, cookie);
    return sendPage(reply, setupClosedPage({ kind, requestId: request.id }), status);
  }

  async function refused(op: Op, request: FastifyRequest, reply: FastifyReply, kind: 'refused' | 'done') {
    await write(op, [entry('setup.linkRefused', {}, {})]);
    log.warn({ requestId: request.id, kind }, 'setup link refused');
    return closed(request, reply, kind);
  }

  const formPage = (
    request: FastifyRequest,
    reply: FastifyReply,
    values: { email: string; name: string },
    errors: Record<string, string>,
  ) =>
    sendPage(
      reply,
      setupPage({
        action: '/setup',
        csrf: browser.token(request, reply, FORM),
        values,
        errors,
        minLength: config.passwords.minLengthSingleFactor,
      }),
      Object.keys(errors).length > 0 ? 400 : 200,
    );

  scope.get('/setup', async (request, reply) => {
    const token = tokenOf(request);
    // Without a link nothing is said but whether one is needed.
    const state = await tokenState(opOf(db, request), token ?? '');
    if (state === 'done') return closed(request, reply, 'done');
    if (state === 'invalid') return closed(request, reply, token === null ? 'needed' : 'refused');
    return formPage(request, reply, { email: '', name: '' }, {});
  });

  await scope.register(async (scope) => {
    await limitPages(scope, ATTEMPTS, ATTEMPTS_SECONDS);
    browser.guard(scope, () => FORM);

    scope.get<{ Params: { token: string } }>('/setup/:token', async (request, reply) => {
      const { token } = request.params;
      const op = opOf(db, request);
      const state = TOKEN.test(token) ? await tokenState(op, token) : 'invalid';
      if (state !== 'valid') return refused(op, request, reply, state === 'done' ? 'done' : 'refused');
      reply.setCookie(name, token, { ...cookie, maxAge: config.bootstrap.setupLinkTtl });
      return reply.redirect('/setup', 303);
    });

    scope.post('/setup', async (request, reply) => {
      const token = tokenOf(request);
      if (token === null) return closed(request, reply, 'needed');
      const op = opOf(db, request);
      const state = await tokenState(op, token);
      if (state !== 'valid') return refused(op, request, reply, state === 'done' ? 'done' : 'refused');

      const values = { email: field(request, 'email').trim(), name: field(request, 'name').trim() };
      const password = field(request, 'password');
      const errors = faultsOf(values, password, field(request, 'passwordRepeat'), passwords);
      if (Object.keys(errors).length > 0) return formPage(request, reply, values, errors);

      try {
        const passwordHash = await passwords.hash(password);
        const account = await completeSetup(opOf(db, request), {
          token,
          email: values.email,
          name: values.name || null,
          passwordHash,
        });
        log.info({ requestId: request.id, account: account.id }, 'the first administrator was made');
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        // Another one was faster; that is on record already.
        if (error.code === 'setup.done') return closed(request, reply, 'done');
        if (error.code === 'setup.linkInvalid') return closed(request, reply, 'refused');
        const at = FIELD_OF[error.code];
        if (at === undefined) throw error;
        return formPage(request, reply, values, { [at]: error.message });
      }
      reply.clearCookie(name, cookie);
      const next = new URLSearchParams({ login_hint: values.email, next: '/setup/app' });
      return reply.redirect(`/account/sign-in?${next}`, 303);
    });
  });
}

/** Field name to a sentence; empty when all is well. */
function faultsOf(
  values: { email: string; name: string },
  password: string,
  repeated: string,
  passwords: Passwords,
): Record<string, string> {
  const errors: Record<string, string> = {};
  const attempt = (otherwise: string, check: () => void) => {
    try {
      check();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      errors[FIELD_OF[error.code] ?? otherwise] = error.message;
    }
  };
  attempt('email', () => checkEmail(values.email));
  attempt('password', () => passwords.check(password, { ...values, singleFactor: true }));
  attempt('passwordRepeat', () => {
    if (password.normalize('NFC') !== repeated.normalize('NFC')) throw new Problem('password.mismatch');
  });
  return errors;
}

/** Our names of the form's fields for those of the metadata. */
const APP_FIELDS: Readonly<Record<string, string>> = {
  name: 'name',
  redirect_uris: 'redirectUri',
  post_logout_redirect_uris: 'postLogoutUri',
};

/** Apps that are here from the start. */
const OURS: ReadonlySet<string> = new Set([OWN_CLIENT, DEMO_CLIENT]);

interface AppForm {
  name: string;
  kind: string;
  redirectUri: string;
  postLogoutUri: string;
}

/** What the app is by its redirect URI: on a device with an address of its own, in a browser, or a server. */
function describedBy({ name, kind, redirectUri, postLogoutUri }: AppForm, id: string): NewClient {
  const url = URL.parse(redirectUri);
  const web = url !== null && /^https?:$/.test(url.protocol);
  const native = kind === 'public' && (!web || /^(127\.0\.0\.1|\[::1\])$/.test(url.hostname));
  return {
    id,
    name,
    public: kind === 'public',
    applicationType: native ? 'native' : 'web',
    redirectUris: redirectUri === '' ? [] : [redirectUri],
    postLogoutRedirectUris: postLogoutUri === '' ? [] : [postLogoutUri],
    // A single-page app calls the token endpoint from its own origin.
    allowedOrigins: kind === 'public' && web ? [url.origin] : [],
    requireNonce: kind === 'public' || !isGrafana(redirectUri),
  };
}

async function firstApp(scope: FastifyInstance, { config, browser, oidc }: SetupRouteParts): Promise<void> {
  const { issuer, demo } = config.server;
  // Who it is comes before the form token, which is bound to the session.
  const people = oidc.askPerson(scope, '/setup/app');
  scope.addHook('preHandler', async (request, reply) => {
    if ((await rolesOf(people.op(request), people.of(request).account.id)).includes(SUPER_ADMIN)) return;
    const page = problemPage({
      code: 'role.missing',
      message: en.setup.needsAdministrator,
      requestId: request.id,
      actions: [{ label: en.account.title, href: '/account' }],
    });
    return sendPage(reply, page, 403);
  });
  browser.guard(scope, (request) => people.of(request).sessionUid);

  const formPage = async (
    request: FastifyRequest,
    reply: FastifyReply,
    form: AppForm,
    appId: string,
    errors: Record<string, string>,
  ) =>
    sendPage(
      reply,
      setupAppPage({
        first: (await list(people.op(request))).every(({ id }) => OURS.has(id)),
        action: '/setup/app',
        csrf: browser.token(request, reply, people.of(request).sessionUid),
        appId,
        values: { ...form, kind: form.kind === 'public' ? 'public' : 'web' },
        errors,
        skipHref: '/account',
      }),
      Object.keys(errors).length > 0 ? 400 : 200,
    );

  scope.get('/setup/app', (request, reply) =>
    formPage(
      request,
      reply,
      { name: '', kind: 'web', redirectUri: '', postLogoutUri: '' },
      randomUUIDv7(),
      {},
    ),
  );

  scope.post('/setup/app', async (request, reply) => {
    const form: AppForm = {
      name: field(request, 'name').trim(),
      kind: field(request, 'kind'),
      redirectUri: field(request, 'redirectUri').trim(),
      postLogoutUri: field(request, 'postLogoutUri').trim(),
    };
    const sent = field(request, 'appId');
    const appId = UUID.test(sent) ? sent : randomUUIDv7();
    if (form.kind !== 'web' && form.kind !== 'public') {
      return formPage(request, reply, form, appId, { kind: en.setup.kindMissing });
    }
    try {
      const { client, secret } = await create(people.op(request), describedBy(form, appId), 'setup');
      const app = { issuer, clientId: client.id, clientSecret: secret, redirectUri: form.redirectUri };
      const page = setupAppDonePage({
        ...app,
        snippets: snippetsOf(app),
        next: [
          { label: en.account.title, href: '/account' },
          { label: en.setup.addAnother, href: '/setup/app' },
          ...(demo ? [{ label: en.welcome.demo, href: '/demo' }] : []),
        ],
      });
      return sendPage(reply, page, 201);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.code === 'client.exists') return again(request, reply);
      if (error.code !== 'client.invalid' || !error.details) throw error;
      return formPage(request, reply, form, appId, errorsOf(error.details, error.message));
    }
  });

  /** The page with the secret was loaded again: there is no second app, and no second look at the secret. */
  const again = (request: FastifyRequest, reply: FastifyReply) =>
    sendPage(
      reply,
      problemPage({
        code: 'client.exists',
        title: en.setup.existsTitle,
        message: en.setup.exists,
        requestId: request.id,
        actions: [
          { label: en.setup.addAnother, href: '/setup/app' },
          { label: en.account.title, href: '/account' },
        ],
      }),
      409,
    );
}

/** A sentence for each field of the form; what belongs to none of them stands above. */
function errorsOf(details: Readonly<Record<string, string>>, message: string): Record<string, string> {
  const errors: Record<string, string> = {};
  for (const [name, fault] of Object.entries(details)) {
    const at = APP_FIELDS[name];
    if (at !== undefined) errors[at] = `${fault.charAt(0).toUpperCase()}${fault.slice(1)}.`;
  }
  return Object.keys(errors).length > 0 ? errors : { form: message };
}
