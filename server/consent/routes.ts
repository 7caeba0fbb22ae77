// Asking a person whether an app may have what it asks for (P9). The answer is taken from the person whose session
// the request began with, if that session still stands; what is granted is what the page listed (R49).
import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config/options.ts';
import type { Database } from '../../drizzle/database.ts';
import { consentPage } from '../../views/consent.ts';
import { find as findAccount } from '../accounts/accounts.ts';
import { claimsByScope } from '../accounts/claims.ts';
import { entry, write } from '../audit/audit.ts';
import type { ClientRow, KnownClients } from '../clients/clients.ts';
import { beyond, consented, lookOf, record } from '../consents/consents.ts';
import { opOf } from '../http/arrival.ts';
import type { Browser } from '../http/browser.ts';
import { allowFormTarget } from '../http/headers.ts';
import { sendPage } from '../http/page.ts';
import { actingAs, type Op } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';
import { isStandard } from '../lib/scopes.ts';
import { sha256base64url } from '../lib/secrets.ts';
import { grantFor } from '../oidc/grants.ts';
import {
  askAgain,
  beginAgain,
  finish,
  type Interaction,
  InteractionOver,
  load,
  locked,
  nextStep,
  sessionEpoch,
} from '../oidc/interactions.ts';
import type { Oidc } from '../oidc/oidc.ts';
import { type KnownResources, type ResourceRow, scopesAt } from '../resources/resources.ts';

export interface ConsentParts {
  config: Config;
  db: Database;
  browser: Browser;
  clients: KnownClients;
  resources: KnownResources;
  oidc: Oidc;
}

interface Uid {
  Params: { uid: string };
}

const DAY = 86_400;
const list = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];

/** Everything the app asks for, whether granted before or not. */
const askedScopes = (state: Interaction): string[] =>
  (state.params.scope ?? '').split(' ').filter(isStandard);

/** Claims asked for one by one, as the claims parameter can (Core 5.5). */
const askedClaims = (state: Interaction): string[] => list(state.details.missingOIDCClaims);

/** The page shows them as the scopes that hold them: at least what the app would get. */
const scopesOfClaims = (claims: readonly string[]): string[] =>
  Object.entries(claimsByScope)
    .filter(([, names]) => (names as readonly string[]).some((name) => claims.includes(name)))
    .map(([scope]) => scope);

interface AskedApi {
  row: ResourceRow;
  scopes: string[];
}

const accessTo = (scopes: string[], apis: readonly AskedApi[]) => ({
  scopes,
  resources: Object.fromEntries(apis.map(({ row, scopes }) => [row.id, scopes])),
});

/** Stands for all that the page shows of the app and what it asks for: what is allowed is what was seen. */
const markOf = (app: ClientRow, state: Interaction, apis: readonly AskedApi[]): string =>
  sha256base64url(
    JSON.stringify([
      app.name,
      app.clientUri,
      lookOf(app),
      accessTo(askedScopes(state), apis),
      apis.map(({ row }) => row.name),
      askedClaims(state),
    ]),
  );

export function consentRoutes(
  scope: FastifyInstance,
  { config, db, browser, clients, resources, oidc }: ConsentParts,
): void {
  oidc.helpPeople(scope);
  browser.guard(scope, (request) => `interaction:${(request.params as { uid?: string }).uid ?? ''}`);

  /** The person asked and the app asking; without either the request has to begin again. */
  async function parties(op: Op, state: Interaction) {
    const { session } = state;
    const epoch = session ? await sessionEpoch(op, session) : null;
    const app = await clients.find(state.clientId, op.db);
    if (!session || epoch === null || !app) {
      throw new InteractionOver('expired', { clientId: state.clientId, href: beginAgain(state) });
    }
    return { session, epoch, app };
  }

  /** The APIs it wants tokens for, as the library lets it (server/oidc/resources.ts), with the scopes asked for there. */
  async function askedApis(op: Op, state: Interaction, app: ClientRow): Promise<AskedApi[]> {
    const wanted = (state.params.scope ?? '').split(' ').filter((scope) => app.scopes.includes(scope));
    const apis: AskedApi[] = [];
    for (const id of new Set([state.params.resource ?? []].flat())) {
      const row = app.resources.includes(id) ? await resources.find(id, op.db) : null;
      if (row) apis.push({ row, scopes: scopesAt(row, wanted) });
    }
    return apis;
  }

  scope.get<Uid>('/consent/:uid', async (request, reply) => {
    const { uid } = request.params;
    const op = opOf(db, request);
    const state = await load(op, uid, oidc.browserHash(request, reply));
    if (nextStep(state) !== 'consent') return reply.redirect(`/interaction/${uid}`, 303);
    const { session, app } = await parties(op, state);
    const account = await findAccount(op, session.accountId);
    if (!account) throw new InteractionOver('expired', { clientId: state.clientId, href: beginAgain(state) });
    const asked = [...new Set([...askedScopes(state), ...scopesOfClaims(askedClaims(state))])];
    const apis = await askedApis(op, state, app.row);
    const fresh = beyond(accessTo(asked, apis), await consented(op, account.id, app.row));
    const redirectUri = state.params.redirect_uri ?? '';
    allowFormTarget(reply, redirectUri);
    const target = URL.parse(redirectUri);
    return sendPage(
      reply,
      consentPage({
        action: `/consent/${uid}`,
        csrf: browser.token(request, reply, `interaction:${uid}`),
        asked: markOf(app.row, state, apis),
        clientName: app.row.name,
        clientUri: app.row.clientUri,
        unverified: app.row.registeredBy === 'dynamic',
        redirectHost: state.device ? null : target?.host || target?.protocol.replace(/:$/, '') || '',
        account: { email: account.email, name: account.name },
        scopes: asked.map((name) => ({ name, known: true })),
        newScopes: fresh.scopes,
        apis: apis.map(({ row, scopes }) => ({
          name: row.name,
          scopes,
          newScopes: fresh.resources[row.id] ?? null,
        })),
        grantDays: Math.max(1, Math.round(config.tokens.grantMaxAge / DAY)),
        switchAction: `/consent/${uid}/switch`,
      }),
    );
  });

  scope.post<Uid>('/consent/:uid', async (request, reply) => {
    const { uid } = request.params;
    const { decision, asked } = (request.body ?? {}) as { decision?: string; asked?: string };
    if (decision !== 'allow' && decision !== 'deny') throw new Problem('request.invalid');
    const hash = oidc.browserHash(request, reply);
    const returnTo = await locked(opOf(db, request), uid, hash, async (op, state) => {
      if (nextStep(state) !== 'consent') return null;
      const { session, epoch, app } = await parties(op, state);
      const asPerson = actingAs(op, 'account', session.accountId);
      const about = { subject: session.accountId, client: app.row.id, session: session.uid };
      if (decision === 'deny') {
        await write(asPerson, [entry('consent.refused', about, {})]);
        return finish(op, state, { kind: 'abandoned', why: 'the person refused' });
      }
      const apis = await askedApis(op, state, app.row);
      // The app or an API has changed since the page was made: the person is shown what it is now.
      if (asked !== markOf(app.row, state, apis)) return `/consent/${uid}`;
      const access = accessTo(askedScopes(state), apis);
      await record(asPerson, session.accountId, app.row, access);
      const grantId = await grantFor(asPerson, {
        sessionUid: session.uid,
        accountId: session.accountId,
        accountEpoch: epoch,
        clientId: app.row.id,
        look: lookOf(app.row),
        access,
        claims: askedClaims(state),
        maxAge: config.tokens.grantMaxAge,
      });
      await write(asPerson, [
        entry('consent.given', { ...about, grant: grantId }, { ...access, source: 'person' }),
      ]);
      return finish(op, state, { kind: 'consented', grantId });
    });
    return reply.redirect(returnTo ?? `/interaction/${uid}`, 303);
  });

  /** Somebody else sits here: the same request again, asking who signs in. */
  scope.post<Uid>('/consent/:uid/switch', async (request, reply) => {
    const { uid } = request.params;
    const hash = oidc.browserHash(request, reply);
    await locked(opOf(db, request), uid, hash, askAgain);
    return reply.redirect(`/interaction/${uid}`, 303);
  });
}
