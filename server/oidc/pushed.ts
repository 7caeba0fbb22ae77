// Pushed authorization requests (RFC 9126): kept as SHA-256 of their request_uri, and used once. The library uses one up
// when it issues the code, so a reloaded sign-in page still works, and of many sign-ins begun with one, one gets a code.
import Provider, { type AdapterPayload, errors } from 'oidc-provider';
import { sha256 } from '../lib/secrets.ts';
import { spendRequestObject } from './proofs.ts';
import { run } from './rows.ts';
import { unitOf } from './unit.ts';

const FIND = `SELECT payload, consumed_at IS NOT NULL AS consumed, extract(epoch FROM created_at)::int AS iat,
    extract(epoch FROM expires_at)::int AS exp
  FROM pushed_requests WHERE id_hash = $1`;
const INSERT = `INSERT INTO pushed_requests (id_hash, client_id, created_at, expires_at, payload)
  VALUES ($1, $2, to_timestamp($3), to_timestamp($4), $5::text::jsonb)`;
const CONSUME = `UPDATE pushed_requests SET consumed_at = $2::timestamptz WHERE id_hash = $1 AND consumed_at IS NULL RETURNING 1`;

export const pushedRequests = {
  async find(id: string) {
    const [row] = await run(unitOf().db(), FIND, [sha256(id)]);
    if (!row) return undefined;
    return {
      ...(row.payload as object),
      jti: id,
      kind: 'PushedAuthorizationRequest',
      iat: row.iat as number,
      exp: row.exp as number,
      ...(row.consumed ? { consumed: true } : {}),
    };
  },
  /** By itself: nothing else is written with it, and one that was stored while the answer failed has a name nobody knows. */
  async upsert(id: string, payload: AdapterPayload) {
    const clientId = Provider.ctx?.oidc?.client?.clientId;
    if (clientId === undefined) throw new Error('a pushed request without its client');
    await spendRequestObject(clientId);
    const { jti, kind, iat, exp, consumed, ...rest } = payload;
    await run(unitOf().db(), INSERT, [
      sha256(id),
      clientId,
      iat as number,
      exp as number,
      JSON.stringify(rest),
    ]);
  },
  async consume(id: string) {
    const unit = unitOf();
    const used = await run(await unit.writing(), CONSUME, [sha256(id), unit.now.toISOString()]);
    if (used.length === 0) throw new errors.InvalidRequestUri('request_uri was already used');
  },
};
