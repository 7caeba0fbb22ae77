// The library's storage, on PostgreSQL. Its contract is wider than "store and find": every single-use object is
// spent by compare-and-set (R11, R15), nothing revoked comes back (R16), credentials are stored as SHA-256
// (R18), and a spent refresh token yields its one successor inside the replay window (P3).
//
//   refresh token   live ──use──▶ spent, window open ──window over or successor used──▶ spent
//                                   │ use: the same successor                            │ use: theft, family revoked
import Provider, { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import type { Config } from '../../config/options.ts';
import { entry } from '../audit/audit.ts';
import type { KnownClients } from '../clients/clients.ts';
import { openUnder, sealUnder } from '../lib/seal.ts';
import { sha256 } from '../lib/secrets.ts';
import { isStorable } from '../lib/text.ts';
import type { Lockouts } from '../lockouts/lockouts.ts';
import { clientTokens } from './client-tokens.ts';
import { createDeviceCodes } from './device.ts';
import { metadataOf } from './metadata.ts';
import { pushedRequests } from './pushed.ts';
import * as rows from './rows.ts';
import { type StoredPayload, type TokenSource, type Unit, unitOf } from './unit.ts';

const { run } = rows;
type Row = rows.Row;

/** Marks a session found by its uid: its identifier is not known here and must never be saved back. */
const BY_UID = 'uid:';
/** Names the key that seals a successor under its predecessor. */
const SUCCESSOR = 'refresh token successor';

export interface AdapterParts {
  clients: KnownClients;
  lockouts: Lockouts;
  config: Pick<Config, 'tokens'>;
}

const route = (): string | undefined => Provider.ctx?.oidc?.route;

function remember(unit: Unit, row: Row): void {
  const account = rows.accountOf(row);
  unit.accounts.set(account.id, account);
  unit.epochs.set(account.id, account.epoch);
}

function epochOf(unit: Unit, accountId: string): number {
  const epoch = unit.epochs.get(accountId);
  if (epoch === undefined)
    throw new Error('nothing in this request proved the account that a row is written for');
  return epoch;
}

const sourceOf = (kind: TokenSource['kind'], row: Row): TokenSource => ({
  kind,
  accountId: row.account_id as string,
  clientId: row.client_id as string,
  grantId: row.grant_id as string,
});

const grantPayload = (id: string, row: Row): StoredPayload => ({
  ...(row.g_payload as object),
  jti: id,
  kind: 'Grant',
  accountId: row.account_id,
  clientId: row.g_client_id,
  iat: row.g_iat,
  exp: row.g_exp,
});

/** A token's payload as the library knows it, and beside it what its row was joined with. */
function tokenPayload(unit: Unit, id: string, kind: string, row: Row): AdapterPayload {
  remember(unit, row);
  unit.grants.set(row.grant_id as string, grantPayload(row.grant_id as string, row));
  if (row.s_uid !== null) {
    unit.sessions.set(row.s_uid as string, {
      jti: BY_UID + row.s_uid,
      kind: 'Session',
      uid: row.s_uid,
      accountId: row.account_id,
      exp: row.s_exp,
      authorizations: row.s_authorizations ?? {},
    });
  }
  return {
    ...(row.payload as object),
    jti: id,
    kind,
    accountId: row.account_id as string,
    clientId: row.client_id as string,
    grantId: row.grant_id as string,
    ...(row.session_uid === null ? {} : { sessionUid: row.session_uid as string }),
    ...(row.session_bound ? { expiresWithSession: true } : {}),
    iat: row.iat as number,
    exp: row.exp as number,
  };
}

function tokenParameters(
  unit: Unit,
  id: string,
  payload: AdapterPayload,
): (string | number | boolean | null | Buffer)[] {
  const {
    jti,
    kind,
    accountId,
    clientId,
    grantId,
    sessionUid,
    expiresWithSession,
    iat,
    exp,
    consumed,
    ...rest
  } = payload;
  return [
    sha256(id),
    accountId as string,
    epochOf(unit, accountId as string),
    clientId as string,
    grantId as string,
    sessionUid ?? null,
    expiresWithSession === true,
    iat as number,
    exp as number,
    JSON.stringify(rest),
  ];
}

/** Everything issued on a grant; the library asks once per model, one statement serves them all (R20). */
async function revokeByGrantId(grantId: string): Promise<void> {
  const unit = unitOf();
  if (unit.revoked.has(grantId)) return;
  unit.revoked.add(grantId);
  if (route() === 'token' && unit.source?.grantId === grantId) unit.reuse = unit.source;
  const writing = await unit.writing();
  await run(writing, rows.LOCK_GRANT, [grantId]);
  await run(writing, rows.DELETE_TOKENS_OF_GRANT, [grantId]);
}

async function revokeFamily(unit: Unit, grantId: string): Promise<void> {
  await revokeByGrantId(grantId);
  await run(await unit.writing(), rows.REVOKE_GRANT, [grantId, unit.now.toISOString(), 'reuse']);
}

const accessTokens = {
  async find(id: string) {
    const unit = unitOf();
    const [row] = await run(unit.db(), rows.FIND_ACCESS_TOKEN, [sha256(id), unit.now.toISOString()]);
    return row ? tokenPayload(unit, id, 'AccessToken', row) : undefined;
  },
  async upsert(id: string, payload: AdapterPayload) {
    const unit = unitOf();
    await unit.send(rows.INSERT_ACCESS_TOKEN, tokenParameters(unit, id, payload));
  },
  async destroy(id: string) {
    await run(await unitOf().writing(), rows.DELETE_ACCESS_TOKEN, [sha256(id)]);
  },
  revokeByGrantId,
};

const authorizationCodes = {
  async find(id: string) {
    const unit = unitOf();
    const [row] = await run(unit.db(), rows.FIND_CODE, [sha256(id), unit.now.toISOString()]);
    if (!row) return undefined;
    unit.source = sourceOf('code', row);
    return {
      ...tokenPayload(unit, id, 'AuthorizationCode', row),
      ...(row.consumed ? { consumed: true } : {}),
    };
  },
  async upsert(id: string, payload: AdapterPayload) {
    const unit = unitOf();
    await unit.send(rows.INSERT_CODE, tokenParameters(unit, id, payload));
  },
  async consume(id: string) {
    const unit = unitOf();
    const writing = await unit.writing();
    const parameters = [sha256(id), unit.now.toISOString()];
    const spent = await run(writing, rows.CONSUME_CODE, [...parameters, unit.source?.grantId ?? null]);
    if (spent.length > 0) return;
    const [row] = await run(writing, rows.FIND_CODE, parameters);
    // Revoked, or its session or account ended, since our read: that is no second use.
    if (!row) throw new errors.InvalidGrant('authorization code not found');
    // Somebody else redeemed it between our read and our write: that is a replay (RFC 6749 4.1.2).
    await revokeFamily(unit, row.grant_id as string);
    throw new errors.InvalidGrant('authorization code already consumed');
  },
  async destroy(id: string) {
    await run(await unitOf().writing(), rows.DELETE_CODE, [sha256(id)]);
  },
  revokeByGrantId,
};

/** The successor of a spent token, while its window is open; null: any further use is theft. */
const successorOf = (id: string, row: Row): string | null =>
  row.consumed && row.in_window && row.successor_fresh && row.successor_sealed
    ? openUnder(id, SUCCESSOR, row.successor_sealed as Buffer)
    : null;

const grants = {
  async find(id: string) {
    const unit = unitOf();
    const joined = unit.grants.get(id);
    if (joined) return joined as AdapterPayload;
    const [row] = await run(unit.db(), rows.FIND_GRANT, [id]);
    if (!row) return undefined;
    remember(unit, row);
    const payload = grantPayload(id, row);
    unit.grants.set(id, payload);
    return payload as AdapterPayload;
  },
  async upsert() {
    throw new Error('grants are written by server/oidc/grants.ts');
  },
  async destroy(id: string) {
    const unit = unitOf();
    unit.grants.delete(id);
    const reason = unit.reuse ? 'reuse' : (route() ?? 'library');
    await run(await unit.writing(), rows.REVOKE_GRANT, [id, unit.now.toISOString(), reason]);
  },
};

function sessionPayload(unit: Unit, row: Row, jti: string): AdapterPayload {
  if (row.account_id !== null) remember(unit, row);
  return {
    ...(row.payload as object),
    jti,
    kind: 'Session',
    uid: row.uid as string,
    ...(row.account_id === null
      ? {}
      : { accountId: row.account_id as string, loginTs: row.login_ts as number }),
    iat: row.iat as number,
    exp: row.exp as number,
  };
}

const sessions = {
  async find(id: string) {
    const unit = unitOf();
    const [row] = await run(unit.db(), rows.FIND_SESSION, [sha256(id), unit.now.toISOString()]);
    if (!row) return undefined;
    unit.storedSession = row.uid as string;
    unit.signedInAs = row.account_id as string | null;
    return sessionPayload(unit, row, id);
  },
  async findByUid(uid: string) {
    const unit = unitOf();
    const joined = unit.sessions.get(uid);
    if (joined) return joined as AdapterPayload;
    const [row] = await run(unit.db(), rows.FIND_SESSION_BY_UID, [uid, unit.now.toISOString()]);
    return row ? sessionPayload(unit, row, BY_UID + uid) : undefined;
  },
  async upsert(id: string, payload: AdapterPayload) {
    if (id.startsWith(BY_UID)) throw new Error('a session found by uid cannot be saved');
    const unit = unitOf();
    const { jti, kind, uid, accountId, loginTs, iat, exp, ...rest } = payload;
    if (!accountId && !rest.state && unit.storedSession === null) {
      // The cookie's session is gone and nothing took its place. The library would save nobody's session and hand
      // out its cookie, over the one that a parallel request of this browser may just have been given.
      unit.outdatedSession = true;
      return;
    }
    const row = [
      uid as string,
      sha256(id),
      accountId ?? null,
      accountId ? epochOf(unit, accountId) : null,
      (loginTs as number | undefined) ?? null,
      unit.now.toISOString(),
      exp as number,
      unit.facts.address,
      unit.facts.userAgent,
      JSON.stringify(rest),
    ];
    // The one request that takes an app out of a session is a logout from that app alone.
    const merge = route() !== 'end_session_confirm';
    const writing = await unit.writing();
    const [saved] =
      unit.storedSession === uid
        ? await run(writing, rows.SAVE_SESSION, [...row, merge, unit.endedSessions.has(uid as string)])
        : await run(writing, rows.INSERT_SESSION, row);
    unit.outdatedSession = saved?.current !== true;
    if (!saved) {
      unit.overtaken = uid as string;
      return;
    }
    unit.storedSession = uid as string;
    unit.endedSessions.delete(uid as string);
    if (accountId && unit.signedInAs !== accountId) {
      unit.signedInAs = accountId;
      const client = Provider.ctx?.oidc?.client?.clientId;
      unit.entries.push(entry('session.started', { subject: accountId, session: uid, client }, {}));
    }
  },
  async destroy(id: string) {
    const unit = unitOf();
    const [row] = await run(await unit.writing(), rows.END_SESSION, [sha256(id), unit.now.toISOString()]);
    if (row) unit.endedSessions.set(row.uid as string, { accountId: row.account_id as string | null });
  },
};

const interactions = {
  async find(uid: string) {
    const unit = unitOf();
    const [row] = await run(unit.db(), rows.FIND_INTERACTION, [
      sha256(uid),
      unit.now.toISOString(),
      unit.browserHash,
    ]);
    if (!row) return undefined;
    // A device's is resumed on its pages and an app's is not: the steps after it are not the same.
    const device = (row.payload as { deviceCode?: string }).deviceCode !== undefined;
    if (route() === (device ? 'resume' : 'device_resume')) return undefined;
    const payload: AdapterPayload = {
      ...(row.payload as object),
      jti: uid,
      kind: 'Interaction',
      iat: row.iat as number,
      exp: row.exp as number,
    };
    if (row.account_id === null) return payload;
    if (row.a_id === null) {
      // Disabled, or signed out everywhere, since the password was proved: the proof is void.
      const { result, ...unproved } = payload;
      return unproved;
    }
    remember(unit, row);
    return payload;
  },
  async upsert(uid: string, payload: AdapterPayload) {
    const unit = unitOf();
    const { jti, kind, iat, exp, ...rest } = payload;
    // The session's identifier is its cookie's value, and the library never reads it back (R18).
    const session = rest.session as (Record<string, unknown> & { cookie?: string }) | undefined;
    if (session) delete session.cookie;
    const { client_id: clientId } = (rest.params ?? {}) as { client_id?: string };
    const { name = 'login' } = (rest.prompt ?? {}) as { name?: string };
    await run(await unit.writing(), rows.SAVE_INTERACTION, [
      sha256(uid),
      clientId ?? null,
      unit.browserHash,
      name,
      JSON.stringify(rest),
      unit.now.toISOString(),
      exp as number,
    ]);
  },
  async destroy(uid: string) {
    const unit = unitOf();
    const taken = await run(await unit.writing(), rows.TAKE_INTERACTION, [
      sha256(uid),
      unit.now.toISOString(),
    ]);
    if (taken.length > 0) return;
    unitOf().lostResume = true;
    throw new errors.SessionNotFound('interaction session was already resumed');
  },
};

const looks = new WeakMap<Unit, Map<string, Promise<string | null>>>();

/**
 * Introspection and revocation ask for a value as an access token, as an app's own and as a refresh token, all at once.
 * It is one of them at most: they are asked one after the other, and none once it is found.
 */
function inTurn<Store extends { find(id: string): Promise<unknown> }>(kind: string, store: Store): Store {
  return {
    ...store,
    async find(id: string) {
      const unit = unitOf();
      const mine = looks.get(unit) ?? new Map<string, Promise<string | null>>();
      looks.set(unit, mine);
      let found: unknown;
      const look = (mine.get(id) ?? Promise.resolve(null)).then(async (by) => {
        if (by !== null && by !== kind) return by;
        found = await store.find(id);
        return found ? kind : by;
      });
      mine.set(id, look);
      await look;
      return found;
    },
  };
}

export function createAdapter({ clients, lockouts, config }: AdapterParts): (model: string) => Adapter {
  const knownClients = {
    async find(id: string) {
      // Also what a JWT says whose signature nobody has looked at yet (R10).
      if (!isStorable(id)) return undefined;
      const client = await clients.find(id, unitOf().db());
      return client ? (metadataOf(client) as AdapterPayload) : undefined;
    },
  };

  const refreshTokens = {
    async find(id: string) {
      const unit = unitOf();
      const [row] = await run(unit.db(), rows.FIND_REFRESH_TOKEN, [sha256(id), unit.now.toISOString()]);
      if (!row) return undefined;
      const payload = tokenPayload(unit, id, 'RefreshToken', row);
      unit.source = sourceOf('refresh', row);
      if (!row.consumed) return payload;
      // Only a refresh may see a spent token as live; introspection and revocation see it as it is.
      const successor = route() === 'token' ? successorOf(id, row) : null;
      if (successor === null) return { ...payload, consumed: true };
      unit.replayedSuccessor = successor;
      return payload;
    },
    async consume(id: string) {
      const unit = unitOf();
      if (unit.replayedSuccessor !== null) return;
      const hash = sha256(id);
      const writing = await unit.writing();
      const parameters = [hash, unit.now.toISOString(), unit.source?.grantId ?? null];
      const spent = await run(writing, rows.CONSUME_REFRESH_TOKEN, parameters);
      if (spent.length > 0) {
        unit.rotating = { hash, value: id };
        return;
      }
      // Our read found it unspent, so this use began before anybody had the successor: however long we waited for
      // the winner, and whatever has become of the successor since, we are parallel and share it (P3).
      const [row] = await run(writing, rows.FIND_REFRESH_TOKEN, [hash, unit.now.toISOString()]);
      // Revoked, or its account ended, since our read: that is no second use, and ends nothing more.
      if (!row) throw new errors.InvalidGrant('refresh token not found');
      const sealed = row.successor_sealed as Buffer | null;
      const successor = sealed ? openUnder(id, SUCCESSOR, sealed) : null;
      if (successor !== null) {
        unit.replayedSuccessor = successor;
        return;
      }
      await revokeFamily(unit, row.grant_id as string);
      throw new errors.InvalidGrant('refresh token already used');
    },
    async upsert(id: string, payload: AdapterPayload) {
      const unit = unitOf();
      if (unit.replayedSuccessor !== null) return;
      const parameters = tokenParameters(unit, id, payload);
      const old = unit.rotating;
      if (!old) {
        await unit.send(rows.INSERT_REFRESH_TOKEN, parameters);
        return;
      }
      const writing = await unit.writing();
      const client = await clients.find(payload.clientId as string, writing);
      const window = client?.row.refreshReplayWindow ?? config.tokens.refreshReplayWindow;
      const sealed = window > 0 ? sealUnder(old.value, SUCCESSOR, id) : null;
      await unit.send(rows.INSERT_SUCCESSOR, [...parameters, old.hash, sealed, window]);
    },
    async destroy(id: string) {
      const unit = unitOf();
      const writing = await unit.writing();
      if (unit.source) await run(writing, rows.LOCK_GRANT, [unit.source.grantId]);
      await run(writing, rows.DELETE_REFRESH_TOKEN, [sha256(id)]);
    },
    revokeByGrantId,
  };

  const shared = { tokenPayload, sourceOf, epochOf, revokeFamily, revokeByGrantId };

  const models: Record<string, object> = {
    AccessToken: inTurn('AccessToken', accessTokens),
    AuthorizationCode: authorizationCodes,
    Client: knownClients,
    ClientCredentials: inTurn('ClientCredentials', clientTokens),
    DeviceCode: createDeviceCodes({ config, lockouts }, shared),
    Grant: grants,
    Interaction: interactions,
    PushedAuthorizationRequest: pushedRequests,
    RefreshToken: inTurn('RefreshToken', refreshTokens),
    Session: sessions,
  };
  return (model) => {
    const store = models[model];
    if (!store) throw new Error(`${model} is not stored: its feature is off`);
    return store as Adapter;
  };
}
