// The logout token (OpenID Connect Back-Channel Logout 1.0, 2.4). Its type, its event and the lack of a nonce keep it
// from being taken for an ID token (ATK-A058); `jti` is the delivery, the same at every try, so that an app which looks
// acts once.
import { importJWK, SignJWT } from 'jose';
import type { KeySet } from '../keys/keys.ts';
import { sha256base64url } from '../lib/secrets.ts';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** Seconds; a later try is signed anew. */
const LIFETIME = 120;

/** What a session is called toward one app: nothing that another app could recognise, and no handle that opens it. */
export const sidOf = (sessionUid: string, clientId: string): string =>
  sha256base64url(`gatehouse sid\n${sessionUid}\n${clientId}`);

interface LogoutToken {
  issuer: string;
  clientId: string;
  alg: string;
  subject: string;
  /** Null: the app did not ask for it, and ends all it has of the person. */
  sid: string | null;
  jti: string;
}

/** Signed with the key that signs now. */
export async function signLogoutToken(
  { jwks }: KeySet,
  { issuer, clientId, alg, subject, sid, jti }: LogoutToken,
): Promise<string> {
  const jwk = jwks.keys.find((one) => one.alg === alg);
  if (!jwk) throw new Error(`no key signs ${alg}`);
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ ...(sid === null ? {} : { sid }), events: { [EVENT]: {} } })
    .setProtectedHeader({ alg, kid: jwk.kid as string, typ: 'logout+jwt' })
    .setIssuer(issuer)
    .setAudience(clientId)
    .setSubject(subject)
    .setIssuedAt(now)
    .setExpirationTime(now + LIFETIME)
    .setJti(jti)
    .sign(await importJWK(jwk, alg));
}
