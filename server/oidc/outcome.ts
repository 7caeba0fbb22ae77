// What a protocol request came to, as audit entries (R57): read from the library's own context after it is done,
// by an allow-list of fields (R58), and written in the request's transaction.
import type { KoaContextWithOIDC } from 'oidc-provider';
import { type Entry, entry } from '../audit/audit.ts';
import type { By } from '../lib/op.ts';
import type { Seen } from '../refusals/refusals.ts';
import type { Unit } from './unit.ts';

export interface Refusal {
  error: string;
  /** The internal reason: for the log and the audit trail, never for the answer. */
  why: string;
}

/** Endpoints an app authenticates at. */
const AUTHENTICATED = new Set([
  'token',
  'pushed_authorization_request',
  'device_authorization',
  'introspection',
  'revocation',
]);

export const isFailedAuthentication = (ctx: KoaContextWithOIDC): boolean =>
  AUTHENTICATED.has(ctx.oidc.route) && ctx.status === 401;

/** No refusals: what a device hears until a person has answered (RFC 8628 3.5), and an app that shall say a nonce. */
export const WAITING = new Set(['authorization_pending', 'slow_down', 'use_dpop_nonce']);

/** Cut, and whole again where the cut went through a character: half of one cannot be stored. */
const text = (value: unknown): string =>
  typeof value === 'string' ? value.slice(0, 300).toWellFormed() : '';

/** Adds the request's entries to the unit and answers who acted. */
export function noteOutcome(
  ctx: KoaContextWithOIDC,
  unit: Unit,
  refusal: Refusal | null,
): Pick<By, 'kind' | 'id'> {
  const { oidc } = ctx;
  const { entities, client, route } = oidc;
  const clientId = client?.clientId ?? null;
  const note = (one: Entry) => unit.entries.push(one);

  if (route === 'end_session_confirm') {
    // The app may have led here, but it is the person who decides.
    const person = oidc.session?.accountId;
    if (unit.endedSessions.size === 0) {
      for (const grant of unit.revoked) {
        note(entry('token.revoked', { subject: person, client: clientId, grant }, { kind: 'Grant' }));
      }
    }
    return person ? { kind: 'account', id: person } : { kind: 'anonymous', id: null };
  }

  if (isFailedAuthentication(ctx)) {
    note(entry('client.authenticationFailed', { client: clientId }, { endpoint: route }));
    return { kind: 'anonymous', id: null };
  }

  if (route === 'authorization' || route === 'resume') {
    const code = entities.AuthorizationCode;
    const subject = oidc.session?.accountId ?? null;
    if (code) {
      const about = {
        subject: code.accountId,
        client: clientId,
        session: code.sessionUid,
        grant: code.grantId,
      };
      note(entry('authorization.granted', about, { scope: text(code.scope) }));
    } else if (refusal && clientId) {
      note(entry('authorization.refused', { subject, client: clientId }, { ...refusal }));
    }
    return subject ? { kind: 'account', id: subject } : { kind: 'anonymous', id: null };
  }

  if (route === 'code_verification' || route === 'device_resume') {
    // What became of the device is noted where its row changes (device.ts).
    const subject = oidc.session?.accountId ?? null;
    return subject ? { kind: 'account', id: subject } : { kind: 'anonymous', id: null };
  }

  if ((route === 'device_authorization' || route === 'pushed_authorization_request') && refusal && clientId) {
    note(entry('authorization.refused', { client: clientId }, { ...refusal }));
  }

  if (route === 'token') {
    // A token an app got in its own name is no row here: there may be thousands a second, and they concern nobody.
    const grantType = text(oidc.params?.grant_type);
    const token = entities.AccessToken;
    if (ctx.status === 200 && token) {
      const about = {
        subject: token.accountId,
        client: clientId,
        session: token.sessionUid,
        grant: token.grantId,
      };
      const scope = text(token.scope);
      const at = token.aud === undefined ? {} : { resource: String(token.aud) };
      if (grantType === 'refresh_token') {
        note(entry('token.refreshed', about, { scope, ...at, replayed: unit.replayedSuccessor !== null }));
      } else {
        note(
          entry('token.issued', about, {
            grantType,
            scope,
            ...at,
            refreshToken: entities.RefreshToken !== undefined,
          }),
        );
      }
    } else if (refusal && clientId && !WAITING.has(refusal.error)) {
      const about = { subject: unit.source?.accountId, client: clientId, grant: unit.source?.grantId };
      note(entry('token.refused', about, { ...refusal, grantType }));
    }
  } else if (route === 'revocation' && ctx.status === 200) {
    const ofPerson = entities.RefreshToken ?? entities.AccessToken;
    const token = ofPerson ?? entities.ClientCredentials;
    if (token && token.clientId === clientId) {
      const about = { subject: ofPerson?.accountId, client: clientId, grant: ofPerson?.grantId };
      note(entry('token.revoked', about, { kind: token.kind }));
    }
  }
  return clientId ? { kind: 'client', id: clientId } : { kind: 'anonymous', id: null };
}

interface LibraryError extends Error {
  error_description?: string;
  error_detail?: string;
}

/** Said of everything of their kind: only the detail tells. */
const GENERAL = /^(client authentication failed|grant request is invalid|invalid token provided)$/;

/** The library's reason, without what it quotes: a parser says what it read, which is not ours to keep. */
export function reasonOf(error: LibraryError): string {
  const { error_description: said = '', error_detail: detail = said, cause } = error;
  if (cause instanceof SyntaxError) return text(said);
  if (cause instanceof Error && said !== '' && !GENERAL.test(said)) return text(`${said}: ${detail}`);
  return text(detail.replace(/^origin .* not allowed/s, 'origin not allowed'));
}

/** Where an app asks, by the library's routes; people's pages are not among them. */
const ENDPOINTS: Readonly<Record<string, string>> = {
  authorization: 'authorization',
  resume: 'authorization',
  token: 'token',
  pushed_authorization_request: 'pushed_authorization_request',
  device_authorization: 'device_authorization',
  introspection: 'introspection',
  revocation: 'revocation',
  end_session: 'end_session',
};

/** Of a JWT that nobody has verified. */
function subjectOf(jwt: unknown): unknown {
  if (typeof jwt !== 'string') return undefined;
  try {
    return JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString())?.sub;
  } catch {
    return undefined;
  }
}

/** The client_id of a request that was refused before the library looked at who asks. */
function claimedClient(ctx: KoaContextWithOIDC, params: Readonly<Record<string, unknown>>): string | null {
  const [, basic = ''] = /^basic +([\w+/=-]+)$/i.exec(ctx.headers.authorization ?? '') ?? [];
  const ids = [
    [params.client_id].flat()[0],
    Buffer.from(basic, 'base64').toString().split(':', 1)[0],
    subjectOf(params.client_assertion),
  ];
  return ids.find((id): id is string => typeof id === 'string' && /^[\w.~-]{1,100}$/.test(id)) ?? null;
}

/** A refusal for the developer of the app; null where it concerns none. The app may be one that does not exist. */
export function refusedOf(
  ctx: KoaContextWithOIDC,
  { error, why }: Refusal,
): (Omit<Seen, 'requestId' | 'at'> & { clientId: string }) | null {
  const endpoint = ENDPOINTS[ctx.oidc.route];
  // An app that does not know it has to repeat its request with the nonce shows it nowhere else.
  if (endpoint === undefined || (WAITING.has(error) && error !== 'use_dpop_nonce')) return null;
  // The library drops some of what it refuses from its own copy.
  const given = Object.entries(ctx.oidc.params ?? {}).filter(([, value]) => value !== undefined);
  const params = { ...ctx.query, ...(ctx.oidc.body as object | undefined), ...Object.fromEntries(given) };
  const unseen = why.endsWith('client not found') ? null : claimedClient(ctx, params);
  const clientId = ctx.oidc.client?.clientId ?? unseen;
  return clientId === null
    ? null
    : { clientId, endpoint, error, why, received: { params, headers: ctx.headers } };
}
