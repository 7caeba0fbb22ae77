// Access tokens an app holds in its own name (client_credentials). They hang on the app alone: no person, no grant,
// no session. A token is alive while its app is not disabled and its time is not over, by our clock and on the
// primary, at every read. JWTs have no row: nothing could revoke one, so they are short-lived (R32).
import { sha256 } from '../lib/secrets.ts';
import { run } from './rows.ts';
import { type StoredPayload, unitOf } from './unit.ts';

const FIND = `SELECT t.client_id, t.payload, extract(epoch FROM t.created_at)::int AS iat,
    extract(epoch FROM t.expires_at)::int AS exp
  FROM client_tokens t JOIN clients c ON c.id = t.client_id AND c.disabled_at IS NULL
  WHERE t.id_hash = $1 AND t.expires_at > $2::timestamptz`;
const INSERT = `INSERT INTO client_tokens (id_hash, client_id, created_at, expires_at, payload)
  VALUES ($1, $2, to_timestamp($3), to_timestamp($4), $5::text::jsonb)`;
const DELETE = 'DELETE FROM client_tokens WHERE id_hash = $1';

export const clientTokens = {
  async find(id: string) {
    const unit = unitOf();
    const [row] = await run(unit.db(), FIND, [sha256(id), unit.now.toISOString()]);
    if (!row) return undefined;
    return {
      ...(row.payload as object),
      jti: id,
      kind: 'ClientCredentials',
      clientId: row.client_id as string,
      iat: row.iat as number,
      exp: row.exp as number,
    };
  },
  /**
   * One statement, on the transaction if the request has one (an assertion it spent), else by itself: nothing else is
   * written for these tokens, and one that was stored while the answer failed is a value nobody knows.
   */
  async upsert(id: string, payload: StoredPayload) {
    const { jti, kind, clientId, iat, exp, ...rest } = payload;
    await run(unitOf().db(), INSERT, [
      sha256(id),
      clientId as string,
      iat as number,
      exp as number,
      JSON.stringify(rest),
    ]);
  },
  async destroy(id: string) {
    await run(await unitOf().writing(), DELETE, [sha256(id)]);
  },
};
