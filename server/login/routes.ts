// The dispatcher of every interaction, and the sign-in page. `/interaction/:uid` is where the protocol sends a
// person, and where every step comes back to: it alone decides what is next, from the stored state.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../../config/options.ts';
import type { Database } from '../../drizzle/database.ts';
import { signInPage } from '../../views/sign-in.ts';
import { en } from '../../views/words.ts';
import { entry, write } from '../audit/audit.ts';
import { type KnownClients, OWN_CLIENT } from '../clients/clients.ts';
import { opOf } from '../http/arrival.ts';
import type { Browser } from '../http/browser.ts';
import { allowFormTarget } from '../http/headers.ts';
import { sendPage } from '../http/page.ts';
import { Problem } from '../lib/problems.ts';
import { finish, type Interaction, load, locked, nextStep } from '../oidc/interactions.ts';
import type { Oidc } from '../oidc/oidc.ts';
import { ACR_PASSWORD } from '../oidc/oidc.ts';
import { type LoginParts, withPassword } from './login.ts';

export interface LoginRouteParts extends LoginParts {
  config: Config;
  db: Database;
  browser: Browser;
  clients: KnownClients;
  oidc: Oidc;
}

interface Uid {
  Params: { uid: string };
}

export function loginRoutes(scope: FastifyInstance, parts: LoginRouteParts): void {
  const { db, browser, clients, oidc } = parts;
  oidc.helpPeople(scope);
  browser.guard(scope, (request) => `interaction:${(request.params as { uid?: string }).uid ?? ''}`);

  scope.get<Uid>('/interaction/:uid', async (request, reply) => {
    const { uid } = request.params;
    const op = opOf(db, request);
    const hash = oidc.browserHash(request, reply);
    const state = await load(op, uid, hash);
    switch (nextStep(state)) {
      case 'password':
        return reply.redirect(`/login/${uid}`, 303);
      case 'consent':
        return reply.redirect(`/consent/${uid}`, 303);
      case 'finish':
        return reply.redirect(
          await locked(op, uid, hash, (op, state) =>
            nextStep(state) === 'finish'
              ? finish(op, state, { kind: 'signedIn', acr: ACR_PASSWORD, amr: ['pwd'] })
              : Promise.resolve(state.returnTo),
          ),
          303,
        );
      case 'resume':
        return reply.redirect(state.returnTo, 303);
    }
  });

  async function page(
    request: FastifyRequest<Uid>,
    reply: FastifyReply,
    state: Interaction,
    shown: { email: string; error: string | null; status: number },
  ) {
    const { uid } = state;
    const app = await clients.find(state.clientId);
    const own = app?.row.id === OWN_CLIENT;
    if (state.params.redirect_uri) allowFormTarget(reply, state.params.redirect_uri);
    const asked = state.session ? en.signIn.again : null;
    return sendPage(
      reply,
      signInPage({
        action: `/login/${uid}/password`,
        csrf: browser.token(request, reply, `interaction:${uid}`),
        clientName: own ? null : (app?.row.name ?? null),
        email: shown.email,
        error: shown.error === null ? null : { message: shown.error },
        cancel: own ? null : { action: `/login/${uid}/cancel`, device: state.device },
        notice: asked,
      }),
      shown.status,
    );
  }

  scope.get<Uid>('/login/:uid', async (request, reply) => {
    const { uid } = request.params;
    const state = await load(opOf(db, request), uid, oidc.browserHash(request, reply));
    if (nextStep(state) !== 'password') return reply.redirect(`/interaction/${uid}`, 303);
    const hint = typeof state.params.login_hint === 'string' ? state.params.login_hint.slice(0, 254) : '';
    return page(request, reply, state, { email: hint, error: null, status: 200 });
  });

  scope.post<Uid>('/login/:uid/password', async (request, reply) => {
    const { uid } = request.params;
    const { email = '', password = '' } = (request.body ?? {}) as { email?: string; password?: string };
    const op = opOf(db, request);
    const browserHash = oidc.browserHash(request, reply);
    const state = await load(op, uid, browserHash);
    if (nextStep(state) !== 'password') return reply.redirect(`/interaction/${uid}`, 303);
    try {
      await withPassword(op, { uid, browserHash, email, password }, parts);
    } catch (error) {
      if (!(error instanceof Problem) || !['signIn.failed', 'password.tooLong'].includes(error.code))
        throw error;
      return page(request, reply, state, { email, error: en.signIn.failed, status: 401 });
    }
    return reply.redirect(`/interaction/${uid}`, 303);
  });

  scope.post<Uid>('/login/:uid/cancel', async (request, reply) => {
    const { uid } = request.params;
    const op = opOf(db, request);
    const returnTo = await locked(op, uid, oidc.browserHash(request, reply), async (op, state) => {
      if (!state.finished) await write(op, [entry('signIn.abandoned', { client: state.clientId }, {})]);
      return finish(op, state, { kind: 'abandoned', why: 'the person went back without signing in' });
    });
    return reply.redirect(returnTo, 303);
  });
}
