// The sector of a pairwise app (OIDC Core 8.1): apps of one sector know a person by the same `sub`. So an app may only
// name one whose document names all its addresses: else a stranger would learn by which subs another's people are known.
// Looked at when the app is written, never while a person waits.
import { type Egress, EgressError } from '../egress/egress.ts';
import { type checked, DEVICE_CODE, refuse } from './rules.ts';

type Row = ReturnType<typeof checked>;

function read(body: Buffer): string[] | null {
  try {
    const list: unknown = JSON.parse(body.toString());
    return Array.isArray(list) && list.every((one) => typeof one === 'string') ? list : null;
  } catch {
    return null;
  }
}

async function faultOf(egress: Pick<Egress, 'request'>, uri: string, row: Row): Promise<string | null> {
  let answer: Awaited<ReturnType<Egress['request']>>;
  try {
    answer = await egress.request(uri, { headers: { accept: 'application/json' } });
  } catch (error) {
    if (!(error instanceof EgressError)) throw error;
    return `could not be fetched: ${error.message}`;
  }
  if (answer.status !== 200) return `answers ${answer.status} instead of 200`;
  const named = read(answer.body);
  if (!named) return 'is not a JSON array of URIs';
  const device = row.grantTypes.includes(DEVICE_CODE);
  const missing = [...row.redirectUris, ...(device && row.jwksUri ? [row.jwksUri] : [])].find(
    (one) => !named.includes(one),
  );
  return missing === undefined ? null : `does not name ${missing}`;
}

/** Throws client.invalid. Asks another server, so never in a transaction. */
export async function checkSector(egress: Pick<Egress, 'request'>, row: Row): Promise<void> {
  const { sectorIdentifierUri: uri } = row;
  const fault = uri ? await faultOf(egress, uri, row) : null;
  if (fault) refuse({ sector_identifier_uri: fault });
}
