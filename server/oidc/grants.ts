// Grants: what one client may have of one account in one session, and for how long (the absolute end of every
// chain of refreshes). There is one live grant per session and client; parallel requests meet in its row.
import { type Access, joined, NOTHING } from '../consents/consents.ts';
import type { Op } from '../lib/op.ts';
import { newSecret } from '../lib/secrets.ts';
import { run } from './rows.ts';

export interface GrantRequest {
  sessionUid: string;
  accountId: string;
  accountEpoch: number;
  clientId: string;
  /** What the app looked like to who allowed it (server/consents/consents.ts). */
  look: string | null;
  access: Access;
  /** Single claims asked for by the claims parameter. */
  claims: readonly string[];
  /** Seconds from now. */
  maxAge: number;
}

const LOCK = `SELECT id, payload, expires_at > $3::timestamptz AND account_id = $4 AND account_epoch = $5 AS valid FROM grants
  WHERE session_uid = $1 AND client_id = $2 AND revoked_at IS NULL FOR UPDATE`;
const WIDEN = 'UPDATE grants SET payload = $2::text::jsonb WHERE id = $1';
const OUTLIVED = `UPDATE grants SET revoked_at = $2::timestamptz, revoke_reason = 'expired' WHERE id = $1`;
const INSERT = `INSERT INTO grants (id, account_id, account_epoch, client_id, session_uid, created_at, expires_at, payload)
  VALUES ($1, $2, $3, $4, $5, $6::timestamptz, $6::timestamptz + make_interval(secs => $7), $8::text::jsonb)
  ON CONFLICT (session_uid, client_id) WHERE revoked_at IS NULL DO NOTHING RETURNING id`;

const union = (a: readonly string[], b: readonly string[]) => [...new Set([...a, ...b])];

/** The library's way of writing it: scopes as one text. */
interface Stored {
  look: string | null;
  openid?: { scope?: string; claims?: string[] };
  resources?: Record<string, string>;
}

const words = (text = ''): string[] => text.split(' ').filter(Boolean);

function stored(look: string | null, { scopes, resources }: Access, claims: readonly string[]): string {
  const apis = Object.entries(resources).map(([id, ofApi]) => [id, ofApi.join(' ')]);
  return JSON.stringify({
    look,
    openid: { scope: scopes.join(' '), ...(claims.length > 0 ? { claims } : {}) },
    ...(apis.length > 0 ? { resources: Object.fromEntries(apis) } : {}),
  });
}

/** What a grant as the library holds it allows. */
export const accessOf = ({ openid, resources = {} }: Pick<Stored, 'openid' | 'resources'>): Access => ({
  scopes: words(openid?.scope),
  resources: Object.fromEntries(Object.entries(resources).map(([id, scope]) => [id, words(scope)])),
});

/** Makes or widens the grant of this session and client, in the caller's transaction; answers its id. */
export async function grantFor(op: Op, request: GrantRequest): Promise<string> {
  for (;;) {
    const { sessionUid, clientId, accountId, accountEpoch, look } = request;
    const now = op.now.toISOString();
    const [row] = await run(op.db, LOCK, [sessionUid, clientId, now, accountId, accountEpoch]);
    if (row?.valid) {
      const before = row.payload as unknown as Stored;
      // What was allowed to an app that looked different is not allowed to this one.
      const same = before.look === look;
      const access = joined(same ? accessOf(before) : NOTHING, request.access);
      const claims = union(same ? (before.openid?.claims ?? []) : [], request.claims);
      await run(op.db, WIDEN, [row.id as string, stored(look, access, claims)]);
      return row.id as string;
    }
    if (row) await run(op.db, OUTLIVED, [row.id as string, now]);
    const [made] = await run(op.db, INSERT, [
      newSecret(),
      accountId,
      accountEpoch,
      clientId,
      sessionUid,
      now,
      request.maxAge,
      stored(look, request.access, request.claims),
    ]);
    if (made) return made.id as string;
    // A parallel request inserted it after our look: take the lock on that one.
  }
}
