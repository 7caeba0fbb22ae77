// What apps sign to prove themselves: client assertions (RFC 7523), DPoP proofs (RFC 9449), request objects (RFC 9101).
// Each is for this issuer, short-lived, and signed by a key the app has registered or brings along. An assertion and a
// proof are good once: the insert that finds its identifier there has lost, however many try at once (R13, P4).
import type Provider from 'oidc-provider';
import { type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider';
import { sha256 } from '../lib/secrets.ts';
import { isAcceptable } from '../lib/text.ts';
import { run, SPEND_REPLAY } from './rows.ts';
import { type Unit, unitOf } from './unit.ts';

/** Seconds for which an assertion or a request object may be signed ahead. */
const LONGEST = 300;
const LONGEST_JTI = 300;

const seconds = () => Math.floor(Date.now() / 1000);

/** What is wrong with the times of something signed; null when nothing is. */
function timeFault({ exp, iat }: Record<string, unknown>, tolerance: number): string | null {
  if (!Number.isInteger(exp)) return 'exp is missing';
  if ((exp as number) > seconds() + LONGEST + tolerance) return `exp is more than ${LONGEST} seconds ahead`;
  if (iat !== undefined && (!Number.isInteger(iat) || (iat as number) > seconds() + tolerance))
    return 'iat is in the future';
  return null;
}

export interface AssertionParts {
  issuer: string;
  /** Seconds. */
  tolerance: number;
  /** Refuses a client authentication that follows too many failures (429). */
  beforeAuthentication(unit: Unit, clientId: string): Promise<void>;
}

type AssertionCheck = NonNullable<Configuration['assertJwtClientAuthClaimsAndHeader']>;

/** After the signature was verified. `aud` is the issuer as one string: an assertion meant for several servers could be
 * carried from one to another (R28, CVE-2025-27370). */
export const assertionCheck =
  ({ issuer, tolerance, beforeAuthentication }: AssertionParts): AssertionCheck =>
  async (_ctx, claims, _header, client) => {
    const unit = unitOf();
    await beforeAuthentication(unit, client.clientId);
    const refuse = (why: string) => {
      throw new errors.InvalidClientAuth(`client_assertion: ${why}`);
    };
    if (claims.aud !== issuer) refuse('aud must be exactly the issuer identifier, as a string');
    const fault = timeFault(claims, tolerance);
    if (fault) refuse(fault);
    if (typeof claims.jti !== 'string' || claims.jti.length > LONGEST_JTI) refuse('jti is too long');
    // The library spends the identifier next, in the same words as that of a proof.
    unit.assertion = true;
  };

/** Only of apps whose settings name an algorithm for them; what was pushed has been looked at when it was. */
export function requestObjectCheck(
  ctx: KoaContextWithOIDC,
  claims: Record<string, unknown>,
  client: { requestObjectSigningAlg?: string },
  tolerance: number,
): void {
  if ('PushedAuthorizationRequest' in ctx.oidc.entities) return;
  if (client.requestObjectSigningAlg === undefined) {
    throw new errors.RequestNotSupported('this client is not registered for request objects');
  }
  const fault = isAcceptable(claims) ? timeFault(claims, tolerance) : 'it holds what cannot be stored';
  if (fault) throw new errors.InvalidRequestObject(`request object: ${fault}`);
  const { jti } = claims;
  if (jti === undefined) return;
  if (typeof jti !== 'string' || jti.length > LONGEST_JTI)
    throw new errors.InvalidRequestObject('request object: jti is no short string');
  unitOf().requestObject = { jti, exp: claims.exp as number };
}

const SPEND_IN = `WITH first AS (
    INSERT INTO replay_detections (id_hash, expires_at) VALUES ($1, to_timestamp($3))
    ON CONFLICT (id_hash) DO NOTHING RETURNING expires_at),
  here AS (INSERT INTO replay_detections (id_hash, expires_at) SELECT $2, expires_at FROM first)
  SELECT 1 FROM first`;
const SPENT = 'SELECT 1 FROM replay_detections WHERE id_hash = $1';

const nameOf = (...what: (string | null | undefined)[]): Buffer => sha256(JSON.stringify(what));

/**
 * After its signature was verified: a request object that says a `jti` is good for the one browser that came with it, or
 * for one push. That browser may load its page again.
 */
export async function spendRequestObject(clientId: string): Promise<void> {
  const unit = unitOf();
  const { requestObject, browserHash } = unit;
  if (!requestObject) return;
  unit.requestObject = null;
  const { jti, exp } = requestObject;
  const place = browserHash?.toString('base64url') ?? unit.facts.id;
  const here = nameOf('request', clientId, jti, place);
  const first = await run(unit.db(), SPEND_IN, [nameOf('request', clientId, jti), here, exp]);
  if (first.length > 0) return;
  if ((await run(unit.db(), SPENT, [here])).length === 0)
    throw new errors.InvalidRequestObject('request object was already used');
}

/**
 * Takes the library's place in remembering identifiers, which reads first and writes later (R13). At once, not with the
 * request's other rows: what was shown once stays shown, even if the request fails.
 */
export function rememberOnce(provider: Provider): void {
  const replays = provider.ReplayDetection as unknown as {
    unique(iss: string, jti: string, exp: number): Promise<boolean>;
  };
  replays.unique = async (iss, jti, exp) => {
    const unit = unitOf();
    const kind = unit.assertion ? 'assertion' : 'proof';
    unit.assertion = false;
    const spent = await run(unit.db(), SPEND_REPLAY, [nameOf(kind, iss, jti), exp]);
    if (spent.length > 0) return true;
    // The library would call it a fault of the grant or the token, which an app then takes for lost (RFC 9449 5, 7.1).
    if (kind === 'proof') throw new errors.InvalidDpopProof('DPoP proof JWT Replay detected');
    return false;
  };
}
