// The device authorization grant (RFC 8628): a device shows a code, a person enters it here and lets the device in, and
// the device, which asks again and again, gets tokens. Owns the rows in between and what the library asks about them.
//
//   waiting ──confirmed──▶ taken ──signed in, allowed──▶ answered ──polled──▶ consumed
//      └──────refused────────┴───▶ refused
//
// Each arrow is one compare-and-set: of two people who confirm one code, one goes on (P4). Both codes are stored as
// SHA-256 (R18); a row found by the code that people type is named by a marker, which no device can present. Guessing is
// bounded by address (RFC 8628 5.1), and whoever is sent a code by somebody else reads what it does before anything
// happens (5.4): nothing acts by GET.
import Provider, { type AdapterPayload, errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { Config } from '../../config/options.ts';
import { deviceCodePage, deviceConfirmPage, deviceEndPage } from '../../views/device.ts';
import type { Html } from '../../views/html.ts';
import { problemPage } from '../../views/problem.ts';
import { en } from '../../views/words.ts';
import { entry } from '../audit/audit.ts';
import { sha256 } from '../lib/secrets.ts';
import type { Lockouts } from '../lockouts/lockouts.ts';
import { CONSUME_DEVICE_CODE, FIND_DEVICE_CODE, type Row, run } from './rows.ts';
import { type TokenSource, type Unit, unitOf } from './unit.ts';

/** Where people enter codes; the binding of the form tokens there. */
export const DEVICE_PAGE = '/device';

/** Eight of twenty letters that spell no words and look like nothing else (RFC 8628 6.1). */
const CHARSET = 'base-20';
const MASK = '****-****';
const USER_CODE = /^[BCDFGHJKLMNPQRSTVWXZ]{8}$/;

/** Stands before the hash of a device code where its value is not known. No code issued here has a colon. */
const BY_USER_CODE = 'code:';

/** RFC 8628 3.5: seconds added to the interval of a device that asks too soon; there is an end to it. */
const SLOWER_BY = 5;
const SLOWEST = 120;

const INSERT = `INSERT INTO device_codes (id_hash, user_code_hash, client_id, created_at, expires_at, poll_interval, payload)
  VALUES ($1, $2, $3, to_timestamp($4), to_timestamp($5), $6, $7::text::jsonb)
  ON CONFLICT (user_code_hash) DO NOTHING RETURNING 1`;
const SEE = (
  key: 'id_hash' | 'user_code_hash',
) => `SELECT id_hash, client_id, account_id, in_flight_at IS NOT NULL AS in_flight,
  extract(epoch FROM created_at)::int AS iat, extract(epoch FROM expires_at)::int AS exp, payload
  FROM device_codes WHERE ${key} = $1`;
const SEE_BY_ID = SEE('id_hash');
const SEE_BY_USER_CODE = SEE('user_code_hash');
/** One statement, one clock: of polls at the same moment one alone is in time. A tenth is forgiven: timers are not exact. */
const POLL = `WITH before AS MATERIALIZED (
    SELECT id_hash, polled_at > clock_timestamp() - make_interval(secs => poll_interval * 0.9) AS early
    FROM device_codes WHERE id_hash = $1 FOR UPDATE)
  UPDATE device_codes d SET polled_at = clock_timestamp(),
    poll_interval = CASE WHEN early THEN least(poll_interval + ${SLOWER_BY}, ${SLOWEST}) ELSE poll_interval END
  FROM before WHERE d.id_hash = before.id_hash RETURNING early IS TRUE AS early`;
const OPEN = 'account_id IS NULL AND denied_at IS NULL AND expires_at > $2::timestamptz';
const TAKE = `UPDATE device_codes SET in_flight_at = $2::timestamptz
  WHERE id_hash = $1 AND in_flight_at IS NULL AND ${OPEN} RETURNING 1`;
const ANSWER = `UPDATE device_codes SET account_id = $3, account_epoch = $4, grant_id = $5, session_uid = $6,
    session_bound = $7, payload = $8::text::jsonb
  WHERE id_hash = $1 AND in_flight_at IS NOT NULL AND ${OPEN} RETURNING 1`;
/** From the question, by anybody who was asked; once it is taken, by that person alone. */
const REFUSE = `UPDATE device_codes SET denied_at = $2::timestamptz, payload = $4::text::jsonb
  WHERE id_hash = $1 AND (in_flight_at IS NOT NULL) = $3 AND ${OPEN} RETURNING 1`;

/** Somebody else, or another tab, was faster. */
class CodeUsed extends errors.InvalidRequest {
  constructor() {
    super('the code was used meanwhile');
  }
}

/** What the library's errors of this page are called: it has no other name for them. */
const RE_RENDERED: Readonly<Record<string, 'none' | 'unknown' | 'expired' | 'used' | 'denied'>> = {
  NoCodeError: 'none',
  NotFoundError: 'unknown',
  ExpiredError: 'expired',
  AlreadyUsedError: 'used',
  AbortedError: 'denied',
};
const STATUS = { none: 400, unknown: 400, expired: 410, used: 409, denied: 200 } as const;

const route = (): string | undefined => Provider.ctx?.oidc?.route;

/** Of the requests of a device flow whose person is here. */
export const isDevicePage = (ctx: KoaContextWithOIDC): boolean =>
  ctx.oidc.route === 'code_verification' || ctx.oidc.route === 'device_resume';

/** What the adapter shares with this store. */
export interface TokenRows {
  tokenPayload(unit: Unit, id: string, kind: string, row: Row): AdapterPayload;
  sourceOf(kind: TokenSource['kind'], row: Row): TokenSource;
  epochOf(unit: Unit, accountId: string): number;
  revokeFamily(unit: Unit, grantId: string): Promise<void>;
  revokeByGrantId(grantId: string): Promise<void>;
}

export interface DeviceStoreParts {
  config: Pick<Config, 'tokens'>;
  lockouts: Lockouts;
}

/** A waiting device's row as the library knows it, whichever way it was found. */
function seen(row: Row): AdapterPayload {
  const payload = row.payload as object;
  return {
    ...payload,
    jti: BY_USER_CODE + (row.id_hash as Buffer).toString('base64url'),
    kind: 'DeviceCode',
    clientId: row.client_id as string,
    ...(row.account_id === null ? {} : { accountId: row.account_id as string }),
    ...(row.in_flight ? { inFlight: true } : {}),
    iat: row.iat as number,
    exp: row.exp as number,
  };
}

const hashOf = (marker: string): Buffer => Buffer.from(marker.slice(BY_USER_CODE.length), 'base64url');

export function createDeviceCodes({ config, lockouts }: DeviceStoreParts, shared: TokenRows) {
  /** A device that still has to wait: throws slow_down where it asks too soon. */
  async function poll(unit: Unit, id: string): Promise<void> {
    const [row] = await run(await unit.writing(), POLL, [sha256(id)]);
    if (row?.early) throw new errors.SlowDown();
  }

  async function insert(unit: Unit, id: string, payload: AdapterPayload): Promise<void> {
    const { jti, kind, userCode, clientId, iat, exp, ...rest } = payload;
    // The library turns max_age=0 into a prompt, and this flow has none: the wish to ask anew would be lost.
    const params = rest.params as Record<string, string>;
    if (params.prompt === 'login') params.max_age = '0';
    const [made] = await run(await unit.writing(), INSERT, [
      sha256(id),
      sha256(userCode as string),
      clientId as string,
      iat as number,
      exp as number,
      config.tokens.devicePollInterval,
      JSON.stringify(rest),
    ]);
    // One in billions: the device asks again.
    if (!made) throw new errors.TemporarilyUnavailable('try again');
    unit.entries.push(entry('device.codeIssued', { client: clientId as string }, {}));
  }

  async function move(unit: Unit, marker: string, payload: AdapterPayload): Promise<void> {
    const { jti, kind, userCode, iat, exp, consumed, inFlight, ...rest } = payload;
    const { clientId, accountId, grantId, sessionUid, expiresWithSession, ...stored } = rest;
    const writing = await unit.writing();
    const at = [hashOf(marker), unit.now.toISOString()];
    const about = { client: clientId as string };
    if (typeof stored.error === 'string') {
      // What went wrong is this request alone: the other one has the person's answer.
      if (unit.lostResume) throw new CodeUsed();
      const done = await run(writing, REFUSE, [...at, inFlight === true, JSON.stringify(stored)]);
      if (done.length === 0) throw new CodeUsed();
      const subject = Provider.ctx?.oidc?.session?.accountId;
      unit.entries.push(entry('device.denied', { ...about, subject }, { error: stored.error }));
    } else if (accountId !== undefined) {
      const done = await run(writing, ANSWER, [
        ...at,
        accountId,
        shared.epochOf(unit, accountId),
        grantId as string,
        sessionUid ?? null,
        expiresWithSession === true,
        JSON.stringify(stored),
      ]);
      if (done.length === 0) throw new CodeUsed();
      const parties = { ...about, subject: accountId, session: sessionUid, grant: grantId };
      unit.entries.push(entry('device.approved', parties, { scope: String(stored.scope ?? '') }));
    } else {
      const done = await run(writing, TAKE, at);
      if (done.length === 0) throw new CodeUsed();
    }
  }

  return {
    async find(id: string) {
      const unit = unitOf();
      if (route() !== 'token') {
        if (!id.startsWith(BY_USER_CODE)) return undefined;
        const [row] = await run(unit.db(), SEE_BY_ID, [hashOf(id)]);
        return row ? seen(row) : undefined;
      }
      const [row] = await run(unit.db(), FIND_DEVICE_CODE, [sha256(id), unit.now.toISOString()]);
      if (!row) return undefined;
      if (row.account_id !== null) {
        unit.source = shared.sourceOf('device', row);
        return {
          ...shared.tokenPayload(unit, id, 'DeviceCode', row),
          ...(row.consumed ? { consumed: true } : {}),
        };
      }
      const { clientId, exp, ...payload } = seen({ ...row, id_hash: sha256(id) });
      const own = clientId === Provider.ctx?.oidc?.client?.clientId;
      if (own && !row.denied && (exp as number) * 1000 > unit.now.getTime()) await poll(unit, id);
      return { ...payload, clientId, exp, jti: id } as AdapterPayload;
    },

    /** By what a person typed, normalised by the library. Counted before it is looked up. */
    async findByUserCode(userCode: string) {
      if (!USER_CODE.test(userCode)) return undefined;
      const unit = unitOf();
      const op = unit.op();
      const { address } = unit.facts;
      const reservation = await lockouts.reserveUserCode(op, address);
      if (!reservation.allowed) {
        unit.retryAfter = reservation.retryAfter;
        unit.entries.push(entry('device.codeRefused', {}, { reason: 'throttled' }));
        const refused = new errors.CustomOIDCProviderError('temporarily_unavailable', 'too many wrong codes');
        throw Object.assign(refused, { status: 429, statusCode: 429, expose: true });
      }
      const [row] = await run(unit.db(), SEE_BY_USER_CODE, [sha256(userCode)]);
      if (row) {
        await lockouts.giveBackUserCode(op, address);
        return { ...seen(row), userCode };
      }
      await lockouts.failedUserCode(op, reservation);
      unit.entries.push(entry('device.codeRefused', {}, { reason: 'unknown' }));
      return undefined;
    },

    async upsert(id: string, payload: AdapterPayload) {
      const unit = unitOf();
      await (id.startsWith(BY_USER_CODE) ? move(unit, id, payload) : insert(unit, id, payload));
    },

    async consume(id: string) {
      const unit = unitOf();
      // A refusal stays one, however often it is read.
      if (!unit.source) return;
      const writing = await unit.writing();
      const parameters = [sha256(id), unit.now.toISOString()];
      const spent = await run(writing, CONSUME_DEVICE_CODE, [...parameters, unit.source.grantId]);
      if (spent.length > 0) return;
      const [row] = await run(writing, FIND_DEVICE_CODE, parameters);
      if (!row) throw new errors.InvalidGrant('device code not found');
      // Redeemed between our read and our write: a replay, as with authorization codes.
      await shared.revokeFamily(unit, row.grant_id as string);
      throw new errors.InvalidGrant('device code already consumed');
    },

    revokeByGrantId: shared.revokeByGrantId,
  };
}

/** Our form token, checked before the library sees the form, and the library's own. */
interface PageForm {
  action: string;
  csrf: string;
  xsrf: string;
}

/** What the library's types keep to themselves. */
const sessionOf = (ctx: KoaContextWithOIDC) =>
  ctx.oidc.session as unknown as { state: object | undefined; touched: boolean; exp: number | undefined };

function formOf(ctx: KoaContextWithOIDC, unit: Unit): PageForm {
  if (unit.device === null) throw new Error('a device page without a form token');
  const { csrf } = unit.device;
  // The library makes another one for each page, and the form of the tab before would be good no longer.
  sessionOf(ctx).state = { secret: csrf };
  return { action: DEVICE_PAGE, csrf, xsrf: csrf };
}

function show(ctx: KoaContextWithOIDC, page: Html, status: number): void {
  ctx.type = 'html';
  ctx.status = status;
  ctx.body = String(page);
}

/** No form on the page: its state is dropped, so that a browser without a session is not given one. */
function withoutForm(ctx: KoaContextWithOIDC): void {
  const session = sessionOf(ctx);
  session.state = undefined;
  // The library has made it a state and would save it, and fails where there was no session yet.
  if (session.exp === undefined) session.touched = false;
}

const linkWith = (userCode: string): string =>
  userCode === '' ? DEVICE_PAGE : `${DEVICE_PAGE}?${new URLSearchParams({ user_code: userCode })}`;

export interface DeviceFlowParts {
  /** Any other failure. */
  renderError(
    ctx: KoaContextWithOIDC,
    out: { error: string; error_description?: string | undefined },
    error: Error,
  ): Promise<void> | void;
}

type Out = { error: string; error_description?: string };

/** The library's configuration of the feature: the pages of this flow. */
export const deviceFlow = ({ renderError }: DeviceFlowParts) => ({
  enabled: true,
  charset: CHARSET as 'base-20',
  mask: MASK,

  /** What the confirmation shows of the device: where it is, and what it calls itself. */
  deviceInfo: () => {
    const { address, userAgent } = unitOf().facts;
    return { address, userAgent };
  },

  userCodeInputSource: async (ctx: KoaContextWithOIDC, _form: string, out?: Out, error?: Error) => {
    const unit = unitOf();
    const typed = error ? String(ctx.oidc.params?.user_code ?? '').slice(0, 50) : (unit.device?.typed ?? '');
    if (!error) {
      show(ctx, deviceCodePage({ ...formOf(ctx, unit), userCode: typed, error: null }), 200);
      return;
    }
    const kind = error instanceof CodeUsed ? 'used' : RE_RENDERED[error.name];
    if (kind === 'none' || kind === 'unknown') {
      const page = deviceCodePage({ ...formOf(ctx, unit), userCode: typed, error: en.device[kind] });
      show(ctx, page, STATUS[kind]);
      return;
    }
    withoutForm(ctx);
    if (kind) {
      const clientName = ctx.oidc.client?.clientName ?? null;
      show(
        ctx,
        deviceEndPage({
          kind,
          clientName,
          again: DEVICE_PAGE,
          requestId: kind === 'denied' ? null : unit.facts.id,
        }),
        STATUS[kind],
      );
      return;
    }
    const again = { label: en.device.again, href: linkWith(typed) };
    const problem = (code: string, message: string, status: number) => {
      const actions = [again, { label: en.common.toStart, href: '/' }];
      show(ctx, problemPage({ code, message, requestId: unit.facts.id, actions }), status);
    };
    if (unit.retryAfter !== null) {
      problem('request.tooMany', en.device.tooMany(en.common.duration(unit.retryAfter)), 429);
    } else if (ctx.oidc.route === 'code_verification' && !ctx.oidc.entities.DeviceCode && ctx.status < 500) {
      // The library's own form state: another tab has a newer one, or the session ended meanwhile.
      problem('request.formExpired', en.device.formExpired, 403);
    } else await renderError(ctx, out ?? { error: 'invalid_request' }, error);
  },

  userCodeConfirmSource: async (
    ctx: KoaContextWithOIDC,
    _form: string,
    client: { clientId: string; clientName?: string | undefined },
    deviceInfo: Record<string, unknown>,
    userCode: string,
  ) => {
    const unit = unitOf();
    const account = unit.accounts.get(ctx.oidc.session?.accountId ?? '');
    const told = (value: unknown) => (typeof value === 'string' && value !== '' ? value : null);
    const page = deviceConfirmPage({
      ...formOf(ctx, unit),
      userCode,
      clientName: client.clientName ?? client.clientId,
      address: told(deviceInfo.address),
      userAgent: told(deviceInfo.userAgent),
      email: account?.email ?? null,
    });
    show(ctx, page, 200);
  },

  successSource: async (ctx: KoaContextWithOIDC) => {
    const clientName = ctx.oidc.client?.clientName ?? null;
    show(ctx, deviceEndPage({ kind: 'allowed', clientName, again: null, requestId: null }), 200);
  },
});

/** RFC 8628 3.2: the library leaves out how long a device should pause. */
export function addInterval(ctx: KoaContextWithOIDC, seconds: number): void {
  if (ctx.oidc.route === 'device_authorization' && ctx.status === 200)
    ctx.body = { ...(ctx.body as object), interval: seconds };
}
